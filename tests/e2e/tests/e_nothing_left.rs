//! After all tests nothing of Provost has broken, the API server has kept the operator's requests apart, and after all proofs are deleted the store is
//! empty, and so is its disk.
#![allow(clippy::unwrap_used, missing_docs)]

use provost_e2e::{all_well, kubectl_ok, nothing_left};

#[test]
fn a_no_container_has_panicked() {
    all_well();
}

#[test]
fn the_operator_does_not_queue_with_others_at_the_api_server() {
    let metrics = kubectl_ok(&["get", "--raw", "/metrics"]);
    for (schema, level) in [
        ("provost-leases", "leader-election"),
        ("provost-operator", "provost"),
    ] {
        let series = format!(
            "apiserver_flowcontrol_dispatched_requests_total{{flow_schema=\"{schema}\",priority_level=\"{level}\"}} "
        );
        let line = metrics.lines().find(|line| line.starts_with(&series));
        assert!(line.is_some(), "nothing came by {schema} to {level}");
    }
}

#[test]
fn b_deleting_all_proofs_empties_the_store() {
    nothing_left();
}
