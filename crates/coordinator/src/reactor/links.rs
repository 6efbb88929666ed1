//! Events of the native door: frames of words from joined processes.
//!
//! All words of a frame are one event, and placement follows them once. Nothing is sent again on a live stream. When one breaks, or the leader
//! changes, the process reports what still counts on it, and both sides go on from there.

mod channels;
mod children;
mod conclude;
mod join;
mod report;
mod results;
mod strays;
mod tell;

pub(super) use join::APART;

use std::collections::BTreeSet;

use provost_proto::link as wire;
use provost_proto::link::down_message::Message;

use super::Reactor;
use crate::core::LinkId;
use crate::ids::{ConnId, TaskId};
use crate::refusal::Refusal;
use crate::word::{RunId, Word};

/// Most that a process may say before its report is complete.
const MAX_PENDING: usize = 1_000_000;

/// A message that makes no sense, and the task that it names.
#[derive(Debug)]
pub(crate) struct Unreadable {
    pub(crate) task: Option<TaskId>,
    pub(crate) refusal: Refusal,
}

impl From<Refusal> for Unreadable {
    fn from(refusal: Refusal) -> Self {
        let task = None;
        Self { task, refusal }
    }
}

/// Why a word led to nothing.
enum Declined {
    /// Its run is over.
    Over(RunId),
    /// Nobody needs the result.
    Unneeded(TaskId),
    /// It makes no sense.
    Refused(TaskId, Refusal),
}

type Judged = Result<(), Declined>;

/// What a frame is answered with, each thing once.
#[derive(Default)]
pub(super) struct Answers {
    over: BTreeSet<RunId>,
    unneeded: Vec<TaskId>,
    refused: Vec<(TaskId, Refusal)>,
}

impl Answers {
    fn note(&mut self, judged: Judged) {
        match judged {
            Ok(()) => {}
            Err(Declined::Over(run)) => {
                self.over.insert(run);
            }
            Err(Declined::Unneeded(task)) => self.unneeded.push(task),
            Err(Declined::Refused(task, refusal)) => self.refused.push((task, refusal)),
        }
    }
}

/// How a run stands.
enum Standing {
    /// It goes on.
    Current,
    /// It is over, or was never known.
    Over,
    /// Its proof is not known yet.
    Unknown,
}

impl Reactor<'_> {
    /// A frame from a stream. The first word of a stream says who is there.
    ///
    /// # Errors
    /// The stream is to end: nobody is joined by it.
    pub(crate) fn frame(
        &mut self,
        conn: ConnId,
        words: impl IntoIterator<Item = Result<Word, Unreadable>>,
    ) -> Result<(), Refusal> {
        let mut words = words.into_iter();
        let link = match self.core.link_at(conn) {
            Some(link) => link,
            None => match words.next() {
                Some(Ok(Word::Hello(hello))) => self.joined(conn, hello),
                Some(Err(unreadable)) => return Err(unreadable.refusal),
                Some(Ok(_)) => {
                    let message = "a stream begins with Hello, and this one is not joined";
                    return Err(Refusal::Invalid(message.to_owned()));
                }
                None => return Ok(()),
            },
        };
        self.link_seen(link);
        let mut answers = Answers::default();
        for word in words {
            match word {
                Ok(word) => self.word(link, word, &mut answers),
                Err(Unreadable { task, refusal }) => {
                    let task = task.unwrap_or_else(|| TaskId::from(""));
                    answers.refused.push((task, refusal));
                }
            }
        }
        self.answer(link, answers);
        self.dispatch();
        Ok(())
    }

    fn word(&mut self, link: LinkId, word: Word, answers: &mut Answers) {
        match word {
            Word::Role(role) => self.role_played(link, role),
            Word::DeviceMemory(free_bytes) => self.device_memory(link, free_bytes),
            Word::Beat { epoch, sequence } => self.beaten(link, epoch, sequence),
            Word::Drain(grace) => self.draining(link, grace),
            Word::Hello(_) => {
                let refusal = Refusal::Invalid("Hello comes once".to_owned());
                answers.refused.push((TaskId::from(""), refusal));
            }
            // The rest is for the leader.
            _ if self.core.epoch() == 0 => {}
            Word::Report(part) => self.reported(link, part, answers),
            word => self.heed_or_keep(link, word, answers),
        }
    }

    /// What comes before the report waits for it: it may only make sense then.
    fn heed_or_keep(&mut self, link: LinkId, word: Word, answers: &mut Answers) {
        let Some(known) = self.core.link_mut(link) else {
            return;
        };
        if known.reported {
            self.heed(link, word, answers);
        } else if known.pending.len() < MAX_PENDING {
            known.pending.push(word);
        } else if let Some(conn) = known.conn {
            tracing::warn!(pod = known.pod, "a worker says too much before its report");
            self.out.close_link(conn);
        }
    }

    /// Takes a word for what it says.
    pub(super) fn heed(&mut self, link: LinkId, word: Word, answers: &mut Answers) {
        if let Some(run) = word.run()
            && let Standing::Unknown = self.standing(run)
        {
            if let Word::Running(running) = &word {
                self.makes_room(link, running);
            }
            self.keep_unknown(link, word);
            return;
        }
        if let Some(run) = word.run()
            && self.is_ending(run)
        {
            // It is told that the run is over once the end is stored.
            let proof = run.proof.clone();
            self.involve(link, &proof);
        }
        let judged = match word {
            Word::Create(child) => self.child_created(link, child, false),
            Word::Created(child) => self.child_created(link, child, true),
            Word::Running(running) => self.found_running(link, &running),
            Word::Known { run, task, status } => self.result_known(link, &run, task, status),
            Word::Counted {
                run,
                task,
                attempts,
            } => self.counted_before(&run, &task, &attempts),
            Word::Done(done) => self.attempt_ended(link, done),
            Word::Conclude(conclusion) => self.concluded(link, conclusion),
            Word::Watch { run, tasks } => self.watched(link, run, tasks, answers),
            Word::Taken { run, tasks } => self.taken(link, run, &tasks),
            Word::Say(said) => self.said(link, said),
            Word::Listen(listen) => self.listened(link, &listen),
            Word::Hello(_)
            | Word::Role(_)
            | Word::DeviceMemory(_)
            | Word::Report(_)
            | Word::Beat { .. }
            | Word::Drain(_) => Ok(()),
        };
        answers.note(judged);
    }

    pub(super) fn answer(&mut self, link: LinkId, answers: Answers) {
        for run in answers.over {
            if !self.is_ending(&run) {
                self.tell_over(link, &run);
            }
        }
        if !answers.unneeded.is_empty() {
            self.tell_settled(link, answers.unneeded);
        }
        for (task, refusal) in answers.refused {
            tracing::warn!(%task, reason = refusal.reason(), %refusal, "a worker is refused");
            let refused = wire::Refused {
                task_id: task.to_string(),
                reason: refusal.reason().to_owned(),
                message: refusal.to_string(),
            };
            self.tell(link, Message::Refused(refused));
        }
    }

    fn standing(&self, run: &RunId) -> Standing {
        match self.core.proof(&run.proof) {
            Some(proof) if proof.run == run.run && proof.ended.is_none() => Standing::Current,
            Some(_) => Standing::Over,
            None if self.core.recovery().is_some() => Standing::Unknown,
            None => Standing::Over,
        }
    }

    /// Whether it is the last run of a proof whose end is not stored: until it is, a later leader may ask how it came.
    fn is_ending(&self, run: &RunId) -> bool {
        let proof = self.core.proof(&run.proof).filter(|p| p.run == run.run);
        proof.is_some_and(|proof| proof.ended.is_some_and(|ended| !ended.stored))
    }

    fn check_run(&self, run: &RunId) -> Judged {
        match self.standing(run) {
            Standing::Current => Ok(()),
            Standing::Over | Standing::Unknown => Err(Declined::Over(run.clone())),
        }
    }

    /// A process has something of a proof's run, and is to be told when that is over.
    fn involve(&mut self, link: LinkId, proof: &str) {
        if let Some(proof) = self.core.proof_mut(proof)
            && !proof.links.contains(&link)
        {
            proof.links.insert(link);
        }
    }
}
