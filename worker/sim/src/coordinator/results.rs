//! Waiting for other tasks.

use std::collections::HashSet;

use provost_link::TaskStatus;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::Client;
use crate::faults::Call;

/// How a task ended.
type TaskResult = (String, TaskStatus);

/// Asks for results. They end when all askers are gone and all that was asked for has come.
#[derive(Debug, Clone)]
pub(crate) struct Asker(mpsc::UnboundedSender<String>);

impl Asker {
    /// A task's result is wanted.
    pub(crate) fn want(&self, task: &str) {
        let _ = self.0.send(task.to_owned());
    }
}

/// The results of tasks of one run, each once.
#[derive(Debug)]
pub(crate) struct Results {
    results: mpsc::UnboundedReceiver<TaskResult>,
    _pump: AbortOnDropHandle<()>,
}

impl Results {
    pub(super) fn open(client: Client) -> (Asker, Self) {
        let (wanted, wanted_rx) = mpsc::unbounded_channel();
        let (results_tx, results) = mpsc::unbounded_channel();
        let pump = tokio::spawn(deliver(client, wanted_rx, results_tx));
        let results = Self {
            results,
            _pump: AbortOnDropHandle::new(pump),
        };
        (Asker(wanted), results)
    }

    /// The next result; `None` when there will be no more. If none come though some are awaited, it waits: whoever asks is about to be cancelled.
    pub(crate) async fn next(&mut self) -> Option<TaskResult> {
        self.results.recv().await
    }
}

async fn deliver(
    client: Client,
    mut wanted: mpsc::UnboundedReceiver<String>,
    results: mpsc::UnboundedSender<TaskResult>,
) {
    let mut watcher = client.link.watch(&client.run);
    let mut awaited = HashSet::new();
    let mut closed = false;
    while !(closed && awaited.is_empty()) {
        tokio::select! {
            task = wanted.recv(), if !closed => match task {
                Some(task) => {
                    client.body.call(Call::Watch).await;
                    awaited.insert(task.clone());
                    watcher.add([task]);
                }
                None => closed = true,
            },
            result = watcher.next() => match result {
                Ok((task, status)) => {
                    if awaited.remove(&task) && results.send((task, status)).is_err() {
                        return;
                    }
                }
                Err(ended) => {
                    tracing::debug!(%ended, "no more results come");
                    return results.closed().await;
                }
            },
        }
    }
}
