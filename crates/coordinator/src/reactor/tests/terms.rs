//! Changes of leader: what goes on, what is held, what begins again.

use std::collections::BTreeMap;
use std::time::Duration;

use provost_proto::link as wire;
use provost_proto::link::up_message::Message as Up;
use provost_proto::worker::TaskType::{self, *};
use provost_proto::worker::{TaskStatus, WorkerType};

use super::env::{Env, Said, p, spec, t, w};
use super::peer::*;
use crate::attempts::{Attempts, AttemptsByType};
use crate::config::Config;
use crate::core::{Held, Phase};
use crate::events::Recall;
use crate::explain::WaitReason;
use crate::failure::{FailureClass, Loss};
use crate::ids::TaskId;
use crate::shards::ShardSize;
use crate::state::ProofResult;
use crate::term::{RecoveredProof, Term};

/// A leader of epoch 2 that recovers proof `p` in run 3 with root `root`, and expects the given pods.
fn leader(expected: &[&str]) -> Env {
    let mut env = Env::standby(Config::default());
    lead(&mut env, expected);
    env
}

fn lead(env: &mut Env, expected: &[&str]) {
    lead_with(env, expected, BTreeMap::new());
}

fn lead_with(env: &mut Env, expected: &[&str], succeeded: BTreeMap<TaskType, u32>) {
    lead_of(env, expected, succeeded, false);
}

fn lead_of(env: &mut Env, expected: &[&str], succeeded: BTreeMap<TaskType, u32>, finished: bool) {
    let recovered = RecoveredProof {
        spec: spec("p"),
        run: 3,
        root: t("root"),
        attempts: Default::default(),
        gpu_ms: 0,
        shards: None,
        succeeded,
        finished,
    };
    let term = Term {
        epoch: 2,
        expected: expected.iter().map(|&pod| pod.to_owned()).collect(),
        proofs: vec![recovered],
        leaf_limit: Duration::from_secs(8),
        unit_limit: Duration::from_secs(30),
    };
    env.react(|r| r.lead(term));
}

fn of() -> wire::Run {
    run("p", 3)
}

/// A report of a process that runs the root.
fn rooted() -> wire::Report {
    let mut report = last();
    report
        .running
        .push(running(of(), "root", Controller, "execute"));
    report
}

/// Proof `p`, which is complete in the store, recovered by a leader that expects pod `a`.
fn finished() -> Env {
    let mut env = Env::standby(Config::default());
    lead_of(&mut env, &["a"], BTreeMap::new(), true);
    env
}

const HELD: Option<Phase> = Some(Phase::Held(Held::Recovery));

#[test]
fn what_was_handed_back_is_held_since_another_may_have_it_by_now() {
    let shard = t("c");
    let mut env = leader(&["a", "b", "d"]);
    let a = env.hello("a", 1);
    let mut report = rooted();
    report.created = vec![create("p", 3, "c", ProveShard)];
    env.hear(&a, [Up::Report(report)]);
    // The last leader had it stopped there.
    let b = env.hello("b", 2);
    let mut report = last();
    let mut stopped = done(of(), "c", 1, "prove");
    stopped.outcome = Some(wire::done::Outcome::Stopped(true));
    report.done.push(stopped);
    env.hear(&b, [Up::Report(report)]);
    assert_eq!(env.phase(&shard), HELD);
    // And gave it to this one.
    let d = env.hello("d", 3);
    let mut report = last();
    let mut goes_on = running(of(), "c", ProveShard, "prove");
    goes_on.attempt = 2;
    report.running.push(goes_on);
    env.hear(&d, [Up::Report(report)]);
    assert_eq!(env.worker_of(&shard).as_deref(), Some("d/prove"));
    assert_eq!(env.core.task(&shard).unwrap().attempt, 2);
    assert!(env.core.recovery().is_none());
}

#[test]
fn what_a_device_has_free_is_remembered_until_it_leads_and_followed_from_then_on() {
    let mut env = Env::standby(Config::default());
    let gpu = env.prover("a", true, 4, ShardSize::Full);
    let memory = |free_bytes| [Up::DeviceMemory(wire::DeviceMemory { free_bytes })];
    let free = |env: &Env| {
        let views = env.core.worker_views();
        views[0].device.as_ref().map(|device| device.free_bytes)
    };
    env.hear(&gpu, memory(7));
    lead(&mut env, &["a"]);
    assert_eq!(free(&env), Some(7));
    env.hear(&gpu, memory(5));
    assert_eq!(free(&env), Some(5));
}

#[test]
fn a_recall_of_what_nobody_has_told_of_yet_waits_for_the_word() {
    let mut env = leader(&["a"]);
    let recall = |env: &mut Env| env.react(|r| r.task_recalled(&t("shard")));
    assert_eq!(recall(&mut env), Recall::Recovering);
    let a = env.hello("a", 1);
    env.hear(&a, [Up::Report(rooted())]);
    assert!(env.core.recovery().is_none());
    assert_eq!(recall(&mut env), Recall::Unneeded);
}

#[test]
fn a_root_is_held_and_goes_on_where_it_runs() {
    let mut env = leader(&["a", "b"]);
    let b = env.join("b");
    assert_eq!(env.phase(&t("root")), HELD);
    let why = env.core.explain(&p("p")).unwrap().waits;
    assert_eq!(why[0].reason, WaitReason::Recovering);
    let a = env.hello("a", 1);
    env.hear(&a, [Up::Report(rooted())]);
    assert_eq!(env.worker_of(&t("root")).as_deref(), Some("a/execute"));
    assert!(env.core.recovery().is_none());
    assert!(env.heard(&b).is_empty());
    assert_eq!(env.heard(&a), ["Welcome 2"]);
    assert_eq!(env.core.proof("p").unwrap().run, 3);
}

#[test]
fn a_root_that_runs_nowhere_begins_again_once_that_is_stored() {
    let mut env = leader(&["a", "b"]);
    env.stores = false;
    let a = env.join("a");
    env.wait(29_000);
    assert_eq!(env.phase(&t("root")), HELD);
    env.hear(
        &a,
        [Up::Beat(wire::Beat {
            epoch: 2,
            sequence: 1,
        })],
    );
    env.wait(1_000);
    env.forget();
    let root = env.root("p");
    assert_eq!(env.phase(&root), Some(Phase::Held(Held::Storing(env.now))));
    let start = env.out.begun.pop().unwrap();
    assert_eq!((start.run, &start.root), (4, &root));
    // A leader that changes while a proof waits takes nothing from what the proof may lose.
    assert!(start.attempts.values().all(Attempts::is_empty));
    env.react(|r| r.run_stored(&p("p"), 4));
    assert_eq!(env.heard(&a), [format!("Assign {root} 1")]);
}

#[test]
fn a_proof_that_is_in_the_store_ends_as_its_maker_says() {
    let mut env = finished();
    let a = env.hello("a", 1);
    let mut report = last();
    report.conclusions.push(conclude(of(), "root", false));
    env.hear(&a, [Up::Report(report)]);
    let ProofResult::Succeeded { extra_data } = env.outcome().unwrap().result else {
        panic!("it did not succeed")
    };
    assert!(!extra_data.is_empty());
}

#[test]
fn a_proof_that_is_in_the_store_is_not_made_again() {
    let succeeded = |mut env: Env| {
        let result = env.outcome().unwrap().result;
        let extra_data = String::new();
        assert_eq!(result, ProofResult::Succeeded { extra_data });
        assert_eq!(env.core.proof("p").unwrap().run, 3);
    };
    let mut env = finished();
    let loss = Loss::new(FailureClass::NodeLost, "");
    env.react(|r| r.pod_lost("a", &loss));
    succeeded(env);
    // Its Controller runs, and is lost before it has said how it ended.
    let mut env = finished();
    let a = env.hello("a", 1);
    env.hear(&a, [Up::Report(rooted())]);
    assert!(env.outcome().is_none());
    env.react(|r| r.pod_lost("a", &loss));
    succeeded(env);
    // Its process is gone, and may come back; nowhere is room for it.
    let mut env = finished();
    let a = env.hello("a", 1);
    env.hear(&a, [Up::Report(rooted())]);
    env.breaks(&a);
    env.wait(10_000);
    succeeded(env);
    // It failed, later than the proof was there.
    let mut env = finished();
    let a = env.hello("a", 1);
    let mut report = last();
    report.conclusions.push(conclude(of(), "root", true));
    env.hear(&a, [Up::Report(report)]);
    succeeded(env);
}

/// Its Controller is lost when the proof was there already, and the leader finds it as it is about to begin again.
#[test]
fn a_proof_that_is_in_the_store_needs_no_other_run() {
    let mut env = Env::new();
    env.stores = false;
    let a = env.join("a");
    env.submit(spec("p"));
    env.react(|r| r.run_stored(&p("p"), 0));
    let root = env.root("p");
    let mut report = last();
    report.created = vec![create("p", 0, "c", SetupVkey)];
    env.hear(&a, [Up::Report(report)]);
    env.hear(&a, [Up::Done(done(run("p", 0), "c", 1, "prove"))]);
    let loss = Loss::new(FailureClass::NodeLost, "");
    env.react(|r| r.pod_lost("a", &loss));
    assert_ne!(env.root("p"), root);
    assert!(env.react(|r| r.is_storing(&p("p"), 1)));
    env.react(|r| r.proof_made(&p("p"), 0));
    assert!(env.outcome().is_none(), "of a run that is over");
    env.react(|r| r.proof_made(&p("p"), 1));
    let outcome = env.outcome().unwrap();
    let extra_data = String::new();
    assert_eq!(outcome.result, ProofResult::Succeeded { extra_data });
    assert_eq!((outcome.progress.run, outcome.progress.done), (0, 1));
    assert_eq!(outcome.progress.total, 1);
    env.react(|r| r.proof_made(&p("p"), 1));
    assert!(!env.react(|r| r.run_stored(&p("p"), 1)));
}

#[test]
fn a_run_that_is_refused_says_so_until_it_is_stored_and_nobody_stores_one_that_is_forgotten() {
    let mut env = Env::new();
    env.stores = false;
    env.submit(spec("p"));
    let why = |env: &Env| env.core.explain(&p("p")).unwrap().waits[0].reason.clone();
    assert_eq!(why(&env), WaitReason::Storing);
    env.react(|r| r.run_refused(&p("p"), 1, "of another run".into()));
    assert_eq!(why(&env), WaitReason::Storing);
    env.react(|r| r.run_refused(&p("p"), 0, "quota".into()));
    let refused = WaitReason::Refused {
        why: "quota".into(),
    };
    assert_eq!(why(&env), refused);
    assert!(env.react(|r| r.is_storing(&p("p"), 0)));
    assert!(!env.react(|r| r.run_stored(&p("p"), 1)));
    assert!(env.react(|r| r.run_stored(&p("p"), 0)));
    assert!(!env.react(|r| r.is_storing(&p("p"), 0)));
    assert_ne!(why(&env), refused);

    env.submit(spec("q"));
    env.react(|r| r.proof_forgotten(&p("q")));
    assert!(!env.react(|r| r.is_storing(&p("q"), 0)));
    assert!(!env.react(|r| r.run_stored(&p("q"), 0)));
}

#[test]
fn a_pod_that_is_gone_is_not_waited_for() {
    let mut env = leader(&["a", "b"]);
    env.join("a");
    let loss = Loss::new(FailureClass::NodeLost, "");
    env.react(|r| r.pod_lost("b", &loss));
    assert!(env.core.recovery().is_none());
    assert_eq!(env.core.proof("p").unwrap().run, 4);
}

#[test]
fn leaves_are_held_for_a_shorter_time_and_what_is_new_not_at_all() {
    let mut env = leader(&["a", "b"]);
    let a = env.hello("a", 1);
    let mut report = rooted();
    report.created = ["c", "x"]
        .map(|id| match id {
            "x" => create("p", 3, id, CoreExecute),
            id => create("p", 3, id, ProveShard),
        })
        .to_vec();
    env.hear(
        &a,
        [
            Up::Report(report),
            Up::Create(create("p", 3, "new", SetupVkey)),
        ],
    );
    assert_eq!(env.heard(&a), ["Welcome 2", "Assign new 1"]);
    assert_eq!((env.phase(&t("c")), env.phase(&t("x"))), (HELD, HELD));
    env.wait(7_000);
    env.hear(
        &a,
        [Up::Beat(wire::Beat {
            epoch: 2,
            sequence: 1,
        })],
    );
    env.forget();
    env.wait(1_000);
    assert_eq!(env.heard(&a), ["Assign c 1"]);
    assert_eq!(env.phase(&t("x")), HELD);
}

#[test]
fn what_was_held_goes_out_in_the_order_in_which_it_was_made() {
    let mut env = leader(&["a", "b"]);
    let a = env.hello("a", 1);
    let mut report = rooted();
    report.created = ["c0", "c1", "c2", "c3", "c4"]
        .map(|id| create("p", 3, id, ProveShard))
        .to_vec();
    // Two have ended, which another says first.
    report.results = ["c0", "c1"]
        .map(|id| wire::Result {
            run: Some(of()),
            task_id: id.to_owned(),
            status: TaskStatus::Succeeded.into(),
        })
        .to_vec();
    env.hear(&a, [Up::Report(report)]);
    env.forget();
    env.pass(&[&a], 8_000);
    let heard = env.heard(&a);
    // It has room for two.
    assert_eq!(heard, ["Assign c2 1", "Assign c3 1"]);
}

#[test]
fn what_an_earlier_leader_counted_stays_counted_and_is_counted_once() {
    for creator_first in [true, false] {
        let mut env = Env::standby(Config::default());
        let succeeded = [(CoreExecute, 1), (ProveShard, 5), (MarkerDeferredRecord, 5)];
        lead_with(&mut env, &["a", "b"], succeeded.into());
        let (a, b) = (env.hello("a", 1), env.hello("b", 1));
        let mut by_a = rooted();
        by_a.created = ["c", "d"].map(|id| create("p", 3, id, ProveShard)).to_vec();
        let mut by_b = last();
        by_b.running.push(running(of(), "c", ProveShard, "prove"));
        let mut ended = done(of(), "d", 1, "prove");
        ended.outcome = Some(wire::done::Outcome::Completed(r#"{"gpu_ms":7}"#.into()));
        by_b.done.push(ended);
        let reports = [(&a, by_a), (&b, by_b)];
        let order = if creator_first { [0, 1] } else { [1, 0] };
        for i in order {
            let (link, report) = &reports[i];
            env.hear(link, [Up::Report(report.clone())]);
        }
        // The one that is told again was among the five, and so was its time on a GPU.
        let progress = env.core.proof("p").unwrap().progress();
        assert_eq!((progress.done, progress.total, progress.gpu_ms), (6, 8, 0));
        assert_eq!(progress.tasks["ProveShard"].succeeded, 5);
        env.hear(&b, [Up::Done(done(of(), "c", 1, "prove"))]);
        let progress = env.core.proof("p").unwrap().progress();
        assert_eq!((progress.done, progress.total), (7, 8));
        // Another run begins from nothing.
        let loss = Loss::new(FailureClass::NodeLost, "");
        env.react(|r| r.pod_lost("a", &loss));
        let progress = env.core.proof("p").unwrap().progress();
        assert_eq!((progress.run, progress.done, progress.total), (4, 0, 1));
    }
}

/// A leader in recovery whose workers are `a`, which runs the root and created shards `c` and `d`, and `s` of the stock door, which names what it
/// has before or after `a` reports.
fn with_stock(named: &[&TaskId], a_first: bool) -> Env {
    let mut env = leader(&["a", "b"]);
    let a = env.hello("a", 1);
    env.open("s", WorkerType::Gpu, 24);
    let mut report = rooted();
    report.created = ["c", "d"].map(|id| create("p", 3, id, ProveShard)).to_vec();
    let named: Vec<_> = named.iter().map(|&id| ("p", id)).collect();
    if a_first {
        env.hear(&a, [Up::Report(report)]);
        env.beat("s", &named).unwrap();
    } else {
        env.beat("s", &named).unwrap();
        env.hear(&a, [Up::Report(report)]);
    }
    env
}

#[test]
fn what_a_worker_of_the_stock_door_runs_goes_on_there() {
    for a_first in [true, false] {
        let (c, d) = (t("c"), t("d"));
        let mut env = with_stock(&[&c], a_first);
        assert_eq!(env.worker_of(&c).as_deref(), Some("s"));
        assert_eq!((env.phase(&d), env.used("s")), (HELD, 4));
        env.lose("b", FailureClass::NodeLost);
        env.complete("s", "p", &c);
        assert_eq!(env.phase(&c), Some(Phase::Succeeded));
        // Nothing of it was sent or stopped.
        assert!(
            !env.said()
                .iter()
                .any(|said| format!("{said:?}").contains("\"c\""))
        );
    }
}

#[test]
fn what_a_worker_of_the_stock_door_has_done_counts_before_its_creator_reports() {
    let mut env = leader(&["a", "b"]);
    let a = env.hello("a", 1);
    env.open("s", WorkerType::Gpu, 24);
    env.complete("s", "p", &t("c"));
    let mut report = rooted();
    report.created = vec![create("p", 3, "c", ProveShard)];
    env.hear(&a, [Up::Report(report)]);
    assert_eq!(env.phase(&t("c")), Some(Phase::Succeeded));
}

#[test]
fn a_task_that_was_begun_again_goes_on_at_the_stock_door_too() {
    let c = t("c");
    let mut env = with_stock(&[], true);
    env.react(|r| r.worker_closed(&w("s"))).unwrap();
    env.lose("b", FailureClass::NodeLost);
    assert_eq!(env.worker_of(&c).as_deref(), Some("a/prove"));
    env.said();
    env.beat("s", &[("p", &c)]).unwrap();
    assert!(env.said().is_empty());
    env.complete("s", "p", &c);
    assert_eq!(env.phase(&c), Some(Phase::Succeeded));
    assert!(env.worker_of(&c).is_none());
}

#[test]
fn core_execute_does_not_go_on_at_the_stock_door() {
    for a_first in [true, false] {
        let mut env = leader(&["a", "b"]);
        let a = env.hello("a", 1);
        env.open("s", WorkerType::Cpu, 24);
        let mut report = rooted();
        report.created = vec![create("p", 3, "x", CoreExecute)];
        let report = [Up::Report(report)];
        let x = t("x");
        if a_first {
            env.hear(&a, report);
            env.beat("s", &[("p", &x)]).unwrap();
        } else {
            env.beat("s", &[("p", &x)]).unwrap();
            env.hear(&a, report);
        }
        assert_eq!(env.phase(&x), HELD);
        assert!(
            env.said()
                .contains(&Said::Cancel("s".into(), x.to_string()))
        );
    }
}

#[test]
fn what_a_worker_of_the_stock_door_names_and_nobody_created_is_stopped() {
    let x = t("x");
    let mut env = with_stock(&[&x], false);
    let stop = Said::Cancel("s".into(), x.to_string());
    assert!(!env.said().contains(&stop));
    env.lose("b", FailureClass::NodeLost);
    assert!(env.said().contains(&stop));
}

#[test]
fn what_runs_and_what_is_done_is_found_in_whatever_order_reports_come() {
    for creator_first in [true, false] {
        let mut env = leader(&["a", "b"]);
        let (a, b) = (env.hello("a", 1), env.hello("b", 1));
        let mut by_a = rooted();
        by_a.created = ["c", "d"].map(|id| create("p", 3, id, ProveShard)).to_vec();
        let mut by_b = last();
        by_b.running.push(running(of(), "c", ProveShard, "prove"));
        by_b.done.push(done(of(), "d", 1, "prove"));
        env.forget();
        if creator_first {
            env.hear(&a, [Up::Report(by_a)]);
            env.hear(&b, [Up::Report(by_b)]);
        } else {
            env.hear(&b, [Up::Report(by_b)]);
            assert_eq!(env.used("b/prove"), 4);
            env.hear(&a, [Up::Report(by_a)]);
        }
        assert_eq!(env.worker_of(&t("c")).as_deref(), Some("b/prove"));
        assert_eq!(env.core.task("c").unwrap().attempt, 1);
        assert_eq!(env.heard(&a), ["Result d 4"]);
        assert!(env.heard(&b).is_empty());
        env.hear(&a, [taken(of(), &["d"])]);
        assert_eq!(env.heard(&b), ["Settled d"]);
        env.hear(&b, [Up::Done(done(of(), "c", 1, "prove"))]);
        assert_eq!(env.heard(&a), ["Result c 4"]);
    }
}

#[test]
fn a_report_counts_once_its_last_part_is_there() {
    let mut env = leader(&["a"]);
    let a = env.hello("a", 1);
    let mut first = rooted();
    first.last = false;
    // Said in between, and of a task that only the last part brings.
    env.hear(&a, [Up::Report(first), say(of(), "x", 1)]);
    assert_eq!(env.phase(&t("root")), HELD);
    let mut second = last();
    second
        .running
        .push(running(of(), "x", CoreExecute, "execute"));
    second.created.push(create("p", 3, "x", CoreExecute));
    second.said.push(said(of(), "x", 1));
    second.listens.push(listen(of(), "x", 0));
    env.hear(&a, [Up::Report(second)]);
    assert_eq!(env.heard(&a), ["Welcome 2", "Heard x 0", "Heard x 1"]);
    assert_eq!(env.worker_of(&t("root")).as_deref(), Some("a/execute"));
}

#[test]
fn a_result_whose_creator_has_forgotten_it_is_known_to_it() {
    // Its keeper has been told to forget it, and someone still waits for it.
    let mut env = leader(&["a", "b"]);
    let (a, b) = (env.hello("a", 1), env.hello("b", 1));
    let mut by_a = rooted();
    by_a.watches.push(watch(of(), &["c"]));
    env.hear(&a, [Up::Report(by_a)]);
    env.forget();
    let mut by_b = last();
    by_b.results.push(wire::Result {
        run: Some(of()),
        task_id: "c".to_owned(),
        status: 4,
    });
    env.hear(&b, [Up::Report(by_b)]);
    assert_eq!(env.heard(&a), ["Result c 4"]);
    // And one that nobody waits for is forgotten.
    env.hear(&b, [Up::Done(done(of(), "d", 1, "prove"))]);
    assert_eq!(env.heard(&b), ["Settled d"]);
}

#[test]
fn a_run_in_which_a_result_is_waited_for_that_nobody_knows_begins_again() {
    let mut env = leader(&["a"]);
    let a = env.hello("a", 1);
    let mut by_a = rooted();
    by_a.watches.push(watch(of(), &["c"]));
    env.hear(&a, [Up::Report(by_a)]);
    let heard = env.heard(&a);
    assert!(heard.contains(&"Over 3".to_owned()), "{heard:?}");
    assert_eq!(env.core.proof("p").unwrap().run, 4);
}

#[test]
fn a_run_whose_messages_are_lost_begins_again() {
    // CoreExecute's worker is gone; the Controller has heard two of its messages.
    let mut env = leader(&["a", "b"]);
    let a = env.hello("a", 1);
    let mut by_a = rooted();
    by_a.created.push(create("p", 3, "x", CoreExecute));
    by_a.listens.push(listen(of(), "x", 2));
    env.hear(&a, [Up::Report(by_a.clone())]);
    assert_eq!(env.phase(&t("x")), HELD);
    env.lose("b", FailureClass::NodeLost);
    assert_eq!(env.core.proof("p").unwrap().run, 4);
    // Having heard none it may just as well run for the first time.
    let mut env = leader(&["a", "b"]);
    let a = env.hello("a", 1);
    by_a.listens[0].from = 0;
    env.hear(&a, [Up::Report(by_a)]);
    env.lose("b", FailureClass::NodeLost);
    assert_eq!(env.core.proof("p").unwrap().run, 3);
    assert_eq!(env.worker_of(&t("x")).as_deref(), Some("a/execute"));
}

#[test]
fn messages_come_again_from_who_said_them() {
    let mut env = leader(&["a", "b"]);
    let (a, b) = (env.hello("a", 1), env.hello("b", 1));
    let mut by_b = last();
    by_b.said.push(said(of(), "x", 3));
    by_b.done.push(done(of(), "x", 1, "execute"));
    env.hear(&b, [Up::Report(by_b)]);
    let mut by_a = rooted();
    by_a.created.push(create("p", 3, "x", CoreExecute));
    by_a.listens.push(listen(of(), "x", 2));
    env.forget();
    env.hear(&a, [Up::Report(by_a)]);
    assert_eq!(env.heard(&a), ["Result x 4", "Heard x 2", "End x 3"]);
}

#[test]
fn a_conclusion_whose_acknowledgement_was_lost_is_concluded() {
    let mut env = leader(&["a"]);
    let a = env.hello("a", 1);
    let mut report = rooted();
    report.conclusions.push(conclude(of(), "root", false));
    env.hear(&a, [Up::Report(report)]);
    assert!(env.outcome().is_some());
    env.react(|r| r.proof_stored(&p("p")));
    assert_eq!(env.heard(&a), ["Welcome 2", "Concluded 3", "Over 3"]);
    // It still runs until it says otherwise.
    assert_eq!(env.used("a/execute"), 1);
}

#[test]
fn of_two_that_run_the_same_the_first_result_counts() {
    let mut env = leader(&["a", "b"]);
    let (a, b) = (env.hello("a", 1), env.hello("b", 1));
    for peer in [&a, &b] {
        let mut report = last();
        if peer.pod == "a" {
            report = rooted();
            report.created.push(create("p", 3, "c", ProveShard));
        }
        report.running.push(running(of(), "c", ProveShard, "prove"));
        env.hear(peer, [Up::Report(report)]);
    }
    assert_eq!(env.heard(&b), ["Welcome 2"]);
    assert_eq!((env.used("a/prove"), env.used("b/prove")), (4, 4));
    assert_eq!(env.worker_of(&t("c")).as_deref(), Some("a/prove"));
    env.hear(&a, [Up::Done(done(of(), "c", 1, "prove"))]);
    assert_eq!(env.heard(&b), ["Cancel c"]);
}

#[test]
fn a_proof_that_is_recovered_late_finds_what_was_said_of_it() {
    let mut env = Env::standby(Config::default());
    let term = Term {
        expected: vec!["a".to_owned(), "b".to_owned()],
        ..Term::first(2)
    };
    env.react(|r| r.lead(term));
    let a = env.hello("a", 1);
    env.hear(&a, [Up::Report(rooted())]);
    assert_eq!(env.used("a/execute"), 1);
    let recovered = RecoveredProof {
        spec: spec("p"),
        run: 3,
        root: t("root"),
        attempts: Default::default(),
        gpu_ms: 0,
        shards: None,
        succeeded: Default::default(),
        finished: false,
    };
    env.react(|r| r.proof_recovered(recovered)).unwrap();
    assert_eq!(env.worker_of(&t("root")).as_deref(), Some("a/execute"));
    // What is not recovered at all is over.
    let mut other = last();
    other
        .running
        .push(running(run("q", 0), "r", ExecuteOnly, "execute"));
    let b = env.hello("b", 1);
    env.hear(&b, [Up::Report(other)]);
    assert_eq!(env.heard(&b), ["Welcome 2", "Over 0"]);
    assert_eq!(env.used("b/execute"), 4);
}

#[test]
fn a_standby_knows_who_is_there_and_gives_no_orders() {
    let mut env = Env::standby(Config::default());
    let a = env.hello("a", 1);
    env.hear(
        &a,
        [
            Up::Report(rooted()),
            Up::Create(create("p", 3, "c", ProveShard)),
        ],
    );
    env.wait(1_000);
    assert_eq!(env.heard(&a), ["Welcome 0"]);
    lead(&mut env, &["a"]);
    assert_eq!(env.heard(&a), ["Welcome 2"]);
    env.hear(&a, [Up::Report(rooted())]);
    assert_eq!(env.worker_of(&t("root")).as_deref(), Some("a/execute"));
    env.react(|r| r.step_down());
    assert_eq!(env.heard(&a), ["Welcome 0"]);
    assert!(env.core.proof("p").is_none() && env.core.worker("a/execute").is_none());
}

#[test]
fn who_knows_a_later_leader_deposes_this_one() {
    let mut env = Env::new();
    let a = env.join("a");
    env.forget();
    for epoch in [1, 5, 5] {
        env.hear(&a, [Up::Beat(wire::Beat { epoch, sequence: 1 })]);
    }
    assert_eq!(env.said(), [Said::Deposed(5)]);
}

#[test]
fn an_epoch_that_no_leader_can_have_come_to_means_nothing() {
    let mut env = Env::new();
    let a = env.join("a");
    env.forget();
    for epoch in [1 << 40, u64::MAX] {
        env.hear(&a, [Up::Beat(wire::Beat { epoch, sequence: 1 })]);
    }
    assert_eq!(env.said(), []);
    assert!(env.core.seen_epoch() < 1 << 20);
}

#[test]
fn a_failure_that_the_old_leader_did_not_hear_of_counts() {
    let mut env = leader(&["a", "b"]);
    let (a, b) = (env.hello("a", 1), env.hello("b", 1));
    let mut by_a = rooted();
    by_a.created.push(create("p", 3, "c", ProveShard));
    env.hear(&a, [Up::Report(by_a)]);
    let mut by_b = last();
    by_b.done.push(failed(of(), "c", 2, "prove"));
    env.hear(&b, [Up::Report(by_b)]);
    assert!(matches!(env.phase(&t("c")), Some(Phase::Delayed(_))));
    assert_eq!(env.core.task("c").unwrap().attempt, 2);
    assert_eq!(env.heard(&b), ["Welcome 2", "Settled c"]);
}

/// A process that created `c`, of which a leader has counted what failed.
fn with_counted(attempts: wire::Attempts) -> wire::Report {
    let mut report = rooted();
    report.created.push(create("p", 3, "c", ProveShard));
    report.counted.push(wire::Counted {
        run: Some(of()),
        task_id: "c".to_owned(),
        attempts: Some(attempts),
    });
    report
}

#[test]
fn a_tasks_failed_attempts_are_counted_on_from_where_the_last_leader_was() {
    let mut env = leader(&["a"]);
    let a = env.hello("a", 1);
    let counted = wire::Attempts {
        failed: 2,
        min_capacity: 7,
        ..wire::Attempts::default()
    };
    env.hear(&a, [Up::Report(with_counted(counted))]);
    assert_eq!(env.heard(&a), ["Welcome 2", "Assign c 1"]);
    env.hear(&a, [Up::Done(failed(of(), "c", 1, "prove"))]);
    // Its creator keeps the new count.
    let told = env.told(&a);
    let kept = told.iter().find_map(|message| match message {
        wire::down_message::Message::Counted(m) => m.attempts,
        _ => None,
    });
    assert_eq!(
        kept.map(|kept| (kept.failed, kept.min_capacity)),
        Some((3, 7))
    );
    env.wait(5_000);
    env.hear(&a, [Up::Done(failed(of(), "c", 2, "prove"))]);
    let failure = env.failure();
    assert!(failure.message.contains("attempt 4"), "{}", failure.message);
}

#[test]
fn a_task_that_ran_out_of_memory_waits_for_a_larger_worker_under_every_leader() {
    let mut env = leader(&["a"]);
    let a = env.hello("a", 1);
    let counted = wire::Attempts {
        out_of_memory: 1,
        min_capacity: 9,
        ..wire::Attempts::default()
    };
    env.hear(&a, [Up::Report(with_counted(counted))]);
    assert_eq!(env.heard(&a), ["Welcome 2"], "this one has 8");
    env.open("large/prove", provost_proto::worker::WorkerType::Gpu, 9);
    assert_eq!(env.worker_of(&t("c")).as_deref(), Some("large/prove"));
}

#[test]
fn what_restarted_a_proof_is_stored_with_each_run_and_recalled() {
    let mut env = Env::standby(Config::default());
    env.stores = false;
    let once = |failed| {
        let counted = Attempts {
            failed,
            ..Attempts::default()
        };
        AttemptsByType::from([(Controller, counted)])
    };
    let recovered = RecoveredProof {
        spec: spec("p"),
        run: 3,
        root: t("root"),
        attempts: once(2),
        gpu_ms: 0,
        shards: None,
        succeeded: Default::default(),
        finished: false,
    };
    let term = Term {
        proofs: vec![recovered],
        expected: vec!["a".to_owned()],
        ..Term::first(2)
    };
    env.react(|r| r.lead(term));
    let a = env.hello("a", 1);
    env.hear(&a, [Up::Report(rooted())]);
    env.hear(&a, [Up::Done(failed(of(), "root", 1, "execute"))]);
    let start = env.out.begun.pop().unwrap();
    assert_eq!((start.run, start.attempts), (4, once(3)));
    env.react(|r| r.run_stored(&p("p"), 4));
    env.wait(5_000);
    let root = env.root("p");
    env.hear(&a, [Up::Done(failed(run("p", 4), &root, 1, "execute"))]);
    assert_eq!(env.failure().class, FailureClass::Transient);
}
