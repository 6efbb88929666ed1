//! A proof whose answer is known, made before a worker takes tasks: a device that computes wrongly is found before it costs anyone a proof.

use std::sync::Arc;

use sp1_core_executor::{Program, SP1CoreOpts};
use sp1_core_machine::io::SP1Stdin;
use sp1_core_machine::riscv::RiscvAir;
use sp1_core_machine::utils::generate_records;
use sp1_hypercube::MachineProof;
use sp1_hypercube::prover::{AirProver as _, ProverSemaphore};
use sp1_primitives::SP1Field;
use sp1_prover::{HashableKey as _, SP1ProverComponents, SP1VerifyingKey};

use super::{Executions, Parts};

/// The program: guest `fibonacci`.
const PROGRAM: &[u8] = include_bytes!("../../../guests/prebuilt/fibonacci.elf");
/// The hash of its verifying key, as verifier contracts take it.
pub const KEY_HASH: &str = "0x003eb85f3c88694544d0271d6c4ce54c81999da23dc71a20a3997e19e0ed7de8";
/// Its input.
const N: u32 = 20;

/// Why the answer is not the known one.
#[derive(Debug, thiserror::Error)]
pub enum KnownAnswerError {
    /// The program could not be executed: that takes no prover.
    #[error("the known answer could not be computed: {0}")]
    Execution(String),
    /// The device committed to something else than the program.
    #[error(
        "this device computes wrongly: the verifying key of a known program came out as {found}, not as {KEY_HASH}"
    )]
    WrongKey {
        /// The key's hash.
        found: String,
    },
    /// SP1's verifier does not accept the proof.
    #[error("this device computes wrongly: its proof of a known execution does not verify: {0}")]
    Invalid(String),
}

impl KnownAnswerError {
    /// Stable name of the error.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Execution(_) => "KnownAnswerNotComputed",
            Self::WrongKey { .. } => "WrongVerifyingKey",
            Self::Invalid(_) => "ProofDoesNotVerify",
        }
    }
}

/// Sets up a small program and proves its execution, in one shard, on `prover`: SP1's kernels for commitments, GKR, sumcheck and openings all have their
/// part in that. About as long as one core shard takes.
///
/// # Errors
/// The key or the proof is wrong, or the execution fails.
pub async fn check<C: SP1ProverComponents>(
    prover: &C::CoreProver,
    permits: ProverSemaphore,
    opts: SP1CoreOpts,
) -> Result<(), KnownAnswerError> {
    let program = Program::from(PROGRAM).map_err(not_executed)?;
    let program = Arc::new(program);
    let parts = Parts::default();
    parts.add(&program);
    Executions::begin(&parts);
    let mut stdin = SP1Stdin::new();
    stdin.write(&N);
    let executed = program.clone();
    let records = tokio::task::spawn_blocking(move || {
        generate_records::<SP1Field>(executed, stdin, opts, [0; 4])
    });
    let records = records
        .await
        .map_err(not_executed)?
        .map_err(not_executed)?
        .0;
    let mut proofs = Vec::with_capacity(records.len());
    let mut known = None;
    for record in records {
        let (vk, proof, permit) = prover
            .setup_and_prove_shard(program.clone(), record, known.take(), permits.clone())
            .await;
        drop(permit);
        proofs.push(proof);
        known = Some(vk);
    }
    let vk = known.ok_or_else(|| not_executed("the program left no shard"))?;
    let key = SP1VerifyingKey { vk };
    let found = key.bytes32();
    if found != KEY_HASH {
        return Err(KnownAnswerError::WrongKey { found });
    }
    C::core_verifier(RiscvAir::machine())
        .verify(&key.vk, &MachineProof::from(proofs))
        .map_err(|error| KnownAnswerError::Invalid(error.to_string()))
}

fn not_executed(error: impl std::fmt::Display) -> KnownAnswerError {
    KnownAnswerError::Execution(error.to_string())
}
