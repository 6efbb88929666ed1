//! The passing of time: what is due is done.

use provost_proto::worker::TaskType;

use super::Reactor;
use crate::config::millis;
use crate::core::Hold;
use crate::failure::{Failure, FailureClass, Loss};
use crate::ids::WorkerId;
use crate::output::Order;

impl Reactor<'_> {
    /// Called every 100 ms or so.
    pub(crate) fn tick(&mut self) {
        self.expire_links();
        if self.core.epoch() == 0 {
            return;
        }
        self.tend_recovery();
        self.check_workers();
        self.check_cancelled();
        if self.core.look_is_due(self.now) {
            self.end_late_attempts();
            self.end_standstills();
            self.tend_drains();
            self.core.reckon_deadlines();
            self.core.spare_slow();
        }
        self.beat_workers();
        self.tend_subs();
        self.expire_proofs();
        self.dispatch();
        self.tell_progress();
    }

    /// This process did not run for a while, stopped or starved: what workers said meanwhile is still to be read.
    pub(crate) fn resumed(&mut self) {
        self.core.excuse_silence(self.now);
    }

    fn check_workers(&mut self) {
        let config = self.core.config();
        let grace = millis(config.lost_grace);
        let (leaf, root) = (millis(config.leaf_liveness), millis(config.root_liveness));
        let mut gone = Vec::new();
        let mut silent = Vec::new();
        for worker in self.core.workers() {
            let silence = self.now - self.core.last_heard(worker);
            if worker.conn.is_none() && self.now - worker.broken_at >= grace {
                gone.push((worker.id.clone(), "lost its stream and did not come back"));
            } else if silence >= root {
                gone.push((worker.id.clone(), "has been silent for too long"));
            } else if silence >= leaf && !worker.silent {
                silent.push(worker.id.clone());
            }
        }
        for (id, why) in gone {
            let loss = vanished(&id, why);
            let joined = self
                .core
                .worker(&id)
                .is_some_and(|w| w.conn.is_some() && w.link.is_some());
            if joined {
                // It says its roles once on a stream: to come back it needs another.
                self.pod_lost(id.pod(), &loss);
            } else {
                self.lose_workers(std::slice::from_ref(&id), &loss);
            }
        }
        for id in silent {
            let loss = vanished(&id, "has been silent for too long");
            self.worker_silent(&id, &loss);
        }
    }

    /// Workers of the native door that go on with what they were told to stop: they were heard long enough after it. The others say so in their heartbeats.
    fn check_cancelled(&mut self) {
        let config = self.core.config();
        let (grace, executions) = (
            millis(config.recycle_grace),
            millis(config.execution_recycle_grace),
        );
        let grace = |kind| match kind {
            TaskType::CoreExecute | TaskType::ExecuteOnly => executions,
            _ => grace,
        };
        let workers = self.core.workers();
        // What it says that it runs may have changed.
        let workers = workers.filter(|w| !w.retiring && !w.unreported);
        let stuck = workers.filter_map(|worker| {
            let heard = self.core.link(worker.link?)?.last_seen;
            let told = |hold: &Hold| hold.ended.flatten();
            let goes_on =
                |hold: &Hold| told(hold).is_some_and(|told| heard - told >= grace(hold.kind));
            let (task, hold) = worker.holds().iter().find(|(_, hold)| goes_on(hold))?;
            Some((worker.id.clone(), hold.kind, task.clone()))
        });
        for (worker, kind, task) in stuck.collect::<Vec<_>>() {
            self.recycle(&worker, kind, &task);
        }
    }

    fn beat_workers(&mut self) {
        let every = millis(self.core.config().worker_beat);
        let due = self
            .core
            .workers()
            .filter(|worker| worker.conn.is_some() && worker.link.is_none())
            .filter(|worker| self.now - worker.last_beat_sent >= every);
        let due: Vec<_> = due.map(|worker| worker.id.clone()).collect();
        for id in due {
            let now = self.now;
            self.core.update_worker(&id, |w| w.last_beat_sent = now);
            self.out.send(&id, Order::Beat);
        }
    }

    fn tend_subs(&mut self) {
        let config = self.core.config();
        let (age, grace) = (millis(config.resend_result), millis(config.sub_grace));
        let every = millis(config.sub_beat);
        let now = self.now;
        let gone = self
            .core
            .sub_ids(|sub| sub.conn.is_none() && now - sub.broken_at >= grace);
        for id in gone {
            self.core.remove_sub(&id);
            self.out.close_sub(&id);
        }
        let unacked = self.core.sub_ids(|sub| {
            sub.conn.is_some() && sub.unacked.values().any(|u| now - u.sent_at >= age)
        });
        for id in unacked {
            self.resend(&id, age);
        }
        let quiet = self
            .core
            .sub_ids(|sub| sub.conn.is_some() && now - sub.last_beat >= every);
        for id in quiet {
            if let Some(sub) = self.core.sub_mut(&id) {
                sub.last_beat = now;
            }
            self.beat_sub(&id);
        }
    }

    fn expire_proofs(&mut self) {
        let now = self.now;
        let late = self.core.proof_ids(|proof| {
            let limit = proof.spec.expires_at_ms;
            proof.ended.is_none() && limit.is_some_and(|limit| limit <= now)
        });
        for id in late {
            let failure = Failure::new(FailureClass::Timeout, "the proof's deadline has passed");
            self.fail_live_proof(&id, failure, String::new());
        }
        let remember = millis(self.core.config().remember);
        let old = self.core.proof_ids(|proof| {
            let ended = proof.ended.filter(|ended| ended.stored);
            ended.is_some_and(|ended| now - ended.at >= remember)
        });
        for id in old {
            self.core.remove_proof(&id);
        }
    }

    fn tell_progress(&mut self) {
        for id in self.core.take_dirty() {
            if let Some(proof) = self.core.proof(&id).filter(|proof| proof.ended.is_none()) {
                let progress = proof.progress();
                self.out.progress(progress);
            }
        }
    }
}

fn vanished(id: &WorkerId, why: &str) -> Loss {
    Loss::new(FailureClass::NodeLost, format!("worker {id} {why}"))
}
