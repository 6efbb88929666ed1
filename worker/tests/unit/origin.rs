//! Ids that SP1's engine mints carry the tag of the proof whose task runs.
#![allow(clippy::unwrap_used, missing_docs)]

use provost_artifacts::id::ProofTag;
use provost_worker::artifacts::{Artifacts, SHARDS_AHEAD, origin};
use sp1_prover_types::{ArtifactClient as _, ArtifactId as _};
use tracing::Instrument as _;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::store::client;

/// As SP1's pipelines do: another task, in the submitter's span or in one of its own below it.
async fn minted_deep(client: Artifacts) -> String {
    let work = async move {
        let inner = async move { client.create_artifact().unwrap().id().to_owned() };
        let span = tracing::debug_span!(target: "sp1_prover::worker", "deferred upload");
        tokio::spawn(inner.instrument(span)).await.unwrap()
    };
    tokio::spawn(work.in_current_span()).await.unwrap()
}

#[tokio::test]
async fn a_minted_id_belongs_to_the_proof_of_its_task() {
    // As the worker's own log: a level that would hide SP1's spans must not hide them from the tags.
    let log = tracing_subscriber::fmt::layer().with_writer(std::io::sink);
    let log =
        tracing_subscriber::Layer::with_filter(log, tracing_subscriber::filter::LevelFilter::WARN);
    let subscriber = tracing_subscriber::registry()
        .with(origin::layer())
        .with(log);
    tracing::subscriber::set_global_default(subscriber).unwrap();

    let client = client(SHARDS_AHEAD);
    let (first, second) = tokio::join!(
        minted_deep(client.clone()).instrument(origin::span("ns/a/1")),
        minted_deep(client.clone()).instrument(origin::span("ns/b/2")),
    );
    assert!(ProofTag::of("ns/a/1").owns(&first) && ProofTag::of("ns/b/2").owns(&second));
    assert!(ProofTag::default().owns(&minted_deep(client).await));
}
