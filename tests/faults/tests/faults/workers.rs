//! Workers that are killed, hang, are cut off, run out of memory, are told to go.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, EvictParams, Patch, PatchParams};
use provost_faults::check::{Allowed, again, another_run, unheard};
use provost_faults::executions::Executions;
use provost_faults::process::Signal;
use provost_faults::promises::{
    AT_ONCE, BACKOFF, RECYCLE_GRACE, ROOT_BREAK_GRACE, ROOT_SILENCE, SILENCE, after,
};
use provost_faults::proof::Shape;
use provost_faults::scenario::Scenario;
use provost_faults::wait::eventually;
use provost_faults::worker::Worker;
use provost_faults::world::World;
use serde_json::{Value, json};
use std::sync::Arc;

/// The scenarios.
pub(crate) fn scenarios() -> Vec<Scenario> {
    let mut all = killed();
    all.extend(executors());
    all.extend(silent());
    all.extend(sent_away());
    all.extend(failing());
    all
}

/// Most leaf tasks that a worker of class All with weight 24 runs at the same time: reductions of weight 3.
const LEAVES: usize = 5;
/// A proof of [`long`] begun anew, with all that its first run may have begun.
const ANOTHER_RUN: Allowed = another_run(60);

/// How long something may take where that is what a scenario is about: longer than anything that goes well on a loaded machine.
const TIMEOUT: Duration = Duration::from_secs(6);

/// Not before `limit`, and not long after the process that does not stop has been replaced.
fn stopped_after(limit: Duration) -> Range<Duration> {
    let stopped = after(limit + RECYCLE_GRACE);
    // It began a moment before it was seen.
    limit - Duration::from_secs(1)..stopped.end
}

fn long() -> Shape {
    Shape::shards(30, 700)
}

/// The worker that runs neither Controller nor CoreExecute of the proof, with a shard at hand.
async fn leaf_worker(world: &World) -> Arc<Worker> {
    let roots = [
        world.begun("CONTROLLER", 1).await,
        world.begun("CORE_EXECUTE", 1).await,
    ];
    let note = world
        .noted("a shard on a worker that runs only leaves", |all| {
            all.starts("PROVE_SHARD")
                .find(|note| !roots.iter().any(|root| root.pod() == note.pod()))
                .cloned()
        })
        .await;
    world.of(&note)
}

/// A worker is lost with its tasks, and they begin elsewhere within these bounds.
async fn requeues(world: &World, bounds: &Range<Duration>) {
    let note = world.requeues().await;
    world.came("a task of the lost worker begins again", note.ms, bounds);
}

/// Three workers, so that one has leaves only.
fn three(scenario: Scenario) -> Scenario {
    scenario.setup(|setup| setup.workers = 3)
}

fn killed() -> Vec<Scenario> {
    vec![
        three(Scenario::new(
            "worker_killed_mid_shard",
            "worker SIGKILL",
            async |world| {
                world.prove("p", &long()).await;
                let worker = leaf_worker(world).await;
                world.strikes();
                worker.process.kill();
                requeues(world, &AT_ONCE).await;
                world.wait_workers(3).await;
                world.succeeds("p").await;
            },
        ))
        .allow(unheard(LEAVES)),
        three(Scenario::new(
            "worker_killed_without_a_word",
            "worker SIGKILL, and its pod's end is not told",
            async |world| {
                world.prove("p", &long()).await;
                let worker = leaf_worker(world).await;
                world.kubelet.abandon(&worker.pod);
                world.strikes();
                worker.process.kill();
                // Nothing but the end of its stream says so.
                requeues(world, &AT_ONCE).await;
                world.kubelet.find_again(&worker.pod);
                world.wait_workers(3).await;
                world.succeeds("p").await;
            },
        ))
        .allow(unheard(LEAVES)),
        three(Scenario::new(
            "worker_killed_with_its_outputs_stored",
            "worker SIGABRT after the upload",
            async |world| {
                // Deterministic in what a shard leaves: its output is there, and nobody knows.
                let fault = json!({"do": "abort", "at": "stored", "task": "PROVE_SHARD", "nth": 2});
                world.prove("p", &long()).await;
                let worker = leaf_worker(world).await;
                worker.fault(&fault).await;
                eventually("its end", || async { worker.process.exit() }).await;
                world.strikes();
                requeues(world, &AT_ONCE).await;
                world.succeeds("p").await;
            },
        ))
        .allow(unheard(LEAVES)),
        three(Scenario::new(
            "worker_killed_after_its_result_was_taken",
            "worker SIGABRT after the report",
            async |world| {
                let fault =
                    json!({"do": "abort", "at": "reported", "task": "PROVE_SHARD", "nth": 2});
                world.prove("p", &long()).await;
                let worker = leaf_worker(world).await;
                world.strikes();
                worker.fault(&fault).await;
                eventually("its end", || async { worker.process.exit() }).await;
                world.succeeds("p").await;
            },
        ))
        .allow(again(LEAVES)),
        Scenario::new(
            "controllers_worker_killed",
            "worker SIGKILL",
            async |world| {
                world.prove("p", &long()).await;
                world.begun("PROVE_SHARD", 6).await;
                let controller = world.begun("CONTROLLER", 1).await;
                world.strikes();
                world.of(&controller).process.kill();
                let again = world.begun("CONTROLLER", 2).await;
                world.recovered();
                // Its pod's end is told: there is no wait for a process that may be back.
                world.came("the proof begins again", again.ms, &AT_ONCE);
                world.succeeds("p").await;
            },
        )
        .allow(ANOTHER_RUN),
        Scenario::new(
            "controllers_worker_killed_without_a_word",
            "worker SIGKILL, and its pod's end is not told",
            async |world| {
                world.prove("p", &long()).await;
                world.begun("PROVE_SHARD", 6).await;
                let worker = world.of(&world.begun("CONTROLLER", 1).await);
                world.kubelet.abandon(&worker.pod);
                world.strikes();
                worker.process.kill();
                let again = world.begun("CONTROLLER", 2).await;
                world.recovered();
                let bounds = after(ROOT_BREAK_GRACE);
                world.came("the proof begins again", again.ms, &bounds);
                world.kubelet.find_again(&worker.pod);
                world.succeeds("p").await;
            },
        )
        .allow(ANOTHER_RUN),
        Scenario::new("all_workers_killed", "all workers SIGKILL", async |world| {
            world.prove("p", &long()).await;
            world.begun("PROVE_SHARD", 6).await;
            world.strikes();
            world
                .workers()
                .iter()
                .for_each(|worker| worker.process.kill());
            world.begun("CONTROLLER", 2).await;
            world.recovered();
            world.succeeds("p").await;
        })
        .allow(ANOTHER_RUN),
        Scenario::new(
            "spot_workers_taken_away",
            "all workers of the pool on spot nodes SIGKILL",
            async |world| {
                world.pool("lasting", 1, json!({})).await;
                world.wait_workers(3).await;
                world.prove("p", &long()).await;
                leaf_worker(world).await;
                for root in ["CONTROLLER", "CORE_EXECUTE"] {
                    let note = world.begun(root, 1).await;
                    assert_eq!(world.of(&note).pool, "lasting", "{root}");
                }
                world.strikes();
                let spot = world.workers().into_iter().filter(|w| w.pool == "w");
                spot.for_each(|worker| worker.process.kill());
                requeues(world, &AT_ONCE).await;
                // In the same run: what it hangs on was not there.
                world.succeeds("p").await;
            },
        )
        // They are there first, and so would be the first to get tasks.
        .setup(|setup| setup.pool = json!({"spot": true}))
        .allow(unheard(2 * LEAVES)),
        Scenario::new(
            "worker_restarted_between_proofs",
            "worker pod deleted while idle",
            async |world| {
                world.prove("a", &Shape::shards(4, 100)).await;
                world.succeeds("a").await;
                let worker = world.workers()[0].pod.clone();
                world.strikes();
                world
                    .api
                    .namespaced::<Pod>()
                    .delete(&worker, &DeleteParams::default())
                    .await
                    .unwrap();
                world.prove("b", &Shape::shards(4, 100)).await;
                world.recovers().await;
                world.succeeds("b").await;
            },
        )
        .setup(|setup| setup.workers = 1),
    ]
}

/// A worker process is lost while it runs CoreExecute, `at` a point of it at which no more than `begun` tasks of the run can have begun.
fn core_execute_lost(name: &'static str, at: &'static str, begun: usize) -> Scenario {
    Scenario::new(name, "worker SIGABRT", async move |world: &World| {
        world.strikes();
        // Of the first process that comes by alone: the second run is left in peace.
        let fault = json!({"do": "abort", "at": at, "task": "CORE_EXECUTE"});
        let worker = world.workers()[0].clone();
        worker.fault(&fault).await;
        world.prove("p", &Shape::shards(10, 300)).await;
        eventually("its end", || async { worker.process.exit() }).await;
        world.begun("CORE_EXECUTE", 2).await;
        world.recovered();
        world.succeeds("p").await;
    })
    .setup(|setup| setup.workers = 1)
    .allow(another_run(begun))
}

/// As before, and the Controller goes on: on another worker, with what it has heard of the execution until then.
fn core_execute_lost_alone(name: &'static str, at: &'static str, begun: usize) -> Scenario {
    Scenario::new(name, "worker SIGABRT", async move |world: &World| {
        // The first is too small for a CoreExecute, and on the second a Controller would take the room for one.
        for (pool, capacity) in [("c", 4), ("x", 8)] {
            let spec = json!({"class": "CPU", "capacity": capacity});
            world.pool(pool, 1, spec).await;
        }
        world.pool("g", 1, json!({"class": "GPU"})).await;
        world.wait_workers(3).await;
        let executors = world.workers().into_iter().filter(|w| w.pool == "x");
        let executor = executors.last().unwrap();
        let fault = json!({"do": "abort", "at": at, "task": "CORE_EXECUTE"});
        executor.fault(&fault).await;
        world.strikes();
        world
            .prove("p", &Shape::shards(10, 300).graph("precompileShards", 3))
            .await;
        eventually("its end", || async { executor.process.exit() }).await;
        world.begun("CORE_EXECUTE", 2).await;
        world.recovered();
        world.succeeds("p").await;
        let executions = world.executions();
        let controllers: Vec<_> = executions.starts("CONTROLLER").collect();
        assert_eq!(controllers.len(), 2, "{controllers:?}");
        assert_eq!(controllers[0].worker, controllers[1].worker);
        assert_eq!(world.of(controllers[0]).pool, "c");
    })
    .setup(|setup| setup.workers = 0)
    .allow(another_run(begun))
}

fn executors() -> Vec<Scenario> {
    vec![
        core_execute_lost("core_execute_lost_before_its_first_message", "running", 6),
        core_execute_lost(
            "core_execute_lost_after_its_first_message",
            "firstMessage",
            8,
        ),
        core_execute_lost(
            "core_execute_lost_after_its_last_message",
            "lastMessage",
            24,
        ),
        core_execute_lost("core_execute_lost_with_its_output_stored", "stored", 24),
        Scenario::new(
            "controller_lost_with_its_proof_stored",
            "worker SIGABRT after the upload",
            async |world| {
                world.strikes();
                let worker = world.workers()[0].clone();
                worker
                    .fault(&json!({"do": "abort", "at": "report", "task": "CONTROLLER"}))
                    .await;
                world.prove("p", &Shape::shards(6, 100)).await;
                eventually("its end", || async { worker.process.exit() }).await;
                world.succeeds("p").await;
                world.recovered();
            },
        )
        .setup(|setup| setup.workers = 1),
        core_execute_lost_alone(
            "core_execute_lost_alone_after_its_first_message",
            "firstMessage",
            8,
        ),
        core_execute_lost_alone(
            "core_execute_lost_alone_after_its_last_message",
            "lastMessage",
            32,
        ),
        Scenario::new(
            "core_execute_and_leader_lost_together",
            "worker and leader SIGKILL",
            async |world| {
                // Too small for both: Controller and CoreExecute are on different workers.
                world
                    .pool("x", 2, json!({"class": "CPU", "capacity": 8}))
                    .await;
                world.pool("g", 1, json!({"class": "GPU"})).await;
                world.wait_workers(3).await;
                world.prove("p", &long()).await;
                world.begun("PROVE_SHARD", 4).await;
                let executor = world.begun("CORE_EXECUTE", 1).await;
                let controller = world.begun("CONTROLLER", 1).await;
                assert_ne!(executor.worker, controller.worker);
                let (leader, epoch) = world.term().await;
                let worker = world.of(&executor);
                world.strikes();
                world.replicas[leader].kill();
                worker.process.kill();
                world.leader_after(epoch).await;
                world.begun("CORE_EXECUTE", 2).await;
                world.recovered();
                world.replicas[leader].start();
                world.succeeds("p").await;
            },
        )
        .setup(|setup| setup.workers = 0)
        .allow(ANOTHER_RUN),
        Scenario::new(
            "core_execute_fails_once",
            "CoreExecute reports a transient failure",
            async |world| {
                world.strikes();
                world.workers()[0]
                    .fault(&json!({"do": "fail", "at": "lastMessage", "task": "CORE_EXECUTE"}))
                    .await;
                world.prove("p", &Shape::shards(10, 200)).await;
                world.begun("CORE_EXECUTE", 2).await;
                world.recovered();
                world.succeeds("p").await;
            },
        )
        .setup(|setup| setup.workers = 1)
        .allow(another_run(40)),
    ]
}

fn silent() -> Vec<Scenario> {
    vec![
        three(Scenario::new(
            "worker_hangs",
            "worker SIGSTOP, later SIGCONT",
            async |world| {
                world.prove("p", &long()).await;
                let worker = leaf_worker(world).await;
                world.strikes();
                worker.process.signal(Signal::STOP);
                requeues(world, &SILENCE).await;
                worker.process.signal(Signal::CONT);
                world.succeeds("p").await;
            },
        ))
        .allow(unheard(LEAVES)),
        Scenario::new(
            "shard_takes_too_long",
            "a shard never ends, its worker lives",
            async |world| {
                world.prove("p", &long()).await;
                let worker = leaf_worker(world).await;
                worker
                    .fault(&json!({"do": "hang", "at": "running", "task": "PROVE_SHARD"}))
                    .await;
                world.struck(1).await;
                world.strikes();
                requeues(world, &stopped_after(TIMEOUT)).await;
                // Its process does not stop the task, and is replaced.
                eventually("its end", || async { worker.process.exit() }).await;
                world.wait_workers(3).await;
                world.succeeds("p").await;
            },
        )
        .setup(|setup| {
            setup.workers = 3;
            let timeout = format!("ProveShard={}s", TIMEOUT.as_secs());
            setup.operator_env = vec![("PROVOST_TASK_TIMEOUTS".to_owned(), timeout)];
        })
        .allow(again(LEAVES)),
        Scenario::new(
            "execution_stands_still",
            "CoreExecute never ends, its worker lives",
            async |world| {
                world.workers()[0]
                    .fault(&json!({"do": "hang", "at": "running", "task": "CORE_EXECUTE"}))
                    .await;
                world.prove("p", &Shape::shards(10, 200)).await;
                world.struck(1).await;
                world.strikes();
                let again = world.begun("CONTROLLER", 2).await;
                world.recovered();
                let bounds = stopped_after(TIMEOUT);
                world.came("the proof begins again", again.ms, &bounds);
                world.succeeds("p").await;
            },
        )
        .setup(|setup| {
            setup.workers = 1;
            let timeout = format!("{}s", TIMEOUT.as_secs());
            setup.operator_env = vec![("PROVOST_STANDSTILL_TIMEOUT".to_owned(), timeout)];
        })
        .allow(another_run(20)),
        three(Scenario::new(
            "worker_pauses_within_its_limit",
            "worker SIGSTOP for 4 s",
            async |world| {
                world.prove("p", &long()).await;
                let worker = leaf_worker(world).await;
                world.strikes();
                worker.process.signal(Signal::STOP);
                tokio::time::sleep(Duration::from_secs(4)).await;
                worker.process.signal(Signal::CONT);
                world.recovers().await;
                world.succeeds("p").await;
            },
        )),
        three(Scenario::new(
            "worker_partitioned_and_back",
            "all wires of a worker held",
            async |world| {
                world.prove("p", &long()).await;
                let worker = leaf_worker(world).await;
                world.strikes();
                worker.partition();
                requeues(world, &SILENCE).await;
                worker.heal();
                world.succeeds("p").await;
            },
        ))
        .allow(unheard(LEAVES)),
        three(Scenario::new(
            "worker_partitioned_briefly",
            "all wires of a worker held for 4 s",
            async |world| {
                world.prove("p", &long()).await;
                let worker = leaf_worker(world).await;
                world.strikes();
                worker.partition();
                tokio::time::sleep(Duration::from_secs(4)).await;
                worker.heal();
                world.recovers().await;
                world.succeeds("p").await;
            },
        )),
        three(Scenario::new(
            "worker_heard_no_more",
            "nothing that a worker sends arrives",
            async |world| {
                world.prove("p", &long()).await;
                let worker = leaf_worker(world).await;
                world.strikes();
                worker.mute();
                requeues(world, &SILENCE).await;
                worker.heal();
                world.succeeds("p").await;
            },
        ))
        .allow(unheard(LEAVES)),
        Scenario::new(
            "controllers_worker_partitioned_and_back",
            "wires of the Controller's worker held",
            async |world| {
                world.prove("p", &long()).await;
                world.begun("PROVE_SHARD", 4).await;
                let worker = world.of(&world.begun("CONTROLLER", 1).await);
                world.strikes();
                worker.partition();
                let again = world.begun("CONTROLLER", 2).await;
                world.recovered();
                // A whole proof's work is not given up as soon as a leaf's.
                world.came("the proof begins again", again.ms, &ROOT_SILENCE);
                worker.heal();
                world.succeeds("p").await;
            },
        )
        .allow(ANOTHER_RUN),
        Scenario::new(
            "controllers_worker_silent_and_back",
            "wires of the Controller's worker held for 16 s",
            async |world| {
                world.prove("p", &Shape::shards(60, 700)).await;
                world.begun("PROVE_SHARD", 4).await;
                let worker = world.of(&world.begun("CONTROLLER", 1).await);
                world.strikes();
                worker.partition();
                let back = tokio::time::Instant::now() + Duration::from_secs(16);
                // Its leaves are begun elsewhere, and it cannot hear that it is to stop its own.
                requeues(world, &SILENCE).await;
                tokio::time::sleep_until(back).await;
                worker.heal();
                world.succeeds("p").await;
                assert_eq!(world.executions().starts("CONTROLLER").count(), 1);
            },
        )
        .allow(unheard(LEAVES)),
        Scenario::new(
            "reconnect_storm",
            "all wires of all workers reset, 20 times",
            async |world| {
                world.prove("p", &Shape::shards(40, 500)).await;
                world.begun("PROVE_SHARD", 4).await;
                world.strikes();
                for _ in 0..20 {
                    for worker in world.workers() {
                        worker
                            .replicas
                            .iter()
                            .for_each(provost_faults::proxy::Proxy::reset);
                    }
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                world.recovers().await;
                world.succeeds("p").await;
            },
        )
        .setup(|setup| setup.workers = 4)
        // A worker of leaves alone that takes a sixth of a second to be back has lost them.
        .allow(unheard(2 * LEAVES)),
    ]
}

fn sent_away() -> Vec<Scenario> {
    vec![
        three(Scenario::new(
            "worker_drained_mid_task",
            "worker pod deleted",
            async |world| {
                world.prove("p", &long()).await;
                let worker = leaf_worker(world).await;
                world.strikes();
                world
                    .api
                    .namespaced::<Pod>()
                    .delete(&worker.pod, &DeleteParams::default())
                    .await
                    .unwrap();
                let exit = eventually("its end", || async { worker.process.exit() }).await;
                assert_eq!(exit.code, 0, "it drains and leaves");
                world.recovers().await;
                world.succeeds("p").await;
            },
        )),
        Scenario::new(
            "controllers_worker_drained",
            "the Controller's worker pod deleted, grace 8 s",
            async |world| {
                world.prove("p", &Shape::shards(60, 700)).await;
                world.begun("PROVE_SHARD", 4).await;
                let worker = world.of(&world.begun("CONTROLLER", 1).await);
                world.strikes();
                world
                    .api
                    .namespaced::<Pod>()
                    .delete(&worker.pod, &DeleteParams::default())
                    .await
                    .unwrap();
                world.begun("CONTROLLER", 2).await;
                world.recovered();
                world.succeeds("p").await;
            },
        )
        .setup(|setup| setup.pool = json!({"terminationGracePeriodSeconds": 8}))
        .allow(another_run(120)),
        three(Scenario::new(
            "pod_evicted_by_the_api",
            "eviction subresource",
            async |world| {
                world.prove("p", &long()).await;
                let worker = leaf_worker(world).await;
                world.strikes();
                world
                    .api
                    .namespaced::<Pod>()
                    .evict(&worker.pod, &EvictParams::default())
                    .await
                    .unwrap();
                world.recovers().await;
                world.succeeds("p").await;
            },
        )),
        three(Scenario::new(
            "pod_evicted_by_the_kubelet",
            "node under memory pressure",
            async |world| {
                world.prove("p", &long()).await;
                let worker = leaf_worker(world).await;
                // The pod's end is told, and its streams do not break: that alone would take as long as any silence.
                worker.partition();
                world.strikes();
                world
                    .kubelet
                    .evict(&worker.pod, "The node was low on resource: memory.")
                    .await;
                requeues(world, &AT_ONCE).await;
                world.succeeds("p").await;
            },
        ))
        .allow(unheard(LEAVES)),
        three(Scenario::new(
            "node_not_ready_and_back",
            "the node controller takes a pod's readiness away",
            async |world| {
                world.prove("p", &Shape::shards(250, 700)).await;
                let worker = leaf_worker(world).await;
                let there = |all: &Executions| {
                    let shards = all.starts("PROVE_SHARD");
                    shards.filter(|note| note.pod() == worker.pod).count()
                };
                world.strikes();
                node_ready(world, &worker.pod, "False").await;
                // Until that is known, and what was under way has come.
                tokio::time::sleep(Duration::from_secs(2)).await;
                let before = world.executions();
                let all = before.starts("PROVE_SHARD").count();
                world.begun("PROVE_SHARD", all + 30).await;
                assert_eq!(
                    there(&world.executions()),
                    there(&before),
                    "it gets no more"
                );
                node_ready(world, &worker.pod, "True").await;
                world
                    .noted("more tasks there", |all| {
                        (there(all) > there(&before)).then_some(())
                    })
                    .await;
                world.recovered();
                world.succeeds("p").await;
            },
        )),
        three(Scenario::new(
            "node_gone",
            "node silent, then its pod is removed",
            async |world| {
                world.prove("p", &long()).await;
                let worker = leaf_worker(world).await;
                world.strikes();
                // Nothing of the node answers, and no connection breaks.
                worker.partition();
                world.kubelet.abandon(&worker.pod);
                requeues(world, &SILENCE).await;
                taint(world, &worker.pod).await;
                eventually("another pod in its place", || async {
                    let pods = world.pods().await;
                    let fresh = pods
                        .iter()
                        .filter(|pod| pod.metadata.deletion_timestamp.is_none());
                    (fresh.count() == 3).then_some(())
                })
                .await;
                world.kubelet.lose_node(&worker.pod);
                let now = DeleteParams::default().grace_period(0);
                world
                    .api
                    .namespaced::<Pod>()
                    .delete(&worker.pod, &now)
                    .await
                    .unwrap();
                world.succeeds("p").await;
            },
        ))
        .allow(unheard(LEAVES)),
        Scenario::new(
            "workers_upgraded_mid_proof",
            "another image in the pool",
            async |world| {
                let before: Vec<_> = world
                    .workers()
                    .iter()
                    .map(|worker| worker.pod.clone())
                    .collect();
                world.prove("p", &Shape::shards(30, 300)).await;
                world.begun("PROVE_SHARD", 4).await;
                world.strikes();
                world
                    .edit_pool("w", json!({"image": "localhost/provost-worker:next"}))
                    .await;
                world.recovers().await;
                world.succeeds("p").await;
                eventually("all workers to be new ones", || async {
                    let now = world.workers();
                    (now.len() == 2 && now.iter().all(|worker| !before.contains(&worker.pod)))
                        .then_some(())
                })
                .await;
            },
        ),
        Scenario::new("pool_scaled_down_mid_proof", "from 3 workers to 1", async |world| {
            world.prove("p", &Shape::shards(30, 500)).await;
            world.begun("PROVE_SHARD", 9).await;
            world.strikes();
            world.edit_pool("w", json!({"replicas": 1})).await;
            world.recovers().await;
            world.succeeds("p").await;
        })
        .setup(|setup| setup.workers = 3)
        // The one with the Controller stays.
        .allow(again(2 * LEAVES)),
    ]
}

/// Conditions of a pod, as the node controller writes them.
async fn condition(world: &World, pod: &str, conditions: Value) {
    let pods = world.api.namespaced::<Pod>();
    let patch = Patch::Strategic(json!({"status": {"conditions": conditions}}));
    pods.patch_status(pod, &PatchParams::default(), &patch)
        .await
        .unwrap();
}

/// What the node controller writes about each pod of a node that becomes ready, or ceases to be.
async fn node_ready(world: &World, pod: &str, ready: &str) {
    condition(world, pod, json!([{"type": "Ready", "status": ready}])).await;
}

/// What the node controller does to a pod of a node that is not reachable: it marks it, and deletes it.
async fn taint(world: &World, pod: &str) {
    let conditions = json!([{"type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager",
        "message": "Taint manager: deleting due to NoExecute taint"}, {"type": "Ready", "status": "False"}]);
    condition(world, pod, conditions).await;
    let pods = world.api.namespaced::<Pod>();
    pods.delete(pod, &DeleteParams::default()).await.unwrap();
}

fn failing() -> Vec<Scenario> {
    let mut all = fatal();
    all.extend(retried());
    all
}

/// Tasks that take their workers down.
fn fatal() -> Vec<Scenario> {
    vec![
        Scenario::new("out_of_memory_three_times", "worker OOMKilled, three times", async |world| {
            apart(world).await;
            provers(world, "g", 24).await;
            world.prove("p", &Shape::shards(4, 200)).await;
            let proof = world.ends("p", "OutOfMemory").await;
            let message = "SetupVkey ran out of memory on 3 workers (worker of pool g was killed at its memory limit";
            assert!(proof.message().contains(message), "{}", proof.message());
            set_ups(world, "p", &["g", "g", "g"]);
        })
        .setup(|setup| {
            setup.workers = 0;
            setup.worker_env = in_every_process(OUT_OF_MEMORY);
        })
        .allow(again(2)),
        Scenario::new("out_of_memory_once", "worker OOMKilled", async |world| {
            let worker = world.workers()[0].clone();
            worker.fault(&json!({"do": "oom", "at": "running", "task": "PROVE_SHARD"})).await;
            world.strikes();
            world.prove("p", &Shape::shards(20, 300)).await;
            eventually("its end", || async { worker.process.exit() }).await;
            world.recovers().await;
            world.succeeds("p").await;
        })
        .allow(ANOTHER_RUN),
        Scenario::new("out_of_memory_on_a_small_worker", "worker OOMKilled beside a larger one", async |world| {
            apart(world).await;
            provers(world, "small", 8).await;
            provers(world, "large", 24).await;
            let small = world.workers().into_iter().find(|worker| worker.pool == "small");
            let fault = serde_json::from_str(OUT_OF_MEMORY).unwrap();
            small.unwrap().fault(&fault).await;
            world.prove("p", &Shape::shards(4, 200)).await;
            world.succeeds("p").await;
            set_ups(world, "p", &["small", "large"]);
        })
        .setup(|setup| setup.workers = 0)
        .allow(again(1)),
        Scenario::new("out_of_memory_on_a_larger_worker_too", "worker OOMKilled, and a larger one", async |world| {
            apart(world).await;
            provers(world, "small", 8).await;
            provers(world, "large", 24).await;
            // Longer than it takes to learn why the first one ended.
            world.prove("p", &Shape::shards(4, 200).takes("SETUP_VKEY", 6000)).await;
            let proof = world.ends("p", "OutOfMemory").await;
            let message = "SetupVkey ran out of memory again on a larger worker, of 24 GiB (worker of pool large was killed";
            assert!(proof.message().contains(message), "{}", proof.message());
            set_ups(world, "p", &["small", "large"]);
        })
        .setup(|setup| {
            setup.workers = 0;
            setup.worker_env = in_every_process(OUT_OF_MEMORY);
        })
        .allow(again(1)),
        Scenario::new("poison_task", "a task aborts every worker that runs it", async |world| {
            apart(world).await;
            provers(world, "g", 24).await;
            world.prove("p", &Shape::shards(4, 200)).await;
            let proof = world.ends("p", "NodeLost").await;
            let message = "SetupVkey was on 3 workers when they vanished (worker ";
            assert!(proof.message().contains(message), "{}", proof.message());
            set_ups(world, "p", &["g", "g", "g"]);
        })
        .setup(|setup| {
            setup.workers = 0;
            setup.worker_env = in_every_process(ABORT);
        })
        .allow(again(2)),
    ]
}

/// Room for Controller and CoreExecute on a worker of their own, which no fault of a prover takes down.
async fn apart(world: &World) {
    let spec = json!({"class": "CPU", "capacity": 16});
    world.pool("x", 1, spec).await;
    world.wait_workers(1).await;
}

/// A pool of one prover.
async fn provers(world: &World, name: &str, capacity: u32) {
    let before = world.workers().len();
    let spec = json!({"class": "GPU", "capacity": capacity});
    world.pool(name, 1, spec).await;
    world.wait_workers(before + 1).await;
}

/// A proof's set-up was begun once in a pod of each of these pools, in this order, each time in another pod, and its Controller only once.
fn set_ups(world: &World, name: &str, pools: &[&str]) {
    let all = world.executions();
    let set_ups: Vec<_> = all
        .starts("SETUP_VKEY")
        .filter(|note| note.is_of(name))
        .collect();
    let pods: BTreeSet<_> = set_ups.iter().map(|note| note.pod()).collect();
    assert_eq!(
        (set_ups.len(), pods.len()),
        (pools.len(), pools.len()),
        "{set_ups:?}"
    );
    for (note, pool) in set_ups.iter().zip(pools) {
        assert!(
            note.pod().starts_with(&format!("{pool}-")),
            "{pools:?}: {set_ups:?}"
        );
    }
    let attempts: Vec<_> = set_ups
        .iter()
        .map(|note| (note.run, note.attempt))
        .collect();
    let expected: Vec<_> = (1..).take(pools.len()).map(|n| (0, n)).collect();
    assert_eq!(attempts, expected);
}

/// Tasks that fail and are tried again.
fn retried() -> Vec<Scenario> {
    vec![
        Scenario::new("retryable_failure", "two shards report a transient failure", async |world| {
            let fault = json!({"do": "fail", "at": "running", "task": "PROVE_SHARD", "nth": 2, "times": 2});
            world.workers()[0].fault(&fault).await;
            world.strikes();
            world.prove("p", &Shape::shards(20, 200)).await;
            world.requeues().await;
            world.succeeds("p").await;
            assert_eq!(retries(world), 2);
        })
        .setup(|setup| setup.workers = 1)
        .allow(again(2)),
        Scenario::new("retries_run_out", "every shard reports a transient failure", async |world| {
            world.prove("p", &Shape::shards(4, 100).spec("limits", json!({"backoff": 1}))).await;
            let proof = world.ends("p", "Transient").await;
            assert!(proof.message().contains("attempt 2, the last"), "{}", proof.message());
            let failure = proof.status.as_ref().and_then(|status| status.failure.as_ref());
            let task = failure.and_then(|failure| failure.task.clone()).unwrap();
            assert_eq!(world.executions().attempts(&task).count(), 2, "{task}");
            assert!(retries(world) >= 1);
        })
        .setup(|setup| setup.worker_env = in_every_process(FAIL))
        .allow(again(20)),
        Scenario::new("panic_replaces_the_process", "a shard panics", async |world| {
            world.prove("p", &long()).await;
            let worker = leaf_worker(world).await;
            world.strikes();
            worker.fault(&json!({"do": "panic", "at": "running", "task": "PROVE_SHARD"})).await;
            let exit = eventually("its end", || async { worker.process.exit() }).await;
            assert_eq!(exit.code, 75, "it asks to be replaced");
            world.requeues().await;
            world.wait_workers(3).await;
            world.succeeds("p").await;
        })
        .setup(|setup| setup.workers = 3)
        .allow(again(1)),
    ]
}

/// How often a task was tried again after a transient failure; not before its wait was over.
fn retries(world: &World) -> usize {
    let all = world.executions();
    let pauses: Vec<_> = all.pauses_after("Transient").collect();
    assert!(pauses.iter().all(|pause| *pause >= BACKOFF), "{pauses:?}");
    pauses.len()
}

const OUT_OF_MEMORY: &str = r#"{"do":"oom","at":"running","task":"SETUP_VKEY"}"#;
const ABORT: &str = r#"{"do":"abort","at":"running","task":"SETUP_VKEY"}"#;
const FAIL: &str = r#"{"do":"fail","at":"running","task":"PROVE_SHARD","times":1000}"#;

/// Each process begins with the fault.
fn in_every_process(fault: &str) -> Vec<(String, String)> {
    vec![("PROVOST_SIM_FAULTS".to_owned(), fault.to_owned())]
}
