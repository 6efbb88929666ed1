//! Which task a piece of work belongs to, told by the span that it runs in.
//!
//! SP1's engine serves many proofs with one artifact client, and mints ids and calls the store deep inside its pipelines, where nothing says
//! for whom. It carries the submitter's span along, though: so a task runs in a [`span`] of its own, and [`layer`]
//! hands the proof's tag, and what ends the task's calls, down to every span below it.

use provost_artifacts::id::ProofTag;
use tokio_util::sync::CancellationToken;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, Registry};

const PROOF_ID: &str = "proof_id";

/// Ends a task's calls to the store.
#[derive(Clone)]
struct Waits(CancellationToken);

/// A span in which everything belongs to a task of the proof `proof_id`, and calls to the store are given up once `waits` is cancelled.
pub fn span(proof_id: &str, waits: CancellationToken) -> tracing::Span {
    let span = tracing::info_span!("task", proof_id);
    span.with_subscriber(|(id, dispatch)| {
        let registry = dispatch.downcast_ref::<Registry>();
        if let Some(span) = registry.and_then(|registry| registry.span(id)) {
            span.extensions_mut().replace(Waits(waits));
        }
    });
    span
}

/// The tag of the proof in whose span this runs; the default tag outside of any.
pub(super) fn current() -> ProofTag {
    of_span().unwrap_or_default()
}

/// What ends the calls to the store of the task in whose span this runs; `None` outside of any.
pub(super) fn waits() -> Option<CancellationToken> {
    of_span().map(|Waits(waits)| waits)
}

fn of_span<T: Clone + 'static>() -> Option<T> {
    let found = tracing::Span::current().with_subscriber(|(id, dispatch)| {
        let span = dispatch.downcast_ref::<Registry>()?.span(id)?;
        span.extensions().get::<T>().cloned()
    });
    found.flatten()
}

/// The layer that makes [`span`] work. A span that nobody wants would cut the chain, so it wants all of SP1's.
pub fn layer<S: tracing::Subscriber + for<'a> LookupSpan<'a>>() -> impl Layer<S> {
    Origin.with_filter(
        Targets::new()
            .with_target(module_path!(), tracing::Level::INFO)
            .with_target("sp1_prover", tracing::Level::DEBUG)
            .with_target("slop_futures", tracing::Level::DEBUG),
    )
}

struct Origin;

impl<S: tracing::Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Origin {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut own = OwnTag(None);
        attributes.record(&mut own);
        let parent = span.parent();
        let above = parent.as_ref().map(|parent| parent.extensions());
        let tag = above.as_ref().and_then(|above| above.get().copied());
        let waits = above.as_ref().and_then(|above| above.get::<Waits>());
        let (tag, waits) = (own.0.or(tag), waits.cloned());
        drop(above);
        let mut extensions = span.extensions_mut();
        if let Some(tag) = tag {
            extensions.insert(tag);
        }
        if let Some(waits) = waits {
            extensions.insert(waits);
        }
    }
}

/// The tag of a span that names a proof itself.
struct OwnTag(Option<ProofTag>);

impl Visit for OwnTag {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == PROOF_ID {
            self.0 = Some(ProofTag::of(value));
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}
