//! Faults, as they strike.

use super::*;

impl World {
    pub(super) fn fault(&mut self, fault: Fault) {
        self.say(|| format!("fault: {fault:?}"));
        match fault {
            Fault::BreakStream(w, replica) => {
                let process = self.some_worker(w);
                if let Some(id) = self.stream_of(process, replica) {
                    self.break_stream(id, (0, 800), None);
                }
            }
            Fault::KillWorker(w, seen) => self.kill_worker(w, seen),
            Fault::BreakStock(n) => {
                if let Some(node) = self.some_stock(n) {
                    self.break_stock(node);
                }
            }
            Fault::KillStock(n, seen) => {
                if let Some(node) = self.some_stock(n) {
                    self.kill_stock(node, seen);
                }
            }
            Fault::Freeze(w, millis) => {
                let process = self.some_worker(w);
                self.ledger.excuse_for(process, millis);
                self.workers[process].frozen_until = self.now + millis;
            }
            Fault::KillLeader { worker } => {
                if let Some((replica, _)) = self.leader {
                    self.kill_replica(replica);
                }
                if let Some((w, seen)) = worker {
                    self.kill_worker(w, seen);
                }
            }
            Fault::KillReplica(replica) => self.kill_replica(replica),
            Fault::Drain(w, grace, seen) => {
                if self.workers.iter().filter(|w| w.alive).count() >= 2 {
                    let process = self.some_worker(w);
                    self.ledger.excuse(process);
                    self.workers[process].process.drain(grace);
                    self.flush(process);
                    self.at(grace, Event::Leave(process, seen));
                }
            }
            Fault::LoseLease => {
                // It does not know yet, and goes on.
                if let Some((replica, life)) = self.leader.take() {
                    self.say(|| format!("replica {replica} lost the Lease"));
                    let after = self.rng.range(0, 1_500);
                    self.at(after, Event::Elect);
                    self.at(after + 3_000, Event::StepDown(replica, life));
                }
            }
            Fault::ApiAway(millis) => {
                self.api_away_until = self.api_away_until.max(self.now + millis);
            }
            Fault::Cancel(n) => {
                let id = ProofId::from(format!("p{}", n % self.proofs));
                if let Some(durable) = self.durable.get_mut(&id) {
                    durable.cancelled = true;
                    self.pursue(&id);
                }
            }
            Fault::Recall(n) => self.recall(n),
        }
    }

    fn recall(&mut self, n: usize) {
        let Some((replica, _)) = self.leader else {
            return;
        };
        let core = &self.replicas[replica].core;
        let proofs = self.durable.keys().filter_map(|id| core.proof(id));
        let tasks: Vec<_> = proofs
            .flat_map(|proof| proof.tasks.all().map(|task| (proof.run, task)))
            .filter_map(|(run, task)| Some((run, core.task(task)?)))
            .collect();
        if tasks.is_empty() {
            return;
        }
        let (run, task) = tasks[n % tasks.len()];
        let (id, kind) = (task.id.clone(), task.kind);
        let proof = task.proof.to_string();
        self.say(|| format!("{kind:?} {id} is recalled"));
        let recalled = self.react(replica, |r| r.task_recalled(&id));
        if recalled == Some(Recall::Done) {
            self.ledger.recalled(&(proof, run), &id, kind);
        }
    }

    pub(super) fn some_worker(&self, w: usize) -> usize {
        let alive = self.workers.iter().enumerate().filter(|(_, w)| w.alive);
        let alive: Vec<_> = alive.map(|(i, _)| i).collect();
        alive[w % alive.len()]
    }

    pub(super) fn kill_worker(&mut self, w: usize, seen: Option<Millis>) {
        if self.workers.iter().filter(|w| w.alive).count() < 2 {
            return;
        }
        let process = self.some_worker(w);
        self.end_process(process, seen);
    }

    pub(super) fn end_process(&mut self, process: usize, seen: Option<Millis>) {
        if !self.workers[process].alive {
            return;
        }
        self.ledger.excuse(process);
        self.workers[process].alive = false;
        self.workers[process].plays.clear();
        for replica in 0..REPLICAS {
            if let Some(id) = self.stream_of(process, replica) {
                self.break_stream(id, (0, 1), None);
            }
        }
        if let Some(after) = seen {
            let pod = self.workers[process].process.pod.clone();
            self.at(after, Event::PodGone(pod));
        }
        let after = self.rng.range(500, 6_000);
        self.at(after, Event::Respawn);
    }

    pub(super) fn kill_replica(&mut self, replica: usize) {
        if self.replicas[replica].life.is_none() {
            return;
        }
        self.say(|| format!("replica {replica} is killed"));
        self.replicas[replica].life = None;
        if self.leader.is_some_and(|(leader, _)| leader == replica) {
            self.leader = None;
            let after = self.rng.range(800, 4_000);
            self.at(after, Event::Elect);
        }
        let open = self
            .streams
            .iter()
            .filter(|(_, s)| s.replica == replica && s.alive);
        for id in open.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.break_stream(id, (0, 500), None);
        }
        let after = self.rng.range(300, 5_000);
        self.at(after, Event::Restart(replica));
    }
}
