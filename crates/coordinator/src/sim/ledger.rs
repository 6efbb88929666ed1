//! What really happened, to judge by: which tasks ran where, and whom a leader had a reason to give up.

use std::collections::{BTreeMap, BTreeSet};

use provost_proto::worker::TaskType;

use super::process::{Order, Run};
use super::world::is_unit;
use crate::Millis;

/// How long an order may be under way.
const UNDER_WAY: Millis = 1_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Running,
    Completed,
    Ended,
}

#[derive(Debug)]
struct Record {
    process: usize,
    state: State,
}

#[derive(Default)]
pub(super) struct Ledger {
    records: BTreeMap<(Run, String), Vec<Record>>,
    /// Processes that executed or controlled a run.
    hosts: BTreeMap<Run, BTreeSet<usize>>,
    /// Runs in which a unit failed by itself.
    broken: BTreeSet<Run>,
    /// Processes that died or leave.
    excused: BTreeSet<usize>,
    /// Until when processes are excused that are out of reach.
    frozen: BTreeMap<usize, Millis>,
    /// Until when processes are excused that a leader gave up because they were not back at once.
    away: BTreeMap<usize, Millis>,
    /// Until when an order for a task may be under way that was recalled since.
    recalled: BTreeMap<(Run, String), Millis>,
    pub(super) now: Millis,
    pub(super) starts: usize,
}

impl Ledger {
    pub(super) fn excuse(&mut self, process: usize) {
        self.excused.insert(process);
    }

    /// A process is out of reach for a while.
    pub(super) fn excuse_for(&mut self, process: usize, millis: Millis) {
        let until = self.frozen.entry(process).or_default();
        *until = (*until).max(self.now + millis + UNDER_WAY);
    }

    /// A leader gives a process up. Not one that it hears.
    pub(super) fn given_up(&mut self, process: usize, heard: bool) {
        let gone = self.excused.contains(&process);
        let frozen = self.frozen.get(&process);
        let frozen = frozen.is_some_and(|until| *until >= self.now);
        assert!(gone || frozen || !heard, "{process} is fine, and given up");
        self.away.insert(process, Millis::MAX);
    }

    /// It is back. What was sent elsewhere may still be under way.
    pub(super) fn is_back(&mut self, process: usize) {
        if let Some(until) = self.away.get_mut(&process) {
            *until = self.now + UNDER_WAY;
        }
    }

    fn is_excused(&self, process: usize) -> bool {
        let until = [&self.frozen, &self.away].map(|times| times.get(&process));
        let excused = |until: &Millis| *until >= self.now;
        self.excused.contains(&process) || until.into_iter().flatten().any(excused)
    }

    /// A task begins. It must not run, nor be done, in the same run on a process that nobody had a reason to give up.
    pub(super) fn started(&mut self, process: usize, order: &Order) {
        self.starts += 1;
        let key = (order.run.clone(), order.task.clone());
        let records = self.records.get(&key).into_iter().flatten();
        let recalled = self
            .recalled
            .get(&key)
            .is_some_and(|until| *until >= self.now);
        for record in records.filter(|r| r.state != State::Ended && !recalled) {
            // An order to one that was given up may be under way for long.
            let excused = [record.process, process]
                .iter()
                .any(|p| self.is_excused(*p));
            assert!(excused, "{order:?} starts on {process}, and is {record:?}");
        }
        let state = State::Running;
        let records = self.records.entry(key).or_default();
        records.push(Record { process, state });
        if is_unit(order.data.task_type()) {
            self.hosts
                .entry(order.run.clone())
                .or_default()
                .insert(process);
        }
    }

    pub(super) fn ended(
        &mut self,
        process: usize,
        run: &Run,
        task: &str,
        kind: TaskType,
        completed: bool,
        failed: bool,
    ) {
        let key = (run.clone(), task.to_owned());
        for record in self.records.entry(key).or_default() {
            if record.process == process && record.state == State::Running {
                record.state = if completed {
                    State::Completed
                } else {
                    State::Ended
                };
            }
        }
        if failed && is_unit(kind) {
            self.broken.insert(run.clone());
        }
    }

    /// A person wants a task to be run again: with its run, or by itself, even if it was done and nobody had heard of that.
    pub(super) fn recalled(&mut self, run: &Run, task: &str, kind: TaskType) {
        if is_unit(kind) {
            self.broken.insert(run.clone());
        }
        let key = (run.clone(), task.to_owned());
        for record in self.records.get_mut(&key).into_iter().flatten() {
            record.state = State::Ended;
        }
        self.recalled.insert(key, self.now + UNDER_WAY);
    }

    /// A run begins again. That must have a reason: a unit failed, or who had one is gone, or nobody ever had the root.
    pub(super) fn begun_again(&self, run: &Run, root: &str) {
        let hosts = self.hosts.get(run).cloned().unwrap_or_default();
        let gone = hosts.iter().any(|host| self.is_excused(*host));
        let root = self.records.get(&(run.clone(), root.to_owned()));
        let runs = root.is_some_and(|all| all.iter().any(|r| r.state == State::Running));
        let justified = gone || self.broken.contains(run) || !runs;
        assert!(
            justified,
            "{run:?} begins again although {hosts:?} are fine: {root:?}"
        );
    }
}
