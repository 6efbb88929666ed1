//! How much the operator writes of what goes on.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use kube::api::ListParams;

use crate::bench::{Bench, wait};
use crate::joined::{Joined, SHARDS};

/// Shards that the worker has room for.
const ROOM: usize = 6;

/// A proof whose Controller and first shards run.
async fn begun(bench: &Bench) -> Joined {
    let worker = Joined::start(bench, &[&bench.grpc], "w-1");
    bench.core("fib").await;
    wait("the first shards", || async {
        (worker.shards().len() == SHARDS).then_some(())
    })
    .await;
    worker
}

/// Writes to objects of a kind so far.
fn written(bench: &Bench, kind: &str) -> f64 {
    let text = bench.metrics().render();
    let name = format!("provost_api_writes_total{{kind=\"{kind}\",result=\"ok\"}} ");
    let line = text.lines().find_map(|line| line.strip_prefix(&name));
    line.map_or(0.0, |count| count.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_of_tasks_keep_to_the_budget() {
    let mut bench = Bench::space("budget").await;
    bench.writes = NonZeroU32::new(2).unwrap();
    let home = bench.namespace.clone();
    bench.start(&home).await;
    let began = Instant::now();
    let worker = begun(&bench).await;
    for _ in SHARDS..ROOM {
        worker.create_shard();
    }
    wait("objects of all tasks", || async {
        let tasks = bench.tasks().list(&ListParams::default()).await.unwrap();
        (tasks.items.len() == 1 + ROOM).then_some(())
    })
    .await;
    let written = written(&bench, "ProvingTask");
    assert!(written >= ROOM as f64, "{written}");
    let most = 2.0 * began.elapsed().as_secs_f64() + 2.0;
    assert!(written <= most, "{written} of at most {most}");
    worker.finish();
    bench.state("fib", "Succeeded").await;
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn progress_is_written_once_a_second() {
    let bench = Bench::new("progress").await;
    let worker = begun(&bench).await;
    bench.state("fib", "Proving").await;
    let (began, before) = (Instant::now(), written(&bench, "ProofRequest"));
    for _ in 0..30 {
        worker.create_shard();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let writes = written(&bench, "ProofRequest") - before;
    assert!(writes >= 1.0, "it changed all the time");
    // One at each end, and one of the duration alone.
    let most = began.elapsed().as_secs_f64() + 3.0;
    assert!(writes <= most, "{writes} of at most {most}");
    worker.finish();
    bench.state("fib", "Succeeded").await;
    bench.close().await;
}
