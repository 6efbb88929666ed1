//! What passes through the store for one proof, seen on its way: the verifying key, the program's exit code, the proof.

use std::any::Any;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Arc, OnceLock};

use provost_artifacts::id::ProofTag;
use sp1_prover::HashableKey;
use sp1_prover::worker::{CommonProverInput, ProofFromNetwork, SP1NodeCore, TraceData};

use super::stdin;

/// Marks, in an error's text, that a finished proof did not verify.
pub const INVALID_PROOF: &str = "the finished proof does not verify";

/// bincode's index of `TraceData::Memory`, the record that ends an execution.
const TRACE_DATA_MEMORY: [u8; 4] = 2u32.to_le_bytes();

/// What is known of a proof while one of its execute tasks runs. SP1 hands these values to nobody, but it stores them.
pub struct ProofScope {
    tag: ProofTag,
    verifier: SP1NodeCore,
    /// Whether it is a Controller's.
    drives: bool,
    common_input: OnceLock<CommonProverInput>,
    exit_code: OnceLock<u32>,
    proof_size: OnceLock<u64>,
}

impl ProofScope {
    /// A scope for `proof_id` whose finished proof is checked by `verifier`; so is its input where it `drives` the proof.
    pub fn new(proof_id: &str, verifier: SP1NodeCore, drives: bool) -> Arc<Self> {
        Arc::new(Self {
            tag: ProofTag::of(proof_id),
            verifier,
            drives,
            common_input: OnceLock::new(),
            exit_code: OnceLock::new(),
            proof_size: OnceLock::new(),
        })
    }

    /// The tag that ids minted for this proof carry.
    pub fn tag(&self) -> ProofTag {
        self.tag
    }

    /// The exit code of the executed program, once the execution has ended.
    pub fn exit_code(&self) -> Option<u32> {
        self.exit_code.get().copied()
    }

    /// The hash of the verifying key as verifier contracts take it, once known.
    pub fn vk_hash(&self) -> Option<String> {
        self.common_input.get().map(|input| input.vk.bytes32())
    }

    /// Bytes of the finished proof before compression, once it has been checked.
    pub fn proof_size(&self) -> Option<u64> {
        self.proof_size.get().copied()
    }

    /// Looks at a value of SP1's type `type_name` on its way to the store.
    pub fn observe(&self, type_name: &str, data: &[u8]) {
        if type_name.ends_with("::CommonProverInput") {
            if let Ok(input) = bincode::deserialize(data) {
                let _ = self.common_input.set(input);
            }
        } else if type_name.ends_with("::TraceData")
            && data.starts_with(&TRACE_DATA_MEMORY)
            && let Ok(TraceData::Memory(shard)) = bincode::deserialize(data)
        {
            let _ = self.exit_code.set(shard.final_state.exit_code);
        }
    }

    /// Checks an input on its way to SP1's controller: whoever else asks for it comes after that.
    pub fn check_input(&self, value: &dyn Any) -> anyhow::Result<()> {
        match self.drives {
            true => stdin::check(value, &self.verifier),
            false => Ok(()),
        }
    }

    /// Verifies a finished proof (bincode of `ProofFromNetwork`) with SP1's verifier before it is stored.
    pub fn check_proof(&self, data: &[u8]) -> anyhow::Result<()> {
        let proof: ProofFromNetwork = bincode::deserialize(data)?;
        let input = self.common_input.get().ok_or_else(|| {
            anyhow::anyhow!("{INVALID_PROOF}: its verifying key was never stored")
        })?;
        self.verifier
            .verify(&input.vk, &proof.proof)
            .map_err(|error| anyhow::anyhow!("{INVALID_PROOF}: {error:#}"))?;
        let _ = self.proof_size.set(data.len() as u64);
        Ok(())
    }
}

/// 64 bits from the process's own hash keys and a counter: enough to tell ids of one millisecond apart.
pub(crate) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
