//! Proofs that are cancelled, expire, are suspended and deleted; many of them, large ones, and all kinds.

use std::collections::HashSet;
use std::time::Duration;

use kube::api::DeleteParams;
use provost_faults::check::{another_run, has_proof};
use provost_faults::executions::Note;
use provost_faults::promises::{RECYCLE_GRACE, after, now};
use provost_faults::proof::Shape;
use provost_faults::scenario::Scenario;
use provost_faults::wait::eventually;
use provost_faults::world::{Setup, World};
use serde_json::json;

/// The scenarios.
pub(crate) fn scenarios() -> Vec<Scenario> {
    let mut all = kinds();
    all.extend(ended_early());
    all.extend(many());
    all
}

fn kinds() -> Vec<Scenario> {
    vec![
        Scenario::new("calm", "none", async |world| {
            world.prove("p", &Shape::shards(20, 300)).await;
            let proof = world.succeeds("p").await;
            assert!(has_proof(&proof));
            // At least 20 shards of 0.3 s.
            let status = proof.status.as_ref().unwrap();
            assert!(status.gpu_seconds >= Some(6), "{:?}", status.gpu_seconds);
        }),
        Scenario::new("every_mode", "none", async |world| {
            let modes = ["Core", "Compressed", "Execute"];
            for mode in modes {
                world
                    .prove(
                        &mode.to_lowercase(),
                        &Shape::shards(4, 50).spec("mode", mode),
                    )
                    .await;
            }
            for mode in modes {
                let proof = world.succeeds(&mode.to_lowercase()).await;
                assert_eq!(has_proof(&proof), mode != "Execute", "{mode}");
            }
        }),
        Scenario::new(
            "every_branch_of_the_graph",
            "none: deferred proofs and precompile shards",
            async |world| {
                let shape = Shape::shards(10, 100)
                    .graph("deferredProofs", 3)
                    .graph("precompileShards", 5)
                    .graph("memoryShards", 2);
                world.prove("p", &shape).await;
                world.succeeds("p").await;
            },
        ),
        Scenario::new(
            "execution_exits_non_zero",
            "the program exits with 7",
            async |world| {
                world
                    .prove("p", &Shape::shards(4, 50).graph("exitCode", 7))
                    .await;
                let proof = world.ends("p", "ProgramFault").await;
                assert!(proof.message().contains('7'), "{}", proof.message());
            },
        ),
        Scenario::new(
            "cycle_limit_exceeded",
            "limits.cycles below what the program takes",
            async |world| {
                let limits = json!({"cycles": 1000});
                world
                    .prove("p", &Shape::shards(4, 50).spec("limits", limits.clone()))
                    .await;
                world
                    .prove(
                        "e",
                        &Shape::shards(4, 50)
                            .spec("limits", limits)
                            .spec("mode", "Execute"),
                    )
                    .await;
                world.ends("p", "ProgramFault").await;
                world.ends("e", "ProgramFault").await;
            },
        ),
        Scenario::new(
            "fatal_failure",
            "the execution fails as the program's fault",
            async |world| {
                let verdict = json!({"class": "ProgramFault", "message": "a trap"});
                world
                    .prove("p", &Shape::shards(4, 50).graph("fail", verdict))
                    .await;
                let proof = world.ends("p", "ProgramFault").await;
                assert!(proof.message().contains("a trap"), "{}", proof.message());
            },
        ),
    ]
}

/// Cancels, and looks whether it stays cancelled and its workers do something else.
async fn cancel(world: &World) {
    world.strikes();
    world.edit("p", json!({"cancel": true})).await;
    world.ends("p", "Cancelled").await;
    world.prove("q", &Shape::shards(4, 50)).await;
    world.succeeds("q").await;
    world.recovered();
}

/// Tasks that are cancelled run twice for nobody: what is begun is counted once, and nothing of it again.
fn ended_early() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "cancel_while_pending",
            "spec.cancel with no worker",
            async |world| {
                world.prove("p", &Shape::shards(4, 50)).await;
                eventually("the root's object", || async {
                    world
                        .tasks()
                        .await
                        .iter()
                        .any(|task| task.spec.root)
                        .then_some(())
                })
                .await;
                world.strikes();
                world.edit("p", json!({"cancel": true})).await;
                world.ends("p", "Cancelled").await;
                world.recovered();
                assert_eq!(world.executions().tally().started, 0);
            },
        )
        .setup(|setup| setup.workers = 0)
        .lingers(),
        Scenario::new("cancel_while_executing", "spec.cancel", async |world| {
            world
                .prove("p", &Shape::shards(20, 500).takes("CORE_EXECUTE", 4000))
                .await;
            world.begun("CORE_EXECUTE", 1).await;
            cancel(world).await;
        })
        .lingers(),
        Scenario::new("cancel_while_proving", "spec.cancel", async |world| {
            world.prove("p", &Shape::shards(20, 1000)).await;
            world.begun("PROVE_SHARD", 5).await;
            cancel(world).await;
        })
        .lingers(),
        Scenario::new("cancel_while_reducing", "spec.cancel", async |world| {
            let shape = Shape::shards(20, 20).takes("RECURSION_REDUCE", 3000);
            world.prove("p", &shape).await;
            world.begun("RECURSION_REDUCE", 1).await;
            cancel(world).await;
        })
        .lingers(),
        Scenario::new(
            "cancel_while_suspended",
            "spec.cancel of a suspended proof",
            async |world| {
                world.prove("p", &Shape::shards(20, 1000)).await;
                world.begun("PROVE_SHARD", 2).await;
                world.edit("p", json!({"suspend": true})).await;
                world.state("p", "Suspended").await;
                cancel(world).await;
            },
        )
        .lingers(),
        Scenario::new(
            "cancel_while_the_leader_is_away",
            "spec.cancel, leader SIGKILL",
            async |world| {
                world.prove("p", &Shape::shards(20, 1000)).await;
                world.begun("PROVE_SHARD", 2).await;
                let (leader, _) = world.term().await;
                world.replicas[leader].kill();
                cancel(world).await;
                world.replicas[leader].start();
            },
        )
        .lingers(),
        Scenario::new(
            "cancel_at_the_end",
            "spec.cancel of a proof that is finished and not reported",
            async |world| {
                world
                    .fault_everywhere(&json!({"do": "hang", "at": "report", "task": "CONTROLLER"}))
                    .await;
                world.prove("p", &Shape::shards(4, 50)).await;
                world.struck(1).await;
                let stored = world.store.files();
                assert!(stored.iter().any(|file| file.starts_with("proofs/")));
                cancel(world).await;
            },
        )
        // The next Controller meets no fault: there is one worker, and it has struck.
        .setup(|setup| setup.workers = 1)
        .lingers(),
        Scenario::new(
            "cancel_races_the_end",
            "spec.cancel of six proofs as they end",
            async |world| {
                for i in 0..6 {
                    world.prove(&format!("p{i}"), &Shape::shards(4, 50)).await;
                }
                world
                    .noted("the first proof's end", |all| {
                        all.done("CONTROLLER").next().cloned()
                    })
                    .await;
                world.strikes();
                for i in 0..6 {
                    world.edit(&format!("p{i}"), json!({"cancel": true})).await;
                }
                for i in 0..6 {
                    world
                        .ends_as(&format!("p{i}"), &["Cancelled", "Succeeded"])
                        .await;
                }
                world.recovered();
            },
        )
        .lingers(),
        Scenario::new(
            "cancel_replaces_a_worker_that_does_not_stop",
            "spec.cancel, a shard hangs",
            async |world| {
                world.workers()[0]
                    .fault(&json!({"do": "hang", "at": "running", "task": "PROVE_SHARD"}))
                    .await;
                let before = world.workers()[0].clone();
                world.prove("p", &Shape::shards(4, 100)).await;
                world.struck(1).await;
                world.strikes();
                world.edit("p", json!({"cancel": true})).await;
                world.ends("p", "Cancelled").await;
                eventually("its end", || async { before.process.exit() }).await;
                let bounds = after(RECYCLE_GRACE);
                world.came("the end of the worker that does not stop", now(), &bounds);
                world.wait_workers(1).await;
                world.recovered();
            },
        )
        .setup(|setup| setup.workers = 1)
        .lingers(),
        Scenario::new(
            "deadline_expires_while_pending",
            "spec.deadline with no worker",
            async |world| {
                world.strikes();
                world
                    .prove("p", &Shape::shards(4, 50).spec("deadline", in_seconds(4)))
                    .await;
                expires(world, "p").await;
                world.recovered();
            },
        )
        .setup(|setup| setup.workers = 0)
        .lingers(),
        Scenario::new(
            "deadline_expires_while_proving",
            "spec.deadline",
            async |world| {
                world
                    .prove(
                        "p",
                        &Shape::shards(100, 1000).spec("deadline", in_seconds(6)),
                    )
                    .await;
                world.begun("PROVE_SHARD", 2).await;
                expires(world, "p").await;
            },
        )
        .lingers(),
        Scenario::new(
            "deadline_expires_while_the_leader_is_away",
            "spec.deadline, leader SIGKILL",
            async |world| {
                world
                    .prove(
                        "p",
                        &Shape::shards(100, 1000).spec("deadline", in_seconds(6)),
                    )
                    .await;
                world.begun("PROVE_SHARD", 2).await;
                world.strikes();
                world.replicas.iter().for_each(|replica| replica.kill());
                tokio::time::sleep(Duration::from_secs(6)).await;
                world.replicas.iter().for_each(|replica| replica.start());
                expires(world, "p").await;
                world.recovered();
            },
        )
        .lingers(),
        Scenario::new(
            "deleted_while_proving",
            "the request is deleted",
            async |world| {
                world.prove("p", &Shape::shards(20, 1000)).await;
                world.prove("q", &Shape::shards(10, 300)).await;
                world.begun("PROVE_SHARD", 5).await;
                world.strikes();
                world.delete("p").await;
                world.is_gone("p").await;
                world.recovered();
                world.succeeds("q").await;
            },
        ),
        Scenario::new("suspended_and_resumed", "spec.suspend", async |world| {
            world.prove("p", &Shape::shards(20, 500)).await;
            world.begun("PROVE_SHARD", 5).await;
            world.edit("p", json!({"suspend": true})).await;
            world.state("p", "Suspended").await;
            // What it had begun lets go; then nothing of it begins.
            tokio::time::sleep(Duration::from_secs(2)).await;
            let before = world.executions().tally().started;
            tokio::time::sleep(Duration::from_secs(2)).await;
            assert_eq!(world.executions().tally().started, before);
            world.strikes();
            world.edit("p", json!({"suspend": false})).await;
            world.recovers().await;
            world.succeeds("p").await;
            // It starts from the beginning, as its field says.
            assert_eq!(world.executions().starts("CONTROLLER").count(), 2);
        })
        .allow(another_run(30)),
        Scenario::new(
            "deleted_by_its_ttl",
            "spec.ttlSecondsAfterFinished",
            async |world| {
                world
                    .prove(
                        "p",
                        &Shape::shards(4, 50).spec("ttlSecondsAfterFinished", 2),
                    )
                    .await;
                let finished = world.succeeds("p").await.finished_at().unwrap();
                world.is_gone("p").await;
                let kept = now() - finished.as_millisecond();
                assert!(
                    (2_000..20_000).contains(&kept),
                    "it goes {kept} ms after its end"
                );
            },
        ),
    ]
}

fn many() -> Vec<Scenario> {
    vec![
        Scenario::new("ten_thousand_tasks", "none: 10,000 shards", async |world| {
            let shape = Shape::shards(10_000, 2)
                .graph("emitters", 16)
                .spec("limits", json!({"parallelism": 1000}));
            world.prove("p", &shape.takes("RECURSION_REDUCE", 1)).await;
            world.succeeds("p").await;
            assert!(world.executions().tally().started > 10_000);
        })
        .setup(ten_thousand),
        Scenario::new(
            "ten_thousand_tasks_and_a_leader_killed",
            "leader SIGKILL, 10,000 shards",
            async |world| {
                let shape = Shape::shards(10_000, 2)
                    .graph("emitters", 16)
                    .spec("limits", json!({"parallelism": 1000}));
                world.prove("p", &shape.takes("RECURSION_REDUCE", 1)).await;
                world.begun("PROVE_SHARD", 2000).await;
                let (leader, epoch) = world.term().await;
                world.strikes();
                world.replicas[leader].kill();
                world.leader_after(epoch).await;
                world.recovers().await;
                world.replicas[leader].start();
                world.succeeds("p").await;
            },
        )
        .setup(ten_thousand),
        Scenario::new(
            "all_workers_take_part",
            "none: 4 workers, 4 proofs",
            async |world| {
                for i in 0..4 {
                    world.prove(&format!("p{i}"), &Shape::shards(12, 200)).await;
                }
                for i in 0..4 {
                    world.succeeds(&format!("p{i}")).await;
                }
                let executions = world.executions();
                let workers: HashSet<_> = executions
                    .starts("PROVE_SHARD")
                    .map(|note| note.worker.clone())
                    .collect();
                assert_eq!(workers.len(), 4, "{workers:?}");
            },
        )
        .setup(|setup| setup.workers = 4),
        Scenario::new(
            "a_large_proof_does_not_starve_small_ones",
            "none: mixed load",
            async |world| {
                world.prove("large", &Shape::shards(400, 400)).await;
                world.begun("PROVE_SHARD", 6).await;
                for i in 0..5 {
                    world
                        .prove(&format!("small{i}"), &Shape::shards(3, 100))
                        .await;
                }
                for i in 0..5 {
                    world.succeeds(&format!("small{i}")).await;
                }
                assert!(
                    !world.proof("large").await.terminal(),
                    "the small ones end while the large one runs"
                );
                world.succeeds("large").await;
            },
        )
        .setup(|setup| setup.workers = 3),
        Scenario::new(
            "equal_proofs_share_equally",
            "none: 3 equal proofs",
            async |world| {
                // One alone takes some seven seconds. A worker has room for one execution.
                let names = ["p0", "p1", "p2"];
                for name in names {
                    let shape = Shape::shards(200, 500).spec("suspend", true);
                    world.prove(name, &shape).await;
                }
                let go = names.map(|name| world.edit(name, json!({"suspend": false})));
                futures::future::join_all(go).await;
                for name in names {
                    world.succeeds(name).await;
                }
                let all = world.executions();
                let begun = names.map(|name| {
                    let of = |note: &&Note| note.is_of(name);
                    let times = all.starts("PROVE_SHARD").filter(of).map(|note| note.ms);
                    times.collect::<Vec<_>>()
                });
                // Shares count while all three compete: a slow API server lets one begin seconds before another.
                let from = begun
                    .iter()
                    .filter_map(|times| times.first())
                    .copied()
                    .max();
                let to = begun.iter().filter_map(|times| times.last()).copied().min();
                let together = from.unwrap()..to.unwrap();
                let shares =
                    begun.map(|times| times.iter().filter(|ms| together.contains(ms)).count());
                let (least, most) = (shares.iter().min().unwrap(), shares.iter().max().unwrap());
                assert!(*least >= 20, "{shares:?}: they hardly competed");
                assert!(2 * most <= 3 * least, "{shares:?}");
            },
        )
        .setup(|setup| setup.workers = 3),
        Scenario::new(
            "priority_goes_first",
            "none: a proof of high priority comes last",
            async |world| {
                world.prove("low", &Shape::shards(300, 400)).await;
                world.begun("PROVE_SHARD", 6).await;
                world
                    .prove("high", &Shape::shards(20, 200).spec("priority", 10))
                    .await;
                world.succeeds("high").await;
                assert!(!world.proof("low").await.terminal());
                world.succeeds("low").await;
            },
        )
        .setup(|setup| setup.workers = 3),
        Scenario::new(
            "many_with_the_same_inputs_are_deleted_at_once",
            "all requests deleted",
            async |world| {
                for i in 0..16 {
                    world
                        .prove(
                            &format!("p{i}"),
                            &Shape::shards(2, 20).spec("mode", "Execute"),
                        )
                        .await;
                }
                for i in 0..16 {
                    world.succeeds(&format!("p{i}")).await;
                }
                let all: Vec<_> = (0..16).map(|i| format!("p{i}")).collect();
                let (proofs, now) = (world.proofs(), DeleteParams::default());
                let deletions = all.iter().map(|name| proofs.delete(name, &now));
                futures::future::try_join_all(deletions).await.unwrap();
            },
        ),
        Scenario::new(
            "one_of_two_with_the_same_inputs_is_deleted",
            "a request is deleted",
            async |world| {
                world.prove("a", &Shape::shards(10, 500)).await;
                world.prove("b", &Shape::shards(10, 500)).await;
                world.begun("PROVE_SHARD", 4).await;
                world.strikes();
                world.delete("a").await;
                world.succeeds("b").await;
                world.recovered();
                world.is_gone("a").await;
            },
        ),
    ]
}

/// One wide worker that keeps intermediate artifacts to itself: ten thousand tasks of two milliseconds are a load on the
/// coordinator, not on the store.
fn ten_thousand(setup: &mut Setup) {
    setup.workers = 1;
    setup.patience = Duration::from_secs(900);
    setup.pool = json!({"capacity": 200});
    setup.worker_env = vec![("PROVOST_SIM_LOCAL_ARTIFACTS".into(), "true".into())];
}

/// Waits until the proof has expired: not before its deadline, and not long after it.
async fn expires(world: &World, name: &str) {
    let proof = world.ends(name, "Expired").await;
    let deadline = proof.spec.deadline.as_ref().unwrap().0;
    let late = proof
        .finished_at()
        .unwrap()
        .duration_since(deadline)
        .as_secs_f64();
    // The status knows whole seconds. Longest for those whose leader is away.
    assert!(
        (-1.0..30.0).contains(&late),
        "expired {late} s after its deadline"
    );
}

/// A deadline.
fn in_seconds(seconds: i64) -> String {
    (jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds)).to_string()
}
