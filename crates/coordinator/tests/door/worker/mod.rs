//! A worker as tests see it that hold by either door: [`Unary`] speaks SP1's contract, [`Native`] Provost's own.

mod native;
mod unary;

use std::fmt::Debug;

use provost_proto::worker::{TaskStatus, TaskType, WorkerType};

pub(crate) use native::Native;
pub(crate) use unary::Unary;

use crate::node::Server;

/// Makes of each test that is generic over its [`Worker`] one for each door.
macro_rules! by_either_door {
    ($($test:ident),+ $(,)?) => {
        mod unary {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test::<crate::worker::Unary>().await;
            })+
        }
        mod native {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test::<crate::worker::Native>().await;
            })+
        }
    };
}
pub(crate) use by_either_door;

/// A task that a worker was given.
pub(crate) trait Task: Debug + Send + Sync + 'static {
    fn proof(&self) -> &str;
    fn id(&self) -> &str;
    fn kind(&self) -> TaskType;
    fn inputs(&self) -> &[String];
    fn outputs(&self) -> &[String];
}

/// A registered worker. Dropped, it vanishes without a word.
pub(crate) trait Worker: Send + Sized + 'static {
    type Task: Task;
    type Hand: Hand<Task = Self::Task>;

    /// Registers the only worker of a pod.
    fn join(
        server: &Server,
        pod: &str,
        kind: WorkerType,
        weight: u32,
    ) -> impl Future<Output = Self> + Send;

    /// The next task; `None` when the coordinator has ended the stream.
    fn next(&mut self) -> impl Future<Output = Option<Self::Task>> + Send;

    /// Waits until it is told to stop the task.
    fn told_to_stop(&mut self, task: &Self::Task) -> impl Future<Output = ()> + Send;

    /// For what its tasks have to say.
    fn hand(&self) -> Self::Hand;

    /// The next task, which has to come.
    fn task(&mut self) -> impl Future<Output = Self::Task> + Send {
        async { self.next().await.expect("a task") }
    }
}

/// What a task that runs on a worker has to say.
pub(crate) trait Hand: Clone + Send + Sync + 'static {
    type Task: Task;

    fn complete(&self, task: Self::Task) -> impl Future<Output = ()> + Send;

    /// The attempt failed, through no fault of the program's.
    fn fail(&self, task: Self::Task, retryable: bool) -> impl Future<Output = ()> + Send;

    /// It was told to stop, and has.
    fn stopped(&self, task: Self::Task) -> impl Future<Output = ()> + Send;

    /// Says that it lives and still runs what it was given.
    fn beat(&self) -> impl Future<Output = ()> + Send;

    fn create(&self, parent: &Self::Task, kind: TaskType) -> impl Future<Output = String> + Send;

    fn complete_marker(&self, of: &Self::Task, marker: &str) -> impl Future<Output = ()> + Send;

    /// How these tasks end, in their order.
    fn results(
        &self,
        parent: &Self::Task,
        tasks: &[String],
    ) -> impl Future<Output = Vec<TaskStatus>> + Send;

    fn say(&self, task: &Self::Task, payload: &[u8]) -> impl Future<Output = ()> + Send;

    /// The messages of a channel from a number on to its end, or why they are not all there.
    fn hear(
        &self,
        parent: &Self::Task,
        channel: &str,
        from: u64,
    ) -> impl Future<Output = Result<Vec<Vec<u8>>, String>> + Send;

    /// The root says that its proof is made, with what is known of it. Returns when that is acknowledged.
    fn conclude(&self, root: &Self::Task, extra: &str) -> impl Future<Output = ()> + Send;

    /// The root says that its proof cannot be made, and why.
    fn give_up(&self, root: &Self::Task, extra: &str) -> impl Future<Output = ()> + Send;
}
