//! The faults of a process, and how often each has struck.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use provost_proto::worker::TaskType;
use serde::Serialize;

use super::{Call, Fault, FaultError, Point, StoreOp};
use crate::random::Random;

/// A place that was reached.
#[derive(Debug, Clone, Copy)]
pub enum Site {
    /// A point of a task of this type.
    Task(TaskType, Point),
    /// A call to the coordinator.
    Call(Call),
    /// An operation of the store, for a task of this type.
    Store(TaskType, StoreOp),
}

/// A fault and how it fared.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FaultView {
    /// Its number.
    pub id: u64,
    /// How often its place was reached.
    pub matched: u64,
    /// How often it struck.
    pub struck: u64,
    /// What it is.
    pub fault: Fault,
}

/// All faults of a process. Clones share them.
#[derive(Debug, Clone)]
pub struct Faults {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// Spares the lock while there is nothing to look up.
    any: AtomicBool,
    rules: Mutex<Rules>,
}

#[derive(Debug)]
struct Rules {
    list: Vec<FaultView>,
    last_id: u64,
    random: Random,
}

impl Faults {
    /// No faults; chances are drawn from `seed`.
    pub fn new(seed: u64) -> Self {
        let rules = Rules {
            list: Vec::new(),
            last_id: 0,
            random: Random::named(seed, "faults"),
        };
        Self {
            inner: Arc::new(Inner {
                any: AtomicBool::new(false),
                rules: Mutex::new(rules),
            }),
        }
    }

    /// Adds a fault, and answers its number.
    pub fn add(&self, fault: Fault) -> Result<u64, FaultError> {
        fault.check()?;
        let mut rules = self.lock();
        rules.last_id += 1;
        let id = rules.last_id;
        rules.list.push(FaultView {
            id,
            matched: 0,
            struck: 0,
            fault,
        });
        self.inner.any.store(true, Ordering::Release);
        Ok(id)
    }

    /// Removes all faults.
    pub fn clear(&self) {
        self.lock().list.clear();
        self.inner.any.store(false, Ordering::Release);
    }

    /// All faults.
    pub fn list(&self) -> Vec<FaultView> {
        self.lock().list.clone()
    }

    /// How often all faults together have struck.
    pub fn struck(&self) -> u64 {
        self.lock().list.iter().map(|view| view.struck).sum()
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        !self.inner.any.load(Ordering::Acquire)
    }

    /// A worker reached a place: the faults that strike there now.
    pub(crate) fn reach(&self, worker: &str, site: Site) -> Vec<Fault> {
        if self.is_empty() {
            return Vec::new();
        }
        let mut rules = self.lock();
        let rules = &mut *rules;
        let mut striking = Vec::new();
        for view in &mut rules.list {
            if fits(&view.fault, worker, site) && strikes(view, &mut rules.random) {
                striking.push(view.fault.clone());
            }
        }
        if !striking.is_empty() {
            tracing::info!(worker, ?site, faults = ?striking.iter().map(|f| f.action).collect::<Vec<_>>(), "faults strike");
        }
        striking
    }

    // Nothing panics while it holds the lock.
    fn lock(&self) -> MutexGuard<'_, Rules> {
        let rules = self.inner.rules.lock();
        rules.unwrap_or_else(PoisonError::into_inner)
    }
}

fn fits(fault: &Fault, worker: &str, site: Site) -> bool {
    if fault.worker.as_ref().is_some_and(|name| name != worker) {
        return false;
    }
    let of = |kind: TaskType| {
        let task = fault.task.as_ref();
        task.is_none_or(|task| task == kind.as_str_name())
    };
    match site {
        Site::Task(kind, point) => fault.at == Some(point) && of(kind),
        Site::Call(call) => fault.call.is_some_and(|c| c == call || c == Call::Any),
        Site::Store(kind, op) => {
            let fits = fault.op.is_some_and(|o| o == op || o == StoreOp::Any);
            fits && of(kind)
        }
    }
}

fn strikes(view: &mut FaultView, random: &mut Random) -> bool {
    view.matched += 1;
    if view.struck >= view.fault.limit() || view.matched < view.fault.nth.unwrap_or(1) {
        return false;
    }
    if view.fault.probability.is_some_and(|p| random.unit() >= p) {
        return false;
    }
    view.struck += 1;
    true
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::faults::Action;

    const PROVE: TaskType = TaskType::ProveShard;

    fn pattern(fault: Fault, n: usize) -> String {
        let faults = Faults::new(1);
        faults.add(fault).unwrap();
        let site = Site::Task(PROVE, Point::Running);
        (0..n)
            .map(|_| match faults.reach("w", site).len() {
                0 => '.',
                _ => 'x',
            })
            .collect()
    }

    #[test]
    fn they_strike_when_they_are_told_to() {
        let fail = || Fault::at(Action::Fail, Point::Running, PROVE);
        assert_eq!(pattern(fail(), 4), "x...");
        assert_eq!(pattern(fail().nth(3, 2), 6), "..xx..");
        let many = pattern(fail().by_chance(0.5), 1000);
        let struck = many.matches('x').count();
        assert!((400..600).contains(&struck), "{struck}");
        let limited = Fault {
            times: Some(3),
            ..fail().by_chance(0.9)
        };
        assert_eq!(pattern(limited, 100).matches('x').count(), 3);
        assert_eq!(pattern(fail().in_worker("other"), 3), "...");
    }

    #[test]
    fn a_fault_of_calls_strikes_at_each() {
        let faults = Faults::new(1);
        let lose = Fault::of_call(Action::LoseReply, Call::Any);
        faults.add(lose).unwrap();
        for call in [Call::Listen, Call::Create, Call::Create] {
            assert_eq!(faults.reach("w", Site::Call(call)).len(), 1);
        }
        let get = Site::Store(PROVE, StoreOp::Get);
        assert!(faults.reach("w", get).is_empty());
        assert_eq!(faults.struck(), 3);
        faults.clear();
        assert!(faults.reach("w", Site::Call(Call::Listen)).is_empty());
    }

    #[test]
    fn a_fault_of_the_store_may_be_one_tasks_type() {
        let faults = Faults::new(1);
        let full = Fault {
            task: Some(PROVE.as_str_name().to_owned()),
            ..Fault::of_store(Action::Full, StoreOp::Put)
        };
        faults.add(full).unwrap();
        let strikes = |kind| faults.reach("w", Site::Store(kind, StoreOp::Put)).len();
        assert_eq!((strikes(TaskType::CoreExecute), strikes(PROVE)), (0, 1));
    }
}
