//! Tasks run once, and their ends are kept.

use proto::done::Outcome as Said;

use super::*;

#[test]
fn a_task_starts_once_per_attempt() {
    let mut env = Env::led();
    let start = env.start("t", &run(), 1);
    assert_eq!((start.attempt, start.role.as_str()), (1, "prove"));
    env.assign(1, "t", &run(), 1);
    assert!(env.started().is_empty());
    assert_eq!(env.kept.counts().running, 1);
}

#[test]
fn a_new_leader_that_counts_otherwise_does_not_start_it_again() {
    let mut env = Env::led();
    let start = env.start("t", &run(), 1);
    env.lead(B, 2);
    env.take();
    env.assign(2, "t", &run(), 4);
    assert!(env.started().is_empty());
    env.end(&start, completed());
    let said = env.said(B);
    assert_eq!(dones(&said), [("t", 4, &Said::Completed("{}".to_owned()))]);
}

#[test]
fn an_order_of_an_earlier_attempt_changes_nothing() {
    let mut env = Env::led();
    env.start("t", &run(), 3);
    env.assign(1, "t", &run(), 2);
    assert!(env.take().is_empty());
    assert_eq!(env.report().running[0].attempt, 3);
}

#[test]
fn a_result_is_kept_until_it_is_settled() {
    let mut env = Env::led();
    let start = env.start("t", &run(), 1);
    env.end(&start, completed());
    assert_eq!(env.kept.counts().results, 1);
    env.end(&start, failed());
    assert_eq!(dones(&env.said(A)).len(), 1, "it ends once");
    env.act(|kept, out| kept.broken(A, out));
    env.lead(B, 2);
    assert_eq!(env.report().done.len(), 1);
    env.hear(B, settled("t"));
    assert!(env.is_empty());
}

#[test]
fn what_is_done_is_not_done_again() {
    let mut env = Env::led();
    let start = env.start("t", &run(), 1);
    env.end(&start, completed());
    env.take();
    env.assign(1, "t", &run(), 2);
    let effects = env.take();
    assert!(
        !effects
            .iter()
            .any(|effect| matches!(effect, Effect::Start(_)))
    );
    assert!(matches!(effects.last(), Some(Effect::Send(A, Up::Done(done))) if done.attempt == 2));
}

#[test]
fn what_failed_is_tried_again() {
    let mut env = Env::led();
    let start = env.start("t", &run(), 1);
    env.end(&start, failed());
    env.take();
    env.assign(1, "t", &run(), 1);
    assert_eq!(dones(&env.said(A)).len(), 1, "this attempt has ended");
    let again = env.start("t", &run(), 2);
    assert_eq!(again.attempt, 2);
    assert_eq!(env.kept.counts().results, 0);
    env.end(&start, completed());
    assert_eq!(
        env.kept.counts().running,
        1,
        "the first one's word does not end the second"
    );
}

#[test]
fn a_cancelled_task_takes_up_room_until_it_has_stopped() {
    let mut env = Env::led();
    let start = env.start("t", &run(), 1);
    env.hear(A, cancel(1, "t", &run()));
    let cancelled = Effect::Cancel {
        task_id: "t".to_owned(),
        serial: start.serial,
    };
    assert_eq!(env.take(), [cancelled]);
    env.hear(A, cancel(1, "t", &run()));
    assert!(env.take().is_empty());
    assert_eq!(env.report().running.len(), 1);
    env.end(&start, Outcome::Stopped);
    assert_eq!(dones(&env.said(A)), [("t", 1, &Said::Stopped(true))]);
    assert!(env.report().running.is_empty());
}

#[test]
fn a_later_attempt_waits_until_the_cancelled_one_has_stopped() {
    let mut env = Env::led();
    let start = env.start("t", &run(), 1);
    env.hear(A, cancel(1, "t", &run()));
    env.assign(1, "t", &run(), 2);
    assert!(env.started().is_empty());
    env.end(&start, Outcome::Stopped);
    let started = env.started();
    assert_eq!(started[0].attempt, 2);
    assert_ne!(started[0].serial, start.serial);
}

#[test]
fn an_attempt_that_waits_can_be_cancelled() {
    let mut env = Env::led();
    let start = env.start("t", &run(), 1);
    env.hear(A, cancel(1, "t", &run()));
    env.assign(1, "t", &run(), 2);
    env.hear(A, cancel(1, "t", &run()));
    env.end(&start, Outcome::Stopped);
    assert!(env.started().is_empty());
}

#[test]
fn a_cancelled_task_that_completes_is_not_done_again() {
    let mut env = Env::led();
    let start = env.start("t", &run(), 1);
    env.hear(A, cancel(1, "t", &run()));
    env.assign(1, "t", &run(), 2);
    env.take();
    env.end(&start, completed());
    let said = env.said(A);
    let attempts: Vec<u32> = dones(&said).iter().map(|done| done.1).collect();
    assert_eq!(attempts, [1, 2]);
    assert_eq!(env.kept.counts().running, 0);
}

#[test]
fn what_does_not_run_has_stopped() {
    let mut env = Env::led();
    env.hear(A, cancel(1, "t", &run()));
    assert_eq!(dones(&env.said(A)), [("t", 0, &Said::Stopped(true))]);
    assert!(env.is_empty());
}

#[test]
fn the_root_of_a_new_run_waits_for_the_old_one() {
    let (first, second) = (Run::new("proof", 0), Run::new("proof", 1));
    let mut env = Env::led();
    let old = env.start("root", &first, 1);
    env.assign(1, "root", &second, 1);
    let did = env.did();
    assert!(matches!(did[..], [Effect::Cancel { .. }]));
    env.over(&first);
    env.hear(A, cancel(1, "root", &first));
    env.end(&old, Outcome::Stopped);
    let started = env.started();
    assert_eq!(started[0].run, second);
    env.assign(1, "root", &first, 7);
    assert!(env.started().is_empty(), "the old run is not begun again");
}

#[test]
fn whoever_stops_a_task_in_a_later_run_wants_it_stopped_in_this_one() {
    let mut env = Env::led();
    env.start("t", &Run::new("proof", 1), 1);
    env.hear(A, cancel(1, "t", &Run::new("proof", 0)));
    assert_eq!(dones(&env.said(A)).len(), 1, "it does not run in that one");
    env.hear(A, cancel(1, "t", &Run::new("proof", 2)));
    assert!(matches!(env.did()[..], [Effect::Cancel { .. }]));
}

#[test]
fn an_order_that_cannot_be_followed_fails() {
    let mut env = Env::led();
    let Down::Assign(mut order) = assign(1, "t", &run(), 1) else {
        return;
    };
    order.role = "dance".to_owned();
    env.hear(A, Down::Assign(order.clone()));
    order.data = bytes::Bytes::from_static(b"\xff");
    env.hear(A, Down::Assign(order));
    let said = env.said(A);
    let failed = |done: &(&str, u32, &Said)| matches!(done.2, Said::Failed(f) if f.retryable);
    assert_eq!(dones(&said).iter().filter(|done| failed(done)).count(), 2);
    assert_eq!(env.kept.counts().results, 1);
}

#[test]
fn a_marker_is_complete_without_an_attempt() {
    let mut env = Env::new();
    env.act(|kept, out| kept.marker_completed(&run(), "m".to_owned(), out));
    env.act(|kept, out| kept.marker_completed(&run(), "m".to_owned(), out));
    env.lead(A, 1);
    let report = env.report();
    assert_eq!(report.done.len(), 1);
    assert_eq!(report.done[0].attempt, 0);
}

#[test]
fn a_worker_that_drains_hands_back_what_it_has_not_begun() {
    let mut env = Env::led();
    let begun = env.start("begun", &run(), 1);
    let stopping = env.start("stopping", &run(), 1);
    env.hear(A, cancel(1, "stopping", &run()));
    env.assign(1, "stopping", &run(), 2);
    env.take();
    env.act(|kept, out| kept.drain(None, out));
    env.assign(1, "late", &run(), 1);
    let said = env.said(A);
    let stopped = Said::Stopped(true);
    assert_eq!(
        dones(&said),
        [("stopping", 2, &stopped), ("late", 1, &stopped)]
    );
    env.end(&stopping, Outcome::Stopped);
    assert!(env.started().is_empty());
    env.end(&begun, completed());
    assert_eq!(env.kept.counts().running, 0);
}

#[test]
fn a_report_says_for_how_long_a_task_has_run() {
    let mut env = Env::led();
    env.act(|kept, _| kept.at(0));
    env.start("t", &run(), 1);
    env.act(|kept, _| kept.at(7_000));
    assert_eq!(env.report().running[0].ran_ms, 7_000);
}
