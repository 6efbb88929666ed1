//! What a process does at what it is told.

use super::*;

impl Process {
    pub(in crate::sim) fn hear(&mut self, replica: usize, message: Down) {
        let epoch = match &message {
            Down::Welcome(m) => Some(m.epoch),
            Down::Assign(m) => Some(m.epoch),
            Down::Cancel(m) => Some(m.epoch),
            Down::Over(m) => Some(m.epoch),
            Down::Beat(m) => Some(m.epoch),
            _ => None,
        };
        if let Some(epoch) = epoch.filter(|epoch| *epoch > self.epoch) {
            self.epoch = epoch;
            self.leader = None;
            for other in self.streams.keys().copied().collect::<Vec<_>>() {
                if other != replica {
                    self.beat_to(other);
                }
            }
        }
        if let Down::Welcome(welcome) = message {
            self.streams.insert(replica, Some(welcome.epoch));
            if self.leader == Some(replica) {
                self.leader = None;
            }
            if welcome.epoch != 0 && welcome.epoch == self.epoch {
                self.leader = Some(replica);
                self.report();
            } else if welcome.epoch != 0 {
                self.beat_to(replica);
            }
            return;
        }
        if self.leader != Some(replica) || epoch.is_some_and(|epoch| epoch < self.epoch) {
            return;
        }
        match message {
            Down::Assign(assign) => self.assigned(assign),
            Down::Cancel(cancel) => self.cancelled(&key(cancel.run), cancel.task_id),
            Down::Result(result) => {
                let status = result.status();
                self.result(key(result.run), result.task_id, status);
            }
            Down::Settled(settled) => {
                for kept in self.kept.values_mut() {
                    kept.results.retain(|id, _| !settled.task_ids.contains(id));
                }
            }
            Down::Heard(heard) => self.heard(heard),
            Down::End(end) => self.channel_ended(&end),
            Down::Concluded(concluded) => {
                let run = key(concluded.run);
                let kept = self.kept.get_mut(&run);
                if kept.and_then(|kept| kept.conclusion.take()).is_some() {
                    self.effects.push(Effect::Concluded(run));
                }
            }
            Down::Over(over) => self.over(&key(over.run)),
            Down::Refused(refused) => self.effects.push(Effect::Refused(refused)),
            Down::Counted(counted) => {
                if let Some(kept) = self.kept.get_mut(&key(counted.run.clone()))
                    && kept.created.contains_key(&counted.task_id)
                {
                    kept.counted.insert(counted.task_id.clone(), counted);
                }
            }
            Down::Beat(_) | Down::Welcome(_) => {}
        }
    }

    pub(super) fn assigned(&mut self, assign: wire::Assign) {
        let data = TaskData::from_bytes(&assign.data).unwrap();
        let order = Order {
            run: (data.proof_id.clone(), assign.run),
            task: assign.task_id,
            attempt: assign.attempt,
            role: assign.role,
            data,
        };
        if let Some(task) = self.running.get_mut(&order.task) {
            if order.attempt > task.order.attempt {
                if task.cancelled {
                    task.next = Some(order);
                } else {
                    task.order.attempt = order.attempt;
                    task.order.role = order.role;
                }
            }
            return;
        }
        self.start(order);
    }

    pub(super) fn start(&mut self, order: Order) {
        let kept = self.kept.get_mut(&order.run);
        if let Some(result) = kept.and_then(|kept| kept.results.get_mut(&order.task)) {
            let completed = matches!(result.outcome, Some(wire::done::Outcome::Completed(_)));
            if completed || order.attempt <= result.attempt {
                result.attempt = result.attempt.max(order.attempt);
                result.role = order.role;
                let done = result.clone();
                self.tell(Up::Done(done));
                return;
            }
        }
        if let Some(kept) = self.kept.get_mut(&order.run) {
            kept.results.remove(&order.task);
            kept.channels.remove(&order.task);
        }
        if self.ends_at.is_some() {
            let run = order.run.clone();
            let done = wire::Done {
                run: Some(wire_run(&run)),
                task_id: order.task,
                attempt: order.attempt,
                role: order.role,
                outcome: Some(wire::done::Outcome::Stopped(true)),
            };
            self.keep(&run, done);
            return;
        }
        let task = Running {
            order: order.clone(),
            cancelled: false,
            next: None,
        };
        self.running.insert(order.task.clone(), task);
        self.effects.push(Effect::Start(order));
    }

    pub(super) fn cancelled(&mut self, run: &Run, task: String) {
        if let Some(running) = self.running.get_mut(&task) {
            running.next = None;
            if !std::mem::replace(&mut running.cancelled, true) {
                self.effects.push(Effect::Cancel(task));
            }
            return;
        }
        let kept = self.kept.get(run);
        let result = kept.and_then(|kept| kept.results.get(&task)).cloned();
        let done = result.unwrap_or_else(|| wire::Done {
            run: Some(wire_run(run)),
            task_id: task,
            attempt: 0,
            role: String::new(),
            outcome: Some(wire::done::Outcome::Stopped(true)),
        });
        self.tell(Up::Done(done));
    }

    pub(super) fn result(&mut self, run: Run, task: String, status: TaskStatus) {
        let Some(kept) = self.of(&run) else { return };
        kept.created.remove(&task);
        kept.counted.remove(&task);
        kept.known.insert(task.clone(), status);
        kept.awaited.remove(&task);
        let taken = wire::Taken {
            run: Some(wire_run(&run)),
            task_ids: vec![task.clone()],
        };
        self.tell(Up::Taken(taken));
        self.effects.push(Effect::Result(run, task, status));
    }

    pub(super) fn heard(&mut self, heard: wire::Heard) {
        let mut hearing = self.kept.iter_mut();
        let found = hearing.find_map(|(run, kept)| {
            let next = kept.listens.get_mut(&heard.task_id)?;
            Some((run.clone(), next))
        });
        let Some((run, next)) = found else { return };
        assert!(
            heard.number <= *next,
            "{} hears {} after {next}",
            self.pod,
            heard.number
        );
        if heard.number == *next {
            *next += 1;
            self.effects.push(Effect::Heard(run, heard.payload));
        }
    }

    pub(super) fn channel_ended(&mut self, end: &wire::heard::End) {
        for (run, kept) in &mut self.kept {
            if let Some(next) = kept.listens.remove(&end.task_id) {
                assert_eq!(
                    next, end.count,
                    "{} misses messages of {}",
                    self.pod, end.task_id
                );
                self.effects.push(Effect::End(run.clone()));
            }
        }
    }

    pub(super) fn over(&mut self, run: &Run) {
        let begins = self.begins.entry(run.0.clone()).or_default();
        *begins = (*begins).max(run.1 + 1);
        let over = |other: &Run| other.0 == run.0 && other.1 <= run.1;
        for (id, task) in &mut self.running {
            if over(&task.order.run) && !std::mem::replace(&mut task.cancelled, true) {
                self.effects.push(Effect::Cancel(id.clone()));
            }
        }
        for (_, kept) in self.kept.iter_mut().filter(|(other, _)| over(other)) {
            let conclusion = kept.conclusion.take().filter(|c| !c.failed);
            *kept = Kept {
                conclusion,
                ..Kept::default()
            };
        }
        self.kept
            .retain(|other, kept| !over(other) || kept.conclusion.is_some());
    }
}
