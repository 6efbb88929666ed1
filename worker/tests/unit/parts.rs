//! What works on an execution that nobody waits for any more.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use provost_worker::engine::{Parts, execute};
use sp1_core_executor::SP1CoreOpts;
use sp1_core_machine::io::SP1Stdin;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_execution_that_is_dropped_is_known_to_work_until_its_program_ends() {
    let elf = std::fs::read("../guests/prebuilt/spin.elf").unwrap();
    let mut stdin = SP1Stdin::new();
    // Some seconds, in one chunk.
    stdin.write(&60_000_000_u32);
    let parts = Parts::default();
    let work = execute(&elf, stdin, None, SP1CoreOpts::default(), &parts);
    let ended = tokio::time::timeout(Duration::from_millis(500), work).await;
    assert!(ended.is_err(), "the program is to be longer");
    assert!(!parts.are_gone());
    let gone = tokio::time::timeout(Duration::from_secs(120), parts.gone()).await;
    assert!(gone.is_ok());
}
