//! Message channels at the native door: numbered, so that nothing is heard twice and nothing missed.

use bytes::Bytes;

use super::{Declined, Judged};
use crate::core::LinkId;
use crate::ids::{ProofId, TaskId};
use crate::reactor::Reactor;
use crate::refusal::Refusal;
use crate::word::{Listen, Said};

impl Reactor<'_> {
    /// A task says something, or its process says again what it said. What is there already is stepped over.
    pub(super) fn said(&mut self, link: LinkId, said: Said) -> Judged {
        self.check_run(&said.run)?;
        self.involve(link, &said.run.proof);
        let proof = &said.run.proof;
        let id = said.task;
        let Some(task) = self.core.task(&id).filter(|task| task.proof == *proof) else {
            return self.stray_said(proof, id, said.first, said.payloads);
        };
        if task.phase().is_final() {
            return Ok(());
        }
        let number = self.said_by(&id);
        let mut news = news(&id, said.first, said.payloads, number)?;
        let appended = news.try_for_each(|payload| self.append(&id, payload));
        appended.map_err(|refusal| Declined::Refused(id, refusal))
    }

    fn stray_said(
        &mut self,
        proof: &ProofId,
        id: TaskId,
        first: u64,
        payloads: Vec<Bytes>,
    ) -> Judged {
        let max = self.core.config().max_channel_bytes;
        let Some(stray) = self.stray(proof, &id) else {
            return Ok(());
        };
        stray
            .said
            .extend(news(&id, first, payloads, stray.said.len() as u64)?);
        if stray.said.iter().map(Bytes::len).sum::<usize>() > max {
            stray.said.clear();
            return Err(Declined::Refused(id.clone(), Refusal::ChannelFull(id)));
        }
        Ok(())
    }

    /// A process reads a channel from some message on.
    pub(super) fn listened(&mut self, link: LinkId, listen: &Listen) -> Judged {
        self.check_run(&listen.run)?;
        let (proof, id, from) = (&listen.run.proof, &listen.task, listen.from);
        self.involve(link, proof);
        if self.core.task(id).is_some_and(|task| task.proof == *proof) {
            self.listen_to(link, proof, id, from);
            return Ok(());
        }
        if let Some(stray) = self.stray(proof, id) {
            stray.listeners.retain(|(other, _)| *other != link);
            stray.listeners.push((link, from));
            return Ok(());
        }
        if !self.may_be_stray(proof) {
            let refusal = Refusal::UnknownTask(id.clone());
            return Err(Declined::Refused(id.clone(), refusal));
        }
        let stray = self.core.proof(proof).and_then(|p| p.strays.get(id));
        // All of it: a process keeps it until the run is over.
        let said = stray.map(|stray| stray.said.clone()).unwrap_or_default();
        if said.is_empty() || from > said.len() as u64 {
            self.lose_run(proof, "what its execution said is lost");
        } else {
            self.tell_all(link, id, from, &said);
        }
        Ok(())
    }

    /// Reads the channel of a known task.
    pub(super) fn listen_to(&mut self, link: LinkId, proof: &ProofId, id: &TaskId, from: u64) {
        let Some(task) = self.core.task(id) else {
            return;
        };
        let ended = task.phase().is_final();
        let channel = self.core.channel(id);
        let messages = channel.map(|c| c.messages.clone()).unwrap_or_default();
        let count = messages.len() as u64;
        if ended {
            self.tell_all(link, id, from, &messages);
        } else {
            self.tell_from(link, id, from, &messages);
            let channel = self.core.channel_mut(id);
            channel.listeners.insert(link, from.max(count));
        }
        let recovered = self.core.proof(proof).is_some_and(|p| p.recovered);
        if from > count && recovered && self.core.recovery().is_none() {
            self.lose_run(proof, "what its execution said is lost");
        }
    }

    /// A message has come: those that have heard all before get it.
    pub(in crate::reactor) fn tell_listeners(
        &mut self,
        task: &TaskId,
        number: u64,
        payload: &Bytes,
    ) {
        if self
            .core
            .channel(task)
            .is_none_or(|c| c.listeners.is_empty())
        {
            return;
        }
        let mut due = Vec::new();
        for (link, next) in &mut self.core.channel_mut(task).listeners {
            if *next == number {
                *next += 1;
                due.push(*link);
            }
        }
        for link in due {
            self.tell_heard(link, task, number, payload.clone());
        }
    }

    /// The producer is done: there are no more messages.
    pub(in crate::reactor) fn end_listeners(&mut self, task: &TaskId) {
        if self
            .core
            .channel(task)
            .is_none_or(|c| c.listeners.is_empty())
        {
            return;
        }
        let count = self.said_by(task);
        for link in std::mem::take(&mut self.core.channel_mut(task).listeners).into_keys() {
            self.tell_end(link, task, count);
        }
    }

    /// Whether a reader has heard more than there is: who said it is gone.
    pub(in crate::reactor) fn unheard_of(&self, proof: &ProofId) -> bool {
        let tasks = self
            .core
            .proof(proof)
            .into_iter()
            .flat_map(|p| p.tasks.all());
        let mut channels = tasks.filter_map(|task| self.core.channel(task));
        channels.any(|channel| {
            let count = channel.messages.len() as u64;
            channel.listeners.values().any(|next| *next > count)
        })
    }

    /// Tells messages from a number on, and that there are no more.
    pub(super) fn tell_all(&mut self, link: LinkId, id: &TaskId, from: u64, said: &[Bytes]) {
        self.tell_from(link, id, from, said);
        self.tell_end(link, id, said.len() as u64);
    }

    fn tell_from(&mut self, link: LinkId, id: &TaskId, from: u64, said: &[Bytes]) {
        for (number, payload) in (0..).zip(said) {
            if number >= from {
                self.tell_heard(link, id, number, payload.clone());
            }
        }
    }

    fn said_by(&self, task: &TaskId) -> u64 {
        self.core
            .channel(task)
            .map_or(0, |c| c.messages.len() as u64)
    }
}

/// The messages that are not there yet, where `count` are.
fn news(
    id: &TaskId,
    first: u64,
    payloads: Vec<Bytes>,
    count: u64,
) -> Result<impl Iterator<Item = Bytes> + use<>, Declined> {
    if first > count {
        let message = format!("message {first} of task {id} comes after {count}");
        return Err(Declined::Refused(id.clone(), Refusal::Invalid(message)));
    }
    let known = usize::try_from(count - first).unwrap_or(usize::MAX);
    Ok(payloads.into_iter().skip(known))
}
