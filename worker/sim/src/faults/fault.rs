//! One fault, as it is written.

use std::time::Duration;

use provost_proto::worker::TaskType;
use provost_scheduler::retry::FailureClass;
use serde::{Deserialize, Serialize};

use super::place::{Call, Point, StoreOp};

/// One fault: `{"do":"crash","at":"running","task":"PROVE_SHARD","nth":3}`.
///
/// `at`, `call` or `op` says where it strikes; `task` and `worker` narrow that down. Each time a place is passed that fits counts as a match. `nth`
/// strikes at that match and the `times - 1` after it, `probability` at each match by chance, `times` times at most. With neither, a fault of the
/// network or the store strikes at every match, any other at the first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    /// What goes wrong.
    #[serde(rename = "do")]
    pub action: Action,
    /// The point of a task's life.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Point>,
    /// A call to the coordinator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call: Option<Call>,
    /// An operation of the artifact store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub op: Option<StoreOp>,
    /// Only for tasks of this type: `PROVE_SHARD`. Not for calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// Only in this simulated worker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    /// The first match that it strikes at, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nth: Option<u64>,
    /// The chance that it strikes at a match.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// How often it strikes at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
    /// A time in milliseconds: how long a delay or partition lasts, or after what time a crashed worker is replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ms: Option<u64>,
    /// The class of a failure; Transient unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<FailureClass>,
    /// Whether a failure may be retried; follows from its class unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retryable: Option<bool>,
    /// The message of a failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// The simulated worker is gone at once: its tasks, its streams, its beats. `ms` later another takes its place, under another name; never
    /// without `ms`.
    #[default]
    Crash,
    /// The process is gone at once, by SIGABRT.
    Abort,
    /// The process ends as the kernel's OOM killer would have it: exit code 137.
    Oom,
    /// The task never ends, and cannot be stopped.
    Hang,
    /// Nothing that the worker sends leaves it, beats included, for `ms` or for ever; its stream stays open, and it hears.
    StopBeating,
    /// The worker's streams break and it makes no new ones, for `ms` or for ever. Its tasks go on.
    FallSilent,
    /// Nothing that the worker sends or is sent arrives, for `ms` or for ever; then all of it does.
    Partition,
    /// The task fails with `class`, `retryable`, `message`.
    Fail,
    /// The task panics: it fails with Bug, and the process wants to be replaced (exit code 75).
    Panic,
    /// At a point: the task waits a random time up to `ms`, so that tasks overtake each other. At a call or a store operation: it takes `ms` longer.
    Delay,
    /// The task waits `ms`.
    Wait,
    /// The call arrives, and whatever is answered from now on is lost, as the streams break: so the worker reports anew all that it keeps, the call included.
    LoseReply,
    /// The call and whatever is sent after it are lost, as the streams break.
    LoseRequest,
    /// The store answers that it is unavailable.
    Unavailable,
    /// The store answers that it is full.
    Full,
}

/// A fault that makes no sense.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FaultError {
    /// It does not say where, or in more than one way.
    #[error("{action:?} takes exactly one of: {takes}")]
    Place {
        /// What goes wrong.
        action: Action,
        /// What may say where.
        takes: &'static str,
    },
    /// A field has a value that it cannot have.
    #[error("{field}: {detail}")]
    Field {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        detail: String,
    },
    /// Not the JSON of a fault.
    #[error("not a fault or a list of faults: {0}")]
    Parse(String),
}

impl FaultError {
    /// Stable name of the error.
    pub fn reason(&self) -> &'static str {
        "InvalidFault"
    }
}

impl Fault {
    /// A fault at a point of tasks of one type.
    pub fn at(action: Action, point: Point, task: TaskType) -> Self {
        Self {
            action,
            at: Some(point),
            task: Some(task.as_str_name().to_owned()),
            ..Self::default()
        }
    }

    /// A fault of a call.
    pub fn of_call(action: Action, call: Call) -> Self {
        Self {
            action,
            call: Some(call),
            ..Self::default()
        }
    }

    /// A fault of the store.
    pub fn of_store(action: Action, op: StoreOp) -> Self {
        Self {
            action,
            op: Some(op),
            ..Self::default()
        }
    }

    /// Something that happens to a worker at once; to all of them without a name.
    pub fn now(action: Action, worker: Option<&str>) -> Self {
        Self {
            action,
            at: Some(Point::Now),
            worker: worker.map(str::to_owned),
            ..Self::default()
        }
    }

    /// The same fault, with a time.
    #[must_use]
    pub fn for_ms(mut self, ms: u64) -> Self {
        self.ms = Some(ms);
        self
    }

    /// The same fault, at the n-th match and the `times - 1` after it.
    #[must_use]
    pub fn nth(mut self, nth: u64, times: u64) -> Self {
        self.nth = Some(nth);
        self.times = Some(times);
        self
    }

    /// The same fault, by chance.
    #[must_use]
    pub fn by_chance(mut self, probability: f64) -> Self {
        self.probability = Some(probability);
        self
    }

    /// The same fault, in one simulated worker.
    #[must_use]
    pub fn in_worker(mut self, worker: &str) -> Self {
        self.worker = Some(worker.to_owned());
        self
    }

    /// Reads one fault or a list of them.
    pub fn parse(text: &str) -> Result<Vec<Self>, FaultError> {
        let value = serde_json::from_str(text);
        let list = match value.map_err(|error| FaultError::Parse(error.to_string()))? {
            serde_json::Value::Array(list) => list,
            one => vec![one],
        };
        let parse = |value| {
            let fault: Self = serde_json::from_value(value)
                .map_err(|error: serde_json::Error| FaultError::Parse(error.to_string()))?;
            fault.check().map(|()| fault)
        };
        list.into_iter().map(parse).collect()
    }

    /// Whether it makes sense.
    pub fn check(&self) -> Result<(), FaultError> {
        let takes = match self.action {
            Action::Delay => "at, call, op",
            Action::LoseReply | Action::LoseRequest => "call",
            Action::Unavailable | Action::Full => "op",
            _ => "at",
        };
        let given = [
            self.at.map(|_| "at"),
            self.call.map(|_| "call"),
            self.op.map(|_| "op"),
        ];
        let given: Vec<_> = given.into_iter().flatten().collect();
        if !matches!(given.as_slice(), [one] if takes.split(", ").any(|t| t == *one)) {
            let action = self.action;
            return Err(FaultError::Place { action, takes });
        }
        let field = |field, detail: String| Err(FaultError::Field { field, detail });
        if self.at == Some(Point::Now) && !self.action.is_of_a_worker() {
            return field("at", format!("{:?} needs a task", self.action));
        }
        if let Some(task) = &self.task
            && TaskType::from_str_name(task).is_none()
        {
            return field(
                "task",
                format!("{task} is no task type; one is PROVE_SHARD"),
            );
        }
        if self.task.is_some() && self.call.is_some() {
            return field(
                "task",
                "a call has none: leave one of the two out".to_owned(),
            );
        }
        if self.nth == Some(0) {
            return field("nth", "matches count from 1".to_owned());
        }
        if self.probability.is_some_and(|p| !(0.0..=1.0).contains(&p)) {
            return field("probability", "0 to 1".to_owned());
        }
        if matches!(self.action, Action::Delay | Action::Wait) && self.ms.is_none() {
            return field("ms", "a wait needs one".to_owned());
        }
        Ok(())
    }

    /// Its time, if it has one.
    pub(crate) fn duration(&self) -> Option<Duration> {
        self.ms.map(Duration::from_millis)
    }

    /// How often it strikes at most.
    pub(super) fn limit(&self) -> u64 {
        let always = self.call.is_some() || self.op.is_some() || self.probability.is_some();
        let unsaid = match self.nth {
            None if always => u64::MAX,
            _ => 1,
        };
        self.times.unwrap_or(unsaid)
    }
}

impl Action {
    /// Whether it happens to a worker or to the process, rather than to a task.
    fn is_of_a_worker(self) -> bool {
        matches!(
            self,
            Self::Crash
                | Self::Abort
                | Self::Oom
                | Self::StopBeating
                | Self::FallSilent
                | Self::Partition
                | Self::Panic
        )
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn faults_are_read_one_by_one_or_in_a_list() {
        let one = Fault::parse(r#"{"do":"crash","at":"running","task":"PROVE_SHARD","nth":3}"#);
        let expected = Fault::at(Action::Crash, Point::Running, TaskType::ProveShard);
        assert_eq!(
            one.unwrap(),
            [Fault {
                nth: Some(3),
                ..expected
            }]
        );
        let two = r#"[{"do":"loseReply","call":"Create","probability":0.1},{"do":"unavailable","op":"put"}]"#;
        assert_eq!(Fault::parse(two).unwrap().len(), 2);
        assert_eq!(Fault::parse("[]").unwrap(), []);
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "crash",
            r#"{"at":"running"}"#,
            r#"{"do":"crash"}"#,
            r#"{"do":"crash","at":"running","call":"Say"}"#,
            r#"{"do":"crash","call":"Say"}"#,
            r#"{"do":"loseReply","call":"Say","task":"PROVE_SHARD"}"#,
            r#"{"do":"hang","at":"now"}"#,
            r#"{"do":"hang","at":"running","task":"ProveShard"}"#,
            r#"{"do":"delay","op":"get"}"#,
            r#"{"do":"full","at":"running"}"#,
            r#"{"do":"fail","at":"running","nth":0}"#,
            r#"{"do":"fail","at":"running","probability":2}"#,
            r#"{"do":"fail","at":"running","often":2}"#,
            r#"{"do":"explode","at":"running"}"#,
        ] {
            assert!(Fault::parse(text).is_err(), "{text}");
        }
    }
}
