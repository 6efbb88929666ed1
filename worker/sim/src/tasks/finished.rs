//! What CompleteProof tells of a finished proof or execution: the same JSON as the real worker's.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::context::Context;
use crate::failure::TaskError;
use crate::faults::Point;
use crate::profile::Plan;

/// What stands in place of SP1's version.
const VERSION: &str = "simulated";

/// The result of an execution, as CoreExecute leaves it for the Controller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Execution {
    pub(super) cycles: u64,
    pub(super) public_values_hash: String,
}

impl Execution {
    pub(super) fn of(plan: &Plan, program: &str) -> Self {
        Self {
            cycles: plan.graph().cycles,
            public_values_hash: hex::encode(Sha256::digest(program)),
        }
    }
}

/// The extra data of CompleteProof.
#[derive(Debug, Serialize)]
pub(super) struct Finished {
    cycles: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    gas: Option<u64>,
    exit_code: u64,
    public_values_hash: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    vk_hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proof_size: Option<u64>,
    sp1_version: &'static str,
}

impl Finished {
    /// Of a proof.
    pub(super) fn proof(execution: Execution, program: &str, size: u32) -> Self {
        let vk = Sha256::new_with_prefix("vk").chain_update(program);
        Self {
            cycles: execution.cycles,
            gas: None,
            exit_code: 0,
            public_values_hash: execution.public_values_hash,
            vk_hash: Some(format!("0x{}", hex::encode(vk.finalize()))),
            proof_size: Some(size.into()),
            sp1_version: VERSION,
        }
    }

    /// Of an execution.
    pub(super) fn execution(execution: Execution, exit_code: u32) -> Self {
        Self {
            // Near what SP1 counts for plain arithmetic.
            gas: Some(execution.cycles + execution.cycles / 10),
            cycles: execution.cycles,
            exit_code: exit_code.into(),
            public_values_hash: execution.public_values_hash,
            vk_hash: None,
            proof_size: None,
            sp1_version: VERSION,
        }
    }

    /// Tells the coordinator, and returns when it has stored it.
    pub(super) async fn report(self, context: &Context) -> Result<(), TaskError> {
        context.reach(Point::Report).await?;
        let extra_data = serde_json::to_string(&self).unwrap_or_default();
        let stored = context.client.conclude(&context.task_id, extra_data);
        stored.await?;
        context.reach(Point::Reported).await
    }
}
