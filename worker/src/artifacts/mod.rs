//! SP1's artifact client over the cluster's store.

pub mod origin;
mod scope;
pub mod stdin;

use std::num::NonZeroU32;
use std::sync::Arc;

use provost_artifacts::{Kind, S3Store, Store as _, StoreError, codec, id};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sp1_prover_types::{
    Artifact, ArtifactBatch, ArtifactClient, ArtifactId, ArtifactType, ShardPermit,
};
use tokio::sync::Semaphore;

pub(crate) use scope::random;
pub use scope::{INVALID_PROOF, ProofScope};

/// Shards that an execution has waiting in the store to be proven, unless something else is said. A shard's record is some tens of MB there.
pub const SHARDS_AHEAD: NonZeroU32 = NonZeroU32::new(256).expect("it is not 0");

/// Marks, in an error's text, that the store did not answer in time, or refused this worker's keys.
pub const STORE_UNAVAILABLE: &str = "artifact store unavailable";

/// Why a call to the store came to nothing, where its task was cancelled.
const CALLED_OFF: &str = "it had not answered a while after the task was cancelled";

/// The store, as SP1 wants it. The ids that it mints carry their proof's tag, so that whatever a crash leaves behind is
/// found by listing: the tag of the proof that it is bound to, or that in whose [`origin::span`] it is called.
#[derive(Clone)]
pub struct Artifacts {
    store: Arc<S3Store>,
    scope: Option<Arc<ProofScope>>,
    shards_ahead: NonZeroU32,
    /// What is left of those.
    shards: Arc<Semaphore>,
}

impl Artifacts {
    /// A client that is bound to no proof. An execution is held up while so many shards of its proof wait to be proven: it is faster than the provers, and would fill the
    /// store.
    pub fn new(store: Arc<S3Store>, shards_ahead: NonZeroU32) -> Self {
        Self {
            store,
            scope: None,
            shards_ahead,
            shards: permits(shards_ahead),
        }
    }

    /// The same store, bound to a proof.
    pub fn bound(&self, scope: Arc<ProofScope>) -> Self {
        Self {
            store: self.store.clone(),
            scope: Some(scope),
            shards_ahead: self.shards_ahead,
            shards: permits(self.shards_ahead),
        }
    }

    async fn put(&self, id: &str, kind: Kind, data: Vec<u8>) -> anyhow::Result<()> {
        let stored = tokio::task::spawn_blocking(move || codec::compress(&data)).await??;
        asked(self.store.put(kind, id, stored.into())).await
    }
}

/// Asks the store, until it answers or nobody waits for that any more.
async fn asked<T>(call: impl Future<Output = Result<T, StoreError>>) -> anyhow::Result<T> {
    let Some(waits) = origin::waits() else {
        return call.await.map_err(to_anyhow);
    };
    // Not as a status: SP1 would ask again.
    let none = || Err(anyhow::anyhow!("{STORE_UNAVAILABLE}: {CALLED_OFF}"));
    let answer = waits.run_until_cancelled(call).await;
    answer.map_or_else(none, |answer| answer.map_err(to_anyhow))
}

fn permits(shards: NonZeroU32) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(shards.get() as usize))
}

/// Where SP1's artifact types live.
fn kind_of(artifact_type: ArtifactType) -> anyhow::Result<Kind> {
    Ok(match artifact_type {
        ArtifactType::UnspecifiedArtifactType => Kind::Artifact,
        ArtifactType::Program => Kind::Program,
        ArtifactType::Stdin => Kind::Stdin,
        ArtifactType::PrivateStdin => Kind::PrivateStdin,
        ArtifactType::Proof => Kind::Proof,
        ArtifactType::Groth16Circuit | ArtifactType::PlonkCircuit => {
            anyhow::bail!("circuits are not kept in the artifact store")
        }
    })
}

/// SP1 retries only what is a `tonic::Status` of a transient code, so that is what an unreachable store becomes. So does one that refuses the
/// keys: somebody has to put that right, and no proof is to fail meanwhile.
fn to_anyhow(error: StoreError) -> anyhow::Error {
    if error.is_transient() || matches!(error, StoreError::Denied { .. }) {
        tonic::Status::unavailable(format!("{STORE_UNAVAILABLE}: {error}")).into()
    } else {
        error.into()
    }
}

impl ArtifactClient for Artifacts {
    /// SP1 asks before it stores a shard's record, and holds the permit until the shard is proven.
    async fn acquire_shard_permit(&self, _: &impl ArtifactId) -> ShardPermit {
        let permit = self.shards.clone().acquire_owned().await;
        // Nobody closes it.
        permit.map_or_else(|_| ShardPermit::noop(), ShardPermit::new)
    }

    async fn upload_raw(
        &self,
        artifact: &impl ArtifactId,
        artifact_type: ArtifactType,
        data: Vec<u8>,
    ) -> anyhow::Result<()> {
        let kind = kind_of(artifact_type)?;
        let data = match &self.scope {
            Some(scope) if kind == Kind::Proof => {
                let scope = scope.clone();
                tokio::task::spawn_blocking(move || scope.check_proof(&data).map(|()| data))
                    .await??
            }
            _ => data,
        };
        self.put(artifact.id(), kind, data).await
    }

    async fn download_raw(
        &self,
        artifact: &impl ArtifactId,
        artifact_type: ArtifactType,
    ) -> anyhow::Result<Vec<u8>> {
        let kind = kind_of(artifact_type)?;
        let stored = asked(self.store.get(kind, artifact.id())).await?;
        Ok(tokio::task::spawn_blocking(move || codec::decompress(&stored)).await??)
    }

    async fn download_with_type<T: DeserializeOwned + Send + Sync + 'static>(
        &self,
        artifact: &impl ArtifactId,
        artifact_type: ArtifactType,
    ) -> anyhow::Result<T> {
        let bytes = self.download_raw(artifact, artifact_type).await?;
        let is_input = matches!(
            artifact_type,
            ArtifactType::Stdin | ArtifactType::PrivateStdin
        );
        let scope = self.scope.clone().filter(|_| is_input);
        let decode = move || match is_input {
            false => Ok(bincode::deserialize(&bytes)?),
            true => {
                let value: T = stdin::decode(&bytes)?;
                drop(bytes);
                if let Some(scope) = scope {
                    scope.check_input(&value)?;
                }
                Ok(value)
            }
        };
        tokio::task::spawn_blocking(decode).await?
    }

    async fn exists(
        &self,
        artifact: &impl ArtifactId,
        artifact_type: ArtifactType,
    ) -> anyhow::Result<bool> {
        let kind = kind_of(artifact_type)?;
        let head = asked(self.store.head(kind, artifact.id())).await?;
        Ok(head.is_some())
    }

    async fn delete(
        &self,
        artifact: &impl ArtifactId,
        artifact_type: ArtifactType,
    ) -> anyhow::Result<()> {
        let kind = kind_of(artifact_type)?;
        // Inputs and proofs belong to the ProofRequest: the operator's finalizer deletes them.
        if kind != Kind::Artifact {
            return Ok(());
        }
        asked(self.store.delete(kind, artifact.id())).await
    }

    async fn delete_batch(
        &self,
        artifacts: &[impl ArtifactId],
        artifact_type: ArtifactType,
    ) -> anyhow::Result<()> {
        let kind = kind_of(artifact_type)?;
        if kind != Kind::Artifact {
            return Ok(());
        }
        let ids: Vec<String> = artifacts
            .iter()
            .map(|artifact| artifact.id().to_owned())
            .collect();
        asked(self.store.delete_many(kind, &ids)).await
    }

    async fn upload_with_type<T: Serialize + Send + Sync>(
        &self,
        artifact: &impl ArtifactId,
        artifact_type: ArtifactType,
        item: T,
    ) -> anyhow::Result<()> {
        // Serialised in place: the value may borrow, so it cannot move to another thread.
        let data = tokio::task::block_in_place(|| bincode::serialize(&item))?;
        drop(item);
        if let Some(scope) = &self.scope {
            scope.observe(std::any::type_name::<T>(), &data);
        }
        self.upload_raw(artifact, artifact_type, data).await
    }

    fn create_artifact(&self) -> anyhow::Result<Artifact> {
        let tag = match &self.scope {
            Some(scope) => scope.tag(),
            None => origin::current(),
        };
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
        Ok(Artifact(id::mint(
            tag,
            u64::try_from(now.as_millis())?,
            random(),
        )))
    }

    fn create_artifacts(&self, count: usize) -> anyhow::Result<ArtifactBatch> {
        Ok((0..count)
            .map(|_| self.create_artifact())
            .collect::<anyhow::Result<Vec<_>>>()?
            .into())
    }
}
