//! Step 4: gives the proof to the coordinator, unless it is finished already.

use std::collections::BTreeMap;

use provost_artifacts::ObjectInfo;
use provost_coordinator::{Coordinator, ProofSpec, RecoveredProof, Refusal, Root, task_type};
use provost_crds::{Limits, Mode, ProofRequest, ProofRequestStatus, ProvingTask};
use provost_proto::worker::TaskType;

use super::prepare::Prepared;
use crate::inputs::{Inputs, InputsError};
use crate::key::{ProofKey, created_ms};
use crate::state::{attempts, shards};

/// Why a proof was not started.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The coordinator refused it.
    #[error("the coordinator refused the proof: {0}")]
    Refused(Refusal),
    /// The store failed.
    #[error(transparent)]
    Store(InputsError),
}

impl SubmitError {
    /// Stable name of the error.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.reason(),
            Self::Store(error) => error.reason(),
        }
    }

    /// Whether the store is to blame.
    pub fn is_store(&self) -> bool {
        matches!(self, Self::Store(_))
    }
}

/// The finished proof of an earlier operator, which did not come to write it down. Only a request that was queued before can have one.
///
/// # Errors
/// The store fails.
pub async fn finished_before(
    inputs: &Inputs,
    request: &ProofRequest,
    key: &ProofKey,
) -> Result<Option<ObjectInfo>, SubmitError> {
    if request.spec.mode == Mode::Execute || !queued_before(request) {
        return Ok(None);
    }
    inputs
        .proof_info(&key.proof_artifact(created_ms(request)))
        .await
        .map_err(SubmitError::Store)
}

/// Whether an operator has queued the request before.
pub fn queued_before(request: &ProofRequest) -> bool {
    let timings = request
        .status
        .as_ref()
        .and_then(|status| status.timings.as_ref());
    timings.is_some_and(|timings| timings.queued_at.is_some())
}

/// Gives the proof to the coordinator, in a run after `last_run` and after what its status says. Doing it again changes nothing.
///
/// # Errors
/// The coordinator refuses it.
pub async fn submit(
    coordinator: &Coordinator,
    request: &ProofRequest,
    key: &ProofKey,
    prepared: &Prepared,
    last_run: Option<u32>,
) -> Result<(), SubmitError> {
    let spec = ProofSpec {
        first_run: first_run(request, last_run),
        ..spec(request, key, prepared)
    };
    let root = coordinator
        .submit_proof(spec)
        .await
        .map_err(SubmitError::Refused)?;
    tracing::info!(proof = %key, mode = %request.spec.mode, %root, "proof queued");
    Ok(())
}

/// A proof that an earlier leader had begun, from what it wrote down. `None` if it had not come to store the inputs.
pub fn recovered(
    request: &ProofRequest,
    key: &ProofKey,
    root: &ProvingTask,
) -> Option<RecoveredProof> {
    let status = request.status.as_ref()?;
    let prepared = Prepared {
        program_id: status.program_id.clone()?,
        stdin_id: status.stdin_id.clone()?,
    };
    Some(RecoveredProof {
        spec: spec(request, key, &prepared),
        run: root.spec.run,
        root: root.spec.task_id.as_str().into(),
        attempts: attempts::recovered(&root.spec.failed_attempts),
        gpu_ms: gpu_ms(status),
        shards: root.spec.shard_size.map(shards::recovered),
        succeeded: succeeded(status, root.spec.run),
        finished: false,
    })
}

/// How many tasks of the run had succeeded, by type. Nothing where the status is still of an earlier run.
fn succeeded(status: &ProofRequestStatus, run: u32) -> BTreeMap<TaskType, u32> {
    let tasks = status.tasks.iter().filter(|_| status.run == Some(run));
    let counts = tasks.filter_map(|(name, counts)| {
        let count = u32::try_from(counts.succeeded).ok()?;
        Some((task_type(name)?, count))
    });
    counts.collect()
}

fn gpu_ms(status: &ProofRequestStatus) -> u64 {
    let seconds = status.gpu_seconds.unwrap_or_default();
    u64::try_from(seconds)
        .unwrap_or_default()
        .saturating_mul(1000)
}

/// The proof in the coordinator's terms.
fn spec(request: &ProofRequest, key: &ProofKey, prepared: &Prepared) -> ProofSpec {
    let limits = &request.spec.limits;
    let created = created_ms(request);
    let execute = request.spec.mode == Mode::Execute;
    ProofSpec {
        proof_id: key.proof_id().into(),
        kind: if execute { Root::Execute } else { Root::Prove },
        inputs: vec![
            prepared.program_id.clone(),
            prepared.stdin_id.clone(),
            mode(request.spec.mode).into(),
            cycle_limit(limits),
            // No nonce.
            String::new(),
            r#"{"stdin_private":false}"#.into(),
        ],
        outputs: if execute {
            Vec::new()
        } else {
            vec![key.proof_artifact(created)]
        },
        requester: key.namespace.clone(),
        priority: request.spec.priority,
        created_at_ms: created,
        parallelism: limits.parallelism.and_then(|n| u32::try_from(n).ok()),
        max_retries: limits.backoff.and_then(|n| u32::try_from(n).ok()),
        deadline_ms: deadline_ms(request),
        // The operator ends it as Expired itself.
        expires_at_ms: None,
        first_run: 0,
    }
}

/// The run that a start of the request begins: one after the last that is known of.
fn first_run(request: &ProofRequest, last_run: Option<u32>) -> u32 {
    let written = request.status.as_ref().and_then(|status| status.run);
    let last = written.max(last_run);
    last.map_or(0, |last| last.saturating_add(1))
}

/// When the user wants it.
pub(super) fn deadline_ms(request: &ProofRequest) -> Option<i64> {
    let deadline = request.spec.deadline.as_ref()?;
    Some(deadline.0.as_millisecond())
}

/// SP1's number of a proof mode; 0 makes no proof.
fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Execute => "0",
        Mode::Core => "1",
        Mode::Compressed => "2",
        Mode::Plonk => "3",
        Mode::Groth16 => "4",
    }
}

/// SP1 compares cycles with the limit even if it is 0, so that no limit is the largest one.
fn cycle_limit(limits: &Limits) -> String {
    limits
        .cycles
        .and_then(|n| u64::try_from(n).ok())
        .filter(|n| *n > 0)
        .unwrap_or(u64::MAX)
        .to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use provost_crds::{ProofRequestSpec, TaskCounts};

    fn spec_of(mode: Mode, cycles: Option<i64>) -> ProofSpec {
        let deadline = Some(Time("2027-01-31T12:00:00Z".parse().unwrap()));
        let limits = Limits {
            cycles,
            parallelism: Some(7),
            ..Limits::default()
        };
        let request = ProofRequest::new(
            "p",
            ProofRequestSpec {
                mode,
                limits,
                deadline,
                ..ProofRequestSpec::default()
            },
        );
        let key = ProofKey {
            namespace: "ns".into(),
            name: "p".into(),
            uid: "u".into(),
        };
        spec(
            &request,
            &key,
            &Prepared {
                program_id: "program_1".into(),
                stdin_id: "s".into(),
            },
        )
    }

    #[test]
    fn what_succeeded_is_recovered_for_its_own_run_alone() {
        let counts = |succeeded| TaskCounts {
            succeeded,
            running: 2,
            ..TaskCounts::default()
        };
        let tasks = [("ProveShard", 3), ("SetupVkey", 0), ("OfALaterVersion", 1)];
        let tasks = tasks.map(|(name, count)| (name.to_owned(), counts(count)));
        let status = ProofRequestStatus {
            run: Some(1),
            tasks: tasks.into(),
            ..ProofRequestStatus::default()
        };
        let known = BTreeMap::from([(TaskType::ProveShard, 3), (TaskType::SetupVkey, 0)]);
        assert_eq!(succeeded(&status, 1), known);
        assert!(succeeded(&status, 2).is_empty());
        assert!(succeeded(&ProofRequestStatus::default(), 0).is_empty());
    }

    #[test]
    fn a_start_begins_the_run_after_the_last_that_is_known_of() {
        let with = |run| {
            let mut request = ProofRequest::new("p", ProofRequestSpec::default());
            request.status = Some(ProofRequestStatus {
                run,
                ..ProofRequestStatus::default()
            });
            request
        };
        assert_eq!(first_run(&with(None), None), 0);
        assert_eq!(first_run(&with(Some(0)), None), 1);
        assert_eq!(first_run(&with(Some(0)), Some(2)), 3);
        assert_eq!(first_run(&with(None), Some(0)), 1);
    }

    #[test]
    fn the_controllers_inputs_are_in_sp1s_order() {
        let spec = spec_of(Mode::Compressed, Some(1000));
        assert_eq!(
            spec.inputs,
            [
                "program_1",
                "s",
                "2",
                "1000",
                "",
                r#"{"stdin_private":false}"#
            ]
        );
        assert_eq!(
            (spec.kind, spec.outputs.len(), spec.parallelism),
            (Root::Prove, 1, Some(7))
        );
        assert_eq!(&*spec.proof_id, "ns/p/u");
        let noon = "2027-01-31T12:00:00Z".parse::<jiff::Timestamp>().unwrap();
        assert_eq!(spec.deadline_ms, Some(noon.as_millisecond()));
    }

    #[test]
    fn no_limit_is_the_largest_and_execute_has_no_output() {
        let spec = spec_of(Mode::Execute, None);
        assert_eq!((spec.kind, spec.outputs.len()), (Root::Execute, 0));
        assert_eq!(spec.inputs[3], "18446744073709551615");
    }
}
