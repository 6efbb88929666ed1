//! Random sequences of events, against a reference scheduler that knows no data structures but lists.
//!
//! The reference (`reference.rs`) implements the same rules by looking at everything for every decision. Both must decide the same, always; and what the reference
//! knows serves to check that what was decided is right in itself.

#![allow(clippy::unwrap_used)]

mod event;
mod pair;
mod reference;

use pair::Pair;
use proptest::prelude::*;

/// So many by default; `PROPTEST_CASES` for a longer look.
fn cases(cases: u32) -> ProptestConfig {
    let default = ProptestConfig::default();
    let asked = std::env::var_os("PROPTEST_CASES").is_some();
    ProptestConfig {
        cases: if asked { default.cases } else { cases },
        failure_persistence: None,
        ..default
    }
}

proptest! {
    #![proptest_config(cases(256))]

    /// Same decisions; never over capacity, never over a cap, never two in one slot; nothing waits that would fit; the books agree; and in the end everything
    /// that was not taken away has run.
    #[test]
    fn decisions_are_right(events in prop::collection::vec(event::any(), 1..160)) {
        let mut pair = Pair::new();
        for event in events {
            pair.apply(&event);
            pair.real.verify().unwrap();
        }
        pair.run_out();
    }

}

proptest! {
    #![proptest_config(cases(48))]

    /// The same with few kinds of events, so that the cluster fills up and queues are long.
    #[test]
    fn decisions_are_right_under_load(events in prop::collection::vec(event::busy(), 100..600)) {
        let mut pair = Pair::new();
        for (n, event) in events.iter().enumerate() {
            pair.apply(event);
            if n % 16 == 0 {
                pair.real.verify().unwrap();
            }
        }
        pair.run_out();
    }
}
