//! The whole state of a worker.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;
use proto::up_message::Message;
use provost_proto::link as proto;
use provost_proto::worker::TaskStatus;

use super::channels::Listening;
use super::running::Running;
use super::runs::Runs;
use super::streams::{Change, Streams, Welcomed};
use super::{Effect, ListenerId, Millis, StreamId, WatcherId};
use crate::Run;
use crate::order::Role;
use crate::status::Counts;

/// Most tasks that one Watch or Taken names.
const NAMES: usize = 10_000;

/// Who the worker is, as Hello tells it.
#[derive(Debug, Clone, Default)]
pub(crate) struct About {
    pub(crate) pod: String,
    pub(crate) pod_uid: String,
    pub(crate) process: u64,
    pub(crate) version: String,
    pub(crate) sp1_version: String,
    pub(crate) spot: bool,
}

/// All that a worker keeps.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(super) about: About,
    pub(super) part_bytes: usize,
    pub(super) roles: BTreeMap<String, Role>,
    /// It takes no more tasks, and ends at the given time, if any.
    pub(super) draining: Option<Drain>,
    /// The time, as of the latest event.
    pub(super) now: Millis,
    pub(super) streams: Streams,
    /// By task. They outlive their run until they have really stopped.
    pub(super) running: BTreeMap<String, Running>,
    pub(super) serial: u64,
    pub(super) kept: BTreeMap<Run, KeptOfRun>,
    pub(super) runs: Runs,
    /// Runs with something for [`Kept::flush`] to say.
    pub(super) unsaid: BTreeSet<Run>,
    beats: u64,
}

/// A worker takes no more tasks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Drain {
    /// When its process ends.
    ends_at: Option<Millis>,
}

/// What is kept of one run.
#[derive(Debug, Default)]
pub(super) struct KeptOfRun {
    /// Tasks created here that are not known to be final.
    pub(super) created: BTreeMap<String, proto::Create>,
    /// Attempts at them that failed, by the last word of a leader.
    pub(super) counted: BTreeMap<String, proto::Counted>,
    /// How attempts ended here, until it is settled.
    pub(super) results: BTreeMap<String, proto::Done>,
    /// Tasks whose result is awaited, and who awaits it.
    pub(super) awaited: BTreeMap<String, Vec<WatcherId>>,
    /// Results that have come. Another task of the run may ask for one later, here or elsewhere.
    pub(super) known: BTreeMap<String, TaskStatus>,
    /// Results that this many consumers have still to take.
    pub(super) unread: HashMap<String, usize>,
    pub(super) watchers: BTreeSet<WatcherId>,
    /// Messages of the channels fed here.
    pub(super) channels: BTreeMap<String, Vec<Bytes>>,
    pub(super) message_bytes: usize,
    pub(super) listeners: BTreeMap<ListenerId, Listening>,
    pub(super) conclusion: Option<proto::Conclude>,
    /// To be named in the next Watch and Taken.
    pub(super) to_watch: Vec<String>,
    pub(super) to_take: Vec<String>,
}

impl KeptOfRun {
    fn is_empty(&self) -> bool {
        self.created.is_empty()
            && self.results.is_empty()
            && self.awaited.is_empty()
            && self.known.is_empty()
            && self.watchers.is_empty()
            && self.channels.is_empty()
            && self.listeners.is_empty()
            && self.conclusion.is_none()
            && self.to_watch.is_empty()
            && self.to_take.is_empty()
    }
}

impl Kept {
    /// A worker that has nothing yet. Reports come in parts of about `part_bytes`.
    pub(crate) fn new(about: About, part_bytes: usize) -> Self {
        Self {
            about,
            part_bytes,
            roles: BTreeMap::new(),
            draining: None,
            now: 0,
            streams: Streams::default(),
            running: BTreeMap::new(),
            serial: 0,
            kept: BTreeMap::new(),
            runs: Runs::default(),
            unsaid: BTreeSet::new(),
            beats: 0,
        }
    }

    /// A stream to a replica is open, and nothing was sent on it.
    pub(crate) fn opened(&mut self, stream: StreamId, out: &mut Vec<Effect>) {
        self.streams.opened(stream);
        let about = self.about.clone();
        let hello = proto::Hello {
            pod: about.pod,
            pod_uid: about.pod_uid,
            process: about.process,
            version: about.version,
            sp1_version: about.sp1_version,
            epoch: self.streams.epoch(),
            spot: about.spot,
        };
        out.push(Effect::Send(stream, Message::Hello(hello)));
        self.say_roles(stream, out);
    }

    /// A stream is gone, and with it whatever was under way on it.
    pub(crate) fn broken(&mut self, stream: StreamId, out: &mut Vec<Effect>) {
        let change = self.streams.broken(stream);
        self.follow(stream, change, out);
    }

    /// The worker plays a role from now on. All replicas learn of it.
    pub(crate) fn add_role(&mut self, role: Role, out: &mut Vec<Effect>) {
        let said = Message::Role(role_to_proto(&role));
        self.roles.insert(role.name.clone(), role);
        let streams = self.streams.open();
        out.extend(streams.map(|stream| Effect::Send(stream, said.clone())));
    }

    /// What the device has free. All replicas learn of it, and later ones by the roles.
    pub(crate) fn device_memory(&mut self, free_bytes: u64, out: &mut Vec<Effect>) {
        let devices = self
            .roles
            .values_mut()
            .filter_map(|role| role.device.as_mut());
        let mut changed = false;
        for device in devices.filter(|device| device.free_bytes != free_bytes) {
            device.free_bytes = free_bytes;
            changed = true;
        }
        if changed {
            let said = Message::DeviceMemory(proto::DeviceMemory { free_bytes });
            let streams = self.streams.open();
            out.extend(streams.map(|stream| Effect::Send(stream, said.clone())));
        }
    }

    /// The time passes. Before each event.
    pub(crate) fn at(&mut self, now: Millis) {
        self.now = now.max(self.now);
    }

    /// The worker takes no more tasks, and ends after `grace`; without one it waits for whatever runs. Orders that have not begun are
    /// handed back.
    pub(crate) fn drain(&mut self, grace: Option<Millis>, out: &mut Vec<Effect>) {
        let ends_at = grace.map(|grace| self.now.saturating_add(grace));
        self.draining = Some(Drain { ends_at });
        self.say_drain(out);
        self.hand_back_waiting(out);
    }

    /// Says that the worker drains, if it does.
    pub(super) fn say_drain(&self, out: &mut Vec<Effect>) {
        if let Some(drain) = self.draining {
            let left = drain.ends_at.map(|end| end.saturating_sub(self.now).max(1));
            let grace_ms = left.unwrap_or(0);
            self.tell(Message::Drain(proto::Drain { grace_ms }), out);
        }
    }

    /// A sign of life to every replica.
    pub(crate) fn beat(&mut self, now: Millis, out: &mut Vec<Effect>) {
        self.at(now);
        self.beats += 1;
        out.extend(self.streams.open().map(|stream| self.beat_to(stream)));
        let mut runs = std::mem::take(&mut self.runs);
        runs.expire(now, |proof| self.is_busy_with(proof));
        self.runs = runs;
    }

    /// Whether a task of the proof runs here, or anything is kept of it.
    pub(crate) fn is_busy_with(&self, proof_id: &str) -> bool {
        let running = self.running.values().map(|task| &task.run);
        let mut runs = running.chain(self.kept.keys());
        runs.any(|run| run.proof_id() == proof_id)
    }

    /// Says what was held back so that much of it fits into one message. To be called when all events at hand are through.
    pub(crate) fn flush(&mut self, out: &mut Vec<Effect>) {
        for run in std::mem::take(&mut self.unsaid) {
            let Some(kept) = self.kept.get_mut(&run) else {
                continue;
            };
            let to_watch = std::mem::take(&mut kept.to_watch);
            let to_take = std::mem::take(&mut kept.to_take);
            for task_ids in to_watch.chunks(NAMES) {
                let watch = proto::Watch {
                    run: Some(run.to_proto()),
                    task_ids: task_ids.to_vec(),
                };
                self.tell(Message::Watch(watch), out);
            }
            for task_ids in to_take.chunks(NAMES) {
                let taken = proto::Taken {
                    run: Some(run.to_proto()),
                    task_ids: task_ids.to_vec(),
                };
                self.tell(Message::Taken(taken), out);
            }
            self.prune(&run);
        }
    }

    /// The highest epoch seen.
    pub(crate) fn epoch(&self) -> u64 {
        self.streams.epoch()
    }

    /// The stream to the leader.
    pub(crate) fn leader(&self) -> Option<StreamId> {
        self.streams.leader()
    }

    /// What a stream's replica says of itself; `None` before its Welcome.
    pub(crate) fn welcomed(&self, stream: StreamId) -> Option<&Welcomed> {
        self.streams.welcomed(stream)
    }

    /// Whether the worker takes no more tasks.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.is_some()
    }

    /// How much is kept.
    pub(crate) fn counts(&self) -> Counts {
        let mut counts = Counts {
            running: self.running.len(),
            ..Counts::default()
        };
        for kept in self.kept.values() {
            counts.results += kept.results.len();
            counts.created += kept.created.len();
            counts.awaited += kept.awaited.len();
            counts.known += kept.known.len();
            counts.messages += kept.channels.values().map(Vec::len).sum::<usize>();
            counts.message_bytes += kept.message_bytes;
            counts.conclusions += usize::from(kept.conclusion.is_some());
        }
        counts
    }

    /// A replica shows an epoch. One that is news goes to all the others at once: a leader that was replaced stops sooner.
    pub(super) fn saw(&mut self, from: StreamId, epoch: u64, out: &mut Vec<Effect>) {
        if self.streams.saw(epoch) {
            let others = self.streams.open().filter(|stream| *stream != from);
            out.extend(others.map(|stream| self.beat_to(stream)));
        }
    }

    /// Draws the consequences of a Welcome or a break.
    pub(super) fn follow(&mut self, stream: StreamId, change: Change, out: &mut Vec<Effect>) {
        match change {
            Change::Leads(leader) => self.say_all(leader, out),
            Change::Stale => out.push(self.beat_to(stream)),
            Change::Nothing => {}
        }
    }

    /// Says `message` to the leader. Without one it is not said: what counts is kept, and reported to the next.
    pub(super) fn tell(&self, message: Message, out: &mut Vec<Effect>) {
        if let Some(leader) = self.streams.leader() {
            out.push(Effect::Send(leader, message));
        }
    }

    /// What is kept of `run`; `None` if it is over.
    pub(super) fn of_run(&mut self, run: &Run) -> Option<&mut KeptOfRun> {
        if self.runs.is_over(run) {
            return None;
        }
        if !self.kept.contains_key(run) {
            self.kept.insert(run.clone(), KeptOfRun::default());
        }
        self.kept.get_mut(run)
    }

    /// Lets go of a run that nothing is kept of.
    pub(super) fn prune(&mut self, run: &Run) {
        if self.kept.get(run).is_some_and(KeptOfRun::is_empty) {
            self.kept.remove(run);
        }
    }

    pub(super) fn say_roles(&self, stream: StreamId, out: &mut Vec<Effect>) {
        let roles = self.roles.values().map(role_to_proto).map(Message::Role);
        out.extend(roles.map(|role| Effect::Send(stream, role)));
    }

    fn beat_to(&self, stream: StreamId) -> Effect {
        let beat = proto::Beat {
            epoch: self.streams.epoch(),
            sequence: self.beats,
        };
        Effect::Send(stream, Message::Beat(beat))
    }
}

fn role_to_proto(role: &Role) -> proto::Role {
    proto::Role {
        name: role.name.clone(),
        class: role.class as i32,
        max_weight: role.max_weight,
        provers: role.provers,
        device: role.device.clone(),
        shard_elements: role.shard_elements,
    }
}
