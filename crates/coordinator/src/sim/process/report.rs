//! All that still counts on a process.

use super::*;

impl Process {
    pub(super) fn report(&mut self) {
        self.say_drain();
        let mut whole = wire::Report::default();
        for (id, task) in &self.running {
            whole.running.push(wire::Running {
                run: Some(wire_run(&task.order.run)),
                task_id: id.clone(),
                attempt: task.order.attempt,
                role: task.order.role.clone(),
                task_type: task.order.data.task_type,
                ran_ms: 0,
                stopping: task.cancelled,
            });
        }
        for (run, kept) in &self.kept {
            whole.done.extend(kept.results.values().cloned());
            whole.created.extend(kept.created.values().cloned());
            whole.counted.extend(kept.counted.values().cloned());
            let awaited = kept
                .awaited
                .iter()
                .filter(|id| !kept.created.contains_key(*id));
            whole.watches.push(wire::Watch {
                run: Some(wire_run(run)),
                task_ids: awaited.cloned().collect(),
            });
            for (id, payloads) in &kept.channels {
                whole.said.push(wire::Said {
                    run: Some(wire_run(run)),
                    task_id: id.clone(),
                    first: 0,
                    payloads: payloads.clone(),
                });
            }
            for (id, from) in &kept.listens {
                whole.listens.push(wire::Listen {
                    run: Some(wire_run(run)),
                    task_id: id.clone(),
                    from: *from,
                });
            }
            whole.conclusions.extend(kept.conclusion.clone());
            for (id, status) in &kept.known {
                whole.results.push(wire::Result {
                    run: Some(wire_run(run)),
                    task_id: id.clone(),
                    status: (*status).into(),
                });
            }
        }
        // In two parts, so that whoever takes the first for all is found out.
        let second = wire::Report {
            done: std::mem::take(&mut whole.done),
            created: std::mem::take(&mut whole.created),
            last: true,
            ..wire::Report::default()
        };
        self.tell(Up::Report(whole));
        self.tell(Up::Report(second));
    }
}
