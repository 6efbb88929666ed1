//! A leader as the random test has it: it knows what it was told, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// What a leader has heard of a worker.
#[derive(Default)]
pub(super) struct Leader {
    pub(super) running: BTreeMap<String, u32>,
    pub(super) done: BTreeMap<String, proto::Done>,
    pub(super) created: BTreeSet<String>,
    pub(super) watched: BTreeSet<String>,
    pub(super) said: BTreeMap<(Run, String), BTreeMap<u64, Bytes>>,
    pub(super) listened: BTreeMap<(Run, String), u64>,
    pub(super) concluded: BTreeSet<Run>,
    pub(super) reported: bool,
}

impl Leader {
    pub(super) fn hear(&mut self, message: Up) {
        match message {
            Up::Report(report) => {
                self.reported |= report.last;
                for task in report.running {
                    self.running.insert(task.task_id, task.attempt);
                }
                report.done.into_iter().for_each(|done| self.done(done));
                for child in report.created {
                    self.created.insert(child.task_id);
                }
                for watch in report.watches {
                    self.watched.extend(watch.task_ids);
                }
                for said in report.said {
                    let run = Run::named(said.run);
                    for (at, payload) in (said.first..).zip(said.payloads) {
                        self.say(run.clone(), said.task_id.clone(), at, payload);
                    }
                }
                for listen in report.listens {
                    self.listen(listen);
                }
                for conclusion in report.conclusions {
                    self.concluded.insert(Run::named(conclusion.run));
                }
            }
            Up::Create(create) => {
                self.created.insert(create.task_id);
            }
            Up::Done(done) => self.done(done),
            Up::Conclude(conclude) => {
                self.concluded.insert(Run::named(conclude.run));
            }
            Up::Watch(watch) => self.watched.extend(watch.task_ids),
            Up::Say(say) => {
                let run = Run::named(say.run);
                self.say(run, say.task_id, say.number, say.payload);
            }
            Up::Listen(listen) => self.listen(listen),
            Up::Hello(_)
            | Up::Role(_)
            | Up::DeviceMemory(_)
            | Up::Beat(_)
            | Up::Taken(_)
            | Up::Drain(_) => {}
        }
    }

    fn done(&mut self, done: proto::Done) {
        self.running.remove(&done.task_id);
        self.done.insert(done.task_id.clone(), done);
    }

    fn say(&mut self, run: Run, task: String, number: u64, payload: Bytes) {
        let channel = self.said.entry((run, task)).or_default();
        assert!(
            channel
                .insert(number, payload.clone())
                .is_none_or(|old| old == payload),
            "a number names one message"
        );
    }

    fn listen(&mut self, listen: proto::Listen) {
        let run = Run::named(listen.run);
        self.listened.insert((run, listen.task_id), listen.from);
    }
}
