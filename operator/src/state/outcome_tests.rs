#![allow(clippy::unwrap_used)]

use super::*;
use provost_coordinator::ProofProgress;
use std::collections::BTreeMap;

pub(in crate::state) fn outcome(result: ProofResult) -> ProofOutcome {
    let proof = "ns/p/u".into();
    let progress = ProofProgress {
        proof,
        run: 0,
        tasks: BTreeMap::new(),
        done: 0,
        total: 0,
        started_at: None,
        gpu_ms: 0,
        shards: None,
    };
    ProofOutcome {
        proof: "ns/p/u".into(),
        result,
        progress,
        created_at: 0,
        finished_at: 1,
    }
}

fn succeeded(extra: &str) -> ProofOutcome {
    outcome(ProofResult::Succeeded {
        extra_data: extra.into(),
    })
}

fn spec(mode: Mode) -> ProofRequestSpec {
    ProofRequestSpec {
        mode,
        ..ProofRequestSpec::default()
    }
}

fn stored(info: Option<ObjectInfo>) -> Option<StoredProof> {
    Some(StoredProof {
        artifact: "a".into(),
        info,
    })
}

fn info() -> Option<ObjectInfo> {
    Some(ObjectInfo {
        size: 9,
        sha256: Some("ab".into()),
    })
}

#[test]
fn execute_succeeds_with_any_exit_code() {
    let json = r#"{"cycles":5,"gas":6,"exit_code":3,"public_values_hash":"aa"}"#;
    let Change::Succeeded {
        execution: Some(execution),
        proof: None,
    } = change(&spec(Mode::Execute), &succeeded(json), None)
    else {
        panic!("not succeeded");
    };
    assert_eq!(
        (execution.cycles, execution.gas, execution.exit_code),
        (5, Some(6), Some(3))
    );
}

#[test]
fn a_proof_is_described_by_the_store() {
    let json = r#"{"cycles":5,"exit_code":0,"vk_hash":"0x1","proof_size":1}"#;
    let outcome = succeeded(json);
    assert!(claims_proof(&spec(Mode::Core), &outcome));
    let Change::Succeeded {
        proof: Some(proof), ..
    } = change(&spec(Mode::Core), &outcome, stored(info()))
    else {
        panic!("not succeeded");
    };
    assert_eq!(
        (
            proof.size_bytes,
            proof.sha256.as_str(),
            proof.vk_hash.as_deref()
        ),
        (9, "ab", Some("0x1"))
    );
    assert_eq!(proof.sp1_version, "v6.1.0");
}

#[test]
fn a_proof_that_is_not_there_is_no_success() {
    let Change::Failed { failure, .. } = change(&spec(Mode::Core), &succeeded("{}"), stored(None))
    else {
        panic!("not failed")
    };
    assert_eq!(failure.class, FailureClass::Bug);
}

#[test]
fn a_non_zero_exit_or_too_much_gas_is_the_programs_fault() {
    let Change::Failed { failure, .. } = change(
        &spec(Mode::Core),
        &succeeded(r#"{"exit_code":1}"#),
        stored(info()),
    ) else {
        panic!("not failed");
    };
    assert_eq!(failure.class, FailureClass::ProgramFault);
    let mut limited = spec(Mode::Execute);
    limited.limits.gas = Some(5);
    let Change::Failed { failure, .. } =
        change(&limited, &succeeded(r#"{"cycles":1,"gas":6}"#), None)
    else {
        panic!("not failed");
    };
    assert!(failure.message.contains("spec.limits.gas is 5"));
}

#[test]
fn failures_keep_class_task_and_message() {
    let failure = provost_coordinator::Failure::new(
        provost_coordinator::FailureClass::OutOfMemory,
        "pool small",
    )
    .of("t1".into(), provost_proto::worker::TaskType::ProveShard);
    let outcome = outcome(ProofResult::Failed {
        failure,
        extra_data: "not json".into(),
    });
    let Change::Failed {
        failure,
        execution: None,
    } = change(&spec(Mode::Core), &outcome, None)
    else {
        panic!("not failed")
    };
    assert_eq!(failure.class, FailureClass::OutOfMemory);
    assert_eq!(
        (failure.task.as_deref(), failure.task_type.as_deref()),
        (Some("t1"), Some("ProveShard"))
    );
}

#[test]
fn a_cycle_limit_exceeded_names_the_field() {
    let failure = provost_coordinator::Failure::new(
        provost_coordinator::FailureClass::ProgramFault,
        "exceeded cycle limit of 100",
    );
    let outcome = outcome(ProofResult::Failed {
        failure,
        extra_data: String::new(),
    });
    let mut limited = spec(Mode::Core);
    limited.limits.cycles = Some(100);
    let Change::Failed { failure, .. } = change(&limited, &outcome, None) else {
        panic!("not failed")
    };
    assert!(
        failure.message.contains("spec.limits.cycles is 100"),
        "{}",
        failure.message
    );
}
