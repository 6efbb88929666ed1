//! Why a task waits.

#![allow(clippy::unwrap_used)]

mod common;

use common::{GPU_4, decide, proof, scheduler, task, worker};
use provost_scheduler::explain::{Standing, Unschedulable};
use provost_scheduler::{Class, Deadline, Requeue, Requirement, Room, Shape, WorkerKind};

fn unschedulable(why: Unschedulable) -> Option<Standing> {
    Some(Standing::Unschedulable(why))
}

#[test]
fn a_task_without_a_worker_of_its_class() {
    let mut s = scheduler();
    let p = proof(&mut s);
    worker(&mut s, WorkerKind::Cpu, 99, 1);
    let t = task(&mut s, p, GPU_4);
    let class = Class::Gpu;
    assert_eq!(
        s.explain(t),
        unschedulable(Unschedulable::NoWorker { class })
    );
}

#[test]
fn a_task_without_a_worker_that_has_what_it_requires() {
    let mut s = scheduler();
    let p = proof(&mut s);
    worker(&mut s, WorkerKind::Gpu, 99, 1);
    let requirement = Requirement(610);
    let t = task(&mut s, p, GPU_4.with_requirement(requirement));
    let why = Unschedulable::NoMatch {
        class: Class::Gpu,
        requirement,
        workers: 1,
    };
    assert_eq!(s.explain(t), unschedulable(why));
}

#[test]
fn a_task_that_is_too_large_for_the_largest_worker() {
    let mut s = scheduler();
    let p = proof(&mut s);
    for (capacity, pod) in [(2, 1), (3, 2), (1, 3)] {
        worker(&mut s, WorkerKind::All, capacity, pod);
    }
    let t = task(&mut s, p, GPU_4);
    let why = Unschedulable::TooLarge {
        class: Class::Gpu,
        weight: 4,
        children: 0,
        largest: 3,
    };
    assert_eq!(s.explain(t), unschedulable(why));
}

#[test]
fn a_controller_whose_children_would_not_fit() {
    let mut s = scheduler();
    let p = proof(&mut s);
    let w = worker(&mut s, WorkerKind::Cpu, 8, 1);
    let shape = Shape::new(Class::Cpu, 1).with_reserve(8);
    let t = task(&mut s, p, shape);
    decide(&mut s, 0);
    let why = Unschedulable::TooLarge {
        class: Class::Cpu,
        weight: 1,
        children: 8,
        largest: 8,
    };
    assert_eq!(s.explain(t), unschedulable(why));
    worker(&mut s, WorkerKind::Cpu, 1, 2);
    assert_eq!(s.unschedulable(&shape), None, "it fits beside");
    assert_eq!(decide(&mut s, 0).len(), 1);
    assert_ne!(s.worker_of(t), Some(w));
}

#[test]
fn a_task_that_ran_out_of_memory_on_the_largest() {
    let mut s = scheduler();
    let p = proof(&mut s);
    worker(&mut s, WorkerKind::Gpu, 24, 1);
    let t = task(&mut s, p, GPU_4.with_min_capacity(25));
    let why = Unschedulable::OutOfMemory {
        class: Class::Gpu,
        min_capacity: 25,
        largest: 24,
    };
    assert_eq!(s.explain(t), unschedulable(why));
}

#[test]
fn tasks_that_only_have_to_wait() {
    let mut s = scheduler();
    let (p, high) = (proof(&mut s), proof(&mut s));
    let w = worker(&mut s, WorkerKind::Gpu, 4, 1);
    let (one, two) = (task(&mut s, p, GPU_4), task(&mut s, p, GPU_4));
    decide(&mut s, 0);
    assert_eq!(s.explain(one), Some(Standing::Runs { worker: w }));
    let busy = Standing::Busy {
        workers: 1,
        waiting: 1,
    };
    assert_eq!(s.explain(two), Some(busy));
    s.set_parallelism(p, Some(1)).unwrap();
    assert_eq!(s.explain(two), Some(Standing::AtCap { parallelism: 1 }));
    s.set_parallelism(p, None).unwrap();

    s.set_priority(high, 5).unwrap();
    let first = task(&mut s, high, GPU_4);
    let behind = |priority, urgent| Some(Standing::Behind { priority, urgent });
    assert_eq!(s.explain(two), behind(5, false));
    s.set_priority(high, 0).unwrap();
    let soon = Deadline {
        at: 1_000,
        remaining: 0,
    };
    s.set_deadline(high, Some(soon)).unwrap();
    assert_eq!(s.explain(two), behind(0, true));
    s.complete(first).unwrap();

    let again = Requeue {
        not_before: 9,
        ..Requeue::default()
    };
    s.requeue(one, again, Room::Freed).unwrap();
    assert_eq!(s.explain(one), Some(Standing::BackOff { until: 9 }));
    s.close_worker(w).unwrap();
    assert_eq!(s.explain(two), Some(Standing::Unavailable { workers: 1 }));
    s.remove_worker(w).unwrap();
    assert_eq!(s.explain(two).unwrap().reason(), "NoWorker");
    s.complete(two).unwrap();
    assert_eq!(s.explain(two), None);
}

#[test]
fn a_task_that_a_worker_is_kept_for() {
    let mut s = scheduler();
    let p = proof(&mut s);
    let w = worker(&mut s, WorkerKind::Gpu, 8, 1);
    for _ in 0..2 {
        task(&mut s, p, GPU_4);
    }
    let running = decide(&mut s, 0);
    let big = task(&mut s, p, Shape::new(Class::Gpu, 8));
    task(&mut s, p, GPU_4);
    s.complete(running[0].0).unwrap();
    decide(&mut s, 0);
    decide(&mut s, 10_000);
    assert_eq!(s.explain(big), Some(Standing::Reserved { worker: w }));
}
