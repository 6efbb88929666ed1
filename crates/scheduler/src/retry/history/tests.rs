use proptest::prelude::*;

use super::*;

const POLICY: Policy = Policy {
    retries: 3,
    killed_workers: 3,
    losses: 12,
    preemptions: 30,
    store_patience: 3_600_000,
    backoff: 1_000,
    max_backoff: 60_000,
    jitter_percent: 0,
};

fn place(pod: u64) -> Place {
    Place {
        pod: Pod::new(pod),
        capacity: 24,
        larger: false,
        suspect: true,
    }
}

fn on(class: FailureClass, place: Place) -> Failure {
    Failure {
        class,
        at: 0,
        place: Some(place),
        nodes: Vec::new(),
    }
}

fn waits(history: &mut History, class: FailureClass, place: Place) -> Result<Millis, GiveUp> {
    match history.fail(&POLICY, &on(class, place), 0) {
        Decision::Retry { at, avoid, .. } => {
            assert_eq!(avoid, Some(place.pod), "the last worker is avoided");
            Ok(at)
        }
        Decision::Fail { class: c, why } => {
            assert_eq!(c, class);
            Err(why)
        }
    }
}

#[test]
fn retries_wait_longer_each_time_and_end() {
    for class in [
        FailureClass::Transient,
        FailureClass::Timeout,
        FailureClass::Bug,
    ] {
        let mut history = History::default();
        let all: Vec<_> = (0..4)
            .map(|n| waits(&mut history, class, place(n)))
            .collect();
        let end = GiveUp::Retries { attempts: 4 };
        assert_eq!(all, [Ok(1_000), Ok(2_000), Ok(4_000), Err(end)]);
    }
}

#[test]
fn a_program_fault_is_final() {
    let mut history = History::default();
    let end = waits(&mut history, FailureClass::ProgramFault, place(1));
    assert_eq!(end, Err(GiveUp::Final));
}

#[test]
fn a_wrong_proof_gets_one_more_chance() {
    let mut history = History::default();
    let first = waits(&mut history, FailureClass::InvalidProof, place(1));
    let second = waits(&mut history, FailureClass::InvalidProof, place(2));
    assert_eq!((first, second), (Ok(1_000), Err(GiveUp::InvalidTwice)));
}

#[test]
fn a_task_that_killed_three_workers_is_poison() {
    let mut history = History::default();
    let lost = |history: &mut History, pod| waits(history, FailureClass::NodeLost, place(pod));
    assert_eq!(lost(&mut history, 1), Ok(0));
    assert_eq!(lost(&mut history, 1), Ok(1_000), "the same worker again");
    assert_eq!(lost(&mut history, 2), Ok(2_000));
    assert_eq!(lost(&mut history, 3), Err(GiveUp::Poison { workers: 3 }));
    assert_eq!(history.retries, 0, "losses use up no retries");
}

#[test]
fn workers_of_one_node_count_once_while_there_is_another() {
    let killed = |history: &mut History, class, (pod, node), nodes: &[u64]| {
        let place = Place {
            pod: Pod::new(pod).on(node),
            ..place(pod)
        };
        let failure = Failure {
            nodes: nodes.to_vec(),
            ..on(class, place)
        };
        match history.fail(&POLICY, &failure, 0) {
            Decision::Retry { .. } => Ok(()),
            Decision::Fail { why, .. } => Err(why),
        }
    };
    let poison = Err(GiveUp::Poison { workers: 3 });
    let lost = FailureClass::NodeLost;
    let mut history = History::default();
    for pod in 1..5 {
        // The one that is lost was the last of its node.
        assert_eq!(killed(&mut history, lost, (pod, 1), &[2]), Ok(()));
    }
    // For a moment there is no other: what did not count does not now.
    assert_eq!(killed(&mut history, lost, (5, 1), &[]), Ok(()));
    assert_eq!(killed(&mut history, lost, (6, 2), &[1, 2]), poison);
    let mut history = History::default();
    for pod in 1..3 {
        assert_eq!(killed(&mut history, lost, (pod, 1), &[1]), Ok(()));
    }
    let third = killed(&mut history, lost, (3, 1), &[1]);
    assert_eq!(third, poison, "it may well be the task");
    let mut history = History::default();
    let memory = FailureClass::OutOfMemory;
    for pod in 1..3 {
        assert_eq!(killed(&mut history, memory, (pod, 1), &[1, 2]), Ok(()));
    }
    let third = killed(&mut history, memory, (3, 1), &[1, 2]);
    assert_eq!(third, poison, "memory is the pod's own");
}

#[test]
fn a_flapping_worker_is_no_poison_but_ends_too() {
    let mut history = History::default();
    let lost = |_| waits(&mut history, FailureClass::NodeLost, place(1));
    let ends: Vec<_> = (0..12).map(lost).filter_map(Result::err).collect();
    assert_eq!(ends, [GiveUp::Losses { losses: 12 }]);
}

#[test]
fn a_bystander_is_no_poison() {
    let mut history = History::default();
    let beside = |pod| Place {
        suspect: false,
        ..place(pod)
    };
    for pod in 0..11 {
        let class = FailureClass::OutOfMemory;
        assert!(waits(&mut history, class, beside(pod)).is_ok());
    }
    assert_eq!(history.min_capacity, 0);
}

#[test]
fn out_of_memory_moves_to_a_larger_worker_once() {
    let mut history = History::default();
    let small = Place {
        larger: true,
        ..place(1)
    };
    let first = history.fail(&POLICY, &on(FailureClass::OutOfMemory, small), 0);
    let retry = Decision::Retry {
        at: 0,
        avoid: Some(Pod::new(1)),
        min_capacity: 25,
    };
    assert_eq!(first, retry);
    let large = Place {
        capacity: 48,
        larger: true,
        ..place(2)
    };
    let second = waits(&mut history, FailureClass::OutOfMemory, large);
    assert_eq!(second, Err(GiveUp::OutOfMemory { capacity: 48 }));
}

#[test]
fn other_failures_keep_to_the_larger_workers() {
    let mut history = History::default();
    let small = Place {
        larger: true,
        ..place(1)
    };
    history.fail(&POLICY, &on(FailureClass::OutOfMemory, small), 0);
    let next = history.fail(&POLICY, &on(FailureClass::Transient, place(2)), 0);
    assert!(matches!(
        next,
        Decision::Retry {
            min_capacity: 25,
            ..
        }
    ));
}

#[test]
fn without_larger_workers_memory_is_bounded_as_losses_are() {
    let mut history = History::default();
    let lost = |pod| waits(&mut history, FailureClass::OutOfMemory, place(pod));
    let all: Vec<_> = (0..3).map(lost).collect();
    assert_eq!(all, [Ok(0), Ok(1_000), Err(GiveUp::Poison { workers: 3 })]);
}

#[test]
fn preemptions_cost_neither_time_nor_retries() {
    let mut history = History::default();
    let lost = |pod| waits(&mut history, FailureClass::Preempted, place(pod));
    let all: Vec<_> = (0..31).map(lost).collect();
    assert!(all[..30].iter().all(|w| *w == Ok(0)));
    assert_eq!(all[30], Err(GiveUp::Preemptions { preemptions: 31 }));
    assert!(history.killed.is_empty());
}

#[test]
fn the_store_may_be_away_for_an_hour_at_a_time() {
    let mut history = History::default();
    let away = |at| Failure {
        class: FailureClass::StoreUnavailable,
        at,
        place: Some(place(1)),
        nodes: Vec::new(),
    };
    let mut now = 0;
    let mut attempts = 0;
    let end = loop {
        match history.fail(&POLICY, &away(now), 0) {
            Decision::Retry { at, .. } => now = at,
            Decision::Fail { why, .. } => break why,
        }
        attempts += 1;
    };
    assert!(matches!(end, GiveUp::StoreAway { millis } if millis > 3_600_000));
    assert!((60..80).contains(&attempts), "{attempts}");
    assert_eq!((history.retries, history.losses), (0, 0));

    let mut history = History::default();
    history.fail(&POLICY, &away(0), 0);
    history.fail(&POLICY, &on(FailureClass::Preempted, place(1)), 0);
    let later = history.fail(&POLICY, &away(10_000_000), 0);
    assert!(
        matches!(later, Decision::Retry { at: 10_001_000, .. }),
        "it was back in between"
    );
}

proptest! {
    /// Whatever happens, it ends: no sequence of failures goes on for ever, but for a store that comes and goes.
    #[test]
    fn every_history_ends(failures in prop::collection::vec((0usize..9, 0u64..5, any::<bool>(), any::<bool>(), any::<u64>()), 100)) {
        let mut history = History::default();
        let mut now = 0;
        let mut ended = false;
        for (class, pod, larger, suspect, random) in failures {
            let class = FailureClass::ALL[class];
            if class == FailureClass::StoreUnavailable {
                continue;
            }
            let place = Place { pod: Pod::new(pod), capacity: 8 * (1 + u32::try_from(pod).unwrap()), larger, suspect };
            let failure = Failure { class, at: now, place: Some(place), nodes: Vec::new() };
            match history.fail(&POLICY, &failure, random) {
                Decision::Retry { at, .. } => {
                    prop_assert!(at >= now && at <= now + 60_000);
                    now = at;
                }
                Decision::Fail { class: c, .. } => {
                    prop_assert_eq!(c, class);
                    ended = true;
                    break;
                }
            }
        }
        prop_assert!(ended);
    }
}

#[test]
fn a_worker_that_is_back_was_not_lost() {
    let mut history = History::default();
    for class in [FailureClass::NodeLost, FailureClass::Preempted] {
        waits(&mut history, class, place(1)).unwrap();
        waits(&mut history, class, place(2)).unwrap();
    }
    history.forgive(FailureClass::NodeLost, Pod::new(2));
    history.forgive(FailureClass::Preempted, Pod::new(2));
    assert_eq!((history.losses, history.preemptions), (1, 1));
    assert_eq!(history.killed, [Pod::new(1)]);
    history.forgive(FailureClass::Timeout, Pod::new(1));
    assert_eq!(history.losses, 1, "only losses are forgiven");
}
