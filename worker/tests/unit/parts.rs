//! What works on an execution that nobody waits for any more.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use provost_worker::engine::{Executions, Parts, execute};
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

#[test]
fn processes_that_nobody_asks_for_are_taken_in_where_nothing_executes() {
    let executions = Executions::default();
    let mut left = 0;
    let mut begin = |ended: i32| {
        left += ended;
        let (parts, part) = (Parts::default(), Arc::new(()));
        parts.add(&part);
        executions.begin_after(&parts, || {
            left -= 1;
            left >= 0
        });
        left = left.max(0);
        (part, left)
    };
    let (first, left) = begin(2);
    assert_eq!(left, 0, "of those before");
    let (second, left) = begin(1);
    assert_eq!(left, 1, "it may be the first one's own");
    drop(first);
    let (third, left) = begin(1);
    assert_eq!(left, 2, "or the second one's");
    drop((second, third));
    assert_eq!(begin(0).1, 0);
}
