//! Heartbeats, both ways.

use provost_proto::worker::TaskType::*;
use provost_proto::worker::WorkerType;

use super::env::{Env, Said, p, spec, t, w};
use crate::core::Phase;
use crate::events::WorkerEvent;

fn with_shard() -> (Env, crate::TaskId) {
    let mut env = Env::new();
    env.open("driver", WorkerType::Cpu, 16);
    env.open("a/prove", WorkerType::Gpu, 8);
    env.submit(spec("p"));
    let shard = env.create("driver", "p", ProveShard);
    env.said();
    (env, shard)
}

#[test]
fn a_process_that_did_not_run_holds_nobodys_silence_against_them() {
    let (mut env, shard) = with_shard();
    env.now += 60_000;
    env.react(|r| {
        r.resumed();
        r.tick();
    });
    assert_eq!(env.worker_of(&shard).unwrap(), "a/prove");
    env.wait(8_000);
    assert_eq!(env.worker_of(&shard), None, "they are silent again");
}

#[test]
fn a_task_that_a_worker_does_not_report_is_sent_again() {
    let (mut env, shard) = with_shard();
    env.beat("a/prove", &[]).unwrap();
    assert!(env.runs().is_empty(), "the beat may be older than the task");
    env.now += 4_000;
    env.beat("a/prove", &[]).unwrap();
    assert_eq!(env.runs(), [("a/prove".to_owned(), shard.to_string())]);
    env.beat("a/prove", &[]).unwrap();
    assert!(env.runs().is_empty());
    env.now += 4_000;
    env.beat("a/prove", &[("p", &shard)]).unwrap();
    assert!(env.runs().is_empty());
}

#[test]
fn a_task_that_a_worker_never_takes_goes_elsewhere() {
    let (mut env, shard) = with_shard();
    env.open("b/prove", WorkerType::Gpu, 5);
    for _ in 0..4 {
        env.now += 4_000;
        env.beat("a/prove", &[]).unwrap();
        env.beat("b/prove", &[]).unwrap();
    }
    assert!(matches!(env.phase(&shard), Some(Phase::Delayed(_))));
    env.now += 1_000;
    env.react(|r| r.tick());
    assert_eq!(env.worker_of(&shard).unwrap(), "b/prove");
}

#[test]
fn what_a_worker_should_not_run_is_cancelled_and_takes_up_room_until_it_stops() {
    let (mut env, shard) = with_shard();
    let stale = t("from before a restart");
    let active = [(p("p"), shard.clone()), (p("old"), stale.clone())];
    env.react(|r| r.heartbeat(&w("a/prove"), &active, 7))
        .unwrap();
    let cancel = Said::Cancel("a/prove".into(), stale.to_string());
    assert_eq!(env.said(), [cancel]);
    assert_eq!(
        env.used("a/prove"),
        7,
        "4 that we know of, 3 that we do not"
    );
    env.react(|r| r.heartbeat(&w("a/prove"), &active, 7))
        .unwrap();
    assert!(env.said().is_empty(), "told once");
    env.beat("a/prove", &[("p", &shard)]).unwrap();
    assert_eq!(env.used("a/prove"), 4);
}

#[test]
fn a_beat_that_was_written_before_the_result_means_nothing() {
    let (mut env, shard) = with_shard();
    env.complete("a/prove", "p", &shard);
    env.said();
    env.beat("a/prove", &[("p", &shard)]).unwrap();
    assert!(env.said().is_empty());
    assert_eq!(env.used("a/prove"), 0);
    env.now += 11_000;
    env.beat("a/prove", &[("p", &shard)]).unwrap();
    assert_eq!(
        env.said(),
        [Said::Cancel("a/prove".into(), shard.to_string())]
    );
}

#[test]
fn a_worker_that_does_not_stop_is_to_be_replaced() {
    let (mut env, shard) = with_shard();
    env.react(|r| r.proof_cancelled(&p("p"), "")).unwrap();
    env.said();
    env.now += 4_999;
    env.beat("a/prove", &[("p", &shard)]).unwrap();
    assert!(env.said().is_empty());
    env.now += 1;
    env.beat("a/prove", &[("p", &shard)]).unwrap();
    let said = env.said();
    let Some(Said::Event(WorkerEvent::Recycle { pod, why })) = said.first() else {
        panic!("{said:?}")
    };
    assert_eq!(pod, "a");
    assert!(why.contains("ProveShard"), "{why}");
    env.beat("a/prove", &[("p", &shard)]).unwrap();
    assert!(env.said().is_empty(), "said once");
    assert!(!env.core.worker("a/prove").unwrap().is_available());
}

#[test]
fn tasks_are_adopted_when_a_worker_comes_back() {
    let (mut env, shard) = with_shard();
    let conn = env.core.worker("a/prove").unwrap().conn.unwrap();
    env.react(|r| r.stream_broken(&w("a/prove"), conn));
    env.now += 2_000;
    env.open("a/prove", WorkerType::Gpu, 8);
    env.said();
    env.beat("a/prove", &[("p", &shard)]).unwrap();
    assert!(env.said().is_empty());
    env.complete("a/prove", "p", &shard);
    assert_eq!(env.phase(&shard), Some(Phase::Succeeded));
}

#[test]
fn the_server_beats_too() {
    let (mut env, _) = with_shard();
    env.wait(5_000);
    let said = env.said();
    assert!(said.contains(&Said::Beat("a/prove".into())));
    assert!(said.contains(&Said::Beat("driver".into())));
    env.wait(100);
    assert!(env.said().is_empty());
}

#[test]
fn progress_is_told_once_a_tick_and_only_when_it_changed() {
    let (mut env, shard) = with_shard();
    env.wait(100);
    assert_eq!(env.out.progress.len(), 1);
    let first = env.out.progress.pop().unwrap();
    assert_eq!((first.done, first.total), (0, 2));
    assert_eq!(first.tasks["ProveShard"].running, 1);
    assert_eq!(first.started_at, Some(1_000_000));
    env.wait(100);
    assert!(env.out.progress.is_empty());
    env.complete("a/prove", "p", &shard);
    env.wait(100);
    assert_eq!(env.out.progress[0].done, 1);
}
