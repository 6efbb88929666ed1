//! How the status of a ProofRequest follows from what happened. Pure: the time is an argument, nothing is written.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use provost_crds::{
    Execution, Failure, Mode, ProofOutput, ProofRequest, ProofRequestStatus, ShardSize, TaskCounts,
    Timings, conditions, duration, reasons,
};

/// Longest failure message that the API takes, in characters.
const MAX_FAILURE_MESSAGE: usize = 4096;
/// The precision of the API server's times.
const SECOND: SignedDuration = SignedDuration::from_secs(1);
/// Message of a request that is with the coordinator and with no worker yet.
const WAITS_FOR_WORKER: &str = "queued, waits for a worker";
/// Task type whose completion means that the number of tasks no longer grows by execution.
const CORE_EXECUTE: &str = "CoreExecute";

/// Something that happened to a request and shows in its status.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// It waits, for the reason given (one of `provost_crds::reasons`).
    Waiting {
        /// Reason of the condition.
        reason: &'static str,
        /// Message of the condition.
        message: String,
    },
    /// Program and stdin are in the store.
    Prepared {
        /// Id of the program.
        program_id: String,
        /// Id of the stdin.
        stdin_id: String,
    },
    /// The operator saw it at this time, for the first one unless it was noted before.
    Seen(Timestamp),
    /// The coordinator has its root task.
    Queued,
    /// The coordinator reports how far it is.
    Progress(Progress),
    /// What made it unschedulable is gone.
    Schedulable,
    /// Time passed; nothing else changed.
    Tick,
    /// It was stopped by `spec.suspend`.
    Suspended {
        /// In which run, if one had begun.
        run: Option<u32>,
    },
    /// Terminal: the result is there.
    Succeeded {
        /// What executing the program gave, if known.
        execution: Option<Execution>,
        /// The proof; `None` in mode Execute.
        proof: Option<ProofOutput>,
    },
    /// Terminal: it failed.
    Failed {
        /// Class, task and message.
        failure: Failure,
        /// What executing the program gave, if it came so far.
        execution: Option<Execution>,
    },
    /// Terminal: it was cancelled.
    Cancelled {
        /// By whom or why.
        message: String,
    },
    /// Terminal: its deadline passed.
    Expired,
}

/// How far a proof is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// Which run of the proof this is, counted from 0.
    pub run: u32,
    /// Number of tasks by type and state.
    pub tasks: BTreeMap<String, TaskCounts>,
    /// Tasks done.
    pub done: u64,
    /// Tasks known.
    pub total: u64,
    /// When a worker took the first task, in milliseconds.
    pub started_at: Option<i64>,
    /// How long ago that was when the proof ended, in milliseconds; `None` before. No clock that is set gets in between.
    pub lasted_ms: Option<i64>,
    /// How long tasks held GPUs, in milliseconds.
    pub gpu_ms: u64,
    /// How large the shards are.
    pub shards: Option<ShardSize>,
}

impl Progress {
    fn executed(&self) -> bool {
        self.tasks
            .get(CORE_EXECUTE)
            .is_some_and(|t| t.succeeded > 0 && t.pending + t.running == 0)
    }
}

/// The status after `changes`, one after the other, at `now`. Of a terminal one nothing changes but the generation that was seen.
pub fn apply(request: &ProofRequest, changes: &[Change], now: Timestamp) -> ProofRequestStatus {
    let mut old = request.status.clone().unwrap_or_default();
    if request.terminal() {
        old.observed_generation = request.metadata.generation;
        for condition in &mut old.conditions {
            condition.observed_generation = request.metadata.generation;
        }
        return old;
    }
    let mut next = Next {
        request,
        status: old,
        now,
        lasted_ms: None,
    };
    next.status.observed_generation = request.metadata.generation;
    for change in changes {
        next.change(change);
    }
    next.status
}

struct Next<'a> {
    request: &'a ProofRequest,
    status: ProofRequestStatus,
    now: Timestamp,
    lasted_ms: Option<i64>,
}

impl Next<'_> {
    fn change(&mut self, change: &Change) {
        match change {
            Change::Waiting { reason, message } => {
                self.condition(conditions::UNKNOWN, reason, message)
            }
            Change::Prepared {
                program_id,
                stdin_id,
            } => {
                self.status.program_id = Some(program_id.clone());
                self.status.stdin_id = Some(stdin_id.clone());
            }
            Change::Seen(at) => {
                let timings = self.timings();
                if timings.queued_at.is_none() {
                    timings.seen_at.get_or_insert(MicroTime(*at));
                }
            }
            Change::Queued => {
                self.timings().queued_at = Some(MicroTime(self.now));
                self.condition(conditions::UNKNOWN, reasons::PENDING, WAITS_FOR_WORKER);
            }
            Change::Progress(progress) => self.progress(progress),
            Change::Schedulable if self.reason_is(reasons::UNSCHEDULABLE) => self.going(),
            Change::Schedulable => {}
            Change::Tick => self.duration(),
            Change::Suspended { run } => self.suspended(*run),
            Change::Succeeded { execution, proof } => {
                self.succeeded(execution.as_ref(), proof.as_ref())
            }
            Change::Failed { failure, execution } => self.failed(failure, execution.as_ref()),
            Change::Cancelled { message } => {
                self.end(conditions::FALSE, reasons::CANCELLED, message)
            }
            Change::Expired => {
                let deadline = self
                    .request
                    .spec
                    .deadline
                    .as_ref()
                    .map(|d| d.0.to_string())
                    .unwrap_or_default();
                let message = format!("expired: spec.deadline {deadline} passed before the end");
                self.end(conditions::FALSE, reasons::EXPIRED, &message);
            }
        }
    }

    fn progress(&mut self, progress: &Progress) {
        if self.reason_is(reasons::SUSPENDED) {
            // Late news of what was stopped.
            return;
        }
        self.status.run = Some(progress.run);
        self.status.tasks.clone_from(&progress.tasks);
        self.status.progress = Some(format!("{}/{}", progress.done, progress.total));
        self.status.shard_size = progress.shards;
        if progress.gpu_ms > 0 {
            // A new leader may know less.
            let seconds = i64::try_from(progress.gpu_ms.div_ceil(1000)).unwrap_or(i64::MAX);
            self.status.gpu_seconds = self.status.gpu_seconds.max(Some(seconds));
        }
        let Some(started) = progress
            .started_at
            .and_then(|at| Timestamp::from_millisecond(at).ok())
        else {
            return;
        };
        self.lasted_ms = progress.lasted_ms;
        self.started(started);
        self.duration();
        self.status.eta_seconds = self.eta(progress);
        // Why a task cannot be placed is more than that others run; `Schedulable` takes it back.
        if !self.reason_is(reasons::UNSCHEDULABLE) {
            self.going();
        }
    }

    /// It goes on: with a worker, or waiting for one.
    fn going(&mut self) {
        let started = self
            .status
            .timings
            .as_ref()
            .is_some_and(|t| t.started_at.is_some());
        let progress = self.status.progress.clone().unwrap_or_default();
        let (reason, message) = match self.request.spec.mode {
            _ if !started => (reasons::PENDING, WAITS_FOR_WORKER.to_owned()),
            Mode::Execute => (reasons::EXECUTING, "executing the program".to_owned()),
            _ => (
                reasons::PROVING,
                format!("proving, {progress} known tasks are done"),
            ),
        };
        self.condition(conditions::UNKNOWN, reason, &message);
    }

    fn reason_is(&self, reason: &str) -> bool {
        conditions::find(&self.status.conditions, conditions::SUCCEEDED)
            .is_some_and(|c| c.reason == reason)
    }

    /// Seconds left if the rest of the known tasks goes as fast as what is done. Nothing is said while the program
    /// still executes, since tasks still appear.
    fn eta(&self, progress: &Progress) -> Option<i64> {
        let started = self.status.timings.as_ref()?.started_at.as_ref()?.0;
        let left = i64::try_from(progress.total.saturating_sub(progress.done)).ok()?;
        let done = i64::try_from(progress.done).ok().filter(|done| *done > 0)?;
        progress
            .executed()
            .then(|| millis(started, self.now) / 1000 * left / done)
    }

    fn suspended(&mut self, run: Option<u32>) {
        let status = &mut self.status;
        status.run = status.run.max(run);
        status.progress = None;
        status.eta_seconds = None;
        status.tasks.clear();
        status.timings = None;
        status.duration = None;
        self.condition(
            conditions::UNKNOWN,
            reasons::SUSPENDED,
            "suspended: set spec.suspend to false to start it",
        );
    }

    fn succeeded(&mut self, execution: Option<&Execution>, proof: Option<&ProofOutput>) {
        self.status.execution = execution.cloned().or(self.status.execution.take());
        self.status.proof = proof.cloned();
        let message = match (proof, &self.status.execution) {
            (Some(proof), _) => format!("the proof is in the store, {} bytes", proof.size_bytes),
            (None, Some(e)) => match e.exit_code {
                Some(code) => format!("executed {} cycles, exit code {code}", e.cycles),
                None => format!("executed {} cycles", e.cycles),
            },
            (None, None) => "executed".to_owned(),
        };
        self.end(conditions::TRUE, reasons::SUCCEEDED, &message);
    }

    fn failed(&mut self, failure: &Failure, execution: Option<&Execution>) {
        let mut failure = failure.clone();
        if let Some((cut, _)) = failure.message.char_indices().nth(MAX_FAILURE_MESSAGE) {
            failure.message.truncate(cut);
        }
        let message = failure.message.clone();
        let reason = failure.class.as_str();
        self.status.execution = execution.cloned().or(self.status.execution.take());
        self.status.failure = Some(failure);
        self.end(conditions::FALSE, reason, &message);
    }

    fn end(&mut self, status: &str, reason: &str, message: &str) {
        let (created, lasted) = (self.created(), self.lasted());
        let now = self.now;
        let timings = self.timings();
        timings.finished_at = Some(MicroTime(now));
        timings.prove_millis = lasted;
        timings.total_millis = match (timings.queue_millis, lasted) {
            (Some(queued), Some(lasted)) => Some(queued.saturating_add(lasted)),
            _ => created.map(|created| millis(created, now)),
        };
        self.status.eta_seconds = None;
        self.duration();
        self.condition(status, reason, message);
    }

    fn started(&mut self, at: Timestamp) {
        let created = self.created();
        let timings = self.timings();
        if timings.started_at.is_none() {
            timings.started_at = Some(MicroTime(at));
            timings.queue_millis = created.map(|created| millis(created, at));
        }
    }

    fn duration(&mut self) {
        self.status.duration = self.lasted().map(duration::human);
    }

    /// Milliseconds since a worker took the first task.
    fn lasted(&self) -> Option<i64> {
        let timings = self.status.timings.as_ref()?;
        let started = timings.started_at.as_ref()?.0;
        Some(self.lasted_ms.unwrap_or_else(|| millis(started, self.now)))
    }

    /// When it was created. That is known in whole seconds; when it was seen is closer, unless nobody looked for a while.
    fn created(&self) -> Option<Timestamp> {
        let noted = self.request.metadata.creation_timestamp.as_ref()?.0;
        let timings = self.status.timings.as_ref();
        let seen = timings.and_then(|timings| Some(timings.seen_at.as_ref()?.0));
        let soon = seen.filter(|seen| seen.duration_since(noted).abs() < SECOND);
        Some(soon.unwrap_or(noted))
    }

    fn timings(&mut self) -> &mut Timings {
        self.status.timings.get_or_insert_default()
    }

    fn condition(&mut self, status: &str, reason: &str, message: &str) {
        let generation = self.request.metadata.generation;
        let list = &mut self.status.conditions;
        conditions::set(
            list,
            conditions::SUCCEEDED,
            status,
            reason,
            message,
            generation,
            self.now,
        );
    }
}

/// Milliseconds from `from` to `to`, zero if the clock was set back.
fn millis(from: Timestamp, to: Timestamp) -> i64 {
    to.as_millisecond()
        .saturating_sub(from.as_millisecond())
        .max(0)
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
