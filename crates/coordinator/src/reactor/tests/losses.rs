//! Workers that go away.

use provost_proto::link as wire;
use provost_proto::link::up_message::Message as Up;
use provost_proto::worker::TaskType::*;
use provost_proto::worker::WorkerType;
use provost_scheduler::retry::History;

use super::env::{Env, Said, p, spec, w};
use super::peer::{done, run};
use crate::core::Phase;
use crate::events::{Device, WorkerEvent};
use crate::failure::FailureClass::{NodeLost, OutOfMemory, Preempted};
use crate::proof_spec::{ProofSpec, Root};
use crate::refusal::Refusal;
use crate::shards::ShardSize;

/// A driver that stays, and provers that come and go.
fn with_driver() -> Env {
    let mut env = Env::new();
    env.open("driver", WorkerType::Cpu, 16);
    env.submit(spec("p"));
    env
}

#[test]
fn tasks_of_a_lost_pod_go_elsewhere_at_once() {
    let mut env = with_driver();
    env.open("a/prove", WorkerType::Gpu, 8);
    let shard = env.create("driver", "p", ProveShard);
    env.open("b/prove", WorkerType::Gpu, 8);
    env.said();
    assert_eq!(env.lose("a", NodeLost), 1);
    assert_eq!(env.worker_of(&shard).unwrap(), "b/prove");
    let said = env.said();
    assert!(said.contains(&Said::CloseWorker("a/prove".into())));
    assert!(said.contains(&Said::Event(WorkerEvent::Lost {
        worker: w("a/prove"),
        class: NodeLost,
        message: "pool small, memory limit 3Gi".into(),
        proofs: [p("p")].into(),
        device: None,
    })));
    assert_eq!(env.lose("a", NodeLost), 0, "once is enough");
    let beat = env.beat("a/prove", &[]);
    assert_eq!(beat, Err(Refusal::UnknownWorker(w("a/prove"))));
}

#[test]
fn a_proof_that_takes_workers_down_everywhere_is_told_as_poison_and_one_that_lost_some_is_not() {
    let mut env = with_driver();
    let poison = Said::Event(WorkerEvent::Poison { proof: p("p") });
    env.open("a0/prove", WorkerType::Gpu, 4);
    env.create("driver", "p", ProveShard);
    for i in 0..3 {
        env.open(&format!("a{}/prove", i + 1), WorkerType::Gpu, 4);
        env.said();
        env.lose(&format!("a{i}"), NodeLost);
        assert_eq!(env.said().contains(&poison), i == 2, "after worker {i}");
    }

    let mut env = with_driver();
    env.create("driver", "p", ProveShard);
    for i in 0..6 {
        env.open(&format!("a{i}/prove"), WorkerType::Gpu, 4);
        env.lose(&format!("a{i}"), Preempted);
    }
    assert!(!env.said().contains(&poison));
}

#[test]
fn workers_that_break_at_a_proof_by_their_own_word_are_told_with_it() {
    let mut env = with_driver();
    let shard = env.create("driver", "p", ProveShard);
    let pods = ["a0", "a1", "a2"];
    let peers = pods.map(|pod| env.prover(pod, true, 4, ShardSize::Full));
    for i in 0..3 {
        let worker = env.worker_of(&shard).unwrap();
        let peer = peers.iter().find(|peer| worker.starts_with(&peer.pod));
        let peer = peer.unwrap();
        let attempt = env.core.task(&shard).unwrap().attempt;
        env.said();
        let outcome = wire::done::Outcome::Failed(wire::Failed {
            class: "NodeLost".to_owned(),
            retryable: true,
            message: "panic".to_owned(),
        });
        let failed = wire::Done {
            outcome: Some(outcome),
            ..done(run("p", 0), &shard, attempt, "prove")
        };
        env.hear(peer, [Up::Done(failed)]);
        let said = env.said();
        assert!(said.contains(&Said::Event(WorkerEvent::Broke {
            worker: w(&worker),
            proof: p("p"),
            device: Some(Device::default()),
        })));
        let poison = Said::Event(WorkerEvent::Poison { proof: p("p") });
        assert_eq!(said.contains(&poison), i == 2, "after worker {i}");
        env.hear(peer, [Up::Drain(wire::Drain::default())]);
    }
}

#[test]
fn three_workers_out_of_memory_are_enough() {
    let mut env = with_driver();
    env.open("a0/prove", WorkerType::Gpu, 3);
    let reduce = env.create("driver", "p", RecursionReduce);
    for i in 0..3 {
        assert_eq!(env.worker_of(&reduce).unwrap(), format!("a{i}/prove"));
        env.open(&format!("a{}/prove", i + 1), WorkerType::Gpu, 3);
        env.said();
        env.lose(&format!("a{i}"), OutOfMemory);
    }
    let failure = env.failure();
    assert_eq!(failure.class, OutOfMemory);
    assert_eq!(
        failure.message,
        "RecursionReduce ran out of memory on 3 workers (pool small, memory limit 3Gi): raise the pool's memory"
    );
    assert_eq!(failure.task_type, Some(RecursionReduce));
}

/// Each pod that comes in place of the last one is on the same bad node, and idle.
#[test]
fn a_node_that_takes_down_its_workers_is_avoided_and_counts_once() {
    let mut env = with_driver();
    env.react(|r| r.pod_placed("a0", Some("bad")));
    env.open("a0/prove", WorkerType::Gpu, 3);
    let reduce = env.create("driver", "p", RecursionReduce);
    env.open("good/prove", WorkerType::Gpu, 3);
    // It is known late.
    env.react(|r| r.pod_placed("good", Some("good")));
    let other = env.create("driver", "p", RecursionReduce);
    assert_eq!(env.worker_of(&other).unwrap(), "good/prove");
    for i in 0..4 {
        assert_eq!(env.worker_of(&reduce).unwrap(), format!("a{i}/prove"));
        env.said();
        env.lose(&format!("a{i}"), NodeLost);
        let next = format!("a{}", i + 1);
        env.react(|r| r.pod_placed(&next, Some("bad")));
        env.open(&format!("{next}/prove"), WorkerType::Gpu, 3);
        env.wait_beating(20_000);
        assert!(env.outcome().is_none(), "after {} losses", i + 1);
    }
    env.complete("good/prove", "p", &other);
    env.lose("a4", NodeLost);
    env.react(|r| r.pod_placed("a5", Some("bad")));
    env.open("a5/prove", WorkerType::Gpu, 3);
    env.wait_beating(20_000);
    assert_eq!(env.worker_of(&reduce).unwrap(), "good/prove");
}

#[test]
fn losses_are_counted_by_class() {
    let mut env = with_driver();
    let reduce = env.create("driver", "p", RecursionReduce);
    let classes = [
        OutOfMemory,
        NodeLost,
        Preempted,
        OutOfMemory,
        NodeLost,
        Preempted,
        Preempted,
    ];
    for (i, class) in classes.into_iter().enumerate() {
        env.open(&format!("a{i}/prove"), WorkerType::Gpu, 3);
        env.lose(&format!("a{i}"), class);
        assert_eq!(env.phase(&reduce), Some(Phase::Queued), "{i}");
    }
    env.open("z/prove", WorkerType::Gpu, 3);
    env.said();
    env.lose("z", NodeLost);
    assert_eq!(env.failure().class, NodeLost);
}

#[test]
fn a_pod_with_both_roles_is_one_loss_for_each_of_its_tasks() {
    let mut env = Env::new();
    env.open_pod("a", 16, 16);
    env.submit(spec("p"));
    env.create("a/execute", "p", CoreExecute);
    env.create("a/execute", "p", ProveShard);
    env.said();
    assert_eq!(env.lose("a", OutOfMemory), 2);
    let proof = env.core.proof("p").unwrap();
    assert_eq!(proof.run, 1);
    for kind in [Controller, CoreExecute, ProveShard] {
        let tally = &proof.tallies[&kind];
        assert_eq!(tally.memory.losses, 1, "{kind:?}");
    }
    assert!(env.outcome().is_none());
}

#[test]
fn a_pod_that_is_killed_over_and_over_names_the_heaviest_of_its_tasks() {
    let mut env = Env::new();
    for i in 0..3 {
        env.open_pod(&format!("a{i}"), 16, 16);
        if i == 0 {
            env.submit(spec("p"));
        }
        env.create(&format!("a{i}/execute"), "p", ProveShard);
        env.said();
        env.lose(&format!("a{i}"), OutOfMemory);
    }
    let failure = env.failure();
    let start = "ProveShard ran out of memory on 3 workers (pool small";
    assert!(failure.message.starts_with(start), "{}", failure.message);
}

#[test]
fn a_light_task_beside_a_heavy_one_is_no_poison() {
    let mut env = Env::new();
    for i in 0..3 {
        let worker = format!("a{i}/execute");
        env.open(&worker, WorkerType::Cpu, 40);
        if i == 0 {
            env.submit(spec("light"));
            env.submit(spec("heavy"));
        }
        env.create(&worker, "heavy", CoreExecute);
        assert!(env.outcome().is_none(), "{i}");
        env.lose(&format!("a{i}"), NodeLost);
    }
    let outcome = env.outcome().unwrap();
    assert_eq!(outcome.proof, super::env::p("heavy"));
    env.open("b/execute", WorkerType::Cpu, 40);
    let root = env.root("light");
    assert_eq!(env.worker_of(&root).unwrap(), "b/execute");
}

#[test]
fn a_lost_root_begins_the_proof_again_elsewhere() {
    let mut env = Env::new();
    env.open("a/execute", WorkerType::Cpu, 16);
    env.open("gpu", WorkerType::Gpu, 16);
    let root = env.submit(spec("p"));
    let shard = env.create("a/execute", "p", ProveShard);
    env.open("b/execute", WorkerType::Cpu, 16);
    env.said();
    env.lose("a", NodeLost);
    let next = env.root("p");
    assert_ne!(next, root);
    assert_eq!(env.worker_of(&next).unwrap(), "b/execute");
    assert_eq!(env.phase(&shard), None);
    let said = env.said();
    assert!(said.contains(&Said::Cancel("gpu".into(), shard.to_string())));
    assert_eq!(env.core.proof("p").unwrap().run, 1);
}

#[test]
fn an_execution_is_begun_again_too() {
    let mut env = Env::new();
    env.open("a/execute", WorkerType::Cpu, 16);
    env.submit(ProofSpec {
        kind: Root::Execute,
        ..spec("p")
    });
    env.lose("a", NodeLost);
    env.open("b/execute", WorkerType::Cpu, 16);
    let root = env.root("p");
    assert_eq!(env.worker_of(&root).unwrap(), "b/execute");
}

#[test]
fn a_proof_that_was_made_before_its_worker_was_lost_is_made() {
    let mut env = Env::new();
    env.open("a/execute", WorkerType::Cpu, 16);
    env.submit(spec("p"));
    env.lose("a", NodeLost);
    env.open("b/execute", WorkerType::Cpu, 16);
    let root = env.root("p");
    env.said();
    // The old Controller had deleted the input already: a second run would find nothing.
    env.complete_proof("a/execute", "p");
    let said = env.said();
    assert!(said.contains(&Said::Cancel("b/execute".into(), root.to_string())));
    env.out.said = said;
    assert!(env.outcome().is_some());
}

#[test]
fn a_broken_stream_has_a_grace() {
    let mut env = with_driver();
    let conn = env.open("a/prove", WorkerType::Gpu, 8);
    let shard = env.create("driver", "p", ProveShard);
    env.react(|r| r.stream_broken(&w("a/prove"), conn));
    let other = env.create("driver", "p", RecursionReduce);
    assert_eq!(
        env.phase(&other),
        Some(Phase::Queued),
        "nothing new for a suspect"
    );
    env.wait(4_999);
    env.beat("driver", &[]).unwrap();
    assert_eq!(env.worker_of(&shard).unwrap(), "a/prove");

    // It is back in time, and goes on.
    env.open("a/prove", WorkerType::Gpu, 8);
    assert_eq!(env.worker_of(&other).unwrap(), "a/prove");
    // The end of the old stream means nothing any more.
    env.react(|r| r.stream_broken(&w("a/prove"), conn));
    env.wait(5_001);
    assert_eq!(env.worker_of(&shard).unwrap(), "a/prove");
}

#[test]
fn after_the_grace_the_worker_is_lost() {
    let mut env = with_driver();
    let conn = env.open("a/prove", WorkerType::Gpu, 8);
    let shard = env.create("driver", "p", ProveShard);
    env.react(|r| r.stream_broken(&w("a/prove"), conn));
    env.wait(5_000);
    assert_eq!(env.phase(&shard), Some(Phase::Queued));
    assert!(env.core.worker("a/prove").is_none());
}

#[test]
fn the_word_of_the_pod_watch_ends_the_grace() {
    let mut env = with_driver();
    let conn = env.open("a/prove", WorkerType::Gpu, 8);
    let shard = env.create("driver", "p", ProveShard);
    env.react(|r| r.stream_broken(&w("a/prove"), conn));
    env.lose("a", OutOfMemory);
    assert_eq!(env.phase(&shard), Some(Phase::Queued));
    let task = env.core.task(&shard).unwrap();
    assert_eq!(task.tally.memory.losses, 1);
    assert_eq!(task.tally.other, History::default());
}

#[test]
fn a_worker_that_beats_without_a_stream_is_asked_to_open_and_not_given_up() {
    let mut env = with_driver();
    let conn = env.open("a/prove", WorkerType::Gpu, 8);
    let shard = env.create("driver", "p", ProveShard);
    env.react(|r| r.stream_broken(&w("a/prove"), conn));
    for _ in 0..5 {
        env.wait(3_000);
        env.beat("driver", &[]).unwrap();
        let beat = env.beat("a/prove", &[("p", &shard)]);
        assert_eq!(beat, Err(Refusal::NoStream(w("a/prove"))));
    }
    assert_eq!(env.worker_of(&shard).unwrap(), "a/prove");
}

#[test]
fn silence_takes_the_leaves_first_and_the_root_later() {
    let mut env = Env::new();
    env.open("a", WorkerType::All, 16);
    let root = env.submit(spec("p"));
    let shard = env.create("a", "p", ProveShard);
    env.wait(8_000);
    assert_eq!(env.phase(&shard), Some(Phase::Queued));
    assert_eq!(env.worker_of(&root).unwrap(), "a");
    env.said();
    // It speaks again: it may go on, once it has let go of what was taken from it.
    env.wait(21_000);
    env.beat("a", &[("p", &root)]).unwrap();
    assert_eq!(env.worker_of(&shard).unwrap(), "a");
    env.wait(30_000);
    assert!(env.core.worker("a").is_none());
    assert_eq!(env.core.proof("p").unwrap().run, 1);
}

#[test]
fn a_closed_worker_finishes_what_it_has() {
    let mut env = with_driver();
    let conn = env.open("a/prove", WorkerType::Gpu, 8);
    let shard = env.create("driver", "p", ProveShard);
    env.react(|r| r.worker_closed(&w("a/prove"))).unwrap();
    let other = env.create("driver", "p", RecursionReduce);
    assert_eq!(env.phase(&other), Some(Phase::Queued));
    env.complete("a/prove", "p", &shard);
    env.said();
    env.react(|r| r.stream_broken(&w("a/prove"), conn));
    assert!(env.core.worker("a/prove").is_none());
    assert!(env.said().is_empty(), "nothing was lost");
}

#[test]
fn a_draining_worker_hands_tasks_back() {
    let mut env = with_driver();
    env.open("a/prove", WorkerType::Gpu, 8);
    let shard = env.create("driver", "p", ProveShard);
    env.open("b/prove", WorkerType::Gpu, 8);
    env.react(|r| r.worker_closed(&w("a/prove"))).unwrap();
    env.fail("a/prove", "p", &shard, true, Some(Preempted))
        .unwrap();
    assert_eq!(env.worker_of(&shard).unwrap(), "b/prove");
    assert_eq!(env.core.task(&shard).unwrap().tally.other.retries, 0);
}

#[test]
fn a_light_task_beside_a_heavy_one_is_not_to_blame_for_the_memory() {
    let mut env = with_driver();
    env.open("a/prove", WorkerType::Gpu, 8);
    let vkey = env.create("driver", "p", SetupVkey);
    let shard = env.create("driver", "p", ProveShard);
    env.open("large/prove", WorkerType::Gpu, 16);
    env.open("b/prove", WorkerType::Gpu, 8);
    env.lose("a", OutOfMemory);
    let tally = |id| &env.core.task(id).unwrap().tally.memory;
    assert_eq!(
        (tally(&vkey).min_capacity, tally(&shard).min_capacity),
        (0, 9)
    );
    assert_eq!(env.worker_of(&vkey).unwrap(), "b/prove");
    assert_eq!(env.worker_of(&shard).unwrap(), "large/prove");
}
