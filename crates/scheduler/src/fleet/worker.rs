//! Workers, and what they hold.

use crate::keys::{HoldKey, TaskKey, TenantKey};
use crate::shape::{Class, Requirement, Shape, ShapeId, Slot};

/// Which classes of tasks a worker runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WorkerKind {
    /// [`Class::Cpu`].
    Cpu,
    /// [`Class::Gpu`].
    Gpu,
    /// Both.
    All,
}

impl WorkerKind {
    /// Whether a worker of this kind runs tasks of that class.
    pub const fn serves(self, class: Class) -> bool {
        matches!(
            (self, class),
            (Self::All, _) | (Self::Cpu, Class::Cpu) | (Self::Gpu, Class::Gpu)
        )
    }
}

/// The pod that a worker is in: workers of one pod go together. What the numbers stand for is the caller's business.
#[derive(Clone, Copy, Debug)]
pub struct Pod {
    number: u64,
    node: Option<u64>,
}

impl Pod {
    /// A pod on a node that is not known.
    pub const fn new(number: u64) -> Self {
        Self { number, node: None }
    }

    /// The same pod, on a node.
    #[must_use]
    pub const fn on(mut self, node: u64) -> Self {
        self.node = Some(node);
        self
    }

    /// Its number.
    pub const fn number(self) -> u64 {
        self.number
    }

    /// Its node, if that is known.
    pub const fn node(self) -> Option<u64> {
        self.node
    }

    /// How near it is to another: 2 for the same pod, 1 for one on the same node, 0 otherwise.
    pub(crate) fn nearness(self, other: Self) -> u8 {
        match self == other {
            true => 2,
            false => u8::from(self.node.is_some() && self.node == other.node),
        }
    }
}

/// Whether it is the same pod, whatever is known of its node.
impl PartialEq for Pod {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Pod {}

/// A worker as it registers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerSpec {
    /// What it runs.
    pub kind: WorkerKind,
    /// Memory that its tasks may take up, in GiB.
    pub capacity: u32,
    /// How many tasks it proves at once. It is given one more, to have its inputs at hand when another ends, and no further ones, though there be room for them: where they wait is decided
    /// when a prover can soon begin, by the order of then. `None` for one that does not say: it is given what it has room for.
    pub provers: Option<u32>,
    /// Its pod.
    pub pod: Pod,
    /// What it has that tasks may require.
    pub provides: Vec<Requirement>,
    /// Whether its node may be taken away at short notice (spot, preemptible).
    pub spot: bool,
}

/// What there is to know of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerView {
    /// What it runs.
    pub kind: WorkerKind,
    /// Memory that its tasks may take up, in GiB.
    pub capacity: u32,
    /// How many tasks it proves at once, if it says so.
    pub provers: Option<u32>,
    /// Memory that is taken up, in GiB. More than the capacity only where tasks were adopted or the capacity was lowered.
    pub used: u64,
    /// How many tasks take it up, those that were given up but are not over included.
    pub holds: usize,
    /// Whether it takes tasks.
    pub open: bool,
    /// Whether it is kept for a large task.
    pub reserved: bool,
}

/// A registered worker.
pub(super) struct Worker {
    pub(super) spec: WorkerSpec,
    pub(super) open: bool,
    /// Weight of the holds that last until their children are done.
    pub(super) lasting: u64,
    /// Weight of the holds of each class.
    pub(super) by_class: [u64; 2],
    /// How many holds are of tasks that prove.
    pub(super) proving: u32,
    /// The slots that are taken.
    pub(super) slots: u32,
    pub(super) holds: Vec<HoldKey>,
    pub(super) reserved: Option<Reserved>,
}

/// That a worker is kept for a large task.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reserved {
    /// The shape of the task.
    pub(super) shape: ShapeId,
    pub(super) class: Class,
    /// How much it is to have: the task's weight, with that of its child if it lasts.
    pub(super) weight: u64,
    /// Whether that is a lasting one: others of those go beside it only where their children do as well, which are not kept away.
    pub(super) lasts: bool,
    pub(super) slot: Option<Slot>,
    /// Weight of what is not waited for: what lasts, and what was let in beside.
    pub(super) beside: u64,
}

/// Room that is taken up on a worker.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hold {
    /// The worker's index.
    pub(crate) worker: u32,
    pub(crate) class: Class,
    pub(crate) weight: u32,
    pub(crate) tenant: TenantKey,
    /// The task that runs there; `None` once it was given up.
    pub(crate) task: Option<TaskKey>,
    pub(crate) lasts: bool,
    /// Whether its first child is to be placed yet.
    pub(super) expects: bool,
    pub(super) slot: Option<Slot>,
    /// Whether it counts as beside the task that the worker is kept for.
    pub(super) beside: bool,
    /// Its place among the worker's holds.
    pub(super) place: u32,
}

impl Worker {
    pub(super) fn free(&self) -> u64 {
        u64::from(self.spec.capacity).saturating_sub(self.used())
    }

    /// Weight of all holds.
    pub(crate) const fn used(&self) -> u64 {
        self.by_class[0] + self.by_class[1]
    }

    /// What it could give at most to one task, once all but what lasts is done.
    pub(super) fn room(&self) -> u64 {
        u64::from(self.spec.capacity).saturating_sub(self.lasting)
    }

    /// What it could give to the child of a lasting task, were there no tasks of the other class. That those of its own will end some day is no help: what executes may take as long
    /// as a large proof.
    pub(super) fn room_beside(&self, class: Class) -> u64 {
        u64::from(self.spec.capacity).saturating_sub(self.by_class[class.index()])
    }

    /// Whether it is such that it could run tasks of a shape, were it empty and open.
    pub(super) fn suits(&self, shape: &Shape) -> bool {
        self.spec.kind.serves(shape.class)
            && self.spec.capacity >= shape.min_capacity
            && self.provides(shape.requirement)
    }

    /// How many more tasks of a class it may be given, as far as it is not a matter of memory.
    pub(super) fn places(&self, class: Class) -> u32 {
        match (class, self.spec.provers) {
            (Class::Gpu, Some(provers)) => provers.saturating_add(1).saturating_sub(self.proving),
            _ => u32::MAX,
        }
    }

    pub(super) fn provides(&self, requirement: Option<Requirement>) -> bool {
        requirement.is_none_or(|r| self.spec.provides.contains(&r))
    }

    pub(super) const fn has_slot(&self, slot: Option<Slot>) -> bool {
        match slot {
            Some(slot) => self.slots & slot.mask() == 0,
            None => true,
        }
    }

    pub(super) fn view(&self) -> WorkerView {
        WorkerView {
            kind: self.spec.kind,
            capacity: self.spec.capacity,
            provers: self.spec.provers,
            used: self.used(),
            holds: self.holds.len(),
            open: self.open,
            reserved: self.reserved.is_some(),
        }
    }
}
