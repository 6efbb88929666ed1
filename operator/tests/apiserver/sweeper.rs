//! What a crash left in the store.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use provost_artifacts::id::{ProofTag, mint};
use provost_artifacts::{Kind, Store as _};
use provost_operator::sweeper::Sweeps;

use crate::bench::{Bench, wait};
use crate::worker::{Habit, Worker};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_belongs_to_no_request_is_removed_and_nothing_else() {
    let mut bench = Bench::space("sweeps").await;
    bench.sweeps = Sweeps {
        period: Duration::from_millis(200),
        min_age: Duration::ZERO,
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let gone = mint(ProofTag::of("gone"), now.as_millis() as u64, 1);
    let put = async |kind, id: &str| {
        let bytes = b"left".to_vec();
        bench.store.put(kind, id, bytes.into()).await.unwrap();
    };
    let left = [
        (Kind::Program, "program_nobodys"),
        (Kind::Stdin, gone.as_str()),
        (Kind::Artifact, gone.as_str()),
        (Kind::Proof, gone.as_str()),
    ];
    for (kind, id) in left {
        put(kind, id).await;
    }
    // Not of our making.
    put(Kind::Artifact, "a-clients-own").await;
    bench.start(&bench.namespace.clone()).await;
    wait("nothing to be left", || async {
        for (kind, id) in left {
            bench
                .store
                .head(kind, id)
                .await
                .unwrap()
                .is_none()
                .then_some(())?;
        }
        Some(())
    })
    .await;
    let own = bench.store.head(Kind::Artifact, "a-clients-own").await;
    assert!(own.unwrap().is_some());

    // A request that waits for a worker keeps what it needs, however often that is looked at.
    bench.core("fib").await;
    wait("its inputs", || async {
        let request = bench.proofs().get("fib").await.unwrap();
        request.status?.timings?.queued_at
    })
    .await;
    tokio::time::sleep(5 * bench.sweeps.period).await;
    let _worker = Worker::start(&bench, "w-1", Habit::Diligent).await;
    bench.state("fib", "Succeeded").await;
    tokio::time::sleep(5 * bench.sweeps.period).await;
    let proof = bench
        .proofs()
        .get("fib")
        .await
        .unwrap()
        .status
        .unwrap()
        .proof
        .unwrap();
    let stored = bench.store.head(Kind::Proof, &proof.artifact).await;
    assert!(stored.unwrap().is_some());
    bench.close().await;
}
