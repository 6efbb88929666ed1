//! How a ProofRequest stands, read from its status.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::{ProofRequest, conditions, reasons};

impl ProofRequest {
    /// The condition `Succeeded`, once the operator has seen the request.
    pub fn succeeded_condition(&self) -> Option<&Condition> {
        conditions::find(&self.status.as_ref()?.conditions, conditions::SUCCEEDED)
    }

    /// Whether the request has ended, in whatever way: `Succeeded` is True or False. This is final.
    pub fn terminal(&self) -> bool {
        self.succeeded_condition()
            .is_some_and(|c| c.status != conditions::UNKNOWN)
    }

    /// Whether the request has ended with its result.
    pub fn succeeded(&self) -> bool {
        self.succeeded_condition()
            .is_some_and(|c| c.status == conditions::TRUE)
    }

    /// Reason of the condition `Succeeded`: what the column State shows. `Pending` before the operator has
    /// seen the request.
    pub fn state(&self) -> &str {
        self.succeeded_condition()
            .map_or(reasons::PENDING, |c| c.reason.as_str())
    }

    /// Message of the condition `Succeeded`; empty before the operator has seen the request.
    pub fn message(&self) -> &str {
        self.succeeded_condition()
            .map_or("", |c| c.message.as_str())
    }

    /// Whether `spec.deadline` is at or before `now`.
    pub fn expired(&self, now: Timestamp) -> bool {
        self.spec.deadline.as_ref().is_some_and(|d| d.0 <= now)
    }

    /// When the request ended: the time in its timings, or else that of its terminal condition.
    pub fn finished_at(&self) -> Option<Timestamp> {
        let condition = self.succeeded_condition().filter(|_| self.terminal())?;
        let timings = self.status.as_ref()?.timings.as_ref();
        let recorded = timings.and_then(|t| t.finished_at.as_ref());
        Some(recorded.map_or(condition.last_transition_time.0, |at| at.0))
    }

    /// When `spec.ttlSecondsAfterFinished` has the object deleted: `None` while it runs, without a TTL, or for a
    /// time beyond the calendar.
    pub fn delete_at(&self) -> Option<Timestamp> {
        let ttl = SignedDuration::from_secs(self.spec.ttl_seconds_after_finished?);
        self.finished_at()?.checked_add(ttl).ok()
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, Time};

    use super::*;
    use crate::{Mode, ProofRequestSpec, ProofRequestStatus, Timings};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn request(status: &str, reason: &str) -> ProofRequest {
        let mut request = ProofRequest::new("a", ProofRequestSpec::default());
        let mut status_ = ProofRequestStatus::default();
        let list = &mut status_.conditions;
        conditions::set(
            list,
            conditions::SUCCEEDED,
            status,
            reason,
            "m",
            Some(1),
            at(100),
        );
        request.status = Some(status_);
        request
    }

    #[test]
    fn a_request_that_nobody_has_seen_is_pending() {
        let request = ProofRequest::new("a", ProofRequestSpec::default());
        assert_eq!((request.state(), request.message()), (reasons::PENDING, ""));
        assert!(!request.terminal() && !request.succeeded());
        assert_eq!(request.finished_at(), None);
    }

    #[test]
    fn true_and_false_are_terminal() {
        let running = request(conditions::UNKNOWN, reasons::PROVING);
        assert!(!running.terminal() && running.state() == "Proving" && running.message() == "m");
        assert_eq!(running.finished_at(), None);
        let failed = request(conditions::FALSE, "Bug");
        assert!(failed.terminal() && !failed.succeeded());
        let done = request(conditions::TRUE, reasons::SUCCEEDED);
        assert!(done.terminal() && done.succeeded());
        assert_eq!(done.finished_at(), Some(at(100)));
    }

    #[test]
    fn the_ttl_counts_from_the_end() {
        let mut done = request(conditions::TRUE, reasons::SUCCEEDED);
        assert_eq!(done.delete_at(), None);
        done.spec.ttl_seconds_after_finished = Some(60);
        assert_eq!(done.delete_at(), Some(at(160)));
        let timings = Timings {
            finished_at: Some(MicroTime(at(90))),
            ..Timings::default()
        };
        done.status.as_mut().unwrap().timings = Some(timings);
        assert_eq!(done.delete_at(), Some(at(150)));
        done.spec.ttl_seconds_after_finished = Some(i64::MAX);
        assert_eq!(done.delete_at(), None);
    }

    #[test]
    fn a_deadline_is_reached_at_its_second() {
        let mut request = request(conditions::UNKNOWN, reasons::PROVING);
        assert!(!request.expired(at(200)));
        request.spec.deadline = Some(Time(at(200)));
        assert!(!request.expired(at(199)) && request.expired(at(200)));
    }

    #[test]
    fn the_spec_reads_as_it_is_written_in_yaml() {
        let json = serde_json::json!({
            "program": {"configMap": {"name": "elfs", "key": "a.elf"}},
            "stdin": {"entries": [{"u32": 1}]},
            "mode": "Groth16",
            "limits": {"cycles": 1, "parallelism": 2},
            "priority": 3,
            "suspend": true,
            "cancel": false,
            "deadline": "2027-01-31T12:00:00Z",
            "ttlSecondsAfterFinished": 4,
        });
        let spec: ProofRequestSpec = serde_json::from_value(json.clone()).unwrap();
        assert_eq!(spec.mode, Mode::Groth16);
        assert_eq!(serde_json::to_value(spec).unwrap(), json);
    }
}
