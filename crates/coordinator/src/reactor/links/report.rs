//! Reports: what still counts on a process, said on a new stream or to a new leader.

use std::collections::HashSet;

use super::Answers;
use crate::core::LinkId;
use crate::ids::{ProofId, TaskId, WorkerId};
use crate::reactor::Reactor;
use crate::word::{Report, Word};

impl Reactor<'_> {
    /// A part of a report. Nothing is done before the last one is there, so that nothing is taken for absent that is yet to come.
    pub(super) fn reported(&mut self, link: LinkId, part: Report, answers: &mut Answers) {
        let last = part.last;
        let Some(known) = self.core.link_mut(link) else {
            return;
        };
        known.report.push(part);
        if !last {
            return;
        }
        let parts = std::mem::take(&mut known.report);
        let first = !std::mem::replace(&mut known.reported, true);
        let pending = std::mem::take(&mut known.pending);
        let pod = known.pod.clone();
        let report = join(parts);
        let named: HashSet<_> = report.running.iter().map(|r| r.task.clone()).collect();
        let created = report.created.iter().map(|child| child.task.clone());
        let watched = report.watches.iter().flat_map(|(_, tasks)| tasks.clone());
        let wanted: HashSet<_> = created.chain(watched).collect();
        if first {
            self.forget_listening(link);
        }
        for word in words(report) {
            self.heed(link, word, answers);
        }
        if first {
            self.send_lost(link, &named);
            self.welcome_back(link);
        }
        self.take_forgotten(link, &wanted);
        for worker in self.core.workers_of(&pod) {
            self.core.update_worker(&worker, |w| w.unreported = false);
        }
        if let Some(recovery) = self.core.recovery_mut() {
            recovery.missing.remove(&pod);
        }
        for word in pending {
            self.heed(link, word, answers);
        }
        self.tend_recovery();
    }

    /// Tasks that should be on the process and are not were lost on their way: they are sent again. What was told to stop and is not there has stopped.
    fn send_lost(&mut self, link: LinkId, named: &HashSet<TaskId>) {
        let Some(known) = self.core.link(link) else {
            return;
        };
        let roles: Vec<WorkerId> = known.roles.iter().map(|(_, id)| id.clone()).collect();
        for worker in roles {
            let Some(known) = self.core.worker(&worker) else {
                continue;
            };
            let absent = known.holds().iter().filter(|(id, _)| !named.contains(*id));
            let absent: Vec<_> = absent
                .map(|(id, hold)| (id.clone(), hold.is_live()))
                .collect();
            for (id, live) in absent {
                if live {
                    tracing::info!(%worker, task = %id, "task was lost on its way, and is sent again");
                    self.send_task(&id, &worker);
                } else {
                    self.core.release(&worker, &id);
                }
            }
        }
    }

    /// What the process read on an earlier stream says nothing of what it has heard.
    fn forget_listening(&mut self, link: LinkId) {
        for proof in self.involved(link) {
            let tasks = self
                .core
                .proof(&proof)
                .into_iter()
                .flat_map(|p| p.tasks.all());
            let reads = |task: &&TaskId| {
                let channel = self.core.channel(task);
                channel.is_some_and(|channel| channel.listeners.contains_key(&link))
            };
            for task in tasks.filter(reads).cloned().collect::<Vec<_>>() {
                self.core.channel_mut(&task).listeners.remove(&link);
            }
        }
    }

    /// The proofs that the process has something of.
    fn involved(&self, link: LinkId) -> Vec<ProofId> {
        self.core.proof_ids(|proof| proof.links.contains(&link))
    }

    /// Results that the process does not ask for any more: it has taken them in, and its word of that was lost.
    fn take_forgotten(&mut self, link: LinkId, wanted: &HashSet<TaskId>) {
        let mut forgotten: Vec<(ProofId, TaskId)> = Vec::new();
        for proof in self.involved(link) {
            let tasks = self
                .core
                .proof(&proof)
                .into_iter()
                .flat_map(|p| p.tasks.all());
            let tasks = tasks.filter_map(|id| self.core.task(id));
            let tasks = tasks.filter(|task| task.takers.contains(&link));
            let tasks = tasks.filter(|task| !wanted.contains(&task.id));
            forgotten.extend(tasks.map(|task| (proof.clone(), task.id.clone())));
        }
        for (proof, task) in forgotten {
            self.taken_one(link, &proof, &task);
        }
    }
}

fn join(parts: Vec<Report>) -> Report {
    let mut whole = Report::default();
    for part in parts {
        whole.running.extend(part.running);
        whole.done.extend(part.done);
        whole.created.extend(part.created);
        whole.watches.extend(part.watches);
        whole.said.extend(part.said);
        whole.listens.extend(part.listens);
        whole.conclusions.extend(part.conclusions);
        whole.results.extend(part.results);
        whole.counted.extend(part.counted);
    }
    whole
}

/// In an order in which each finds what it builds on: messages before the end of who said them, and all of that before who wants it.
fn words(report: Report) -> impl Iterator<Item = Word> {
    let created = report.created.into_iter().map(Word::Created);
    let counted = report.counted.into_iter();
    let counted = counted.map(|(run, task, attempts)| Word::Counted {
        run,
        task,
        attempts,
    });
    let results = report.results.into_iter();
    let known = results.map(|(run, task, status)| Word::Known { run, task, status });
    let running = report.running.into_iter().map(Word::Running);
    let said = report.said.into_iter().map(Word::Say);
    let done = report.done.into_iter().map(Word::Done);
    let watches = report.watches.into_iter();
    let watches = watches.map(|(run, tasks)| Word::Watch { run, tasks });
    let listens = report.listens.into_iter().map(Word::Listen);
    let conclusions = report.conclusions.into_iter().map(Word::Conclude);
    let first = created
        .chain(counted)
        .chain(known)
        .chain(running)
        .chain(said)
        .chain(done);
    first.chain(watches).chain(listens).chain(conclusions)
}
