//! A lost device is no task's fault.
#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use provost_device::DeviceError;
use provost_link::Outcome;
use provost_worker::tasks::device::{PATIENCE, judge};

fn failed() -> Outcome {
    Outcome::Failed {
        class: "Bug".to_owned(),
        retryable: false,
        message: "panic: it broke".to_owned(),
    }
}

fn lost() -> DeviceError {
    DeviceError::Driver("CUDA_ERROR_ECC_UNCORRECTABLE".to_owned())
}

#[tokio::test]
async fn a_task_that_failed_on_a_lost_device_goes_to_another_worker() {
    let poisoned = AtomicBool::new(false);
    let judged = judge(failed(), || Err(lost()), PATIENCE, &poisoned).await;
    let Outcome::Failed {
        class,
        retryable,
        message,
    } = judged
    else {
        panic!("{judged:?}");
    };
    assert_eq!((class.as_str(), retryable), ("NodeLost", true));
    assert!(
        message.contains("ECC") && message.contains("it broke"),
        "{message}"
    );
    assert!(poisoned.load(Ordering::Acquire));
}

#[tokio::test]
async fn a_device_that_does_not_answer_is_lost() {
    let poisoned = AtomicBool::new(false);
    let (_keep, never) = std::sync::mpsc::channel::<()>();
    let find = move || {
        let _ = never.recv_timeout(Duration::from_secs(1));
        Ok(None)
    };
    let Outcome::Failed { message, .. } =
        judge(failed(), find, Duration::from_millis(20), &poisoned).await
    else {
        panic!("it did not fail");
    };
    assert!(message.contains("does not answer"), "{message}");
}

#[tokio::test]
async fn other_failures_are_the_tasks_own() {
    let poisoned = AtomicBool::new(false);
    assert_eq!(
        judge(failed(), || Ok(None), PATIENCE, &poisoned).await,
        failed()
    );
    let done = Outcome::Completed(String::new());
    assert_eq!(
        judge(done.clone(), || Err(lost()), PATIENCE, &poisoned).await,
        done
    );
    assert!(!poisoned.load(Ordering::Acquire));
}
