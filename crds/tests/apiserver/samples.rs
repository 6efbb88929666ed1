//! The samples are accepted as they are.

use std::{fs, path::Path};

use serde_json::Value;

use crate::space::Space;

#[tokio::test]
async fn every_sample_is_accepted() {
    let space = Space::new("samples").await;
    let dir = Path::new("../config/samples");
    let mut kinds = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let samples: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
        for sample in samples {
            let answer = space.try_apply(&sample).await;
            assert!(answer.is_ok(), "{}: {answer:?}", path.display());
            kinds.push(sample["kind"].as_str().unwrap().to_owned());
        }
    }
    for kind in ["ProofRequest", "WorkerPool"] {
        assert!(kinds.iter().any(|k| k == kind), "no sample of a {kind}");
    }
    space.close().await;
}
