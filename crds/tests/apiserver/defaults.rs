//! What the API server stores of a spec.

use provost_crds::{Limits, Mode, PoolClass};
use serde_json::json;

use crate::space::{Space, object};

#[tokio::test]
async fn defaults_are_filled_in() {
    let space = Space::new("defaults").await;
    let stored = space
        .apply(&object(
            "ProofRequest",
            "least",
            json!({"program": {"artifact": "program_00"}}),
        ))
        .await;
    assert_eq!(
        stored.unwrap().data["spec"],
        json!({
            "program": {"artifact": "program_00"},
            "mode": "Compressed",
            "limits": {},
            "priority": 0,
            "suspend": false,
            "cancel": false,
        })
    );
    let spec = space.proofs().get("least").await.unwrap().spec;
    assert_eq!(
        (spec.mode, spec.limits, spec.stdin),
        (Mode::Compressed, Limits::default(), None)
    );

    let stored = space
        .apply(&object("WorkerPool", "least", json!({"class": "CPU"})))
        .await;
    assert_eq!(
        stored.unwrap().data["spec"],
        json!({"class": "CPU", "replicas": 1, "knownAnswer": false, "spot": false})
    );
    assert_eq!(
        space.pools().get("least").await.unwrap().spec.class,
        PoolClass::Cpu
    );

    let task = json!({"proof": "least", "taskId": "task_1", "taskType": "Controller", "weight": 4});
    let stored = space.apply(&object("ProvingTask", "least", task)).await;
    assert_eq!(stored.unwrap().data["spec"]["root"], json!(false));
    assert!(!space.tasks().get("least").await.unwrap().spec.root);
    space.close().await;
}

#[tokio::test]
async fn a_null_counts_as_absent() {
    let space = Space::new("nulls").await;
    let spec = json!({
        "program": {"artifact": null, "inline": "AAAA"},
        "stdin": {"entries": [{"u32": 1, "u64": null}], "configMap": null},
        "mode": null,
        "deadline": null,
    });
    let stored = space
        .create(&object("ProofRequest", "nulls", spec))
        .await
        .unwrap();
    assert_eq!(stored.data["spec"]["program"], json!({"inline": "AAAA"}));
    assert_eq!(
        stored.data["spec"]["stdin"],
        json!({"entries": [{"u32": 1}]})
    );
    assert_eq!(stored.data["spec"]["mode"], json!("Compressed"));
    space.close().await;
}

#[tokio::test]
async fn large_numbers_are_kept_exactly() {
    let space = Space::new("numbers").await;
    let values = [(1 << 53) + 1, i64::MAX as u64, 0];
    let entries: Vec<_> = values.iter().map(|v| json!({"u64": v})).collect();
    let spec = json!({
        "program": {"artifact": "program_00"},
        "stdin": {"entries": entries},
        "limits": {"cycles": i64::MAX},
    });
    space
        .apply(&object("ProofRequest", "numbers", spec))
        .await
        .unwrap();
    let spec = space.proofs().get("numbers").await.unwrap().spec;
    let read: Vec<_> = spec
        .stdin
        .unwrap()
        .entries
        .unwrap()
        .iter()
        .map(|entry| entry.u64.unwrap())
        .collect();
    assert_eq!(read, values);
    assert_eq!(spec.limits.cycles, Some(i64::MAX));
    space.close().await;
}
