//! The one place that writes the status of ProofRequests, and with it the events and metrics of what changed.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::Client;
use kube::api::Api;
use kube::runtime::events::EventType;
use kube::runtime::reflector::{ObjectRef, Store};
use provost_crds::{ProofRequest, conditions, reasons};

use super::status::{Change, apply};
use crate::api::status::{Written, write};
use crate::api::{ApiError, Events, within};
use crate::cached;
use crate::key::ProofKey;
use crate::metrics::Metrics;

/// Writes what happened to requests.
pub struct Journal {
    client: Client,
    requests: Store<ProofRequest>,
    events: Events,
    metrics: Metrics,
}

impl Journal {
    /// A journal that starts from the objects in `requests`.
    pub fn new(
        client: Client,
        requests: Store<ProofRequest>,
        events: Events,
        metrics: Metrics,
    ) -> Self {
        Self {
            client,
            requests,
            events,
            metrics,
        }
    }

    /// The request, from the cache or else from the API server; `None` if it is gone or another one bears its name.
    ///
    /// # Errors
    /// The API server fails.
    pub async fn find(&self, key: &ProofKey) -> Result<Option<ProofRequest>, ApiError> {
        if let Some(request) = self.cached(key) {
            return Ok(Some(request));
        }
        self.read(key).await
    }

    /// The request, from the API server; `None` if it is gone or another one bears its name.
    ///
    /// # Errors
    /// The API server fails.
    pub async fn read(&self, key: &ProofKey) -> Result<Option<ProofRequest>, ApiError> {
        let found = within("read a ProofRequest", self.api(key).get_opt(&key.name)).await?;
        Ok(found.filter(|request| request.metadata.uid.as_deref() == Some(key.uid.as_str())))
    }

    /// About how many bytes a write of its status makes the API server store.
    pub fn bytes(&self, key: &ProofKey) -> usize {
        self.held(key)
            .map_or(0, |request| cached::stored_bytes(&request))
    }

    /// Writes `changes`, which came about at `at`, to the status. `known` is the newest object that the caller has seen. Changes
    /// that come to nothing are not written, and a terminal status stays as it is.
    ///
    /// # Errors
    /// The API server fails.
    pub async fn note(
        &self,
        key: &ProofKey,
        changes: &[Change],
        at: Timestamp,
        known: Option<&ProofRequest>,
    ) -> Result<Written<ProofRequest>, ApiError> {
        let base = known.cloned().or_else(|| self.cached(key));
        let next = |request: &ProofRequest| apply(request, changes, at);
        let written = write(&self.api(key), &key.name, &key.uid, base, next, |request| {
            request.status.as_ref()
        })
        .await;
        let result = match &written {
            Ok(Written::Changed { before, after }) => {
                self.announce(before, after);
                "ok"
            }
            Ok(Written::Same) => "skipped",
            Ok(Written::Gone) => "gone",
            Err(error) if error.is_conflict() => "conflict",
            Err(_) => "error",
        };
        self.metrics.wrote("ProofRequest", result);
        written
    }

    /// Tells people what is wrong with a request, without touching its status.
    pub async fn warn(&self, request: &ProofRequest, reason: &str, note: &str) {
        self.events
            .warning(request, reason, "Reconcile", note)
            .await;
    }

    /// Publishes the event of a transition and counts ends. In the background: nobody waits for an event.
    fn announce(&self, before: &ProofRequest, after: &ProofRequest) {
        if after.terminal() && !before.terminal() {
            let total = after
                .status
                .as_ref()
                .and_then(|s| s.timings.as_ref()?.total_millis);
            let total = total
                .and_then(|millis| u64::try_from(millis).ok())
                .map(Duration::from_millis);
            self.metrics.proof_finished(after.state(), total);
            tracing::info!(proof = %ProofKey::of(after), reason = after.state(), message = after.message(), "proof ended");
        }
        let Some((kind, action)) = transition(before, after) else {
            return;
        };
        let (events, after) = (self.events.clone(), after.clone());
        tokio::spawn(async move {
            let (reason, note) = (after.state(), after.message());
            match kind {
                EventType::Normal => events.normal(&after, reason, action, note).await,
                EventType::Warning => events.warning(&after, reason, action, note).await,
            }
        });
    }

    fn cached(&self, key: &ProofKey) -> Option<ProofRequest> {
        self.held(key).map(|object| object.as_ref().clone())
    }

    /// As the cache has it, which may be a megabyte.
    fn held(&self, key: &ProofKey) -> Option<Arc<ProofRequest>> {
        let object = ObjectRef::new(&key.name).within(&key.namespace);
        let object = self.requests.get(&object)?;
        (object.metadata.uid.as_deref() == Some(key.uid.as_str())).then_some(object)
    }

    fn api(&self, key: &ProofKey) -> Api<ProofRequest> {
        Api::namespaced(self.client.clone(), &key.namespace)
    }
}

/// The event of a change of the condition's reason, if it is one that a user wants to see, and what the operator was doing.
fn transition(before: &ProofRequest, after: &ProofRequest) -> Option<(EventType, &'static str)> {
    let condition = after.succeeded_condition()?;
    let old = before.succeeded_condition();
    if old.is_some_and(|old| old.reason == condition.reason && old.status == condition.status) {
        return None;
    }
    Some(
        match (condition.status.as_str(), condition.reason.as_str()) {
            (_, reasons::PENDING) => return old.is_none().then_some((EventType::Normal, "Queue")),
            (_, reasons::SUSPENDED) => (EventType::Normal, "Suspend"),
            (_, reasons::PROVING | reasons::EXECUTING) => (EventType::Normal, "Prove"),
            (_, reasons::SUCCEEDED) => (EventType::Normal, "Finish"),
            (_, reasons::CANCELLED) => (EventType::Normal, "Cancel"),
            (conditions::FALSE, _) => (EventType::Warning, "Finish"),
            _ => (EventType::Warning, "Start"),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use provost_crds::ProofRequestSpec;

    fn with(changes: &[Change]) -> ProofRequest {
        let mut request = ProofRequest::new("p", ProofRequestSpec::default());
        request.status = Some(apply(&request, changes, Timestamp::UNIX_EPOCH));
        request
    }

    fn waiting(reason: &'static str) -> Change {
        Change::Waiting {
            reason,
            message: String::new(),
        }
    }

    #[test]
    fn transitions_make_events_and_repeats_do_not() {
        let fresh = ProofRequest::new("p", ProofRequestSpec::default());
        let queued = with(&[Change::Queued]);
        let away = with(&[waiting(reasons::STORE_UNAVAILABLE)]);
        let cancelled = with(&[Change::Cancelled {
            message: String::new(),
        }]);
        assert_eq!(
            transition(&fresh, &queued),
            Some((EventType::Normal, "Queue"))
        );
        assert_eq!(transition(&queued, &queued), None);
        assert_eq!(
            transition(&queued, &away),
            Some((EventType::Warning, "Start"))
        );
        assert_eq!(transition(&away, &queued), None);
        assert_eq!(
            transition(&queued, &cancelled),
            Some((EventType::Normal, "Cancel"))
        );
        let expired = with(&[Change::Expired]);
        assert_eq!(
            transition(&queued, &expired),
            Some((EventType::Warning, "Finish"))
        );
    }
}
