//! A store that is down, silent, slow or full.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use provost_faults::check::{Allowed, again, another_run};
use provost_faults::process::Signal;
use provost_faults::promises::{BACKOFF, RECYCLE_GRACE};
use provost_faults::proof::Shape;
use provost_faults::scenario::Scenario;
use provost_faults::wait::eventually;
use serde_json::json;

/// After so long of silence the operator takes a store to be away, whatever it waits for: ten seconds, and as long as the smallest question
/// is asked again.
const SILENCE: Duration = Duration::from_secs(36);

/// The scenarios.
pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "store_down_mid_proof",
            "store SIGKILL, back after 8 s",
            async |world| {
                world.prove("p", &Shape::shards(20, 500)).await;
                world.begun("PROVE_SHARD", 4).await;
                world.strikes();
                world.store.kill();
                tokio::time::sleep(Duration::from_secs(8)).await;
                world.store.resume().await;
                world.recovers().await;
                world.succeeds("p").await;
            },
        ),
        Scenario::new(
            "store_down_before_a_proof",
            "store SIGKILL",
            async |world| {
                world.strikes();
                world.store.kill();
                world.prove("p", &Shape::shards(6, 100)).await;
                world.state("p", "StoreUnavailable").await;
                world.store.resume().await;
                world.recovers().await;
                world.succeeds("p").await;
            },
        ),
        Scenario::new(
            "store_restarted_again_and_again",
            "store SIGKILL, 5 times",
            async |world| {
                world.prove("p", &Shape::shards(30, 500)).await;
                world.begun("PROVE_SHARD", 2).await;
                world.strikes();
                for _ in 0..5 {
                    world.store.kill();
                    tokio::time::sleep(Duration::from_millis(500)).await;
                    world.store.resume().await;
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
                world.recovers().await;
                world.succeeds("p").await;
            },
        ),
        Scenario::new(
            "store_of_another_cluster",
            "another cluster's mark in the bucket, operators SIGKILL",
            async |world| {
                world.prove("p", &Shape::shards(6, 100)).await;
                world.succeeds("p").await;
                let ours = world.store.hand_over("another");
                let stored = world.store.files();
                world.strikes();
                world.replicas.iter().for_each(|replica| replica.crash());
                world.prove("q", &Shape::shards(6, 100)).await;
                for replica in &world.replicas {
                    let refuses = || async {
                        let said = replica.output();
                        said.contains("belongs to another cluster: it holds owners/another")
                            .then_some(())
                    };
                    eventually("a replica to refuse the store", refuses).await;
                }
                assert_eq!(world.store.files(), stored, "they leave it alone");
                assert_eq!(world.proof("q").await.status, None, "nobody takes it up");
                world.store.hand_over(&ours);
                world.recovers().await;
                world.succeeds("q").await;
            },
        ),
        Scenario::new(
            "store_hangs",
            "store SIGSTOP, SIGCONT after 10 s",
            async |world| {
                world.prove("p", &Shape::shards(20, 500)).await;
                world.begun("PROVE_SHARD", 4).await;
                world.strikes();
                world.store.signal(Signal::STOP);
                tokio::time::sleep(Duration::from_secs(10)).await;
                world.store.signal(Signal::CONT);
                world.recovers().await;
                world.succeeds("p").await;
            },
        ),
        Scenario::new(
            "store_hangs_and_proofs_are_cancelled",
            "store SIGSTOP, spec.cancel and a deadline, later SIGCONT",
            async |world| {
                world.prove("p", &Shape::shards(40, 1000)).await;
                world.begun("PROVE_SHARD", 4).await;
                world.strikes();
                world.store.signal(Signal::STOP);
                let workers = world.workers();
                // More than the operator looks at once.
                let others: Vec<_> = (0..12).map(|i| format!("q{i}")).collect();
                for other in &others {
                    world.prove(other, &Shape::shards(2, 20)).await;
                }
                // Long after the cancel: a worker that waited for the store that long would have been replaced for it.
                let due = SILENCE + 2 * RECYCLE_GRACE;
                let deadline = (Timestamp::now() + due).to_string();
                let expires = Shape::shards(2, 20).spec("deadline", deadline);
                let asked = Instant::now();
                world.prove("expires", &expires).await;
                // By then it is known, and nobody waits for the store any more.
                tokio::time::sleep(SILENCE).await;
                let cancelled = Instant::now();
                world.edit("p", json!({"cancel": true})).await;
                world.ends("p", "Cancelled").await;
                let took = cancelled.elapsed();
                assert!(took < Duration::from_secs(5), "cancelled after {took:?}");
                world.ends("expires", "Expired").await;
                let took = asked.elapsed();
                assert!(took < due + Duration::from_secs(5), "expired after {took:?}");
                world.store.signal(Signal::CONT);
                for worker in &workers {
                    assert_eq!(worker.process.exit(), None, "{} was replaced", worker.pod);
                }
                for other in &others {
                    world.succeeds(other).await;
                }
                world.recovered();
            },
        )
        .lingers(),
        Scenario::new(
            "store_slow",
            "each way to the store takes 200 ms longer",
            async |world| {
                world.strikes();
                let slow = Duration::from_millis(200);
                world.store_wire.slow(slow);
                world
                    .workers()
                    .iter()
                    .for_each(|worker| worker.store.slow(slow));
                world.prove("p", &Shape::shards(10, 200)).await;
                world.recovers().await;
                world.succeeds("p").await;
            },
        ),
        Scenario::new(
            "store_connections_break",
            "connections to the store break at random",
            async |world| {
                world.strikes();
                world.store_wire.fragile(40_000);
                world
                    .workers()
                    .iter()
                    .for_each(|worker| worker.store.fragile(40_000));
                world.prove("p", &Shape::shards(20, 200)).await;
                world.recovers().await;
                world.succeeds("p").await;
                let workers = world.workers();
                let of_workers = workers.iter().map(|worker| worker.store.broken());
                assert!(of_workers.sum::<u64>() > 0 && world.store_wire.broken() > 0);
                world.store_wire.heal();
            },
        ),
        Scenario::new("store_full", "no room on the store's disk, 6 s", async |world| {
            world.prove("p", &Shape::shards(20, 500).graph("shardsPerSecond", 8)).await;
            world.begun("PROVE_SHARD", 4).await;
            world.strikes();
            world.store.fill();
            tokio::time::sleep(Duration::from_secs(6)).await;
            let proof = world.proof("p").await;
            assert!(!proof.terminal(), "{}: {}", proof.state(), proof.message());
            world.store.empty();
            world.recovers().await;
            world.succeeds("p").await;
        })
        .setup(|setup| setup.store_megabytes = Some(8)),
        Scenario::new(
            "one_store_error",
            "a PUT of a shard fails on each worker",
            async |world| {
                // As if the store had been away for longer than its client tries.
                world
                    .fault_everywhere(&json!({"do": "unavailable", "op": "put", "task": "PROVE_SHARD", "nth": 3}))
                    .await;
                world.prove("p", &Shape::shards(20, 200)).await;
                world.succeeds("p").await;
                world.struck(2).await;
                let all = world.executions();
                let pauses: Vec<_> = all.pauses_after("StoreUnavailable").collect();
                assert_eq!(pauses.len(), 2, "each shard that failed is proven once more");
                assert!(pauses.iter().all(|pause| *pause >= BACKOFF), "{pauses:?}");
            },
        )
        .allow(again(2)),
        Scenario::new(
            "one_store_error_of_the_execution",
            "a PUT of CoreExecute fails",
            async |world| {
                world
                    .fault_everywhere(&json!({"do": "unavailable", "op": "put", "task": "CORE_EXECUTE", "nth": 8}))
                    .await;
                world.prove("p", &Shape::shards(20, 200)).await;
                world.succeeds("p").await;
                world.struck(1).await;
                assert_eq!(world.executions().starts("CORE_EXECUTE").count(), 2);
            },
        )
        .setup(|setup| setup.workers = 1)
        // Controller, CoreExecute, the set-up, and the shards that were there.
        .allow(another_run(10)),
        Scenario::new(
            "store_wiped_mid_proof",
            "store SIGKILL, comes back empty",
            async |world| {
                world.prove("before", &Shape::shards(2, 50)).await;
                world.succeeds("before").await;
                world.prove("p", &Shape::shards(40, 500)).await;
                world.begun("PROVE_SHARD", 6).await;
                world.store.wipe().await;
                // What its tasks need is gone for good: it ends, and says so.
                let proof = world.ends("p", "Transient").await;
                let message = proof.message();
                assert!(message.contains("is not in the store"), "{message}");
                world.strikes();
                world.prove("after", &Shape::shards(4, 100)).await;
                world.succeeds("after").await;
                world.recovered();
                // One whose artifacts are gone can be deleted.
                world.delete("before").await;
                world.is_gone("before").await;
            },
        )
        // Four attempts at what finds nothing, and as many runs if that is the execution.
        .allow(Allowed { runs: 3, ..again(100) }),
        Scenario::new(
            "store_wiped_before_a_proof_begins",
            "store SIGKILL, comes back empty, while a proof waits for a worker",
            async |world| {
                world.prove("p", &Shape::shards(4, 100)).await;
                world.state("p", "Unschedulable").await;
                world.store.wipe().await;
                world.pool("w", 1, json!({})).await;
                let proof = world.ends("p", "Transient").await;
                let message = proof.message();
                assert!(message.contains("is not in the store"), "{message}");
                world.strikes();
                world.prove("after", &Shape::shards(4, 100)).await;
                world.succeeds("after").await;
                world.recovered();
            },
        )
        .setup(|setup| setup.workers = 0)
        .allow(Allowed { runs: 3, ..again(3) }),
        Scenario::new(
            "leader_killed_while_the_store_is_down",
            "leader and store SIGKILL",
            async |world| {
                world.prove("p", &Shape::shards(20, 500)).await;
                world.begun("PROVE_SHARD", 4).await;
                let (leader, epoch) = world.term().await;
                world.strikes();
                world.store.kill();
                world.replicas[leader].kill();
                world.leader_after(epoch).await;
                world.store.resume().await;
                world.recovers().await;
                world.replicas[leader].start();
                world.succeeds("p").await;
            },
        ),
        Scenario::new(
            "store_down_when_a_proof_is_deleted",
            "store SIGKILL, back after 4 s",
            async |world| {
                world.prove("p", &Shape::shards(10, 300)).await;
                world.begun("PROVE_SHARD", 4).await;
                world.strikes();
                world.store.kill();
                world.delete("p").await;
                tokio::time::sleep(Duration::from_secs(4)).await;
                assert!(
                    world.proofs().get_opt("p").await.unwrap().is_some(),
                    "it stays until its artifacts are gone"
                );
                world.store.resume().await;
                world.is_gone("p").await;
                world.recovered();
            },
        ),
    ]
}
