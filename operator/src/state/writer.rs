//! Writes ProvingTask objects in the background.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kube::Client;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use provost_coordinator::TaskChange;
use provost_crds::{FIELD_MANAGER, ProvingTask, ProvingTaskStatus};
use serde_json::json;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::object::TaskRecord;
use super::queue::{Done, Job, Queue};
use crate::api::{ApiError, within};
use crate::metrics::Metrics;

/// Writers: each has one write under way.
const WRITERS: usize = 4;
/// Wait after a failed write.
const BACKOFF: Duration = Duration::from_secs(1);
/// Longest time that is spent on what is left at shutdown.
const FLUSH: Duration = Duration::from_secs(5);

/// The writer.
pub(super) struct TaskWriter {
    client: Client,
    metrics: Metrics,
    queue: Mutex<Queue>,
    wake: Notify,
}

impl TaskWriter {
    pub(super) fn new(client: Client, metrics: Metrics) -> Self {
        Self {
            client,
            metrics,
            queue: Mutex::default(),
            wake: Notify::new(),
        }
    }

    /// Notes a change; never waits.
    pub(super) fn record(&self, change: TaskChange) {
        let behind = {
            let mut queue = self.queue();
            queue.record(&change);
            queue.behind()
        };
        self.metrics.task_writes_waiting(behind);
        self.wake.notify_one();
    }

    /// Starts the writers.
    pub(super) fn spawn(this: &Arc<Self>, tracker: &TaskTracker, shutdown: &CancellationToken) {
        for _ in 0..WRITERS {
            let (writer, shutdown) = (this.clone(), shutdown.clone());
            tracker.spawn(async move {
                while !shutdown.is_cancelled() {
                    writer.drain(&shutdown).await;
                    tokio::select! {
                        () = writer.wake.notified() => {}
                        () = shutdown.cancelled() => {}
                    }
                }
                // What is left is written as far as time allows; a proof that goes on is queued again by the next operator.
                let _ = tokio::time::timeout(FLUSH, writer.drain(&CancellationToken::new())).await;
            });
        }
    }

    /// Writes until nothing is behind.
    async fn drain(&self, shutdown: &CancellationToken) {
        loop {
            let next = self.queue().next();
            let Some((task, job)) = next else { return };
            // Others may find more to do.
            self.wake.notify_one();
            let done = self.write(&job).await;
            let behind = {
                let mut queue = self.queue();
                queue.done(&task, job, done);
                queue.behind()
            };
            self.metrics.task_writes_waiting(behind);
            if done == Done::Failed {
                tokio::select! {
                    () = tokio::time::sleep(BACKOFF) => {}
                    () = shutdown.cancelled() => return,
                }
            }
        }
    }

    async fn write(&self, job: &Job) -> Done {
        let result = match job {
            Job::Create(record) => self.create(record).await,
            Job::Patch(record) => self.patch(record).await,
            Job::Delete(record) => self.delete(record).await,
        };
        match result {
            Ok(()) => {
                self.metrics.wrote("ProvingTask", "ok");
                Done::Written
            }
            // The object, its namespace or its owner is gone, or the server will never take it.
            Err(error) if error.is_not_found() || error.is_refused() => {
                self.metrics.wrote("ProvingTask", "refused");
                tracing::debug!(%error, "a task's object is given up");
                Done::Hopeless
            }
            Err(error) => {
                self.metrics.wrote("ProvingTask", "error");
                tracing::warn!(%error, "a task's object could not be written; tried again");
                Done::Failed
            }
        }
    }

    async fn create(&self, record: &TaskRecord) -> Result<(), ApiError> {
        let created = within(
            "create a ProvingTask",
            self.api(record)
                .create(&PostParams::default(), &record.object()),
        )
        .await;
        match created {
            // A create whose answer was lost.
            Err(error) if !error.is_already_exists() => return Err(error),
            _ => {}
        }
        // A fresh object counts as Pending without a status; people look at roots, so theirs says it.
        if record.spec.root || record.status != ProvingTaskStatus::default() {
            self.patch(record).await?;
        }
        Ok(())
    }

    async fn patch(&self, record: &TaskRecord) -> Result<(), ApiError> {
        let patch = json!({ "status": status(&record.status) });
        let params = PatchParams {
            field_manager: Some(FIELD_MANAGER.into()),
            ..PatchParams::default()
        };
        let name = record.name();
        within(
            "write a ProvingTask's status",
            self.api(record)
                .patch_status(&name, &params, &Patch::Merge(&patch)),
        )
        .await
        .map(|_| ())
    }

    async fn delete(&self, record: &TaskRecord) -> Result<(), ApiError> {
        let name = record.name();
        match within(
            "delete a ProvingTask",
            self.api(record).delete(&name, &DeleteParams::background()),
        )
        .await
        {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }

    fn api(&self, record: &TaskRecord) -> Api<ProvingTask> {
        Api::namespaced(self.client.clone(), &record.key.namespace)
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The status as a merge patch: what is absent is cleared.
fn status(status: &ProvingTaskStatus) -> serde_json::Value {
    let mut value = json!({
        "worker": null, "failureClass": null, "message": null, "startedAt": null, "finishedAt": null,
    });
    if let (Some(all), Ok(serde_json::Value::Object(set))) =
        (value.as_object_mut(), serde_json::to_value(status))
    {
        all.extend(set);
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_fields_are_cleared() {
        let value = status(&ProvingTaskStatus {
            attempts: 2,
            ..ProvingTaskStatus::default()
        });
        assert_eq!(value["attempts"], 2);
        assert_eq!(value["state"], "Pending");
        assert!(value["worker"].is_null() && value.get("worker").is_some());
    }
}
