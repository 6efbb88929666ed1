//! The artifacts of one proof: real objects of made-up bytes in the cluster's store, so that what is left over can be counted.

use std::sync::Arc;

use bytes::Bytes;
use provost_artifacts::id::{self, ProofTag};
use provost_artifacts::{Kind, Store, StoreError, codec};
use provost_proto::worker::TaskType;
use tokio_util::sync::CancellationToken;

use crate::body::Body;
use crate::coordinator::now_ms;
use crate::faults::{Action, Site, StoreOp};
use crate::random::{Random, unique};

/// What a worker stores and reads for one proof. Without a store ids are minted all the same, and nothing is ever missing.
#[derive(Clone)]
pub(crate) struct Artifacts {
    store: Option<Arc<dyn Store>>,
    body: Arc<Body>,
    task: TaskType,
    tag: ProofTag,
    /// Ends the calls that still wait.
    waits: CancellationToken,
}

impl Artifacts {
    /// The artifacts of `proof`, as a task of a type sees them on the worker `body`, until `waits` is cancelled.
    pub(crate) fn new(
        store: Option<Arc<dyn Store>>,
        body: Arc<Body>,
        task: TaskType,
        proof: &str,
        waits: CancellationToken,
    ) -> Self {
        Self {
            store,
            body,
            task,
            tag: ProofTag::of(proof),
            waits,
        }
    }

    /// A new id with the proof's tag.
    pub(crate) fn mint(&self) -> String {
        id::mint(self.tag, now_ms(), unique())
    }

    /// Stores `len` bytes that nothing compresses.
    pub(crate) async fn put_noise(&self, id: &str, len: u32) -> Result<(), StoreError> {
        if self.store.is_none() {
            return self.fault(StoreOp::Put).await;
        }
        let mut random = Random::named(0, id);
        let words = std::iter::repeat_with(|| random.bits().to_le_bytes());
        let noise: Vec<u8> = words.flatten().take(len as usize).collect();
        self.put(Kind::Artifact, id, &noise).await
    }

    /// Stores bytes.
    pub(crate) async fn put(&self, kind: Kind, id: &str, data: &[u8]) -> Result<(), StoreError> {
        self.fault(StoreOp::Put).await?;
        let Some(store) = &self.store else {
            return Ok(());
        };
        let stored = codec::compress(data).map_err(|error| StoreError::Rejected {
            detail: error.to_string(),
        })?;
        self.asked(store.put(kind, id, stored.into())).await
    }

    /// Reads bytes; none without a store.
    pub(crate) async fn get(&self, kind: Kind, id: &str) -> Result<Bytes, StoreError> {
        self.fault(StoreOp::Get).await?;
        let Some(store) = &self.store else {
            return Ok(Bytes::new());
        };
        let stored = self.asked(store.get(kind, id)).await?;
        let data = codec::decompress(&stored).map_err(|error| StoreError::Corrupt {
            key: kind.key(id),
            detail: error.to_string(),
        })?;
        Ok(data.into())
    }

    /// Whether there is such an artifact; never without a store.
    pub(crate) async fn exists(&self, id: &str) -> Result<bool, StoreError> {
        self.fault(StoreOp::Head).await?;
        match &self.store {
            Some(store) => {
                let head = self.asked(store.head(Kind::Artifact, id)).await?;
                Ok(head.is_some())
            }
            None => Ok(false),
        }
    }

    /// Deletes artifacts.
    pub(crate) async fn delete(&self, ids: &[String]) -> Result<(), StoreError> {
        self.fault(StoreOp::Delete).await?;
        match (&self.store, ids) {
            (None, _) | (_, []) => Ok(()),
            (Some(store), [id]) => self.asked(store.delete(Kind::Artifact, id)).await,
            (Some(store), ids) => self.asked(store.delete_many(Kind::Artifact, ids)).await,
        }
    }

    /// Asks the store, until it answers or nobody waits for that any more.
    async fn asked<T>(
        &self,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let answer = self.waits.run_until_cancelled(call).await;
        answer.unwrap_or_else(|| {
            Err(StoreError::Unavailable {
                store: "simulated".to_owned(),
                detail: "it had not answered a while after the task was cancelled".to_owned(),
            })
        })
    }

    async fn fault(&self, op: StoreOp) -> Result<(), StoreError> {
        let detail = || "it was told to fail".to_owned();
        let site = Site::Store(self.task, op);
        for fault in self.body.faults.reach(&self.body.name, site) {
            match fault.action {
                Action::Delay => {
                    tokio::time::sleep(fault.duration().unwrap_or_default()).await;
                }
                Action::Unavailable => {
                    return Err(StoreError::Unavailable {
                        store: "simulated".to_owned(),
                        detail: detail(),
                    });
                }
                Action::Full => return Err(StoreError::Full { detail: detail() }),
                _ => {}
            }
        }
        Ok(())
    }
}
