//! Verifies a proof against the program it claims to be of, with SP1's own verifier and no prover. The verifying key is
//! computed here from the user's ELF: nothing that a cluster says is trusted.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;
use sp1_sdk::{
    Elf, HashableKey as _, Prover as _, ProverClient, ProvingKey as _, SP1ProofWithPublicValues,
};

/// The exit code of a proof that does not verify.
const INVALID: u8 = 5;

#[derive(Parser)]
#[command(
    name = "provost-verify",
    version,
    about = "Verifies an SP1 proof against a program's ELF"
)]
struct Cli {
    /// The proof, as `kubectl proof download` writes it (`SP1ProofWithPublicValues`).
    #[arg(long)]
    proof: PathBuf,
    /// The program's ELF.
    #[arg(long)]
    elf: PathBuf,
}

/// Runs the program.
pub fn main() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    let filter =
        tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "warn".into());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(verify(&cli))
}

async fn verify(cli: &Cli) -> anyhow::Result<ExitCode> {
    let elf = std::fs::read(&cli.elf)
        .with_context(|| format!("cannot read the program {}", cli.elf.display()))?;
    let proof = SP1ProofWithPublicValues::load(&cli.proof).with_context(|| {
        format!(
            "{} is not a proof (SP1ProofWithPublicValues)",
            cli.proof.display()
        )
    })?;
    let prover = ProverClient::builder().light().build().await;
    let key = prover.setup(Elf::from(elf)).await?;
    let kind = match &proof.proof {
        sp1_sdk::SP1Proof::Core(_) => "Core",
        sp1_sdk::SP1Proof::Compressed(_) => "Compressed",
        sp1_sdk::SP1Proof::Plonk(_) => "Plonk",
        sp1_sdk::SP1Proof::Groth16(_) => "Groth16",
    };
    if let Err(error) = prover.verify(&proof, key.verifying_key(), None) {
        eprintln!(
            "INVALID: the {kind} proof {} does not verify: {error}",
            cli.proof.display()
        );
        return Ok(ExitCode::from(INVALID));
    }
    println!("verified: {kind} proof of {}", cli.elf.display());
    println!("program key: {}", key.verifying_key().bytes32());
    println!(
        "public values: 0x{}",
        hex::encode(proof.public_values.as_slice())
    );
    println!("SP1 circuits: {}", proof.sp1_version);
    Ok(ExitCode::SUCCESS)
}
