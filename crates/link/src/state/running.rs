//! Tasks that run here, and how they ended.

use proto::done::Outcome as Said;
use proto::up_message::Message;
use provost_proto::link as proto;
use provost_proto::worker::{TaskData, TaskType};

use super::kept::Kept;
use super::{Effect, Millis, Start};
use crate::Run;
use crate::order::Outcome;

/// A task that runs here: from its order until it has really ended.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) run: Run,
    pub(super) attempt: u32,
    pub(super) role: String,
    pub(super) task_type: TaskType,
    pub(super) began_at: Millis,
    serial: u64,
    pub(super) cancelled: bool,
    /// A later order for the same task, which waits until this one has stopped.
    next: Option<Next>,
}

/// An order, the run that it is of, and what is to be done.
type Next = (Run, TaskData, proto::Assign);

impl Kept {
    /// The leader orders a task. What runs already is not started again: it goes on under the leader's count.
    pub(super) fn assign(&mut self, assign: proto::Assign, now: Millis, out: &mut Vec<Effect>) {
        let data = match TaskData::from_bytes(&assign.data) {
            Ok(data) if !assign.data.is_empty() => data,
            _ => {
                let failed = refusal(&assign, None, "the order has no data that can be read");
                self.tell(Message::Done(failed), out);
                return;
            }
        };
        let run = Run::new(data.proof_id.as_str(), assign.run);
        let Some(task) = self.running.get_mut(&assign.task_id) else {
            self.start(run, data, assign, now, out);
            return;
        };
        if task.run == run {
            if assign.attempt <= task.attempt {
                return;
            }
            if task.cancelled {
                task.next = Some((run, data, assign));
            } else {
                task.attempt = assign.attempt;
                task.role = assign.role;
            }
        } else if run > task.run {
            // The root of a proof that begins again: the same task in another run. The old one is to stop first.
            let earlier = task.run.clone();
            task.next = Some((run, data, assign));
            self.cancel_run(&earlier, out);
        }
    }

    fn start(
        &mut self,
        run: Run,
        data: TaskData,
        assign: proto::Assign,
        now: Millis,
        out: &mut Vec<Effect>,
    ) {
        self.runs.began(&run, now);
        out.push(Effect::Began(run.clone()));
        let task_id = assign.task_id.clone();
        let result = self
            .kept
            .get_mut(&run)
            .and_then(|kept| kept.results.get_mut(&task_id));
        if let Some(result) = result {
            // The leader has not heard of it. What is done is not done again.
            if matches!(result.outcome, Some(Said::Completed(_))) {
                result.attempt = assign.attempt;
                result.role = assign.role;
                let result = result.clone();
                self.tell(Message::Done(result), out);
                return;
            }
            if assign.attempt <= result.attempt {
                let result = result.clone();
                self.tell(Message::Done(result), out);
                return;
            }
        }
        if self.is_draining() {
            self.keep_result(&run, stopped(&assign, &run), out);
            return;
        }
        if !self.roles.contains_key(&assign.role) {
            let failed = refusal(&assign, Some(&run), "this worker does not play the role");
            self.keep_result(&run, failed, out);
            return;
        }
        if let Some(kept) = self.kept.get_mut(&run) {
            kept.results.remove(&task_id);
            // Another attempt speaks from the beginning.
            let messages = kept.channels.remove(&task_id).unwrap_or_default();
            kept.message_bytes -= messages.iter().map(bytes::Bytes::len).sum::<usize>();
        }
        self.prune(&run);
        self.serial += 1;
        let (serial, attempt, role) = (self.serial, assign.attempt, assign.role);
        self.running.insert(
            task_id.clone(),
            Running {
                run: run.clone(),
                attempt,
                role: role.clone(),
                task_type: data.task_type(),
                began_at: now,
                serial,
                cancelled: false,
                next: None,
            },
        );
        out.push(Effect::Start(Start {
            run,
            task_id,
            attempt,
            role,
            data,
            serial,
        }));
    }

    /// The leader wants a task stopped, in this run or an earlier one. What does not run here has stopped.
    pub(super) fn cancel(&mut self, run: Run, task_id: String, out: &mut Vec<Effect>) {
        if let Some(task) = self.running.get_mut(&task_id) {
            task.next.take_if(|(next, ..)| is_covered(next, &run));
            if is_covered(&task.run, &run) {
                if !task.cancelled {
                    task.cancelled = true;
                    let serial = task.serial;
                    out.push(Effect::Cancel { task_id, serial });
                }
                return;
            }
        }
        let result = self
            .kept
            .get(&run)
            .and_then(|kept| kept.results.get(&task_id));
        let done = result.cloned().unwrap_or_else(|| proto::Done {
            run: Some(run.to_proto()),
            task_id,
            attempt: 0,
            role: String::new(),
            outcome: Some(Said::Stopped(true)),
        });
        self.tell(Message::Done(done), out);
    }

    /// The run, and so all before it, are over: what runs for them is to stop.
    pub(super) fn cancel_run(&mut self, run: &Run, out: &mut Vec<Effect>) {
        for (task_id, task) in &mut self.running {
            if task
                .next
                .as_ref()
                .is_some_and(|(next, ..)| is_covered(next, run))
            {
                task.next = None;
            }
            if is_covered(&task.run, run) && !task.cancelled {
                task.cancelled = true;
                out.push(Effect::Cancel {
                    task_id: task_id.clone(),
                    serial: task.serial,
                });
            }
        }
    }

    /// A task that ran here has ended. Of a run that is over that is said, and not kept: the next report says it by silence.
    pub(crate) fn ended(
        &mut self,
        task_id: &str,
        serial: u64,
        outcome: Outcome,
        now: Millis,
        out: &mut Vec<Effect>,
    ) {
        if self
            .running
            .get(task_id)
            .is_none_or(|task| task.serial != serial)
        {
            return;
        }
        let Some(task) = self.running.remove(task_id) else {
            return;
        };
        let done = proto::Done {
            run: Some(task.run.to_proto()),
            task_id: task_id.to_owned(),
            attempt: task.attempt,
            role: task.role,
            outcome: Some(outcome.into()),
        };
        self.keep_result(&task.run, done, out);
        if let Some((run, data, assign)) = task.next {
            self.start(run, data, assign, now, out);
        }
    }

    /// Hands back the orders that wait for an earlier attempt to stop.
    pub(super) fn hand_back_waiting(&mut self, out: &mut Vec<Effect>) {
        let waiting = self.running.values_mut();
        let waiting: Vec<_> = waiting.filter_map(|task| task.next.take()).collect();
        for (run, _, assign) in waiting {
            self.tell(Message::Done(stopped(&assign, &run)), out);
        }
    }

    /// A marker is complete: a task that no worker runs.
    pub(crate) fn marker_completed(&mut self, run: &Run, task_id: String, out: &mut Vec<Effect>) {
        let done = proto::Done {
            run: Some(run.to_proto()),
            task_id,
            attempt: 0,
            role: String::new(),
            outcome: Some(Said::Completed("{}".to_owned())),
        };
        self.keep_result(run, done, out);
    }

    /// Nobody needs these results any more.
    pub(super) fn settled(&mut self, task_ids: &[String]) {
        for task_id in task_ids {
            for kept in self.kept.values_mut() {
                kept.results.remove(task_id);
            }
        }
        let runs: Vec<Run> = self.kept.keys().cloned().collect();
        for run in runs {
            self.prune(&run);
        }
    }

    fn keep_result(&mut self, run: &Run, done: proto::Done, out: &mut Vec<Effect>) {
        if let Some(kept) = self.of_run(run) {
            kept.results.insert(done.task_id.clone(), done.clone());
        }
        self.tell(Message::Done(done), out);
    }
}

/// Whether `run` is `last`, or one of the same proof before it.
fn is_covered(run: &Run, last: &Run) -> bool {
    run.proof_id() == last.proof_id() && run.number() <= last.number()
}

/// The answer to an order that is handed back before it has begun.
fn stopped(assign: &proto::Assign, run: &Run) -> proto::Done {
    proto::Done {
        run: Some(run.to_proto()),
        task_id: assign.task_id.clone(),
        attempt: assign.attempt,
        role: assign.role.clone(),
        outcome: Some(Said::Stopped(true)),
    }
}

/// The answer to an order that cannot be followed.
fn refusal(assign: &proto::Assign, run: Option<&Run>, why: &str) -> proto::Done {
    proto::Done {
        run: run.map(Run::to_proto),
        task_id: assign.task_id.clone(),
        attempt: assign.attempt,
        role: assign.role.clone(),
        outcome: Some(Said::Failed(proto::Failed {
            class: "Bug".to_owned(),
            retryable: true,
            message: why.to_owned(),
        })),
    }
}
