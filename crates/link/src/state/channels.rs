//! Messages of tasks: fed here, heard here.

use std::collections::BTreeMap;

use bytes::Bytes;
use proto::up_message::Message;
use provost_proto::link as proto;

use super::kept::{Kept, KeptOfRun};
use super::{Effect, ListenerId};
use crate::Run;

/// A consumer of a channel.
#[derive(Debug)]
pub(super) struct Listening {
    pub(super) task_id: String,
    /// The number of the message that comes next.
    pub(super) next: u64,
    /// Messages are missing, and were asked for.
    pub(super) asked: bool,
}

impl KeptOfRun {
    /// What consumers here lack of channels.
    pub(super) fn listens(&self, run: &Run) -> Vec<proto::Listen> {
        let mut lacking = BTreeMap::new();
        for listening in self.listeners.values() {
            let from: &mut u64 = lacking.entry(&listening.task_id).or_insert(listening.next);
            *from = listening.next.min(*from);
        }
        let listen = |(task_id, from): (&String, u64)| proto::Listen {
            run: Some(run.to_proto()),
            task_id: task_id.clone(),
            from,
        };
        lacking.into_iter().map(listen).collect()
    }
}

impl Kept {
    /// A task says something on its channel.
    pub(crate) fn say(
        &mut self,
        run: &Run,
        task_id: String,
        payload: Bytes,
        out: &mut Vec<Effect>,
    ) {
        let Some(kept) = self.of_run(run) else {
            return;
        };
        kept.message_bytes += payload.len();
        let channel = kept.channels.entry(task_id.clone()).or_default();
        let number = channel.len() as u64;
        channel.push(payload.clone());
        let say = proto::Say {
            run: Some(run.to_proto()),
            task_id,
            number,
            payload,
        };
        self.tell(Message::Say(say), out);
    }

    /// A consumer wants the messages of `task_id` from number `from` on.
    pub(crate) fn listen(
        &mut self,
        run: &Run,
        listener: ListenerId,
        task_id: String,
        from: u64,
        out: &mut Vec<Effect>,
    ) {
        let Some(kept) = self.of_run(run) else {
            out.push(Effect::Silent {
                listener,
                over: Some(run.clone()),
            });
            return;
        };
        kept.listeners.insert(
            listener,
            Listening {
                task_id: task_id.clone(),
                next: from,
                asked: false,
            },
        );
        let listen = listen_message(run, kept, &task_id);
        self.tell(listen, out);
    }

    /// The consumer is gone.
    pub(crate) fn unlisten(&mut self, run: &Run, listener: ListenerId) {
        if let Some(kept) = self.kept.get_mut(run) {
            kept.listeners.remove(&listener);
        }
        self.prune(run);
    }

    /// A message has come. Each consumer gets each once and in order.
    pub(super) fn heard(
        &mut self,
        task_id: &str,
        number: u64,
        payload: &Bytes,
        out: &mut Vec<Effect>,
    ) {
        self.hearing(task_id, out, |listener, listening, out| {
            if number == listening.next {
                listening.next += 1;
                listening.asked = false;
                let payload = payload.clone();
                out.push(Effect::Heard { listener, payload });
            }
            if number > listening.next {
                Heard::Gap
            } else {
                Heard::More
            }
        });
    }

    /// The producer has completed.
    pub(super) fn channel_ended(&mut self, task_id: &str, count: u64, out: &mut Vec<Effect>) {
        self.hearing(task_id, out, |listener, listening, out| {
            if listening.next < count {
                return Heard::Gap;
            }
            let over = None;
            out.push(Effect::Silent { listener, over });
            Heard::All
        });
    }

    /// Lets each consumer of the channel look at what has come, and asks again, once, for what is missing.
    fn hearing(
        &mut self,
        task_id: &str,
        out: &mut Vec<Effect>,
        mut look: impl FnMut(ListenerId, &mut Listening, &mut Vec<Effect>) -> Heard,
    ) {
        let mut missing = None;
        let mut done = None;
        for (run, kept) in &mut self.kept {
            let mut ask = false;
            let before = kept.listeners.len();
            kept.listeners.retain(|listener, listening| {
                if listening.task_id != task_id {
                    return true;
                }
                match look(*listener, listening, out) {
                    Heard::More => {}
                    Heard::Gap => ask |= !std::mem::replace(&mut listening.asked, true),
                    Heard::All => return false,
                }
                true
            });
            if ask {
                missing = Some(listen_message(run, kept, task_id));
            }
            if kept.listeners.len() < before {
                done = Some(run.clone());
            }
        }
        if let Some(listen) = missing {
            self.tell(listen, out);
        }
        if let Some(run) = done {
            self.prune(&run);
        }
    }
}

/// What a message means to a consumer.
enum Heard {
    /// More is to come.
    More,
    /// Something is missing before it.
    Gap,
    /// Nothing more will come.
    All,
}

/// Asks for all that any consumer here lacks.
fn listen_message(run: &Run, kept: &KeptOfRun, task_id: &str) -> Message {
    let mut listens = kept.listens(run).into_iter();
    let listen = listens.find(|listen| listen.task_id == task_id);
    Message::Listen(listen.unwrap_or_default())
}
