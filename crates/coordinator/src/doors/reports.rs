//! What workers say of failures, out of the JSON that they put where SP1's messages have room for it. It is read leniently: a failure that is reported
//! badly is still a failure.

use serde::Deserialize;

use crate::failure::{Failure, FailureClass, task_type};

/// Longest message that is kept, in characters.
const MAX_MESSAGE: usize = 4096;

/// What is said of a failure that nobody gave a reason for.
pub(super) const NO_REASON: &str = "the worker reported a failure and no reason";

#[derive(Default, Deserialize)]
#[serde(default)]
struct Report {
    class: Option<String>,
    task_type: Option<String>,
    message: Option<String>,
    /// What SP1's own nodes send instead.
    proving_failure: Option<StockReport>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct StockReport {
    task_type: Option<String>,
    reason: Option<String>,
}

/// A worker's words on a failure, for people.
pub(super) fn message(text: String) -> String {
    match text.is_empty() {
        true => NO_REASON.to_owned(),
        false => clip(text),
    }
}

/// The failure in the extra data of FailProof. What names no class is ours.
pub(super) fn of_proof(extra_data: &str) -> Failure {
    let report: Report = serde_json::from_str(extra_data).unwrap_or_default();
    let stock = report.proving_failure.unwrap_or_default();
    let class = report.class.and_then(|class| class.parse().ok());
    let message = [report.message, stock.reason].into_iter().flatten();
    let message = message.into_iter().find(|message| !message.is_empty());
    let fallback = match extra_data.trim() {
        "" => NO_REASON,
        raw => raw,
    };
    let mut failure = Failure::new(
        class.unwrap_or(FailureClass::Bug),
        clip(message.unwrap_or_else(|| fallback.to_owned())),
    );
    let kind = report.task_type.or(stock.task_type);
    failure.task_type = kind.and_then(|kind| task_type(&kind));
    failure
}

fn clip(text: String) -> String {
    match text.char_indices().nth(MAX_MESSAGE) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use provost_proto::worker::TaskType;

    use super::*;

    #[test]
    fn our_reports_are_read() {
        let failure =
            of_proof(r#"{"class":"ProgramFault","task_type":"CORE_EXECUTE","message":"halted"}"#);
        assert_eq!(failure.class, FailureClass::ProgramFault);
        assert_eq!(failure.task_type, Some(TaskType::CoreExecute));
        assert_eq!(failure.message, "halted");
    }

    #[test]
    fn stock_and_broken_reports_are_failures_all_the_same() {
        let failure =
            of_proof(r#"{"proving_failure":{"task_type":"ProveShard","reason":"no luck"}}"#);
        assert_eq!(failure.class, FailureClass::Bug);
        assert_eq!(failure.task_type, Some(TaskType::ProveShard));
        assert_eq!(failure.message, "no luck");
        assert_eq!(of_proof("not json").message, "not json");
        assert!(!message(String::new()).is_empty());
        let long = of_proof(&"ä".repeat(10_000)).message;
        assert_eq!(long.chars().count(), MAX_MESSAGE + 3);
    }
}
