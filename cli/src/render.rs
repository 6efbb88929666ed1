//! What the user reads.

pub(crate) mod bench;
pub(crate) mod progress;
pub(crate) mod proof;
pub(crate) mod table;
pub(crate) mod time;
pub(crate) mod why;

use std::io::{ErrorKind, Write};

use provost_crds::ProofRequest;
use serde::Serialize;
use serde_json::json;

use crate::error::CliError;

/// Prints text and a line end on standard output. A reader that has gone away (`| head`) is no error.
pub(crate) fn print(text: &str) -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{}", text.trim_end_matches('\n')).and_then(|()| out.flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(CliError::file("standard output", e)),
        _ => Ok(()),
    }
}

/// Prints a line for people on standard error. Nothing depends on it.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Prints objects as kubectl does: without the record of who wrote which field.
pub(crate) fn print_object(object: &ProofRequest) -> Result<(), CliError> {
    print_json(&bare(object.clone()))
}

/// Prints a list of objects.
pub(crate) fn print_list(items: Vec<ProofRequest>) -> Result<(), CliError> {
    let items: Vec<_> = items.into_iter().map(bare).collect();
    print_json(&json!({"apiVersion": "v1", "kind": "List", "items": items}))
}

fn bare(mut object: ProofRequest) -> ProofRequest {
    object.metadata.managed_fields = None;
    object
}

/// Prints a value as indented JSON.
pub(crate) fn print_json(value: &impl Serialize) -> Result<(), CliError> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|e| CliError::failed("UnexpectedAnswer", format!("no JSON: {e}")))?;
    print(&text)
}

#[cfg(test)]
pub(crate) mod tests {
    use provost_crds::ProofRequest;
    use serde_json::json;

    /// A request named `p` with one condition.
    pub(crate) fn proof(status: &str, reason: &str, message: &str) -> ProofRequest {
        serde_json::from_value(json!({
            "apiVersion": "provost.dev/v1alpha1",
            "kind": "ProofRequest",
            "metadata": {"name": "p", "namespace": "default", "creationTimestamp": "2026-11-21T10:00:00Z"},
            "spec": {"program": {"artifact": "program_ab"}, "mode": "Compressed"},
            "status": {"conditions": [{
                "type": "Succeeded", "status": status, "reason": reason, "message": message,
                "lastTransitionTime": "2026-11-21T10:00:05Z",
            }]},
        }))
        .unwrap()
    }
}
