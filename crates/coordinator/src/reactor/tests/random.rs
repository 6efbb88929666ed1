//! Random events in random order: the books stay right, and in the end every proof ends.

use std::collections::HashSet;

use bytes::Bytes;
use proptest::prelude::*;
use provost_proto::worker::TaskType::{self, *};
use provost_proto::worker::WorkerType;

use super::env::{Env, Said, p, spec, w};
use crate::failure::FailureClass::{self, NodeLost, OutOfMemory, Preempted, Transient};
use crate::ids::{SubId, TaskId};
use crate::proof_spec::ProofSpec;
use crate::state::{TaskChange, TaskChangeKind};

/// One event; numbers pick among what there is.
#[derive(Clone, Debug)]
enum Op {
    Open(usize),
    Close(usize),
    Break(usize),
    LosePod(usize, FailureClass),
    Beat(usize, bool),
    Submit(usize),
    Create(usize, TaskType),
    CreateNamed(usize, u8),
    Complete(usize),
    CompleteElsewhere(usize),
    Fail(usize, bool, FailureClass),
    CompleteProof(usize),
    FailProof(usize),
    CancelProof(usize),
    Stored(usize),
    Forget(usize),
    Priority(usize, i32),
    OpenSub(usize, usize),
    BreakSub(usize),
    Ack(usize, u8),
    Send(usize),
    Read(usize, u8),
    Wait(i64),
}

const PODS: usize = 4;
const PROOFS: usize = 4;

fn op() -> impl Strategy<Value = Op> {
    let n = 0..64usize;
    let kind = proptest::sample::select(vec![
        SetupVkey,
        CoreExecute,
        MarkerDeferredRecord,
        ProveShard,
        ProveShard,
        RecursionReduce,
        ShrinkWrap,
        Groth16Wrap,
    ]);
    let class = proptest::sample::select(vec![NodeLost, OutOfMemory, Preempted, Transient]);
    prop_oneof![
        4 => n.clone().prop_map(Op::Open),
        1 => n.clone().prop_map(Op::Close),
        2 => n.clone().prop_map(Op::Break),
        2 => (n.clone(), class.clone()).prop_map(|(i, c)| Op::LosePod(i, c)),
        6 => (n.clone(), any::<bool>()).prop_map(|(i, b)| Op::Beat(i, b)),
        4 => n.clone().prop_map(Op::Submit),
        12 => (n.clone(), kind).prop_map(|(i, k)| Op::Create(i, k)),
        2 => (n.clone(), any::<u8>()).prop_map(|(i, k)| Op::CreateNamed(i, k % 8)),
        8 => n.clone().prop_map(Op::Complete),
        1 => n.clone().prop_map(Op::CompleteElsewhere),
        3 => (n.clone(), any::<bool>(), class).prop_map(|(i, r, c)| Op::Fail(i, r, c)),
        1 => n.clone().prop_map(Op::CompleteProof),
        1 => n.clone().prop_map(Op::FailProof),
        1 => n.clone().prop_map(Op::CancelProof),
        1 => n.clone().prop_map(Op::Stored),
        1 => n.clone().prop_map(Op::Forget),
        1 => (n.clone(), -2..3).prop_map(|(i, x)| Op::Priority(i, x)),
        2 => (n.clone(), n.clone()).prop_map(|(i, j)| Op::OpenSub(i, j)),
        1 => n.clone().prop_map(Op::BreakSub),
        2 => (n.clone(), any::<u8>()).prop_map(|(i, k)| Op::Ack(i, k)),
        2 => n.clone().prop_map(Op::Send),
        2 => (n, any::<u8>()).prop_map(|(i, k)| Op::Read(i, k % 4)),
        4 => (1..9_000i64).prop_map(Op::Wait),
    ]
}

fn worker(i: usize) -> (String, WorkerType, u32) {
    let pod = (i / 2) % PODS;
    match (pod, i % 2) {
        (3, _) if i < 48 => ("stock".to_owned(), WorkerType::All, 30),
        (3, _) => ("stock".to_owned(), WorkerType::Cpu, 12),
        (_, 0) => (format!("pod{pod}/execute"), WorkerType::Cpu, 18),
        _ => (format!("pod{pod}/prove"), WorkerType::Gpu, 9),
    }
}

fn proof(i: usize) -> String {
    format!("p{}", i % PROOFS)
}

/// Some task, which may be final, with its proof and its worker.
fn some_task(env: &Env, i: usize, running: bool) -> Option<(TaskId, String, Option<String>)> {
    let mut all = Vec::new();
    for k in 0..PROOFS {
        let tasks = env.core.proof(&proof(k)).map(|p| p.tasks.all().cloned());
        all.extend(tasks.into_iter().flatten());
    }
    all.retain(|id| !running || env.worker_of(id).is_some());
    let id = all.get(i % all.len().max(1))?.clone();
    let proof = env.core.task(&id)?.proof.to_string();
    let worker = env.worker_of(&id);
    Some((id, proof, worker))
}

fn apply(env: &mut Env, op: Op, readers: &mut u64, forgotten: &mut usize) {
    match op {
        Op::Open(i) => {
            let (id, kind, weight) = worker(i);
            env.open(&id, kind, weight);
        }
        Op::Close(i) => {
            let _ = env.react(|r| r.worker_closed(&w(&worker(i).0)));
        }
        Op::Break(i) => {
            let id = w(&worker(i).0);
            if let Some(conn) = env.core.worker(&id).and_then(|w| w.conn) {
                env.react(|r| r.stream_broken(&id, conn));
            }
        }
        Op::LosePod(i, class) => {
            env.lose(w(&worker(i).0).pod(), class);
        }
        Op::Beat(i, all) => {
            let id = w(&worker(i).0);
            let held = env.core.worker(&id).map(|w| w.holds().clone());
            let mut active = Vec::new();
            for (task, hold) in held.unwrap_or_default() {
                if hold.is_live() || all {
                    active.push((hold.proof, task));
                }
            }
            if all && i > 32 {
                active.push((p("p9"), format!("foreign{}", i % 3).into()));
            }
            let _ = env.react(|r| r.heartbeat(&id, &active, 20));
        }
        Op::Submit(i) => {
            let spec = ProofSpec {
                requester: format!("tenant{}", i % 3),
                ..spec(&proof(i))
            };
            let _ = env.react(|r| r.proof_submitted(spec));
        }
        Op::Create(i, kind) => {
            let root = env.core.proof(&proof(i)).and_then(|p| p.root.clone());
            let holder = root.and_then(|root| env.worker_of(&root));
            let _ = env.try_create(&holder.unwrap_or_default(), &proof(i), kind, None);
        }
        Op::CreateNamed(i, name) => {
            let name = format!("named{name}");
            let creator = worker(i).0;
            let _ = env.try_create(&creator, &proof(i), ProveShard, Some(&name));
        }
        Op::Complete(i) => {
            if let Some((task, proof, Some(worker))) = some_task(env, i, true) {
                // A root is completed by its proof.
                if env.core.proof(&proof).unwrap().root.as_ref() != Some(&task) {
                    env.complete(&worker, &proof, &task);
                }
            }
        }
        Op::CompleteElsewhere(i) => {
            if let Some((task, proof, _)) = some_task(env, i, false)
                && env.core.proof(&proof).unwrap().root.as_ref() != Some(&task)
            {
                env.complete(&worker(i + 1).0, &proof, &task);
            }
        }
        Op::Fail(i, retryable, class) => {
            if let Some((task, proof, Some(worker))) = some_task(env, i, true) {
                env.fail(&worker, &proof, &task, retryable || i > 8, Some(class))
                    .unwrap();
            }
        }
        Op::CompleteProof(i) => {
            let (worker, proof) = (w(&worker(i).0), p(&proof(i)));
            let _ = env.react(|r| r.proof_completed(&worker, &proof, String::new()));
        }
        Op::FailProof(i) => {
            if env.core.proof(&proof(i)).is_some() {
                env.fail_proof(&worker(i).0, &proof(i), None);
            }
        }
        Op::CancelProof(i) => {
            let _ = env.react(|r| r.proof_cancelled(&p(&proof(i)), "random"));
        }
        Op::Stored(i) => env.react(|r| r.proof_stored(&p(&proof(i)))),
        Op::Forget(i) => {
            let ended = env.core.proof(&proof(i)).map(|p| p.ended.is_some());
            if ended == Some(true) || i > 48 {
                env.react(|r| r.proof_forgotten(&p(&proof(i))));
                *forgotten += usize::from(ended == Some(false));
            }
        }
        Op::Priority(i, priority) => {
            env.react(|r| r.priority_set(&p(&proof(i)), priority));
        }
        Op::OpenSub(i, j) => {
            let sub = SubId::from(format!("s{}", i % 3));
            let tasks: Vec<_> = some_task(env, j, false).into_iter().map(|t| t.0).collect();
            *readers += 1;
            let conn = *readers;
            let _ = env.react(|r| r.sub_opened(&sub, &p(&proof(i)), &tasks, conn));
        }
        Op::BreakSub(i) => {
            let sub = SubId::from(format!("s{}", i % 3));
            if let Some(conn) = env.core.sub(&sub).and_then(|s| s.conn) {
                env.react(|r| r.sub_broken(&sub, conn));
            }
        }
        Op::Ack(i, number) => {
            let sub = SubId::from(format!("s{}", i % 3));
            let _ = env.react(|r| r.sub_acked(&sub, &number.to_string()));
        }
        Op::Send(i) => {
            if let Some((task, _, Some(worker))) = some_task(env, i, true) {
                let payload = Bytes::from_static(b"x");
                env.react(|r| r.message_sent(&w(&worker), &task, payload))
                    .unwrap();
            }
        }
        Op::Read(i, offset) => {
            if let Some((task, _, _)) = some_task(env, i, false) {
                *readers += 1;
                let reader = *readers;
                env.react(|r| r.reader_opened(&task, offset.into(), reader))
                    .unwrap();
            }
        }
        Op::Wait(millis) => env.wait(millis),
    }
}

/// With healthy workers everything that waits is done, and every proof with it.
fn settle(env: &mut Env) {
    for i in 0..8 {
        let (_, kind, _) = worker(i);
        env.open(&format!("healthy{i}/x"), kind, 64);
    }
    for _ in 0..10_000 {
        env.now += 1_000;
        env.react(|r| r.tick());
        let ids: Vec<_> = env.core.workers().map(|w| w.id.clone()).collect();
        for id in ids {
            let live = env.core.worker(&id).unwrap().live();
            let live: Vec<_> = live.map(|(t, h)| (h.proof.clone(), t.clone())).collect();
            let _ = env.react(|r| r.heartbeat(&id, &live, 0));
        }
        let mut idle = true;
        for k in 0..PROOFS {
            let id = proof(k);
            let Some(live) = env.core.proof(&id).filter(|p| p.ended.is_none()) else {
                continue;
            };
            idle = false;
            let root = live.root.clone().unwrap();
            let tasks: Vec<_> = live.tasks.open().cloned().collect();
            let open = |env: &Env, task: &TaskId| {
                let phase = env.phase(task);
                *task != root && phase.is_some_and(|phase| !phase.is_final())
            };
            for task in tasks {
                let marker = env
                    .core
                    .task(&task)
                    .is_some_and(|t| t.kind == MarkerDeferredRecord);
                let worker = env.worker_of(&task);
                if open(env, &task) && (worker.is_some() || marker) {
                    env.complete(worker.as_deref().unwrap_or("x"), &id, &task);
                }
            }
            let waiting = env
                .core
                .proof(&id)
                .unwrap()
                .tasks
                .open()
                .any(|t| open(env, t));
            if let Some(worker) = env.worker_of(&root)
                && !waiting
            {
                env.complete_proof(&worker, &id);
            }
        }
        if idle {
            return;
        }
    }
    panic!("proofs that never end");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, max_shrink_iters: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_every_proof_ends_once(ops in proptest::collection::vec(op(), 1..120)) {
        let mut env = Env::new();
        let (mut readers, mut forgotten) = (1_000, 0);
        for op in ops {
            apply(&mut env, op, &mut readers, &mut forgotten);
        }
        settle(&mut env);
        let first_root = |kind: &TaskChangeKind| {
            matches!(kind, TaskChangeKind::Created { root: true, run: 0, .. })
        };
        let begun = env.out.changes.iter().filter(|c| first_root(&c.kind)).count();
        let ended = env.out.said.iter().filter(|s| matches!(s, Said::Finish(_))).count();
        prop_assert_eq!(begun, ended + forgotten);
        prop_assert_eq!(env.core.stats().active_tasks, 0);
        env.wait(3_600_000);
        (0..PROOFS).for_each(|i| {
            env.react(|r| r.proof_forgotten(&p(&proof(i))));
        });
        prop_assert_eq!(env.core.left_over(), 0);
        tasks_end_once(&env.out.changes);
    }
}

/// Every task that the state hears of is created once, and ends once.
fn tasks_end_once(changes: &[TaskChange]) {
    let mut open = HashSet::new();
    for change in changes {
        match change.kind {
            TaskChangeKind::Created { .. } => assert!(open.insert(&change.task), "{change:?}"),
            TaskChangeKind::Succeeded { .. }
            | TaskChangeKind::Failed(_)
            | TaskChangeKind::Dropped => assert!(open.remove(&change.task), "{change:?}"),
            _ => assert!(open.contains(&change.task), "{change:?}"),
        }
    }
    assert!(open.is_empty(), "{open:?}");
}
