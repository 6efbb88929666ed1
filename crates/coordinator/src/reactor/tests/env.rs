//! A core, a recorder of commands, and short ways to say events.

use bytes::Bytes;
use provost_proto::link::down_message;
use provost_proto::worker::{ServerSubMessage, TaskData, TaskType, WorkerType, server_sub_message};

use crate::Millis;
use crate::config::Config;
use crate::core::{Core, Phase};
use crate::events::WorkerEvent;
use crate::failure::{Failure, FailureClass, Loss};
use crate::ids::{ConnId, IdSource, ProofId, SubId, TaskId, WorkerId};
use crate::output::{Order, Output, ReaderEnd};
use crate::proof_spec::{ProofSpec, Root};
use crate::reactor::{Acknowledge, FailureReport, NewTask, Opened, ProofReport, Reactor};
use crate::refusal::Refusal;
use crate::shards::ShardSize;
use crate::state::{ProofOutcome, ProofProgress, ProofResult, RunStart, TaskChange};
use crate::term::Term;

/// A recorded command.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Said {
    Run(String, String),
    Cancel(String, String),
    Beat(String),
    CloseWorker(String),
    Result(String, u64, String, i32),
    Unknown(String, String),
    SubBeat(String),
    CloseSub(String),
    Message(ConnId, Bytes),
    End(ConnId, ReaderEnd),
    Finish(Box<ProofOutcome>),
    Settled(String),
    Event(WorkerEvent),
    CloseLink(ConnId),
    Deposed(u64),
}

#[derive(Default)]
pub(super) struct Recorder {
    pub(super) said: Vec<Said>,
    pub(super) changes: Vec<TaskChange>,
    pub(super) progress: Vec<ProofProgress>,
    /// What was told by the native door.
    pub(super) told: Vec<(ConnId, down_message::Message)>,
    /// Runs that are to be stored.
    pub(super) begun: Vec<RunStart>,
}

impl Output for Recorder {
    fn send(&mut self, worker: &WorkerId, order: Order) {
        let worker = worker.to_string();
        self.said.push(match order {
            Order::Run { task, .. } => Said::Run(worker, task.to_string()),
            Order::Cancel { task, .. } => Said::Cancel(worker, task.to_string()),
            Order::Beat => Said::Beat(worker),
        });
    }
    fn close_worker(&mut self, worker: &WorkerId) {
        self.said.push(Said::CloseWorker(worker.to_string()));
    }
    fn push(&mut self, sub: &SubId, message: ServerSubMessage) {
        use server_sub_message::Message;
        let (sub, number) = (sub.to_string(), message.msg_id.parse().unwrap());
        self.said.push(match message.message.unwrap() {
            Message::TaskResult(r) => Said::Result(sub, number, r.task_id, r.task_status),
            Message::UnknownTask(t) => Said::Unknown(sub, t.task_id),
            Message::ServerHeartbeat(_) => Said::SubBeat(sub),
            Message::EndOfStream(_) => unreachable!("never sent"),
        });
    }
    fn close_sub(&mut self, sub: &SubId) {
        self.said.push(Said::CloseSub(sub.to_string()));
    }
    fn message(&mut self, reader: ConnId, payload: Bytes) {
        self.said.push(Said::Message(reader, payload));
    }
    fn end_reader(&mut self, reader: ConnId, end: ReaderEnd) {
        self.said.push(Said::End(reader, end));
    }
    fn tell(&mut self, conn: ConnId, message: down_message::Message) {
        self.told.push((conn, message));
    }
    fn close_link(&mut self, conn: ConnId) {
        self.said.push(Said::CloseLink(conn));
    }
    fn begin_run(&mut self, start: RunStart) {
        self.begun.push(start);
    }
    fn deposed(&mut self, epoch: u64) {
        self.said.push(Said::Deposed(epoch));
    }
    fn record(&mut self, change: TaskChange) {
        self.changes.push(change);
    }
    fn progress(&mut self, progress: ProofProgress) {
        self.progress.push(progress);
    }
    fn finish(&mut self, outcome: ProofOutcome) {
        self.said.push(Said::Finish(Box::new(outcome)));
    }
    fn settled(&mut self, proof: &ProofId) {
        self.said.push(Said::Settled(proof.to_string()));
    }
    fn event(&mut self, event: WorkerEvent) {
        self.said.push(Said::Event(event));
    }
}

/// `t1`, `t2`, ...
#[derive(Default)]
struct Counter(u64);

impl IdSource for Counter {
    fn task(&mut self) -> TaskId {
        self.0 += 1;
        TaskId::from(format!("t{}", self.0))
    }

    /// Waits are as short as they may be.
    fn random(&mut self) -> u64 {
        0
    }
}

/// A coordinator without a world.
pub(super) struct Env {
    pub(super) core: Core,
    pub(super) out: Recorder,
    ids: Counter,
    pub(super) now: Millis,
    conn: ConnId,
    /// Whether runs are stored as soon as they begin.
    pub(super) stores: bool,
}

pub(super) fn p(id: &str) -> ProofId {
    id.into()
}
pub(super) fn t(id: &str) -> TaskId {
    id.into()
}
pub(super) fn w(id: &str) -> WorkerId {
    id.into()
}

pub(super) fn spec(id: &str) -> ProofSpec {
    ProofSpec {
        inputs: ["program", "stdin", "2", "0"].map(str::to_owned).to_vec(),
        outputs: vec!["proof".to_owned()],
        requester: "someone".to_owned(),
        created_at_ms: 1_000,
        ..ProofSpec::new(p(id), Root::Prove)
    }
}

impl Env {
    pub(super) fn new() -> Self {
        Self::with(Config::default())
    }

    pub(super) fn with(config: Config) -> Self {
        let mut this = Self::standby(config);
        this.react(|r| r.lead(Term::default()));
        this
    }

    /// One that does not lead yet.
    pub(super) fn standby(config: Config) -> Self {
        Self {
            core: Core::new(config),
            out: Recorder::default(),
            ids: Counter::default(),
            now: 1_000_000,
            conn: 0,
            stores: true,
        }
    }

    pub(super) fn next_conn(&mut self) -> ConnId {
        self.conn += 1;
        self.conn
    }

    /// One event, and then all books are checked.
    pub(super) fn react<R>(&mut self, event: impl FnOnce(&mut Reactor<'_>) -> R) -> R {
        let result = self.react_once(event);
        while self.stores
            && let Some(start) = self.out.begun.pop()
        {
            self.react_once(|r| r.run_stored(&start.proof, start.run));
        }
        result
    }

    fn react_once<R>(&mut self, event: impl FnOnce(&mut Reactor<'_>) -> R) -> R {
        let result = event(&mut Reactor {
            core: &mut self.core,
            out: &mut self.out,
            ids: &mut self.ids,
            now: self.now,
        });
        if let Err(error) = self.core.check() {
            panic!("inconsistent: {error}\nafter {:#?}", self.out.said);
        }
        result
    }

    /// What was said since this was last asked.
    pub(super) fn said(&mut self) -> Vec<Said> {
        std::mem::take(&mut self.out.said)
    }

    /// The tasks that were handed out since anything was last asked, with their workers.
    pub(super) fn runs(&mut self) -> Vec<(String, String)> {
        let said = self.said().into_iter();
        said.filter_map(|said| match said {
            Said::Run(worker, task) => Some((worker, task)),
            _ => None,
        })
        .collect()
    }

    pub(super) fn outcome(&mut self) -> Option<ProofOutcome> {
        let said = self.said().into_iter();
        let mut outcomes = said.filter_map(|said| match said {
            Said::Finish(outcome) => Some(*outcome),
            _ => None,
        });
        let first = outcomes.next();
        assert!(outcomes.next().is_none(), "two outcomes");
        first
    }

    pub(super) fn failure(&mut self) -> Failure {
        match self.outcome().expect("an outcome").result {
            ProofResult::Failed { failure, .. } => failure,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn open(&mut self, id: &str, kind: WorkerType, max_weight: u32) -> ConnId {
        self.open_for(id, kind, max_weight, ShardSize::Reduced)
    }

    /// A worker for shards of a size.
    pub(super) fn open_for(
        &mut self,
        id: &str,
        kind: WorkerType,
        max_weight: u32,
        shards: ShardSize,
    ) -> ConnId {
        self.conn += 1;
        let opened = Opened {
            id: w(id),
            kind,
            max_weight,
            provers: None,
            device: None,
            shards,
            version: "1".to_owned(),
            conn: self.conn,
            link: None,
        };
        self.react(|r| r.worker_opened(opened));
        self.conn
    }

    /// The two registrations of a pod of class All.
    pub(super) fn open_pod(&mut self, pod: &str, cpu: u32, gpu: u32) {
        self.open(&format!("{pod}/execute"), WorkerType::Cpu, cpu);
        self.open(&format!("{pod}/prove"), WorkerType::Gpu, gpu);
    }

    pub(super) fn submit(&mut self, spec: ProofSpec) -> TaskId {
        self.react(|r| r.proof_submitted(spec)).unwrap().unwrap()
    }

    pub(super) fn try_create(
        &mut self,
        creator: &str,
        proof: &str,
        kind: TaskType,
        id: Option<&str>,
    ) -> Result<TaskId, Refusal> {
        let data = TaskData {
            task_type: kind.into(),
            proof_id: proof.to_owned(),
            weight: 999,
            ..TaskData::default()
        };
        let new = NewTask {
            id: id.map(TaskId::from),
            creator: w(creator),
            kind,
            proof: p(proof),
            parent: None,
            data: data.to_bytes(),
        };
        self.react(|r| r.task_created(new))
    }

    pub(super) fn create(&mut self, creator: &str, proof: &str, kind: TaskType) -> TaskId {
        self.try_create(creator, proof, kind, None).unwrap()
    }

    pub(super) fn complete(&mut self, worker: &str, proof: &str, task: &TaskId) {
        let result = self.react(|r| r.task_completed(&w(worker), &p(proof), task, "{}".to_owned()));
        result.unwrap();
    }

    pub(super) fn fail(
        &mut self,
        worker: &str,
        proof: &str,
        task: &TaskId,
        retryable: bool,
        class: Option<FailureClass>,
    ) -> Result<(), Refusal> {
        let report = FailureReport {
            retryable,
            class,
            message: "it broke".to_owned(),
        };
        self.react(|r| r.task_failed(&w(worker), &p(proof), task, report))
    }

    pub(super) fn complete_proof(&mut self, worker: &str, proof: &str) -> Acknowledge {
        let extra = r#"{"cycles":1}"#.to_owned();
        self.react(|r| r.proof_completed(&w(worker), &p(proof), extra))
            .unwrap()
    }

    pub(super) fn fail_proof(
        &mut self,
        worker: &str,
        proof: &str,
        task: Option<&TaskId>,
    ) -> Acknowledge {
        let report = ProofReport {
            worker: w(worker),
            proof: p(proof),
            task: task.cloned(),
            failure: Failure::new(FailureClass::ProgramFault, "exit code 1"),
            extra_data: "{}".to_owned(),
        };
        self.react(|r| r.proof_failed(report)).unwrap()
    }

    pub(super) fn lose(&mut self, pod: &str, class: FailureClass) -> usize {
        let loss = Loss::new(class, "pool small, memory limit 3Gi");
        self.react(|r| r.pod_lost(pod, &loss))
    }

    pub(super) fn beat(&mut self, worker: &str, active: &[(&str, &TaskId)]) -> Result<(), Refusal> {
        let active: Vec<_> = active.iter().map(|(pr, t)| (p(pr), (*t).clone())).collect();
        self.react(|r| r.heartbeat(&w(worker), &active, 0))
    }

    /// Lets time pass, with a tick at its end.
    pub(super) fn wait(&mut self, millis: Millis) {
        self.now += millis;
        self.react(|r| r.tick());
    }

    /// Lets time pass while all workers beat with exactly what they hold.
    pub(super) fn wait_beating(&mut self, millis: Millis) {
        let end = self.now + millis;
        while self.now < end {
            self.now = end.min(self.now + 1_000);
            let beats: Vec<_> = self
                .core
                .workers()
                .filter(|worker| worker.conn.is_some())
                .map(|worker| {
                    let live = worker.live();
                    let active: Vec<_> = live.map(|(t, h)| (h.proof.clone(), t.clone())).collect();
                    (worker.id.clone(), active)
                })
                .collect();
            for (worker, active) in beats {
                let _ = self.react(|r| r.heartbeat(&worker, &active, 0));
            }
            self.react(|r| r.tick());
        }
    }

    pub(super) fn phase(&self, task: &TaskId) -> Option<Phase> {
        self.core.task(task).map(|task| task.phase().clone())
    }

    pub(super) fn worker_of(&self, task: &TaskId) -> Option<String> {
        let worker = self.core.task(task)?.worker()?;
        Some(worker.to_string())
    }

    pub(super) fn used(&self, worker: &str) -> u64 {
        self.core.worker(worker).unwrap().used()
    }

    pub(super) fn root(&self, proof: &str) -> TaskId {
        self.core.proof(proof).unwrap().root.clone().unwrap()
    }
}
