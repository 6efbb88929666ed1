//! Processes join, play roles, beat, drain, and are gone.

use provost_proto::SP1_CIRCUIT_VERSION;
use provost_proto::link as wire;
use provost_proto::link::down_message::Message;

use crate::Millis;
use crate::config::millis;
use crate::core::{Departure, Link, LinkId, is_unit};
use crate::failure::{FailureClass, Loss};
use crate::ids::{ConnId, WorkerId};
use crate::reactor::{Opened, Reactor};
use crate::word::{Hello, Role};

/// A process of which nothing was heard for so long, two beats, may have heard nothing either.
pub(in crate::reactor) const APART: Millis = 4_000;

impl Reactor<'_> {
    /// A process says who it is: a new one, or a known one on a new stream.
    pub(super) fn joined(&mut self, conn: ConnId, hello: Hello) -> LinkId {
        self.epoch_seen(hello.epoch);
        let known = self.core.link_of(&hello.pod);
        let same = known
            .and_then(|id| self.core.link(id))
            .is_some_and(|link| link.process == hello.process);
        let link = match known {
            Some(link) if same => {
                self.rejoined(link, conn);
                link
            }
            _ => self.newly_joined(conn, hello),
        };
        self.tell_welcome(link);
        link
    }

    fn newly_joined(&mut self, conn: ConnId, hello: Hello) -> LinkId {
        if self.core.link_of(&hello.pod).is_some() {
            let message = "another process took the worker's place";
            let loss = Loss::new(FailureClass::NodeLost, message);
            self.lose_pod(&hello.pod, &loss);
        }
        let Hello { sp1_version, .. } = &hello;
        tracing::info!(
            pod = hello.pod,
            version = hello.version,
            sp1_version,
            "worker joined"
        );
        if !sp1_version.is_empty() && sp1_version != SP1_CIRCUIT_VERSION {
            tracing::warn!(
                pod = hello.pod,
                sp1_version,
                ours = SP1_CIRCUIT_VERSION,
                "a worker has another SP1: proofs need workers of one"
            );
        }
        self.core.add_link(Link {
            pod: hello.pod,
            process: hello.process,
            version: hello.version,
            spot: hello.spot,
            conn: Some(conn),
            broken_at: self.now,
            last_seen: self.now,
            roles: Vec::new(),
            draining: false,
            ends_at: None,
            reported: false,
            report: Vec::new(),
            pending: Vec::new(),
            departure: None,
        })
    }

    fn rejoined(&mut self, link: LinkId, conn: ConnId) {
        if let Some(old) = self.core.conn_of(link) {
            self.out.close_link(old);
        }
        self.core.set_conn(link, Some(conn));
        let now = self.now;
        let Some(known) = self.core.link_mut(link) else {
            return;
        };
        known.start_over();
        let roles = std::mem::take(&mut known.roles);
        tracing::info!(pod = known.pod, "worker joined again");
        // Until it says again that it plays them.
        for (_, worker) in roles {
            self.core.update_worker(&worker, |w| {
                w.conn = None;
                w.unreported = true;
                w.broken_at = now;
            });
        }
    }

    pub(super) fn role_played(&mut self, link: LinkId, role: Role) {
        let Some(known) = self.core.link_mut(link) else {
            return;
        };
        let worker = WorkerId::from(format!("{}/{}", known.pod, role.name));
        known.roles.retain(|(other, _)| other.name != role.name);
        known.roles.push((role.clone(), worker.clone()));
        if self.core.epoch() != 0 {
            self.open_role(link, &role, worker);
        }
    }

    pub(in crate::reactor) fn open_role(&mut self, link: LinkId, role: &Role, worker: WorkerId) {
        let Some(known) = self.core.link(link) else {
            return;
        };
        let Some(conn) = known.conn else { return };
        let opened = Opened {
            id: worker,
            kind: role.kind,
            max_weight: role.max_weight,
            provers: role.provers,
            device: role.device.clone(),
            shards: role.shards,
            version: known.version.clone(),
            conn,
            link: Some(link),
        };
        self.worker_opened(opened);
    }

    /// What the device of a process has free by now. One that does not lead remembers it with the role.
    pub(super) fn device_memory(&mut self, link: LinkId, free_bytes: u64) {
        let Some(known) = self.core.link_mut(link) else {
            return;
        };
        let mut workers = Vec::new();
        for (role, worker) in &mut known.roles {
            if let Some(device) = &mut role.device {
                device.free_bytes = free_bytes;
                workers.push(worker.clone());
            }
        }
        for worker in workers {
            self.core.update_worker(&worker, |w| {
                if let Some(device) = &mut w.device {
                    device.free_bytes = free_bytes;
                }
            });
        }
    }

    pub(super) fn beaten(&mut self, link: LinkId, epoch: u64, sequence: u64) {
        self.epoch_seen(epoch);
        let epoch = self.core.epoch();
        if epoch != 0 {
            self.tell(link, Message::Beat(wire::Beat { epoch, sequence }));
        }
    }

    /// Who speaks of a later epoch has met its leader: this one leads no more, and its owner is told.
    fn epoch_seen(&mut self, epoch: u64) {
        let higher = self.core.see_epoch(epoch);
        if higher && self.core.epoch() != 0 {
            tracing::warn!(
                ours = self.core.epoch(),
                epoch,
                "a worker knows a later leader"
            );
            self.out.deposed(epoch);
        }
    }

    pub(super) fn draining(&mut self, link: LinkId, grace: Option<Millis>) {
        let ends = grace.map(|grace| self.now + grace);
        let Some(known) = self.core.link_mut(link) else {
            return;
        };
        known.draining = true;
        known.ends_at = ends;
        let roles: Vec<_> = known.roles.iter().map(|(_, id)| id.clone()).collect();
        if self.core.epoch() != 0 {
            for worker in roles {
                // Not known only before it is opened, and then it opens closed.
                let _ = self.worker_closed(&worker);
            }
            self.tend_drain(link);
        }
    }

    /// A frame shows that the process lives.
    pub(super) fn link_seen(&mut self, link: LinkId) {
        let now = self.now;
        let limit = millis(self.core.config().leaf_liveness);
        let Some(known) = self.core.link_mut(link) else {
            return;
        };
        let silence = now - std::mem::replace(&mut known.last_seen, now);
        if silence < APART {
            return;
        }
        let roles: Vec<_> = known.roles.iter().map(|(_, id)| id.clone()).collect();
        for worker in roles {
            self.core.update_worker(&worker, |w| w.told_anew(now));
            if silence >= limit {
                self.seen(&worker);
            }
        }
    }

    /// A stream broke. The process may come back on another.
    pub(crate) fn link_broken(&mut self, conn: ConnId) {
        let Some(link) = self.core.link_at(conn) else {
            return;
        };
        self.core.set_conn(link, None);
        let now = self.now;
        let Some(known) = self.core.link_mut(link) else {
            return;
        };
        known.broken_at = now;
        known.start_over();
        let pod = known.pod.clone();
        for worker in self.core.workers_of(&pod) {
            self.stream_broken(&worker, conn);
        }
        let idle = self.core.link(link).is_some_and(|link| link.draining);
        if idle && self.core.workers_of(&pod).is_empty() {
            self.unlink(&pod);
            self.tend_recovery();
            self.dispatch();
        }
    }

    /// Forgets the process of a pod. What it held is the caller's to see to; the answer is what it had when it was given up.
    pub(in crate::reactor) fn unlink(&mut self, pod: &str) -> Option<Departure> {
        if let Some(recovery) = self.core.recovery_mut() {
            recovery.missing.remove(pod);
        }
        let link = self.core.link_of(pod)?;
        let link = self.core.remove_link(link)?;
        if let Some(conn) = link.conn {
            self.out.close_link(conn);
        }
        link.departure
    }

    /// A stream ended a while ago: if the process is not back, it is given up.
    pub(crate) fn breaks_due(&mut self) {
        if self.core.epoch() != 0 && self.give_up_broken() {
            self.dispatch();
        }
    }

    /// Gives up the processes whose stream has ended and that are not back. They may still come. Whether there are any.
    fn give_up_broken(&mut self) -> bool {
        let config = self.core.config();
        let (leaf, root) = (millis(config.break_grace), millis(config.root_break_grace));
        let missing = |pod: &str| {
            let recovery = self.core.recovery();
            recovery.is_some_and(|recovery| recovery.missing.contains(pod))
        };
        // What it costs to be wrong: a leaf's work, or a whole proof's.
        let runs_root = |pod: &str| {
            let workers = self.core.workers_of(pod);
            let live = workers.iter().filter_map(|worker| self.core.worker(worker));
            let mut live = live.flat_map(|worker| worker.live());
            live.any(|(task, _)| self.core.task(task).is_some_and(|task| is_unit(task.kind)))
        };
        let late = |link: &Link| {
            let since = self.now - link.broken_at;
            let broken =
                link.conn.is_none() && since >= leaf && (since >= root || !runs_root(&link.pod));
            // What a new leader knows nothing of is held for longer.
            broken && link.departure.is_none() && !missing(&link.pod)
        };
        let late = self.core.links().filter(|(_, link)| late(link));
        let late: Vec<_> = late.map(|(id, _)| id).collect();
        for link in &late {
            self.give_up_link(*link);
        }
        !late.is_empty()
    }

    fn give_up_link(&mut self, id: LinkId) {
        let Some(link) = self.core.link(id) else {
            return;
        };
        let class = match link.draining {
            true => FailureClass::Preempted,
            false => FailureClass::NodeLost,
        };
        let pod = link.pod.clone();
        let message = format!("worker {pod} lost its stream and is not back");
        let workers = self.core.workers_of(&pod);
        let live = workers.iter().filter_map(|worker| self.core.worker(worker));
        let live = live.flat_map(|worker| worker.live().map(|(task, _)| task));
        let tasks: Vec<_> = live.filter_map(|task| self.core.lost(task)).collect();
        let departure = Departure {
            class,
            heaviest: tasks.iter().map(|task| task.weight).max().unwrap_or(0),
            tasks,
        };
        if let Some(link) = self.core.link_mut(id) {
            link.departure = Some(departure);
        }
        let loss = Loss::new(class, message);
        let lost = self.remove_workers(&workers, &loss);
        self.tasks_adrift(&lost, &loss);
    }

    /// A process that was given up is back, and has said what it goes on with: that it was lost does not count.
    pub(super) fn welcome_back(&mut self, link: LinkId) {
        let departure = self.core.link_mut(link).and_then(|l| l.departure.take());
        let Some(departure) = departure else { return };
        for lost in departure.tasks {
            self.core.forgive(&lost, departure.class);
            self.tell_counted(&lost.task);
        }
    }

    /// Processes that lost their stream and did not come back are gone.
    pub(in crate::reactor) fn expire_links(&mut self) {
        if self.core.epoch() != 0 {
            self.give_up_broken();
        }
        let grace = millis(self.core.config().lost_grace);
        let gone = |link: &Link| link.conn.is_none() && self.now - link.broken_at >= grace;
        let gone = self.core.links().filter(|(_, link)| gone(link));
        let gone: Vec<_> = gone.map(|(_, link)| link.pod.clone()).collect();
        for pod in gone {
            let message = format!("worker {pod} lost its stream and did not come back");
            let loss = Loss::new(FailureClass::NodeLost, message);
            self.pod_lost(&pod, &loss);
        }
    }
}
