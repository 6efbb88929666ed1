//! What `kubectl get` shows.

use kube::{api::ListParams, core::Request};
use serde_json::{Value, json};

use crate::space::Space;

/// The columns of `kubectl get KIND`, by name: (priority, cells).
async fn table(space: &Space, kind: &str) -> Vec<(String, i64, Vec<Value>)> {
    let url = space.objects(kind).resource_url().to_owned();
    let mut request = Request::new(url).list(&ListParams::default()).unwrap();
    let accept = "application/json;as=Table;v=v1;g=meta.k8s.io";
    request
        .headers_mut()
        .insert("accept", accept.parse().unwrap());
    let table: Value = space.client.request(request).await.unwrap();
    assert_eq!(table["kind"], "Table");
    let rows = table["rows"].as_array().unwrap();
    let definitions = table["columnDefinitions"]
        .as_array()
        .unwrap()
        .iter()
        .enumerate();
    definitions
        .map(|(at, column)| {
            let cells = rows.iter().map(|row| row["cells"][at].clone()).collect();
            (
                column["name"].as_str().unwrap().to_owned(),
                column["priority"].as_i64().unwrap(),
                cells,
            )
        })
        .collect()
}

/// Checks names, priorities and cells of all columns but Age, whose cells change.
async fn shows(space: &Space, kind: &str, expected: &[(&str, i64, &[Value])]) {
    let found = table(space, kind).await;
    let headings: Vec<_> = found
        .iter()
        .map(|(name, priority, _)| (name.as_str(), *priority))
        .collect();
    let wanted: Vec<_> = expected
        .iter()
        .map(|(name, priority, _)| (*name, *priority))
        .collect();
    assert_eq!(headings, wanted);
    for ((name, _, cells), (_, _, wanted)) in found.iter().zip(expected) {
        if name != "Age" {
            assert_eq!(cells, wanted, "{name}");
        }
    }
}

fn condition(type_: &str, status: &str, reason: &str, message: &str) -> Value {
    json!([{
        "type": type_, "status": status, "reason": reason, "message": message,
        "lastTransitionTime": "2027-01-01T00:00:00Z",
    }])
}

#[tokio::test]
async fn of_proof_requests() {
    let space = Space::new("columns-proof").await;
    let spec = json!({"program": {"artifact": "program_00"}, "mode": "Core"});
    let status = json!({
        "conditions": condition("Succeeded", "True", "Succeeded", "proved and verified"),
        "progress": "12/12",
        "execution": {"cycles": 18320},
        "duration": "3m41s",
        "programId": "program_00",
    });
    space
        .put("ProofRequest", "done", spec.clone(), status)
        .await;
    space.put("ProofRequest", "new", spec, json!({})).await;
    shows(
        &space,
        "ProofRequest",
        &[
            ("Name", 0, &[json!("done"), json!("new")]),
            ("Mode", 0, &[json!("Core"), json!("Core")]),
            ("State", 0, &[json!("Succeeded"), Value::Null]),
            ("Progress", 0, &[json!("12/12"), Value::Null]),
            ("Cycles", 0, &[json!(18320), Value::Null]),
            ("Duration", 0, &[json!("3m41s"), Value::Null]),
            ("Age", 0, &[]),
            ("Program", 1, &[json!("program_00"), Value::Null]),
            ("Message", 1, &[json!("proved and verified"), Value::Null]),
        ],
    )
    .await;
    space.close().await;
}

#[tokio::test]
async fn of_proving_tasks() {
    let space = Space::new("columns-task").await;
    let spec =
        json!({"proof": "fibonacci", "taskId": "task_1", "taskType": "ProveShard", "weight": 4});
    let status =
        json!({"state": "Running", "worker": "all-1", "attempts": 2, "message": "worker lost"});
    space.put("ProvingTask", "t", spec, status).await;
    shows(
        &space,
        "ProvingTask",
        &[
            ("Name", 0, &[json!("t")]),
            ("Proof", 0, &[json!("fibonacci")]),
            ("Type", 0, &[json!("ProveShard")]),
            ("State", 0, &[json!("Running")]),
            ("Worker", 0, &[json!("all-1")]),
            ("Attempts", 0, &[json!(2)]),
            ("Age", 0, &[]),
            ("Weight", 1, &[json!(4)]),
            ("Message", 1, &[json!("worker lost")]),
        ],
    )
    .await;
    space.close().await;
}

#[tokio::test]
async fn of_worker_pools() {
    let space = Space::new("columns-pool").await;
    let status = json!({
        "replicas": 1, "readyReplicas": 1, "selector": "a=b", "roles": "execute 1, prove 1",
        "devices": "NVIDIA L4 23 GiB 1", "shardSize": "Reduced",
        "conditions": condition("Ready", "False", "WorkersNotReady", "1 of 2 workers are ready"),
    });
    space
        .put(
            "WorkerPool",
            "all",
            json!({"class": "All", "replicas": 2, "image": "w:1"}),
            status,
        )
        .await;
    shows(
        &space,
        "WorkerPool",
        &[
            ("Name", 0, &[json!("all")]),
            ("Class", 0, &[json!("All")]),
            ("Desired", 0, &[json!(2)]),
            ("Ready", 0, &[json!(1)]),
            ("Roles", 0, &[json!("execute 1, prove 1")]),
            ("Age", 0, &[]),
            ("Spot", 1, &[json!(false)]),
            ("Devices", 1, &[json!("NVIDIA L4 23 GiB 1")]),
            ("Shards", 1, &[json!("Reduced")]),
            ("Image", 1, &[json!("w:1")]),
            ("Message", 1, &[json!("1 of 2 workers are ready")]),
        ],
    )
    .await;
    space.close().await;
}
