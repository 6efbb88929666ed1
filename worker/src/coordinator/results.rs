//! Waiting for other tasks.

use std::collections::HashSet;

use provost_link::Watcher;
use sp1_prover::worker::TaskId;
use sp1_prover_types::TaskStatus;
use tokio::sync::mpsc;

/// What one subscriber still waits for. It is over when SP1 wants no more and everything has come: then its results must
/// end, since CoreExecute takes the end of that stream for "all markers are done".
#[derive(Debug, Default)]
pub struct Awaiting {
    ids: HashSet<String>,
    closed: bool,
}

impl Awaiting {
    /// A result of this task is wanted.
    pub fn want(&mut self, task_id: String) {
        self.ids.insert(task_id);
    }

    /// Nothing more will be wanted.
    pub fn close(&mut self) {
        self.closed = true;
    }

    /// The task's result is here; whether it was wanted, and for the first time.
    pub fn settle(&mut self, task_id: &str) -> bool {
        self.ids.remove(task_id)
    }

    /// Whether no result can come any more.
    pub fn is_over(&self) -> bool {
        self.closed && self.ids.is_empty()
    }
}

/// Serves one subscriber: task ids come from `wanted`, final results go to `results`, each once. Ends when SP1 drops
/// its ends.
pub(super) async fn deliver(
    mut watcher: Watcher,
    mut wanted: mpsc::UnboundedReceiver<TaskId>,
    results: mpsc::UnboundedSender<(TaskId, TaskStatus)>,
) {
    let mut awaited = Awaiting::default();
    while !awaited.is_over() {
        tokio::select! {
            task = wanted.recv(), if !awaited.closed => match task {
                Some(task) => {
                    let task_id = task.to_string();
                    awaited.want(task_id.clone());
                    watcher.add([task_id]);
                }
                None => awaited.close(),
            },
            result = watcher.next() => match result {
                // SP1 panics on a result that it did not ask for, and on a second one it has no use.
                Ok((task_id, status)) if awaited.settle(&task_id) => {
                    let status = TaskStatus::try_from(status as i32).unwrap_or(TaskStatus::FailedFatal);
                    if results.send((TaskId::new(task_id), status)).is_err() {
                        return;
                    }
                }
                Ok(_) => {}
                Err(ended) => {
                    tracing::info!(%ended, "no more results come; waiting to be cancelled");
                    results.closed().await;
                    return;
                }
            },
            () = results.closed() => return,
        }
    }
}
