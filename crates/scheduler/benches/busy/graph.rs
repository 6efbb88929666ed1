//! A proof on its way: which tasks come when others are done, as SP1's Controller and CoreExecute create them.

use provost_scheduler::TaskKind;

use crate::load::{ARITY, Mode, Request, time};
use crate::random::Random;
use crate::task::Millis;

/// A proof's state.
pub(crate) struct Graph {
    request: Request,
    random: Random,
    executed: bool,
    /// Shards that are not created yet, and shards and reductions under way.
    emitted: u32,
    proving: u32,
    reducing: u32,
    /// Proofs that wait to be joined.
    loose: usize,
}

/// What happens next.
pub(crate) enum Next {
    /// A task to create.
    Task(TaskKind, Millis),
    /// The proof is there.
    Done,
}

impl Graph {
    pub(crate) fn new(request: Request) -> Self {
        Self {
            random: Random(request.seed),
            request,
            executed: false,
            emitted: 0,
            proving: 0,
            reducing: 0,
            loose: 0,
        }
    }

    pub(crate) const fn request(&self) -> &Request {
        &self.request
    }

    fn task(&mut self, kind: TaskKind) -> Next {
        Next::Task(kind, time(kind, &mut self.random))
    }

    /// The Controller is with a worker.
    pub(crate) fn begins(&mut self) -> Next {
        self.task(TaskKind::SetupVkey)
    }

    /// CoreExecute yields a shard. The answer's second half is whether more come.
    pub(crate) fn shard(&mut self) -> (Next, bool) {
        self.emitted += 1;
        self.proving += 1;
        (
            self.task(TaskKind::ProveShard),
            self.emitted < self.request.shards,
        )
    }

    /// A task is done.
    pub(crate) fn done(&mut self, kind: TaskKind, next: &mut Vec<Next>) {
        match kind {
            TaskKind::SetupVkey => {
                let execute = self.task(TaskKind::CoreExecute);
                next.push(execute);
            }
            TaskKind::CoreExecute => {
                self.executed = true;
                self.join(next);
            }
            TaskKind::ProveShard => {
                self.proving -= 1;
                self.loose += 1;
                self.join(next);
            }
            TaskKind::RecursionReduce => {
                self.reducing -= 1;
                self.loose += 1;
                self.join(next);
            }
            TaskKind::ShrinkWrap => {
                let wrap = match self.request.mode {
                    Mode::Plonk => TaskKind::PlonkWrap,
                    _ => TaskKind::Groth16Wrap,
                };
                let wrap = self.task(wrap);
                next.push(wrap);
            }
            _ => next.push(Next::Done),
        }
    }

    /// Joins what is there, as many as go into one, and the rest when no more come.
    fn join(&mut self, next: &mut Vec<Next>) {
        let last = self.executed && self.proving == 0;
        if self.request.mode == Mode::Core {
            if last {
                next.push(Next::Done);
            }
            return;
        }
        while self.loose >= ARITY || (last && self.loose > 1 && self.reducing == 0) {
            self.loose -= self.loose.min(ARITY);
            self.reducing += 1;
            let reduce = self.task(TaskKind::RecursionReduce);
            next.push(reduce);
        }
        if last && self.reducing == 0 && self.loose == 1 {
            self.loose = 0;
            let end = match self.request.mode {
                Mode::Groth16 | Mode::Plonk => self.task(TaskKind::ShrinkWrap),
                Mode::Core | Mode::Compressed => Next::Done,
            };
            next.push(end);
        }
    }
}
