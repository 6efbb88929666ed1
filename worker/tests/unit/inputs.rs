//! Task inputs are SP1's own: what Controller takes, ExecuteOnly takes too.
#![allow(clippy::unwrap_used)]

use provost_coordinator::ShardSize;
use provost_worker::tasks::execute::{execute_inputs, shard_elements};
use sp1_core_executor::ELEMENT_THRESHOLD;
use sp1_prover::worker::ControllerInputs;
use sp1_prover_types::Artifact;

fn inputs(limit: &str) -> Vec<Artifact> {
    ["p", "s", "2", limit, "", "{}"]
        .map(|text| Artifact(text.into()))
        .to_vec()
}

#[test]
fn execute_reads_the_inputs_of_a_controller() {
    let controller = ControllerInputs::try_from(inputs("1000").as_slice()).unwrap();
    let (elf, stdin, limit) = execute_inputs(&inputs("1000")).unwrap();
    assert_eq!(
        (elf, stdin, limit),
        (
            controller.elf,
            controller.stdin_artifact,
            controller.cycle_limit
        )
    );
}

#[test]
fn zero_and_the_largest_number_mean_no_limit() {
    for text in ["0", "18446744073709551615", ""] {
        assert_eq!(execute_inputs(&inputs(text)).unwrap().2, None);
    }
    assert!(execute_inputs(&inputs("1")[..3]).is_err());
}

#[tokio::test]
async fn a_core_execute_makes_shards_of_the_size_that_it_is_told() {
    let told = format!(
        r#"{{"element_threshold":{}}}"#,
        ShardSize::Reduced.elements()
    );
    assert_eq!(shard_elements(&told), Some(285_212_672));
    // Coordinators of SP1's own cluster say nothing, or something else.
    for other in ["", "{}", "x", r#"{"element_threshold":null}"#] {
        assert_eq!(shard_elements(other), None, "{other}");
    }
    let (full, small) = (ShardSize::Full.elements(), ShardSize::Reduced.elements());
    assert_eq!(full, ELEMENT_THRESHOLD);
    // What a CPU takes, and what sp1-gpu-prover's builder leaves of it below 30 GB.
    let found = provost_worker::engine::look().await.unwrap();
    assert_eq!(found.shard_elements, ELEMENT_THRESHOLD);
    assert_eq!(small, ELEMENT_THRESHOLD - (1 << 26) - (1 << 25) - (1 << 24));
}
