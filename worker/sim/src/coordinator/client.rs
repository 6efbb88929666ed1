//! How a running task creates others, waits for them and passes messages.

use std::sync::Arc;

use provost_link::{Ended, Link, Order, Outcome, Run, TaskData, TaskStatus};

use super::{Asker, Messages, Results};
use crate::body::Body;
use crate::faults::Call;

/// The calls of one run's tasks in one worker, with the faults that befall them. Clones are the same one.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(super) link: Link,
    pub(super) run: Run,
    pub(super) body: Arc<Body>,
}

impl Client {
    pub(crate) fn new(link: Link, run: Run, body: Arc<Body>) -> Self {
        Self { link, run, body }
    }

    /// The worker that it belongs to.
    pub(crate) fn body(&self) -> &Arc<Body> {
        &self.body
    }

    /// Creates a task of the run.
    pub(crate) async fn create(&self, data: TaskData) -> String {
        self.body.call(Call::Create).await;
        self.link.create(&self.run, data)
    }

    /// Reports how a task ended.
    pub(crate) async fn done(&self, order: Order, outcome: Outcome) {
        self.body.call(Call::Done).await;
        self.link.done(order, outcome);
    }

    /// Returns when the coordinator has taken note of all results of this worker.
    pub(crate) async fn settled(&self) {
        let mut status = self.link.status_changes();
        let _ = status.wait_for(|status| status.kept.results == 0).await;
    }

    /// Says that a marker is complete.
    pub(crate) async fn complete_marker(&self, task: &str) {
        self.body.call(Call::Marker).await;
        self.link.complete_marker(&self.run, task);
    }

    /// The root says that its proof is made. Returns once that is stored, or nobody asks for the proof any more.
    pub(crate) async fn conclude(&self, root: &str, extra_data: String) -> Result<(), Ended> {
        self.body.call(Call::Conclude).await;
        match self.link.conclude(&self.run, root, false, extra_data).await {
            Ok(()) => Ok(()),
            Err(Ended::RunOver { .. }) => {
                tracing::info!(run = %self.run, "the proof ended, and nobody asks for it any more");
                Ok(())
            }
            Err(ended) => Err(ended),
        }
    }

    /// Results of tasks of the run.
    pub(crate) fn results(&self) -> (Asker, Results) {
        Results::open(self.clone())
    }

    /// Whether a task of the run succeeds, once it has ended.
    pub(crate) async fn succeeds(&self, task: &str) -> bool {
        let (asker, mut results) = self.results();
        asker.want(task);
        matches!(results.next().await, Some((_, TaskStatus::Succeeded)))
    }

    /// The messages of a task, from the first on.
    pub(crate) fn messages(&self, task: &str) -> Messages {
        Messages::open(self.clone(), task.to_owned())
    }

    /// Appends a message to a task's channel.
    pub(crate) async fn say(&self, task: &str, payload: Vec<u8>) {
        self.body.call(Call::Say).await;
        self.link.say(&self.run, task, payload);
    }
}
