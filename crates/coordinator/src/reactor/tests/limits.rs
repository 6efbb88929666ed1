//! Tasks that take too long, proofs that stand still.

use std::time::Duration;

use provost_proto::link::up_message::Message as Up;
use provost_proto::worker::TaskType::*;

use super::env::{Env, Said, spec, t};
use super::peer::*;
use crate::config::{Config, Timeouts};
use crate::core::Phase;
use crate::events::WorkerEvent;
use crate::failure::FailureClass;
use crate::proof_spec::{ProofSpec, Root};

const MINUTE: i64 = 60_000;

fn short() -> Config {
    Config {
        timeouts: Timeouts {
            prove_shard: 60_000,
            core_execute: 120_000,
            execute_only: 3_600_000,
            ..Timeouts::default()
        },
        progress_limit: Duration::from_secs(600),
        ..Config::default()
    }
}

fn recycled(env: &mut Env) -> Vec<String> {
    let said = env.said().into_iter();
    said.filter_map(|said| match said {
        Said::Event(WorkerEvent::Recycle { pod, .. }) => Some(pod),
        _ => None,
    })
    .collect()
}

#[test]
fn a_task_that_takes_too_long_is_stopped_and_goes_elsewhere() {
    let mut env = Env::with(short());
    let peer = env.join("pod");
    env.submit(spec("p"));
    env.hear(&peer, [Up::Create(create("p", 0, "c", ProveShard))]);
    env.pass(&[&peer], MINUTE - 1_000);
    assert_eq!(env.heard(&peer), ["Assign t1 1", "Assign c 1"]);
    let other = env.join("other");
    env.pass(&[&peer, &other], 2_000);
    assert_eq!(env.heard(&peer), ["Cancel c", "Counted c"]);
    assert_eq!(env.core.task("c").unwrap().tally.other.retries, 1);
    assert_eq!(env.used("pod/prove"), 4, "until it has stopped");
    env.pass(&[&peer, &other], 2_000);
    assert!(env.heard(&other).is_empty() && recycled(&mut env).is_empty());
    env.pass(&[&peer, &other], 4_000);
    assert_eq!(recycled(&mut env), ["pod"]);
    assert_eq!(env.heard(&other), ["Assign c 2"]);
    // What it makes in the end is a result all the same.
    env.hear(&peer, [Up::Done(done(run("p", 0), "c", 1, "prove"))]);
    assert_eq!(env.heard(&other), ["Cancel c"]);
}

#[test]
fn a_task_that_takes_too_long_every_time_fails_its_proof() {
    let mut env = Env::with(short());
    let peer = env.join("pod");
    env.submit(ProofSpec {
        max_retries: Some(1),
        ..spec("p")
    });
    env.hear(&peer, [Up::Create(create("p", 0, "c", ProveShard))]);
    env.pass(&[&peer], MINUTE + 1_000);
    let mut stopped = done(run("p", 0), "c", 1, "prove");
    stopped.outcome = Some(provost_proto::link::done::Outcome::Stopped(true));
    env.hear(&peer, [Up::Done(stopped)]);
    env.pass(&[&peer], 2 * MINUTE);
    let failure = env.failure();
    assert_eq!(failure.class, FailureClass::Timeout);
    let start = "ProveShard took longer than 60 s on pod/prove (attempt 2, the last";
    assert!(failure.message.starts_with(start), "{}", failure.message);
    assert_eq!(failure.task_type, Some(ProveShard));
}

#[test]
fn an_execution_that_takes_too_long_begins_its_proof_again() {
    let mut env = Env::with(short());
    let peer = env.join("pod");
    env.submit(spec("p"));
    env.hear(&peer, [Up::Create(create("p", 0, "x", CoreExecute))]);
    env.pass(&[&peer], 2 * MINUTE + 1_000);
    let proof = env.core.proof("p").unwrap();
    assert_eq!(proof.run, 1);
    assert_eq!(proof.tallies[&CoreExecute].other.retries, 1);
}

#[test]
fn time_goes_on_under_another_leader() {
    let mut env = Env::with(short());
    let peer = env.join("pod");
    env.submit(spec("p"));
    env.hear(&peer, [Up::Create(create("p", 0, "c", ProveShard))]);
    let peer = env.rejoin(&peer);
    let mut report = last();
    report
        .running
        .push(running(run("p", 0), "t1", Controller, "execute"));
    let mut shard = running(run("p", 0), "c", ProveShard, "prove");
    shard.ran_ms = 59_000;
    report.running.push(shard);
    report.created.push(create("p", 0, "c", ProveShard));
    env.hear(&peer, [Up::Report(report)]);
    env.forget();
    env.pass(&[&peer], 3_000);
    assert_eq!(env.heard(&peer)[..2], ["Cancel c", "Counted c"]);
}

#[test]
fn a_proof_in_which_nothing_happens_begins_again_and_says_what_it_waits_for() {
    let mut env = Env::with(Config {
        timeouts: Timeouts::default(),
        ..short()
    });
    let peer = env.join("pod");
    env.submit(ProofSpec {
        max_retries: Some(1),
        ..spec("p")
    });
    for run in 0..2 {
        let root = env.root("p");
        env.hear(
            &peer,
            [Up::Create(create(
                "p",
                run,
                &format!("x{run}"),
                CoreExecute,
            ))],
        );
        let marker = create("p", run, &format!("m{run}"), MarkerDeferredRecord);
        env.hear(&peer, [Up::Create(marker)]);
        env.pass(&[&peer], 5 * MINUTE);
        env.hear(
            &peer,
            [say(super::peer::run("p", run), &format!("x{run}"), 0)],
        );
        env.pass(&[&peer], 9 * MINUTE);
        assert_eq!(env.root("p"), root, "a message is progress");
        env.pass(&[&peer], MINUTE + 2_000);
        if run == 0 {
            assert_eq!(env.core.proof("p").unwrap().run, 1);
            env.pass(&[&peer], 2_000);
            for task in ["t1", "x0"] {
                let mut stopped = done(super::peer::run("p", 0), task, 1, "execute");
                stopped.outcome = Some(provost_proto::link::done::Outcome::Stopped(true));
                env.hear(&peer, [Up::Done(stopped)]);
            }
        }
    }
    let failure = env.failure();
    assert_eq!(failure.class, FailureClass::Timeout);
    let start = "nothing happened for 10 min: the proof waits for MarkerDeferredRecord m1";
    assert!(failure.message.starts_with(start), "{}", failure.message);
}

#[test]
fn a_proof_that_waits_for_workers_or_for_a_long_task_does_not_stand_still() {
    let mut env = Env::with(Config {
        timeouts: Timeouts::default(),
        ..short()
    });
    let peer = env.join("pod");
    env.submit(spec("p"));
    env.hear(&peer, [Up::Create(create("p", 0, "w", PlonkWrap))]);
    env.pass(&[&peer], 30 * MINUTE);
    assert_eq!(env.phase(&t("w")), Some(Phase::Queued));
    env.hear(&peer, [Up::Create(create("p", 0, "c", ProveShard))]);
    env.pass(&[&peer], 20 * MINUTE);
    env.submit(ProofSpec {
        kind: Root::Execute,
        ..spec("q")
    });
    env.pass(&[&peer], 5 * MINUTE);
    assert_eq!(env.core.proof("p").unwrap().run, 0);
    assert_eq!(env.core.proof("q").unwrap().run, 0);
}
