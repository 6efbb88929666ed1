//! Unknown fields are refused where kubectl asks for it, which it does by default.

use serde_json::json;

use crate::space::{Space, object};

#[tokio::test]
async fn an_unknown_field_is_named() {
    let space = Space::new("strict").await;
    let object = object(
        "ProofRequest",
        "typo",
        json!({"program": {"artifact": "program_00"}, "modes": "Core", "stdin": {"entries": [{"u16": 1, "u32": 1}]}}),
    );
    let created = space.create(&object).await.unwrap_err();
    assert_eq!(created.code, 400, "{}", created.message);
    assert!(
        created.message.contains(
            "strict decoding error: unknown field \"spec.modes\", unknown field \"spec.stdin.entries[0].u16\""
        ),
        "{}",
        created.message
    );
    let applied = space.apply(&object).await.unwrap_err();
    assert!(
        applied
            .message
            .contains(".spec.modes: field not declared in schema"),
        "{}",
        applied.message
    );
    space.close().await;
}
