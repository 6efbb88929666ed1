//! Which worker a task goes to, and which task goes first.

#![allow(clippy::unwrap_used)]

mod common;

use common::{GPU_3, GPU_4, decide, proof, proof_of, scheduler, task, worker};
use provost_scheduler::{
    Class, Deadline, Pod, Refused, Requeue, Requirement, Room, Shape, Slot, TaskSpec, WorkerKind,
    WorkerSpec,
};

/// Light, and there until its children are done.
const CONTROLLER: Shape = Shape::new(Class::Cpu, 1).with_reserve(8);
/// The child that it is to have first.
const EXECUTION: Shape = Shape::new(Class::Cpu, 8);

#[test]
fn the_least_loaded_worker_gets_it_and_the_smaller_of_two() {
    let mut s = scheduler();
    let p = proof(&mut s);
    let large = worker(&mut s, WorkerKind::Gpu, 96, 1);
    let small = worker(&mut s, WorkerKind::Gpu, 8, 2);
    for _ in 0..4 {
        task(&mut s, p, GPU_4);
    }
    let order: Vec<_> = decide(&mut s, 0).into_iter().map(|(_, w)| w).collect();
    assert_eq!(order, [small, large, small, large]);
}

#[test]
fn a_head_that_fits_nowhere_blocks_nobody() {
    let mut s = scheduler();
    let p = proof(&mut s);
    let w = worker(&mut s, WorkerKind::Cpu, 48, 1);
    let plonk = task(&mut s, p, Shape::new(Class::Cpu, 60));
    let small = task(&mut s, p, Shape::new(Class::Cpu, 8));
    assert_eq!(decide(&mut s, 0), [(small, w)]);
    s.set_capacity(w, 68).unwrap();
    assert_eq!(decide(&mut s, 0), [(plonk, w)]);
}

#[test]
fn classes_capacities_and_requirements_hold() {
    let mut s = scheduler();
    let p = proof(&mut s);
    worker(&mut s, WorkerKind::Cpu, 99, 1);
    worker(&mut s, WorkerKind::Gpu, 3, 2);
    let version = Requirement(610);
    let t = task(&mut s, p, GPU_4.with_requirement(version));
    worker(&mut s, WorkerKind::Gpu, 99, 3);
    assert_eq!(decide(&mut s, 0), []);
    let w = s.add_worker(WorkerSpec {
        kind: WorkerKind::All,
        capacity: 4,
        provers: None,
        pod: Pod::new(4),
        provides: vec![Requirement(1), version],
        spot: false,
    });
    assert_eq!(decide(&mut s, 0), [(t, w)]);
}

#[test]
fn two_plonk_wraps_never_share_a_worker() {
    let mut s = scheduler();
    let p = proof(&mut s);
    let w = worker(&mut s, WorkerKind::Cpu, 200, 1);
    let plonk = Shape::new(Class::Cpu, 60).with_slot(Slot::new(0));
    let (one, two) = (task(&mut s, p, plonk), task(&mut s, p, plonk));
    let other = task(&mut s, p, Shape::new(Class::Cpu, 14));
    assert_eq!(decide(&mut s, 0), [(one, w), (other, w)]);
    let hold = s.remove_task(one, Room::Kept).unwrap().unwrap();
    assert_eq!(decide(&mut s, 0), [], "it has not stopped yet");
    s.release(hold).unwrap();
    assert_eq!(decide(&mut s, 0), [(two, w)]);
}

#[test]
fn controllers_leave_room_for_their_children() {
    let mut s = scheduler();
    let w = worker(&mut s, WorkerKind::Cpu, 10, 1);
    let proofs: Vec<_> = (0..12).map(|_| proof(&mut s)).collect();
    for p in &proofs {
        task(&mut s, *p, CONTROLLER);
    }
    let placed = decide(&mut s, 0);
    assert_eq!(placed.len(), 2, "one more would leave 7 for a CoreExecute");
    let child = task(&mut s, proofs[0], EXECUTION);
    assert_eq!(decide(&mut s, 0), [(child, w)]);
    // A second one is filled up: the first can still take the children.
    s.complete(child).unwrap();
    worker(&mut s, WorkerKind::Cpu, 8, 2);
    let more = decide(&mut s, 0);
    assert_eq!(more.len(), 8);
    assert!(more.iter().all(|(_, on)| *on != w));
}

#[test]
fn what_executes_for_long_is_no_room_for_the_children_of_others() {
    let mut s = scheduler();
    let two = [
        worker(&mut s, WorkerKind::Cpu, 9, 1),
        worker(&mut s, WorkerKind::Cpu, 9, 2),
    ];
    let large = proof(&mut s);
    task(&mut s, large, CONTROLLER);
    task(&mut s, large, EXECUTION);
    decide(&mut s, 0);
    let small: Vec<_> = (0..3).map(|_| proof(&mut s)).collect();
    for p in &small {
        task(&mut s, *p, CONTROLLER);
    }
    assert_eq!(
        decide(&mut s, 0).len(),
        1,
        "none goes where the one room is left"
    );
    let child = task(&mut s, small[0], EXECUTION);
    assert_eq!(decide(&mut s, 0), [(child, two[0])]);
    s.complete(child).unwrap();
    assert_eq!(
        decide(&mut s, 0),
        [],
        "the other has no room for another Controller"
    );
}

#[test]
fn a_controller_takes_no_room_that_another_expects_to_fill() {
    let mut s = scheduler();
    for pod in 1..=2 {
        worker(&mut s, WorkerKind::Cpu, 9, pod);
    }
    let proofs: Vec<_> = (0..3).map(|_| proof(&mut s)).collect();
    for p in &proofs {
        task(&mut s, *p, CONTROLLER);
    }
    assert_eq!(decide(&mut s, 0).len(), 2, "a third would leave one place");
    // On a worker too small for an execution it is in nobody's way.
    let small = worker(&mut s, WorkerKind::Cpu, 1, 3);
    assert_eq!(decide(&mut s, 0).len(), 1);
    s.remove_worker(small).unwrap();
    let executions = [proofs[0], proofs[1]].map(|p| task(&mut s, p, EXECUTION));
    assert_eq!(decide(&mut s, 0).len(), 2, "both at once");
    let third = task(&mut s, proofs[2], CONTROLLER);
    assert_eq!(decide(&mut s, 0), [], "no place for its execution");
    for execution in executions {
        s.complete(execution).unwrap();
    }
    let placed = decide(&mut s, 0);
    assert_eq!(placed.len(), 1, "nobody expects to fill the two places");
    assert_eq!(placed[0].0, third);
}

#[test]
fn hints_are_followed_where_they_can_be() {
    let mut s = scheduler();
    let p = proof(&mut s);
    let busy = worker(&mut s, WorkerKind::Cpu, 16, 1);
    let idle = worker(&mut s, WorkerKind::Cpu, 16, 2);
    let root = task(&mut s, p, Shape::new(Class::Cpu, 1));
    assert_eq!(decide(&mut s, 0), [(root, busy)]);
    let mut spec = TaskSpec::new(p, Shape::new(Class::Cpu, 8), 0);
    spec.prefer = Some(busy);
    let child = s.add_task(spec).unwrap();
    assert_eq!(decide(&mut s, 0), [(child, busy)]);
    let again = Requeue {
        avoid: Some(Pod::new(1)),
        ..Requeue::default()
    };
    s.requeue(child, again, Room::Freed).unwrap();
    assert_eq!(decide(&mut s, 0), [(child, idle)], "to avoid wins");
    s.close_worker(idle).unwrap();
    s.requeue(child, again, Room::Freed).unwrap();
    s.close_worker(idle).unwrap();
    assert_eq!(decide(&mut s, 0), [(child, busy)], "there is no other");
}

#[test]
fn out_of_memory_moves_a_task_to_a_larger_worker() {
    let mut s = scheduler();
    let p = proof(&mut s);
    let small = worker(&mut s, WorkerKind::Cpu, 16, 1);
    let t = task(&mut s, p, Shape::new(Class::Cpu, 8));
    assert_eq!(decide(&mut s, 0), [(t, small)]);
    let again = Requeue {
        min_capacity: 17,
        ..Requeue::default()
    };
    s.requeue(t, again, Room::Freed).unwrap();
    assert_eq!(decide(&mut s, 0), []);
    assert_eq!(s.shape_of(t).unwrap().min_capacity, 17);
    let large = worker(&mut s, WorkerKind::Cpu, 32, 2);
    assert_eq!(decide(&mut s, 0), [(t, large)]);
}

#[test]
fn a_proof_at_its_cap_is_stepped_over() {
    let mut s = scheduler();
    let p = proof(&mut s);
    worker(&mut s, WorkerKind::All, 400, 1);
    s.set_parallelism(p, Some(40)).unwrap();
    for _ in 0..60 {
        task(&mut s, p, GPU_4);
    }
    let other = proof(&mut s);
    let late = task(&mut s, other, GPU_4);
    let cpu = task(&mut s, p, Shape::new(Class::Cpu, 8));
    let placed = decide(&mut s, 0);
    assert_eq!(placed.len(), 40 + 1 + 1);
    assert!(placed.iter().any(|(t, _)| *t == late) && placed.iter().any(|(t, _)| *t == cpu));
    s.complete(
        placed
            .iter()
            .map(|(t, _)| *t)
            .find(|t| *t != late && *t != cpu)
            .unwrap(),
    )
    .unwrap();
    assert_eq!(decide(&mut s, 0).len(), 1);
    s.set_parallelism(p, Some(42)).unwrap();
    assert_eq!(decide(&mut s, 0).len(), 2);
}

#[test]
fn a_prover_gets_one_task_to_follow_and_no_more() {
    let mut s = scheduler();
    let (p, other) = (proof(&mut s), proof(&mut s));
    let prover = |capacity, provers| WorkerSpec {
        kind: WorkerKind::All,
        capacity,
        provers,
        pod: Pod::new(1),
        provides: Vec::new(),
        spot: false,
    };
    let one = s.add_worker(prover(24, Some(1)));
    let shards: Vec<_> = (0..9).map(|_| task(&mut s, p, GPU_4)).collect();
    assert_eq!(decide(&mut s, 0), [(shards[0], one), (shards[1], one)]);
    // What does not prove goes by memory.
    let cpu = task(&mut s, p, Shape::new(Class::Cpu, 16));
    assert_eq!(decide(&mut s, 0), [(cpu, one)]);
    // Who comes later is not behind what merely found room first.
    let late = task(&mut s, other, GPU_4);
    s.complete(shards[0]).unwrap();
    assert_eq!(decide(&mut s, 0), [(late, one)]);
    // A prover that does not say how many it proves gets what it has room for.
    let quiet = s.add_worker(prover(16, None));
    let placed = decide(&mut s, 0);
    assert_eq!(placed.len(), 4);
    assert!(placed.iter().all(|(_, worker)| *worker == quiet));
}

#[test]
fn priority_then_urgency_then_stage_then_age() {
    let mut s = scheduler();
    let tenant = s.add_tenant(1);
    let (far, near, high) = (
        proof_of(&mut s, tenant),
        proof_of(&mut s, tenant),
        proof_of(&mut s, tenant),
    );
    let hour = 3_600_000;
    let deadline = |at| {
        Some(Deadline {
            at,
            remaining: 60_000,
        })
    };
    s.set_deadline(far, deadline(2 * hour)).unwrap();
    s.set_deadline(near, deadline(hour)).unwrap();
    s.set_priority(high, 1).unwrap();
    let old = task(&mut s, far, GPU_4);
    let deep = s.add_task(TaskSpec::new(far, GPU_4, 9)).unwrap();
    let urgent = task(&mut s, near, GPU_4);
    let first = task(&mut s, high, GPU_4);
    // Room for one at a time, so that shares are even at every decision.
    let w = worker(&mut s, WorkerKind::Gpu, 4, 1);
    let mut order = Vec::new();
    assert_eq!(s.wake_at(), Some(hour - 60_000 - 300_000));
    let now = hour - 200_000;
    while let Some(placed) = s.next(now) {
        assert_eq!(placed.worker, w);
        order.push(placed.task);
        s.complete(placed.task).unwrap();
    }
    assert_eq!(order, [first, urgent, deep, old]);
}

#[test]
fn a_deadline_that_has_passed_counts_for_nothing() {
    let mut s = scheduler();
    let tenant = s.add_tenant(1);
    let (late, other) = (proof_of(&mut s, tenant), proof_of(&mut s, tenant));
    s.set_deadline(
        late,
        Some(Deadline {
            at: 100,
            remaining: 50,
        }),
    )
    .unwrap();
    let second = task(&mut s, other, GPU_4);
    let first = task(&mut s, late, GPU_4);
    worker(&mut s, WorkerKind::Gpu, 4, 1);
    assert_eq!(s.next(99).map(|p| p.task), Some(first));
    s.requeue(first, Requeue::default(), Room::Freed).unwrap();
    assert_eq!(s.next(100).map(|p| p.task), Some(second));
}

#[test]
fn what_waits_out_a_time_comes_back_in_its_old_place() {
    let mut s = scheduler();
    let p = proof(&mut s);
    worker(&mut s, WorkerKind::Gpu, 4, 1);
    let (one, two) = (task(&mut s, p, GPU_4), task(&mut s, p, GPU_4));
    assert_eq!(s.next(0).map(|p| p.task), Some(one));
    let again = Requeue {
        not_before: 1_000,
        ..Requeue::default()
    };
    s.requeue(one, again, Room::Freed).unwrap();
    assert_eq!((s.waiting(), s.delayed(), s.wake_at()), (1, 1, Some(1_000)));
    assert_eq!(s.next(999).map(|p| p.task), Some(two));
    s.requeue(two, Requeue::default(), Room::Freed).unwrap();
    assert_eq!(s.next(1_000).map(|p| p.task), Some(one));
    assert_eq!(s.delay(one, 5), Err(Refused::NotWaiting));
}

#[test]
fn a_lost_worker_gives_its_tasks_back() {
    let mut s = scheduler();
    let p = proof(&mut s);
    let w = worker(&mut s, WorkerKind::Gpu, 24, 1);
    let t = task(&mut s, p, GPU_4);
    let given_up = task(&mut s, p, GPU_3);
    decide(&mut s, 0);
    let hold = s.remove_task(given_up, Room::Kept).unwrap().unwrap();
    assert_eq!(s.worker(w).unwrap().used, 7);
    assert_eq!(s.remove_worker(w), Ok(vec![t]));
    assert_eq!(s.release(hold), Err(Refused::UnknownHold));
    assert_eq!(s.remove_worker(w), Err(Refused::UnknownWorker));
    assert_eq!(s.explain(t).map(|s| s.reason()), Some("Adrift"));
    s.requeue(t, Requeue::default(), Room::Freed).unwrap();
    let other = worker(&mut s, WorkerKind::Gpu, 24, 2);
    assert_eq!(decide(&mut s, 0), [(t, other)]);
    s.verify().unwrap();
}

#[test]
fn a_closed_worker_keeps_what_it_has_and_takes_no_more() {
    let mut s = scheduler();
    let p = proof(&mut s);
    let w = worker(&mut s, WorkerKind::Gpu, 24, 1);
    let t = task(&mut s, p, GPU_4);
    decide(&mut s, 0);
    s.close_worker(w).unwrap();
    let next = task(&mut s, p, GPU_4);
    assert_eq!(decide(&mut s, 0), []);
    assert_eq!(s.worker_of(t), Some(w));
    s.open_worker(w).unwrap();
    assert_eq!(decide(&mut s, 0), [(next, w)]);
}

#[test]
fn running_tasks_are_adopted_beyond_capacity() {
    let mut s = scheduler();
    let p = proof(&mut s);
    let w = worker(&mut s, WorkerKind::Gpu, 4, 1);
    let one = s.adopt(TaskSpec::new(p, GPU_4, 0), w).unwrap();
    let two = task(&mut s, p, GPU_4);
    s.found_on(two, w).unwrap();
    assert_eq!(s.found_on(two, w), Err(Refused::NotWaiting));
    assert_eq!(s.worker(w).unwrap().used, 8);
    let three = task(&mut s, p, GPU_4);
    s.complete(one).unwrap();
    assert_eq!(decide(&mut s, 0), []);
    s.complete(two).unwrap();
    assert_eq!(decide(&mut s, 0), [(three, w)]);
}

#[test]
fn what_is_in_use_is_not_forgotten() {
    let mut s = scheduler();
    let tenant = s.add_tenant(1);
    let p = proof_of(&mut s, tenant);
    let t = task(&mut s, p, GPU_4);
    worker(&mut s, WorkerKind::Gpu, 4, 1);
    decide(&mut s, 0);
    assert_eq!(s.remove_proof(p), Err(Refused::InUse));
    let hold = s.remove_task(t, Room::Kept).unwrap().unwrap();
    s.remove_proof(p).unwrap();
    assert_eq!(s.used_by_tenant(tenant, Class::Gpu), Some(4));
    assert_eq!(s.remove_tenant(tenant), Err(Refused::InUse));
    s.release(hold).unwrap();
    s.remove_tenant(tenant).unwrap();
    assert_eq!(
        s.add_task(TaskSpec::new(p, GPU_4, 0)),
        Err(Refused::UnknownProof)
    );
    assert_eq!(s.complete(t), Err(Refused::UnknownTask));
}

/// A worker on a node of its own.
fn node(pod: u64, spot: bool) -> WorkerSpec {
    WorkerSpec {
        kind: WorkerKind::All,
        capacity: 8,
        provers: None,
        pod: Pod::new(pod),
        provides: Vec::new(),
        spot,
    }
}

#[test]
fn what_a_proof_hangs_on_stays_off_spot_nodes_while_another_has_room() {
    let mut s = scheduler();
    let p = proof(&mut s);
    let execution = Shape::new(Class::Cpu, 4).steady();
    // There was a spot node before, whose like is not known any more.
    let gone = s.add_worker(node(1, true));
    let first = task(&mut s, p, execution);
    assert_eq!(decide(&mut s, 0), [(first, gone)]);
    s.remove_worker(gone).unwrap();
    s.remove_task(first, Room::Freed).unwrap();
    let lasting = s.add_worker(node(2, false));
    let spot = s.add_worker(node(3, true));
    let tasks: Vec<_> = (0..4).map(|_| task(&mut s, p, execution)).collect();
    let placed = [lasting, lasting, spot, spot];
    let expected: Vec<_> = tasks.into_iter().zip(placed).collect();
    assert_eq!(decide(&mut s, 0), expected);
}

#[test]
fn what_failed_on_a_pod_goes_to_another_node_or_else_to_another_pod() {
    let mut s = scheduler();
    let p = proof(&mut s);
    let place = |pod, node| WorkerSpec {
        pod: Pod::new(pod).on(node),
        ..node_of(pod)
    };
    let [first, next] = [1, 2].map(|pod| s.add_worker(place(pod, 1)));
    let elsewhere = s.add_worker(node_of(3));
    // There is more to do elsewhere.
    let beside = task(&mut s, p, Shape::new(Class::Cpu, 4));
    s.close_worker(first).unwrap();
    s.close_worker(next).unwrap();
    assert_eq!(decide(&mut s, 0), [(beside, elsewhere)]);
    s.open_worker(first).unwrap();
    let t = task(&mut s, p, Shape::new(Class::Cpu, 4));
    assert_eq!(decide(&mut s, 0), [(t, first)]);
    s.open_worker(next).unwrap();
    // Its node is told late.
    s.set_pod(elsewhere, Pod::new(3).on(2)).unwrap();
    let again = Requeue {
        avoid: Some(Pod::new(1).on(1)),
        ..Requeue::default()
    };
    for there in [elsewhere, next, first] {
        s.requeue(t, again, Room::Freed).unwrap();
        assert_eq!(decide(&mut s, 0), [(t, there)]);
        s.close_worker(there).unwrap();
    }
}

fn node_of(pod: u64) -> WorkerSpec {
    node(pod, false)
}

#[test]
fn a_spot_node_that_had_the_task_is_worse_than_one_that_had_not() {
    let mut s = scheduler();
    let p = proof(&mut s);
    let (lasting, spot) = (s.add_worker(node(1, false)), s.add_worker(node(2, true)));
    let spec = TaskSpec::new(p, Shape::new(Class::Cpu, 4).steady(), 0);
    let t = s.add_task(spec).unwrap();
    assert_eq!(decide(&mut s, 0), [(t, lasting)]);
    let again = Requeue {
        avoid: Some(Pod::new(1)),
        ..Requeue::default()
    };
    s.requeue(t, again, Room::Freed).unwrap();
    assert_eq!(decide(&mut s, 0), [(t, spot)]);
}

/// Else all executions would follow each other on the node that may go.
#[test]
fn controllers_take_no_place_on_the_node_that_stays() {
    let mut s = scheduler();
    let node = |pod, spot| WorkerSpec {
        capacity: 9,
        ..node(pod, spot)
    };
    let lasting = s.add_worker(node(1, false));
    let spot = s.add_worker(node(2, true));
    let proofs = [proof(&mut s), proof(&mut s)];
    let controllers = proofs.map(|p| task(&mut s, p, CONTROLLER.steady()));
    let placed = [(controllers[0], lasting), (controllers[1], spot)];
    assert_eq!(decide(&mut s, 0), placed);
    let executions = proofs.map(|p| task(&mut s, p, EXECUTION.steady()));
    let mut placed = decide(&mut s, 0);
    placed.sort_unstable();
    assert_eq!(placed, [(executions[0], lasting), (executions[1], spot)]);
}

#[test]
fn a_controller_stays_off_spot_nodes_where_places_are_left() {
    let mut s = scheduler();
    let large = WorkerSpec {
        capacity: 24,
        ..node(1, false)
    };
    let lasting = s.add_worker(large);
    s.add_worker(node(2, true));
    let p = proof(&mut s);
    // It takes one of three places, and two are more than anybody waits for.
    let controller = task(&mut s, p, CONTROLLER.steady());
    assert_eq!(decide(&mut s, 0), [(controller, lasting)]);
}
