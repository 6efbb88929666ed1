//! SP1's own client finds every call of its contract at our coordinator.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use provost_coordinator::{Config, Coordinator, Doors, MemoryState, ProofSpec, Root};
use sp1_prover_types::worker::worker_service_client::WorkerServiceClient;
use sp1_prover_types::worker::*;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::Code;

/// The coordinator behind SP1's contract.
async fn coordinator() -> (Coordinator, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let state = Arc::new(MemoryState::new());
    let coordinator = Coordinator::start(Config::default(), state, CancellationToken::new());
    let serving = coordinator.clone();
    tokio::spawn(async move { serving.serve(listener, Doors::UNARY).await });
    (coordinator, address)
}

fn execution() -> ProofSpec {
    ProofSpec {
        inputs: ["program", "stdin", "2", "0", "", "{}"]
            .map(str::to_owned)
            .to_vec(),
        requester: "someone".to_owned(),
        created_at_ms: 1,
        ..ProofSpec::new("p", Root::Execute)
    }
}

fn of(id: &str) -> OpenRequest {
    OpenRequest {
        worker_id: id.to_owned(),
        worker_type: WorkerType::All as i32,
        max_weight: 64,
        ..OpenRequest::default()
    }
}

/// Calls with an empty request: it may be refused, but not for want of such a call.
macro_rules! are_served {
    ($client:ident: $($call:ident($request:expr)),+ $(,)?) => {
        $( if let Err(status) = $client.$call($request).await {
            assert_ne!(status.code(), Code::Unimplemented, "{}", stringify!($call));
        } )+
    };
}

#[tokio::test]
async fn every_call_of_sp1s_client_is_served() {
    let (_coordinator, address) = coordinator().await;
    let mut client = WorkerServiceClient::connect(address).await.unwrap();
    are_served!(client:
        open(OpenRequest::default()),
        close(CloseRequest::default()),
        heartbeat(HeartbeatRequest::default()),
        complete_task(CompleteTaskRequest::default()),
        fail_task(FailTaskRequest::default()),
        create_task(CreateTaskRequest::default()),
        get_task_statuses(GetTaskStatusesRequest::default()),
        complete_proof(CompleteProofRequest::default()),
        fail_proof(FailProofRequest::default()),
        create_proof(CreateProofRequest::default()),
        create_dummy_proof(CreateDummyProofRequest::default()),
        cancel_proof(CancelProofRequest::default()),
        open_sub(OpenSubRequest::default()),
        update_sub(UpdateSubRequest::default()),
        ack_sub(AckSubRequest::default()),
        healthcheck(()),
        get_stats(()),
        subscribe_task_messages(SubscribeTaskMessagesRequest::default()),
        send_task_message(SendTaskMessageRequest::default()),
    );
}

#[tokio::test]
async fn a_worker_of_sp1_gets_a_task_and_ends_it() {
    let (coordinator, address) = coordinator().await;
    let mut client = WorkerServiceClient::connect(address).await.unwrap();
    let mut stream = client.open(of("w")).await.unwrap().into_inner();
    coordinator.submit_proof(execution()).await.unwrap();
    let task = loop {
        let message = stream.message().await.unwrap().unwrap().message.unwrap();
        if let server_message::Message::NewTask(task) = message {
            break task;
        }
    };
    let data = task.data.clone().unwrap();
    assert_eq!(data.task_type, TaskType::ExecuteOnly as i32);
    assert_eq!(data.inputs[..2], ["program", "stdin"]);
    let done = CompleteTaskRequest {
        worker_id: "w".to_owned(),
        proof_id: "p".to_owned(),
        task_id: task.task_id,
        ..CompleteTaskRequest::default()
    };
    client.complete_task(done).await.unwrap();
}
