//! Conditions, by the conventions of the Kubernetes API.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// Type of the only condition of a ProofRequest.
pub const SUCCEEDED: &str = "Succeeded";
/// Type of the only condition of a WorkerPool.
pub const READY: &str = "Ready";

/// Status of a condition that holds.
pub const TRUE: &str = "True";
/// Status of a condition that does not hold.
pub const FALSE: &str = "False";
/// Status of a condition that is not decided.
pub const UNKNOWN: &str = "Unknown";

/// Longest message that the API server takes, in bytes (its own limit counts characters).
const MAX_MESSAGE: usize = 32768;

/// The condition of the given type.
pub fn find<'a>(conditions: &'a [Condition], type_: &str) -> Option<&'a Condition> {
    conditions.iter().find(|c| c.type_ == type_)
}

/// Sets the condition of the given type, and adds it if there is none. `lastTransitionTime` becomes `now`
/// only when the status changes. A message beyond 32768 bytes is cut. Returns whether anything changed, so
/// that a caller can spare the write.
pub fn set(
    conditions: &mut Vec<Condition>,
    type_: &str,
    status: &str,
    reason: &str,
    message: &str,
    generation: Option<i64>,
    now: Timestamp,
) -> bool {
    let message = cut(message, MAX_MESSAGE);
    let Some(old) = conditions.iter_mut().find(|c| c.type_ == type_) else {
        conditions.push(Condition {
            type_: type_.to_owned(),
            status: status.to_owned(),
            reason: reason.to_owned(),
            message: message.to_owned(),
            observed_generation: generation,
            last_transition_time: Time(now),
        });
        return true;
    };
    let transition = old.status != status;
    let changed = transition
        || old.reason != reason
        || old.message != message
        || old.observed_generation != generation;
    if changed {
        reason.clone_into(&mut old.reason);
        message.clone_into(&mut old.message);
        old.observed_generation = generation;
    }
    if transition {
        status.clone_into(&mut old.status);
        old.last_transition_time = Time(now);
    }
    changed
}

/// The longest prefix of at most `max` bytes that ends between characters.
fn cut(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_transition_time_moves_with_the_status_only() {
        let mut list = Vec::new();
        assert!(set(
            &mut list,
            SUCCEEDED,
            UNKNOWN,
            "Pending",
            "",
            Some(1),
            at(1)
        ));
        assert!(set(
            &mut list,
            SUCCEEDED,
            UNKNOWN,
            "Proving",
            "m",
            Some(1),
            at(2)
        ));
        assert_eq!(list[0].last_transition_time.0, at(1));
        assert_eq!(list[0].reason, "Proving");
        assert!(set(
            &mut list,
            SUCCEEDED,
            TRUE,
            "Succeeded",
            "m",
            Some(2),
            at(3)
        ));
        assert_eq!(list[0].last_transition_time.0, at(3));
        assert_eq!(list[0].observed_generation, Some(2));
        assert_eq!(list.len(), 1);
    }

    #[test]
    fn setting_the_same_again_changes_nothing() {
        let mut list = Vec::new();
        set(&mut list, READY, FALSE, "R", "m", Some(1), at(1));
        let before = list.clone();
        assert!(!set(&mut list, READY, FALSE, "R", "m", Some(1), at(9)));
        assert_eq!(list, before);
    }

    #[test]
    fn other_conditions_are_left_alone() {
        let mut list = Vec::new();
        set(&mut list, READY, TRUE, "R", "", None, at(1));
        set(&mut list, SUCCEEDED, TRUE, "S", "", None, at(1));
        set(&mut list, READY, FALSE, "R", "", None, at(2));
        assert_eq!(find(&list, SUCCEEDED).unwrap().status, TRUE);
        assert_eq!(find(&list, READY).unwrap().status, FALSE);
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let mut list = Vec::new();
        let long = "é".repeat(20_000) + "x";
        set(&mut list, READY, TRUE, "R", &long, None, at(1));
        assert_eq!(list[0].message.len(), MAX_MESSAGE);
        assert_eq!(cut("aé", 2), "a");
    }
}
