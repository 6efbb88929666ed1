//! Wires between workers and replicas that break, delay and lose.

use std::time::Duration;

use provost_faults::proof::Shape;
use provost_faults::proxy::Proxy;
use provost_faults::scenario::Scenario;
use provost_faults::world::World;
use serde_json::json;

/// The scenarios.
pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "connections_break_at_random",
            "connections of workers break within 100 kB",
            async |world| {
                world.strikes();
                each_wire(world, |wire| wire.fragile(100_000));
                world.prove("p", &Shape::shards(60, 200)).await;
                world.recovers().await;
                world.succeeds("p").await;
                assert!(broken(world) > 4, "{} connections", broken(world));
                each_wire(world, Proxy::heal);
            },
        ),
        Scenario::new(
            "connections_break_at_every_frame",
            "connections of workers break within 2 kB, for 6 s",
            async |world| {
                world.prove("p", &Shape::shards(30, 300)).await;
                world.begun("PROVE_SHARD", 2).await;
                world.strikes();
                each_wire(world, |wire| wire.fragile(2_000));
                tokio::time::sleep(Duration::from_secs(6)).await;
                assert!(broken(world) > 8, "{} connections", broken(world));
                each_wire(world, Proxy::heal);
                world.recovers().await;
                world.succeeds("p").await;
            },
        ),
        Scenario::new(
            "replies_lost",
            "one call in ten is carried out and its answer lost",
            async |world| {
                world.strikes();
                world
                    .fault_everywhere(
                        &json!({"do": "loseReply", "call": "Any", "probability": 0.1, "times": 30}),
                    )
                    .await;
                world.prove("p", &Shape::shards(20, 300)).await;
                world.recovers().await;
                world.succeeds("p").await;
                world.struck(1).await;
            },
        ),
        Scenario::new("requests_lost", "one call in ten is lost", async |world| {
            world.strikes();
            world
                .fault_everywhere(
                    &json!({"do": "loseRequest", "call": "Any", "probability": 0.1, "times": 30}),
                )
                .await;
            world.prove("p", &Shape::shards(20, 300)).await;
            world.recovers().await;
            world.succeeds("p").await;
            world.struck(1).await;
        }),
        Scenario::new(
            "results_overtake_each_other",
            "tasks and calls wait a random time",
            async |world| {
                world.strikes();
                world.fault_everywhere(&json!({"do": "delay", "at": "report", "ms": 600, "nth": 1, "times": 10000})).await;
                world
                    .fault_everywhere(&json!({"do": "delay", "call": "Any", "ms": 50}))
                    .await;
                world.prove("p", &Shape::shards(20, 200)).await;
                world.struck(2).await;
                world.recovers().await;
                world.succeeds("p").await;
            },
        ),
        Scenario::new(
            "wires_slow",
            "each way to the replicas takes 300 ms longer",
            async |world| {
                world.strikes();
                each_wire(world, |wire| wire.slow(Duration::from_millis(300)));
                world.prove("p", &Shape::shards(20, 300)).await;
                world.recovers().await;
                world.succeeds("p").await;
            },
        ),
        Scenario::new(
            "leader_unreachable_for_workers",
            "workers' wires to the leader held for 4 s",
            async |world| {
                world.prove("p", &Shape::shards(30, 500)).await;
                world.begun("PROVE_SHARD", 4).await;
                let leader = world.leader().await;
                world.strikes();
                let held: Vec<_> = world.workers();
                held.iter()
                    .for_each(|worker| worker.replicas[leader].hold());
                tokio::time::sleep(Duration::from_secs(4)).await;
                held.iter()
                    .for_each(|worker| worker.replicas[leader].heal());
                world.recovers().await;
                world.succeeds("p").await;
            },
        ),
        Scenario::new(
            "leader_killed_while_connections_break",
            "leader SIGKILL, connections break within 100 kB",
            async |world| {
                each_wire(world, |wire| wire.fragile(100_000));
                world.prove("p", &Shape::shards(30, 500)).await;
                world.begun("PROVE_SHARD", 4).await;
                let (leader, epoch) = world.term().await;
                world.strikes();
                world.replicas[leader].kill();
                world.leader_after(epoch).await;
                world.recovers().await;
                world.replicas[leader].start();
                world.succeeds("p").await;
                each_wire(world, Proxy::heal);
            },
        ),
    ]
}

/// How many connections of workers broke for what went through them.
fn broken(world: &World) -> u64 {
    let workers = world.workers();
    let wires = workers.iter().flat_map(|worker| &worker.replicas);
    wires.map(Proxy::broken).sum()
}

fn each_wire(world: &World, bend: impl Fn(&Proxy)) {
    for worker in world.workers() {
        worker.replicas.iter().for_each(&bend);
    }
}
