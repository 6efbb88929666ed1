//! What joined processes are told.

use bytes::Bytes;
use provost_proto::link as wire;
use provost_proto::link::down_message::Message;
use provost_proto::worker::TaskStatus;

use crate::core::LinkId;
use crate::ids::{ProofId, TaskId, WorkerId};
use crate::reactor::Reactor;
use crate::word::RunId;

impl Reactor<'_> {
    /// Lost if the process has no stream: its report will show what it lacks.
    pub(super) fn tell(&mut self, link: LinkId, message: Message) {
        if let Some(conn) = self.core.conn_of(link) {
            self.out.tell(conn, message);
        }
    }

    pub(crate) fn tell_welcome(&mut self, link: LinkId) {
        let welcome = wire::Welcome {
            replica: self.core.config().replica.clone(),
            epoch: self.core.epoch(),
        };
        self.tell(link, Message::Welcome(welcome));
    }

    pub(in crate::reactor) fn send_attempt(
        &mut self,
        link: LinkId,
        id: &TaskId,
        worker: &WorkerId,
        data: Bytes,
    ) {
        let Some(task) = self.core.task(id) else {
            return;
        };
        let proof = task.proof.clone();
        let hold = self.core.worker(worker).and_then(|w| w.holds().get(id));
        let attempt = hold.map_or(task.attempt, |hold| hold.attempt);
        let role = worker.split_once('/').map_or("", |(_, role)| role);
        let assign = wire::Assign {
            epoch: self.core.epoch(),
            task_id: id.to_string(),
            run: self.core.proof(&proof).map_or(0, |proof| proof.run),
            attempt,
            role: role.to_owned(),
            data,
        };
        self.involve(link, &proof);
        self.tell(link, Message::Assign(assign));
    }

    pub(in crate::reactor) fn tell_cancel(&mut self, link: LinkId, proof: &ProofId, task: &TaskId) {
        let cancel = wire::Cancel {
            epoch: self.core.epoch(),
            run: Some(self.wire_run(proof)),
            task_id: task.to_string(),
        };
        self.tell(link, Message::Cancel(cancel));
    }

    pub(super) fn tell_over(&mut self, link: LinkId, run: &RunId) {
        let over = wire::Over {
            epoch: self.core.epoch(),
            run: Some(wire_run(run)),
        };
        self.tell(link, Message::Over(over));
    }

    pub(super) fn tell_concluded(&mut self, link: LinkId, run: &RunId) {
        let run = Some(wire_run(run));
        self.tell(link, Message::Concluded(wire::Concluded { run }));
    }

    pub(super) fn tell_settled(&mut self, link: LinkId, tasks: Vec<TaskId>) {
        let task_ids = tasks.iter().map(ToString::to_string).collect();
        self.tell(link, Message::Settled(wire::Settled { task_ids }));
    }

    pub(super) fn tell_result(
        &mut self,
        link: LinkId,
        proof: &ProofId,
        task: &TaskId,
        status: TaskStatus,
    ) {
        let result = wire::Result {
            run: Some(self.wire_run(proof)),
            task_id: task.to_string(),
            status: status.into(),
        };
        self.tell(link, Message::Result(result));
    }

    /// A task's creator keeps the count of its failed attempts, for a later leader.
    pub(in crate::reactor) fn tell_counted(&mut self, id: &TaskId) {
        let Some(task) = self.core.task(id) else {
            return;
        };
        let counted = wire::Counted {
            run: Some(self.wire_run(&task.proof)),
            task_id: id.to_string(),
            attempts: Some(task.tally.attempts().into()),
        };
        for link in task.takers.clone() {
            self.tell(link, Message::Counted(counted.clone()));
        }
    }

    pub(super) fn tell_heard(&mut self, link: LinkId, task: &TaskId, number: u64, payload: Bytes) {
        let task_id = task.to_string();
        let heard = wire::Heard {
            task_id,
            number,
            payload,
        };
        self.tell(link, Message::Heard(heard));
    }

    pub(super) fn tell_end(&mut self, link: LinkId, task: &TaskId, count: u64) {
        let task_id = task.to_string();
        self.tell(link, Message::End(wire::heard::End { task_id, count }));
    }

    fn wire_run(&self, proof: &ProofId) -> wire::Run {
        wire::Run {
            proof_id: proof.to_string(),
            run: self.core.proof(proof).map_or(0, |proof| proof.run),
        }
    }
}

fn wire_run(run: &RunId) -> wire::Run {
    wire::Run {
        proof_id: run.proof.to_string(),
        run: run.run,
    }
}
