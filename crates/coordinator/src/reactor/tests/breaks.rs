//! A process whose stream ends: it is given up soon, and takes back what it can when it returns.

use provost_proto::link as wire;
use provost_proto::link::up_message::Message as Up;
use provost_proto::worker::TaskType::*;
use provost_scheduler::retry::History;

use super::env::{Env, Said, p, spec, t};
use super::peer::*;
use crate::config::Config;
use crate::core::Phase;
use crate::events::WorkerEvent;
use crate::failure::{FailureClass, Loss};

/// A process with the root of proof `p` and a shard `c` on it. A root is given no more time than a shard.
fn with_shard() -> (Env, Peer) {
    let mut config = Config::default();
    config.root_break_grace = config.break_grace;
    with_shard_and(config)
}

fn with_shard_and(config: Config) -> (Env, Peer) {
    let mut env = Env::with(config);
    let peer = env.join("pod");
    env.submit(spec("p"));
    env.hear(&peer, [Up::Create(create("p", 0, "c", ProveShard))]);
    assert_eq!(env.heard(&peer), ["Assign t1 1", "Assign c 1"]);
    (env, peer)
}

/// What the process of [`with_shard`] reports when it is back.
fn report() -> wire::Report {
    let mut report = last();
    let root = running(run("p", 0), "t1", Controller, "execute");
    let shard = running(run("p", 0), "c", ProveShard, "prove");
    report.running.extend([root, shard]);
    report.created.push(create("p", 0, "c", ProveShard));
    report
}

fn tallies(env: &Env) -> Vec<u32> {
    let proof = env.core.proof("p").unwrap();
    let shard = env.core.task("c").map(|task| task.tally.other.losses);
    let kinds = proof.tallies.values().map(|tally| tally.other.losses);
    kinds.chain(shard).collect()
}

#[test]
fn it_is_given_up_after_the_grace_and_takes_everything_back() {
    let (mut env, peer) = with_shard();
    env.breaks(&peer);
    env.now += 149;
    env.react(|r| r.breaks_due());
    assert!(env.core.worker("pod/execute").is_some());
    env.now += 1;
    env.react(|r| r.breaks_due());
    assert!(env.core.worker("pod/execute").is_none());
    assert_eq!(env.phase(&t("t1")), Some(Phase::Queued));
    assert_eq!(env.phase(&t("c")), Some(Phase::Queued));
    assert_eq!(tallies(&env), [1, 1, 1]);

    let peer = env.rejoin(&peer);
    env.hear(&peer, [Up::Report(report())]);
    let heard = env.heard(&peer);
    assert!(
        !heard.iter().any(|said| said.starts_with("Assign")),
        "{heard:?}"
    );
    assert_eq!(env.worker_of(&t("t1")).as_deref(), Some("pod/execute"));
    assert_eq!(env.worker_of(&t("c")).as_deref(), Some("pod/prove"));
    assert_eq!(env.core.proof("p").unwrap().run, 0);
    assert_eq!(tallies(&env), [0, 0, 0], "it was not lost");
    assert_eq!(env.used("pod/prove"), 4);
    // What it says then counts, and what it made is settled.
    env.hear(&peer, [Up::Done(done(run("p", 0), "c", 1, "prove"))]);
    env.hear(&peer, [taken(run("p", 0), &["c"])]);
    assert_eq!(env.heard(&peer), ["Result c 4", "Settled c"]);
}

#[test]
fn one_with_a_root_gets_more_time() {
    let (mut env, peer) = with_shard_and(Config::default());
    let _other = env.join("other");
    env.breaks(&peer);
    env.wait(3900);
    assert_eq!(env.worker_of(&t("t1")).as_deref(), Some("pod/execute"));
    env.wait(200);
    assert_eq!(env.core.proof("p").unwrap().run, 1);
}

#[test]
fn one_that_is_back_within_the_grace_was_never_away() {
    let (mut env, peer) = with_shard();
    env.breaks(&peer);
    env.now += 100;
    let peer = env.rejoin(&peer);
    env.hear(&peer, [Up::Report(report())]);
    env.now += 100;
    env.react(|r| r.breaks_due());
    assert_eq!(env.worker_of(&t("c")).as_deref(), Some("pod/prove"));
    assert!(env.core.proof("p").unwrap().tallies.is_empty());
}

#[test]
fn of_two_attempts_the_first_result_counts() {
    for late_wins in [true, false] {
        let mut env = Env::new();
        let driver = env.driver();
        env.submit(spec("p"));
        let late = env.join("late");
        env.hear(&driver, [Up::Create(create("p", 0, "e", ProveShard))]);
        assert_eq!(env.worker_of(&t("e")).as_deref(), Some("late/prove"));
        env.forget();
        env.breaks(&late);
        let other = env.join("other");
        env.now += 150;
        env.react(|r| r.breaks_due());
        assert_eq!(env.heard(&other), ["Assign e 2"]);
        let late = env.rejoin(&late);
        let mut report = last();
        report
            .running
            .push(running(run("p", 0), "e", ProveShard, "prove"));
        env.hear(&late, [Up::Report(report)]);
        assert_eq!(env.heard(&late), ["Welcome 1"], "it goes on");
        assert_eq!((env.used("late/prove"), env.used("other/prove")), (4, 4));
        let (winner, loser, attempt) = match late_wins {
            true => (&late, &other, 1),
            false => (&other, &late, 2),
        };
        env.hear(winner, [Up::Done(done(run("p", 0), "e", attempt, "prove"))]);
        assert_eq!(env.phase(&t("e")), Some(Phase::Succeeded));
        assert_eq!(env.heard(loser), ["Cancel e"]);
        assert_eq!(env.heard(&driver).last().unwrap(), "Result e 4");
    }
}

#[test]
fn an_attempt_that_goes_on_takes_the_place_of_one_that_fails() {
    let mut env = Env::new();
    let driver = env.driver();
    env.submit(spec("p"));
    let late = env.join("late");
    env.hear(&driver, [Up::Create(create("p", 0, "e", ProveShard))]);
    env.breaks(&late);
    let other = env.join("other");
    env.wait(200);
    let late = env.rejoin(&late);
    let mut report = last();
    report
        .running
        .push(running(run("p", 0), "e", ProveShard, "prove"));
    env.hear(&late, [Up::Report(report)]);
    env.hear(&other, [Up::Done(failed(run("p", 0), "e", 2, "prove"))]);
    assert_eq!(env.worker_of(&t("e")).as_deref(), Some("late/prove"));
    env.lose("late", FailureClass::NodeLost);
    assert_eq!(env.worker_of(&t("e")).as_deref(), Some("other/prove"));
}

#[test]
fn a_proof_begins_again_once_there_is_a_place_for_it() {
    let (mut env, peer) = with_shard();
    env.breaks(&peer);
    env.wait(200);
    assert_eq!(env.core.proof("p").unwrap().run, 0);
    env.forget();
    let other = env.hello("other", 1);
    env.hear(&other, [Up::Report(last())]);
    env.wait(100);
    assert_eq!(env.core.proof("p").unwrap().run, 1);
    assert_eq!(env.worker_of(&t("t2")).as_deref(), Some("other/execute"));
    // The shard was sent nowhere before that.
    assert_eq!(env.heard(&other), ["Welcome 1", "Assign t2 1"]);
    // Too late.
    let peer = env.rejoin(&peer);
    env.forget();
    env.hear(&peer, [Up::Report(report())]);
    assert_eq!(env.heard(&peer), ["Over 0"]);
    assert_eq!(env.used("pod/execute"), 1, "until it has stopped");
}

#[test]
fn where_there_is_a_place_it_begins_again_at_once_and_its_shards_go_nowhere() {
    let (mut env, peer) = with_shard();
    let other = env.join("other");
    env.forget();
    env.breaks(&peer);
    env.now += 150;
    env.react(|r| r.breaks_due());
    assert_eq!(env.heard(&other), ["Assign t2 1"]);
}

#[test]
fn why_it_is_gone_may_be_known_later() {
    let (mut env, peer) = with_shard();
    env.breaks(&peer);
    env.wait(200);
    env.open("small/prove", provost_proto::worker::WorkerType::Gpu, 8);
    env.wait(100);
    let loss = Loss::new(FailureClass::OutOfMemory, "pool small, memory limit 8Gi");
    env.open("large/prove", provost_proto::worker::WorkerType::Gpu, 9);
    env.react(|r| r.pod_lost("pod", &loss));
    let proof = env.core.proof("p").unwrap();
    let tally = &proof.tallies[&Controller];
    assert_eq!((tally.memory.losses, tally.other.losses), (1, 0));
    // It will not come back: its proof begins again without waiting for a place.
    assert_eq!(proof.run, 1);
}

#[test]
fn a_leaf_that_ran_out_of_memory_needs_more_when_that_is_known() {
    let mut env = Env::new();
    let driver = env.driver();
    env.submit(spec("p"));
    let late = env.join("late");
    env.hear(&driver, [Up::Create(create("p", 0, "e", ProveShard))]);
    env.open("large/prove", provost_proto::worker::WorkerType::Gpu, 3);
    env.breaks(&late);
    env.wait(200);
    assert_eq!(env.phase(&t("e")), Some(Phase::Queued));
    env.open("huge/plonk", provost_proto::worker::WorkerType::Cpu, 90);
    env.forget();
    env.react(|r| {
        let loss = Loss::new(FailureClass::OutOfMemory, "");
        r.pod_lost("late", &loss)
    });
    let task = env.core.task("e").unwrap();
    assert_eq!(task.tally.memory.losses, 1);
    assert_eq!(task.tally.other, History::default());
    // Its creator has the count that holds.
    let told = env.told(&driver);
    assert!(told.iter().any(|message| matches!(
        message,
        wire::down_message::Message::Counted(m) if m.attempts.unwrap().out_of_memory == 1
    )));
}

#[test]
fn one_that_drains_was_told_to_go() {
    let (mut env, peer) = with_shard();
    env.hear(&peer, [Up::Drain(wire::Drain::default())]);
    env.breaks(&peer);
    env.wait(200);
    let proof = env.core.proof("p").unwrap();
    assert_eq!(proof.tallies[&Controller].other.preemptions, 1);
    assert_eq!(proof.tallies[&Controller].other.losses, 0);
    assert!(env.outcome().is_none());
}

fn recycled(env: &mut Env) -> bool {
    let mut said = env.said().into_iter();
    said.any(|said| matches!(said, Said::Event(WorkerEvent::Recycle { .. })))
}

/// Who cannot be heard cannot have heard what to stop either.
#[test]
fn a_silent_process_is_not_replaced_for_what_it_was_told_meanwhile() {
    let (mut env, peer) = with_shard();
    let told = Config::default().recycle_grace.as_millis() as i64;
    let other = env.join("other");
    env.pass(&[&other], 8_000);
    assert_eq!(env.worker_of(&t("c")).as_deref(), Some("other/prove"));
    env.pass(&[&other], told + 1_000);
    env.said();
    env.pass(&[&other, &peer], told - 1);
    assert!(!recycled(&mut env), "it has as much time as any");
    assert_eq!(env.worker_of(&t("t1")).as_deref(), Some("pod/execute"));
    env.pass(&[&other, &peer], 2_000);
    assert!(recycled(&mut env), "it has not stopped the shard");
}

/// It stops by itself between two chunks of its program, of which one may take seconds.
#[test]
fn an_execution_has_more_time_to_stop() {
    let mut env = Env::new();
    let peer = env.join("pod");
    env.submit(spec("p"));
    env.hear(&peer, [Up::Create(create("p", 0, "x", CoreExecute))]);
    env.react(|r| r.proof_cancelled(&p("p"), "enough")).unwrap();
    // The Controller has stopped.
    let mut root = done(run("p", 0), "t1", 1, "execute");
    root.outcome = Some(wire::done::Outcome::Stopped(true));
    env.hear(&peer, [Up::Done(root)]);
    env.said();
    let told = Config::default().execution_recycle_grace.as_millis() as i64;
    env.pass(&[&peer], told - 2_000);
    assert!(!recycled(&mut env), "it has yet to stop");
    assert_ne!(env.used("pod/execute"), 0);
    env.pass(&[&peer], 3_000);
    assert!(recycled(&mut env), "it has not stopped");
}

#[test]
fn one_that_is_back_says_what_it_runs_before_it_is_judged() {
    let (mut env, peer) = with_shard();
    env.react(|r| r.proof_cancelled(&p("p"), "enough")).unwrap();
    env.wait(7_000);
    let peer = env.rejoin(&peer);
    env.wait(100);
    assert!(!recycled(&mut env), "it has yet to say");
    env.hear(&peer, [Up::Report(last())]);
    env.wait(100);
    assert!(!recycled(&mut env));
    assert_eq!(env.used("pod/prove"), 0, "it has stopped");
}

#[test]
fn what_was_told_to_stop_is_not_taken_back() {
    let (mut env, peer) = with_shard();
    env.breaks(&peer);
    env.wait(200);
    let peer = env.rejoin(&peer);
    let mut report = report();
    report.running[1].stopping = true;
    env.hear(&peer, [Up::Report(report)]);
    assert_eq!(env.worker_of(&t("t1")).as_deref(), Some("pod/execute"));
    // It has room for another attempt besides, which waits there until the first has stopped.
    assert_eq!(env.heard(&peer), ["Welcome 1", "Counted c", "Assign c 2"]);
    assert_eq!(env.worker_of(&t("c")).as_deref(), Some("pod/prove"));
}
