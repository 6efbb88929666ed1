#![allow(clippy::unwrap_used)]

use super::super::object::tests::{assigned, change, created, requeued};
use super::*;
use provost_coordinator::{Failure, FailureClass};
use provost_crds::TaskState;
use provost_proto::worker::TaskType;

/// Changes of the tests are at 1000 ms.
const NOW: i64 = 1000;
const LATER: i64 = NOW + 500;

fn succeeded() -> TaskChangeKind {
    TaskChangeKind::Succeeded {
        metadata: String::new(),
        gpu_ms: 0,
    }
}

fn failed() -> TaskChangeKind {
    TaskChangeKind::Failed(Failure::new(FailureClass::Bug, "it broke"))
}

fn write(queue: &mut Queue, now: i64) -> Option<Job> {
    let (task, job) = queue.next(now)?;
    queue.done(&task, job.clone(), Done::Written(None));
    Some(job)
}

fn record(queue: &mut Queue, task: &str, kinds: impl IntoIterator<Item = TaskChangeKind>) {
    for kind in kinds {
        queue.record(&change(task, kind));
    }
}

fn is_empty(queue: &Queue) -> bool {
    queue.fresh.is_empty()
        && queue.entries.is_empty()
        && queue.young.is_empty()
        && queue.windows.is_empty()
        && queue.behind.is_empty()
        && (queue.taken, queue.state().waiting) == (0, 0)
}

#[test]
fn a_task_that_ends_within_the_horizon_is_never_written() {
    let mut queue = Queue::default();
    record(&mut queue, "t", [created(false), assigned()]);
    assert_eq!(write(&mut queue, LATER - 1), None);
    record(&mut queue, "t", [succeeded()]);
    assert_eq!(write(&mut queue, LATER), None);
    assert!(is_empty(&queue));
}

#[test]
fn a_task_is_written_though_the_clock_was_set_back() {
    let mut queue = Queue::default();
    let hour = 3_600_000;
    let at = |task: &str, kind, at| TaskChange {
        at,
        ..change(task, kind)
    };
    for kind in [created(false), assigned()] {
        queue.record(&at("t", kind, NOW + hour));
    }
    assert_eq!(write(&mut queue, LATER), None);
    queue.record(&at("u", created(false), LATER + hour));
    assert!(write(&mut queue, LATER).is_some());
}

#[test]
fn nothing_is_behind_before_the_horizon_has_passed() {
    let mut queue = Queue::default();
    record(&mut queue, "t", [created(false), assigned()]);
    assert!(!queue.is_behind(LATER - 1));
    assert!(queue.is_behind(LATER));
    assert!(write(&mut queue, LATER).is_some());
    assert!(!queue.is_behind(LATER));
}

#[test]
fn a_task_that_runs_on_is_written_twice() {
    let mut queue = Queue::default();
    record(&mut queue, "t", [created(false), assigned()]);
    assert_eq!(queue.next_at(), Some(LATER));
    let Some(Job::Create(stored)) = write(&mut queue, LATER) else {
        panic!("no create")
    };
    assert_eq!(stored.status.state, TaskState::Running);
    assert_eq!((write(&mut queue, LATER), queue.state().objects), (None, 1));
    record(&mut queue, "t", [succeeded()]);
    assert!(matches!(write(&mut queue, LATER), Some(Job::Delete(_))));
    assert!(is_empty(&queue));
}

#[test]
fn a_task_that_waits_has_no_object_and_a_root_has_one_already() {
    let mut queue = Queue::default();
    record(&mut queue, "child", [created(false)]);
    record(&mut queue, "root", [created(true)]);
    assert_eq!(queue.next(LATER), None);
    record(&mut queue, "root", [assigned()]);
    let Some(Job::Patch(stored)) = write(&mut queue, NOW) else {
        panic!("no patch")
    };
    assert_eq!(stored.status.state, TaskState::Running);
    record(&mut queue, "root", [TaskChangeKind::Dropped]);
    assert!(matches!(write(&mut queue, NOW), Some(Job::Delete(_))));
}

#[test]
fn a_root_that_is_dropped_before_it_ran_is_deleted() {
    let mut queue = Queue::default();
    record(&mut queue, "root", [created(true), TaskChangeKind::Dropped]);
    assert!(matches!(write(&mut queue, NOW), Some(Job::Delete(_))));
    assert!(is_empty(&queue));
}

#[test]
fn a_failed_attempt_is_written_at_once_and_beyond_the_window() {
    let mut queue = Queue::new(Bounds {
        per_proof: 0,
        ..Bounds::default()
    });
    record(&mut queue, "t", [created(false), assigned()]);
    assert_eq!(write(&mut queue, LATER), None);
    record(&mut queue, "t", [requeued()]);
    let Some(Job::Create(stored)) = write(&mut queue, NOW) else {
        panic!("no create")
    };
    assert_eq!(stored.status.state, TaskState::Pending);
    assert!(stored.status.failure_class.is_some());
}

#[test]
fn a_task_that_failed_for_good_keeps_its_object() {
    let mut queue = Queue::default();
    record(&mut queue, "t", [created(false), assigned(), failed()]);
    assert!(matches!(write(&mut queue, NOW), Some(Job::Create(_))));
    assert_eq!(write(&mut queue, LATER), None);
    assert!(is_empty(&queue));
}

#[test]
fn changes_during_a_write_fold_into_one() {
    let mut queue = Queue::default();
    record(&mut queue, "t", [created(false), assigned()]);
    let (task, job) = queue.next(LATER).unwrap();
    record(&mut queue, "t", [requeued(), assigned(), succeeded()]);
    assert_eq!(queue.next(LATER), None);
    queue.done(&task, job, Done::Written(None));
    assert!(matches!(write(&mut queue, LATER), Some(Job::Delete(_))));
    assert!(is_empty(&queue));
}

#[test]
fn a_dropped_task_is_deleted_or_never_written() {
    let mut queue = Queue::default();
    for task in ["a", "b"] {
        record(&mut queue, task, [created(false), assigned()]);
    }
    let (first, job) = queue.next(LATER).unwrap();
    for task in ["a", "b"] {
        record(&mut queue, task, [TaskChangeKind::Dropped]);
    }
    queue.done(&first, job, Done::Written(None));
    let Some((task, Job::Delete(record))) = queue.next(LATER) else {
        panic!("no delete")
    };
    assert_eq!(task, first);
    queue.done(&task, Job::Delete(record), Done::Written(None));
    assert_eq!(queue.next(LATER), None);
    assert!(is_empty(&queue));
}

#[test]
fn a_failed_write_comes_again_with_the_newest_state() {
    let mut queue = Queue::default();
    record(&mut queue, "t", [created(false), requeued()]);
    let (task, job) = queue.next(NOW).unwrap();
    record(&mut queue, "t", [assigned()]);
    queue.done(&task, job, Done::Failed);
    let Some(Job::Create(record)) = write(&mut queue, NOW) else {
        panic!("no create")
    };
    assert_eq!(record.status.state, TaskState::Running);
}

#[test]
fn a_hopeless_task_is_forgotten() {
    let mut queue = Queue::default();
    record(&mut queue, "t", [created(false), requeued()]);
    let (task, job) = queue.next(NOW).unwrap();
    queue.done(&task, job, Done::Hopeless);
    assert!(is_empty(&queue));
    record(&mut queue, "t", [succeeded()]);
    assert_eq!(queue.next(LATER), None);
}

#[test]
fn the_window_bounds_objects_and_opens_again() {
    let mut queue = Queue::new(Bounds {
        per_proof: 2,
        ..Bounds::default()
    });
    for task in ["a", "b", "c"] {
        record(&mut queue, task, [created(false), assigned()]);
    }
    while write(&mut queue, LATER).is_some() {}
    assert_eq!(queue.state().objects, 2);
    for task in ["a", "b", "c"] {
        record(&mut queue, task, [succeeded()]);
    }
    while write(&mut queue, LATER).is_some() {}
    assert!(is_empty(&queue));
    record(&mut queue, "d", [created(false), assigned()]);
    assert!(matches!(write(&mut queue, LATER), Some(Job::Create(_))));
}

#[test]
fn what_found_no_room_gets_its_object_when_there_is_some() {
    let mut queue = Queue::new(Bounds {
        per_proof: 1,
        ..Bounds::default()
    });
    for task in ["a", "b"] {
        record(&mut queue, task, [created(false), assigned()]);
    }
    let mut wrap = change("w", created(false));
    wrap.task_type = TaskType::PlonkWrap;
    queue.record(&wrap);
    wrap.kind = assigned();
    queue.record(&wrap);
    let written = std::iter::from_fn(|| write(&mut queue, LATER)).count();
    assert_eq!(written, 2, "one shard's object, and the wrap's");
    record(&mut queue, "a", [succeeded()]);
    assert!(matches!(write(&mut queue, LATER), Some(Job::Delete(_))));
    assert_eq!(write(&mut queue, LATER + NO_ROOM_MS - 1), None);
    let Some(Job::Create(late)) = write(&mut queue, LATER + NO_ROOM_MS) else {
        panic!("it has no object")
    };
    assert_eq!(late.spec.task_id, "b");
    for task in ["b", "w"] {
        record(&mut queue, task, [succeeded()]);
    }
    while write(&mut queue, LATER + NO_ROOM_MS).is_some() {}
    assert!(is_empty(&queue));
}

#[test]
fn what_waits_is_dated_and_what_folds_is_counted() {
    let mut queue = Queue::default();
    record(&mut queue, "t", [created(false), assigned()]);
    assert_eq!(queue.state().oldest, None);
    assert!(queue.is_behind(LATER));
    assert_eq!(queue.state().oldest, Some(LATER));
    record(&mut queue, "t", [requeued(), assigned()]);
    assert_eq!((queue.state().coalesced, queue.state().waiting), (2, 1));
    assert!(write(&mut queue, LATER + 100).is_some());
    assert_eq!(queue.state().oldest, None);
}

fn adopted(queue: &mut Queue, task: &str) {
    let mut before = TaskRecord::new(&change(task, created(false))).unwrap();
    before.follow(&change(task, assigned()));
    queue.adopt(before, Some("uid".into()), true);
}

#[test]
fn an_adopted_object_stays_as_it_is_while_its_task_runs_on() {
    let mut queue = Queue::default();
    adopted(&mut queue, "t");
    record(&mut queue, "t", [created(false)]);
    let mut found = change("t", assigned());
    found.at = LATER;
    queue.record(&found);
    queue.recovered();
    assert_eq!(write(&mut queue, LATER), None);
    assert_eq!(queue.state().objects, 1);
    record(&mut queue, "t", [succeeded()]);
    assert!(matches!(write(&mut queue, LATER), Some(Job::Delete(_))));
    assert!(is_empty(&queue));
}

#[test]
fn an_adopted_object_that_nobody_claims_is_deleted_and_one_that_nobody_runs_waits() {
    let mut queue = Queue::default();
    adopted(&mut queue, "gone");
    adopted(&mut queue, "waits");
    record(&mut queue, "waits", [created(false)]);
    assert_eq!(write(&mut queue, LATER), None, "before all have reported");
    queue.recovered();
    let mut jobs: Vec<_> = std::iter::from_fn(|| write(&mut queue, LATER)).collect();
    jobs.sort_by_key(|job| matches!(job, Job::Patch(_)));
    let [Job::Delete(gone), Job::Patch(waits)] = &jobs[..] else {
        panic!("{jobs:?}")
    };
    assert_eq!(
        (gone.spec.task_id.as_str(), waits.spec.task_id.as_str()),
        ("gone", "waits")
    );
    assert_eq!(
        (waits.status.state, &waits.status.worker),
        (TaskState::Pending, &None)
    );
}

#[test]
fn what_turns_up_while_workers_report_is_not_deleted_before_they_have() {
    let mut queue = Queue::default();
    queue.begin_term();
    for task in ["runs", "gone"] {
        let record = TaskRecord::new(&change(task, created(false))).unwrap();
        queue.found(record, Some(task.into()));
    }
    assert_eq!(write(&mut queue, NOW), None);
    record(&mut queue, "runs", [created(false), assigned()]);
    queue.recovered();
    let jobs: Vec<_> = std::iter::from_fn(|| write(&mut queue, NOW)).collect();
    let deleted = |job: &Job| matches!(job, Job::Delete(record) if record.spec.task_id == "gone");
    assert_eq!(jobs.iter().filter(|job| deleted(job)).count(), 1);
    assert!(
        !jobs
            .iter()
            .any(|job| matches!(job, Job::Delete(_)) && !deleted(job))
    );
    let late = TaskRecord::new(&change("late", created(false))).unwrap();
    queue.found(late, None);
    assert!(matches!(write(&mut queue, NOW), Some(Job::Delete(_))));
}

#[test]
fn what_does_not_go_on_is_deleted_at_once() {
    let mut queue = Queue::default();
    let record = TaskRecord::new(&change("t", created(false))).unwrap();
    queue.adopt(record, None, false);
    assert!(matches!(write(&mut queue, NOW), Some(Job::Delete(_))));
    assert!(is_empty(&queue));
}

/// A task that runs, with an object of the uid "one".
fn running() -> Queue {
    let mut queue = Queue::default();
    record(&mut queue, "t", [created(false), assigned()]);
    let (task, job) = queue.next(LATER).unwrap();
    queue.done(&task, job, Done::Written(Some("one".into())));
    queue
}

#[test]
fn an_object_that_somebody_deletes_comes_back_when_its_task_runs_again() {
    let mut queue = running();
    queue.vanished(&"t".into(), "one");
    assert_eq!((write(&mut queue, LATER), queue.state().objects), (None, 0));
    record(&mut queue, "t", [TaskChangeKind::Recalled]);
    assert_eq!(write(&mut queue, LATER + 1000), None);
    record(&mut queue, "t", [assigned()]);
    let Some(Job::Create(again)) = write(&mut queue, LATER + 1000) else {
        panic!("no create")
    };
    assert_eq!(
        (again.status.state, again.status.failure_class),
        (TaskState::Running, None)
    );
    // A late word of the old object's end changes nothing for the new one.
    let mut queue = running();
    queue.vanished(&"t".into(), "another");
    assert_eq!(queue.state().objects, 1);
}

#[test]
fn a_deletion_that_meets_a_write_is_not_lost() {
    // The write finds nothing.
    let mut queue = running();
    record(&mut queue, "t", [requeued()]);
    let (task, job) = queue.next(LATER).unwrap();
    queue.done(&task, job, Done::Vanished);
    assert_eq!((write(&mut queue, LATER), queue.state().objects), (None, 0));
    record(&mut queue, "t", [assigned()]);
    assert!(matches!(write(&mut queue, LATER), Some(Job::Create(_))));
    // The deletion is known before the answer of a write that came before it.
    let mut queue = running();
    record(&mut queue, "t", [requeued()]);
    let (task, job) = queue.next(LATER).unwrap();
    queue.vanished(&task, "one");
    queue.done(&task, job, Done::Written(Some("one".into())));
    assert_eq!(queue.state().objects, 0);
    // And while one waits.
    let mut queue = running();
    record(&mut queue, "t", [requeued()]);
    queue.vanished(&"t".into(), "one");
    assert_eq!((write(&mut queue, LATER), queue.state().objects), (None, 0));
    record(&mut queue, "t", [TaskChangeKind::Dropped]);
    assert!(is_empty(&queue));
}

#[test]
fn objects_are_expected_until_it_is_known_that_they_go() {
    let expected = |queue: &Queue| -> Vec<String> {
        let expected = queue.expected();
        expected
            .map(|(_, task, uid)| format!("{task} {uid}"))
            .collect()
    };
    let mut queue = running();
    assert_eq!(expected(&queue), ["t one"]);
    queue.vanished(&"t".into(), "one");
    assert!(expected(&queue).is_empty(), "somebody deleted it");

    let mut queue = running();
    record(&mut queue, "t", [TaskChangeKind::Dropped]);
    assert!(expected(&queue).is_empty(), "this deletes it");

    // A write that finds nothing does not know whether its deletion was heard of.
    let missed = || {
        let mut queue = running();
        record(&mut queue, "t", [requeued()]);
        let (task, job) = queue.next(LATER).unwrap();
        queue.done(&task, job, Done::Vanished);
        queue
    };
    let mut queue = missed();
    assert_eq!(expected(&queue), ["t one"]);
    queue.vanished(&"t".into(), "one");
    assert!(expected(&queue).is_empty());
    let mut queue = missed();
    record(&mut queue, "t", [assigned()]);
    let (task, job) = queue.next(LATER + 1000).unwrap();
    queue.done(&task, job, Done::Written(Some("two".into())));
    assert_eq!(expected(&queue), ["t two"]);

    // A root's object is made elsewhere.
    let mut queue = Queue::default();
    record(&mut queue, "r", [created(true)]);
    assert!(expected(&queue).is_empty());
    queue.begun(&"r".into(), "root".into());
    assert_eq!(expected(&queue), ["r root"]);
    // Its deletion may be heard of before the answer.
    let mut queue = Queue::default();
    record(&mut queue, "r", [created(true)]);
    queue.vanished(&"r".into(), "root");
    queue.begun(&"r".into(), "root".into());
    assert!(expected(&queue).is_empty());
    queue.begun(&"unknown".into(), "root".into());
    record(&mut queue, "r", [TaskChangeKind::Dropped]);
    assert!(is_empty(&queue));
}

#[test]
fn nothing_is_left_of_any_sequence_that_ends() {
    use proptest::prelude::*;
    let kinds = prop::collection::vec((0..4usize, 0..8usize, 0..3i64), 0..60);
    proptest!(|(steps in kinds)| {
        let mut queue = Queue::new(Bounds { per_proof: 2, ..Bounds::default() });
        let mut flight: Vec<(TaskId, Job)> = Vec::new();
        let mut now = NOW;
        for (task, what, pass) in steps {
            now += pass * 300;
            let name = format!("t{task}");
            let kind = match what {
                0 => created(task == 0),
                1 => assigned(),
                2 => requeued(),
                3 => { flight.extend(queue.next(now)); continue }
                5 => TaskChangeKind::Recalled,
                6 => { queue.vanished(&name.as_str().into(), "one"); continue }
                _ => {
                    if let Some((task, job)) = flight.pop() {
                        queue.done(&task, job, if pass == 0 { Done::Failed } else { Done::Written(Some(if pass == 1 { "one" } else { "two" }.into())) });
                    }
                    continue
                }
            };
            let mut change = change(&name, kind);
            change.at = now;
            queue.record(&change);
            // The same task is never written twice at once.
            let mut ids: Vec<_> = flight.iter().map(|(task, _)| task.clone()).collect();
            ids.sort();
            ids.dedup();
            prop_assert_eq!(ids.len(), flight.len());
        }
        for n in 0..4 {
            queue.record(&change(&format!("t{n}"), TaskChangeKind::Dropped));
        }
        for (task, job) in flight {
            queue.done(&task, job, Done::Written(None));
        }
        while write(&mut queue, now + 10_000).is_some() {}
        prop_assert!(is_empty(&queue), "{:?}", queue);
    });
}

#[test]
fn a_task_that_waits_for_its_record_is_written_like_one_that_has_it() {
    use proptest::prelude::*;
    let steps = prop::collection::vec((0..4usize, 0..11usize, 0..3i64), 0..80);
    proptest!(|(steps in steps)| {
        let bounds = Bounds { per_proof: 2, ..Bounds::default() };
        let (mut queue, mut other) = (Queue::new(bounds), Queue::new(bounds));
        let mut flight: Vec<(TaskId, Job)> = Vec::new();
        let mut now = NOW;
        for (task, what, pass) in steps {
            now += pass * 200;
            let name = format!("t{task}");
            let kind = match what {
                0 | 1 => created(false),
                2 | 3 => assigned(),
                4 => requeued(),
                5 => TaskChangeKind::Recalled,
                6 => succeeded(),
                7 => TaskChangeKind::Dropped,
                8 => failed(),
                9 => {
                    let next = queue.next(now);
                    prop_assert_eq!(&next, &other.next(now));
                    flight.extend(next);
                    continue
                }
                _ => {
                    if let Some((task, job)) = flight.pop() {
                        let done = if pass == 0 { Done::Failed } else { Done::Written(Some("one".into())) };
                        queue.done(&task, job.clone(), done.clone());
                        other.done(&task, job, done);
                    }
                    continue
                }
            };
            let mut change = change(&name, kind);
            change.at = now;
            queue.record(&change);
            // With a record from the first.
            other.now = other.now.max(now);
            other.follow(&change);
            prop_assert_eq!(queue.next_at(), other.next_at());
            prop_assert_eq!(format!("{:?}", queue.state()), format!("{:?}", other.state()));
        }
    });
}

#[test]
fn an_object_whose_creation_was_not_answered_goes_with_its_task() {
    let mut queue = Queue::default();
    record(&mut queue, "t", [created(false), assigned()]);
    let (task, job) = queue.next(LATER).unwrap();
    assert!(matches!(job, Job::Create(_)));
    record(&mut queue, "t", [succeeded()]);
    queue.done(&task, job, Done::Failed);
    assert!(matches!(write(&mut queue, LATER), Some(Job::Delete(_))));
    assert!(is_empty(&queue));
}

#[test]
fn an_object_whose_creation_was_not_answered_is_made_again_while_its_task_runs() {
    let mut queue = Queue::default();
    record(&mut queue, "t", [created(false), assigned()]);
    let (task, job) = queue.next(LATER).unwrap();
    queue.done(&task, job, Done::Failed);
    assert!(matches!(write(&mut queue, LATER), Some(Job::Create(_))));
    record(&mut queue, "t", [succeeded()]);
    assert!(matches!(write(&mut queue, LATER), Some(Job::Delete(_))));
    assert!(is_empty(&queue));
}

/// Whether a writer that sleeps would have to look again after each change.
fn wakes(
    queue: &mut Queue,
    kinds: impl IntoIterator<Item = (&'static str, TaskChangeKind)>,
) -> Vec<bool> {
    let mut woken = Vec::new();
    for (task, kind) in kinds {
        let before = queue.outlook();
        queue.record(&change(task, kind));
        woken.push(queue.outlook().is_sooner_than(before));
    }
    woken
}

#[test]
fn a_writer_is_woken_for_the_first_that_becomes_due_and_for_what_is_due_now() {
    let mut queue = Queue::default();
    let short = [
        ("a", created(false)),
        ("a", assigned()),
        ("b", created(false)),
        ("b", assigned()),
        ("a", succeeded()),
        ("b", succeeded()),
    ];
    assert_eq!(
        wakes(&mut queue, short),
        [false, true, false, false, false, false]
    );
    assert!(is_empty(&queue));
    assert_eq!(
        wakes(&mut queue, [("c", created(false)), ("c", failed())]),
        [false, true]
    );
}
