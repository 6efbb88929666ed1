//! Workers that let time pass instead of proving, and a driver that creates their tasks as a Controller does.

mod native;
mod tally;
mod unary;

use std::sync::Arc;
use std::time::{Duration, Instant};

use provost_proto::worker::{TaskData, TaskType};

pub use native::leads;
pub use tally::{Counts, Taken, Tally, histogram};

/// Time between two beats of a worker.
const BEAT: Duration = Duration::from_secs(4);

/// How the fleet speaks to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// SP1's contract: unary calls and a stream for each worker.
    Unary,
    /// Provost's own: one stream for each process.
    Native,
}

/// A fleet.
#[derive(Debug, Clone)]
pub struct FleetSpec {
    /// By which door.
    pub door: Door,
    /// `http://host:port` of the server.
    pub address: String,
    /// Workers that prove.
    pub workers: usize,
    /// Tasks that each may have at once.
    pub slots: u32,
    /// Weight of a task, as the server counts it.
    pub task_weight: u32,
    /// Root tasks that the driver must get before it creates anything.
    pub proofs: usize,
    /// How long a task runs.
    pub task_time: Duration,
}

impl FleetSpec {
    fn capacity(&self) -> u32 {
        self.slots.saturating_mul(self.task_weight)
    }
}

/// Connected workers and their driver. They go when it is dropped.
pub struct Fleet {
    driver: Driver,
    tally: Arc<Tally>,
}

enum Driver {
    Unary(unary::Driver),
    Native(native::Driver),
}

impl Fleet {
    /// Connects all workers and the driver, and waits until the driver has every proof's root task.
    ///
    /// # Errors
    /// The server cannot be reached or refuses.
    pub async fn connect(spec: &FleetSpec) -> anyhow::Result<Self> {
        crate::stamp::begin();
        let tally = Arc::new(Tally::new(spec.task_time));
        let driver = match spec.door {
            Door::Unary => Driver::Unary(unary::connect(spec, &tally).await?),
            Door::Native => Driver::Native(native::connect(spec, &tally).await?),
        };
        Ok(Self { driver, tally })
    }

    /// Creates a task of one of the proofs, by turns. Does not wait for the server. `due` is `None` for one whose delay does not count.
    pub fn create(&self, number: u64, due: Option<Instant>) {
        self.tally.created(due);
        match &self.driver {
            Driver::Unary(driver) => driver.create(number, due),
            Driver::Native(driver) => driver.create(number, due),
        }
    }

    /// How long tasks run that are given to workers from now on.
    pub fn set_task_time(&self, task_time: Duration) {
        self.tally.set_task_time(task_time);
    }

    /// What has become of the tasks so far.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }
}

/// A task as SP1 makes them: a few names of artifacts.
fn task_data(root: &Root, due: Option<Instant>) -> TaskData {
    let artifact = |n: u32| format!("artifact_01h455vb4pex5vsknk084sn{n:03}");
    TaskData {
        task_type: TaskType::ProveShard.into(),
        inputs: (0..3).map(artifact).collect(),
        outputs: vec![artifact(9)],
        metadata: crate::stamp::write(due),
        proof_id: root.proof.clone(),
        parent_id: Some(root.task.clone()),
        ..TaskData::default()
    }
}

/// A proof's root task, which the driver has.
#[derive(Debug, Clone)]
struct Root {
    proof: String,
    task: String,
    run: u32,
}
