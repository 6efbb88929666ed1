//! A worker that speaks Provost's own contract, by the library that Provost's workers use.

use provost_link::{Config, Link, Order, Orders, Outcome, Role};
use provost_proto::worker::{TaskData, TaskStatus, TaskType, WorkerType};
use tokio::runtime::{Builder, Runtime};

use super::{Hand, Task, Worker};
use crate::node::{LIMIT, Server};

pub(crate) struct Native {
    orders: Orders,
    hand: NativeHand,
    /// Of its own, so that the worker can vanish.
    runtime: Option<Runtime>,
}

#[derive(Clone)]
pub(crate) struct NativeHand {
    link: Link,
}

impl Task for Order {
    fn proof(&self) -> &str {
        self.run.proof_id()
    }

    fn id(&self) -> &str {
        &self.task_id
    }

    fn kind(&self) -> TaskType {
        self.data.task_type()
    }

    fn inputs(&self) -> &[String] {
        &self.data.inputs
    }

    fn outputs(&self) -> &[String] {
        &self.data.outputs
    }
}

impl Worker for Native {
    type Task = Order;
    type Hand = NativeHand;

    async fn join(server: &Server, pod: &str, kind: WorkerType, weight: u32) -> Self {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let config = Config::new(vec![server.address().to_owned()], pod);
        let link = Link::start_on(runtime.handle(), config).unwrap();
        let orders = link.add_role(Role {
            name: "all".to_owned(),
            class: kind,
            max_weight: weight,
            provers: 0,
            device: None,
            shard_elements: 0,
        });
        let registered = async {
            while !server
                .coordinator
                .workers()
                .await
                .iter()
                .any(|worker| worker.pod == pod)
            {
                tokio::task::yield_now().await;
            }
        };
        let registered = tokio::time::timeout(LIMIT, registered).await;
        registered.expect("registered in time");
        Self {
            orders,
            hand: NativeHand { link },
            runtime: Some(runtime),
        }
    }

    async fn next(&mut self) -> Option<Order> {
        // A process keeps on trying to come back when its stream has ended: its tasks are over then.
        let next = tokio::time::timeout(LIMIT, self.orders.recv()).await;
        next.expect("an order in time")
    }

    async fn told_to_stop(&mut self, task: &Order) {
        let stop = tokio::time::timeout(LIMIT, task.cancelled.cancelled()).await;
        stop.expect("told to stop in time");
    }

    fn hand(&self) -> NativeHand {
        self.hand.clone()
    }
}

impl Drop for Native {
    fn drop(&mut self) {
        // Before the tasks that it holds: what becomes of those is not said any more.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Hand for NativeHand {
    type Task = Order;

    async fn complete(&self, task: Order) {
        let metadata = r#"{"gpu_ms":1}"#.to_owned();
        self.link.done(task, Outcome::Completed(metadata));
    }

    async fn fail(&self, task: Order, retryable: bool) {
        let failed = Outcome::Failed {
            class: if retryable { "Transient" } else { "Bug" }.to_owned(),
            retryable,
            message: "a test's".to_owned(),
        };
        self.link.done(task, failed);
    }

    async fn stopped(&self, task: Order) {
        self.link.done(task, Outcome::Stopped);
    }

    async fn beat(&self) {
        // The link does, by itself.
    }

    async fn create(&self, parent: &Order, kind: TaskType) -> String {
        let data = TaskData {
            task_type: kind.into(),
            ..TaskData::default()
        };
        self.link.create(&parent.run, data)
    }

    async fn complete_marker(&self, of: &Order, marker: &str) {
        self.link.complete_marker(&of.run, marker);
    }

    async fn results(&self, parent: &Order, tasks: &[String]) -> Vec<TaskStatus> {
        let mut watcher = self.link.watch(&parent.run);
        watcher.add(tasks.iter().cloned());
        let mut results = std::collections::HashMap::new();
        while results.len() < tasks.len() {
            let next = tokio::time::timeout(LIMIT, watcher.next()).await;
            let (task, status) = next.expect("a result in time").unwrap();
            results.insert(task, status);
        }
        tasks.iter().map(|task| results[task]).collect()
    }

    async fn say(&self, task: &Order, payload: &[u8]) {
        self.link.say(&task.run, task.id(), payload.to_vec());
    }

    async fn hear(&self, parent: &Order, channel: &str, from: u64) -> Result<Vec<Vec<u8>>, String> {
        let mut listener = self.link.listen(&parent.run, channel, from);
        let mut payloads = Vec::new();
        loop {
            let next = tokio::time::timeout(LIMIT, listener.next()).await;
            match next.expect("a message in time") {
                Ok(Some(payload)) => payloads.push(payload.to_vec()),
                Ok(None) => return Ok(payloads),
                Err(ended) => return Err(ended.to_string()),
            }
        }
    }

    async fn conclude(&self, root: &Order, extra: &str) {
        let concluded = self.link.conclude(&root.run, root.id(), false, extra).await;
        concluded.unwrap();
    }

    async fn give_up(&self, root: &Order, extra: &str) {
        let concluded = self.link.conclude(&root.run, root.id(), true, extra).await;
        concluded.unwrap();
    }
}
