//! The native door over a real connection.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use provost_coordinator::{
    Config, Coordinator, Doors, MemoryState, ProofResult, RecoveredProof, Refusal, Root, Term,
    TermEvent,
};
use provost_proto::link::down_message::Message as Down;
use provost_proto::link::link_client::LinkClient;
use provost_proto::link::up_message::Message as Up;
use provost_proto::link::{self as wire, UpMessage};
use provost_proto::worker::{TaskData, TaskType, WorkerType};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

use crate::node::{LIMIT, outcome, spec, start_in_memory};

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

fn create(run: &wire::Run, id: String, kind: TaskType) -> Up {
    Up::Create(wire::Create {
        task_id: id,
        run: run.run,
        data: TaskData {
            task_type: kind.into(),
            proof_id: run.proof_id.clone(),
            ..TaskData::default()
        }
        .to_bytes(),
    })
}

fn completed(run: wire::Run, assign: &wire::Assign) -> Up {
    Up::Done(wire::Done {
        run: Some(run),
        task_id: assign.task_id.clone(),
        attempt: assign.attempt,
        role: assign.role.clone(),
        outcome: Some(wire::done::Outcome::Completed("{}".to_owned())),
    })
}

/// Plays every task that it gets: a Controller makes `children` ProveShards and concludes when it has their results.
async fn work(mut process: Process, children: usize) {
    process.say([report(None)]);
    let mut roots: HashMap<String, (wire::Run, wire::Assign, usize)> = HashMap::new();
    while let Ok(Some(message)) = process.next().await {
        match message {
            Down::Assign(assign) => {
                let data = TaskData::from_bytes(&assign.data).unwrap();
                let run = wire::Run {
                    proof_id: data.proof_id.clone(),
                    run: assign.run,
                };
                if data.task_type() == TaskType::Controller {
                    let ids = (0..children).map(|n| format!("{}-{n}", data.proof_id));
                    process.say(ids.map(|id| create(&run, id, TaskType::ProveShard)));
                    roots.insert(data.proof_id, (run, assign, children));
                } else {
                    process.say([completed(run, &assign)]);
                }
            }
            Down::Result(result) => {
                let run = result.run.unwrap();
                let root = roots.get_mut(&run.proof_id).unwrap();
                root.2 -= 1;
                let task_ids = vec![result.task_id];
                let taken = Up::Taken(wire::Taken {
                    run: Some(run.clone()),
                    task_ids,
                });
                process.say([taken]);
                if root.2 == 0 {
                    process.say([Up::Conclude(wire::Conclude {
                        run: Some(run),
                        task_id: root.1.task_id.clone(),
                        failed: false,
                        extra_data: r#"{"cycles":7}"#.to_owned(),
                    })]);
                }
            }
            Down::Concluded(concluded) => {
                let run = concluded.run.unwrap();
                let (run, assign, _) = roots.remove(&run.proof_id).unwrap();
                process.say([completed(run, &assign)]);
            }
            Down::Refused(refused) => panic!("{refused:?}"),
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proofs_over_two_processes() {
    let (server, state) = start_in_memory(Config::default()).await;
    for pod in ["a", "b"] {
        let process = Process::join(server.address(), pod, 0).await;
        tokio::spawn(work(process, 200));
    }
    let proofs = ["p0", "p1", "p2"];
    for proof in proofs {
        server
            .coordinator
            .submit_proof(spec(proof, Root::Prove))
            .await
            .unwrap();
    }
    for proof in proofs {
        let outcome = outcome(&state, proof).await;
        assert!(
            matches!(outcome.result, ProofResult::Succeeded { .. }),
            "{outcome:?}"
        );
        assert_eq!(outcome.progress.tasks["ProveShard"].succeeded, 200);
        assert_eq!(state.run_of(proof).unwrap().run, 0);
    }
    let wait = async {
        let used = async || {
            server
                .coordinator
                .workers()
                .await
                .iter()
                .any(|w| w.used_weight > 0)
        };
        while used().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LIMIT, wait).await.unwrap();
    server.shutdown.cancel();
    let served = tokio::time::timeout(LIMIT, server.serving).await;
    served.expect("the server ends in time").unwrap().unwrap();
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
