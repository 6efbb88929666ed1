//! SP1's own contract: unary calls, and three streams out. Wire-compatible with stock nodes.
//!
//! What a worker should know beyond the messages:
//!
//! * `NOT_FOUND` is final. From Heartbeat and Close it means: open again. From the calls of a task it means that its run is over (`provost-reason` says
//!   so): stop the task, nothing is wrong. From OpenSub, UpdateSub and AckSub after a reconnect: the proof has ended, or open the subscription again.
//! * A channel is complete only after `end_of_stream`. A stream that ends otherwise, with an error or without, has to be opened again at the next
//!   offset; `NOT_FOUND` there means that the run is over, never that these were all messages.
//! * FailProof should name its task: without, a failure of an earlier run could be taken for one of the present run.
//! * CompleteProof and FailProof are answered once the outcome is stored, which may take a while; `UNAVAILABLE` asks to repeat them.
//! * The same NewTask may come twice: a task that a heartbeat leaves out is sent again.
//! * Results are repeated until they are acknowledged: the same one may come twice.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use provost_proto::SP1_CIRCUIT_VERSION;
use provost_proto::headers;
use provost_proto::worker as wire;
use provost_proto::worker::worker_service_server::WorkerService;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status};

use super::stream::Watched;
use super::{reports, validate};
use crate::Millis;
use crate::events::Device;
use crate::ids::{ProofId, SubId, TaskId, WorkerId};
use crate::proof_spec::{ProofSpec, Root};
use crate::queue::queue;
use crate::reactor::{Acknowledge, FailureReport, NewTask, Opened, ProofReport};
use crate::refusal::Refusal;
use crate::shards::ShardSize;
use crate::shared::{Inner, Locked, Shared};

/// How long CompleteProof and FailProof wait for the state before the worker is asked to repeat them.
const STORE_LIMIT: Duration = Duration::from_secs(20);

/// The unary door. [`crate::Coordinator::service`] makes one.
pub struct UnaryDoor {
    shared: Arc<Shared>,
}

impl std::fmt::Debug for UnaryDoor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UnaryDoor").finish_non_exhaustive()
    }
}

type Answer<T> = Result<Response<T>, Status>;

fn done() -> Answer<()> {
    Ok(Response::new(()))
}

impl UnaryDoor {
    pub(crate) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Streams that open while the server goes down would keep it from ending.
    fn check_open(&self) -> Result<(), Status> {
        if self.shared.shutdown.is_cancelled() {
            return Err(Status::unavailable("the coordinator is shutting down"));
        }
        Ok(())
    }

    /// The state, if this replica leads.
    fn lead(&self) -> Result<Locked<'_>, Refusal> {
        let inner = self.shared.lock();
        inner.check_leads()?;
        Ok(inner)
    }

    /// Gives the reactor a word on a proof, and answers once the outcome is stored.
    async fn conclude(
        &self,
        proof: ProofId,
        event: impl FnOnce(&mut Inner) -> Result<Acknowledge, Refusal>,
    ) -> Answer<()> {
        let stored = {
            let mut inner = self.lead()?;
            match event(&mut inner)? {
                Acknowledge::Now => return done(),
                // Under the same lock, so that it can not be settled in between.
                Acknowledge::WhenStored => inner.comm.wait_settled(&proof),
            }
        };
        match tokio::time::timeout(STORE_LIMIT, stored).await {
            Ok(Ok(())) => done(),
            _ => Err(Refusal::NotStored(proof).into()),
        }
    }

    fn submit(&self, spec: ProofSpec) -> Result<Option<TaskId>, Refusal> {
        self.lead()?.react(|r| r.proof_submitted(spec))
    }
}

fn header<'a>(metadata: &'a MetadataMap, key: &str) -> Option<&'a str> {
    metadata.get(key).and_then(|value| value.to_str().ok())
}

/// Unix seconds to ours; 0 is never.
fn expiry(seconds: i64) -> Option<Millis> {
    (seconds > 0).then(|| seconds.saturating_mul(1000))
}

#[tonic::async_trait]
impl WorkerService for UnaryDoor {
    type OpenStream = Watched<wire::ServerMessage>;
    type OpenSubStream = Watched<wire::ServerSubMessage>;
    type SubscribeTaskMessagesStream = Watched<wire::MessageStreamResponse>;

    async fn open(&self, request: Request<wire::OpenRequest>) -> Answer<Self::OpenStream> {
        self.check_open()?;
        let request = request.into_inner();
        let id: WorkerId = validate::id("worker_id", request.worker_id)?;
        let kind = validate::worker_kind(request.worker_type)?;
        let max_weight = validate::capacity(request.max_weight)?;
        let version = validate::optional_id("version", request.version)?;
        let device = (!request.gpu_name.is_empty()).then_some(Device {
            name: request.gpu_name,
            memory_bytes: request.gpu_memory_total_bytes,
            ..Device::default()
        });
        let (sender, receiver) = queue();
        let mut inner = self.lead()?;
        let conn = inner.next_conn();
        inner.comm.attach_worker(&id, conn, sender);
        let opened = Opened {
            id: id.clone(),
            kind,
            max_weight,
            // The contract has no word for how much it proves, and for how large shards.
            provers: None,
            device,
            shards: ShardSize::Reduced,
            version,
            conn,
            link: None,
        };
        inner.react(|r| r.worker_opened(opened));
        drop(inner);
        let shared = Arc::clone(&self.shared);
        Ok(Response::new(Watched::new(receiver, move || {
            let mut inner = shared.lock();
            inner.comm.detach_worker(&id, conn);
            inner.react(|r| r.stream_broken(&id, conn));
        })))
    }

    async fn close(&self, request: Request<wire::CloseRequest>) -> Answer<()> {
        let id = validate::id("worker_id", request.into_inner().worker_id)?;
        self.lead()?.react(|r| r.worker_closed(&id))?;
        done()
    }

    async fn heartbeat(&self, request: Request<wire::HeartbeatRequest>) -> Answer<()> {
        let request = request.into_inner();
        let id = validate::id("worker_id", request.worker_id)?;
        let active = validate::active(request.active_task_proof_ids, request.active_task_ids)?;
        let weight = request.current_weight;
        self.lead()?.react(|r| r.heartbeat(&id, &active, weight))?;
        done()
    }

    async fn create_task(
        &self,
        request: Request<wire::CreateTaskRequest>,
    ) -> Answer<wire::CreateTaskResponse> {
        let chosen = header(request.metadata(), headers::TASK_ID).map(str::to_owned);
        let request = request.into_inner();
        let creator = validate::optional_id("worker_id", request.worker_id)?;
        let (kind, data) = validate::task(request.data)?;
        let id = match chosen {
            Some(text) => Some(validate::id(headers::TASK_ID, text)?),
            None => None,
        };
        let new = NewTask {
            id,
            creator,
            kind,
            proof: data.proof_id.as_str().into(),
            parent: data.parent_id.as_deref().map(TaskId::from),
            data: data.to_bytes(),
        };
        let task = self.lead()?.react(|r| r.task_created(new))?;
        Ok(Response::new(wire::CreateTaskResponse {
            task_id: task.to_string(),
        }))
    }

    async fn complete_task(&self, request: Request<wire::CompleteTaskRequest>) -> Answer<()> {
        let request = request.into_inner();
        let worker = validate::optional_id("worker_id", request.worker_id)?;
        let proof = validate::id("proof_id", request.proof_id)?;
        let task = validate::id("task_id", request.task_id)?;
        let metadata = validate::text("metadata", Some(request.metadata))?;
        self.lead()?
            .react(|r| r.task_completed(&worker, &proof, &task, metadata))?;
        done()
    }

    async fn fail_task(&self, request: Request<wire::FailTaskRequest>) -> Answer<()> {
        let request = request.into_inner();
        let worker = validate::optional_id("worker_id", request.worker_id)?;
        let proof = validate::id("proof_id", request.proof_id)?;
        let task = validate::id("task_id", request.task_id)?;
        let report = FailureReport {
            retryable: request.retryable,
            // The contract has no room for either.
            class: None,
            message: reports::NO_REASON.to_owned(),
        };
        self.lead()?
            .react(|r| r.task_failed(&worker, &proof, &task, report))?;
        done()
    }

    async fn get_task_statuses(
        &self,
        request: Request<wire::GetTaskStatusesRequest>,
    ) -> Answer<wire::GetTaskStatusesResponse> {
        let request = request.into_inner();
        let proof: ProofId = validate::id("proof_id", request.proof_id)?;
        let tasks: Vec<TaskId> = validate::ids("task_ids", request.task_ids)?;
        let found = self.lead()?.react(|r| r.statuses(&proof, &tasks));
        let mut by_status: BTreeMap<i32, Vec<String>> = BTreeMap::new();
        for (status, task) in found {
            let ids = by_status.entry(status.into()).or_default();
            ids.push(task.to_string());
        }
        let entries = by_status
            .into_iter()
            .map(|(key, ids)| wire::TaskStatusMapEntry {
                key,
                value: Some(wire::TaskIdList { ids }),
            });
        Ok(Response::new(wire::GetTaskStatusesResponse {
            statuses: entries.collect(),
        }))
    }

    async fn create_proof(
        &self,
        request: Request<wire::CreateProofRequest>,
    ) -> Answer<wire::CreateProofResponse> {
        let request = request.into_inner();
        validate::artifacts("inputs", &request.inputs)?;
        validate::artifacts("outputs", &request.outputs)?;
        let spec = ProofSpec {
            inputs: request.inputs,
            outputs: request.outputs,
            requester: validate::optional_id("requester", request.requester)?,
            created_at_ms: self.shared.now(),
            expires_at_ms: expiry(request.expires_at),
            ..ProofSpec::new(
                validate::id::<ProofId>("proof_id", request.proof_id)?,
                Root::Prove,
            )
        };
        let root = self.submit(spec)?;
        let task_id = root.map(|root| root.to_string()).unwrap_or_default();
        Ok(Response::new(wire::CreateProofResponse { task_id }))
    }

    async fn create_dummy_proof(
        &self,
        request: Request<wire::CreateDummyProofRequest>,
    ) -> Answer<()> {
        let request = request.into_inner();
        self.submit(ProofSpec {
            requester: validate::optional_id("requester", request.requester)?,
            created_at_ms: self.shared.now(),
            expires_at_ms: expiry(request.expires_at),
            ..ProofSpec::new(
                validate::id::<ProofId>("proof_id", request.proof_id)?,
                Root::None,
            )
        })?;
        done()
    }

    async fn complete_proof(&self, request: Request<wire::CompleteProofRequest>) -> Answer<()> {
        let request = request.into_inner();
        let worker = validate::optional_id("worker_id", request.worker_id)?;
        let proof: ProofId = validate::id("proof_id", request.proof_id)?;
        let extra_data = validate::text("extra_data", request.extra_data)?;
        let id = proof.clone();
        self.conclude(proof, move |inner| {
            inner.react(|r| r.proof_completed(&worker, &id, extra_data))
        })
        .await
    }

    async fn fail_proof(&self, request: Request<wire::FailProofRequest>) -> Answer<()> {
        let request = request.into_inner();
        let proof: ProofId = validate::id("proof_id", request.proof_id)?;
        let extra_data = validate::text("extra_data", request.extra_data)?;
        let task = match request.task_id.filter(|task| !task.is_empty()) {
            Some(task) => Some(validate::id("task_id", task)?),
            None => None,
        };
        let report = ProofReport {
            worker: validate::optional_id("worker_id", request.worker_id)?,
            proof: proof.clone(),
            task,
            failure: reports::of_proof(&extra_data),
            extra_data,
        };
        self.conclude(proof, move |inner| inner.react(|r| r.proof_failed(report)))
            .await
    }

    async fn cancel_proof(&self, request: Request<wire::CancelProofRequest>) -> Answer<()> {
        let request = request.into_inner();
        let proof: ProofId = validate::id("proof_id", request.proof_id)?;
        let id = proof.clone();
        self.conclude(proof, move |inner| {
            inner.react(|r| r.proof_cancelled(&id, "cancelled by a client"))
        })
        .await
    }

    async fn open_sub(
        &self,
        request: Request<wire::OpenSubRequest>,
    ) -> Answer<Self::OpenSubStream> {
        self.check_open()?;
        let request = request.into_inner();
        let id: SubId = validate::id("sub_id", request.sub_id)?;
        let proof: ProofId = validate::id("proof_id", request.proof_id)?;
        let tasks: Vec<TaskId> = validate::ids("task_ids", request.task_ids)?;
        let (sender, receiver) = queue();
        let mut inner = self.lead()?;
        inner.react(|r| r.check_sub(&id, &proof))?;
        let conn = inner.next_conn();
        inner.comm.attach_sub(&id, conn, sender);
        inner.react(|r| r.sub_opened(&id, &proof, &tasks, conn))?;
        drop(inner);
        let shared = Arc::clone(&self.shared);
        Ok(Response::new(Watched::new(receiver, move || {
            let mut inner = shared.lock();
            inner.comm.detach_sub(&id, conn);
            inner.react(|r| r.sub_broken(&id, conn));
        })))
    }

    async fn update_sub(&self, request: Request<wire::UpdateSubRequest>) -> Answer<()> {
        let request = request.into_inner();
        let id = validate::id("sub_id", request.sub_id)?;
        let tasks: Vec<TaskId> = validate::ids("task_ids", request.task_ids)?;
        self.lead()?.react(|r| r.sub_updated(&id, &tasks))?;
        done()
    }

    async fn ack_sub(&self, request: Request<wire::AckSubRequest>) -> Answer<()> {
        let request = request.into_inner();
        let id = validate::id("sub_id", request.sub_id)?;
        self.lead()?.react(|r| r.sub_acked(&id, &request.msg_id))?;
        done()
    }

    async fn healthcheck(&self, _: Request<()>) -> Answer<()> {
        done()
    }

    async fn get_stats(&self, _: Request<()>) -> Answer<wire::GetStatsResponse> {
        let stats = self.shared.lock().core.stats();
        let narrow = |wide: u64| u32::try_from(wide).unwrap_or(u32::MAX);
        Ok(Response::new(wire::GetStatsResponse {
            coordinator_version: concat!("provost ", env!("CARGO_PKG_VERSION")).to_owned(),
            sp1_circuit_version: SP1_CIRCUIT_VERSION.to_owned(),
            total_tasks: stats.total_tasks,
            active_tasks: stats.active_tasks,
            cpu_workers: stats.cpu.workers,
            gpu_workers: stats.gpu.workers,
            cpu_utilization_current: narrow(stats.cpu.used_weight),
            cpu_utilization_max: narrow(stats.cpu.max_weight),
            gpu_utilization_current: narrow(stats.gpu.used_weight),
            gpu_utilization_max: narrow(stats.gpu.max_weight),
            active_proofs: stats.active_proofs,
            cpu_queue: stats.cpu.queued,
            gpu_queue: stats.gpu.queued,
            active_subscribers: stats.subscriptions,
        }))
    }

    async fn subscribe_task_messages(
        &self,
        request: Request<wire::SubscribeTaskMessagesRequest>,
    ) -> Answer<Self::SubscribeTaskMessagesStream> {
        self.check_open()?;
        let request = request.into_inner();
        let task = validate::id("task_id", request.task_id)?;
        let (sender, receiver) = queue();
        let mut inner = self.lead()?;
        let reader = inner.next_conn();
        inner.comm.attach_reader(reader, sender);
        let opened = inner.react(|r| r.reader_opened(&task, request.start_offset, reader));
        if let Err(refusal) = opened {
            inner.comm.detach_reader(reader);
            return Err(refusal.into());
        }
        drop(inner);
        let shared = Arc::clone(&self.shared);
        Ok(Response::new(Watched::new(receiver, move || {
            let mut inner = shared.lock();
            inner.comm.detach_reader(reader);
            inner.react(|r| r.reader_closed(reader));
        })))
    }

    async fn send_task_message(
        &self,
        request: Request<wire::SendTaskMessageRequest>,
    ) -> Answer<()> {
        let request = request.into_inner();
        let worker = validate::optional_id("worker_id", request.worker_id)?;
        let task = validate::id("task_id", request.task_id)?;
        self.lead()?
            .react(|r| r.message_sent(&worker, &task, request.payload))?;
        done()
    }
}
