//! Streams: what is said arrives after a while and in order, or never.

use super::*;

impl World {
    pub(super) fn connect(&mut self, process: usize, replica: usize) {
        let worker = &self.workers[process];
        if !worker.alive || worker.process.has_stream(replica) {
            return;
        }
        if self.replicas[replica].life.is_none() || worker.frozen_until > self.now {
            self.at(300, Event::Connect(process, replica));
            return;
        }
        let id = self.next_number();
        let stream = Stream {
            process,
            replica,
            alive: true,
            opened: self.now,
            up: 0,
            down: 0,
        };
        self.streams.insert(id, stream);
        self.workers[process].process.opened(replica);
        self.flush(process);
    }

    pub(super) fn stream_of(&self, process: usize, replica: usize) -> Option<u64> {
        let mut streams = self.streams.iter().rev();
        let found = streams.find(|(_, s)| s.process == process && s.replica == replica);
        found.map(|(id, _)| *id)
    }

    /// Whether a replica has had the same stream of a process for long enough to know that it is there.
    pub(super) fn hears(&self, replica: usize, process: usize) -> bool {
        let stream = self
            .stream_of(process, replica)
            .map(|id| &self.streams[&id]);
        self.workers[process].alive
            && stream.is_some_and(|s| s.alive && s.opened + SETTLED <= self.now)
    }

    /// When a message that is sent now arrives.
    pub(super) fn arrival(&mut self, process: usize, last: Millis) -> Millis {
        let slow = if self.rng.chance(3) { 300 } else { 8 };
        let at = self.now.max(self.workers[process].frozen_until) + self.rng.range(0, slow);
        at.max(last)
    }

    /// What a process wants to say goes out, to each replica in one frame.
    pub(super) fn flush(&mut self, process: usize) {
        let mut frames: BTreeMap<usize, Vec<Up>> = BTreeMap::new();
        for (replica, message) in std::mem::take(&mut self.workers[process].process.out) {
            frames.entry(replica).or_default().push(message);
        }
        for (replica, frame) in frames {
            let Some(id) = self.stream_of(process, replica) else {
                continue;
            };
            let last = self.streams[&id].up;
            let at = self.arrival(process, last);
            if let Some(stream) = self.streams.get_mut(&id) {
                stream.up = at;
            }
            self.at(at - self.now, Event::Up(id, frame));
        }
    }

    pub(super) fn send_down(&mut self, id: u64, frame: Vec<Down>) {
        let Some(stream) = self.streams.get(&id) else {
            return;
        };
        let (process, last) = (stream.process, stream.down);
        let at = self.arrival(process, last);
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.down = at;
        }
        self.at(at - self.now, Event::Down(id, frame));
    }

    pub(super) fn deliver_up(&mut self, id: u64, messages: Vec<Up>) {
        let stream = &self.streams[&id];
        if !stream.alive {
            return;
        }
        let (process, replica) = (stream.process, stream.replica);
        self.say(|| format!("{process} -> {replica}: {}", list(&messages)));
        let words: Vec<_> = messages
            .into_iter()
            .map(|message| wire::UpMessage {
                message: Some(message),
            })
            .filter_map(|message| parse::word(message).transpose())
            .collect();
        let heard = self.react(replica, |r| r.frame(id, words));
        if let Some(Err(_)) = heard {
            self.break_stream(id, (0, 20), None);
        }
    }

    pub(super) fn deliver_down(&mut self, id: u64, messages: Vec<Down>) {
        let stream = &self.streams[&id];
        let (process, replica) = (stream.process, stream.replica);
        if !stream.alive || !self.workers[process].alive {
            return;
        }
        self.say(|| format!("{replica} -> {process}: {}", list(&messages)));
        for message in messages {
            self.workers[process].process.hear(replica, message);
            self.effects(process);
        }
        self.flush(process);
    }

    /// Whatever is under way on the stream is lost. The ends see it after a while.
    pub(super) fn break_stream(
        &mut self,
        id: u64,
        sees: (Millis, Millis),
        replica_sees: Option<Millis>,
    ) {
        let Some(stream) = self.streams.get_mut(&id).filter(|stream| stream.alive) else {
            return;
        };
        stream.alive = false;
        let after = self.rng.range(sees.0, sees.1);
        self.at(after, Event::ProcessSeesBreak(id));
        let after = replica_sees.unwrap_or_else(|| self.rng.range(0, 1_500));
        self.at(after, Event::ReplicaSeesBreak(id));
    }

    pub(super) fn process_sees_break(&mut self, id: u64) {
        let stream = &self.streams[&id];
        let (process, replica) = (stream.process, stream.replica);
        if !self.workers[process].alive || self.stream_of(process, replica) != Some(id) {
            return;
        }
        self.workers[process].process.broken(replica);
        self.flush(process);
        // At once, as a rule.
        let after = match self.rng.chance(70) {
            true => self.rng.range(0, 40),
            false => self.rng.range(10, 900),
        };
        self.at(after, Event::Connect(process, replica));
    }
}
