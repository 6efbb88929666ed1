//! What replicas say.

use proto::down_message::Message;
use provost_proto::link as proto;

use super::kept::{Kept, KeptOfRun};
use super::streams::Welcomed;
use super::{Effect, Millis, StreamId};
use crate::{Ended, Run};

impl Kept {
    /// A replica has said `message`. Orders of any but the leader of the highest epoch change nothing.
    pub(crate) fn hear(
        &mut self,
        stream: StreamId,
        message: Message,
        now: Millis,
        out: &mut Vec<Effect>,
    ) {
        if let Some(epoch) = epoch_of(&message) {
            self.saw(stream, epoch, out);
        }
        if let Message::Welcome(proto::Welcome { replica, epoch }) = message {
            let change = self.streams.welcome(stream, Welcomed { replica, epoch });
            self.follow(stream, change, out);
            return;
        }
        let current = epoch_of(&message).is_none_or(|epoch| epoch == self.streams.epoch());
        if !self.streams.obeys(stream) || !current {
            return;
        }
        match message {
            Message::Assign(assign) => self.assign(assign, now, out),
            Message::Cancel(cancel) => self.cancel(Run::named(cancel.run), cancel.task_id, out),
            Message::Result(result) => {
                let (run, status) = (Run::named(result.run.clone()), result.status());
                self.result(&run, result.task_id, status, out);
            }
            Message::Settled(settled) => self.settled(&settled.task_ids),
            Message::Heard(heard) => self.heard(&heard.task_id, heard.number, &heard.payload, out),
            Message::End(end) => self.channel_ended(&end.task_id, end.count, out),
            Message::Concluded(concluded) => {
                self.concluded(&Run::named(concluded.run), Ok(()), out);
            }
            Message::Over(over) => self.over(&Run::named(over.run), now, out),
            Message::Refused(refused) => self.refused(refused, now, out),
            Message::Counted(counted) => self.counted(counted),
            Message::Beat(_) | Message::Welcome(_) => {}
        }
    }

    /// A run is over, and so are those before it: what runs for them is to stop, and nothing of them is kept but the word that a
    /// proof is made, which is kept until it is stored.
    fn over(&mut self, run: &Run, now: Millis, out: &mut Vec<Effect>) {
        self.runs.over(run, now);
        out.push(Effect::Over(run.clone()));
        self.cancel_run(run, out);
        let over: Vec<Run> = self
            .kept
            .range(run.first()..=run.clone())
            .map(|(run, _)| run.clone())
            .collect();
        for run in over {
            let Some(kept) = self.kept.remove(&run) else {
                continue;
            };
            self.unsaid.remove(&run);
            out.extend(kept.watchers.into_iter().map(|watcher| Effect::Unwatched {
                watcher,
                run: run.clone(),
            }));
            out.extend(kept.listeners.into_keys().map(|listener| Effect::Silent {
                listener,
                over: Some(run.clone()),
            }));
            match kept.conclusion {
                Some(conclusion) if conclusion.failed => {
                    let result = Err(Ended::run_over(&run));
                    out.push(Effect::Concluded { run, result });
                }
                conclusion @ Some(_) => {
                    let kept = KeptOfRun {
                        conclusion,
                        ..KeptOfRun::default()
                    };
                    self.kept.insert(run, kept);
                }
                None => {}
            }
        }
    }

    /// Something that was said is refused. The message names a task alone, so what is meant is found by what is kept of it: a
    /// result first, since one that comes late is the likeliest.
    fn refused(&mut self, refused: proto::Refused, now: Millis, out: &mut Vec<Effect>) {
        let proto::Refused {
            task_id,
            reason,
            message,
        } = refused;
        let ends_run = matches!(reason.as_str(), "RunOver" | "ProofEnded");
        let runs: Vec<Run> = self.kept.keys().cloned().collect();
        for run in runs {
            let Some(kept) = self.kept.get_mut(&run) else {
                continue;
            };
            let concludes = kept
                .conclusion
                .as_ref()
                .is_some_and(|conclusion| conclusion.task_id == task_id);
            let ended_here = kept.results.contains_key(&task_id);
            let names = ended_here
                || concludes
                || kept.created.contains_key(&task_id)
                || kept.awaited.contains_key(&task_id)
                || kept.channels.contains_key(&task_id);
            if !names {
                continue;
            }
            if concludes {
                let result = Err(match ends_run {
                    true => Ended::run_over(&run),
                    false => Ended::Refused { reason, message },
                });
                self.concluded(&run, result, out);
            } else if !ends_run && !ended_here {
                self.child_refused(&run, &task_id, out);
            }
            if let Some(kept) = self.kept.get_mut(&run) {
                kept.results.remove(&task_id);
            }
            if ends_run {
                self.over(&run, now, out);
            }
            self.prune(&run);
            return;
        }
    }
}

/// The epoch that a message shows, if it shows one.
fn epoch_of(message: &Message) -> Option<u64> {
    match message {
        Message::Welcome(welcome) => Some(welcome.epoch),
        Message::Assign(assign) => Some(assign.epoch),
        Message::Cancel(cancel) => Some(cancel.epoch),
        Message::Over(over) => Some(over.epoch),
        Message::Beat(beat) => Some(beat.epoch),
        _ => None,
    }
}
