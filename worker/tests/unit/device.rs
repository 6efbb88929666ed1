//! A lost device is no task's fault, nor is a process in doubt.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use provost_device::{Device, DeviceError};
use provost_link::Outcome;
use provost_worker::engine::in_time;
use provost_worker::health::{Doubt, Health};
use provost_worker::tasks::device::{PATIENCE, judge, watch};

fn failed(class: &str) -> Outcome {
    Outcome::Failed {
        class: class.to_owned(),
        retryable: true,
        message: "it broke".to_owned(),
    }
}

fn lost() -> DeviceError {
    DeviceError::Driver("CUDA_ERROR_ECC_UNCORRECTABLE".to_owned())
}

fn class_and_message(outcome: Outcome) -> (String, String) {
    match outcome {
        Outcome::Failed { class, message, .. } => (class, message),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_task_that_failed_on_a_lost_device_goes_to_another_worker() {
    let health = Health::default();
    let judged = judge(failed("Transient"), None, || Err(lost()), PATIENCE, &health);
    let (class, message) = class_and_message(judged.await);
    assert_eq!(class, "NodeLost");
    assert!(
        message.contains("ECC") && message.contains("it broke"),
        "{message}"
    );
    assert!(matches!(health.known(), Some(Doubt::Device(_))));
    assert!(health.device_lost().await.contains("ECC"));
}

#[tokio::test]
async fn a_device_that_does_not_answer_is_lost() {
    let health = Health::default();
    let (_keep, never) = std::sync::mpsc::channel::<()>();
    let find = move || {
        let _ = never.recv_timeout(Duration::from_secs(1));
        Ok(None)
    };
    let patience = Duration::from_millis(20);
    let judged = judge(failed("Transient"), None, find, patience, &health);
    let (_, message) = class_and_message(judged.await);
    assert!(message.contains("does not answer"), "{message}");
}

#[tokio::test]
async fn a_worker_that_starts_does_not_wait_for_a_driver_that_hangs() {
    let (_keep, never) = std::sync::mpsc::channel::<()>();
    let look = move || {
        let _ = never.recv_timeout(Duration::from_secs(1));
        Ok(())
    };
    let hung = in_time(Duration::from_millis(20), look).await;
    assert_eq!(hung, Err(DeviceError::Hangs(Duration::from_millis(20))));
    let broke = in_time::<()>(PATIENCE, || panic!("out of SP1")).await;
    assert_eq!(broke.unwrap_err().reason(), "DriverError");
}

#[tokio::test]
async fn other_failures_are_the_tasks_own() {
    let health = Health::default();
    let failed = failed("Transient");
    let judged = judge(failed.clone(), None, || Ok(None), PATIENCE, &health).await;
    assert_eq!(judged, failed);
    let done = Outcome::Completed(String::new());
    let judged = judge(done.clone(), None, || Err(lost()), PATIENCE, &health).await;
    assert_eq!(judged, done);
    assert_eq!(health.known(), None);
}

#[tokio::test]
async fn what_fails_in_a_process_in_doubt_goes_to_another_worker() {
    let health = Health::default();
    let doubt = || Some(Doubt::Prover("PROVE_SHARD: panic: index".to_owned()));
    let judge = async |class| {
        let judged = judge(failed(class), doubt(), || Ok(None), PATIENCE, &health);
        class_and_message(judged.await)
    };
    let (class, message) = judge("Transient").await;
    assert_eq!(class, "NodeLost");
    assert!(
        message.contains("panic: index") && message.contains("it broke"),
        "{message}"
    );
    // Those say what they say anywhere.
    assert_eq!(judge("ProgramFault").await.0, "ProgramFault");
    assert_eq!(judge("StoreUnavailable").await.0, "StoreUnavailable");
}

#[tokio::test]
async fn a_device_is_looked_at_while_tasks_run_alone() {
    let health = Health::default();
    let looks = Arc::new(AtomicUsize::new(0));
    let counted = looks.clone();
    let find = move || -> Result<Option<Device>, DeviceError> {
        match counted.fetch_add(1, Ordering::Relaxed) {
            0 => Ok(None),
            _ => Err(lost()),
        }
    };
    let every = Duration::from_millis(1);
    let idle = watch(find.clone(), || false, every, PATIENCE, &health);
    let idle = tokio::time::timeout(Duration::from_millis(50), idle).await;
    assert!(idle.is_err() && looks.load(Ordering::Relaxed) == 0);
    watch(find, || true, every, PATIENCE, &health).await;
    assert_eq!(looks.load(Ordering::Relaxed), 2);
    assert!(health.device_lost().await.contains("ECC"));
}

#[tokio::test]
async fn the_gravest_doubt_counts() {
    let health = Health::default();
    let text = |text: &str| text.to_owned();
    health.doubt(Doubt::Prover(text("first")));
    health.doubt(Doubt::Executor(text("lighter")));
    health.doubt(Doubt::Prover(text("second")));
    assert_eq!(health.known(), Some(Doubt::Prover(text("first"))));
    health.doubted().await;
    health.doubt(Doubt::Device(text("gone")));
    assert_eq!(health.known(), Some(Doubt::Device(text("gone"))));
}
