//! The handle that the rest of the program holds.

use std::sync::Arc;
use std::time::Duration;

use provost_proto::link::link_server::LinkServer;
use provost_proto::sizes::{CONNECTION_WINDOW_BYTES, MAX_MESSAGE_BYTES};
use provost_proto::worker::worker_service_server::WorkerServiceServer;
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

use crate::Millis;
use crate::config::{Config, Doors};
use crate::doors::native::NativeDoor;
use crate::doors::unary::UnaryDoor;
use crate::events::{Recall, Stats, WorkerEvent, WorkerView};
use crate::explain::Explanation;
use crate::failure::Loss;
use crate::ids::{ProofId, TaskId};
use crate::proof_spec::ProofSpec;
use crate::refusal::Refusal;
use crate::shards::GpuPools;
use crate::shared::Shared;
use crate::state::{ProofProgress, State};
use crate::term::{Term, TermEvent};

/// Interval of the pings by which a dead connection is noticed.
const PING: Duration = Duration::from_secs(10);
/// How long one may go unanswered. Not so short that it takes a connection away from a Controller whose silence is borne for longer: [`crate::Config::root_liveness`].
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// Streams that one worker may have open: its own, and those of every proof that it drives.
const MAX_STREAMS: u32 = 8192;

/// A running coordinator. Clones are handles to the same one.
#[derive(Clone)]
pub struct Coordinator {
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Coordinator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Coordinator").finish_non_exhaustive()
    }
}

impl Coordinator {
    /// Starts a coordinator that leads from the start, in a first term: for a state that nothing outlives.
    pub fn start(config: Config, state: Arc<dyn State>, shutdown: CancellationToken) -> Self {
        let this = Self::standby(config, state, shutdown);
        if let Err(refusal) = this.lead(Term::default()) {
            // Nobody can have joined a coordinator that was not there.
            tracing::error!(%refusal, "the first term did not begin");
        }
        this
    }

    /// Starts a coordinator on the current tokio runtime that does not lead yet: workers may join it, and nothing else. It ends all streams, and with
    /// them [`Coordinator::serve`], when `shutdown` is cancelled.
    pub fn standby(config: Config, state: Arc<dyn State>, shutdown: CancellationToken) -> Self {
        let shared = Shared::start(config, state, shutdown);
        Self { shared }
    }

    /// Leads from now on. Whatever was known before is forgotten: the term says what goes on, and the workers report the rest.
    ///
    /// # Errors
    /// [`Refusal::Outdated`] if a worker knows a leader of this epoch or a later one: take a higher.
    pub fn lead(&self, term: Term) -> Result<(), Refusal> {
        self.shared.lead(term)
    }

    /// Leads no more. Nothing is stored or acknowledged from now on; workers stay joined and go on with what they do.
    pub fn step_down(&self) {
        self.shared.step_down();
    }

    /// The epoch in which it leads; 0 while it does not.
    pub fn epoch(&self) -> u64 {
        self.shared.lock().core.epoch()
    }

    /// The highest epoch that it or any worker that joined it has seen.
    pub fn seen_epoch(&self) -> u64 {
        self.shared.lock().core.seen_epoch()
    }

    /// Whether workers of the last term have yet to report.
    pub fn is_recovering(&self) -> bool {
        self.shared.lock().core.recovery().is_some()
    }

    /// What happens to the term from now on.
    pub fn term_events(&self) -> broadcast::Receiver<TermEvent> {
        self.shared.terms.subscribe()
    }

    /// Submits a proof and answers its root task. Submitted again under the same name, it changes nothing.
    ///
    /// # Errors
    /// [`Refusal::ProofEnded`] if it ended already, [`Refusal::IdTaken`] if the name belongs to a proof of another kind,
    /// [`Refusal::Invalid`] for a proof without a root, [`Refusal::NotLeading`].
    pub async fn submit_proof(&self, spec: ProofSpec) -> Result<TaskId, Refusal> {
        if spec.kind.task_type().is_none() {
            let message = "a proof that is submitted needs a root".to_owned();
            return Err(Refusal::Invalid(message));
        }
        let mut inner = self.shared.lock();
        inner.check_leads()?;
        let root = inner.react(|r| r.proof_submitted(spec))?;
        root.ok_or_else(|| Refusal::Invalid("the proof has no root".to_owned()))
    }

    /// Cancels a proof: its workers are told to stop at once, and the outcome goes to [`State::finish_proof`]. False if it is not known or has ended.
    pub async fn cancel_proof(&self, proof_id: &str, reason: &str) -> bool {
        let id = ProofId::from(proof_id);
        self.shared.react(|r| {
            let live = r.core.proof(&id).is_some_and(|p| p.ended.is_none());
            live && r.proof_cancelled(&id, reason).is_ok()
        })
    }

    /// Drops a proof with all memory of it, and stores no outcome. Answers which run it was in; `None` if it is not known.
    pub async fn forget_proof(&self, proof_id: &str) -> Option<u32> {
        let id = ProofId::from(proof_id);
        self.shared.react(|r| r.proof_forgotten(&id))
    }

    /// Changes a proof's priority. False if it is not known.
    pub async fn set_priority(&self, proof_id: &str, priority: i32) -> bool {
        let id = ProofId::from(proof_id);
        self.shared.react(|r| r.priority_set(&id, priority))
    }

    /// Changes when a proof is wanted, in milliseconds since the Unix epoch. False if it is not known.
    pub async fn set_deadline(&self, proof_id: &str, deadline: Option<Millis>) -> bool {
        let id = ProofId::from(proof_id);
        self.shared.react(|r| r.deadline_set(&id, deadline))
    }

    /// Says which node a pod is on, registered or not, in this term or another; `None` once it is on none any more. A node where tasks fail is avoided where there are others.
    pub fn place_pod(&self, pod: &str, node: Option<&str>) {
        self.shared.react(|r| r.pod_placed(pod, node));
    }

    /// Gives a pod no more tasks, registered or not, in this term or another, until that is taken back. What it has goes on. Kubernetes' word: nodes are cordoned so.
    pub fn cordon_pod(&self, pod: &str, cordoned: bool) {
        self.shared.react(|r| r.pod_cordoned(pod, cordoned));
    }

    /// Says which GPUs there will be, in this term or another: how large the shards of a proof are follows them, and not those alone that are here when it begins.
    pub fn expect_gpus(&self, pools: GpuPools) {
        self.shared.react(|r| r.core.expect_gpus(pools));
    }

    /// A pod is gone: the tasks of all its registrations go elsewhere at once. Says how many registrations those were.
    pub async fn worker_lost(&self, pod: &str, loss: Loss) -> usize {
        self.shared.react(|r| r.pod_lost(pod, &loss))
    }

    /// A pod was to be gone by now. Unless its process is heard, that is the same. Says how many registrations are lost with it.
    pub async fn worker_overdue(&self, pod: &str, loss: Loss) -> usize {
        self.shared.react(|r| r.pod_overdue(pod, &loss))
    }

    /// Runs a task again, as a person wishes: its worker is told to stop it, and it waits for another. A root begins its proof's next run. No
    /// failed attempt is counted.
    pub async fn requeue_task(&self, task_id: &str) -> Recall {
        let id = TaskId::from(task_id);
        self.shared.react(|r| r.task_recalled(&id))
    }

    /// The registered workers.
    pub async fn workers(&self) -> Vec<WorkerView> {
        self.shared.lock().core.worker_views()
    }

    /// Whether workers may still write for the proof: they are at one of its tasks, or have not let go yet of one that they were told to stop.
    pub async fn is_worked_on(&self, proof_id: &str) -> bool {
        self.shared.lock().core.is_worked_on(proof_id)
    }

    /// How far a proof is; `None` if it is not known or has ended.
    pub async fn progress(&self, proof_id: &str) -> Option<ProofProgress> {
        let inner = self.shared.lock();
        let proof = inner.core.proof(proof_id)?;
        proof.ended.is_none().then(|| proof.progress())
    }

    /// Why the tasks of a proof wait; `None` if it is not known.
    pub async fn explain(&self, proof_id: &str) -> Option<Explanation> {
        let id = ProofId::from(proof_id);
        self.shared.lock().core.explain(&id)
    }

    /// Counts over everything.
    pub async fn stats(&self) -> Stats {
        self.shared.lock().core.stats()
    }

    /// What happens to workers from now on. A listener that falls behind gets `Lagged`, and should list [`Coordinator::workers`].
    pub fn worker_events(&self) -> broadcast::Receiver<WorkerEvent> {
        self.shared.events.subscribe()
    }

    /// The service that workers talk to, SP1's unary contract, for a server of your own.
    pub fn service(&self) -> WorkerServiceServer<UnaryDoor> {
        WorkerServiceServer::new(UnaryDoor::new(Arc::clone(&self.shared)))
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES)
    }

    /// The service that Provost's own workers talk to, for a server of your own.
    pub fn native_service(&self) -> LinkServer<NativeDoor> {
        LinkServer::new(NativeDoor::new(Arc::clone(&self.shared)))
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES)
    }

    /// Serves workers on a listener, in plain text, by the given doors, until the shutdown.
    ///
    /// # Errors
    /// If the server can not go on.
    pub async fn serve(
        &self,
        listener: TcpListener,
        doors: Doors,
    ) -> Result<(), tonic::transport::Error> {
        let incoming = TcpIncoming::from(listener)
            .with_nodelay(Some(true))
            .with_keepalive(Some(PING));
        Server::builder()
            .http2_keepalive_interval(Some(PING))
            .http2_keepalive_timeout(Some(PING_TIMEOUT))
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .max_concurrent_streams(MAX_STREAMS)
            .add_optional_service(doors.unary.then(|| self.service()))
            .add_optional_service(doors.native.then(|| self.native_service()))
            .serve_with_incoming_shutdown(incoming, self.shared.shutdown.clone().cancelled_owned())
            .await
    }
}
