//! Calls that make no sense are refused with a word why, and harm nobody.

use provost_coordinator::{Config, Root};
use provost_proto::sizes::MAX_MESSAGE_BYTES;
use provost_proto::worker::TaskType::*;
use provost_proto::worker::{
    AckSubRequest, CancelProofRequest, CloseRequest, CompleteTaskRequest, CreateDummyProofRequest,
    CreateProofRequest, CreateTaskRequest, FailProofRequest, HeartbeatRequest, OpenRequest,
    OpenSubRequest, SendTaskMessageRequest, SubscribeTaskMessagesRequest, TaskData,
    UpdateSubRequest, WorkerType,
};
use tonic::{Code, Status};

use crate::node::{Caller, spec, start_in_memory};

fn refused<T>(result: Result<T, Status>, code: Code, word: &str) {
    let Err(status) = result else {
        panic!("accepted, not refused with {code:?} and {word}")
    };
    assert_eq!(status.code(), code, "{status:?}");
    assert!(status.message().contains(word), "{status:?}");
    assert!(status.metadata().contains_key("provost-reason"));
}

fn open(id: &str, kind: i32, weight: u32) -> OpenRequest {
    OpenRequest {
        worker_id: id.to_owned(),
        worker_type: kind,
        max_weight: weight,
        ..OpenRequest::default()
    }
}

#[tokio::test]
async fn bad_requests_are_refused() {
    use Code::{AlreadyExists, InvalidArgument, NotFound};
    let (server, _) = start_in_memory(Config::default()).await;
    let mut client = server.client().await;
    let cpu = WorkerType::Cpu.into();
    for (request, word) in [
        (open("", cpu, 1), "worker_id is empty"),
        (open("a\nb", cpu, 1), "control characters"),
        (open(&"x".repeat(1000), cpu, 1), "longer than 256"),
        (open("a", 0, 1), "none of CPU, GPU and ALL"),
        (open("a", 77, 1), "none of CPU, GPU and ALL"),
        (open("a", cpu, 0), "max_weight is 0"),
        (open("a", cpu, u32::MAX), "more than"),
    ] {
        refused(client.open(request).await, InvalidArgument, word);
    }
    let worker_id = "nobody".to_owned();
    let close = CloseRequest {
        worker_id: worker_id.clone(),
    };
    refused(client.close(close).await, NotFound, "open again");
    let beat = HeartbeatRequest {
        worker_id,
        active_task_ids: vec!["t".to_owned()],
        ..HeartbeatRequest::default()
    };
    refused(
        client.heartbeat(beat.clone()).await,
        InvalidArgument,
        "0 proof ids for 1",
    );
    let beat = HeartbeatRequest {
        active_task_ids: vec![],
        ..beat
    };
    refused(client.heartbeat(beat).await, NotFound, "open again");

    let mut node = server.worker("a", WorkerType::All, 32).await;
    server
        .coordinator
        .submit_proof(spec("p", Root::Prove))
        .await
        .unwrap();
    node.task().await;
    let mut me = node.caller();
    let create = |data| CreateTaskRequest {
        worker_id: "a".to_owned(),
        data,
    };
    refused(
        client.create_task(create(None)).await,
        InvalidArgument,
        "no data",
    );
    let data = |kind: i32, proof: &str| TaskData {
        task_type: kind,
        proof_id: proof.to_owned(),
        ..TaskData::default()
    };
    let shard = ProveShard.into();
    for (data, code, word) in [
        (data(0, "p"), InvalidArgument, "task_type 0"),
        (data(-5, "p"), InvalidArgument, "task_type -5"),
        (data(shard, ""), InvalidArgument, "proof_id is empty"),
        (data(shard, "q"), NotFound, "no proof q"),
        (
            data(Controller.into(), "p"),
            InvalidArgument,
            "root already",
        ),
    ] {
        let result = client.create_task(create(Some(data))).await;
        refused(result, code, word);
    }
    let mut huge = data(shard, "p");
    huge.inputs = vec![String::new(); 20_000];
    refused(
        client.create_task(create(Some(huge))).await,
        InvalidArgument,
        "20000 inputs",
    );
    let mut stranger = Caller {
        worker: "b".to_owned(),
        client: client.clone(),
    };
    refused(
        stranger.create("p", ProveShard, None).await,
        NotFound,
        "earlier run",
    );

    server
        .coordinator
        .submit_proof(spec("q", Root::Prove))
        .await
        .unwrap();
    node.task().await;
    me.create("p", ProveShard, Some("mine")).await.unwrap();
    refused(
        me.create("q", ProveShard, Some("mine")).await,
        AlreadyExists,
        "mine is taken",
    );
    refused(
        me.create("p", ProveShard, Some(&"x".repeat(300))).await,
        InvalidArgument,
        "longer",
    );

    refused(
        me.complete("p", "nothing").await,
        NotFound,
        "no task nothing",
    );
    refused(me.complete("none", "mine").await, NotFound, "no proof none");
    refused(me.complete("q", "mine").await, NotFound, "no task mine");
    refused(
        client.complete_task(CompleteTaskRequest::default()).await,
        InvalidArgument,
        "proof_id",
    );
    refused(me.fail("p", "nothing", true).await, NotFound, "no task");
    refused(
        client.fail_proof(FailProofRequest::default()).await,
        InvalidArgument,
        "proof_id",
    );
    refused(
        client.create_proof(CreateProofRequest::default()).await,
        InvalidArgument,
        "proof_id",
    );
    let dummy = CreateDummyProofRequest {
        proof_id: "p".to_owned(),
        ..CreateDummyProofRequest::default()
    };
    refused(
        client.create_dummy_proof(dummy).await,
        AlreadyExists,
        "p is taken",
    );
    let cancel = CancelProofRequest {
        worker_id: String::new(),
        proof_id: "none".to_owned(),
    };
    refused(client.cancel_proof(cancel).await, NotFound, "no proof none");

    let sub = |proof: &str| OpenSubRequest {
        sub_id: "s".to_owned(),
        proof_id: proof.to_owned(),
        task_ids: vec![],
    };
    refused(
        client.open_sub(sub("none")).await,
        NotFound,
        "no proof none",
    );
    let _kept = client.open_sub(sub("p")).await.unwrap();
    refused(client.open_sub(sub("q")).await, AlreadyExists, "s is taken");
    let update = UpdateSubRequest {
        sub_id: "other".to_owned(),
        task_ids: vec![],
    };
    refused(client.update_sub(update).await, NotFound, "open it again");
    let ack = AckSubRequest {
        sub_id: "other".to_owned(),
        msg_id: "1".to_owned(),
    };
    refused(client.ack_sub(ack).await, NotFound, "open it again");
    let read = SubscribeTaskMessagesRequest {
        task_id: "nothing".to_owned(),
        start_offset: u64::MAX,
        ..SubscribeTaskMessagesRequest::default()
    };
    refused(
        client.subscribe_task_messages(read).await,
        NotFound,
        "no task",
    );
    refused(me.send("nothing", b"x").await, NotFound, "no task");
    me.fail("p", "mine", true).await.unwrap();
    client.healthcheck(()).await.unwrap();
}

#[tokio::test]
async fn a_message_that_is_too_large_is_refused() {
    let (server, _) = start_in_memory(Config::default()).await;
    let mut client = server.client().await;
    let request = SendTaskMessageRequest {
        worker_id: "a".to_owned(),
        task_id: "t".to_owned(),
        payload: vec![0; MAX_MESSAGE_BYTES].into(),
    };
    let status = client.send_task_message(request).await.unwrap_err();
    assert_eq!(status.code(), Code::OutOfRange, "{status:?}");
    client.healthcheck(()).await.unwrap();
}
