//! Takes calls and messages to the state, and carries out what it decides.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use provost_proto::link::up_message::Message;
use provost_proto::link::{Down, down_message};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::consumers::Consumers;
use super::stream::{Common, Event};
use super::vital::vital;
use super::{Command, Plan, replicas};
use crate::link::Shared;
use crate::state::{Effect, Kept, Millis, StreamId};
use crate::status::{Replica, Status};

/// Most calls taken at a time.
const CALLS: usize = 1_024;
/// Most frames that wait to be taken; then replicas have to wait.
const FRAMES: usize = 64;

/// Runs a link until all of its handles are gone.
pub(crate) async fn run(
    plan: Plan,
    commands: mpsc::WeakUnboundedSender<Command>,
    mut incoming: mpsc::UnboundedReceiver<Command>,
    shared: Arc<Shared>,
    status: watch::Sender<Status>,
) {
    let (events_in, mut events) = mpsc::channel(FRAMES);
    let mut hub = Hub {
        kept: Kept::new(plan.about.clone(), plan.limits.part_bytes),
        commands,
        shared,
        status,
        consumers: Consumers::default(),
        streams: BTreeMap::new(),
        started: Instant::now(),
        effects: Vec::new(),
        replicas_changed: false,
    };
    let mut beats = interval(plan.timing.beat);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let stopped = CancellationToken::new();
    let _stop = stopped.clone().drop_guard();
    let common = Common {
        plan,
        events: events_in,
        broke: Notify::new(),
        last_stream: AtomicU64::new(0),
    };
    tokio::spawn(vital(replicas::run(Arc::new(common), stopped)));

    let mut calls = Vec::with_capacity(CALLS);
    let mut news = Vec::with_capacity(FRAMES);
    loop {
        tokio::select! {
            _ = beats.tick() => hub.beat(),
            _ = events.recv_many(&mut news, FRAMES) => {}
            count = incoming.recv_many(&mut calls, CALLS) => if count == 0 {
                return;
            },
        }
        for event in news.drain(..) {
            hub.event(event);
        }
        for call in calls.drain(..) {
            hub.call(call);
        }
        hub.flush();
    }
}

struct Hub {
    kept: Kept,
    /// For what reports back; weak, so that the link stops with its last handle.
    commands: mpsc::WeakUnboundedSender<Command>,
    shared: Arc<Shared>,
    status: watch::Sender<Status>,
    consumers: Consumers,
    streams: BTreeMap<StreamId, Open>,
    started: Instant,
    effects: Vec<Effect>,
    /// What the status says of replicas is out of date.
    replicas_changed: bool,
}

/// An open stream.
struct Open {
    address: SocketAddr,
    queue: mpsc::UnboundedSender<Message>,
}

impl Hub {
    fn now(&self) -> Millis {
        Millis::try_from(self.started.elapsed().as_millis()).unwrap_or(Millis::MAX)
    }

    fn beat(&mut self) {
        let now = self.now();
        self.kept.beat(now, &mut self.effects);
        let kept = &self.kept;
        self.shared
            .runs()
            .expire(now, |proof| kept.is_busy_with(proof));
        self.carry_out();
    }

    fn flush(&mut self) {
        self.kept.flush(&mut self.effects);
        self.carry_out();
        self.publish();
    }

    fn event(&mut self, event: Event) {
        self.kept.at(self.now());
        match event {
            Event::Opened {
                stream,
                address,
                queue,
            } => {
                self.streams.insert(stream, Open { address, queue });
                self.kept.opened(stream, &mut self.effects);
            }
            Event::Heard(stream, frame) => return self.heard(stream, frame),
            Event::Broken(stream) => {
                self.streams.remove(&stream);
                self.replicas_changed = true;
                self.kept.broken(stream, &mut self.effects);
            }
        }
        self.carry_out();
    }

    fn heard(&mut self, stream: StreamId, frame: Down) {
        let now = self.now();
        // What one of a later version says is stepped over.
        let messages = frame.messages.into_iter().filter_map(|down| down.message);
        for message in messages {
            self.note(stream, &message);
            self.kept.hear(stream, message, now, &mut self.effects);
            self.carry_out();
        }
    }

    fn call(&mut self, call: Command) {
        let (now, out) = (self.now(), &mut self.effects);
        self.kept.at(now);
        match call {
            Command::AddRole { role, sink } => {
                self.consumers.roles.insert(role.name.clone(), sink);
                self.kept.add_role(role, out);
            }
            Command::DeviceMemory { free_bytes } => self.kept.device_memory(free_bytes, out),
            Command::Create { run, create } => self.kept.create(&run, create, out),
            Command::Ended {
                task_id,
                serial,
                outcome,
            } => {
                self.consumers.ended(&task_id, serial);
                self.kept.ended(&task_id, serial, outcome, now, out);
            }
            Command::Marker { run, task_id } => self.kept.marker_completed(&run, task_id, out),
            Command::Conclude {
                run,
                conclude,
                reply,
            } => {
                let waiting = self.consumers.concluding.entry(run.clone());
                waiting.or_default().push(reply);
                self.kept.conclude(&run, conclude, out);
            }
            Command::Watch { run, watcher, sink } => {
                self.consumers.watchers.insert(watcher, sink);
                self.kept.watch(&run, watcher, out);
            }
            Command::Want {
                run,
                watcher,
                task_ids,
            } => self.kept.want(&run, watcher, task_ids, out),
            Command::Took { run, task_id } => self.kept.took(&run, &task_id),
            Command::Unwatch { run, watcher } => {
                self.consumers.watchers.remove(&watcher);
                self.kept.unwatch(&run, watcher);
            }
            Command::Say {
                run,
                task_id,
                payload,
            } => self.kept.say(&run, task_id, payload, out),
            Command::Listen {
                run,
                listener,
                task_id,
                from,
                sink,
            } => {
                self.consumers.listeners.insert(listener, sink);
                self.kept.listen(&run, listener, task_id, from, out);
            }
            Command::Unlisten { run, listener } => {
                self.consumers.listeners.remove(&listener);
                self.kept.unlisten(&run, listener);
            }
            Command::Drain { grace } => self.kept.drain(grace, out),
        }
        self.carry_out();
    }

    fn carry_out(&mut self) {
        let now = self.now();
        for effect in std::mem::take(&mut self.effects) {
            match effect {
                Effect::Send(stream, message) => {
                    if let Some(open) = self.streams.get(&stream) {
                        // If it is broken already, that is about to be heard.
                        let _ = open.queue.send(message);
                    }
                }
                Effect::Start(start) => {
                    if let Some(commands) = self.commands.upgrade() {
                        self.consumers.start(start, commands);
                    }
                }
                Effect::Cancel { task_id, serial } => self.consumers.cancel(&task_id, serial),
                Effect::Result {
                    watcher,
                    run,
                    task_id,
                    status,
                } => {
                    let received = self.consumers.result(watcher, task_id.clone(), status);
                    if !received {
                        self.kept.took(&run, &task_id);
                    }
                }
                Effect::Unwatched { watcher, run } => self.consumers.unwatched(watcher, &run),
                Effect::Heard { listener, payload } => self.consumers.heard(listener, payload),
                Effect::Silent { listener, over } => self.consumers.silent(listener, over),
                Effect::Concluded { run, result } => self.consumers.concluded(&run, &result),
                Effect::Began(run) => self.shared.runs().began(&run, now),
                Effect::Over(run) => self.shared.runs().over(&run, now),
            }
        }
    }

    /// What is worth a line in the log.
    fn note(&mut self, stream: StreamId, message: &down_message::Message) {
        match message {
            down_message::Message::Welcome(welcome) => {
                self.replicas_changed = true;
                let address = self.streams.get(&stream).map(|open| open.address);
                tracing::info!(
                    ?address,
                    welcome.replica,
                    welcome.epoch,
                    "a replica answers"
                );
            }
            down_message::Message::Refused(refused) => {
                tracing::warn!(
                    refused.task_id,
                    refused.reason,
                    refused.message,
                    "the coordinator refuses something"
                );
            }
            _ => {}
        }
    }

    fn publish(&mut self) {
        let leader = self.kept.leader();
        let leader = leader.and_then(|leader| self.kept.welcomed(leader));
        let leader = leader.map(|leader| leader.replica.as_str());
        let replicas = std::mem::take(&mut self.replicas_changed).then(|| self.replicas());
        let (epoch, draining) = (self.kept.epoch(), self.kept.is_draining());
        let kept = self.kept.counts();
        self.status.send_if_modified(|status| {
            let before = (status.epoch, status.draining, status.kept);
            let same = replicas.is_none()
                && leader == status.leader.as_deref()
                && before == (epoch, draining, kept);
            if same {
                return false;
            }
            if let Some(replicas) = replicas {
                status.replicas = replicas;
            }
            if leader != status.leader.as_deref() {
                status.leader = leader.map(Into::into);
            }
            (status.epoch, status.draining, status.kept) = (epoch, draining, kept);
            true
        });
    }

    /// The replicas that have answered.
    fn replicas(&self) -> Arc<[Replica]> {
        let answered = self.streams.iter().filter_map(|(stream, open)| {
            let welcomed = self.kept.welcomed(*stream)?;
            Some(Replica {
                name: welcomed.replica.clone(),
                address: open.address.to_string(),
                epoch: welcomed.epoch,
            })
        });
        answered.collect()
    }
}
