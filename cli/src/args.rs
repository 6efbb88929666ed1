//! The command line.

pub(crate) mod duration;
pub(crate) mod mode;
pub(crate) mod stdin;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::error::EXIT_CODE_HELP;
use mode::ModeArg;
use stdin::StdinArgs;

/// Submit, watch, fetch and verify the proofs of a Provost cluster.
#[derive(Debug, Parser)]
#[command(name = "kubectl-proof", bin_name = "kubectl proof", version, after_help = EXIT_CODE_HELP)]
#[command(arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Which cluster and namespace, by kubectl's own flags.
#[derive(Debug, Args)]
#[command(next_help_heading = "Cluster")]
pub(crate) struct ClusterArgs {
    /// The kubeconfig file; otherwise $KUBECONFIG, then ~/.kube/config
    #[arg(long, global = true, value_name = "PATH")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) context: Option<String>,
    /// The namespace of the proof; otherwise that of the context
    #[arg(short, long, global = true, value_name = "NAME")]
    pub(crate) namespace: Option<String>,
    /// The namespace that Provost itself runs in
    #[arg(
        long,
        global = true,
        value_name = "NAME",
        default_value = "provost-system",
        env = "PROVOST_SYSTEM_NAMESPACE"
    )]
    pub(crate) system_namespace: String,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Ask for a proof of a program
    Submit(SubmitArgs),
    /// List proofs, or show one
    Get(GetArgs),
    /// Wait for the end of a proof and show its progress
    Wait(FollowArgs),
    /// Fetch a finished proof as sp1-sdk's SP1ProofWithPublicValues::load reads it
    Download(DownloadArgs),
    /// Check a proof against your own ELF, with SP1's verifier, on this machine
    Verify(VerifyArgs),
    /// End a proof that is no longer wanted
    Cancel(CancelArgs),
    /// Tell why a proof stands where it stands
    Why(WhyArgs),
    /// Measure how fast this cluster proves
    #[command(subcommand)]
    Bench(BenchCommand),
}

/// Arguments of `submit`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODE_HELP)]
pub(crate) struct SubmitArgs {
    /// The program: an ELF for rv64im, as SP1's toolchain builds it
    #[arg(value_name = "ELF")]
    pub(crate) elf: PathBuf,
    #[command(flatten)]
    pub(crate) stdin: StdinArgs,
    /// What to produce
    #[arg(long, default_value = "compressed", ignore_case = true, value_enum)]
    pub(crate) mode: ModeArg,
    /// The name of the ProofRequest
    #[arg(long, value_name = "NAME", conflicts_with = "generate")]
    pub(crate) name: Option<String>,
    /// A prefix to which five random characters are added; by default the ELF's file name
    #[arg(long, value_name = "PREFIX")]
    pub(crate) generate: Option<String>,
    /// Fail when the program runs for more cycles than this
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
    pub(crate) cycles: Option<i64>,
    /// Delete the ProofRequest, and its proof, this long after its end (10m, 1h30m; 0 at once); by default both stay until you delete it
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    pub(crate) ttl: Option<Duration>,
    /// Always send the ELF and the input as artifacts, even when they are small enough to be part of the object
    #[arg(long)]
    pub(crate) upload: bool,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
    /// Print the created object in this form instead of a line
    #[arg(short, long, value_enum, value_name = "FORM")]
    pub(crate) output: Option<ObjectForm>,
}

/// Whether and how long to wait.
#[derive(Debug, Clone, Args)]
pub(crate) struct WaitArgs {
    /// Wait for the end and show the progress
    #[arg(long)]
    pub(crate) wait: bool,
    /// Give up waiting after this time (90s, 10m, 1h30m); 0 waits for ever
    #[arg(long, value_name = "TIME", default_value = "0", value_parser = duration::parse, requires = "wait")]
    timeout: Duration,
}

impl WaitArgs {
    /// The limit; none when it is zero.
    pub(crate) fn limit(&self) -> Option<Duration> {
        limit(self.timeout)
    }
}

/// Zero is no limit.
fn limit(timeout: Duration) -> Option<Duration> {
    (!timeout.is_zero()).then_some(timeout)
}

/// How a single object is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ObjectForm {
    /// The whole object
    Json,
    /// proofrequest.provost.dev/NAME
    Name,
}

/// Arguments of `get`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODE_HELP)]
pub(crate) struct GetArgs {
    /// One proof; without it, all of the namespace
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// The proofs of every namespace
    #[arg(short = 'A', long, conflicts_with = "name")]
    pub(crate) all_namespaces: bool,
    /// Only those with these labels
    #[arg(short = 'l', long, value_name = "LABELS", conflicts_with = "name")]
    pub(crate) selector: Option<String>,
    /// The form of the answer
    #[arg(short, long, value_enum, value_name = "FORM")]
    pub(crate) output: Option<ListForm>,
}

/// How objects are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListForm {
    /// The objects as they are
    Json,
    /// proofrequest.provost.dev/NAME, one a line
    Name,
    /// The table with the program and the message
    Wide,
}

/// Arguments of `wait`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODE_HELP)]
pub(crate) struct FollowArgs {
    /// The proof to wait for
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Give up waiting after this time (90s, 10m, 1h30m); 0 waits for ever
    #[arg(long, value_name = "TIME", default_value = "0", value_parser = duration::parse)]
    timeout: Duration,
}

impl FollowArgs {
    /// The limit; none when it is zero.
    pub(crate) fn limit(&self) -> Option<Duration> {
        limit(self.timeout)
    }
}

/// Arguments of `download`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODE_HELP)]
pub(crate) struct DownloadArgs {
    /// The proof to fetch
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Where to write it; by default NAME.proof. An existing file is replaced once the whole proof is there
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// Arguments of `verify`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODE_HELP)]
#[command(group(clap::ArgGroup::new("source").required(true).args(["name", "proof"])))]
pub(crate) struct VerifyArgs {
    /// The proof to fetch and check
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// A proof file to check, as `download` writes it
    #[arg(long, value_name = "FILE")]
    pub(crate) proof: Option<PathBuf>,
    /// The program that the proof must be of: your own file, never one from the cluster
    #[arg(long, value_name = "ELF")]
    pub(crate) elf: PathBuf,
}

/// Arguments of `cancel`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODE_HELP)]
pub(crate) struct CancelArgs {
    /// The proof to end
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
}

/// Arguments of `why`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODE_HELP)]
pub(crate) struct WhyArgs {
    /// The proof to explain
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
}

/// What to measure.
#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    /// Prove the Fibonacci program, long enough to run for about so many million cycles
    Fibonacci(FibonacciArgs),
}

/// Arguments of `bench fibonacci`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODE_HELP)]
pub(crate) struct FibonacciArgs {
    /// Millions of cycles to execute; fractions are fine
    #[arg(value_name = "MCYCLES", value_parser = positive)]
    pub(crate) mcycles: f64,
    /// How many proofs, one after the other
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) count: u32,
    /// What to produce
    #[arg(long, default_value = "compressed", ignore_case = true, value_enum)]
    pub(crate) mode: ModeArg,
    /// The form of the result
    #[arg(short, long, value_enum, value_name = "FORM")]
    pub(crate) output: Option<BenchForm>,
    /// Another program: reads one u32 and runs a number of cycles that grows evenly with it
    #[arg(long, value_name = "PATH")]
    pub(crate) elf: Option<PathBuf>,
    /// Keep the ProofRequests; by default they are deleted at the end
    #[arg(long)]
    pub(crate) keep: bool,
    /// Give up on one proof after this time (90s, 10m, 1h30m); 0 waits for ever
    #[arg(long, value_name = "TIME", default_value = "0", value_parser = duration::parse)]
    timeout: Duration,
}

impl FibonacciArgs {
    /// The limit; none when it is zero.
    pub(crate) fn limit(&self) -> Option<Duration> {
        limit(self.timeout)
    }
}

/// How the result of a benchmark is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum BenchForm {
    /// Every run and the summary, for programs
    Json,
}

/// Reads a number above zero.
fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && value > 0.0 => Ok(value),
        _ => Err(format!(
            "`{text}` is not a number above zero: 1 is a million cycles, 0.02 twenty thousand"
        )),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_of_the_cluster_stand_before_or_after_the_command() {
        for line in [
            ["kubectl-proof", "-n", "a", "--context", "c", "get"],
            ["kubectl-proof", "get", "--context", "c", "-n", "a"],
        ] {
            let cli = Cli::try_parse_from(line).unwrap();
            assert_eq!(cli.cluster.namespace.as_deref(), Some("a"));
            assert_eq!(cli.cluster.context.as_deref(), Some("c"));
        }
    }

    #[test]
    fn modes_are_read_in_any_case() {
        for text in ["Core", "core", "CORE"] {
            let cli =
                Cli::try_parse_from(["kubectl-proof", "submit", "x.elf", "--mode", text]).unwrap();
            let Command::Submit(args) = cli.command else {
                panic!("submit")
            };
            assert_eq!(args.mode, ModeArg::Core);
        }
    }

    #[test]
    fn a_timeout_needs_wait() {
        assert!(Cli::try_parse_from(["kubectl-proof", "cancel", "x", "--timeout", "1m"]).is_err());
        let cli =
            Cli::try_parse_from(["kubectl-proof", "cancel", "x", "--wait", "--timeout", "1m"])
                .unwrap();
        let Command::Cancel(args) = cli.command else {
            panic!("cancel")
        };
        assert_eq!(args.wait.limit(), Some(Duration::from_secs(60)));
        let cli = Cli::try_parse_from(["kubectl-proof", "cancel", "x", "--wait"]).unwrap();
        let Command::Cancel(args) = cli.command else {
            panic!("cancel")
        };
        assert_eq!(args.wait.limit(), None);
    }

    #[test]
    fn verify_takes_a_name_or_a_file() {
        let verify =
            |args: &[&str]| Cli::try_parse_from([&["kubectl-proof", "verify"], args].concat());
        assert!(verify(&["x", "--elf", "e"]).is_ok());
        assert!(verify(&["--proof", "p", "--elf", "e"]).is_ok());
        assert!(verify(&["x", "--proof", "p", "--elf", "e"]).is_err());
        assert!(verify(&["--elf", "e"]).is_err());
        assert!(verify(&["x"]).is_err(), "the ELF is the user's own");
    }

    #[test]
    fn megacycles_are_above_zero() {
        assert_eq!(positive("0.5"), Ok(0.5));
        for text in ["0", "-1", "nan", "inf", "x"] {
            assert!(positive(text).is_err(), "{text}");
        }
    }
}
