//! After all tests nothing of Provost has broken, and after all proofs are deleted the store is empty, and so is its disk.
#![allow(clippy::unwrap_used, missing_docs)]

use provost_e2e::{all_well, nothing_left};

#[test]
fn a_no_container_has_panicked() {
    all_well();
}

#[test]
fn b_deleting_all_proofs_empties_the_store() {
    nothing_left();
}
