#![allow(clippy::unwrap_used)]

use super::super::object::tests::{assigned, change, created};
use super::*;
use provost_crds::TaskState;

fn succeeded() -> TaskChangeKind {
    TaskChangeKind::Succeeded {
        metadata: String::new(),
    }
}

fn write(queue: &mut Queue) -> Option<Job> {
    let (task, job) = queue.next()?;
    queue.done(&task, job.clone(), Done::Written);
    Some(job)
}

#[test]
fn a_create_that_was_overtaken_is_one_create_with_the_end_state() {
    let mut queue = Queue::default();
    for kind in [created(false), assigned(), succeeded()] {
        queue.record(&change("t", kind));
    }
    let Some(Job::Create(record)) = write(&mut queue) else {
        panic!("no create")
    };
    assert_eq!(record.status.state, TaskState::Succeeded);
    assert_eq!(write(&mut queue), None);
    assert!(queue.entries.is_empty());
}

#[test]
fn changes_during_a_write_fold_into_one_patch() {
    let mut queue = Queue::default();
    queue.record(&change("t", created(false)));
    let (task, job) = queue.next().unwrap();
    queue.record(&change("t", assigned()));
    queue.record(&change("t", succeeded()));
    assert_eq!(queue.next(), None);
    queue.done(&task, job, Done::Written);
    let Some(Job::Patch(record)) = write(&mut queue) else {
        panic!("no patch")
    };
    assert_eq!(record.status.state, TaskState::Succeeded);
    assert_eq!((write(&mut queue), queue.behind()), (None, 0));
}

#[test]
fn a_dropped_task_is_deleted_or_never_written() {
    let mut queue = Queue::default();
    queue.record(&change("a", created(false)));
    queue.record(&change("a", TaskChangeKind::Dropped));
    queue.record(&change("b", created(false)));
    let (b, job) = loop {
        let (task, job) = queue.next().unwrap();
        if task.as_str() == "b" {
            break (task, job);
        }
        assert!(
            matches!(job, Job::Delete(_)),
            "a task that never existed is not created"
        );
        queue.done(&task, job, Done::Written);
    };
    queue.record(&change("b", TaskChangeKind::Dropped));
    queue.done(&b, job, Done::Written);
    assert!(matches!(write(&mut queue), Some(Job::Delete(_))));
    assert!(queue.entries.is_empty());
}

#[test]
fn a_failed_write_comes_again_with_the_newest_state() {
    let mut queue = Queue::default();
    queue.record(&change("t", created(false)));
    let (task, job) = queue.next().unwrap();
    queue.record(&change("t", assigned()));
    queue.done(&task, job, Done::Failed);
    let Some(Job::Create(record)) = write(&mut queue) else {
        panic!("no create")
    };
    assert_eq!(record.status.state, TaskState::Running);
}

#[test]
fn a_hopeless_task_is_forgotten() {
    let mut queue = Queue::default();
    queue.record(&change("t", created(false)));
    let (task, job) = queue.next().unwrap();
    queue.done(&task, job, Done::Hopeless);
    queue.record(&change("t", succeeded()));
    assert_eq!(queue.next(), None);
    assert!(queue.proofs().is_empty());
}

#[test]
fn roots_go_first_and_have_no_bound() {
    let mut queue = Queue::default();
    for n in 0..MAX_PER_PROOF + 10 {
        queue.record(&change(&format!("t{n}"), created(false)));
    }
    queue.record(&change("root", created(true)));
    assert_eq!(queue.behind(), MAX_PER_PROOF + 1);
    assert_eq!(queue.next().unwrap().0.as_str(), "root");
}
