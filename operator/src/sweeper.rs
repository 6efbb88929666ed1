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

use crate::inputs::{Inputs, UPLOAD_TTL};
use crate::key::ProofKey;

/// Time between two sweeps.
const PERIOD: Duration = Duration::from_secs(600);
/// Age below which nothing is touched: longer than any step between a write to the store and the note of it.
const MIN_AGE: Duration = UPLOAD_TTL;

/// Sweeps for ever, the first time after a period: by then the cache is synced and all requests have been seen.
pub async fn run(inputs: Arc<Inputs>, requests: Cache<ProofRequest>, leads: watch::Receiver<bool>) {
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    loop {
        ticks.tick().await;
        if !*leads.borrow() {
            continue;
        }
        for kind in Kind::ALL {
            let known = Known::of(&requests.state());
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
    named: HashSet<String>,
    tags: HashSet<ProofTag>,
}

impl Known {
    fn of(requests: &[Arc<ProofRequest>]) -> Self {
        let named = requests
            .iter()
            .flat_map(|request| crate::key::named(request))
            .map(str::to_owned)
            .collect();
        let tags = requests
            .iter()
            .map(|request| ProofKey::of(request).tag())
            .collect();
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

    fn known() -> (Known, ProofKey) {
        let spec = json!({"program": {"artifact": "program_used"}});
        let mut request = ProofRequest::new("p", serde_json::from_value(spec).unwrap());
        request.metadata.uid = Some("u".into());
        request.metadata.namespace = Some("ns".into());
        let key = ProofKey::of(&request);
        (Known::of(&[Arc::new(request)]), key)
    }

    fn orphan(kind: Kind, id: &str, age: Duration) -> bool {
        let modified = SystemTime::UNIX_EPOCH;
        known().0.orphan(
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
        let stranger = mint(ProofTag::of("gone/p/u"), 1, 1);
        let own = mint(known().1.tag(), 1, 1);
        assert!(orphan(Kind::Artifact, &stranger, MIN_AGE));
        assert!(!orphan(Kind::Artifact, &stranger, MIN_AGE / 2));
        assert!(!orphan(Kind::Artifact, &own, MIN_AGE));
        assert!(!orphan(Kind::Proof, &own, MIN_AGE));
        assert!(orphan(Kind::Program, "program_old", MIN_AGE));
        assert!(!orphan(Kind::Program, "program_used", MIN_AGE));
        assert!(!orphan(Kind::Proof, "a-clients-own-name", MIN_AGE));
    }
}
