//! Removes from the store what a crash left: objects that belong to no request any more.
//!
//! Requests clean up after themselves; this is for what fell between two steps, such as an upload whose request never came, or a write
//! of a worker that outlived its proof.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use provost_artifacts::id::{Minted, ProofTag, minted};
use provost_artifacts::{Kind, ListedObject};
use provost_crds::ProofRequest;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::controllers::proof_request::submit;
use crate::elsewhere::Elsewhere;
use crate::inputs::{Inputs, UPLOAD_TTL};
use crate::key::{ProofKey, created_ms};
use crate::owner::{Owner, OwnerError};
use crate::served::Served;

/// When what is swept.
#[derive(Debug, Clone, Copy)]
pub struct Sweeps {
    /// Time between two sweeps.
    pub period: Duration,
    /// Age below which nothing is touched.
    pub min_age: Duration,
}

impl Default for Sweeps {
    /// Every ten minutes what is older than any step between a write to the store and the note of it.
    fn default() -> Self {
        Self {
            period: Duration::from_secs(600),
            min_age: UPLOAD_TTL,
        }
    }
}

/// How far the clock of who mints an id may be behind the API server's, in milliseconds: a store takes nothing from clients whose clocks
/// are further off.
const SKEW_MS: u64 = 15 * 60 * 1000;

impl Sweeps {
    /// Whether `object` is old enough.
    fn reach(&self, object: &ListedObject, now: SystemTime) -> bool {
        let age = now.duration_since(object.modified);
        age.is_ok_and(|age| age >= self.min_age)
    }
}

/// Sweeps for ever, the first time after a period: by then the cache is synced and all requests have been seen.
/// What requests need that are not served counts, too, and nothing goes from a store that is another's.
pub async fn run(
    sweeps: Sweeps,
    inputs: Arc<Inputs>,
    requests: Served,
    elsewhere: Elsewhere,
    owner: Owner,
    leads: watch::Receiver<bool>,
    shutdown: CancellationToken,
) {
    let mut ticks = interval(sweeps.period);
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
            Ok(Some(others)) => others,
            Ok(None) => continue,
            Err(error) => {
                tracing::warn!(reason = error.reason(), %error, "nothing is swept: what other namespaces need could not be read");
                continue;
            }
        };
        for kind in Kind::ALL {
            let served = match requests.all() {
                Ok(served) => served,
                Err(request) => {
                    tracing::warn!(
                        request,
                        "nothing is swept: what this request needs cannot be read"
                    );
                    break;
                }
            };
            let known = Known::of(served.iter().chain(others.iter()).map(AsRef::as_ref));
            match inputs
                .remove_orphans(kind, |object| {
                    sweeps.reach(object, SystemTime::now()) && known.orphan(kind, object)
                })
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
#[derive(Default)]
struct Known {
    /// Inputs, and proofs that were made.
    named: HashSet<String>,
    /// Of those that have not ended: anything made for them.
    live: HashSet<ProofTag>,
    /// Of those that have ended: what is made for them comes too late.
    ended: HashSet<ProofTag>,
    /// When the oldest was created whose proof may be under way, in milliseconds.
    working_since: Option<u64>,
}

impl Known {
    fn of<'a>(requests: impl Iterator<Item = &'a ProofRequest>) -> Self {
        let mut known = Self::default();
        for request in requests {
            let named = crate::key::named(request);
            known.named.extend(named.into_iter().map(str::to_owned));
            let status = request.status.as_ref();
            let proof = status.and_then(|s| Some(s.proof.as_ref()?.artifact.clone()));
            known.named.extend(proof);
            let tag = ProofKey::of(request).tag();
            if request.terminal() {
                known.ended.insert(tag);
                continue;
            }
            known.live.insert(tag);
            if submit::queued_before(request) && !request.spec.suspend {
                let created = u64::try_from(created_ms(request)).unwrap_or(0);
                let since = known.working_since.unwrap_or(created);
                known.working_since = Some(since.min(created));
            }
        }
        known
    }

    /// Whether `object` belongs to nobody. Only ids of our own making are judged.
    fn orphan(&self, kind: Kind, object: &ListedObject) -> bool {
        if self.named.contains(&object.id) {
            return false;
        }
        let unclaimed = || minted(&object.id).filter(|id| !self.live.contains(&id.tag));
        match kind {
            Kind::Program => object.id.starts_with("program_"),
            Kind::Stdin | Kind::PrivateStdin | Kind::Proof => unclaimed().is_some(),
            Kind::Artifact => unclaimed().is_some_and(|id| !self.may_be_at_work(id)),
            Kind::Owner => false,
        }
    }

    /// Whether an id that no live request's tag is in may all the same be of a proof under way: SP1's own nodes mint ids that look like ours, with
    /// random bits where ours have the tag. So what was minted since the oldest such proof was asked for stays until that one has ended.
    fn may_be_at_work(&self, id: Minted) -> bool {
        let since = self.working_since;
        let recent = since.is_some_and(|since| id.at_ms.saturating_add(SKEW_MS) >= since);
        recent && !self.ended.contains(&id.tag)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use jiff::Timestamp;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use provost_artifacts::id::mint;
    use serde_json::json;

    fn request() -> ProofRequest {
        let spec = json!({"program": {"artifact": "program_used"}});
        let mut request = ProofRequest::new("p", serde_json::from_value(spec).unwrap());
        request.metadata.uid = Some("u".into());
        request.metadata.namespace = Some("ns".into());
        request
    }

    /// When the requests of [`began`] were created, in milliseconds.
    const CREATED: u64 = 1_700_000_000_000;

    /// A request whose proof is under way.
    fn began(uid: &str) -> ProofRequest {
        let mut request = request();
        let created = Timestamp::from_millisecond(CREATED.try_into().unwrap()).unwrap();
        request.metadata.creation_timestamp = Some(Time(created));
        request.metadata.uid = Some(uid.into());
        let status = json!({"timings": {"queuedAt": "2026-01-01T00:00:00Z"}});
        request.status = serde_json::from_value(status).unwrap();
        request
    }

    fn end(request: &mut ProofRequest) {
        let ended = json!({"conditions": [{
            "type": "Succeeded", "status": "False", "reason": "Cancelled", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }]});
        request.status = serde_json::from_value(ended).unwrap();
        assert!(request.terminal());
    }

    fn object(id: &str) -> ListedObject {
        ListedObject {
            id: id.to_owned(),
            size: 1,
            modified: SystemTime::UNIX_EPOCH,
        }
    }

    fn orphan(of: &[&ProofRequest], kind: Kind, id: &str) -> bool {
        Known::of(of.iter().copied()).orphan(kind, &object(id))
    }

    #[test]
    fn what_is_new_may_be_noted_yet() {
        let sweeps = Sweeps::default();
        let at = |age| SystemTime::UNIX_EPOCH + age;
        assert!(sweeps.reach(&object("a"), at(sweeps.min_age)));
        assert!(!sweeps.reach(&object("a"), at(sweeps.min_age / 2)));
        let of_the_future = ListedObject {
            modified: at(Duration::from_secs(1)),
            ..object("a")
        };
        assert!(!sweeps.reach(&of_the_future, at(Duration::ZERO)));
    }

    #[test]
    fn only_what_is_ours_and_unneeded_goes() {
        let request = request();
        let orphan = |kind, id: &str| orphan(&[&request], kind, id);
        let stranger = mint(ProofTag::of("gone/p/u"), 1, 1);
        let own = mint(ProofKey::of(&request).tag(), 1, 1);
        assert!(orphan(Kind::Artifact, &stranger));
        assert!(!orphan(Kind::Artifact, &own));
        assert!(!orphan(Kind::Proof, &own));
        assert!(orphan(Kind::Program, "program_old"));
        assert!(!orphan(Kind::Program, "program_used"));
        assert!(!orphan(Kind::Proof, "a-clients-own-name"));
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
        let orphan = |kind, id: &str| orphan(&[&request], kind, id);
        assert!(!orphan(Kind::Proof, &proof));
        assert!(!orphan(Kind::Stdin, &stdin));
        assert!(!orphan(Kind::Program, "program_used"));
        assert!(orphan(Kind::Artifact, &late));
        assert!(orphan(Kind::Proof, &late));
    }

    #[test]
    fn what_a_node_of_sp1s_own_may_have_made_for_a_proof_under_way_stays() {
        let (mut working, mut other) = (began("working"), began("other"));
        let random = ProofTag::of("the bits that such a node minted");
        let orphan = |of: &[&ProofRequest], kind, tag, at| orphan(of, kind, &mint(tag, at, 1));
        let theirs = |of: &[&ProofRequest], at| orphan(of, Kind::Artifact, random, at);
        assert!(!theirs(&[&working], CREATED));
        assert!(!theirs(&[&working], CREATED + 1));
        // Its clock may be wrong.
        assert!(!theirs(&[&working], CREATED - SKEW_MS));
        assert!(theirs(&[&working], CREATED - SKEW_MS - 1));
        // Such a node makes nothing else.
        assert!(orphan(&[&working], Kind::Proof, random, CREATED));

        // The oldest counts.
        let later = Timestamp::from_millisecond((2 * CREATED).try_into().unwrap()).unwrap();
        other.metadata.creation_timestamp = Some(Time(later));
        assert!(!theirs(&[&other, &working], CREATED));
        assert!(!theirs(&[&working, &other], CREATED));
        assert!(theirs(&[&other], CREATED));

        // What carries the tag of a request that has ended is surely ours.
        let tag = ProofKey::of(&other).tag();
        end(&mut other);
        let both = [&other, &working];
        assert!(orphan(&both, Kind::Artifact, tag, CREATED));
        assert!(!theirs(&both, CREATED));

        // Nothing is at work for these.
        let mut waiting = began("waiting");
        waiting.status = None;
        working.spec.suspend = true;
        assert!(theirs(&[&waiting, &working, &other], CREATED));
    }
}
