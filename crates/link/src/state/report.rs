//! All that still counts, for a leader that does not know it, in parts of bounded size.

use prost::Message as _;
use proto::Report;
use proto::up_message::Message;
use provost_proto::link as proto;

use super::kept::Kept;
use super::{Effect, StreamId};

/// What the framing of an element costs at most: tag and length.
const OVERHEAD: usize = 8;

impl Kept {
    /// Says everything to a replica that begins to lead. Of the roles it knows since its stream was opened.
    pub(super) fn say_all(&mut self, leader: StreamId, out: &mut Vec<Effect>) {
        for kept in self.kept.values_mut() {
            for listening in kept.listeners.values_mut() {
                listening.asked = false;
            }
        }
        // The report has these too.
        for run in std::mem::take(&mut self.unsaid) {
            if let Some(kept) = self.kept.get_mut(&run) {
                kept.to_watch.clear();
                kept.to_take.clear();
            }
            self.prune(&run);
        }
        self.say_drain(out);
        let parts = self.report().into_iter().map(Message::Report);
        out.extend(parts.map(|part| Effect::Send(leader, part)));
    }

    /// The parts of a report. There is always one, and only the last says so.
    pub(crate) fn report(&self) -> Vec<Report> {
        let mut parts = Parts::new(self.part_bytes);
        for (task_id, task) in &self.running {
            let running = proto::Running {
                run: Some(task.run.to_proto()),
                task_id: task_id.clone(),
                attempt: task.attempt,
                role: task.role.clone(),
                task_type: task.task_type as i32,
                ran_ms: self.now.saturating_sub(task.began_at),
                stopping: task.cancelled,
            };
            parts.room(running.encoded_len()).running.push(running);
        }
        for (run, kept) in &self.kept {
            let listens = kept.listens(run);
            let run = Some(run.to_proto());
            for done in kept.results.values() {
                parts.room(done.encoded_len()).done.push(done.clone());
            }
            for create in kept.created.values() {
                parts
                    .room(create.encoded_len())
                    .created
                    .push(create.clone());
            }
            for counted in kept.counted.values() {
                parts
                    .room(counted.encoded_len())
                    .counted
                    .push(counted.clone());
            }
            // A creator needs no Watch.
            let awaited = kept.awaited.keys();
            let watched = awaited.filter(|task_id| !kept.created.contains_key(*task_id));
            for task_ids in chunks(watched, String::len, self.part_bytes) {
                let task_ids = task_ids.into_iter().cloned().collect();
                let watch = proto::Watch {
                    run: run.clone(),
                    task_ids,
                };
                parts.room(watch.encoded_len()).watches.push(watch);
            }
            for (task_id, messages) in &kept.channels {
                let mut first = 0;
                for payloads in chunks(messages, bytes::Bytes::len, self.part_bytes) {
                    let said = proto::Said {
                        run: run.clone(),
                        task_id: task_id.clone(),
                        first,
                        payloads: payloads.into_iter().cloned().collect(),
                    };
                    first += said.payloads.len() as u64;
                    parts.room(said.encoded_len()).said.push(said);
                }
            }
            for listen in listens {
                parts.room(listen.encoded_len()).listens.push(listen);
            }
            if let Some(conclusion) = &kept.conclusion {
                let part = parts.room(conclusion.encoded_len());
                part.conclusions.push(conclusion.clone());
            }
            for (task_id, status) in &kept.known {
                let result = proto::Result {
                    run: run.clone(),
                    task_id: task_id.clone(),
                    status: *status as i32,
                };
                parts.room(result.encoded_len()).results.push(result);
            }
        }
        parts.finish()
    }
}

/// Groups of items in their order, each of about half of `limit` bytes at most; a larger item is a group of its own.
fn chunks<'a, T: 'a>(
    items: impl IntoIterator<Item = &'a T>,
    size: impl Fn(&T) -> usize,
    limit: usize,
) -> Vec<Vec<&'a T>> {
    let mut chunks = Vec::new();
    let mut chunk = Vec::new();
    let mut filled = 0;
    for item in items {
        let size = size(item) + OVERHEAD;
        if filled + size > limit / 2 && !chunk.is_empty() {
            chunks.push(std::mem::take(&mut chunk));
            filled = 0;
        }
        filled += size;
        chunk.push(item);
    }
    if !chunk.is_empty() {
        chunks.push(chunk);
    }
    chunks
}

/// Parts that are filled one after the other.
struct Parts {
    limit: usize,
    full: Vec<Report>,
    part: Report,
    filled: usize,
}

impl Parts {
    fn new(limit: usize) -> Self {
        Self {
            limit,
            full: Vec::new(),
            part: Report::default(),
            filled: 0,
        }
    }

    /// The part that an element of `size` bytes goes into.
    fn room(&mut self, size: usize) -> &mut Report {
        let size = size + OVERHEAD;
        if self.filled > 0 && self.filled + size > self.limit {
            self.full.push(std::mem::take(&mut self.part));
            self.filled = 0;
        }
        self.filled += size;
        &mut self.part
    }

    fn finish(mut self) -> Vec<Report> {
        self.part.last = true;
        self.full.push(self.part);
        self.full
    }
}
