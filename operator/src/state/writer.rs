//! Writes ProvingTask objects in the background.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kube::Client;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use provost_coordinator::{Clock, TaskChange, TaskId};
use provost_crds::{FIELD_MANAGER, ProvingTask, ProvingTaskStatus};
use serde_json::json;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::adopt::Found;
use super::budget::Budget;
use super::object::{TaskObject, TaskRecord};
use super::queue::{Bounds, Done, Job, Queue};
use crate::api::{ApiError, within};
use crate::leadership::Fence;
use crate::metrics::Metrics;
use crate::supervisor::Supervisor;

/// Writers: each has one write under way.
const WRITERS: usize = 4;
/// Wait after a failed write.
const BACKOFF: Duration = Duration::from_secs(1);
/// Between two looks at a Lease that has run out.
const FENCED: Duration = Duration::from_millis(200);

/// The writer.
pub(super) struct TaskWriter {
    client: Client,
    metrics: Metrics,
    budget: Arc<Budget>,
    fence: Fence,
    queue: Mutex<Queue>,
    wake: Notify,
}

impl TaskWriter {
    pub(super) fn new(
        client: Client,
        metrics: Metrics,
        budget: Arc<Budget>,
        bounds: Bounds,
        fence: Fence,
    ) -> Self {
        Self {
            client,
            metrics,
            budget,
            fence,
            queue: Mutex::new(Queue::new(bounds)),
            wake: Notify::new(),
        }
    }

    /// Notes a change; never waits.
    pub(super) fn record(&self, change: TaskChange) {
        self.change(|queue| queue.record(&change));
    }

    /// Takes over what an earlier leader wrote: see [`Queue::adopt`].
    pub(super) fn adopt(&self, found: Vec<Found>) {
        self.change(|queue| {
            queue.begin_term();
            for found in found {
                queue.adopt(found.record, found.uid, found.goes_on);
            }
        });
    }

    /// Takes in what an earlier leader wrote late: see [`Queue::found`].
    pub(super) fn found(&self, found: Vec<Found>) {
        self.change(|queue| {
            for found in found {
                queue.found(found.record, found.uid);
            }
        });
    }

    /// All workers have reported to this leader.
    pub(super) fn recovered(&self) {
        self.change(Queue::recovered);
    }

    /// A root's object was made: see [`Queue::begun`].
    pub(super) fn begun(&self, root: &TaskId, uid: String) {
        self.queue().begun(root, uid);
    }

    /// The objects that nobody is known to have deleted.
    pub(super) fn expected(&self) -> Vec<TaskObject> {
        let queue = self.queue();
        let objects = queue.expected().map(|(proof, task, uid)| TaskObject {
            uid: uid.to_owned(),
            task: task.to_string(),
            proof: proof.clone(),
        });
        objects.collect()
    }

    /// Somebody deleted a task's object.
    pub(super) fn vanished(&self, task: &TaskId, uid: &str) {
        self.change(|queue| queue.vanished(task, uid));
    }

    /// Wakes a writer only if there is something for it sooner than before: most tasks end before their horizon, and this is called for each of
    /// them, several times, while others wait for the coordinator.
    fn change(&self, change: impl FnOnce(&mut Queue)) {
        let sooner = {
            let mut queue = self.queue();
            let before = queue.outlook();
            change(&mut queue);
            self.metrics.tasks.writer(queue.state());
            queue.outlook().is_sooner_than(before)
        };
        if sooner {
            self.wake.notify_one();
        }
    }

    /// Starts the writers.
    pub(super) fn spawn(this: &Arc<Self>, supervisor: &Supervisor) {
        for _ in 0..WRITERS {
            let (writer, shutdown) = (this.clone(), supervisor.shutdown());
            supervisor.spawn(async move {
                while !shutdown.is_cancelled() {
                    writer.drain(&shutdown).await;
                    tokio::select! {
                        () = writer.wake.notified() => {}
                        () = writer.ripe() => {}
                        () = shutdown.cancelled() => {}
                    }
                }
                // What is left is the next leader's: it adopts what is there, and a write after its look would be lost on it.
            });
        }
    }

    /// Resolves when the next task has run for the persist horizon; never when none waits for that.
    async fn ripe(&self) {
        let Some(at) = self.queue().next_at() else {
            return std::future::pending().await;
        };
        let wait = u64::try_from(at - now()).unwrap_or(0);
        tokio::time::sleep(Duration::from_millis(wait)).await;
    }

    /// Writes until nothing is behind.
    async fn drain(&self, shutdown: &CancellationToken) {
        while !shutdown.is_cancelled() {
            // Most changes lead to no write: they must not use up the budget.
            if !self.queue().is_behind(now()) {
                return;
            }
            // What waits for the budget is not taken out of the queue yet, so that it is written as it is then.
            self.budget.take().await;
            if !self.fence.holds() {
                // Another may lead by now, and these objects be its own. If not, the Lease is renewed first.
                tokio::select! {
                    () = tokio::time::sleep(FENCED) => continue,
                    () = shutdown.cancelled() => return,
                }
            }
            let next = self.queue().next(now());
            let Some((task, job)) = next else { return };
            // Others may find more to do.
            self.wake.notify_one();
            let uid = self.queue().uid(&task);
            let done = self.write(&job, uid).await;
            let failed = done == Done::Failed;
            {
                let mut queue = self.queue();
                queue.done(&task, job, done);
                self.metrics.tasks.writer(queue.state());
            }
            if failed {
                tokio::select! {
                    () = tokio::time::sleep(BACKOFF) => {}
                    () = shutdown.cancelled() => return,
                }
            }
        }
    }

    /// With the `uid` that the object is known to have: another of its name, made by a later leader, is not touched.
    async fn write(&self, job: &Job, uid: Option<String>) -> Done {
        let result = match job {
            Job::Create(record) => self.create(record).await,
            Job::Patch(record) => self.patch(record, uid).await,
            Job::Delete(record) => self.delete(record, uid).await,
        };
        match result {
            Ok(uid) => {
                self.metrics.wrote("ProvingTask", "ok");
                Done::Written(uid)
            }
            Err(error)
                if (error.is_not_found() || error.is_conflict())
                    && matches!(job, Job::Patch(_)) =>
            {
                self.metrics.wrote("ProvingTask", "gone");
                Done::Vanished
            }
            // Its namespace is gone, or the server will never take it.
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

    async fn create(&self, record: &TaskRecord) -> Result<Option<String>, ApiError> {
        let created = within(
            "create a ProvingTask",
            self.api(record)
                .create(&PostParams::default(), &record.object(self.fence.epoch())),
        )
        .await;
        match created {
            // A create whose answer was lost, or one of an earlier operator.
            Err(error) if error.is_already_exists() => self.patch(record, None).await,
            other => other.map(|object| object.metadata.uid),
        }
    }

    async fn patch(
        &self,
        record: &TaskRecord,
        uid: Option<String>,
    ) -> Result<Option<String>, ApiError> {
        let mut patch = json!({ "status": status(&record.status) });
        if let Some(uid) = uid {
            patch["metadata"] = json!({ "uid": uid });
        }
        let params = PatchParams {
            field_manager: Some(FIELD_MANAGER.into()),
            ..PatchParams::default()
        };
        let name = record.name();
        within(
            "write a ProvingTask's status",
            self.api(record)
                .patch(&name, &params, &Patch::Merge(&patch)),
        )
        .await
        .map(|object| object.metadata.uid)
    }

    async fn delete(
        &self,
        record: &TaskRecord,
        uid: Option<String>,
    ) -> Result<Option<String>, ApiError> {
        let name = record.name();
        let mut params = DeleteParams::background();
        if uid.is_some() {
            params = params.preconditions(Preconditions {
                uid,
                resource_version: None,
            });
        }
        match within(
            "delete a ProvingTask",
            self.api(record).delete(&name, &params),
        )
        .await
        {
            Err(error) if !error.is_not_found() && !error.is_conflict() => Err(error),
            _ => Ok(None),
        }
    }

    fn api(&self, record: &TaskRecord) -> Api<ProvingTask> {
        Api::namespaced(self.client.clone(), &record.key.namespace)
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As the coordinator counts it: the times of changes are its own, whatever becomes of the wall clock.
fn now() -> i64 {
    Clock::of_process().now()
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
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::state::object::tests::{change, created};

    /// Answers every request as the API server does where the object of the name has another uid, and keeps what was asked.
    fn others_object(asked: Arc<Mutex<Vec<serde_json::Value>>>) -> Client {
        let service = tower::service_fn(move |request: http::Request<kube::client::Body>| {
            let asked = asked.clone();
            async move {
                let body = request.into_body().collect_bytes().await.unwrap();
                asked
                    .lock()
                    .unwrap()
                    .push(serde_json::from_slice(&body).unwrap());
                let answer = json!({
                    "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 409, "reason": "Conflict",
                    "message": "Precondition failed: UID in precondition: a, UID in object meta: b",
                });
                let answer = kube::client::Body::from(answer.to_string().into_bytes());
                let answer = http::Response::builder().status(409).body(answer);
                Ok::<_, std::convert::Infallible>(answer.unwrap())
            }
        });
        Client::new(service, "ns")
    }

    #[tokio::test]
    async fn an_object_of_the_name_with_another_uid_is_not_touched() {
        let asked: Arc<Mutex<Vec<_>>> = Arc::default();
        let writer = TaskWriter::new(
            others_object(asked.clone()),
            Metrics::new(),
            Arc::new(Budget::new(std::num::NonZeroU32::MIN)),
            Bounds::default(),
            Fence::default(),
        );
        let record = TaskRecord::new(&change("t", created(false))).unwrap();
        let uid = Some("a".to_owned());
        let done = writer.write(&Job::Patch(record.clone()), uid.clone()).await;
        assert_eq!(done, Done::Vanished);
        let done = writer.write(&Job::Delete(record), uid).await;
        assert_eq!(done, Done::Written(None));
        let asked = asked.lock().unwrap();
        assert_eq!(asked[0]["metadata"]["uid"], "a");
        assert_eq!(asked[1]["preconditions"]["uid"], "a");
    }

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
