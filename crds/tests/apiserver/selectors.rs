//! Field selectors.

use kube::{
    Api, ResourceExt,
    api::{DynamicObject, ListParams},
};
use serde_json::json;

use crate::space::Space;

async fn names(api: &Api<DynamicObject>, selector: &str) -> Vec<String> {
    let list = api
        .list(&ListParams::default().fields(selector))
        .await
        .unwrap();
    list.iter().map(ResourceExt::name_any).collect()
}

#[tokio::test]
async fn objects_are_found_by_field() {
    let space = Space::new("selectors").await;
    let program = json!({"artifact": "program_00"});
    let failure = json!({"failure": {"class": "ProgramFault", "message": "exit code 7"}, "programId": "program_00"});
    space
        .put(
            "ProofRequest",
            "core",
            json!({"program": program, "mode": "Core"}),
            failure,
        )
        .await;
    space
        .put(
            "ProofRequest",
            "default",
            json!({"program": program}),
            json!({"programId": "program_01"}),
        )
        .await;
    let proofs = space.objects("ProofRequest");
    assert_eq!(names(&proofs, "spec.mode=Core").await, ["core"]);
    assert_eq!(names(&proofs, "spec.mode=Compressed").await, ["default"]);
    assert_eq!(
        names(&proofs, "status.failure.class=ProgramFault").await,
        ["core"]
    );
    assert_eq!(
        names(&proofs, "status.failure.class!=ProgramFault").await,
        ["default"]
    );
    assert_eq!(
        names(&proofs, "status.programId=program_01").await,
        ["default"]
    );

    for (name, worker) in [("a", "w-1"), ("b", "w-2")] {
        let spec = json!({"proof": name, "taskId": name, "taskType": "ProveShard", "weight": 4});
        space
            .put(
                "ProvingTask",
                name,
                spec,
                json!({"state": "Running", "worker": worker}),
            )
            .await;
    }
    let tasks = space.objects("ProvingTask");
    assert_eq!(names(&tasks, "spec.proof=a").await, ["a"]);
    assert_eq!(names(&tasks, "status.worker=w-2").await, ["b"]);
    assert_eq!(
        names(&tasks, "status.state=Running,spec.taskType=ProveShard").await,
        ["a", "b"]
    );

    space
        .put("WorkerPool", "cpu", json!({"class": "CPU"}), json!({}))
        .await;
    let pools = space.objects("WorkerPool");
    assert_eq!(names(&pools, "spec.class=CPU").await, ["cpu"]);
    assert_eq!(names(&pools, "spec.class=GPU").await, Vec::<String>::new());
    space.close().await;
}
