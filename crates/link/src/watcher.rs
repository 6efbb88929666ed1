//! Waiting for tasks' results.

use std::collections::HashSet;

use provost_proto::worker::TaskStatus;
use tokio::sync::mpsc;

use crate::Run;
use crate::error::Ended;
use crate::io::Command;
use crate::state::WatcherId;

/// A task and how it ended, or why no more results come.
pub(crate) type Item = Result<(String, TaskStatus), Ended>;

/// A consumer of results of one run. It is told of each task once for each time that it asks. Dropping it ends it.
#[derive(Debug)]
pub struct Watcher {
    run: Run,
    id: WatcherId,
    awaited: HashSet<String>,
    items: mpsc::UnboundedReceiver<Item>,
    ended: Option<Ended>,
    commands: mpsc::UnboundedSender<Command>,
}

impl Watcher {
    pub(crate) fn new(run: Run, id: WatcherId, commands: mpsc::UnboundedSender<Command>) -> Self {
        let (sink, items) = mpsc::unbounded_channel();
        let _ = commands.send(Command::Watch {
            run: run.clone(),
            watcher: id,
            sink,
        });
        Self {
            run,
            id,
            awaited: HashSet::new(),
            items,
            ended: None,
            commands,
        }
    }

    /// Wants the results of these tasks too. Those that are final are told soon; one that is awaited already is not asked for again.
    pub fn add(&mut self, task_ids: impl IntoIterator<Item = String>) {
        let mut news = Vec::new();
        for task_id in task_ids {
            if self.awaited.insert(task_id.clone()) {
                news.push(task_id);
            }
        }
        if !news.is_empty() {
            let _ = self.commands.send(Command::Want {
                run: self.run.clone(),
                watcher: self.id,
                task_ids: news,
            });
        }
    }

    /// How many tasks' results are still to come.
    pub fn awaiting(&self) -> usize {
        self.awaited.len()
    }

    /// The next task that is final: Succeeded or FailedFatal. Waits for as long as nothing is, even when nothing is awaited. What it returns counts as
    /// received. Safe to cancel.
    ///
    /// # Errors
    /// Nothing more will come. That is never to be taken for "all has come".
    pub async fn next(&mut self) -> Item {
        if let Some(ended) = &self.ended {
            return Err(ended.clone());
        }
        match self.items.recv().await.unwrap_or(Err(Ended::Closed)) {
            Ok((task_id, status)) => {
                self.awaited.remove(&task_id);
                self.took(task_id.clone());
                Ok((task_id, status))
            }
            Err(ended) => Err(self.ended.insert(ended).clone()),
        }
    }

    fn took(&self, task_id: String) {
        let _ = self.commands.send(Command::Took {
            run: self.run.clone(),
            task_id,
        });
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        // What comes after this is taken by the link itself.
        self.items.close();
        while let Ok(item) = self.items.try_recv() {
            if let Ok((task_id, _)) = item {
                self.took(task_id);
            }
        }
        let _ = self.commands.send(Command::Unwatch {
            run: self.run.clone(),
            watcher: self.id,
        });
    }
}
