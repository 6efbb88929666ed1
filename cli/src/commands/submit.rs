//! `submit`: a ProofRequest from files and values.

use std::time::Duration;

use ::kube::api::PostParams;
use provost_crds::{Limits, Mode, Program, ProofRequest, ProofRequestSpec, Stdin};

use crate::args::{ObjectForm, SubmitArgs};
use crate::client::kube::Cluster;
use crate::client::transfer::{ArtifactKind, put_artifact};
use crate::client::watch::until_finished;
use crate::error::CliError;
use crate::input::plan::{ProgramPlan, StdinPlan};
use crate::input::{elf, name, plan};
use crate::render::{self, proof, say, time};

/// Named in managedFields as the writer of what the CLI writes.
pub(super) const FIELD_MANAGER: &str = "kubectl-proof";

/// Runs `submit`.
pub(super) async fn run(cluster: &Cluster, args: &SubmitArgs) -> Result<(), CliError> {
    let name = name::choose(args.name.as_deref(), args.generate.as_deref(), &args.elf)?;
    if args.stdin.piped() + usize::from(args.elf.as_os_str() == "-") > 1 {
        return Err(CliError::usage(
            "standard input can be read once: name files for all but one `-`",
        ));
    }
    // Everything local is read and checked before anything is sent.
    let program = plan::program(elf::read(&args.elf)?, args.upload);
    let stdin = plan::stdin(&args.stdin, args.upload)?;
    let spec = ProofRequestSpec {
        program: place_program(cluster, program).await?,
        stdin: place_stdin(cluster, stdin).await?,
        mode: Mode::from(args.mode),
        limits: Limits {
            cycles: args.cycles,
            ..Limits::default()
        },
        ttl_seconds_after_finished: args.ttl.map(seconds),
        ..ProofRequestSpec::default()
    };
    let created = create(cluster, &name, spec).await?;
    if !args.wait.wait {
        return match args.output {
            Some(ObjectForm::Json) => render::print_object(&created),
            Some(ObjectForm::Name) => render::print(&proof::qualified(&name)),
            None => render::print(&format!("{} created", proof::qualified(&name))),
        };
    }
    say(&format!("{} created", proof::qualified(&name)));
    let ended = until_finished(cluster, &name, args.wait.limit()).await?;
    match args.output {
        Some(ObjectForm::Json) => render::print_object(&ended)?,
        Some(ObjectForm::Name) => render::print(&proof::qualified(&name))?,
        None if ended.succeeded() => render::print(&proof::summary(&ended))?,
        None => {}
    }
    if ended.succeeded() {
        Ok(())
    } else {
        Err(proof::failure(&ended))
    }
}

/// Whole ones, as the API counts them; which are too many is the API server's to say.
fn seconds(time: Duration) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}

/// Creates the request.
pub(super) async fn create(
    cluster: &Cluster,
    name: &str,
    spec: ProofRequestSpec,
) -> Result<ProofRequest, CliError> {
    let params = PostParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PostParams::default()
    };
    Ok(cluster
        .proofs()
        .create(&params, &ProofRequest::new(name, spec))
        .await?)
}

/// The program as the spec names it, uploaded if the plan says so.
pub(super) async fn place_program(
    cluster: &Cluster,
    plan: ProgramPlan,
) -> Result<Program, CliError> {
    Ok(match plan {
        ProgramPlan::Inline(text) => Program {
            inline: Some(text),
            ..Program::default()
        },
        ProgramPlan::Upload(data) => {
            say(&format!(
                "uploading the program ({})",
                time::size(data.len() as u64)
            ));
            let id = put_artifact(cluster, ArtifactKind::Program, data).await?;
            Program {
                artifact: Some(id),
                ..Program::default()
            }
        }
    })
}

/// The input as the spec names it, uploaded if the plan says so.
async fn place_stdin(cluster: &Cluster, plan: StdinPlan) -> Result<Option<Stdin>, CliError> {
    Ok(match plan {
        StdinPlan::Nothing => None,
        StdinPlan::Entries(entries) => Some(Stdin {
            entries: Some(entries),
            ..Stdin::default()
        }),
        StdinPlan::Upload(data) => {
            say(&format!(
                "uploading the input ({})",
                time::size(data.len() as u64)
            ));
            let id = put_artifact(cluster, ArtifactKind::Stdin, data).await?;
            Some(Stdin {
                artifact: Some(id),
                ..Stdin::default()
            })
        }
    })
}
