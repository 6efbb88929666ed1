//! How large a proof's shards are, and who gets them.

use provost_proto::worker::TaskType::*;
use provost_proto::worker::{TaskData, WorkerType};

use super::env::{Env, p, spec, t};
use crate::config::Config;
use crate::failure::FailureClass;
use crate::proof_spec::{ProofSpec, Root};
use crate::shards::GpuPools;
use crate::shards::ShardSize::{self, Full, Reduced};
use crate::term::{RecoveredProof, Term};

/// One executor, and provers for shards of these sizes: gpu0, gpu1, ...
fn provers(sizes: &[ShardSize]) -> Env {
    let mut env = Env::new();
    env.open("cpu", WorkerType::Cpu, 40);
    for (number, size) in sizes.iter().enumerate() {
        env.open_for(&format!("gpu{number}"), WorkerType::Gpu, 8, *size);
    }
    env
}

fn size(env: &Env, proof: &str) -> Option<ShardSize> {
    env.core.proof(proof).unwrap().progress().shards
}

/// What a task's worker is told of shards.
fn told(env: &Env, task: &str) -> String {
    let data = env.core.task(task).unwrap().data.clone().unwrap();
    TaskData::from_bytes(&data).unwrap().metadata
}

#[test]
fn the_smallest_prover_decides() {
    for (sizes, expected) in [
        (&[][..], Reduced),
        (&[Full, Full], Full),
        (&[Full, Reduced], Reduced),
    ] {
        let mut env = provers(sizes);
        env.submit(spec("p"));
        assert_eq!(size(&env, "p"), Some(expected), "{sizes:?}");
        let execute = env.create("cpu", "p", CoreExecute);
        let order = format!(r#"{{"element_threshold":{}}}"#, expected.elements());
        assert_eq!(told(&env, &execute), order);
        let shard = env.create("cpu", "p", ProveShard);
        assert_eq!(told(&env, &shard), "");
    }
}

#[test]
fn gpus_that_are_still_to_come_decide_with_those_that_are_here() {
    let pools = |wanted, shards| GpuPools { wanted, shards };
    // With a CPU that proves, and GPUs for shards of these sizes.
    for (cpu, gpus, expected, size) in [
        (false, &[][..], pools(true, Some(Full)), Full),
        (true, &[], pools(true, Some(Reduced)), Reduced),
        (true, &[], pools(true, Some(Full)), Full),
        (true, &[], pools(true, None), Reduced),
        (false, &[Full], pools(true, Some(Reduced)), Reduced),
        (false, &[Reduced], pools(true, Some(Full)), Reduced),
        // Of a GPU that nobody has seen yet nothing follows for those that are here.
        (true, &[Full], pools(true, None), Full),
        // Pools that ask for no workers now.
        (true, &[], pools(false, Some(Reduced)), Full),
        (false, &[], pools(false, Some(Full)), Full),
        (false, &[Full], pools(false, Some(Reduced)), Full),
    ] {
        let mut env = provers(gpus);
        if cpu {
            env.prover("slow", false, 64, Full);
        }
        env.react(|r| r.core.expect_gpus(expected));
        env.submit(spec("p"));
        let chosen = env.core.proof("p").unwrap().shards;
        assert_eq!(chosen, Some(size), "cpu {cpu}, gpus {gpus:?}, {expected:?}");
    }
}

#[test]
fn which_gpus_are_to_come_holds_for_the_next_term() {
    let mut env = Env::standby(Config::default());
    let shards = Some(Full);
    let wanted = true;
    env.react(|r| r.core.expect_gpus(GpuPools { wanted, shards }));
    env.react(|r| r.lead(Term::first(2)));
    env.submit(spec("p"));
    assert_eq!(env.core.proof("p").unwrap().shards, Some(Full));
}

#[test]
fn an_execution_has_no_shards() {
    let mut env = provers(&[Full]);
    env.submit(ProofSpec {
        kind: Root::Execute,
        ..spec("p")
    });
    assert_eq!(size(&env, "p"), None);
}

#[test]
fn full_shards_go_to_no_small_prover() {
    let mut env = provers(&[Full]);
    env.submit(spec("p"));
    env.create("cpu", "p", CoreExecute);
    // It comes when the size is set already, and has more room than the other.
    env.open("small", WorkerType::Gpu, 64);
    for _ in 0..3 {
        env.create("cpu", "p", ProveShard);
    }
    assert_eq!((env.used("gpu0"), env.used("small")), (8, 0));
    // What is no shard it takes.
    let reduce = env.create("cpu", "p", RecursionReduce);
    assert_eq!(env.worker_of(&reduce).as_deref(), Some("small"));
    // The next proof counts with it.
    env.submit(spec("q"));
    assert_eq!(size(&env, "q"), Some(Reduced));

    // The same worker with another GPU.
    env.open_for("small", WorkerType::Gpu, 64, Full);
    assert_eq!(env.used("small"), 3 + 4);
}

#[test]
fn shards_that_nobody_can_prove_are_explained() {
    let mut env = provers(&[Full]);
    env.submit(spec("p"));
    env.open("small", WorkerType::Gpu, 64);
    env.lose("gpu0", FailureClass::NodeLost);
    env.create("cpu", "p", ProveShard);
    let message = env.core.explain(&p("p")).unwrap().unschedulable().unwrap();
    assert!(
        message.contains("none of 1 GPU workers can prove them"),
        "{message}"
    );
    assert!(message.contains("suspend and resume"), "{message}");
}

#[test]
fn the_next_leader_goes_on_with_the_same_size_and_the_next_run_chooses_again() {
    let mut env = Env::standby(Config::default());
    let recovered = RecoveredProof {
        spec: spec("p"),
        run: 0,
        root: t("root"),
        attempts: Default::default(),
        gpu_ms: 0,
        shards: Some(Full),
        succeeded: Default::default(),
        finished: false,
    };
    let term = Term {
        proofs: vec![recovered],
        expected: vec!["gone".to_owned()],
        ..Term::first(2)
    };
    env.react(|r| r.lead(term));
    env.open("cpu", WorkerType::Cpu, 40);
    env.open("small", WorkerType::Gpu, 64);
    assert_eq!(size(&env, "p"), Some(Full));

    // Nobody has its root: it begins again, for the provers of now.
    env.lose("gone", FailureClass::NodeLost);
    assert_eq!(size(&env, "p"), Some(Reduced));
    env.create("cpu", "p", ProveShard);
    assert_eq!(env.used("small"), 4);
}
