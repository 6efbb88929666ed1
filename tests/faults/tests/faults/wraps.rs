//! Proofs that are wrapped for chains. Simulated workers alone wrap, so that the operator has to be told to take such requests.

use provost_faults::check::{another_run, has_proof};
use provost_faults::executions::Executions;
use provost_faults::proof::Shape;
use provost_faults::scenario::Scenario;
use provost_faults::world::Setup;
use serde_json::json;

/// The scenarios.
pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new("groth16_and_plonk", "none", async |world| {
            for mode in ["Groth16", "Plonk"] {
                let shape = Shape::shards(4, 50).spec("mode", mode);
                world.prove(&mode.to_lowercase(), &shape).await;
            }
            for name in ["groth16", "plonk"] {
                assert!(has_proof(&world.succeeds(name).await), "{name}");
            }
            for kind in ["GROTH16_WRAP", "PLONK_WRAP"] {
                assert_eq!(world.executions().starts(kind).count(), 1, "{kind}");
            }
        })
        .setup(wrapping),
        Scenario::new(
            "plonk_wraps_follow_each_other",
            "none: 3 Plonk proofs, room for two wraps on the worker",
            async |world| {
                let names = ["p0", "p1", "p2"];
                for name in names {
                    world.prove(name, &wrapped("Plonk", 800)).await;
                }
                for name in names {
                    world.succeeds(name).await;
                }
                let most = at_once(&world.executions(), "PLONK_WRAP");
                assert_eq!(most, 1, "they fill the machine's cache and disk");
            },
        )
        .setup(|setup| {
            wrapping(setup);
            setup.workers = 1;
            setup.pool = json!({"capacity": 160});
            let capacity = ("PROVOST_SIM_EXECUTE_CAPACITY".into(), "140".into());
            setup.worker_env = vec![capacity];
        }),
        Scenario::new("cancel_while_wrapping", "spec.cancel", async |world| {
            world.prove("p", &wrapped("Groth16", 4000)).await;
            world.begun("GROTH16_WRAP", 1).await;
            world.strikes();
            world.edit("p", json!({"cancel": true})).await;
            world.ends("p", "Cancelled").await;
            world.prove("q", &wrapped("Groth16", 50)).await;
            world.succeeds("q").await;
            world.recovered();
        })
        .setup(wrapping)
        .lingers(),
        Scenario::new(
            "leader_killed_while_wrapping",
            "leader SIGKILL",
            async |world| {
                world.prove("p", &wrapped("Plonk", 6000)).await;
                world.begun("PLONK_WRAP", 1).await;
                let (leader, epoch) = world.term().await;
                world.strikes();
                world.replicas[leader].kill();
                world.leader_after(epoch).await;
                world.replicas[leader].start();
                assert!(has_proof(&world.succeeds("p").await));
                world.recovered();
            },
        )
        .setup(wrapping),
        Scenario::new(
            "worker_killed_while_it_wraps",
            "worker SIGKILL",
            async |world| {
                world.prove("p", &wrapped("Groth16", 3000)).await;
                let worker = world.of(&world.begun("GROTH16_WRAP", 1).await);
                world.strikes();
                worker.process.kill();
                world.begun("GROTH16_WRAP", 2).await;
                world.recovered();
                world.wait_workers(3).await;
                assert!(has_proof(&world.succeeds("p").await));
            },
        )
        .setup(|setup| {
            wrapping(setup);
            setup.workers = 3;
        })
        // The Controller's, should it be the same worker.
        .allow(another_run(20)),
    ]
}

/// An operator that takes proofs to be wrapped, and workers with room for each wrap.
fn wrapping(setup: &mut Setup) {
    setup.operator_env = vec![("PROVOST_SIMULATED_WRAPS".into(), "true".into())];
    setup.pool = json!({"capacity": 100});
    setup.worker_env = vec![("PROVOST_SIM_EXECUTE_CAPACITY".into(), "75".into())];
}

/// A small proof whose last step takes so many milliseconds.
fn wrapped(mode: &str, ms: u32) -> Shape {
    let wrap = format!("{}_WRAP", mode.to_uppercase());
    Shape::shards(4, 50).spec("mode", mode).takes(&wrap, ms)
}

/// The most tasks of a type that ran at the same time.
fn at_once(all: &Executions, kind: &str) -> i32 {
    let notes = all.notes.iter().filter(|note| note.kind == kind);
    // Of two notes of one millisecond the end counts first.
    let mut steps: Vec<(i64, i32)> = notes
        .map(|note| (note.ms, if note.starts() { 1 } else { -1 }))
        .collect();
    steps.sort_unstable();
    let running = steps.iter().scan(0, |running, (_, step)| {
        *running += step;
        Some(*running)
    });
    running.max().unwrap_or_default()
}
