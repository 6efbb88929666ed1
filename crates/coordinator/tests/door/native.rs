//! What the native door alone has: who speaks, epochs, and what the end of a stream means.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use provost_coordinator::{
    Config, Coordinator, Doors, MemoryState, RecoveredProof, Refusal, Root, Term, TermEvent,
};
use provost_proto::link::down_message::Message as Down;
use provost_proto::link::link_client::LinkClient;
use provost_proto::link::up_message::Message as Up;
use provost_proto::link::{self as wire, UpMessage};
use provost_proto::worker::{TaskType, WorkerType};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

use crate::node::{LIMIT, spec, start_in_memory};

/// A process with one stream.
struct Process {
    up: mpsc::UnboundedSender<wire::Up>,
    down: Streaming<wire::Down>,
    heard: VecDeque<Down>,
}

impl Process {
    async fn join(address: &str, pod: &str, epoch: u64) -> Self {
        let this = Self::open(address).await;
        let hello = wire::Hello {
            pod: pod.to_owned(),
            pod_uid: format!("{pod}-uid"),
            process: 1,
            epoch,
            ..wire::Hello::default()
        };
        let role = |name: &str, class: WorkerType| {
            Up::Role(wire::Role {
                name: name.to_owned(),
                class: class.into(),
                max_weight: 20,
                provers: 0,
                device: None,
                shard_elements: 0,
            })
        };
        this.say([
            Up::Hello(hello),
            role("execute", WorkerType::Cpu),
            role("prove", WorkerType::Gpu),
        ]);
        this
    }

    async fn open(address: &str) -> Self {
        let mut client = LinkClient::connect(address.to_owned()).await.unwrap();
        let (up, queue) = mpsc::unbounded_channel();
        let frames = futures::stream::unfold(queue, |mut queue| async {
            let next: Option<wire::Up> = queue.recv().await;
            next.map(|frame| (frame, queue))
        });
        let down = client.join(frames).await.unwrap().into_inner();
        let heard = VecDeque::new();
        Self { up, down, heard }
    }

    fn say(&self, messages: impl IntoIterator<Item = Up>) {
        let messages = messages.into_iter().map(|message| UpMessage {
            message: Some(message),
        });
        let messages = messages.collect();
        let _ = self.up.send(wire::Up { messages });
    }

    async fn next(&mut self) -> Result<Option<Down>, Status> {
        while self.heard.is_empty() {
            let next = tokio::time::timeout(LIMIT, self.down.message()).await;
            let Some(frame) = next.expect("a frame in time")? else {
                return Ok(None);
            };
            self.heard
                .extend(frame.messages.into_iter().filter_map(|m| m.message));
        }
        Ok(self.heard.pop_front())
    }

    async fn welcome(&mut self) -> u64 {
        match self.next().await {
            Ok(Some(Down::Welcome(welcome))) => welcome.epoch,
            other => panic!("a welcome, not {other:?}"),
        }
    }
}

fn report(running: Option<wire::Running>) -> Up {
    Up::Report(wire::Report {
        running: running.into_iter().collect(),
        last: true,
        ..wire::Report::default()
    })
}

#[tokio::test]
async fn a_stream_that_does_not_say_who_is_there_is_refused() {
    let (server, _) = start_in_memory(Config::default()).await;
    let mut process = Process::open(server.address()).await;
    process.say([report(None)]);
    let status = process.next().await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::InvalidArgument);
}

#[tokio::test]
async fn a_replica_leads_and_ceases_to_on_the_same_streams() {
    let state = Arc::new(MemoryState::new());
    let shutdown = CancellationToken::new();
    let coordinator = Coordinator::standby(Config::default(), state, shutdown.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let server = coordinator.clone();
    tokio::spawn(async move { server.serve(listener, Doors::NATIVE).await });
    let mut process = Process::join(&address, "a", 4).await;
    assert_eq!(process.welcome().await, 0);
    let refused = coordinator.submit_proof(spec("p", Root::Prove)).await;
    assert_eq!(refused.unwrap_err(), Refusal::NotLeading);
    // The worker knows a leader of epoch 4.
    assert_eq!(coordinator.seen_epoch(), 4);
    assert_eq!(coordinator.lead(Term::first(4)), Err(Refusal::Outdated(4)));
    let term = Term {
        expected: vec!["a".to_owned()],
        proofs: vec![RecoveredProof {
            spec: spec("p", Root::Prove),
            run: 2,
            root: "root".into(),
            attempts: Default::default(),
            gpu_ms: 0,
            shards: None,
            succeeded: Default::default(),
            finished: false,
        }],
        ..Term::first(5)
    };
    coordinator.lead(term).unwrap();
    assert_eq!(process.welcome().await, 5);
    assert!(coordinator.is_recovering());
    let run = wire::Run {
        proof_id: "p".to_owned(),
        run: 2,
    };
    let running = wire::Running {
        run: Some(run),
        task_id: "root".to_owned(),
        attempt: 1,
        role: "execute".to_owned(),
        task_type: TaskType::Controller.into(),
        ran_ms: 0,
        stopping: false,
    };
    let mut events = coordinator.term_events();
    let beat = Up::Beat(wire::Beat {
        epoch: 6,
        sequence: 1,
    });
    process.say([report(Some(running)), beat]);
    assert!(matches!(process.next().await, Ok(Some(Down::Beat(_)))));
    assert!(!coordinator.is_recovering());
    assert_eq!(coordinator.progress("p").await.unwrap().run, 2);
    assert_eq!(events.recv().await, Ok(TermEvent::Deposed { epoch: 6 }));
    coordinator.step_down();
    assert_eq!(process.welcome().await, 0);
    assert_eq!(coordinator.epoch(), 0);
    assert!(coordinator.progress("p").await.is_none());
    shutdown.cancel();
}

async fn assigned(process: &mut Process) -> wire::Assign {
    loop {
        if let Ok(Some(Down::Assign(assign))) = process.next().await {
            return assign;
        }
    }
}

/// Sees to it that nothing but the end of a stream can be why a process is given up.
fn patient() -> Config {
    let long = Duration::from_secs(3_600);
    Config {
        lost_grace: long,
        leaf_liveness: long,
        root_liveness: long,
        ..Config::default()
    }
}

#[tokio::test]
async fn what_a_process_had_goes_elsewhere_when_its_stream_ends() {
    let (server, _) = start_in_memory(patient()).await;
    let mut first = Process::join(server.address(), "a", 0).await;
    first.say([report(None)]);
    let spec = spec("p", Root::Prove);
    server.coordinator.submit_proof(spec).await.unwrap();
    assert_eq!(assigned(&mut first).await.run, 0);
    let mut second = Process::join(server.address(), "b", 0).await;
    second.say([report(None)]);
    second.welcome().await;
    drop(first);
    assert_eq!(assigned(&mut second).await.run, 1);
}

#[tokio::test]
async fn a_coordinator_that_goes_down_gives_nobody_up() {
    let (server, state) = start_in_memory(patient()).await;
    let mut process = Process::join(server.address(), "a", 0).await;
    process.say([report(None)]);
    let spec = spec("p", Root::Prove);
    server.coordinator.submit_proof(spec).await.unwrap();
    assigned(&mut process).await;
    server.shutdown.cancel();
    while let Ok(Some(_)) = process.next().await {}
    drop(process);
    // Longer than the grace.
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(server.coordinator.workers().await.len(), 2);
    let requeued = |change: &provost_coordinator::TaskChange| {
        matches!(
            change.kind,
            provost_coordinator::TaskChangeKind::Requeued { .. }
        )
    };
    assert!(!state.take_changes().iter().any(requeued));
}
