//! What can happen.

use proptest::prelude::*;
use provost_scheduler::{Class, Requirement, Shape, Slot, WorkerKind};

/// Something that happens. Numbers choose among what there is at the time, wrapping around.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    AddTenant {
        share: u32,
    },
    SetShare {
        tenant: usize,
        share: u32,
    },
    AddProof {
        tenant: usize,
        priority: i32,
        deadline: Option<(u64, u64)>,
        parallelism: Option<u32>,
    },
    RemoveProof {
        proof: usize,
    },
    SetPriority {
        proof: usize,
        priority: i32,
    },
    SetDeadline {
        proof: usize,
        deadline: Option<(u64, u64)>,
    },
    SetParallelism {
        proof: usize,
        parallelism: Option<u32>,
    },
    AddTask {
        proof: usize,
        shape: Shape,
        stage: u8,
        prefer: Option<usize>,
        avoid: Option<u64>,
        wait: u64,
    },
    Adopt {
        proof: usize,
        shape: Shape,
        worker: usize,
    },
    FoundOn {
        task: usize,
        worker: usize,
    },
    Complete {
        task: usize,
    },
    Remove {
        task: usize,
        kept: bool,
    },
    Requeue {
        task: usize,
        wait: u64,
        avoid: Option<u64>,
        min_capacity: u32,
        kept: bool,
    },
    Delay {
        task: usize,
        wait: u64,
    },
    Release {
        hold: usize,
    },
    AddWorker {
        kind: WorkerKind,
        capacity: u32,
        provers: Option<u32>,
        pod: u64,
        provides: bool,
        spot: bool,
    },
    RemoveWorker {
        worker: usize,
    },
    SetOpen {
        worker: usize,
        open: bool,
    },
    SetCapacity {
        worker: usize,
        capacity: u32,
    },
    SetProvers {
        worker: usize,
        provers: Option<u32>,
    },
    /// Time passes, and decisions are taken: so many, or until there is none.
    Decide {
        after: u64,
        most: usize,
    },
}

/// Anything.
pub(crate) fn any() -> impl Strategy<Value = Event> {
    prop_oneof![
        1 => (0u32..4).prop_map(|share| Event::AddTenant { share }),
        1 => (0usize..9, 0u32..4).prop_map(|(tenant, share)| Event::SetShare { tenant, share }),
        4 => add_proof(),
        1 => (0usize..99).prop_map(|proof| Event::RemoveProof { proof }),
        2 => (0usize..99, 0i32..3).prop_map(|(proof, priority)| Event::SetPriority { proof, priority }),
        2 => (0usize..99, deadline()).prop_map(|(proof, deadline)| Event::SetDeadline { proof, deadline }),
        1 => (0usize..99, prop::option::of(0u32..4)).prop_map(|(proof, parallelism)| Event::SetParallelism { proof, parallelism }),
        16 => add_task(),
        1 => (0usize..99, shape(), 0usize..99).prop_map(|(proof, shape, worker)| Event::Adopt { proof, shape, worker }),
        1 => (0usize..99, 0usize..99).prop_map(|(task, worker)| Event::FoundOn { task, worker }),
        12 => (0usize..99).prop_map(|task| Event::Complete { task }),
        2 => (0usize..99, any_bool()).prop_map(|(task, kept)| Event::Remove { task, kept }),
        5 => requeue(),
        2 => (0usize..99, 0u64..30).prop_map(|(task, wait)| Event::Delay { task, wait }),
        4 => (0usize..99).prop_map(|hold| Event::Release { hold }),
        5 => add_worker(),
        2 => (0usize..99).prop_map(|worker| Event::RemoveWorker { worker }),
        3 => (0usize..99, any_bool()).prop_map(|(worker, open)| Event::SetOpen { worker, open }),
        1 => (0usize..99, 0u32..24).prop_map(|(worker, capacity)| Event::SetCapacity { worker, capacity }),
        1 => (0usize..99, prop::option::of(0u32..3)).prop_map(|(worker, provers)| Event::SetProvers { worker, provers }),
        16 => decide(),
    ]
}

/// Mostly tasks that come and go.
pub(crate) fn busy() -> impl Strategy<Value = Event> {
    prop_oneof![
        40 => add_task(),
        30 => (0usize..99).prop_map(|task| Event::Complete { task }),
        30 => decide(),
        3 => add_proof(),
        2 => add_worker(),
        1 => any(),
    ]
}

fn any_bool() -> impl Strategy<Value = bool> {
    prop_oneof![Just(true), Just(false)]
}

fn deadline() -> impl Strategy<Value = Option<(u64, u64)>> {
    prop::option::weighted(0.3, (0u64..200, 0u64..80))
}

fn add_proof() -> impl Strategy<Value = Event> {
    let fields = (
        0usize..9,
        prop_oneof![4 => Just(0), 1 => -1i32..3],
        deadline(),
        prop::option::weighted(0.3, 0u32..4),
    );
    fields.prop_map(
        |(tenant, priority, deadline, parallelism)| Event::AddProof {
            tenant,
            priority,
            deadline,
            parallelism,
        },
    )
}

fn add_task() -> impl Strategy<Value = Event> {
    let fields = (
        0usize..99,
        shape(),
        0u8..4,
        prop::option::weighted(0.2, 0usize..99),
        prop::option::weighted(0.2, 0u64..4),
        prop_oneof![6 => Just(0), 1 => 1u64..30],
    );
    fields.prop_map(
        |(proof, shape, stage, prefer, avoid, wait)| Event::AddTask {
            proof,
            shape,
            stage,
            prefer,
            avoid,
            wait,
        },
    )
}

fn requeue() -> impl Strategy<Value = Event> {
    let fields = (
        0usize..99,
        prop_oneof![Just(0), 0u64..30],
        prop::option::of(0u64..4),
        prop_oneof![4 => Just(0), 1 => 1u32..20],
        any_bool(),
    );
    fields.prop_map(|(task, wait, avoid, min_capacity, kept)| Event::Requeue {
        task,
        wait,
        avoid,
        min_capacity,
        kept,
    })
}

fn add_worker() -> impl Strategy<Value = Event> {
    let kind = prop_oneof![
        Just(WorkerKind::Cpu),
        Just(WorkerKind::Gpu),
        Just(WorkerKind::All)
    ];
    let capacity = prop_oneof![Just(8u32), Just(16), 1u32..24];
    let provers = prop::option::of(0u32..3);
    let fields = (kind, capacity, provers, 0u64..4, any_bool(), any_bool());
    fields.prop_map(
        |(kind, capacity, provers, pod, provides, spot)| Event::AddWorker {
            kind,
            capacity,
            provers,
            pod,
            provides,
            spot,
        },
    )
}

fn decide() -> impl Strategy<Value = Event> {
    let most = prop_oneof![3 => Just(usize::MAX), 1 => 1usize..4];
    (prop_oneof![Just(0), 0u64..15], most).prop_map(|(after, most)| Event::Decide { after, most })
}

fn shape() -> impl Strategy<Value = Shape> {
    prop_oneof![
        4 => Just(Shape::new(Class::Gpu, 4)),
        4 => Just(Shape::new(Class::Gpu, 3)),
        1 => Just(Shape::new(Class::Gpu, 12)),
        2 => Just(Shape::new(Class::Cpu, 1).with_reserve(5)),
        1 => Just(Shape::new(Class::Cpu, 1).with_reserve(5).steady()),
        2 => Just(Shape::new(Class::Cpu, 5)),
        2 => Just(Shape::new(Class::Cpu, 5).steady()),
        2 => Just(Shape::new(Class::Cpu, 2)),
        2 => Just(Shape::new(Class::Cpu, 14).with_slot(Slot::new(0))),
        1 => Just(Shape::new(Class::Cpu, 3).with_slot(Slot::new(0)).steady()),
        1 => Just(Shape::new(Class::Cpu, 3).with_slot(Slot::new(33))),
        1 => Just(Shape::new(Class::Gpu, 4).with_requirement(Requirement(7))),
        1 => Just(Shape::new(Class::Cpu, 1).with_reserve(4).with_requirement(Requirement(7))),
        1 => Just(Shape::new(Class::Gpu, 2).with_min_capacity(10)),
        1 => Just(Shape::new(Class::Gpu, 0)),
    ]
}
