//! Proofs end, each task runs once, and nothing is kept.

use std::sync::Arc;
use std::time::{Duration, Instant};

use provost_coordinator::{
    Config, Coordinator, Doors, MemoryState, ProofSpec, RecoveredProof, Root, Term,
};
use provost_link::{Link, Run};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::worker::{self, SHARDS, Starts};

struct Replica {
    url: String,
    coordinator: Coordinator,
    state: Arc<MemoryState>,
    shutdown: CancellationToken,
}

async fn replica(name: &str) -> Replica {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let state = Arc::new(MemoryState::new());
    let shutdown = CancellationToken::new();
    let config = Config {
        replica: name.to_owned(),
        ..Config::default()
    };
    let coordinator = Coordinator::standby(config, state.clone(), shutdown.clone());
    let server = coordinator.clone();
    tokio::spawn(async move { server.serve(listener, Doors::NATIVE).await });
    Replica {
        url,
        coordinator,
        state,
        shutdown,
    }
}

fn spec(name: &str) -> ProofSpec {
    ProofSpec {
        requester: "test".to_owned(),
        ..ProofSpec::new(name, Root::Prove)
    }
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(30), "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn check_once(starts: &Starts, tasks: usize) {
    let starts = starts.lock().unwrap();
    let twice: Vec<_> = starts.iter().filter(|(_, count)| **count != 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
    assert_eq!(starts.len(), tasks);
}

async fn check_empty(links: &[Link]) {
    until("nothing is kept", || {
        links.iter().all(|link| link.status().kept.is_nothing())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proof_is_made() {
    let leader = replica("a").await;
    leader.coordinator.lead(Term::first(1)).unwrap();
    let starts = Starts::default();
    let links = ["one", "two"].map(|pod| worker::start(pod, vec![leader.url.clone()], &starts));
    leader.coordinator.submit_proof(spec("p")).await.unwrap();
    until("the proof ends", || leader.state.outcome("p").is_some()).await;
    check_empty(&links).await;
    // Controller, CoreExecute, shards, one reduce.
    check_once(&starts, SHARDS + 3);
    let over = Run::new("p", leader.state.run_of("p").map_or(0, |run| run.run));
    until("the run is over", || {
        links.iter().any(|link| link.is_over(&over))
    })
    .await;
}

/// Another replica leads `pause` after the proof began. The first one is gone by then, or does not know.
async fn replace(pause: u64, gone: bool) {
    let (one, two) = (replica("one").await, replica("two").await);
    one.coordinator.lead(Term::first(1)).unwrap();
    let starts = Starts::default();
    let urls = vec![one.url.clone(), two.url.clone()];
    let links = ["a", "b"].map(|pod| worker::start(pod, urls.clone(), &starts));
    until("both are joined", || {
        links.iter().all(|link| link.status().replicas.len() == 2)
    })
    .await;
    let root = one.coordinator.submit_proof(spec("p")).await.unwrap();
    tokio::time::sleep(Duration::from_millis(pause)).await;
    let run = one.state.run_of("p").map_or(0, |run| run.run);
    if gone {
        one.coordinator.step_down();
        one.shutdown.cancel();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    if one.state.outcome("p").is_some() {
        // It was quicker than this, and with a state that both share the next leader would know.
        println!("ended within {pause} ms");
        return;
    }
    let term = Term {
        epoch: 2,
        expected: vec!["a".to_owned(), "b".to_owned()],
        proofs: vec![RecoveredProof {
            spec: spec("p"),
            run,
            root,
            attempts: Default::default(),
            gpu_ms: 0,
            shards: None,
            succeeded: Default::default(),
            finished: false,
        }],
        ..Term::first(2)
    };
    two.coordinator.lead(term).unwrap();
    until("the proof ends", || two.state.outcome("p").is_some()).await;
    check_empty(&links).await;
    check_once(&starts, SHARDS + 3);
    if !gone {
        assert_eq!(
            one.coordinator.seen_epoch(),
            2,
            "the first one learns of it"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_is_replaced_in_the_middle_of_a_proof() {
    for pause in [0, 10, 30, 100, 200, 300, 350, 400] {
        replace(pause, true).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_does_not_know_that_it_was_replaced_does_no_harm() {
    for pause in [5, 50, 150] {
        replace(pause, false).await;
    }
}
