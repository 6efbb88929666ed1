//! Tasks created here, and results awaited here.
//!
//! Whoever creates a task is told its result, wanted or not: until then the worker keeps the task's data. What has come is
//! remembered while the run goes on, since another part of the run may ask for it later: here, or on another worker
//! after a change of leader.

use proto::up_message::Message;
use provost_proto::link as proto;
use provost_proto::worker::TaskStatus;

use super::kept::Kept;
use super::{Effect, WatcherId};
use crate::Run;

impl Kept {
    /// A task of the run is created.
    pub(crate) fn create(&mut self, run: &Run, create: proto::Create, out: &mut Vec<Effect>) {
        let Some(kept) = self.of_run(run) else {
            return;
        };
        kept.created.insert(create.task_id.clone(), create.clone());
        self.tell(Message::Create(create), out);
    }

    /// The leader has counted failed attempts at a task. The next leader is to count on from there.
    pub(super) fn counted(&mut self, counted: proto::Counted) {
        let run = Run::named(counted.run.clone());
        if let Some(kept) = self.kept.get_mut(&run)
            && kept.created.contains_key(&counted.task_id)
        {
            kept.counted.insert(counted.task_id.clone(), counted);
        }
    }

    /// A consumer of results of the run begins.
    pub(crate) fn watch(&mut self, run: &Run, watcher: WatcherId, out: &mut Vec<Effect>) {
        match self.of_run(run) {
            Some(kept) => {
                kept.watchers.insert(watcher);
            }
            None => out.push(Effect::Unwatched {
                watcher,
                run: run.clone(),
            }),
        }
    }

    /// The consumer wants these tasks' results.
    pub(crate) fn want(
        &mut self,
        run: &Run,
        watcher: WatcherId,
        task_ids: Vec<String>,
        out: &mut Vec<Effect>,
    ) {
        let Some(kept) = self.of_run(run) else {
            return;
        };
        for task_id in task_ids {
            if let Some(status) = kept.known.get(&task_id) {
                out.push(Effect::Result {
                    watcher,
                    run: run.clone(),
                    task_id,
                    status: *status,
                });
            } else if let Some(watchers) = kept.awaited.get_mut(&task_id) {
                if !watchers.contains(&watcher) {
                    watchers.push(watcher);
                }
            } else {
                if !kept.created.contains_key(&task_id) {
                    kept.to_watch.push(task_id.clone());
                }
                kept.awaited.insert(task_id, vec![watcher]);
            }
        }
        self.unsaid.insert(run.clone());
    }

    /// The consumer has received the result of a task.
    pub(crate) fn took(&mut self, run: &Run, task_id: &str) {
        let Some(kept) = self.kept.get_mut(run) else {
            return;
        };
        if let Some(unread) = kept.unread.get_mut(task_id) {
            *unread -= 1;
            if *unread == 0 {
                kept.unread.remove(task_id);
                kept.to_take.push(task_id.to_owned());
                self.unsaid.insert(run.clone());
            }
        }
    }

    /// The consumer is gone. What it alone awaited is awaited no more.
    pub(crate) fn unwatch(&mut self, run: &Run, watcher: WatcherId) {
        let Some(kept) = self.kept.get_mut(run) else {
            return;
        };
        kept.watchers.remove(&watcher);
        kept.awaited.retain(|_, watchers| {
            watchers.retain(|other| *other != watcher);
            !watchers.is_empty()
        });
        kept.to_watch
            .retain(|task_id| kept.awaited.contains_key(task_id));
        self.prune(run);
    }

    /// The leader says how a task ended.
    pub(super) fn result(
        &mut self,
        run: &Run,
        task_id: String,
        status: TaskStatus,
        out: &mut Vec<Effect>,
    ) {
        let is_final = matches!(status, TaskStatus::Succeeded | TaskStatus::FailedFatal);
        let Some(kept) = self.of_run(run).filter(|_| is_final) else {
            return;
        };
        kept.created.remove(&task_id);
        kept.counted.remove(&task_id);
        let watchers = kept.awaited.remove(&task_id).unwrap_or_default();
        kept.known.insert(task_id.clone(), status);
        if watchers.is_empty() {
            // Said twice by leaders that do not know of each other, or wanted by nobody here: taken, unless a consumer has
            // still to take it.
            if !kept.unread.contains_key(&task_id) {
                kept.to_take.push(task_id);
                self.unsaid.insert(run.clone());
            }
            return;
        }
        kept.unread.insert(task_id.clone(), watchers.len());
        out.extend(watchers.into_iter().map(|watcher| Effect::Result {
            watcher,
            run: run.clone(),
            task_id: task_id.clone(),
            status,
        }));
    }

    /// The leader takes a child, or a task that is awaited here, for a mistake: there will be no result, so it has failed.
    pub(super) fn child_refused(&mut self, run: &Run, task_id: &str, out: &mut Vec<Effect>) {
        let Some(kept) = self.kept.get_mut(run) else {
            return;
        };
        let watchers = kept.awaited.remove(task_id);
        kept.counted.remove(task_id);
        if kept.created.remove(task_id).is_none() && watchers.is_none() {
            return;
        }
        let status = TaskStatus::FailedFatal;
        kept.known.insert(task_id.to_owned(), status);
        for watcher in watchers.unwrap_or_default() {
            out.push(Effect::Result {
                watcher,
                run: run.clone(),
                task_id: task_id.to_owned(),
                status,
            });
        }
    }
}
