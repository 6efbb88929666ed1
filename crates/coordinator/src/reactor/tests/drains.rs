//! Processes that are told to go and say when they end.

use provost_proto::link as wire;
use provost_proto::link::up_message::Message as Up;
use provost_proto::worker::TaskType::*;

use super::env::{Env, spec, t};
use super::peer::*;
use crate::core::Phase;

fn drain(env: &mut Env, peer: &Peer, grace_ms: u64) {
    env.hear(peer, [Up::Drain(wire::Drain { grace_ms })]);
}

fn preemptions(env: &Env) -> u32 {
    let proof = env.core.proof("p").unwrap();
    let tally = proof.tallies.get(&Controller);
    tally.map_or(0, |tally| tally.other.preemptions)
}

/// A process that runs a whole proof alone, and has been seen to prove a shard in 10 s and to reduce in 2 s.
fn alone() -> (Env, Peer) {
    let mut env = Env::new();
    let peer = env.join("pod");
    env.submit(spec("p"));
    env.hear(&peer, [Up::Create(create("p", 0, "x", CoreExecute))]);
    for (id, kind, millis) in [("s0", ProveShard, 10_000), ("r0", RecursionReduce, 2_000)] {
        env.hear(&peer, [Up::Create(create("p", 0, id, kind))]);
        env.pass(&[&peer], millis);
        env.hear(&peer, [Up::Done(done(run("p", 0), id, 1, "prove"))]);
        env.hear(&peer, [taken(run("p", 0), &[id])]);
    }
    env.forget();
    (env, peer)
}

#[test]
fn the_only_worker_hands_a_proof_back_at_once() {
    let (mut env, peer) = alone();
    env.hear(&peer, [Up::Done(done(run("p", 0), "x", 1, "execute"))]);
    env.hear(&peer, [Up::Create(create("p", 0, "s1", ProveShard))]);
    env.hear(&peer, [Up::Create(create("p", 0, "s2", ProveShard))]);
    env.hear(&peer, [Up::Create(create("p", 0, "s3", ProveShard))]);
    assert_eq!(env.phase(&t("s3")), Some(Phase::Queued), "nobody takes it");
    env.forget();
    drain(&mut env, &peer, 600_000);
    let heard = env.heard(&peer);
    assert!(heard.contains(&"Cancel t1".to_owned()), "{heard:?}");
    assert!(heard.contains(&"Over 0".to_owned()), "{heard:?}");
    assert_eq!(env.core.proof("p").unwrap().run, 1);
    assert_eq!(preemptions(&env), 1);
    assert_eq!(
        env.core.proof("p").unwrap().tallies[&Controller]
            .other
            .retries,
        0
    );
    // The next run begins elsewhere.
    let other = env.join("other");
    env.pass(&[&peer, &other], 1_000);
    assert_eq!(
        env.worker_of(&env.root("p")).as_deref(),
        Some("other/execute")
    );
}

#[test]
fn a_proof_that_is_likely_to_end_in_time_is_kept_until_it_is_not() {
    let (mut env, peer) = alone();
    env.hear(&peer, [Up::Done(done(run("p", 0), "x", 1, "execute"))]);
    env.hear(&peer, [Up::Create(create("p", 0, "s1", ProveShard))]);
    env.forget();
    // 15 s for the shard, 6 s for two levels of reduction.
    drain(&mut env, &peer, 30_000);
    env.pass(&[&peer], 9_000);
    assert!(env.heard(&peer).is_empty());
    env.hear(&peer, [Up::Done(done(run("p", 0), "s1", 1, "prove"))]);
    env.pass(&[&peer], 10_000);
    assert_eq!(env.core.proof("p").unwrap().run, 0);
    env.pass(&[&peer], 10_000);
    assert_eq!(env.core.proof("p").unwrap().run, 1, "its time is up");
    assert_eq!(preemptions(&env), 1);
}

#[test]
fn a_proof_whose_shards_are_elsewhere_is_kept_too() {
    let (mut env, peer) = alone();
    env.hear(&peer, [Up::Done(done(run("p", 0), "x", 1, "execute"))]);
    let other = env.join("other");
    drain(&mut env, &peer, 45_000);
    for id in ["s1", "s2", "s3"] {
        env.hear(&peer, [Up::Create(create("p", 0, id, ProveShard))]);
    }
    env.pass(&[&peer, &other], 1_000);
    assert_eq!(env.core.proof("p").unwrap().run, 0);
    // Two at a time, and the third waits: that is too long for less.
    drain(&mut env, &peer, 30_000);
    assert_eq!(env.core.proof("p").unwrap().run, 1);
}

#[test]
fn a_leaf_that_does_not_fit_goes_elsewhere_and_may_still_end_first() {
    let (mut env, driver) = alone();
    let peer = env.join("prover");
    for id in ["a", "b", "c", "d"] {
        env.hear(&driver, [Up::Create(create("p", 0, id, ProveShard))]);
    }
    let mine: Vec<_> = ["a", "b", "c", "d"]
        .into_iter()
        .filter(|id| env.worker_of(&t(id)).as_deref() == Some("prover/prove"))
        .collect();
    assert_eq!(mine.len(), 2);
    env.pass(&[&driver, &peer], 2_000);
    let other = env.join("other");
    env.forget();
    // 13 s to go each.
    drain(&mut env, &peer, 14_500);
    assert!(env.heard(&other).is_empty());
    drain(&mut env, &peer, 12_000);
    assert_eq!(env.heard(&other).len(), 2);
    assert!(env.heard(&peer).is_empty(), "they go on there");
    let tally = &env.core.task(mine[0]).unwrap().tally.other;
    assert_eq!((tally.preemptions, tally.retries), (1, 0));
    env.hear(&peer, [Up::Done(done(run("p", 0), mine[0], 1, "prove"))]);
    assert_eq!(env.heard(&other), [format!("Cancel {}", mine[0])]);
    assert_eq!(env.phase(&t(mine[0])), Some(Phase::Succeeded));
    assert_eq!(env.used("prover/prove"), 4);
}

#[test]
fn what_nothing_is_known_of_is_tried_until_time_is_up() {
    let mut env = Env::new();
    let driver = env.driver();
    env.submit(spec("p"));
    let peer = env.join("prover");
    env.hear(&driver, [Up::Create(create("p", 0, "c", ProveShard))]);
    assert_eq!(env.worker_of(&t("c")).as_deref(), Some("prover/prove"));
    drain(&mut env, &peer, 10_000);
    env.pass(&[&driver, &peer], 8_000);
    assert_eq!(env.worker_of(&t("c")).as_deref(), Some("prover/prove"));
    env.pass(&[&driver, &peer], 1_000);
    assert_eq!(env.phase(&t("c")), Some(Phase::Queued));
}

#[test]
fn a_process_that_waits_for_whatever_runs_keeps_it() {
    let (mut env, peer) = alone();
    drain(&mut env, &peer, 0);
    env.pass(&[&peer], 60_000);
    assert_eq!(env.core.proof("p").unwrap().run, 0);
}

#[test]
fn a_new_leader_hands_back_what_the_last_did_not() {
    let mut env = Env::new();
    env.join("pod");
    env.submit(spec("p"));
    let peer = env.hello("pod", 1);
    drain(&mut env, &peer, 5_000);
    assert_eq!(env.core.proof("p").unwrap().run, 0, "it has not reported");
    let mut report = last();
    report
        .running
        .push(running(run("p", 0), "t1", Controller, "execute"));
    env.hear(&peer, [Up::Report(report)]);
    env.pass(&[&peer], 1_000);
    assert_eq!(env.core.proof("p").unwrap().run, 1);
}
