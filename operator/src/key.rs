//! Names and ids that follow from a ProofRequest, so that a restarted operator finds the same again without any record.

use std::collections::BTreeSet;
use std::fmt;

use kube::ResourceExt;
use provost_artifacts::id::{self, ProofTag};
use provost_crds::{ProofRequest, ProvingTask};
use sha2::{Digest, Sha256};

/// Which ProofRequest: its namespace, name and uid. Written `namespace/name/uid`, it is the proof's id between coordinator and workers.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProofKey {
    /// Namespace of the request.
    pub namespace: String,
    /// Name of the request.
    pub name: String,
    /// Its uid: another request of the same name is another proof.
    pub uid: String,
}

impl ProofKey {
    /// The key of `request`. An object that did not come from the API server has an empty namespace and uid.
    pub fn of(request: &ProofRequest) -> Self {
        Self {
            namespace: request.namespace().unwrap_or_default(),
            name: request.name_any(),
            uid: request.uid().unwrap_or_default(),
        }
    }

    /// The key of the request that owns a task's object; `None` for an object that no leader makes.
    pub fn of_task(task: &ProvingTask) -> Option<Self> {
        let owner = task.metadata.owner_references.as_ref()?.first()?;
        Some(Self {
            namespace: task.namespace()?,
            name: owner.name.clone(),
            uid: owner.uid.clone(),
        })
    }

    /// Reads `namespace/name/uid`; `None` for an id that is not of this form (a stock client's own proof).
    pub fn parse(proof_id: &str) -> Option<Self> {
        let mut parts = proof_id.split('/').map(str::to_owned);
        let key = Self {
            namespace: parts.next()?,
            name: parts.next()?,
            uid: parts.next()?,
        };
        let complete = parts.next().is_none()
            && ![&key.namespace, &key.name, &key.uid]
                .iter()
                .any(|part| part.is_empty());
        complete.then_some(key)
    }

    /// The proof's id between coordinator and workers.
    pub fn proof_id(&self) -> String {
        self.to_string()
    }

    /// The tag in the ids of all artifacts that are made for this proof.
    pub fn tag(&self) -> ProofTag {
        ProofTag::of(&self.proof_id())
    }

    /// Id of the stdin that the operator stores for a request created at `created_ms`.
    pub fn stdin_id(&self, created_ms: i64) -> String {
        self.artifact("stdin", created_ms)
    }

    /// Id of the finished proof of a request created at `created_ms`.
    pub fn proof_artifact(&self, created_ms: i64) -> String {
        self.artifact("proof", created_ms)
    }

    fn artifact(&self, what: &str, created_ms: i64) -> String {
        let digest = Sha256::digest(format!("{what}/{self}"));
        let random = digest
            .first_chunk::<8>()
            .map_or(0, |bytes| u64::from_le_bytes(*bytes));
        id::mint(self.tag(), u64::try_from(created_ms).unwrap_or(0), random)
    }
}

impl fmt::Display for ProofKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.namespace, self.name, self.uid)
    }
}

/// Creation time of a request in milliseconds; 0 for an object that did not come from the API server.
pub fn created_ms(request: &ProofRequest) -> i64 {
    request
        .metadata
        .creation_timestamp
        .as_ref()
        .map_or(0, |time| time.0.as_millisecond())
}

/// Ids of the inputs that a request names or was given.
pub fn named(request: &ProofRequest) -> BTreeSet<&str> {
    let status = request.status.as_ref();
    let ids = [
        request.spec.program.artifact.as_deref(),
        request
            .spec
            .stdin
            .as_ref()
            .and_then(|s| s.artifact.as_deref()),
        status.and_then(|s| s.program_id.as_deref()),
        status.and_then(|s| s.stdin_id.as_deref()),
    ];
    ids.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn key(uid: &str) -> ProofKey {
        ProofKey {
            namespace: "ns".into(),
            name: "p".into(),
            uid: uid.into(),
        }
    }

    #[test]
    fn ids_read_back() {
        assert_eq!(ProofKey::parse("ns/p/u1"), Some(key("u1")));
        for bad in ["", "cli_123", "ns/p", "ns/p/", "ns/p/u/x", "/p/u"] {
            assert_eq!(ProofKey::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn artifacts_are_the_same_each_time_and_differ_between_proofs() {
        let a = key("u1").proof_artifact(1_700_000_000_000);
        assert_eq!(a, key("u1").proof_artifact(1_700_000_000_000));
        assert_ne!(a, key("u1").stdin_id(1_700_000_000_000));
        assert_ne!(a, key("u2").proof_artifact(1_700_000_000_000));
        assert!(key("u1").tag().owns(&a) && !key("u2").tag().owns(&a));
    }
}
