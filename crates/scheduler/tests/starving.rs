//! A large task among small ones gets its turn within a bounded time, and the small ones go on around it.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;

use common::{Random, decide, proof, scheduler, task, worker};
use proptest::prelude::*;
use provost_scheduler::{Class, Scheduler, Settings, Shape, TaskKey, WorkerKey, WorkerKind};

const SMALL: Shape = Shape::new(Class::Cpu, 8);
const LARGE: Shape = Shape::new(Class::Cpu, 60);

/// Workers that are kept full of small tasks, and time.
struct Flood {
    s: Scheduler,
    now: u64,
    ends: BTreeMap<(u64, TaskKey), WorkerKey>,
    random: Random,
    longest: u64,
    small: Shape,
    placed: Vec<(TaskKey, WorkerKey)>,
}

impl Flood {
    fn new(workers: u64, longest: u64, seed: u64) -> Self {
        Self::with(workers, 64, SMALL, longest, seed)
    }

    fn with(workers: u64, capacity: u32, small: Shape, longest: u64, seed: u64) -> Self {
        let mut s = Scheduler::new(Settings::default());
        for pod in 0..workers {
            worker(&mut s, WorkerKind::Cpu, capacity, pod);
        }
        Self {
            s,
            now: 0,
            ends: BTreeMap::new(),
            random: Random(seed | 1),
            longest,
            small,
            placed: Vec::new(),
        }
    }

    /// One tick of 100 ms: what is over ends, and the queue of small tasks never empties.
    fn tick(&mut self, small: provost_scheduler::ProofKey) {
        self.now += 100;
        while let Some(((at, done), _)) = self.ends.first_key_value().map(|(k, v)| (*k, *v))
            && at <= self.now
        {
            self.ends.pop_first();
            self.s.complete(done).unwrap();
        }
        while self.s.waiting() < 50 {
            task(&mut self.s, small, self.small);
        }
        for (placed, on) in decide(&mut self.s, self.now) {
            let end = self.now + 1 + self.random.below(self.longest);
            self.ends.insert((end, placed), on);
            self.placed.push((placed, on));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_large_task_waits_no_longer_than_patience_and_what_runs(
        workers in 1u64..5, longest in 200u64..20_000, seed in any::<u64>(),
    ) {
        let mut flood = Flood::new(workers, longest, seed);
        let (small, large) = (proof(&mut flood.s), proof(&mut flood.s));
        for _ in 0..50 {
            flood.tick(small);
        }
        let big = task(&mut flood.s, large, LARGE);
        // It is passed by from the first small task on that is placed before it.
        let before = flood.placed.len();
        while flood.placed.len() == before && flood.s.worker_of(big).is_none() {
            flood.tick(small);
        }
        let since = flood.now;
        let bound = flood.s.settings().patience + longest + 200;
        while flood.s.worker_of(big).is_none() {
            prop_assert!(flood.now - since <= bound, "after {} ms", flood.now - since);
            flood.tick(small);
        }
        flood.s.verify().unwrap();
    }

    /// While a worker is kept, the others stay full, and nothing is put on the kept one that would be in the way.
    #[test]
    fn others_go_on_around_it(seed in any::<u64>()) {
        let mut flood = Flood::new(3, 5_000, seed);
        let (small, large) = (proof(&mut flood.s), proof(&mut flood.s));
        for _ in 0..50 {
            flood.tick(small);
        }
        let big = task(&mut flood.s, large, LARGE);
        while flood.s.worker_of(big).is_none() {
            let kept: Vec<_> = flood.s.workers().filter(|(_, w)| w.reserved).map(|(k, _)| k).collect();
            let before = flood.placed.len();
            flood.tick(small);
            let placed = &flood.placed[before..];
            prop_assert!(placed.iter().all(|(t, on)| *t == big || !kept.contains(on)));
            for (_, w) in flood.s.workers().filter(|(_, w)| !w.reserved) {
                prop_assert!(w.used >= 56);
            }
        }
        let on = flood.s.worker_of(big).unwrap();
        prop_assert!(!flood.s.worker(on).unwrap().reserved);
    }
}

#[test]
fn what_fits_beside_the_large_task_is_let_in() {
    let mut s = scheduler();
    let p = proof(&mut s);
    let w = worker(&mut s, WorkerKind::Cpu, 64, 1);
    let running = task(&mut s, p, SMALL);
    decide(&mut s, 0);
    let big = task(&mut s, p, LARGE);
    let first = task(&mut s, p, SMALL);
    assert_eq!(decide(&mut s, 0), [(first, w)], "it overtakes");
    assert_eq!(s.wake_at(), Some(10_000));
    decide(&mut s, 10_000);
    assert!(s.worker(w).unwrap().reserved);
    let tiny: Vec<_> = (0..3)
        .map(|_| task(&mut s, p, Shape::new(Class::Cpu, 2)))
        .collect();
    let placed = decide(&mut s, 10_001);
    assert_eq!(
        placed,
        [(tiny[0], w), (tiny[1], w)],
        "60 and 2 and 2 are 64"
    );
    s.complete(running).unwrap();
    assert_eq!(decide(&mut s, 10_002), []);
    s.complete(first).unwrap();
    assert_eq!(decide(&mut s, 10_003), [(big, w)]);
    assert!(!s.worker(w).unwrap().reserved);
}

#[test]
fn a_higher_priority_passes_a_reservation() {
    let mut s = scheduler();
    let (p, high) = (proof(&mut s), proof(&mut s));
    s.set_priority(high, 1).unwrap();
    let w = worker(&mut s, WorkerKind::Cpu, 64, 1);
    task(&mut s, p, SMALL);
    decide(&mut s, 0);
    task(&mut s, p, LARGE);
    task(&mut s, p, SMALL);
    decide(&mut s, 0);
    decide(&mut s, 10_000);
    assert!(s.worker(w).unwrap().reserved);
    let equal = task(&mut s, p, SMALL);
    let higher = task(&mut s, high, SMALL);
    assert_eq!(decide(&mut s, 10_001), [(higher, w)]);
    assert_eq!(s.worker_of(equal), None);
}

#[test]
fn what_fits_no_worker_keeps_none() {
    let mut s = scheduler();
    let p = proof(&mut s);
    let w = worker(&mut s, WorkerKind::Cpu, 48, 1);
    task(&mut s, p, LARGE);
    for now in (0..60_000).step_by(1_000) {
        let small = task(&mut s, p, SMALL);
        assert_eq!(decide(&mut s, now), [(small, w)]);
        s.complete(small).unwrap();
        assert!(!s.worker(w).unwrap().reserved);
    }
}

#[test]
fn a_reservation_ends_with_its_reason() {
    let mut s = scheduler();
    let p = proof(&mut s);
    let (one, two) = (
        worker(&mut s, WorkerKind::Cpu, 64, 1),
        worker(&mut s, WorkerKind::Cpu, 64, 2),
    );
    let reserved = |s: &Scheduler, w| s.worker(w).is_some_and(|w| w.reserved);
    for _ in 0..8 {
        task(&mut s, p, SMALL);
    }
    decide(&mut s, 0);
    let big = task(&mut s, p, LARGE);
    task(&mut s, p, SMALL);
    decide(&mut s, 0);
    decide(&mut s, 10_000);
    assert!(
        !reserved(&s, one) && reserved(&s, two),
        "the one with the most room"
    );
    s.close_worker(two).unwrap();
    decide(&mut s, 10_001);
    assert!(
        reserved(&s, one) && !reserved(&s, two),
        "another one is kept"
    );
    s.complete(big).unwrap();
    decide(&mut s, 10_002);
    assert!(!reserved(&s, one), "nothing is left to keep it for");
    s.verify().unwrap();
}

/// A Controller, and the CoreExecute that it makes.
const CONTROLLER: Shape = Shape::new(Class::Cpu, 1).with_reserve(8);
const EXECUTION: Shape = Shape::new(Class::Cpu, 8);

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Executions fill the workers, and each piece of room that comes free is enough for the next of them.
    #[test]
    fn a_lasting_task_and_its_child_wait_no_longer_than_patience_and_what_runs(
        workers in 1u64..4, capacity in 9u32..30, longest in 200u64..20_000, seed in any::<u64>(),
    ) {
        let mut flood = Flood::with(workers, capacity, Shape::new(Class::Cpu, 4), longest, seed);
        let (small, large) = (proof(&mut flood.s), proof(&mut flood.s));
        flood.s.set_priority(large, 1).unwrap();
        for _ in 0..50 {
            flood.tick(small);
        }
        let bound = 2 * (flood.s.settings().patience + longest + 200);
        for shape in [CONTROLLER, EXECUTION] {
            let wanted = task(&mut flood.s, large, shape);
            let since = flood.now;
            while flood.s.worker_of(wanted).is_none() {
                prop_assert!(flood.now - since <= bound, "{shape:?} after {} ms", flood.now - since);
                flood.tick(small);
            }
        }
        flood.s.verify().unwrap();
    }
}

/// Nothing is kept where that would not do: executions go on for as long as the Controller that has the last place runs.
#[test]
fn a_place_that_a_running_task_takes_away_is_not_kept_for_the_next() {
    let mut s = scheduler();
    let (small, first, second) = (proof(&mut s), proof(&mut s), proof(&mut s));
    let w = worker(&mut s, WorkerKind::Cpu, 9, 1);
    task(&mut s, first, CONTROLLER);
    decide(&mut s, 0);
    let child = task(&mut s, first, EXECUTION);
    assert_eq!(decide(&mut s, 1), [(child, w)]);
    s.complete(child).unwrap();
    let waits = task(&mut s, second, CONTROLLER);
    for now in (1_000..60_000).step_by(1_000) {
        let execution = task(&mut s, small, Shape::new(Class::Cpu, 4));
        assert_eq!(decide(&mut s, now), [(execution, w)]);
        s.complete(execution).unwrap();
    }
    assert_eq!(s.worker_of(waits), None);
}

/// Not its first child alone: the last one may be as large as the one that is kept for.
#[test]
fn what_a_running_task_waits_for_goes_to_a_worker_that_is_kept_for_another_lasting_one() {
    let mut s = scheduler();
    let (small, first, second) = (proof(&mut s), proof(&mut s), proof(&mut s));
    let wrapping = Shape::new(Class::Cpu, 1).with_reserve(14);
    let w = worker(&mut s, WorkerKind::Cpu, 16, 1);
    task(&mut s, first, wrapping);
    decide(&mut s, 0);
    let child = task(&mut s, first, EXECUTION);
    let beside = task(&mut s, small, Shape::new(Class::Cpu, 4));
    task(&mut s, small, Shape::new(Class::Cpu, 1));
    assert_eq!(decide(&mut s, 1).len(), 3);
    let waits = task(&mut s, second, wrapping);
    s.complete(beside).unwrap();
    let late = task(&mut s, small, Shape::new(Class::Cpu, 4));
    assert_eq!(decide(&mut s, 2), [(late, w)], "it overtakes");
    s.complete(child).unwrap();
    decide(&mut s, 20_000);
    assert!(s.worker(w).unwrap().reserved);
    let wrap = task(&mut s, first, Shape::new(Class::Cpu, 14));
    s.complete(late).unwrap();
    assert_eq!(decide(&mut s, 20_001), [(wrap, w)]);
    assert_eq!(s.worker_of(waits), None);
}

/// The child of one that runs already may be what the next one waits for: it is not kept away, where smaller ones are.
#[test]
fn a_first_child_goes_to_a_worker_that_is_kept_for_a_lasting_task() {
    let mut s = scheduler();
    let (small, first, second) = (proof(&mut s), proof(&mut s), proof(&mut s));
    let w = worker(&mut s, WorkerKind::Cpu, 17, 1);
    let crumb = Shape::new(Class::Cpu, 1);
    task(&mut s, first, CONTROLLER);
    decide(&mut s, 0);
    let fills: Vec<_> = (0..16).map(|_| task(&mut s, small, crumb)).collect();
    decide(&mut s, 0);
    let waits = task(&mut s, second, CONTROLLER);
    let late = task(&mut s, small, crumb);
    s.complete(fills[0]).unwrap();
    assert_eq!(decide(&mut s, 1), [(late, w)], "it overtakes");
    decide(&mut s, 10_001);
    assert!(s.worker(w).unwrap().reserved);
    // 7 may go beside: 17 less 9, and less the Controller that is there.
    let more: Vec<_> = (0..9).map(|_| task(&mut s, small, crumb)).collect();
    for fill in &fills[1..9] {
        s.complete(*fill).unwrap();
    }
    assert_eq!(decide(&mut s, 10_002).len(), 7);
    let child = task(&mut s, first, EXECUTION);
    for done in more.iter().take(7) {
        s.complete(*done).unwrap();
    }
    assert_eq!(decide(&mut s, 10_003), [(child, w)], "before the crumbs");
    s.complete(child).unwrap();
    for fill in &fills[9..] {
        s.complete(*fill).unwrap();
    }
    let placed = decide(&mut s, 10_004);
    assert!(placed.contains(&(waits, w)), "{placed:?}");
    s.verify().unwrap();
}

/// Controllers of another kind come all the time, with their children: what is kept for a larger one is not given up for that.
#[test]
fn a_lasting_task_with_a_large_child_is_not_passed_by_for_ever() {
    let mut s = scheduler();
    let w = worker(&mut s, WorkerKind::Cpu, 96, 1);
    let wrapping = Shape::new(Class::Cpu, 1).with_reserve(60);
    let plonk = proof(&mut s);
    let (mut now, mut running, mut large) = (0, Vec::new(), None);
    while now < 60_000 {
        now += 500;
        // Each lasts for four seconds, and its child begins after half of one.
        running.retain(|(at, proof, root, child)| {
            if *at + 4_000 <= now {
                s.complete(*root).unwrap();
                if let Some(child) = child {
                    s.complete(*child).unwrap();
                }
                s.remove_proof(*proof).unwrap();
            }
            *at + 4_000 > now
        });
        for (at, proof, _, child) in &mut running {
            if *at + 500 == now {
                *child = Some(task(&mut s, *proof, EXECUTION));
            }
        }
        let proof = proof(&mut s);
        running.push((now, proof, task(&mut s, proof, CONTROLLER), None));
        if now == 5_000 {
            large = Some(task(&mut s, plonk, wrapping));
        }
        decide(&mut s, now);
        if large.is_some_and(|large| s.worker_of(large) == Some(w)) {
            assert!(now <= 35_000, "after {now} ms");
            return;
        }
    }
    panic!("it never began");
}
