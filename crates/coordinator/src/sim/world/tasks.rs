//! Processes, and the tasks that they play.

use super::*;

impl World {
    pub(super) fn respawn(&mut self) {
        let process = self.workers.len();
        self.pods += 1;
        self.workers.push(Worker {
            process: Process::new(format!("w{}", self.pods), process as u64),
            alive: true,
            plays: BTreeMap::new(),
            frozen_until: 0,
        });
        for replica in 0..REPLICAS {
            let after = self.rng.range(0, 200);
            self.at(after, Event::Connect(process, replica));
        }
        self.at(1_000, Event::Beat(process));
    }

    pub(super) fn effects(&mut self, process: usize) {
        loop {
            let effects = std::mem::take(&mut self.workers[process].process.effects);
            if effects.is_empty() {
                return;
            }
            for effect in effects {
                self.effect(process, effect);
            }
        }
    }

    pub(super) fn effect(&mut self, process: usize, effect: Effect) {
        match effect {
            Effect::Start(order) => {
                self.ledger.started(process, &order);
                let serial = self.next_number();
                let task = order.task.clone();
                let mut play = Play::new(order, serial);
                let worker = &mut self.workers[process];
                let next = play.start(&mut worker.process, &mut self.rng);
                worker.plays.insert(task.clone(), play);
                self.next(process, &task, next);
            }
            Effect::Cancel(task) => self.play(process, &task, |play, _, rng| play.cancel(rng)),
            Effect::Result(run, id, status) => {
                for task in self.of_run(process, &run) {
                    self.play(process, &task, |play, p, _| play.result(p, &id, status));
                }
            }
            Effect::Heard(run, payload) => {
                let shard = String::from_utf8(payload.to_vec()).unwrap();
                for task in self.of_run(process, &run) {
                    self.play(process, &task, |play, p, _| {
                        play.heard(p, &shard);
                        Next::Wait
                    });
                }
            }
            Effect::End(run) => {
                for task in self.of_run(process, &run) {
                    self.play(process, &task, |play, p, _| play.channel_ended(p));
                }
            }
            Effect::Concluded(run) => {
                for task in self.of_run(process, &run) {
                    self.play(process, &task, |play, _, _| match play.concluding {
                        true => Next::Ended(wire::done::Outcome::Completed("{}".to_owned())),
                        false => Next::Wait,
                    });
                }
            }
            Effect::Refused(refused) => panic!("{process} is refused: {refused:?}"),
        }
    }

    pub(super) fn process_of(&self, pod: &str) -> Option<usize> {
        let mut workers = self.workers.iter();
        workers.position(|worker| worker.process.pod == pod)
    }

    pub(super) fn of_run(&self, process: usize, run: &Run) -> Vec<String> {
        let plays = self.workers[process].plays.iter();
        let plays = plays.filter(|(_, play)| play.run() == run);
        plays.map(|(task, _)| task.clone()).collect()
    }

    pub(super) fn wake(&mut self, process: usize, task: &str, serial: u64) {
        let worker = &self.workers[process];
        let same = worker
            .plays
            .get(task)
            .is_some_and(|play| play.serial == serial);
        if worker.alive && same {
            let shards = self.shards;
            self.play(process, task, |play, p, rng| play.wake(p, rng, shards));
            self.effects(process);
            self.flush(process);
        }
    }

    pub(super) fn play(
        &mut self,
        process: usize,
        task: &str,
        event: impl FnOnce(&mut Play, &mut Process, &mut Rng) -> Next,
    ) {
        let worker = &mut self.workers[process];
        if let Some(play) = worker.plays.get_mut(task) {
            let next = event(play, &mut worker.process, &mut self.rng);
            self.next(process, task, next);
        }
    }

    pub(super) fn next(&mut self, process: usize, task: &str, next: Next) {
        match next {
            Next::Wait => {}
            Next::Hangs => {
                // It is right to begin it again elsewhere.
                let play = &self.workers[process].plays[task];
                let (run, kind) = (play.run().clone(), play.kind());
                self.ledger.ended(process, &run, task, kind, false, false);
            }
            Next::After(after) => {
                let serial = self.workers[process].plays[task].serial;
                self.at(after, Event::Play(process, task.to_owned(), serial));
            }
            Next::Ended(outcome) => {
                let Some(play) = self.workers[process].plays.remove(task) else {
                    return;
                };
                let completed = matches!(outcome, wire::done::Outcome::Completed(_));
                let failed = matches!(outcome, wire::done::Outcome::Failed(_));
                self.ledger
                    .ended(process, play.run(), task, play.kind(), completed, failed);
                self.workers[process].process.ended(task, outcome);
            }
        }
    }
}
