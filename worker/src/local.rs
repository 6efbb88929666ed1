//! `worker prove` and `worker execute`: the same work in this process, without a cluster. The yardstick for what the
//! cluster adds.

use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use provost_device::Device;
use serde::{Deserialize, Serialize};
use sp1_core_executor::{SP1Context, SP1CoreOpts};
use sp1_core_machine::io::SP1Stdin;
use sp1_prover::worker::{SP1LocalNode, SP1LocalNodeBuilder};
use sp1_prover_types::network_base_types::ProofMode;

use crate::engine::{self, Build, Steps};
use crate::memory::{self, Class, GIB, Machine, Units};
use crate::orders::{Order, Orders, tell};

/// A program and its input.
#[derive(Debug, Clone, clap::Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProgramArgs {
    /// The program's ELF.
    pub elf: PathBuf,
    /// A 32-bit input; may be repeated.
    #[arg(long)]
    #[serde(default)]
    pub u32: Vec<u32>,
    /// An input of bytes, in hex; may be repeated, after those of --u32.
    #[arg(long)]
    #[serde(default)]
    pub hex: Vec<String>,
    /// A file with bincode of an SP1Stdin, in place of --u32 and --hex.
    #[arg(long, conflicts_with_all = ["u32", "hex"])]
    #[serde(default)]
    pub stdin: Option<PathBuf>,
}

impl ProgramArgs {
    pub(crate) fn elf(&self) -> anyhow::Result<Vec<u8>> {
        std::fs::read(&self.elf)
            .with_context(|| format!("cannot read the program {}", self.elf.display()))
    }

    pub(crate) fn stdin(&self) -> anyhow::Result<SP1Stdin> {
        if let Some(path) = &self.stdin {
            return bincode::deserialize(&std::fs::read(path)?)
                .with_context(|| format!("{} is not bincode of an SP1Stdin", path.display()));
        }
        let mut stdin = SP1Stdin::new();
        for value in &self.u32 {
            stdin.write(value);
        }
        for text in &self.hex {
            stdin.write_vec(
                hex::decode(text).with_context(|| format!("--hex {text:?} is not hex"))?,
            );
        }
        Ok(stdin)
    }
}

/// What `worker execute` takes.
#[derive(Debug, clap::Args)]
pub struct ExecuteArgs {
    /// What to execute.
    #[command(flatten)]
    pub program: ProgramArgs,
    /// Stop with an error at this many cycles.
    #[arg(long)]
    pub max_cycles: Option<u64>,
}

/// What `worker execute` prints, as JSON.
#[derive(Serialize)]
struct Execution {
    cycles: u64,
    gas: Option<u64>,
    exit_code: u64,
    public_values: String,
    seconds: f64,
}

/// Executes in this process.
pub async fn execute(args: ExecuteArgs) -> anyhow::Result<()> {
    let started = Instant::now();
    let (values, _, report) = engine::execute(
        &args.program.elf()?,
        args.program.stdin()?,
        args.max_cycles,
        SP1CoreOpts::default(),
        &engine::Parts::default(),
    )
    .await?;
    let execution = Execution {
        cycles: report.total_instruction_count(),
        gas: report.gas(),
        exit_code: report.exit_code,
        public_values: hex::encode(values.as_slice()),
        seconds: started.elapsed().as_secs_f64(),
    };
    println!("{}", serde_json::to_string(&execution)?);
    Ok(())
}

/// What `worker check` prints, as JSON.
#[derive(Serialize)]
struct Checked {
    /// The GPU that it would prove on; null for a CPU.
    device: Option<Device>,
    known_answer_seconds: f64,
}

/// Makes the known answer in this process.
pub async fn check() -> anyhow::Result<()> {
    let device = engine::look().await?.device;
    let started = Instant::now();
    engine::check().await?;
    let checked = Checked {
        device,
        known_answer_seconds: started.elapsed().as_secs_f64(),
    };
    println!("{}", serde_json::to_string(&checked)?);
    Ok(())
}

/// What to prove, and how often.
#[derive(Debug, clap::Args)]
pub struct ProofArgs {
    /// What to prove.
    #[command(flatten)]
    pub program: ProgramArgs,
    /// How far to prove.
    #[arg(long, default_value = "compressed")]
    pub mode: Mode,
    /// Where to write the last proof (`SP1ProofWithPublicValues`).
    #[arg(long)]
    pub output: Option<PathBuf>,
    /// How many times to prove, one after the other.
    #[arg(long, default_value_t = 1)]
    pub count: usize,
    /// Provers at once, in place of what follows from the memory limit. On a GPU one proves at a time, and the others prepare.
    #[arg(long, env = "PROVOST_PROVER_PERMITS")]
    pub prover_permits: Option<usize>,
    /// Memory to plan for, in GiB, in place of what this machine has.
    #[arg(long)]
    pub memory_gib: Option<u64>,
}

impl ProofArgs {
    /// The memory to plan for, in bytes.
    pub(crate) fn memory(&self) -> anyhow::Result<u64> {
        let limit = self.memory_gib.map(|gib| gib * GIB);
        limit
            .or_else(memory::cgroup_limit)
            .context("cannot read this machine's memory from /proc/meminfo: use --memory-gib")
    }
}

/// What `worker prove` takes.
#[derive(Debug, clap::Args)]
pub struct ProveArgs {
    /// What to prove.
    #[command(flatten)]
    pub proofs: ProofArgs,
    /// First prove something whose answer is known, and end with an error if it comes out otherwise.
    #[arg(long, env = "PROVOST_KNOWN_ANSWER")]
    pub known_answer: bool,
}

/// How far to go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Executed, and not proven.
    Execute,
    /// Shard proofs.
    Core,
    /// One proof of constant size.
    #[default]
    Compressed,
}

impl From<Mode> for ProofMode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Execute => Self::UnspecifiedProofMode,
            Mode::Core => Self::Core,
            Mode::Compressed => Self::Compressed,
        }
    }
}

/// The first line of JSON: what it took to be ready.
#[derive(Serialize)]
struct Ready {
    ready: &'static str,
    /// All, in seconds.
    start_seconds: f64,
    /// The program, until its `main`.
    load_seconds: f64,
    /// The look at its device.
    device_seconds: f64,
    #[serde(flatten)]
    steps: Steps,
}

/// A line of JSON for each proof.
#[derive(Serialize)]
struct Line {
    prove_seconds: f64,
    verify_seconds: f64,
    proof_bytes: usize,
    /// Memory of the GPU that was free after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    device_free_bytes: Option<u64>,
}

/// Proves and verifies in this process, whose program took so long to load.
pub async fn prove(args: ProveArgs, loaded: Duration) -> anyhow::Result<()> {
    let main = Instant::now();
    let known_answer = args.known_answer;
    let args = args.proofs;
    let mut orders = Orders::of(&args)?;
    let found = engine::look().await?;
    let device_seconds = main.elapsed().as_secs_f64();
    let machine = Machine {
        class: Class::All,
        limit_bytes: args.memory()?,
        pinned_bytes: found.pinned_bytes,
        units: Units::default(),
    };
    let plan = memory::plan(machine, None, args.prover_permits)?;
    let how = Build {
        opts: engine::core_opts(&plan),
        permits: plan.prover_permits,
        known_answer,
    };
    let (node, steps) = engine::build(how, |builder| async move {
        SP1LocalNodeBuilder::from_worker_client_builder(builder)
            .build()
            .await
    })
    .await?;
    // With it would end the tasks that hold the provers, as `engine::ProveEngine` does: they stay until the process ends.
    let node = ManuallyDrop::new(node);
    tracing::info!(?steps, "engine built");
    tell(&Ready {
        ready: "prove",
        start_seconds: (loaded + main.elapsed()).as_secs_f64(),
        load_seconds: loaded.as_secs_f64(),
        device_seconds,
        steps,
    })?;
    while let Some(order) = orders.next().await? {
        let output = args.output.as_deref().filter(|_| orders.is_last());
        let line = prove_one(&node, &order, output).await;
        orders.tell(&order.what, line)?;
    }
    orders.end()
}

async fn prove_one(
    node: &SP1LocalNode,
    order: &Order,
    output: Option<&Path>,
) -> anyhow::Result<Line> {
    if order.mode == Mode::Execute {
        bail!("`worker prove` makes proofs: use `worker execute`, or `worker solo`");
    }
    let (elf, stdin) = (order.program.elf()?, order.program.stdin()?);
    let started = Instant::now();
    let proof = node
        .prove_with_mode(&elf, stdin, SP1Context::default(), order.mode.into())
        .await?;
    let prove_seconds = started.elapsed().as_secs_f64();
    let vk = node.setup(&elf).await?;
    let started = Instant::now();
    node.verify(&vk, &proof.proof)?;
    let verify_seconds = started.elapsed().as_secs_f64();
    let proof = sp1_sdk::SP1ProofWithPublicValues::from(proof);
    if let Some(path) = output {
        proof.save(path)?;
    }
    Ok(Line {
        prove_seconds,
        verify_seconds,
        proof_bytes: bincode::serialized_size(&proof)?.try_into()?,
        device_free_bytes: engine::device_free_bytes().await,
    })
}
