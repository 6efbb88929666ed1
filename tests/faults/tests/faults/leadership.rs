//! Leaders that are lost, replaced, deceived.

use std::time::Duration;

use jiff::Timestamp;
use provost_faults::check::another_run;
use provost_faults::process::Signal;
use provost_faults::promises::LEASE;
use provost_faults::proof::Shape;
use provost_faults::proxy::Way;
use provost_faults::scenario::Scenario;
use provost_faults::terms::Version;
use provost_faults::wait::eventually;
use provost_faults::world::World;
use serde_json::json;

/// The scenarios.
pub(crate) fn scenarios() -> Vec<Scenario> {
    let mut all = killed_at_each_step();
    all.extend(killed_before_it_writes());
    all.extend(replaced());
    all.extend(deceived());
    all
}

/// Twenty shards of half a second: some seconds on two workers.
fn usual() -> Shape {
    Shape::shards(20, 500)
}

/// Longest time until a leader that says nothing more is replaced.
const REPLACED: Duration = Duration::from_secs(20);

/// SIGKILL of the leader. Another follows, and something new begins; then the first comes back.
async fn kill_leader(world: &World) {
    let term = world.term().await;
    kill_leader_of(world, term).await;
}

/// The same with the leader of a term that is known.
async fn kill_leader_of(world: &World, (leader, epoch): (usize, i32)) {
    world.strikes();
    world.replicas[leader].kill();
    world.leader_after(epoch).await;
    let (last, _) = change(world, epoch, REPLACED).await;
    assert!(
        last.holder.is_some(),
        "a leader that is killed gives nothing back: {last:?}"
    );
    world.replicas[leader].start();
}

/// SIGKILL of a leader that has seen something and can write nothing of it.
async fn kill_before_it_writes<T>(
    world: &World,
    something: impl AsyncFnOnce() -> T,
    unwritten: impl AsyncFnOnce() -> bool,
) {
    let (leader, epoch) = world.term().await;
    world.replicas[leader].api.set(Way::Held, Way::Open);
    something().await;
    // Time to see it, and less than its Lease has left.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(unwritten().await, "it was written");
    kill_leader_of(world, (leader, epoch)).await;
    world.replicas[leader].api.heal();
}

/// The last version of the Lease in the term `epoch`, and the first of the next term, which is to begin so long after the fault at most. That no term begins
/// before the last one's Lease has run out, unless it was given back, is checked after every scenario.
async fn change(world: &World, epoch: i32, most: Duration) -> (Version, Version) {
    let change = || async { world.terms.change_after(epoch) };
    let (last, next) = eventually("the Lease's change of hands", change).await;
    // By its own clock, where that is right.
    if world.clocks.is_empty() {
        let began = next.acquired.unwrap().as_millisecond();
        world.came("the next term", began, &(Duration::ZERO..most));
    }
    (last, next)
}

fn killed_at_each_step() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "leader_killed_before_root_is_stored",
            "leader SIGKILL",
            async |world| {
                let request = async || world.prove("p", &usual()).await;
                let no_root = async || world.tasks().await.is_empty();
                kill_before_it_writes(world, request, no_root).await;
                world.recovers().await;
                world.succeeds("p").await;
            },
        ),
        Scenario::new(
            "leader_killed_once_root_is_stored",
            "leader SIGKILL",
            async |world| {
                world.prove("p", &usual()).await;
                eventually("the root's object", || async {
                    world
                        .tasks()
                        .await
                        .iter()
                        .any(|task| task.spec.root)
                        .then_some(())
                })
                .await;
                kill_leader(world).await;
                world.recovers().await;
                world.succeeds("p").await;
            },
        ),
        Scenario::new(
            "leader_killed_while_the_program_executes",
            "leader SIGKILL",
            async |world| {
                world.prove("p", &usual().takes("CORE_EXECUTE", 6000)).await;
                world.begun("CORE_EXECUTE", 1).await;
                kill_leader(world).await;
                world.recovers().await;
                world.succeeds("p").await;
            },
        ),
        Scenario::new(
            "leader_killed_while_shards_are_proven",
            "leader SIGKILL",
            async |world| {
                world.prove("p", &usual()).await;
                world.begun("PROVE_SHARD", 4).await;
                kill_leader(world).await;
                world.recovers().await;
                world.succeeds("p").await;
            },
        ),
        Scenario::new(
            "leader_killed_during_reduction",
            "leader SIGKILL",
            async |world| {
                world
                    .prove("p", &Shape::shards(12, 100).takes("RECURSION_REDUCE", 800))
                    .await;
                world.begun("RECURSION_REDUCE", 1).await;
                kill_leader(world).await;
                world.recovers().await;
                world.succeeds("p").await;
            },
        ),
        Scenario::new(
            "leader_killed_while_a_task_reports",
            "leader SIGKILL",
            async |world| {
                world.fault_everywhere(&json!({"do": "delay", "at": "report", "task": "PROVE_SHARD", "ms": 2000, "times": 4})).await;
                world.prove("p", &Shape::shards(12, 200)).await;
                world.struck(1).await;
                kill_leader(world).await;
                world.recovers().await;
                world.succeeds("p").await;
            },
        ),
        Scenario::new(
            "leader_killed_between_upload_and_acknowledgement",
            "leader SIGKILL",
            async |world| {
                world
                    .fault_everywhere(
                        &json!({"do": "wait", "at": "report", "task": "CONTROLLER", "ms": 4000}),
                    )
                    .await;
                world.prove("p", &Shape::shards(6, 100)).await;
                world.struck(1).await;
                // It is in the store, and its Controller has said nothing yet.
                let (leader, epoch) = world.term().await;
                world.replicas[leader].kill();
                assert!(!world.proof("p").await.terminal());
                world.strikes();
                world.leader_after(epoch).await;
                world.replicas[leader].start();
                let proof = world.succeeds("p").await;
                world.recovered();
                assert!(provost_faults::check::has_proof(&proof));
                // What only its Controller knew is not lost either.
                let execution = proof.status.unwrap().execution;
                assert!(execution.is_some_and(|execution| execution.cycles > 0));
            },
        ),
        Scenario::new(
            "leader_killed_at_the_terminal_write",
            "leader SIGKILL",
            async |world| {
                world
                    .fault_everywhere(
                        &json!({"do": "wait", "at": "report", "task": "CONTROLLER", "ms": 1000}),
                    )
                    .await;
                world.prove("p", &Shape::shards(6, 100)).await;
                world.struck(1).await;
                // The end is written, and the Controller does not hear of it.
                for worker in world.workers() {
                    worker
                        .replicas
                        .iter()
                        .for_each(|wire| wire.set(Way::Open, Way::Held));
                }
                world.succeeds("p").await;
                kill_leader(world).await;
                world.workers().iter().for_each(|worker| worker.heal());
                eventually("the Controller to let go", || async {
                    let mut running = 0;
                    for worker in world.workers() {
                        running += worker.status().await?["tasks"].as_u64()?;
                    }
                    (running == 0).then_some(())
                })
                .await;
                world.recovered();
            },
        )
        .lingers(),
        Scenario::new(
            "leader_killed_three_times_over",
            "leader SIGKILL, three times",
            async |world| {
                world.prove("p", &Shape::shards(40, 1000)).await;
                world.begun("PROVE_SHARD", 2).await;
                for _ in 0..3 {
                    kill_leader(world).await;
                    world.recovers().await;
                }
                world.succeeds("p").await;
            },
        ),
        Scenario::new(
            "leader_killed_with_many_proofs_waiting",
            "leader SIGKILL, 10 proofs",
            async |world| {
                for i in 0..10 {
                    world.prove(&format!("p{i}"), &Shape::shards(6, 300)).await;
                }
                world.begun("PROVE_SHARD", 8).await;
                kill_leader(world).await;
                world.recovers().await;
                for i in 0..10 {
                    world.succeeds(&format!("p{i}")).await;
                }
            },
        ),
    ]
}

/// Whether the request's status says that it goes on.
async fn goes_on(world: &World) -> bool {
    let proof = world.proofs().get("p").await.unwrap();
    !proof.terminal() && proof.state() != "Suspended"
}

/// The request is deleted, and the leader that sees it does not live to let it go.
async fn delete(world: &World) {
    let delete = async || world.delete("p").await;
    let there = async || world.proofs().get_opt("p").await.unwrap().is_some();
    kill_before_it_writes(world, delete, there).await;
}

/// What a user asks for in the meantime, or what becomes due, happens all the same, and once.
fn killed_before_it_writes() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "leader_killed_before_it_writes_a_cancellation",
            "spec.cancel, leader SIGKILL",
            async |world| {
                world.prove("p", &usual()).await;
                world.begun("PROVE_SHARD", 2).await;
                let cancel = async || world.edit("p", json!({"cancel": true})).await;
                kill_before_it_writes(world, cancel, async || goes_on(world).await).await;
                world.ends("p", "Cancelled").await;
                world.prove("q", &Shape::shards(4, 50)).await;
                world.succeeds("q").await;
                world.recovered();
            },
        )
        .lingers(),
        Scenario::new(
            "leader_killed_before_it_writes_an_expiry",
            "spec.deadline, leader SIGKILL",
            async |world| {
                // The API keeps whole seconds.
                let second = jiff::Timestamp::now().as_second() + 10;
                let deadline = jiff::Timestamp::from_second(second).unwrap();
                let shape = Shape::shards(100, 1000).spec("deadline", deadline.to_string());
                world.prove("p", &shape).await;
                world.begun("PROVE_SHARD", 2).await;
                // It is due while the leader can write nothing, and still leads.
                let moment = Duration::from_millis(500);
                let left = jiff::Timestamp::now().duration_until(deadline);
                let left = Duration::try_from(left).ok();
                let wait = left.and_then(|left| left.checked_sub(moment));
                tokio::time::sleep(wait.expect("shards begin before that")).await;
                let due = async || tokio::time::sleep(moment).await;
                kill_before_it_writes(world, due, async || goes_on(world).await).await;
                world.ends("p", "Expired").await;
                world.recovered();
            },
        )
        .lingers(),
        Scenario::new(
            "leader_killed_before_it_writes_a_suspension",
            "spec.suspend, leader SIGKILL",
            async |world| {
                world.prove("p", &usual()).await;
                world.begun("PROVE_SHARD", 2).await;
                let suspend = async || world.edit("p", json!({"suspend": true})).await;
                kill_before_it_writes(world, suspend, async || goes_on(world).await).await;
                world.state("p", "Suspended").await;
                world.edit("p", json!({"suspend": false})).await;
                world.recovers().await;
                world.succeeds("p").await;
            },
        )
        .allow(another_run(30)),
        Scenario::new(
            "leader_killed_while_it_deletes",
            "a request is deleted, leader SIGKILL",
            async |world| {
                world.prove("p", &Shape::shards(4, 50)).await;
                world.succeeds("p").await;
                delete(world).await;
                world.is_gone("p").await;
                world.recovered();
            },
        ),
        Scenario::new(
            "leader_killed_while_it_deletes_what_runs",
            "a request is deleted as it is proven, leader SIGKILL",
            async |world| {
                world.prove("p", &usual()).await;
                world.begun("PROVE_SHARD", 2).await;
                delete(world).await;
                world.is_gone("p").await;
                world.prove("q", &Shape::shards(4, 50)).await;
                world.succeeds("q").await;
                world.recovered();
            },
        )
        .lingers(),
    ]
}

fn replaced() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "leader_hands_over_at_sigterm",
            "leader SIGTERM",
            async |world| {
                world.prove("p", &usual()).await;
                world.begun("PROVE_SHARD", 4).await;
                let (leader, epoch) = world.term().await;
                world.strikes();
                world.replicas[leader].stop().await;
                assert_ne!(world.leader_after(epoch).await, leader);
                // Nobody waited until the Lease had run out.
                let (last, _) = change(world, epoch, LEASE).await;
                assert_eq!(last.holder, None, "it was given back");
                world.recovers().await;
                world.replicas[leader].start();
                world.succeeds("p").await;
            },
        ),
        Scenario::new(
            "leader_restarted_in_place",
            "leader SIGKILL, the only replica",
            async |world| {
                world.prove("p", &usual()).await;
                world.begun("PROVE_SHARD", 4).await;
                let epoch = world.epoch().await;
                world.strikes();
                world.replicas[0].crash();
                world.leader_after(epoch).await;
                world.recovers().await;
                world.succeeds("p").await;
            },
        )
        .setup(|setup| setup.replicas = 1),
        Scenario::new(
            "operator_upgraded_mid_proof",
            "replicas replaced one by one",
            async |world| {
                world.prove("p", &Shape::shards(40, 500)).await;
                world.begun("PROVE_SHARD", 4).await;
                world.strikes();
                for replica in &world.replicas {
                    replica.stop().await;
                    replica.start();
                    replica.ready().await;
                }
                world.recovers().await;
                world.succeeds("p").await;
            },
        ),
        Scenario::new("follower_killed", "follower SIGKILL", async |world| {
            world.prove("p", &usual()).await;
            world.begun("PROVE_SHARD", 4).await;
            let (leader, epoch) = world.term().await;
            world.strikes();
            world.replicas[1 - leader].kill();
            world.recovers().await;
            world.replicas[1 - leader].start();
            world.succeeds("p").await;
            assert_eq!(world.epoch().await, epoch, "nobody else came to lead");
        }),
        Scenario::new(
            "all_replicas_killed_and_back",
            "all replicas SIGKILL",
            async |world| {
                world.prove("p", &usual()).await;
                world.begun("PROVE_SHARD", 4).await;
                let epoch = world.epoch().await;
                world.strikes();
                world.replicas.iter().for_each(|replica| replica.kill());
                tokio::time::sleep(Duration::from_secs(6)).await;
                world.replicas.iter().for_each(|replica| replica.start());
                world.leader_after(epoch).await;
                world.recovers().await;
                world.succeeds("p").await;
            },
        ),
        Scenario::new(
            "cluster_shut_down_and_started_again",
            "SIGTERM to every process, all back after 3 s",
            async |world| {
                world.prove("p", &usual()).await;
                world.begun("PROVE_SHARD", 4).await;
                let epoch = world.epoch().await;
                world.strikes();
                world.shut_down(Duration::from_secs(10)).await;
                tokio::time::sleep(Duration::from_secs(3)).await;
                assert!(!world.proof("p").await.terminal(), "what was going on has not ended");
                world.store.resume().await;
                world.replicas.iter().for_each(|replica| replica.start());
                world.leader_after(epoch).await;
                world.begun("CONTROLLER", 2).await;
                world.recovered();
                world.succeeds("p").await;
            },
        )
        .setup(|setup| setup.pool = json!({"terminationGracePeriodSeconds": 10}))
        // Nobody is left to whom a worker could hand over.
        .allow(another_run(30)),
        Scenario::new("leader_and_controllers_worker_killed_together", "leader and worker SIGKILL", async |world| {
            world.prove("p", &usual()).await;
            world.begun("PROVE_SHARD", 4).await;
            let controller = world.begun("CONTROLLER", 1).await;
            let (leader, epoch) = world.term().await;
            let worker = world.of(&controller);
            world.strikes();
            world.replicas[leader].kill();
            worker.process.kill();
            world.leader_after(epoch).await;
            world.begun("CONTROLLER", 2).await;
            world.recovered();
            world.replicas[leader].start();
            world.succeeds("p").await;
        })
        // What the first run had done is done again in the second: Controller and CoreExecute are one restart unit.
        .allow(another_run(30)),
    ]
}

fn deceived() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "stopped_leader_is_fenced",
            "leader SIGSTOP past its Lease, SIGCONT",
            async |world| {
                world.prove("p", &Shape::shards(40, 500)).await;
                world.begun("PROVE_SHARD", 4).await;
                let (leader, epoch) = world.term().await;
                world.strikes();
                world.replicas[leader].signal(Signal::STOP);
                eventually("another leader", || async {
                    (world.epoch().await > epoch).then_some(())
                })
                .await;
                world.recovers().await;
                world.replicas[leader].signal(Signal::CONT);
                let now = world.epoch().await;
                world.succeeds("p").await;
                assert_eq!(world.epoch().await, now, "the old leader took nothing back");
            },
        )
        .lingers(),
        Scenario::new(
            "leader_stopped_briefly_goes_on",
            "leader SIGSTOP for a second",
            async |world| {
                world.prove("p", &usual()).await;
                world.begun("PROVE_SHARD", 4).await;
                let (leader, epoch) = world.term().await;
                world.strikes();
                world.replicas[leader].signal(Signal::STOP);
                tokio::time::sleep(Duration::from_secs(1)).await;
                world.replicas[leader].signal(Signal::CONT);
                world.recovers().await;
                world.succeeds("p").await;
                assert_eq!(world.epoch().await, epoch);
            },
        ),
        Scenario::new("lease_deleted", "the Lease is deleted", async |world| {
            world.prove("p", &usual()).await;
            world.begun("PROVE_SHARD", 4).await;
            let epoch = world.epoch().await;
            world.strikes();
            world.delete_lease().await;
            // Whoever leads now does so in a term that workers take for a later one.
            world.leader_after(epoch).await;
            world.recovers().await;
            world.succeeds("p").await;
        }),
        Scenario::new(
            "leader_cut_from_the_api_server",
            "the leader's wire to the API server is held",
            async |world| {
                world.prove("p", &Shape::shards(40, 500)).await;
                world.begun("PROVE_SHARD", 4).await;
                let (leader, epoch) = world.term().await;
                world.strikes();
                world.replicas[leader].api.hold();
                eventually("another leader", || async {
                    (world.epoch().await > epoch).then_some(())
                })
                .await;
                world.recovers().await;
                world.succeeds("p").await;
                world.replicas[leader].api.heal();
            },
        )
        .lingers(),
        Scenario::new(
            "leaders_clock_jumps",
            "the leader's wall clock goes 5 minutes ahead and back",
            async |world| {
                world.prove("p", &Shape::shards(40, 500)).await;
                world.begun("PROVE_SHARD", 4).await;
                let (leader, epoch) = world.term().await;
                world.strikes();
                world.clocks[leader].jump(300);
                tokio::time::sleep(Duration::from_secs(4)).await;
                world.clocks[leader].jump(0);
                world.recovers().await;
                world.succeeds("p").await;
                assert_eq!(world.epoch().await, epoch);
            },
        )
        .setup(|setup| setup.clocks = true),
        Scenario::new(
            "clocks_are_set",
            "the replicas' wall clocks go 2 hours back, then 2 hours ahead, and stay so",
            async |world| {
                let set = |seconds| world.clocks.iter().for_each(|clock| clock.jump(seconds));
                world.strikes();
                set(-7200);
                let shape = Shape::shards(8, 2000).spec("ttlSecondsAfterFinished", 600);
                world.prove("p", &shape).await;
                eventually("objects of tasks that run for long", || async {
                    let tasks = world.tasks().await;
                    let shards = tasks
                        .iter()
                        .filter(|task| task.spec.task_type == "ProveShard");
                    (shards.count() >= 2).then_some(())
                })
                .await;
                set(7200);
                let proof = world.succeeds("p").await;
                let ahead = proof
                    .finished_at()
                    .unwrap()
                    .duration_since(Timestamp::now());
                assert!((ahead.as_secs() - 7200).abs() < 60, "{ahead}");
                // It was finished now, by the clock by which it is deleted.
                tokio::time::sleep(Duration::from_secs(3)).await;
                assert!(world.proof("p").await.metadata.deletion_timestamp.is_none());
                world.recovered();
            },
        )
        .setup(|setup| setup.clocks = true),
        Scenario::new(
            "leaders_clock_is_wrong",
            "the follower's wall clock is an hour ahead; both are killed, one after the other",
            async |world| {
                let (leader, epoch) = world.term().await;
                // The next leader as well.
                world.clocks[1 - leader].jump(3600);
                world.prove("p", &Shape::shards(40, 500)).await;
                world.begun("PROVE_SHARD", 4).await;
                assert_eq!(world.epoch().await, epoch, "it takes what another holds");
                kill_leader(world).await;
                world.recovers().await;
                assert_ne!(world.term().await.0, leader);
                world.begun("PROVE_SHARD", 20).await;
                kill_leader(world).await;
                world.succeeds("p").await;
            },
        )
        .setup(|setup| setup.clocks = true),
    ]
}
