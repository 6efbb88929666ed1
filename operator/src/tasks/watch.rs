//! The watch of ProvingTasks: who deletes one wants its task stopped and run again.
//!
//! Provost deletes objects too, of tasks that are done or not needed any more, and the API server collects those whose request goes. Neither
//! has anything that still runs, so that the coordinator has nothing to stop: it decides.
//!
//! What an earlier leader wrote last may turn up after this one's look at all objects: it is seen here, and deleted.

use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use kube::api::Api;
use kube::core::DeserializeGuard;
use kube::runtime::reflector::Store;
use kube::runtime::{WatchStreamExt, watcher};
use provost_coordinator::{Coordinator, Recall};
use provost_crds::{ProofRequest, ProvingTask};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::book::TaskBook;
use super::unheard::Unheard;
use crate::controllers::proof_request::object_ref;
use crate::metrics::Metrics;
use crate::state::{KubeState, TaskObject};
use crate::unreadable::{self, Unreadable};

/// Time between two attempts while workers report to a new leader.
const AGAIN: Duration = Duration::from_millis(500);

/// What the watch tells others.
#[derive(Clone)]
pub struct TaskWatch {
    /// Stops tasks and runs them again.
    pub coordinator: Coordinator,
    /// Writes the objects.
    pub state: Arc<KubeState>,
    /// All requests.
    pub requests: Store<ProofRequest>,
    /// Whether this replica leads.
    pub leads: watch::Receiver<bool>,
    /// Counts.
    pub metrics: Metrics,
}

impl TaskWatch {
    /// Watches for ever.
    pub async fn run(self, tasks: Api<DeserializeGuard<ProvingTask>>) {
        let unread = Unreadable::new(&self.metrics);
        let events = unreadable::watch(tasks, watcher::Config::default(), unread.clone())
            .inspect_ok(|event| unread.passed(event))
            .default_backoff();
        let mut events = std::pin::pin!(events);
        let mut leads = self.leads.clone();
        let mut book = TaskBook::default();
        let mut unheard = Unheard::default();
        let mut recalls = JoinSet::new();
        loop {
            let gone = tokio::select! {
                event = events.try_next() => match event {
                    Ok(Some(event)) => self.follow(event, &mut book, &mut unheard),
                    Ok(None) => return,
                    Err(error) => {
                        tracing::warn!(%error, "the watch of ProvingTasks broke; it is taken up again");
                        continue;
                    }
                },
                // Somebody may have deleted them when the last leader was gone already.
                Ok(()) = leads.changed() => Vec::new(),
            };
            unheard.note(gone, Instant::now());
            if !*leads.borrow_and_update() {
                continue;
            }
            for gone in unheard.take() {
                if self.wanted(&gone) {
                    self.state.vanished(&gone.task, &gone.uid);
                    recalls.spawn(self.clone().recall(gone));
                }
            }
            while recalls.try_join_next().is_some() {}
        }
    }

    /// Takes an event in; returns what is gone with it.
    fn follow(
        &self,
        event: watcher::Event<ProvingTask>,
        book: &mut TaskBook,
        unheard: &mut Unheard,
    ) -> Vec<TaskObject> {
        if let watcher::Event::InitApply(task) | watcher::Event::Apply(task) = &event {
            let uid = task.metadata.uid.as_deref().unwrap_or_default();
            unheard.seen(&task.spec.task_id, uid);
        }
        match &event {
            // The list is asked for when this event is done with.
            watcher::Event::Init => book.expect(self.state.expected()),
            watcher::Event::InitApply(task) | watcher::Event::Apply(task)
                if *self.leads.borrow() =>
            {
                self.state.found(vec![task.clone()]);
            }
            _ => {}
        }
        book.follow(event)
    }

    /// Whether the request goes on. The objects of one that does not are collected with it.
    fn wanted(&self, gone: &TaskObject) -> bool {
        self.requests
            .get(&object_ref(&gone.proof))
            .is_some_and(|request| {
                request.metadata.uid.as_deref() == Some(gone.proof.uid.as_str())
                    && request.metadata.deletion_timestamp.is_none()
                    && !request.terminal()
            })
    }

    async fn recall(self, gone: TaskObject) {
        loop {
            match self.coordinator.requeue_task(&gone.task).await {
                Recall::Done => {
                    tracing::info!(proof = %gone.proof, task = gone.task, "a ProvingTask was deleted: its task runs again");
                    self.metrics.tasks.recalled();
                    return;
                }
                Recall::Unneeded => return,
                Recall::Recovering => tokio::time::sleep(AGAIN).await,
            }
        }
    }
}
