//! Programs, stdins and proofs in the artifact store, and who still needs them.
//!
//! Programs are content-addressed and shared, and so are stdins that a client uploaded; what one request leaves behind may be what
//! another is about to use. [`Inputs`] counts the holders, so that collecting a request removes only what nobody else needs.

mod holders;
mod proof;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use provost_artifacts::codec::{self, CodecError};
use provost_artifacts::id::{self, ProofTag};
use provost_artifacts::{Kind, ListedObject, ObjectInfo, Store, StoreError};
use tokio::sync::Mutex;

use crate::http::MAX_PROGRAM_BYTES;
use crate::leadership::Fence;
use crate::metrics::Metrics;
use holders::Holders;
pub use proof::ProofReader;

/// How long an upload that no request has named yet is kept.
pub const UPLOAD_TTL: Duration = Duration::from_secs(3600);

/// The epoch of the first leader: no other took uploads before it.
const FIRST_EPOCH: u64 = 1;

/// How far the API server's creation times may be behind our clock: they are whole seconds, of another machine.
const CLOCK_SLACK_MS: i64 = 10_000;

/// Why bytes could not be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum InputsError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The bytes do not encode or decode.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The thread that compressed was lost.
    #[error("the operator is shutting down")]
    Shutdown,
    /// What another leader may count on by now is not removed.
    #[error("this replica's Lease has run out")]
    NotLeader,
}

impl InputsError {
    /// Stable name of the error.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Store(error) => error.reason(),
            Self::Codec(error) => error.reason(),
            Self::Shutdown => "Shutdown",
            Self::NotLeader => "NotLeader",
        }
    }
}

/// The operator's view of the artifact store.
pub struct Inputs {
    store: Arc<dyn Store>,
    metrics: Metrics,
    /// Asked before anything is removed, where others may lead.
    fence: Option<Fence>,
    /// Held while something is removed and while a holder is added: a removal never overtakes a new holder.
    holders: Mutex<Holders>,
}

impl Inputs {
    /// Inputs in `store`.
    pub fn new(store: Arc<dyn Store>, metrics: Metrics) -> Self {
        Self {
            store,
            metrics,
            fence: None,
            holders: Mutex::default(),
        }
    }

    /// Removes nothing while this does not hold.
    #[must_use]
    pub fn fenced(self, fence: Fence) -> Self {
        let fence = Some(fence);
        Self { fence, ..self }
    }

    /// This replica begins to lead, in `epoch`. It does not know which uploads its predecessor promised to keep, so that for as long as
    /// they may be named [`Self::release`] leaves all that may be one to the sweeper, which goes by their age.
    pub async fn begin_term(&self, epoch: u64) {
        if epoch > FIRST_EPOCH {
            self.holders.lock().await.begin(now_ms(), UPLOAD_TTL);
        }
    }

    /// Stores a program for whoever will name it; returns its id.
    ///
    /// # Errors
    /// The store fails.
    pub async fn upload_program(&self, elf: Bytes) -> Result<String, InputsError> {
        let id = id::program_id(&elf);
        self.holders.lock().await.uploaded(&id, now_ms());
        self.write(Kind::Program, &id, move || codec::encode_bytes(&elf))
            .await?;
        Ok(id)
    }

    /// Stores an SP1Stdin for whoever will name it; returns its id.
    ///
    /// # Errors
    /// The store fails.
    pub async fn upload_stdin(&self, stdin: Bytes) -> Result<String, InputsError> {
        let now = now_ms();
        let id = id::mint(
            ProofTag::default(),
            u64::try_from(now).unwrap_or(0),
            rand::random(),
        );
        self.holders.lock().await.uploaded(&id, now);
        self.write(Kind::Stdin, &id, move || codec::compress(&stdin))
            .await?;
        Ok(id)
    }

    /// Stores a program for the request `holder`, unless it is there; returns its id.
    ///
    /// # Errors
    /// The store fails.
    pub async fn put_program(&self, holder: &str, elf: Bytes) -> Result<String, InputsError> {
        let id = id::program_id(&elf);
        self.holders.lock().await.keep(&id, holder);
        if self.head(Kind::Program, &id).await?.is_none() {
            self.write(Kind::Program, &id, move || codec::encode_bytes(&elf))
                .await?;
        }
        Ok(id)
    }

    /// Stores an SP1Stdin as `id` for the request `holder`.
    ///
    /// # Errors
    /// The store fails.
    pub async fn put_stdin(&self, holder: &str, id: &str, stdin: Bytes) -> Result<(), InputsError> {
        self.holders.lock().await.keep(id, holder);
        self.write(Kind::Stdin, id, move || codec::compress(&stdin))
            .await
    }

    /// Makes the request `holder` a holder of an artifact that it stored or named before; tells whether it is there.
    ///
    /// # Errors
    /// The store fails.
    pub async fn keep(&self, holder: &str, kind: Kind, id: &str) -> Result<bool, InputsError> {
        self.holders.lock().await.keep(id, holder);
        Ok(self.head(kind, id).await?.is_some())
    }

    /// Makes the request `holder` a holder of an artifact that a client uploaded; tells whether it is there.
    ///
    /// # Errors
    /// The store fails.
    pub async fn hold(&self, holder: &str, kind: Kind, id: &str) -> Result<bool, InputsError> {
        self.holders.lock().await.hold(id, holder, now_ms());
        Ok(self.head(kind, id).await?.is_some())
    }

    /// Reads a program's ELF.
    ///
    /// # Errors
    /// The store fails, or what is stored is no program.
    pub async fn read_program(&self, id: &str) -> Result<Vec<u8>, InputsError> {
        self.read_up_to(id, MAX_PROGRAM_BYTES as u64).await
    }

    /// A client may have put it into the store by itself, so it is neither read nor unpacked to more than `most` bytes ask for.
    async fn read_up_to(&self, id: &str, most: u64) -> Result<Vec<u8>, InputsError> {
        let Some(ObjectInfo { size, .. }) = self.head(Kind::Program, id).await? else {
            let key = Kind::Program.key(id);
            return Ok(self.note(Err(StoreError::NotFound { key }))?);
        };
        let most_at_rest = codec::largest_at_rest(most);
        if size > most_at_rest {
            let most = most_at_rest;
            return Err(CodecError::TooLargeAtRest { size, most }.into());
        }
        let stored = self.note(self.store.get(Kind::Program, id).await)?;
        blocking(move || codec::decode_bytes_limited(&stored, most)).await
    }

    /// A proof's bincode, to be read piece by piece.
    ///
    /// # Errors
    /// The store fails, or what is stored is not compressed as it should be.
    pub async fn open_proof(&self, id: &str) -> Result<ProofReader, InputsError> {
        let stored = self.note(self.store.get(Kind::Proof, id).await)?;
        ProofReader::open(stored).await
    }

    /// What is known of a finished proof; `None` if it is not there.
    ///
    /// # Errors
    /// The store fails.
    pub async fn proof_info(&self, id: &str) -> Result<Option<ObjectInfo>, InputsError> {
        self.head(Kind::Proof, id).await
    }

    /// Removes what tasks handed to each other under `tag`; returns how many objects there were.
    ///
    /// # Errors
    /// The store fails.
    pub async fn sweep(&self, tag: ProofTag) -> Result<usize, InputsError> {
        let ids = self.handed_over(tag).await?;
        self.remove_handed_over(&ids).await?;
        Ok(ids.len())
    }

    /// The ids of what tasks have handed to each other under `tag` by now.
    ///
    /// # Errors
    /// The store fails.
    pub async fn handed_over(&self, tag: ProofTag) -> Result<Vec<String>, InputsError> {
        let listed = self.note(self.store.list(Kind::Artifact).await)?;
        let ids = listed.into_iter().map(|object| object.id);
        Ok(ids.filter(|id| tag.owns(id)).collect())
    }

    /// Removes some of that.
    ///
    /// # Errors
    /// The store fails.
    pub async fn remove_handed_over(&self, ids: &[String]) -> Result<(), InputsError> {
        self.delete_many(Kind::Artifact, ids).await
    }

    /// Removes a proof.
    ///
    /// # Errors
    /// The store fails.
    pub async fn remove_proof(&self, id: &str) -> Result<(), InputsError> {
        self.delete(Kind::Proof, id).await
    }

    /// Ends the hold of the request `holder`, created at `created_ms`, on its inputs and removes those that nobody else holds: also
    /// what was uploaded for it, which is among `uploads`, when it ended before it came to hold that. `needed` tells which ids other
    /// requests name; it is asked while no new holder can come in between.
    ///
    /// # Errors
    /// The store fails; the hold stays, so that the next attempt finds it.
    pub async fn release(
        &self,
        holder: &str,
        created_ms: i64,
        inputs: &[(Kind, String)],
        uploads: &[&str],
        needed: impl Fn(&str) -> bool,
    ) -> Result<(), InputsError> {
        let now = now_ms();
        let mut holders = self.holders.lock().await;
        for (_, id) in inputs {
            if uploads.contains(&id.as_str()) {
                holders.hold(id, holder, created_ms.saturating_add(CLOCK_SLACK_MS));
            } else {
                holders.keep(id, holder);
            }
        }
        holders.expire(now, UPLOAD_TTL);
        for (kind, id) in inputs {
            let promised = holders.blind(now) && uploads.contains(&id.as_str());
            if !promised && !holders.held_by_others(id, holder) && !needed(id) {
                self.delete(*kind, id).await?;
            }
        }
        holders.release(holder);
        Ok(())
    }

    /// The request `holder` is gone without having been collected. What it held is the sweeper's.
    pub async fn forget(&self, holder: &str) {
        self.holders.lock().await.release(holder);
    }

    /// Removes the objects of `kind` that nobody holds and that `orphan` picks; returns how many.
    ///
    /// # Errors
    /// The store fails.
    pub async fn remove_orphans(
        &self,
        kind: Kind,
        orphan: impl Fn(&ListedObject) -> bool,
    ) -> Result<usize, InputsError> {
        let listed = self.note(self.store.list(kind).await)?;
        let picked = listed.into_iter().filter(orphan);
        let mut ids: Vec<String> = picked.map(|object| object.id).collect();
        if ids.is_empty() {
            return Ok(0);
        }
        let mut holders = self.holders.lock().await;
        holders.expire(now_ms(), UPLOAD_TTL);
        ids.retain(|id| !holders.held_by_others(id, ""));
        self.delete_many(kind, &ids).await?;
        Ok(ids.len())
    }

    async fn delete(&self, kind: Kind, id: &str) -> Result<(), InputsError> {
        self.check_leads()?;
        Ok(self.note(self.store.delete(kind, id).await)?)
    }

    async fn delete_many(&self, kind: Kind, ids: &[String]) -> Result<(), InputsError> {
        if ids.is_empty() {
            return Ok(());
        }
        self.check_leads()?;
        Ok(self.note(self.store.delete_many(kind, ids).await)?)
    }

    fn check_leads(&self) -> Result<(), InputsError> {
        match self.fence.as_ref().is_none_or(Fence::holds) {
            true => Ok(()),
            false => Err(InputsError::NotLeader),
        }
    }

    async fn head(&self, kind: Kind, id: &str) -> Result<Option<ObjectInfo>, InputsError> {
        Ok(self.note(self.store.head(kind, id).await)?)
    }

    async fn write(
        &self,
        kind: Kind,
        id: &str,
        encode: impl FnOnce() -> Result<Vec<u8>, CodecError> + Send + 'static,
    ) -> Result<(), InputsError> {
        let bytes = blocking(encode).await?;
        Ok(self.note(self.store.put(kind, id, bytes.into()).await)?)
    }

    fn note<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        result.inspect_err(|error| self.metrics.store_error(error.reason()))
    }
}

/// Checks that bytes are an SP1Stdin, as far as can be told without SP1.
///
/// # Errors
/// What does not decode.
pub fn check_stdin(bytes: &[u8]) -> Result<(), CodecError> {
    codec::check_stdin(bytes)
}

/// Runs what keeps a core busy away from the async threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, CodecError> + Send + 'static,
) -> Result<T, InputsError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => Ok(result?),
        Err(_) => Err(InputsError::Shutdown),
    }
}

fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
