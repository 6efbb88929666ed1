//! Tasks created and results awaited.

use super::*;
use TaskStatus::{FailedFatal, FailedRetryable, Succeeded};

const W: WatcherId = WatcherId(7);
const V: WatcherId = WatcherId(8);

fn watch(env: &mut Env, watcher: WatcherId, tasks: &[&str]) {
    let tasks = tasks.iter().map(|task| (*task).to_owned()).collect();
    env.act(|kept, out| kept.watch(&run(), watcher, out));
    env.act(|kept, out| kept.want(&run(), watcher, tasks, out));
}

fn told(env: &mut Env) -> Vec<(WatcherId, String, TaskStatus)> {
    let told = env.did().into_iter().map(|effect| match effect {
        Effect::Result {
            watcher,
            task_id,
            status,
            ..
        } => (watcher, task_id, status),
        other => panic!("{other:?}"),
    });
    told.collect()
}

fn taken(env: &mut Env) -> Vec<String> {
    let said = env.said(A).into_iter();
    said.flat_map(|message| match message {
        Up::Taken(taken) => taken.task_ids,
        other => panic!("{other:?}"),
    })
    .collect()
}

#[test]
fn a_child_is_kept_until_its_result_is_here() {
    let mut env = Env::led();
    env.create(&run(), "c");
    assert!(matches!(env.said(A)[..], [Up::Create(_)]));
    assert_eq!(env.report().created, [create(&run(), "c")]);
    env.result(&run(), "c", FailedRetryable);
    assert_eq!(env.report().created.len(), 1, "not final");
    env.result(&run(), "c", Succeeded);
    assert_eq!(taken(&mut env), ["c"], "nobody here waits for it");
    let report = env.report();
    assert!(report.created.is_empty() && report.watches.is_empty());
    assert_eq!(report.results.len(), 1, "for whoever asks later");
    env.over(&run());
    assert!(env.is_empty());
}

#[test]
fn results_are_taken_when_the_consumer_has_them() {
    let mut env = Env::led();
    env.create(&run(), "c");
    env.take();
    watch(&mut env, W, &["c", "d", "e"]);
    watch(&mut env, V, &["d"]);
    let said = env.said(A);
    assert!(
        matches!(&said[..], [Up::Watch(w)] if w.task_ids == ["d", "e"]),
        "{said:?}"
    );
    env.result(&run(), "c", Succeeded);
    env.result(&run(), "d", FailedFatal);
    let expected = [
        (W, "c".to_owned(), Succeeded),
        (W, "d".to_owned(), FailedFatal),
        (V, "d".to_owned(), FailedFatal),
    ];
    assert_eq!(told(&mut env), expected);
    env.kept.took(&run(), "c");
    env.kept.took(&run(), "d");
    assert_eq!(taken(&mut env), ["c"]);
    env.kept.took(&run(), "d");
    assert_eq!(taken(&mut env), ["d"]);
}

#[test]
fn a_result_that_is_said_twice_is_told_once() {
    let mut env = Env::led();
    watch(&mut env, W, &["c"]);
    env.take();
    env.result(&run(), "c", Succeeded);
    env.result(&run(), "c", Succeeded);
    assert_eq!(told(&mut env).len(), 1);
    env.kept.took(&run(), "c");
    env.result(&run(), "c", Succeeded);
    assert_eq!(taken(&mut env), ["c", "c"], "another leader may not know");
}

#[test]
fn what_is_known_is_told_at_once() {
    let mut env = Env::led();
    env.create(&run(), "c");
    env.result(&run(), "c", Succeeded);
    env.take();
    watch(&mut env, W, &["c"]);
    assert_eq!(told(&mut env), [(W, "c".to_owned(), Succeeded)]);
}

#[test]
fn a_new_leader_is_asked_for_what_is_still_awaited() {
    let mut env = Env::led();
    env.create(&run(), "c");
    watch(&mut env, W, &["c", "d", "e"]);
    env.result(&run(), "e", Succeeded);
    env.lead(B, 2);
    let report = env.report();
    assert_eq!(report.created.len(), 1);
    assert_eq!(report.watches.len(), 1);
    assert_eq!(report.watches[0].task_ids, ["d"]);
    env.take();
    env.kept.took(&run(), "e");
    assert!(matches!(&env.said(B)[..], [Up::Taken(t)] if t.task_ids == ["e"]));
}

#[test]
fn a_consumer_that_is_gone_awaits_nothing() {
    let mut env = Env::led();
    env.create(&run(), "c");
    env.take();
    watch(&mut env, W, &["c", "d"]);
    env.kept.unwatch(&run(), W);
    assert!(env.said(A).is_empty(), "it was not said yet");
    let report = env.report();
    assert_eq!((report.created.len(), report.watches.len()), (1, 0));
    env.result(&run(), "d", Succeeded);
    assert_eq!(taken(&mut env), ["d"]);
}

#[test]
fn a_child_that_is_refused_has_failed() {
    let mut env = Env::led();
    env.create(&run(), "c");
    watch(&mut env, W, &["c", "d"]);
    env.take();
    env.refused("c", "Invalid");
    env.refused("d", "UnknownTask");
    let expected = [
        (W, "c".to_owned(), FailedFatal),
        (W, "d".to_owned(), FailedFatal),
    ];
    assert_eq!(told(&mut env), expected);
    assert!(env.report().created.is_empty());
}

#[test]
fn a_late_result_that_is_refused_does_not_touch_the_child() {
    let mut env = Env::led();
    env.create(&run(), "c");
    let start = env.start("c", &run(), 1);
    env.end(&start, failed());
    env.refused("c", "StaleAttempt");
    let report = env.report();
    assert_eq!((report.created.len(), report.done.len()), (1, 0));
}

#[test]
fn nothing_is_created_or_awaited_in_a_run_that_is_over() {
    let mut env = Env::led();
    env.over(&run());
    env.take();
    env.create(&run(), "c");
    env.act(|kept, out| kept.watch(&run(), W, out));
    env.act(|kept, out| kept.want(&run(), W, vec!["c".to_owned()], out));
    let over = Effect::Unwatched {
        watcher: W,
        run: run(),
    };
    assert_eq!(env.take(), [over]);
    assert!(env.is_empty());
}

#[test]
fn the_count_of_failed_attempts_is_kept_for_the_next_leader() {
    let mut env = Env::led();
    env.create(&run(), "c");
    let counted = |task: &str, failed| proto::Counted {
        run: Some(run().to_proto()),
        task_id: task.to_owned(),
        attempts: Some(proto::Attempts {
            failed,
            ..proto::Attempts::default()
        }),
    };
    for (task, failed) in [("c", 1), ("c", 2), ("other", 1)] {
        env.hear(A, Down::Counted(counted(task, failed)));
    }
    assert_eq!(env.report().counted, [counted("c", 2)]);
    env.result(&run(), "c", TaskStatus::Succeeded);
    assert!(env.report().counted.is_empty());
}
