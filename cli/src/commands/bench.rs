//! `bench`: how fast this cluster proves, as a user sees it.

mod calibration;
mod session;

use ::kube::ResourceExt;
use provost_crds::{Mode, Program, ProofRequest};

use crate::args::{BenchCommand, BenchForm, FibonacciArgs};
use crate::client::kube::Cluster;
use crate::client::watch::Interrupt;
use crate::commands::submit;
use crate::error::CliError;
use crate::input::{elf, plan};
use crate::render::bench::{Report, Run};
use crate::render::{self, say};

use calibration::{Line, PROBES};
use session::Session;

/// The Fibonacci guest of `guests/`: reads `n` as a u32 and loops `n` times.
const FIBONACCI: &[u8] = include_bytes!("../../../guests/prebuilt/fibonacci.elf");

/// Runs `bench`.
pub(super) async fn run(cluster: &Cluster, command: &BenchCommand) -> Result<(), CliError> {
    let BenchCommand::Fibonacci(args) = command;
    let elf = match &args.elf {
        Some(path) => elf::read(path)?,
        None => FIBONACCI.to_vec(),
    };
    let program = submit::place_program(cluster, plan::program(elf, false)).await?;
    let mut session = Session::new(cluster, program, args.limit(), Interrupt::listen()?);
    let result = measure(&mut session, args).await;
    if !args.keep {
        session.clean_up().await;
    }
    let report = result?;
    match args.output {
        Some(BenchForm::Json) => render::print_json(&report),
        None => render::print(&report.text()),
    }
}

/// Learns how the program's cycles grow with its input, then proves it `count` times.
async fn measure(session: &mut Session<'_>, args: &FibonacciArgs) -> Result<Report, CliError> {
    let mut cycles = [0; PROBES.len()];
    for (cycles, n) in cycles.iter_mut().zip(PROBES) {
        *cycles = executed(&session.run(Mode::Execute, n).await?)?;
    }
    let line = Line::through(cycles)?;
    let n = line.iterations(args.mcycles * 1e6)?;
    let mode = Mode::from(args.mode);
    say(&format!(
        "{} cycles an iteration: {mode} with n = {n}, about {:.0} cycles, {} times",
        line.per_iteration,
        line.cycles(n),
        args.count
    ));
    let mut runs = Vec::new();
    for _ in 0..args.count {
        runs.push(sample(&session.run(mode, n).await?)?);
    }
    Ok(Report::new(
        mode.to_string(),
        args.mcycles,
        n,
        line.per_iteration,
        runs,
    ))
}

/// The measured times of a finished proof.
fn sample(proof: &ProofRequest) -> Result<Run, CliError> {
    let missing = |what: &str| {
        CliError::failed(
            "UnexpectedAnswer",
            format!("{} has no {what} in its status", proof.name_any()),
        )
    };
    let timings = proof
        .status
        .as_ref()
        .and_then(|s| s.timings.clone())
        .unwrap_or_default();
    let seconds =
        |millis: Option<i64>, what| millis.map(|m| m as f64 / 1e3).ok_or_else(|| missing(what));
    Ok(Run::new(
        proof.name_any(),
        executed(proof)?,
        seconds(timings.queue_millis, "timings.queueMillis")?,
        seconds(timings.prove_millis, "timings.proveMillis")?,
        seconds(timings.total_millis, "timings.totalMillis")?,
    ))
}

/// The cycles of the execution report.
fn executed(proof: &ProofRequest) -> Result<i64, CliError> {
    let execution = proof.status.as_ref().and_then(|s| s.execution.as_ref());
    execution.map(|e| e.cycles).ok_or_else(|| {
        CliError::failed(
            "UnexpectedAnswer",
            format!("{} has no execution.cycles in its status", proof.name_any()),
        )
    })
}

/// The program, ready for one more request.
fn spec(program: &Program, mode: Mode, n: u32) -> provost_crds::ProofRequestSpec {
    let entry = provost_crds::StdinEntry {
        u32: Some(n),
        ..Default::default()
    };
    provost_crds::ProofRequestSpec {
        program: program.clone(),
        stdin: Some(provost_crds::Stdin {
            entries: Some(vec![entry]),
            ..Default::default()
        }),
        mode,
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::render::tests::proof;

    #[test]
    fn the_embedded_program_is_one() {
        assert!(FIBONACCI.starts_with(b"\x7fELF"));
    }

    #[test]
    fn a_sample_needs_times_and_cycles() {
        let mut done = proof("True", "Succeeded", "");
        assert!(
            sample(&done)
                .unwrap_err()
                .to_string()
                .contains("execution.cycles")
        );
        let status = done.status.as_mut().unwrap();
        status.execution = serde_json::from_value(json!({"cycles": 2_000_000})).unwrap();
        status.timings = serde_json::from_value(
            json!({"queueMillis": 50, "proveMillis": 4000, "totalMillis": 4050}),
        )
        .unwrap();
        let run = sample(&done).unwrap();
        assert_eq!(
            (run.queue_seconds, run.prove_seconds, run.total_seconds),
            (0.05, 4.0, 4.05)
        );
        assert_eq!(run.mhz, Some(0.5));
    }

    #[test]
    fn each_request_reads_one_number() {
        let program = Program {
            artifact: Some("program_ab".into()),
            ..Program::default()
        };
        assert_eq!(
            serde_json::to_value(spec(&program, Mode::Core, 9)).unwrap()["stdin"],
            json!({"entries": [{"u32": 9}]})
        );
    }
}
