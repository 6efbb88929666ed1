//! Message channels.

use bytes::Bytes;
use provost_proto::worker::TaskType::*;
use provost_proto::worker::WorkerType;

use super::env::{Env, Said, p, spec, t, w};
use crate::config::Config;
use crate::ids::TaskId;
use crate::output::ReaderEnd;
use crate::refusal::Refusal;

fn env() -> (Env, TaskId) {
    let mut env = Env::new();
    env.open("a", WorkerType::All, 32);
    env.submit(spec("p"));
    let execute = env.create("a", "p", CoreExecute);
    env.said();
    (env, execute)
}

fn send(env: &mut Env, task: &TaskId, text: &'static str) -> Result<(), Refusal> {
    env.react(|r| r.message_sent(&w("a"), task, Bytes::from_static(text.as_bytes())))
}

fn read(env: &mut Env, task: &TaskId, from: u64, reader: u64) -> Result<(), Refusal> {
    env.react(|r| r.reader_opened(task, from, reader))
}

fn message(reader: u64, text: &'static str) -> Said {
    Said::Message(reader, Bytes::from_static(text.as_bytes()))
}

#[test]
fn a_reader_gets_what_was_sent_and_what_is_sent() {
    let (mut env, execute) = env();
    send(&mut env, &execute, "0").unwrap();
    send(&mut env, &execute, "1").unwrap();
    read(&mut env, &execute, 0, 10).unwrap();
    read(&mut env, &execute, 1, 11).unwrap();
    read(&mut env, &execute, 3, 12).unwrap();
    assert_eq!(
        env.said(),
        [message(10, "0"), message(10, "1"), message(11, "1")]
    );
    send(&mut env, &execute, "2").unwrap();
    assert_eq!(env.said(), [message(10, "2"), message(11, "2")]);
    send(&mut env, &execute, "3").unwrap();
    assert_eq!(
        env.said(),
        [message(10, "3"), message(11, "3"), message(12, "3")]
    );
    env.react(|r| r.reader_closed(10));
    env.complete("a", "p", &execute);
    let end = |reader| Said::End(reader, ReaderEnd::Complete);
    assert_eq!(env.said(), [end(11), end(12)]);
}

#[test]
fn a_reader_that_comes_late_gets_everything_and_the_end() {
    let (mut env, execute) = env();
    send(&mut env, &execute, "0").unwrap();
    env.complete("a", "p", &execute);
    env.said();
    send(&mut env, &execute, "too late").unwrap();
    read(&mut env, &execute, 0, 10).unwrap();
    assert_eq!(
        env.said(),
        [message(10, "0"), Said::End(10, ReaderEnd::Complete)]
    );
}

#[test]
fn a_retry_never_ends_the_messages() {
    let (mut env, execute) = env();
    send(&mut env, &execute, "0").unwrap();
    read(&mut env, &execute, 0, 10).unwrap();
    env.said();
    env.fail("a", "p", &execute, true, None).unwrap();
    let said = env.said();
    assert!(said.contains(&Said::End(10, ReaderEnd::RunOver)));
    assert!(!said.contains(&Said::End(10, ReaderEnd::Complete)));
    assert_eq!(
        send(&mut env, &execute, "1"),
        Err(Refusal::UnknownTask(execute.clone()))
    );
    assert_eq!(
        read(&mut env, &execute, 0, 11),
        Err(Refusal::UnknownTask(execute))
    );
}

#[test]
fn the_end_of_a_proof_is_not_the_end_of_the_messages() {
    let (mut env, execute) = env();
    read(&mut env, &execute, 0, 10).unwrap();
    env.react(|r| r.proof_cancelled(&p("p"), "")).unwrap();
    assert!(env.said().contains(&Said::End(10, ReaderEnd::RunOver)));
}

#[test]
fn a_channel_has_a_limit() {
    let mut env = Env::with(Config {
        max_channel_bytes: 3,
        ..Config::default()
    });
    env.open("a", WorkerType::All, 32);
    let root = env.submit(spec("p"));
    send(&mut env, &root, "abc").unwrap();
    assert_eq!(send(&mut env, &root, "d"), Err(Refusal::ChannelFull(root)));
    assert_eq!(
        send(&mut env, &t("x"), "d"),
        Err(Refusal::UnknownTask(t("x")))
    );
}
