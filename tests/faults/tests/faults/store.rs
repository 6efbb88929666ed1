//! A store that is down, silent, slow or full.

use std::time::Duration;

use provost_faults::check::again;
use provost_faults::process::Signal;
use provost_faults::proof::Shape;
use provost_faults::scenario::Scenario;
use provost_faults::wait::eventually;
use serde_json::json;

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
        .setup(|setup| setup.store_megabytes = Some(8))
        // A task that finds no room has to be tried again; one of the execution's begins another run.
        .allow(again(200)),
        Scenario::new(
            "one_store_error",
            "one PUT of each worker fails as unavailable",
            async |world| {
                world
                    .fault_everywhere(&json!({"do": "unavailable", "op": "put", "nth": 5}))
                    .await;
                world.prove("p", &Shape::shards(20, 200)).await;
                world.succeeds("p").await;
                world.struck(1).await;
            },
        )
        .allow(again(60)),
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
                world
                    .proofs()
                    .delete("p", &Default::default())
                    .await
                    .unwrap();
                tokio::time::sleep(Duration::from_secs(4)).await;
                assert!(
                    world.proofs().get_opt("p").await.unwrap().is_some(),
                    "it stays until its artifacts are gone"
                );
                world.store.resume().await;
                eventually("the end of the request", || async {
                    world
                        .proofs()
                        .get_opt("p")
                        .await
                        .ok()?
                        .is_none()
                        .then_some(())
                })
                .await;
                world.recovered();
            },
        ),
    ]
}
