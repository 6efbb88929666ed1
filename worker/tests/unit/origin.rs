//! Ids that SP1's engine mints carry the tag of the proof whose task runs, and its calls to the store end with that.
#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::Once;
use std::time::Duration;

use provost_artifacts::id::ProofTag;
use provost_worker::artifacts::{Artifacts, SHARDS_AHEAD, origin};
use provost_worker::failure::{Failure, FailureClass};
use sp1_prover::worker::TaskError;
use sp1_prover_types::{ArtifactClient as _, ArtifactId as _, ArtifactType};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::store::{client, client_at};

/// As SP1's pipelines do: another task, in the submitter's span or in one of its own below it.
async fn minted_deep(client: Artifacts) -> String {
    let work = async move {
        let inner = async move { client.create_artifact().unwrap().id().to_owned() };
        let span = tracing::debug_span!(target: "sp1_prover::worker", "deferred upload");
        tokio::spawn(inner.instrument(span)).await.unwrap()
    };
    tokio::spawn(work.in_current_span()).await.unwrap()
}

/// As the worker's own log: a level that would hide SP1's spans must not hide them from the tags.
fn log() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let log = tracing_subscriber::fmt::layer().with_writer(std::io::sink);
        let log = tracing_subscriber::Layer::with_filter(log, LevelFilter::WARN);
        let subscriber = tracing_subscriber::registry()
            .with(origin::layer())
            .with(log);
        tracing::subscriber::set_global_default(subscriber).unwrap();
    });
}

fn span(proof: &str) -> tracing::Span {
    origin::span(proof, CancellationToken::new())
}

#[tokio::test]
async fn a_minted_id_belongs_to_the_proof_of_its_task() {
    log();
    let client = client(SHARDS_AHEAD);
    let (first, second) = tokio::join!(
        minted_deep(client.clone()).instrument(span("ns/a/1")),
        minted_deep(client.clone()).instrument(span("ns/b/2")),
    );
    assert!(ProofTag::of("ns/a/1").owns(&first) && ProofTag::of("ns/b/2").owns(&second));
    assert!(ProofTag::default().owns(&minted_deep(client).await));
}

#[tokio::test]
async fn calls_of_a_task_that_is_given_up_end_though_the_store_says_nothing() {
    log();
    // It takes connections, and answers none.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = client_at(silent.local_addr().unwrap(), SHARDS_AHEAD);
    let waits = CancellationToken::new();
    let call = |span: tracing::Span| {
        let client = client.clone();
        let work = async move {
            let id = client.create_artifact().unwrap();
            let upload = client.upload_raw(&id, ArtifactType::UnspecifiedArtifactType, vec![1]);
            let inner = tracing::debug_span!(target: "sp1_prover::worker", "upload");
            upload.instrument(inner).await
        };
        tokio::spawn(work.instrument(span))
    };
    let (given_up, goes_on) = (
        call(origin::span("ns/a/1", waits.clone())),
        call(span("ns/a/1")),
    );
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!given_up.is_finished());
    waits.cancel();
    let error = given_up.await.unwrap().unwrap_err();
    let failure = Failure::from_task_error("PROVE_SHARD", &TaskError::Fatal(error));
    assert_eq!(failure.class, FailureClass::StoreUnavailable);
    assert!(!failure.doubtful);
    assert!(!goes_on.is_finished());
    goes_on.abort();
}
