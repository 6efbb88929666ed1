//! Our protocol is SP1's: every message of ours decodes as SP1's, and back, with nothing lost.
#![allow(clippy::unwrap_used)]

use prost::Message;
use provost_proto::{cluster, worker};

/// Encodes `ours`, decodes it as SP1's type, encodes that and compares the bytes; and that all of it came through.
fn same<Ours, Theirs>(ours: &Ours)
where
    Ours: Message + Default + PartialEq + std::fmt::Debug,
    Theirs: Message + Default + std::fmt::Debug,
{
    let bytes = ours.encode_to_vec();
    assert!(!bytes.is_empty() || *ours == Ours::default());
    let theirs = Theirs::decode(bytes.as_slice()).unwrap();
    let back = theirs.encode_to_vec();
    assert_eq!(bytes, back, "{ours:?}\n{theirs:?}");
    assert_eq!(*ours, Ours::decode(back.as_slice()).unwrap());
}

fn text() -> String {
    "x".into()
}

fn texts() -> Vec<String> {
    vec!["a".into(), "b".into()]
}

fn task_data() -> worker::TaskData {
    worker::TaskData {
        task_type: worker::TaskType::CoreExecute as i32,
        inputs: texts(),
        outputs: texts(),
        metadata: text(),
        proof_id: text(),
        parent_id: Some(text()),
        weight: 8,
        requester: text(),
    }
}

macro_rules! worker_messages {
    ($($name:ident $fields:tt),+ $(,)?) => {
        $( same::<worker::$name, sp1_prover_types::worker::$name>(&worker::$name $fields); )+
    };
}

macro_rules! cluster_messages {
    ($($name:ident $fields:tt),+ $(,)?) => {
        $( same::<cluster::$name, sp1_prover_types::cluster::$name>(&cluster::$name $fields); )+
    };
}

#[test]
fn worker_messages_are_the_same() {
    use worker::{message_stream_response, server_message, server_sub_message};
    let id_list = worker::TaskIdList { ids: texts() };
    let entry = worker::TaskStatusMapEntry {
        key: worker::TaskStatus::Succeeded as i32,
        value: Some(id_list.clone()),
    };
    let result = worker::TaskResult {
        task_id: text(),
        task_status: worker::TaskStatus::FailedFatal as i32,
    };
    let unknown = worker::UnknownTask {
        proof_id: text(),
        task_id: text(),
    };
    let task = worker::WorkerTask {
        task_id: text(),
        data: Some(task_data()),
        metadata: text(),
    };
    let cancel = worker::CancelTask {
        proof_id: text(),
        task_id: text(),
    };
    let gpu = worker::GpuClassCount {
        name: text(),
        memory_total_bytes: 1,
        node_count: 2,
    };
    same::<_, sp1_prover_types::worker::TaskData>(&task_data());
    same::<_, sp1_prover_types::worker::TaskIdList>(&id_list);
    same::<_, sp1_prover_types::worker::TaskStatusMapEntry>(&entry);
    same::<_, sp1_prover_types::worker::TaskResult>(&result);
    same::<_, sp1_prover_types::worker::UnknownTask>(&unknown);
    same::<_, sp1_prover_types::worker::WorkerTask>(&task);
    same::<_, sp1_prover_types::worker::CancelTask>(&cancel);
    same::<_, sp1_prover_types::worker::GpuClassCount>(&gpu);
    for message in [
        server_message::Message::NewTask(task),
        server_message::Message::CancelTask(cancel),
        server_message::Message::ServerHeartbeat(worker::ServerHeartbeat {}),
    ] {
        same::<_, sp1_prover_types::worker::ServerMessage>(&worker::ServerMessage {
            message: Some(message),
        });
    }
    for message in [
        server_sub_message::Message::TaskResult(result),
        server_sub_message::Message::EndOfStream(worker::EndOfStream {}),
        server_sub_message::Message::UnknownTask(unknown),
        server_sub_message::Message::ServerHeartbeat(worker::ServerSubHeartbeat {}),
    ] {
        let message = worker::ServerSubMessage {
            msg_id: text(),
            message: Some(message),
        };
        same::<_, sp1_prover_types::worker::ServerSubMessage>(&message);
    }
    for message in [
        message_stream_response::Message::Payload(vec![1, 2, 3].into()),
        message_stream_response::Message::EndOfStream(worker::EndOfStream {}),
    ] {
        let message = worker::MessageStreamResponse {
            message: Some(message),
        };
        same::<_, sp1_prover_types::worker::MessageStreamResponse>(&message);
    }
    worker_messages! {
        OpenRequest {
            worker_id: text(), worker_type: worker::WorkerType::All as i32, max_weight: 3, version: text(), git_sha: text(),
            image_tag: text(), gpu_name: text(), gpu_memory_total_bytes: 8, location: Some(text()),
        },
        CloseRequest { worker_id: text() },
        HeartbeatRequest {
            worker_id: text(), active_task_proof_ids: texts(), active_task_ids: texts(), current_weight: 4,
        },
        CompleteTaskRequest { worker_id: text(), proof_id: text(), task_id: text(), metadata: text() },
        FailTaskRequest { worker_id: text(), proof_id: text(), task_id: text(), retryable: true },
        CreateTaskRequest { worker_id: text(), data: Some(task_data()) },
        CreateTaskResponse { task_id: text() },
        GetTaskStatusesRequest { worker_id: text(), proof_id: text(), task_ids: texts() },
        GetTaskStatusesResponse { statuses: vec![entry.clone()] },
        CompleteProofRequest { worker_id: text(), proof_id: text(), extra_data: Some(text()) },
        FailProofRequest { worker_id: text(), proof_id: text(), task_id: Some(text()), extra_data: Some(text()) },
        CreateProofRequest { proof_id: text(), inputs: texts(), outputs: texts(), requester: text(), expires_at: -5 },
        CreateProofResponse { task_id: text() },
        CreateDummyProofRequest { worker_id: text(), proof_id: text(), requester: text(), expires_at: 4 },
        CancelProofRequest { worker_id: text(), proof_id: text() },
        OpenSubRequest { sub_id: text(), proof_id: text(), task_ids: texts() },
        UpdateSubRequest { sub_id: text(), task_ids: texts() },
        AckSubRequest { sub_id: text(), msg_id: text() },
        GetStatsResponse {
            coordinator_version: text(), sp1_circuit_version: text(), total_tasks: 3, active_tasks: 4, cpu_workers: 5,
            gpu_workers: 6, cpu_utilization_current: 7, cpu_utilization_max: 8, gpu_utilization_current: 9,
            gpu_utilization_max: 10, active_proofs: 11, cpu_queue: 12, gpu_queue: 13, active_subscribers: 14,
        },
        ClusterComponentInfo { component: text(), version: text(), git_sha: text(), image_tag: text() },
        ClusterCapacitySnapshot {
            observed_at: 1, counters_since: 2, gpu_nodes: 3, gpu_available_ms_total: 4, gpu_busy_ms_total: 5,
            gpus: vec![gpu.clone()],
        },
        SubscribeTaskMessagesRequest { worker_id: text(), task_id: text(), start_offset: 3 },
        SendTaskMessageRequest { worker_id: text(), task_id: text(), payload: vec![1, 2].into() },
    }
}

#[test]
fn the_circuits_are_of_one_version() {
    assert_eq!(
        provost_proto::SP1_CIRCUIT_VERSION,
        sp1_prover::SP1_CIRCUIT_VERSION
    );
}

#[test]
fn cluster_messages_are_the_same() {
    let info = worker::ClusterComponentInfo {
        component: text(),
        version: text(),
        git_sha: text(),
        image_tag: text(),
    };
    let capacity = worker::ClusterCapacitySnapshot {
        observed_at: 1,
        ..Default::default()
    };
    let result = cluster::ExecutionResult {
        status: cluster::ExecutionStatus::Executed as i32,
        failure_cause: cluster::ExecutionFailureCause::Breakpoint as i32,
        cycles: 3,
        gas: 4,
        public_values_hash: vec![5],
    };
    same::<_, sp1_prover_types::cluster::ExecutionResult>(&result);
    let proof = cluster::ProofRequest {
        id: text(),
        proof_status: cluster::ProofRequestStatus::Completed as i32,
        requester: vec![3],
        execution_result: Some(result),
        stdin_artifact_id: "5".into(),
        program_artifact_id: "6".into(),
        proof_artifact_id: Some("7".into()),
        options_artifact_id: Some("8".into()),
        cycle_limit: Some(u64::MAX),
        gas_limit: Some(10),
        deadline: 11,
        handled: true,
        metadata: text(),
        created_at: 14,
        updated_at: 15,
        extra_data: Some(text()),
        scheduled_by: Some(text()),
        stdin_private: true,
    };
    same::<_, sp1_prover_types::cluster::ProofRequest>(&proof);
    cluster_messages! {
        SetClusterComponentInfoRequest { components: vec![info.clone()], capacity: Some(capacity.clone()) },
        ClusterComponentManifest { components: vec![info.clone()], updated_at: 2, capacity: Some(capacity.clone()) },
        ProofRequestCreateRequest {
            proof_id: text(), program_artifact_id: "2".into(), stdin_artifact_id: "3".into(),
            options_artifact_id: Some("4".into()), proof_artifact_id: Some("5".into()), requester: vec![6],
            deadline: 7, cycle_limit: 8, gas_limit: 9, scheduled_by: Some("10".into()), stdin_private: true,
        },
        ProofRequestCancelRequest { proof_id: text() },
        ProofRequestListRequest {
            proof_status: vec![1, 2], execution_status: vec![3], minimum_deadline: Some(3), handled: Some(false),
            limit: Some(5), offset: Some(6), scheduled_by: Some(text()),
        },
        ProofRequestListResponse { proof_requests: vec![proof.clone()] },
        ProofRequestUpdateRequest {
            proof_id: text(), proof_status: Some(2), execution_result: proof.execution_result.clone(), deadline: Some(4),
            handled: Some(true), metadata: Some(text()), extra_data: Some(text()),
        },
        ProofRequestGetRequest { proof_id: text() },
        ProofRequestGetResponse { proof_request: Some(proof.clone()) },
    }
}

macro_rules! same_enums {
    ($module:ident: $($name:ident),+) => {
        $( for number in -1..100 {
            let ours = $module::$name::try_from(number).ok().map(|value| value.as_str_name());
            let theirs = sp1_prover_types::$module::$name::try_from(number).ok();
            let theirs = theirs.map(|value| value.as_str_name());
            assert_eq!(ours, theirs, "{} {number}", stringify!($name));
        } )+
    };
}

#[test]
fn names_and_numbers_are_the_same() {
    same_enums!(worker: WorkerType, TaskType, TaskStatus);
    same_enums!(cluster: ProofRequestStatus, ExecutionStatus, ExecutionFailureCause);
}
