//! What a task asks of a worker.

use std::fmt;

/// The kind of machine that a task needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// Executes and wraps; needs no prover.
    Cpu,
    /// Proves. Such tasks count towards their proof's parallelism.
    Gpu,
}

impl Class {
    /// Both classes.
    pub const ALL: [Self; 2] = [Self::Cpu, Self::Gpu];

    /// `CPU` or `GPU`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cpu => "CPU",
            Self::Gpu => "GPU",
        }
    }

    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Something that a worker has and a task may insist on: an SP1 version, a label. What a number stands for is the caller's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Requirement(pub u32);

/// A thing of which a worker has one, such as the circuit files of a PlonkWrap while it runs: never two tasks with the same slot on one worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(u8);

impl Slot {
    /// How many different slots there can be.
    pub const COUNT: u8 = 32;

    /// The slot of a number; numbers wrap around at [`Slot::COUNT`].
    pub const fn new(number: u8) -> Self {
        Self(number % Self::COUNT)
    }

    pub(crate) const fn mask(self) -> u32 {
        1 << self.0
    }
}

/// What a task asks of a worker. Tasks of one shape fit the same workers, so they share a queue: when its head fits nowhere, the rest does not either.
///
/// The scheduler never forgets a shape, and its work grows with the number of shapes that tasks wait in: meant are the few that task types, pool sizes and versions
/// make, not one for each task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Shape {
    /// The kind of machine.
    pub class: Class,
    /// Memory, in GiB.
    pub weight: u32,
    /// Memory, in GiB, that some worker of the class must be able to give to this task's children when this task begins; 0 for a task without. Else as
    /// many Controllers as fit would fill the workers, and wait for a place for their CoreExecute: for ever, or until that of a large proof ends. A task with a reserve is taken to *last*
    /// until its children are done.
    pub reserve: u32,
    /// What it must have to itself on its worker.
    pub slot: Option<Slot>,
    /// What its worker must have.
    pub requirement: Option<Requirement>,
    /// The least capacity, in GiB, of its worker: more than that of one that it has run out of memory on. 0 for any.
    pub min_capacity: u32,
    /// Whether much is lost with it, so that it goes to a worker on a spot node only where no other has room. A worker that it was lost with before comes after both, and
    /// so does, for one with a reserve, a worker on which it takes a place that others came for.
    pub steady: bool,
}

impl Shape {
    /// A shape that asks for nothing but memory.
    pub const fn new(class: Class, weight: u32) -> Self {
        Self {
            class,
            weight,
            reserve: 0,
            slot: None,
            requirement: None,
            min_capacity: 0,
            steady: false,
        }
    }

    /// The same, with room kept for children.
    #[must_use]
    pub const fn with_reserve(mut self, reserve: u32) -> Self {
        self.reserve = reserve;
        self
    }

    /// The same, alone of its kind on its worker.
    #[must_use]
    pub const fn with_slot(mut self, slot: Slot) -> Self {
        self.slot = Some(slot);
        self
    }

    /// The same, on workers that have something.
    #[must_use]
    pub const fn with_requirement(mut self, requirement: Requirement) -> Self {
        self.requirement = Some(requirement);
        self
    }

    /// The same, on workers of some size only.
    #[must_use]
    pub const fn with_min_capacity(mut self, capacity: u32) -> Self {
        self.min_capacity = capacity;
        self
    }

    /// The same, away from spot nodes where that is possible.
    #[must_use]
    pub const fn steady(mut self) -> Self {
        self.steady = true;
        self
    }

    /// Weight of a task with that of its heaviest child, if it has any.
    pub(crate) fn weight_with_child(&self) -> u64 {
        u64::from(self.weight) + u64::from(self.reserve)
    }

    /// Whether a task of this shape lasts until its children are done.
    pub const fn lasts(&self) -> bool {
        self.reserve > 0
    }
}

/// A shape's number.
pub(crate) type ShapeId = u32;
