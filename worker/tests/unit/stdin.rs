//! Inputs that SP1 would stumble over end the proof, and nothing else.
#![allow(clippy::unwrap_used)]

use provost_worker::artifacts::stdin;
use provost_worker::failure::{Failure, FailureClass};
use sp1_core_executor::SP1CoreOpts;
use sp1_core_machine::io::SP1Stdin;
use sp1_core_machine::riscv::RiscvAir;
use sp1_hypercube::{SP1VerifyingKey, create_dummy_recursion_proof};
use sp1_prover::verify::{SP1Verifier, VerifierRecursionVks};
use sp1_prover::worker::{SP1NodeCore, TaskError};

fn failure(error: anyhow::Error) -> Failure {
    Failure::from_task_error("CONTROLLER", &TaskError::Fatal(error))
}

fn assert_is_the_users(failure: &Failure, said: &str) {
    assert_eq!(failure.class, FailureClass::ProgramFault, "{failure:?}");
    assert!(!failure.retryable && !failure.doubtful, "{failure:?}");
    assert!(failure.message.contains(said), "{failure:?}");
}

#[test]
fn what_is_no_input_of_this_sp1_is_the_users_fault() {
    let mut bytes = provost_artifacts::codec::encode_stdin(&[vec![7]]);
    let proofs = bytes.len() - 8;
    bytes[proofs] = 1;
    bytes.extend([0xff; 100]);
    let error = stdin::decode::<SP1Stdin>(&bytes).unwrap_err();
    assert_is_the_users(&failure(error), "no SP1Stdin of this version");
}

#[test]
fn a_proof_in_the_input_that_does_not_verify_is_the_users_fault() {
    let verifier =
        SP1Verifier::new_with_machine(VerifierRecursionVks::default(), RiscvAir::machine());
    let verifier = SP1NodeCore::new(verifier, SP1CoreOpts::default());
    let mut input = SP1Stdin::new();
    input.write(&7u32);
    stdin::check(&input, &verifier).unwrap();
    // As SP1's mock prover makes them, without public values. SP1's controller panics over it.
    let key = bincode::deserialize(&[0; 4096]).unwrap();
    let mock = create_dummy_recursion_proof(&SP1VerifyingKey { vk: key });
    let key = mock.vk.clone();
    input.write_proof(mock, key);
    let error = stdin::check(&input, &verifier).unwrap_err();
    assert_is_the_users(&failure(error), "proof 0 in it does not verify");
    stdin::check(&"something else", &verifier).unwrap();
}

#[test]
fn an_execution_over_a_wrong_proof_is_the_users_fault() {
    let said = "deferred proof 0 failed verification: invalid public values length";
    assert_is_the_users(&failure(anyhow::anyhow!(said)), said);
}
