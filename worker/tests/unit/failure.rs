//! How faults are sorted: what is the program's own, and what is infrastructure.

use provost_worker::failure::{Failure, FailureClass};
use sp1_core_executor::ExecutionError;
use sp1_prover::worker::TaskError;

#[test]
fn program_faults_are_final_and_infrastructure_is_not() {
    let cycle_limit = TaskError::Execution(ExecutionError::ExceededCycleLimit(1000));
    let failure = Failure::from_task_error("CORE_EXECUTE", &cycle_limit);
    assert_eq!(
        (failure.class, failure.retryable),
        (FailureClass::ProgramFault, false)
    );

    let other = TaskError::Execution(ExecutionError::Other("connection reset".into()));
    let failure = Failure::from_task_error("CORE_EXECUTE", &other);
    assert_eq!(
        (failure.class, failure.retryable),
        (FailureClass::Transient, true)
    );

    let killed = TaskError::Execution(ExecutionError::ChildKilled());
    assert_eq!(
        Failure::from_task_error("X", &killed).class,
        FailureClass::OutOfMemory
    );
}

#[test]
fn a_chunk_fault_loses_its_prefix() {
    let error = TaskError::Fatal(anyhow::anyhow!(
        "failed to execute chunk: breakpoint encountered"
    ));
    let failure = Failure::from_task_error("CORE_EXECUTE", &error);
    assert_eq!(failure.class, FailureClass::ProgramFault);
    assert_eq!(failure.message, "breakpoint encountered");
}

#[test]
fn an_unreachable_store_is_told_apart() {
    let status = tonic::Status::unavailable(format!(
        "{}: refused",
        provost_worker::artifacts::STORE_UNAVAILABLE
    ));
    let failure =
        Failure::from_task_error("PROVE_SHARD", &TaskError::from(anyhow::Error::from(status)));
    assert_eq!(
        (failure.class, failure.retryable),
        (FailureClass::StoreUnavailable, true)
    );
}
