//! What the tasks of a process say and want.

use super::*;

impl Process {
    pub(in crate::sim) fn create(
        &mut self,
        run: &Run,
        task: &str,
        kind: TaskType,
        inputs: Vec<String>,
    ) {
        let create = wire::Create {
            task_id: task.to_owned(),
            run: run.1,
            data: TaskData {
                task_type: kind.into(),
                inputs,
                proof_id: run.0.clone(),
                ..TaskData::default()
            }
            .to_bytes(),
        };
        if let Some(kept) = self.of(run) {
            kept.created.insert(task.to_owned(), create.clone());
            self.tell(Up::Create(create));
        }
    }

    /// Waits for a result. What has come already comes again.
    pub(in crate::sim) fn want(&mut self, run: &Run, task: &str) {
        let Some(kept) = self.of(run) else { return };
        if let Some(status) = kept.known.get(task).copied() {
            self.effects
                .push(Effect::Result(run.clone(), task.to_owned(), status));
            return;
        }
        let created = kept.created.contains_key(task);
        if kept.awaited.insert(task.to_owned()) && !created {
            let watch = wire::Watch {
                run: Some(wire_run(run)),
                task_ids: vec![task.to_owned()],
            };
            self.tell(Up::Watch(watch));
        }
    }

    pub(in crate::sim) fn say(&mut self, run: &Run, task: &str, payload: Bytes) {
        let Some(kept) = self.of(run) else { return };
        let channel = kept.channels.entry(task.to_owned()).or_default();
        let number = channel.len() as u64;
        channel.push(payload.clone());
        let say = wire::Say {
            run: Some(wire_run(run)),
            task_id: task.to_owned(),
            number,
            payload,
        };
        self.tell(Up::Say(say));
    }

    pub(in crate::sim) fn listen(&mut self, run: &Run, task: &str) {
        let Some(kept) = self.of(run) else { return };
        kept.listens.insert(task.to_owned(), 0);
        let listen = wire::Listen {
            run: Some(wire_run(run)),
            task_id: task.to_owned(),
            from: 0,
        };
        self.tell(Up::Listen(listen));
    }

    pub(in crate::sim) fn conclude(&mut self, run: &Run, task: &str, failed: bool) {
        let conclude = wire::Conclude {
            run: Some(wire_run(run)),
            task_id: task.to_owned(),
            failed,
            extra_data: r#"{"class":"Transient"}"#.to_owned(),
        };
        let kept = match failed {
            true => self.of(run),
            false => Some(self.kept.entry(run.clone()).or_default()),
        };
        if let Some(kept) = kept
            && kept.conclusion.is_none()
        {
            kept.conclusion = Some(conclude.clone());
            self.tell(Up::Conclude(conclude));
        }
    }

    pub(in crate::sim) fn marker_completed(&mut self, run: &Run, task: &str) {
        let done = wire::Done {
            run: Some(wire_run(run)),
            task_id: task.to_owned(),
            attempt: 0,
            role: String::new(),
            outcome: Some(wire::done::Outcome::Completed(String::new())),
        };
        self.keep(run, done);
    }

    pub(in crate::sim) fn ended(&mut self, task: &str, outcome: wire::done::Outcome) {
        let Some(running) = self.running.remove(task) else {
            return;
        };
        let run = running.order.run.clone();
        let done = wire::Done {
            run: Some(wire_run(&run)),
            task_id: task.to_owned(),
            attempt: running.order.attempt,
            role: running.order.role,
            outcome: Some(outcome),
        };
        self.keep(&run, done);
        if let Some(next) = running.next {
            self.start(next);
        }
    }

    pub(super) fn keep(&mut self, run: &Run, done: wire::Done) {
        if let Some(kept) = self.of(run) {
            kept.results.insert(done.task_id.clone(), done.clone());
        }
        self.tell(Up::Done(done));
    }
}
