//! The known answer is the one that SP1's CPU prover gives.
#![allow(clippy::unwrap_used)]

use provost_worker::engine::known_answer::check;
use sp1_core_executor::SP1CoreOpts;
use sp1_core_machine::riscv::RiscvAir;
use sp1_hypercube::prover::{CpuShardProver, ProverSemaphore};
use sp1_prover::{CpuSP1ProverComponents, SP1ProverComponents as _};

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_prover_gives_it() {
    let core = CpuSP1ProverComponents::core_verifier(RiscvAir::machine());
    let prover = CpuShardProver::new(core.shard_verifier().clone());
    let permits = ProverSemaphore::new(1);
    check::<CpuSP1ProverComponents>(&prover, permits, SP1CoreOpts::default())
        .await
        .unwrap();
}
