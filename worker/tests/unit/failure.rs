//! How faults are sorted: what is the program's own, and what is infrastructure.
#![allow(clippy::unwrap_used)]

use provost_artifacts::StoreError;
use provost_worker::failure::{Failure, FailureClass, PIPELINE_BROKE};
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

    // SP1 itself calls both final.
    for killed in [
        ExecutionError::ChildKilled(),
        ExecutionError::KilledByMemoryMonitor(1),
    ] {
        let failure = Failure::from_task_error("X", &TaskError::Execution(killed));
        assert_eq!(
            (failure.class, failure.retryable),
            (FailureClass::OutOfMemory, true)
        );
    }
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
fn an_executor_process_that_breaks_is_no_fault_of_the_program() {
    for said in [
        "failed to spawn child process: Resource temporarily unavailable (os error 11)",
        "failed sending input to child: Broken pipe (os error 32)",
        "Child native executor crashed, details: CrashDetails { signal: 7 }",
        "Child native executor terminated abnormally, code: None, signal: Some(7)",
    ] {
        let text = format!("failed to execute chunk: {said}");
        let error = TaskError::Fatal(anyhow::Error::msg(text));
        let failure = Failure::from_task_error("CORE_EXECUTE", &error);
        assert_eq!(
            (failure.class, failure.retryable),
            (FailureClass::Transient, true),
            "{said}"
        );
        assert_eq!(failure.message, said);
    }
    // A program can make its executor exit so.
    let error = TaskError::Fatal(anyhow::anyhow!(
        "failed to execute chunk: Child native executor terminated abnormally, code: Some(101), signal: None"
    ));
    let failure = Failure::from_task_error("CORE_EXECUTE", &error);
    assert_eq!(failure.class, FailureClass::ProgramFault);
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

/// As SP1 passes on that a part of its pipelines panicked.
async fn panicked(message: &'static str) -> TaskError {
    let task = tokio::spawn(async move { panic!("{message}") });
    let error = anyhow::Error::from(task.await.unwrap_err());
    TaskError::Fatal(error.context(PIPELINE_BROKE))
}

#[tokio::test]
async fn a_panic_inside_sp1_is_infrastructure_and_the_process_is_replaced() {
    let error = panicked("index out of bounds").await;
    let failure = Failure::from_task_error("PROVE_SHARD", &error);
    assert_eq!(
        (failure.class, failure.retryable, failure.doubtful),
        (FailureClass::NodeLost, true, true)
    );
    assert!(
        failure.message.contains("index out of bounds"),
        "{}",
        failure.message
    );

    let text = "splicer task panicked: task 12 panicked";
    let error = TaskError::Execution(ExecutionError::Other(text.into()));
    let failure = Failure::from_task_error("CORE_EXECUTE", &error);
    assert_eq!(
        (failure.class, failure.doubtful),
        (FailureClass::NodeLost, true)
    );
}

#[tokio::test]
async fn a_failed_allocation_says_whose_memory_it_was() {
    let whose = match cfg!(feature = "gpu") {
        true => "the GPU has no memory left for SP1, or it fails",
        false => "the machine has no memory left for SP1",
    };
    let unwrapped = "called `Result::unwrap()` on an `Err` value: AllocError { layout: Layout { size: 8, align: 4 } }";
    let out = "called `Result::unwrap()` on an `Err` value: OutOfMemory";
    for said in ["allocation failed", unwrapped, out] {
        let failure = Failure::from_task_error("PROVE_SHARD", &panicked(said).await);
        // A larger worker would not help: it is not the pod's memory limit.
        assert_eq!(
            (failure.class, failure.doubtful),
            (FailureClass::NodeLost, true)
        );
        assert!(failure.message.contains(whose), "{}", failure.message);
    }
}

#[tokio::test]
async fn a_panic_over_the_store_says_nothing_of_the_process() {
    let away = "called `Result::unwrap()` on an `Err` value: artifact store unavailable: refused";
    assert!(away.contains(provost_worker::artifacts::STORE_UNAVAILABLE));
    let failure = Failure::from_task_error("PROVE_SHARD", &panicked(away).await);
    assert_eq!(
        (failure.class, failure.doubtful),
        (FailureClass::StoreUnavailable, false)
    );
    let absent = StoreError::NotFound {
        key: "artifacts/x".to_owned(),
    };
    let failure = Failure::from_panic("PROVE_SHARD", &format!("panic: {absent}"));
    assert_eq!(
        (failure.class, failure.doubtful),
        (FailureClass::Transient, false)
    );
}

#[test]
fn what_does_not_verify_may_be_tried_elsewhere() {
    let finished = format!(
        "{}: out of domain",
        provost_worker::artifacts::INVALID_PROOF
    );
    let error = TaskError::Fatal(anyhow::anyhow!(finished));
    let failure = Failure::from_task_error("CONTROLLER", &error);
    // Whoever puts a proof together is not the one that proved wrongly.
    assert_eq!(
        (failure.class, failure.retryable, failure.doubtful),
        (FailureClass::InvalidProof, true, false)
    );

    let error = TaskError::Retryable(anyhow::anyhow!("shard verification failed: GKR"));
    let failure = Failure::from_task_error("PROVE_SHARD", &error);
    assert_eq!(
        (failure.class, failure.retryable, failure.doubtful),
        (FailureClass::InvalidProof, true, true)
    );
}
