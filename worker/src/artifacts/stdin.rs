//! What a user's input has to be before SP1 gets it, which takes it on trust: it panics over a proof without public values, and gives a task to prove what is no proof.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::de::DeserializeOwned;
use sp1_core_machine::io::SP1Stdin;
use sp1_prover::SP1VerifyingKey;
use sp1_prover::worker::SP1NodeCore;
use sp1_sdk::SP1Proof;

/// Marks, in an error's text, that the input is at fault.
pub const INVALID_STDIN: &str = "the stdin can not be used";

/// Decodes an input, or whatever else SP1 takes from where inputs are.
///
/// # Errors
/// It does not decode.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> anyhow::Result<T> {
    bincode::deserialize(bytes).map_err(|error| {
        anyhow::anyhow!("{INVALID_STDIN}: it is no SP1Stdin of this version of SP1: {error}")
    })
}

/// Verifies the proofs that a program is to verify, if `value` is an input.
///
/// # Errors
/// One of them does not verify; it is named by its place, counted from 0.
pub fn check(value: &dyn Any, verifier: &SP1NodeCore) -> anyhow::Result<()> {
    let Some(stdin) = value.downcast_ref::<SP1Stdin>() else {
        return Ok(());
    };
    for (place, (proof, key)) in stdin.proofs.iter().enumerate() {
        let key = SP1VerifyingKey { vk: key.clone() };
        let proof = SP1Proof::Compressed(Box::new(proof.clone()));
        // The verifier may panic over a proof that has not its shape.
        let verified = catch_unwind(AssertUnwindSafe(|| verifier.verify(&key, &proof)));
        let wrong = match verified {
            Ok(Ok(())) => continue,
            Ok(Err(error)) => format!("{error:#}"),
            Err(_) => "it has not the shape of one".to_owned(),
        };
        anyhow::bail!("{INVALID_STDIN}: proof {place} in it does not verify: {wrong}");
    }
    Ok(())
}
