//! Workers that vanish: only what they had in hand is done again.

use provost_coordinator::{FailureClass, Loss};
use provost_proto::worker::TaskType;
use provost_worker_sim::Class;
use provost_worker_sim::faults::{Action, Fault, Point};
use provost_worker_sim::graph::Mode;

use crate::cluster::{Cluster, again, eventually, graph, slow_shards};

/// A prover vanishes at a point of a ProveShard; says what was done again.
async fn prover_crashes(point: Point) -> Vec<(&'static str, i64)> {
    let cluster = Cluster::start().await;
    let graph = slow_shards(8, 100.0);
    let cpu = cluster.workers(Class::Cpu, 1, &graph).await;
    let gpu = cluster.workers(Class::Gpu, 2, &graph).await;
    let crash = Fault::at(Action::Crash, point, TaskType::ProveShard).nth(2, 1);
    gpu.inject(crash.for_ms(50)).unwrap();
    cluster.prove("p").await;
    cluster.success("p").await;
    assert_eq!(gpu.faults().struck(), 1);
    let outcome = cluster.outcome("p").await;
    assert_eq!(outcome.progress.run, 0);
    let again = again(&[&cpu, &gpu], &graph, Mode::Compressed, 1);
    // A shard that is proven again stores its deferred record again, after CoreExecute has read and deleted it: so does SP1's.
    let left = cluster.sweep("p").await;
    let most: i64 = again.iter().map(|(_, more)| more).sum();
    assert!(left as i64 <= most, "{left} left, {most} done again");
    cluster.assert_clean(1).await;
    again
}

fn only_shards(again: &[(&str, i64)]) {
    // A worker of 24 holds at most six of them.
    assert!(
        matches!(again, [("PROVE_SHARD", 1..=6)]),
        "done again: {again:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prover_crashes_on_receipt() {
    only_shards(&prover_crashes(Point::Receipt).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prover_crashes_half_way() {
    only_shards(&prover_crashes(Point::Running).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prover_crashes_when_its_output_is_stored() {
    only_shards(&prover_crashes(Point::Stored).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prover_crashes_before_its_report() {
    // The record is gone already: the next worker finds the outputs and recovers.
    only_shards(&prover_crashes(Point::Report).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prover_crashes_before_it_reads_the_answer() {
    let cluster = Cluster::start().await;
    let graph = slow_shards(1, 20.0);
    let cpu = cluster.workers(Class::Cpu, 1, &graph).await;
    let gpu = cluster.workers(Class::Gpu, 1, &graph).await;
    let crash = Fault::at(Action::Crash, Point::Reported, TaskType::SetupVkey);
    gpu.inject(crash.for_ms(10)).unwrap();
    cluster.prove("p").await;
    cluster.success("p").await;
    assert_eq!(gpu.faults().struck(), 1);
    // It was reported: nothing is done again.
    assert_eq!(again(&[&cpu, &gpu], &graph, Mode::Compressed, 1), []);
    cluster.assert_clean(1).await;
}

/// The worker with Controller and CoreExecute vanishes.
async fn driver_crashes(kind: TaskType, point: Point) -> (u32, Vec<(&'static str, i64)>) {
    let cluster = Cluster::start().await;
    let graph = graph(5);
    let cpu = cluster.workers(Class::Cpu, 2, &graph).await;
    let gpu = cluster.workers(Class::Gpu, 1, &graph).await;
    let crash = Fault::at(Action::Crash, point, kind);
    cpu.inject(crash.for_ms(10)).unwrap();
    cluster.prove("p").await;
    cluster.success("p").await;
    // The outcome is stored a moment before the worker reads the answer.
    eventually("the fault strikes", || {
        (cpu.faults().struck() == 1).then_some(())
    })
    .await;
    cluster.sweep("p").await;
    cluster.assert_clean(1).await;
    let run = cluster.outcome("p").await.progress.run;
    (run, again(&[&cpu, &gpu], &graph, Mode::Compressed, 1))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_executor_crashes_after_its_first_message() {
    let (run, again) = driver_crashes(TaskType::CoreExecute, Point::FirstMessage).await;
    assert_eq!(run, 1);
    assert!(again.contains(&("CORE_EXECUTE", 1)), "{again:?}");
    assert!(again.contains(&("CONTROLLER", 1)), "{again:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_executor_crashes_after_its_last_message() {
    let (run, again) = driver_crashes(TaskType::CoreExecute, Point::LastMessage).await;
    assert_eq!(run, 1);
    assert!(again.contains(&("CORE_EXECUTE", 1)), "{again:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_controller_crashes_when_its_proof_is_stored() {
    let (run, _) = driver_crashes(TaskType::Controller, Point::Stored).await;
    assert_eq!(run, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_controller_crashes_after_the_coordinator_took_its_proof() {
    let (run, again) = driver_crashes(TaskType::Controller, Point::Reported).await;
    assert_eq!((run, again), (0, Vec::new()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_takes_every_worker_down_fails_its_proof() {
    let cluster = Cluster::start().await;
    let graph = graph(1);
    let _cpu = cluster.workers(Class::Cpu, 1, &graph).await;
    let gpu = cluster.workers(Class::Gpu, 1, &graph).await;
    let crash = Fault::at(Action::Crash, Point::Running, TaskType::SetupVkey).nth(1, 9);
    gpu.inject(crash.for_ms(10)).unwrap();
    cluster.prove("poison").await;
    let (class, message) = cluster.failure("poison").await;
    assert_eq!(class, FailureClass::NodeLost);
    assert!(message.contains("3 workers"), "{message}");
    cluster.assert_idle().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_operator_may_say_first_that_a_pod_is_gone() {
    let cluster = Cluster::start().await;
    let graph = slow_shards(4, 500.0);
    let cpu = cluster.workers(Class::Cpu, 1, &graph).await;
    let gpu = cluster.workers(Class::Gpu, 2, &graph).await;
    let hang = Fault::at(Action::Hang, Point::Receipt, TaskType::ProveShard);
    gpu.inject(hang.in_worker("gpu-0")).unwrap();
    cluster.prove("p").await;
    eventually("it has a shard", || {
        (gpu.faults().struck() == 1).then_some(())
    })
    .await;
    gpu.inject(Fault::now(Action::Crash, Some("gpu-0")))
        .unwrap();
    let loss = Loss::new(FailureClass::OutOfMemory, "memory limit 3Gi");
    cluster.coordinator.worker_lost("gpu-0", loss).await;
    cluster.success("p").await;
    only_shards(&again(&[&cpu, &gpu], &graph, Mode::Compressed, 1));
}
