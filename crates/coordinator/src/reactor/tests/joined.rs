//! The native door on live streams, and on broken ones that come back.

use provost_proto::link::up_message::Message as Up;
use provost_proto::worker::TaskType::*;

use super::env::{Env, Said, p, spec, t};
use super::peer::*;
use crate::core::Phase;

/// A process with the root of proof `p` on it; the root is `t1`.
fn with_root() -> (Env, Peer) {
    let mut env = Env::new();
    let peer = env.join("pod");
    assert_eq!(env.submit(spec("p")), t("t1"));
    assert_eq!(env.heard(&peer), ["Assign t1 1"]);
    (env, peer)
}

#[test]
fn nothing_is_assigned_before_the_report() {
    let mut env = Env::new();
    env.submit(spec("p"));
    let peer = env.hello("pod", 1);
    assert_eq!(env.heard(&peer), ["Welcome 1"]);
    env.hear(&peer, [Up::Report(last())]);
    assert_eq!(env.heard(&peer), ["Assign t1 1"]);
}

#[test]
fn what_a_proof_hangs_on_goes_to_a_spot_node_only_where_no_other_has_room() {
    let mut env = Env::new();
    env.join_on_spot("spot");
    let lasting = env.join("lasting");
    let root = env.submit(spec("p"));
    assert_eq!(env.worker_of(&root).unwrap(), "lasting/execute");
    let children = ["a", "b", "c"];
    for (child, kind) in children
        .into_iter()
        .zip([CoreExecute, CoreExecute, ProveShard])
    {
        env.hear(&lasting, [Up::Create(create("p", 0, child, kind))]);
    }
    let places = children.map(|child| env.worker_of(&t(child)).unwrap());
    // Two executions and a Controller take 17 of 20 GiB; shards go anywhere.
    let expected = ["lasting/execute", "lasting/execute", "spot/prove"];
    assert_eq!(places, expected);
    env.hear(&lasting, [Up::Create(create("p", 0, "d", CoreExecute))]);
    assert_eq!(env.worker_of(&t("d")).unwrap(), "spot/execute");
}

#[test]
fn a_childs_life() {
    let (mut env, peer) = with_root();
    let child = create("p", 0, "c", ProveShard);
    env.hear(&peer, [Up::Create(child.clone()), Up::Create(child)]);
    assert_eq!(env.heard(&peer), ["Assign c 1"]);
    assert_eq!(env.used("pod/prove"), 4);
    let result = done(run("p", 0), "c", 1, "prove");
    env.hear(&peer, [Up::Done(result.clone()), Up::Done(result)]);
    assert_eq!(env.heard(&peer), ["Result c 4"]);
    assert_eq!(env.used("pod/prove"), 0);
    env.hear(&peer, [taken(run("p", 0), &["c"])]);
    assert_eq!(env.heard(&peer), ["Settled c"]);
}

#[test]
fn a_result_is_kept_until_creator_and_watchers_have_it() {
    let (mut env, peer) = with_root();
    let other = env.join("other");
    env.hear(
        &peer,
        [Up::Create(create("p", 0, "c", MarkerDeferredRecord))],
    );
    env.hear(&other, [Up::Watch(watch(run("p", 0), &["c"]))]);
    env.hear(&other, [Up::Done(done(run("p", 0), "c", 0, ""))]);
    assert_eq!(env.heard(&peer), ["Result c 4"]);
    assert_eq!(env.heard(&other), ["Result c 4"]);
    env.hear(&peer, [taken(run("p", 0), &["c"])]);
    assert!(env.heard(&other).is_empty());
    env.hear(&other, [taken(run("p", 0), &["c"])]);
    assert_eq!(env.heard(&other), ["Settled c"]);
    // Who asks late is answered at once.
    env.hear(&other, [Up::Watch(watch(run("p", 0), &["c", "nothing"]))]);
    assert_eq!(
        env.heard(&other),
        ["Result c 4", "Refused nothing UnknownTask"]
    );
}

#[test]
fn a_proof_is_concluded_once_that_is_stored() {
    let (mut env, peer) = with_root();
    let other = env.join("other");
    env.hear(&other, [Up::Watch(watch(run("p", 0), &[]))]);
    env.hear(&peer, [Up::Conclude(conclude(run("p", 0), "t1", false))]);
    env.hear(&peer, [Up::Conclude(conclude(run("p", 0), "t1", false))]);
    assert!(env.outcome().is_some());
    assert!(env.heard(&peer).is_empty());
    env.react(|r| r.proof_stored(&p("p")));
    assert_eq!(env.heard(&peer), ["Concluded 0", "Over 0"]);
    assert_eq!(env.heard(&other), ["Over 0"]);
    assert_eq!(env.used("pod/execute"), 1);
    env.hear(&peer, [Up::Done(done(run("p", 0), "t1", 1, "execute"))]);
    assert_eq!(env.used("pod/execute"), 0);
    // Said again to a leader that knows, and to one that has forgotten.
    for _ in 0..2 {
        env.forget();
        env.hear(&peer, [Up::Conclude(conclude(run("p", 0), "t1", false))]);
        assert_eq!(env.heard(&peer), ["Concluded 0", "Over 0"]);
        env.react(|r| r.proof_forgotten(&p("p")));
    }
}

#[test]
fn a_failure_is_retried_and_a_stale_one_ignored() {
    let (mut env, peer) = with_root();
    env.hear(&peer, [Up::Create(create("p", 0, "c", ProveShard))]);
    env.hear(&peer, [Up::Done(failed(run("p", 0), "c", 1, "prove"))]);
    assert_eq!(env.heard(&peer), ["Assign c 1", "Counted c", "Settled c"]);
    env.wait(2_000);
    assert_eq!(env.heard(&peer), ["Assign c 2"]);
    env.hear(&peer, [Up::Done(failed(run("p", 0), "c", 1, "prove"))]);
    assert_eq!(env.heard(&peer), ["Settled c"]);
    assert!(matches!(env.phase(&t("c")), Some(Phase::Assigned(_))));
    assert_eq!(env.used("pod/prove"), 4);
    // A success counts, whichever attempt it is of.
    let other = env.join("other");
    env.hear(&other, [Up::Done(done(run("p", 0), "c", 1, "prove"))]);
    assert_eq!(env.phase(&t("c")), Some(Phase::Succeeded));
    assert_eq!(env.heard(&peer), ["Cancel c", "Result c 4"]);
}

#[test]
fn messages_are_heard_once_and_in_order() {
    let (mut env, peer) = with_root();
    env.hear(&peer, [Up::Create(create("p", 0, "x", CoreExecute))]);
    let reader = env.join("reader");
    env.hear(&peer, [say(run("p", 0), "x", 0)]);
    env.hear(&reader, [Up::Listen(listen(run("p", 0), "x", 0))]);
    env.hear(
        &peer,
        [
            say(run("p", 0), "x", 0),
            say(run("p", 0), "x", 1),
            say(run("p", 0), "x", 3),
        ],
    );
    assert_eq!(env.heard(&reader), ["Heard x 0", "Heard x 1"]);
    assert_eq!(env.heard(&peer), ["Refused x Invalid"]);
    env.hear(&peer, [Up::Done(done(run("p", 0), "x", 1, "execute"))]);
    assert_eq!(env.heard(&reader), ["End x 2"]);
    env.hear(&reader, [Up::Listen(listen(run("p", 0), "x", 1))]);
    assert_eq!(env.heard(&reader), ["Heard x 1", "End x 2"]);
}

#[test]
fn what_was_lost_with_a_stream_is_sent_again() {
    let (mut env, peer) = with_root();
    let creates = ["c", "d", "e"].map(|id| Up::Create(create("p", 0, id, SetupVkey)));
    env.hear(&peer, creates);
    env.forget();
    env.breaks(&peer);
    // What waits is not lost, and nothing goes where nobody listens.
    env.hear(
        &Peer {
            conn: 999,
            ..peer.clone()
        },
        [],
    );
    let peer = env.rejoin(&peer);
    let mut report = last();
    report
        .running
        .push(running(run("p", 0), "t1", Controller, "execute"));
    report
        .running
        .push(running(run("p", 0), "c", SetupVkey, "prove"));
    report.done.push(done(run("p", 0), "d", 1, "prove"));
    // This one was lost on its way here.
    report.created = ["c", "d", "e", "f"]
        .map(|id| create("p", 0, id, SetupVkey))
        .to_vec();
    env.hear(&peer, [Up::Report(report)]);
    let heard = env.heard(&peer);
    assert_eq!(
        heard,
        ["Welcome 1", "Result d 4", "Assign e 1", "Assign f 1"]
    );
    assert_eq!(env.used("pod/prove"), 3);
}

#[test]
fn a_result_that_is_not_asked_for_any_more_was_taken() {
    let (mut env, peer) = with_root();
    env.hear(&peer, [Up::Create(create("p", 0, "c", ProveShard))]);
    env.hear(&peer, [Up::Done(done(run("p", 0), "c", 1, "prove"))]);
    let peer = env.rejoin(&peer);
    env.forget();
    let mut report = last();
    report
        .running
        .push(running(run("p", 0), "t1", Controller, "execute"));
    report.done.push(done(run("p", 0), "c", 1, "prove"));
    env.hear(&peer, [Up::Report(report)]);
    assert_eq!(env.heard(&peer), ["Settled c"]);
}

#[test]
fn a_cancelled_task_keeps_its_room_until_it_has_stopped() {
    let (mut env, peer) = with_root();
    env.react(|r| r.proof_cancelled(&p("p"), "enough")).unwrap();
    assert_eq!(env.heard(&peer), ["Cancel t1"]);
    assert_eq!(env.used("pod/execute"), 1);
    env.pass(&[&peer], 6_000);
    assert!(env.said().iter().any(|said| matches!(
        said,
        Said::Event(crate::WorkerEvent::Recycle { pod, .. }) if pod == "pod"
    )));
    let mut stopped = done(run("p", 0), "t1", 1, "execute");
    stopped.outcome = Some(provost_proto::link::done::Outcome::Stopped(true));
    env.hear(&peer, [Up::Done(stopped)]);
    assert_eq!(env.used("pod/execute"), 0);
    // Not before it is stored: a later leader might still ask.
    assert!(env.heard(&peer).is_empty());
    env.react(|r| r.proof_stored(&p("p")));
    assert_eq!(env.heard(&peer), ["Over 0"]);
}

#[test]
fn a_run_that_begins_again_is_over_for_everyone() {
    let (mut env, peer) = with_root();
    let other = env.join("other");
    env.hear(&peer, [Up::Create(create("p", 0, "x", CoreExecute))]);
    env.hear(&other, [Up::Watch(watch(run("p", 0), &["x"]))]);
    env.hear(&peer, [Up::Done(failed(run("p", 0), "x", 1, "execute"))]);
    assert_eq!(env.heard(&other), ["Over 0"]);
    env.wait(2_000);
    assert_eq!(env.heard(&other), ["Assign t2 1"]);
    // What the old run still says leads to nothing.
    env.forget();
    env.hear(
        &peer,
        [
            Up::Create(create("p", 0, "y", ProveShard)),
            Up::Conclude(conclude(run("p", 0), "t1", true)),
            Up::Watch(watch(run("p", 0), &["y"])),
        ],
    );
    assert_eq!(env.heard(&peer), ["Over 0"]);
    assert!(env.phase(&t("y")).is_none());
    // But a proof is a proof.
    env.hear(&peer, [Up::Conclude(conclude(run("p", 0), "t1", false))]);
    assert!(env.outcome().is_some());
}

#[test]
fn another_process_of_the_same_pod_has_nothing_of_the_first() {
    let (mut env, peer) = with_root();
    let other = env.join("other");
    let second = env.hello("pod", 2);
    assert!(env.said().contains(&Said::CloseLink(peer.conn)));
    env.hear(&second, [Up::Report(last())]);
    assert_eq!(env.heard(&other), ["Assign t2 1"]);
}

#[test]
fn silence_takes_the_leaves_away_and_a_word_ends_it() {
    let (mut env, peer) = with_root();
    env.hear(&peer, [Up::Create(create("p", 0, "c", ProveShard))]);
    env.forget();
    env.wait(8_000);
    assert_eq!(env.heard(&peer), ["Cancel c", "Counted c"]);
    env.hear(&peer, [Up::Done(done(run("p", 0), "c", 1, "prove"))]);
    assert_eq!(env.phase(&t("c")), Some(Phase::Succeeded));
    env.hear(&peer, [Up::Create(create("p", 0, "d", ProveShard))]);
    assert_eq!(env.heard(&peer), ["Result c 4", "Assign d 1"]);
}

#[test]
fn a_draining_process_gets_nothing_more() {
    let (mut env, peer) = with_root();
    env.hear(&peer, [Up::Drain(provost_proto::link::Drain::default())]);
    env.hear(&peer, [Up::Create(create("p", 0, "c", ProveShard))]);
    assert!(env.heard(&peer).is_empty());
    let peer = env.rejoin(&peer);
    let mut report = last();
    report
        .running
        .push(running(run("p", 0), "t1", Controller, "execute"));
    report.created.push(create("p", 0, "c", ProveShard));
    env.hear(&peer, [Up::Report(report)]);
    assert_eq!(env.heard(&peer), ["Welcome 1"]);
}

#[test]
fn a_task_handed_back_goes_elsewhere() {
    let (mut env, peer) = with_root();
    env.hear(&peer, [Up::Create(create("p", 0, "c", ProveShard))]);
    let other = env.join("other");
    env.forget();
    let mut stopped = done(run("p", 0), "c", 1, "prove");
    stopped.outcome = Some(provost_proto::link::done::Outcome::Stopped(true));
    env.hear(&peer, [Up::Done(stopped)]);
    assert_eq!(env.heard(&other), ["Assign c 2"]);
    let tally = &env.core.task("c").unwrap().tally;
    assert_eq!(tally.other.preemptions, 1);
}
