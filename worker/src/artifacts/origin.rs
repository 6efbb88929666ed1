//! Which proof a piece of work belongs to, told by the span that it runs in.
//!
//! SP1's engine serves many proofs with one artifact client and mints ids deep inside its pipelines, where nothing says
//! for whom. It carries the submitter's span along, though: so a task runs in a [`span`] of its proof, and [`layer`]
//! hands the proof's tag down to every span below it.

use provost_artifacts::id::ProofTag;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, Registry};

const PROOF_ID: &str = "proof_id";

/// A span in which everything belongs to the proof `proof_id`.
pub fn span(proof_id: &str) -> tracing::Span {
    tracing::info_span!("task", proof_id)
}

/// The tag of the proof in whose span this runs; the default tag outside of any.
pub(super) fn current() -> ProofTag {
    let tag = tracing::Span::current().with_subscriber(|(id, dispatch)| {
        let span = dispatch.downcast_ref::<Registry>()?.span(id)?;
        span.extensions().get::<ProofTag>().copied()
    });
    tag.flatten().unwrap_or_default()
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
        let inherited = span
            .parent()
            .and_then(|parent| parent.extensions().get::<ProofTag>().copied());
        if let Some(tag) = own.0.or(inherited) {
            span.extensions_mut().insert(tag);
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
