//! The API server is away for the operator while a proof runs.

use kube::Resource;
use serde_json::json;

use crate::bench::{Bench, wait};
use crate::joined::{Joined, SHARDS};

/// Whether the operator's metrics have this line.
fn shows(bench: &Bench, line: &str) -> bool {
    bench.metrics().render().lines().any(|l| l == line)
}

async fn until_shown(bench: &Bench, line: &str) {
    wait(line, || async { shows(bench, line).then_some(()) }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_api_server_work_goes_on_and_what_must_be_stored_waits() {
    let mut bench = Bench::space("outage").await;
    let home = bench.namespace.clone();
    let gate = bench.gate().await;
    bench.start(&home).await;
    let worker = Joined::start(&bench, &[&bench.grpc], "w-1");
    let program = json!({"inline": bench.program()});
    let first = bench
        .request("first", json!({"program": program, "mode": "Core"}))
        .await;
    wait("running shards", || async {
        (worker.shards().len() == SHARDS).then_some(())
    })
    .await;
    let epoch = bench.coordinator().epoch();
    assert!(shows(&bench, "provost_leader 1") && shows(&bench, "provost_leader_degraded 0"));

    gate.close();
    until_shown(&bench, "provost_leader_degraded 1").await;
    // What workers need of the leader goes on: a task that is created now runs.
    worker.create_shard();
    wait("the new shard", || async {
        (worker.shards().len() == SHARDS + 1).then_some(())
    })
    .await;
    // A request that comes now is not begun, and the end of the first proof is not acknowledged.
    bench
        .request("second", json!({"program": program, "mode": "Core"}))
        .await;
    worker.finish();
    until_shown(&bench, "provost_unstored{what=\"outcome\"} 1").await;
    assert!(!worker.has_concluded());
    let request = bench.proofs().get("first").await.unwrap();
    assert!(!request.terminal());
    assert_eq!(request.meta().uid, first.meta().uid);
    let proofs = worker.starts().into_iter().map(|start| start.proof);
    assert!(
        proofs.clone().all(|proof| proof.contains("/first/")),
        "{:?}",
        proofs.collect::<Vec<_>>()
    );
    assert!(shows(&bench, "provost_leader 1"));

    gate.open();
    bench.state("first", "Succeeded").await;
    wait("an acknowledgement", || async {
        worker.has_concluded().then_some(())
    })
    .await;
    bench.state("second", "Succeeded").await;
    for line in [
        "provost_leader_degraded 0",
        "provost_unstored{what=\"outcome\"} 0",
    ] {
        until_shown(&bench, line).await;
    }
    // The same term: nobody took over, and nothing was begun twice.
    assert_eq!(bench.coordinator().epoch(), epoch);
    assert!(
        worker
            .starts()
            .iter()
            .all(|start| (start.run, start.attempt) == (0, 1))
    );
    for name in ["first", "second"] {
        bench.delete(name).await;
    }
    assert!(bench.stored().await.is_empty());
    bench.close().await;
}
