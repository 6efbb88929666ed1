//! Removes from the store what a crash left: objects that belong to no request any more.
//!
//! Requests clean up after themselves; this is for what fell between two steps, such as an upload whose request never came, or a write
//! of a worker that outlived its proof.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use kube::runtime::reflector::Store as Cache;
use provost_artifacts::id::{ProofTag, minted};
use provost_artifacts::{Kind, ListedObject};
use provost_crds::ProofRequest;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::elsewhere::Elsewhere;
use crate::inputs::{Inputs, UPLOAD_TTL};
use crate::key::ProofKey;
use crate::owner::{Owner, OwnerError};

/// Time between two sweeps.
const PERIOD: Duration = Duration::from_secs(600);
/// Age below which nothing is touched: longer than any step between a write to the store and the note of it.
const MIN_AGE: Duration = UPLOAD_TTL;

/// Sweeps for ever, the first time after a period: by then the cache is synced and all requests have been seen.
/// What requests need that are not served counts, too, and nothing goes from a store that is another's.
pub async fn run(
    inputs: Arc<Inputs>,
    requests: Cache<ProofRequest>,
    elsewhere: Elsewhere,
    owner: Owner,
    leads: watch::Receiver<bool>,
    shutdown: CancellationToken,
) {
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    loop {
        ticks.tick().await;
        if !*leads.borrow() {
            continue;
        }
        match owner.claim().await {
            Ok(()) => {}
            Err(error @ OwnerError::Others(_)) => {
                tracing::error!(reason = error.reason(), %error, "the store was lost to another cluster: the process ends");
                return shutdown.cancel();
            }
            Err(error) => {
                tracing::warn!(reason = error.reason(), %error, "nothing is swept: whose the store is cannot be told");
                continue;
            }
        }
        let others = match elsewhere.requests().await {
            Ok(others) => others,
            Err(error) => {
                tracing::warn!(reason = error.reason(), %error, "nothing is swept: what other namespaces need could not be read");
                continue;
            }
        };
        for kind in Kind::ALL {
            let served = requests.state();
            let known = Known::of(served.iter().chain(others.iter()).map(AsRef::as_ref));
            match inputs
                .remove_orphans(kind, |object| known.orphan(kind, object, SystemTime::now()))
                .await
            {
                Ok(0) => {}
                Ok(removed) => tracing::info!(
                    ?kind,
                    removed,
                    "removed artifacts that belong to no request"
                ),
                Err(error) => {
                    tracing::warn!(?kind, reason = error.reason(), %error, "a sweep failed; tried again")
                }
            }
        }
    }
}

/// What the requests that exist may need.
struct Known {
    /// Inputs, and proofs that were made.
    named: HashSet<String>,
    /// Of those that have not ended: anything made for them.
    tags: HashSet<ProofTag>,
}

impl Known {
    fn of<'a>(requests: impl Iterator<Item = &'a ProofRequest>) -> Self {
        let (mut named, mut tags) = (HashSet::new(), HashSet::new());
        for request in requests {
            named.extend(crate::key::named(request).into_iter().map(str::to_owned));
            let status = request.status.as_ref();
            named.extend(status.and_then(|s| Some(s.proof.as_ref()?.artifact.clone())));
            if !request.terminal() {
                tags.insert(ProofKey::of(request).tag());
            }
        }
        Self { named, tags }
    }

    /// Whether `object` belongs to nobody. Only ids of our own making are judged.
    fn orphan(&self, kind: Kind, object: &ListedObject, now: SystemTime) -> bool {
        let old = now
            .duration_since(object.modified)
            .is_ok_and(|age| age >= MIN_AGE);
        let ours = match kind {
            Kind::Program => object.id.starts_with("program_"),
            Kind::Stdin | Kind::PrivateStdin | Kind::Proof | Kind::Artifact => {
                minted(&object.id).is_some()
            }
            Kind::Owner => false,
        };
        old && ours
            && !self.named.contains(&object.id)
            && !self.tags.iter().any(|tag| tag.owns(&object.id))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use provost_artifacts::id::mint;
    use serde_json::json;

    fn request() -> ProofRequest {
        let spec = json!({"program": {"artifact": "program_used"}});
        let mut request = ProofRequest::new("p", serde_json::from_value(spec).unwrap());
        request.metadata.uid = Some("u".into());
        request.metadata.namespace = Some("ns".into());
        request
    }

    fn orphan(of: &ProofRequest, kind: Kind, id: &str, age: Duration) -> bool {
        let modified = SystemTime::UNIX_EPOCH;
        Known::of([of].into_iter()).orphan(
            kind,
            &ListedObject {
                id: id.to_owned(),
                size: 1,
                modified,
            },
            modified + age,
        )
    }

    #[test]
    fn only_what_is_old_ours_and_unneeded_goes() {
        let request = request();
        let orphan = |kind, id: &str, age| orphan(&request, kind, id, age);
        let stranger = mint(ProofTag::of("gone/p/u"), 1, 1);
        let own = mint(ProofKey::of(&request).tag(), 1, 1);
        assert!(orphan(Kind::Artifact, &stranger, MIN_AGE));
        assert!(!orphan(Kind::Artifact, &stranger, MIN_AGE / 2));
        assert!(!orphan(Kind::Artifact, &own, MIN_AGE));
        assert!(!orphan(Kind::Proof, &own, MIN_AGE));
        assert!(orphan(Kind::Program, "program_old", MIN_AGE));
        assert!(!orphan(Kind::Program, "program_used", MIN_AGE));
        assert!(!orphan(Kind::Proof, "a-clients-own-name", MIN_AGE));
    }

    /// A worker that was cut off may write long after its proof has ended.
    #[test]
    fn of_a_request_that_has_ended_the_proof_and_the_inputs_stay() {
        let mut request = request();
        let tag = ProofKey::of(&request).tag();
        let (proof, stdin, late) = (mint(tag, 1, 1), mint(tag, 1, 2), mint(tag, 1, 3));
        request.status = serde_json::from_value(json!({
            "conditions": [{
                "type": "Succeeded", "status": "True", "reason": "Succeeded", "message": "",
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }],
            "proof": {"artifact": proof, "sizeBytes": 1, "sha256": "", "sp1Version": ""},
            "stdinId": stdin,
        }))
        .unwrap();
        assert!(request.terminal());
        let orphan = |kind, id: &str| orphan(&request, kind, id, MIN_AGE);
        assert!(!orphan(Kind::Proof, &proof));
        assert!(!orphan(Kind::Stdin, &stdin));
        assert!(!orphan(Kind::Program, "program_used"));
        assert!(orphan(Kind::Artifact, &late));
        assert!(orphan(Kind::Proof, &late));
    }
}
