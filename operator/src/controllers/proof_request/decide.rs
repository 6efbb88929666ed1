//! What to do next with a ProofRequest. Pure.

use std::time::Duration;

use jiff::Timestamp;
use provost_crds::{ARTIFACTS_FINALIZER, ProofRequest};

/// The next step of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It is being deleted: stop it and remove what it left in the store.
    Collect,
    /// It is being deleted and nothing of ours is left.
    Gone,
    /// It has ended; delete the object after this time, or never.
    Ended {
        /// Time until the object is to be deleted.
        delete_in: Option<Duration>,
    },
    /// The user cancelled it.
    Cancel,
    /// Its deadline has passed.
    Expire,
    /// It may not start yet, or has to stop.
    Suspend,
    /// Store its inputs and give it to the coordinator.
    Start,
    /// The coordinator has it.
    Watch,
}

/// Decides. `running` tells whether this process has given the request to the coordinator.
pub fn decide(request: &ProofRequest, running: bool, now: Timestamp) -> Step {
    if request.metadata.deletion_timestamp.is_some() {
        return if has_finalizer(request) {
            Step::Collect
        } else {
            Step::Gone
        };
    }
    if request.terminal() {
        return Step::Ended {
            delete_in: request.delete_at().map(|at| until(now, at)),
        };
    }
    match () {
        () if request.spec.cancel => Step::Cancel,
        () if request.expired(now) => Step::Expire,
        () if request.spec.suspend => Step::Suspend,
        () if running => Step::Watch,
        () => Step::Start,
    }
}

/// Whether the finalizer of ours is set.
pub fn has_finalizer(request: &ProofRequest) -> bool {
    request
        .metadata
        .finalizers
        .iter()
        .flatten()
        .any(|f| f == ARTIFACTS_FINALIZER)
}

/// Time from `now` to `then`, zero if that is past.
pub fn until(now: Timestamp, then: Timestamp) -> Duration {
    Duration::try_from(then.duration_since(now)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::status::{Change, apply};
    use super::*;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use provost_crds::ProofRequestSpec;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn with(edit: impl FnOnce(&mut ProofRequest)) -> ProofRequest {
        let mut request = ProofRequest::new("p", ProofRequestSpec::default());
        edit(&mut request);
        request
    }

    #[test]
    fn a_fresh_request_starts_and_then_is_watched() {
        let request = with(|_| {});
        assert_eq!(decide(&request, false, at(10)), Step::Start);
        assert_eq!(decide(&request, true, at(10)), Step::Watch);
    }

    #[test]
    fn cancel_beats_deadline_beats_suspend() {
        let mut request = with(|r| {
            r.spec.suspend = true;
            r.spec.deadline = Some(Time(at(9)));
            r.spec.cancel = true;
        });
        assert_eq!(decide(&request, true, at(10)), Step::Cancel);
        request.spec.cancel = false;
        assert_eq!(decide(&request, true, at(10)), Step::Expire);
        assert_eq!(decide(&request, true, at(8)), Step::Suspend);
    }

    #[test]
    fn an_ended_request_waits_for_its_ttl() {
        let mut request = with(|_| {});
        request.status = Some(apply(
            &request,
            &[Change::Cancelled {
                message: String::new(),
            }],
            at(10),
        ));
        assert_eq!(
            decide(&request, true, at(11)),
            Step::Ended { delete_in: None }
        );
        request.spec.ttl_seconds_after_finished = Some(5);
        assert_eq!(
            decide(&request, true, at(11)),
            Step::Ended {
                delete_in: Some(Duration::from_secs(4))
            }
        );
        assert_eq!(
            decide(&request, true, at(20)),
            Step::Ended {
                delete_in: Some(Duration::ZERO)
            }
        );
    }

    #[test]
    fn deletion_beats_all() {
        let mut request = with(|r| {
            r.metadata.deletion_timestamp = Some(Time(at(1)));
            r.metadata.finalizers = Some(vec![ARTIFACTS_FINALIZER.into()]);
            r.spec.cancel = true;
        });
        assert_eq!(decide(&request, true, at(10)), Step::Collect);
        request.metadata.finalizers = None;
        assert_eq!(decide(&request, true, at(10)), Step::Gone);
    }
}
