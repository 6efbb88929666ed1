//! Task inputs are SP1's own: what Controller takes, ExecuteOnly takes too.
#![allow(clippy::unwrap_used)]

use provost_worker::tasks::execute::execute_inputs;
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
