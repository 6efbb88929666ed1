//! What has become of the tasks.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::sync::Notify;

/// Longest delay that is told apart, in microseconds: a minute.
const LONGEST: u64 = 60_000_000;

/// Counts of tasks, and the delays of those that count.
#[derive(Debug)]
pub struct Tally {
    inner: Mutex<Inner>,
    task_millis: AtomicU64,
    ended: Notify,
}

#[derive(Debug)]
struct Inner {
    counts: Counts,
    delays: Histogram<u64>,
    /// By how much the generator itself was late.
    late: Histogram<u64>,
    /// Tasks that count and are not delivered yet, by when they were due.
    waiting: BTreeMap<String, Instant>,
}

/// How many tasks, since the fleet connected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Sent to the server.
    pub created: u64,
    /// Given to a worker; more than once counts each time.
    pub delivered: u64,
    /// Reported done, as far as the server has answered.
    pub done: u64,
    /// Calls that failed.
    pub refused: u64,
}

/// A histogram of microseconds, up to a minute.
pub fn histogram() -> Histogram<u64> {
    // The bounds are fixed and make sense.
    Histogram::new_with_bounds(1, LONGEST, 3).unwrap_or_else(|_| unreachable!())
}

impl Tally {
    pub(super) fn new(task_time: Duration) -> Self {
        let this = Self {
            inner: Mutex::new(Inner {
                counts: Counts::default(),
                delays: histogram(),
                late: histogram(),
                waiting: BTreeMap::new(),
            }),
            task_millis: AtomicU64::new(0),
            ended: Notify::new(),
        };
        this.set_task_time(task_time);
        this
    }

    /// How long tasks run that are given to workers from now on.
    pub(super) fn set_task_time(&self, task_time: Duration) {
        let millis = u64::try_from(task_time.as_millis()).unwrap_or(u64::MAX);
        self.task_millis.store(millis, Ordering::Relaxed);
    }

    pub(super) fn task_time(&self) -> Duration {
        Duration::from_millis(self.task_millis.load(Ordering::Relaxed))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn created(&self, due: Option<Instant>) {
        let mut inner = self.lock();
        inner.counts.created += 1;
        if let Some(due) = due {
            record(&mut inner.late, due.elapsed());
            inner.waiting.insert(crate::stamp::write(Some(due)), due);
        }
    }

    /// A worker was given the task of that stamp.
    pub(super) fn delivered(&self, stamp: &str) {
        let age = crate::stamp::age(stamp);
        let mut inner = self.lock();
        inner.counts.delivered += 1;
        if let Some(age) = age
            && inner.waiting.remove(stamp).is_some()
        {
            record(&mut inner.delays, age);
        }
    }

    pub(super) fn done(&self, count: u64) {
        self.lock().counts.done += count;
        self.ended.notify_one();
    }

    pub(super) fn refused(&self) {
        self.lock().counts.refused += 1;
        self.ended.notify_one();
    }

    /// Waits until a task was reported done, or a call failed, since this was last asked.
    pub(crate) async fn any_ended(&self) {
        self.ended.notified().await;
    }

    /// The counts now.
    pub fn counts(&self) -> Counts {
        self.lock().counts
    }

    /// How many tasks that count are not delivered yet.
    pub fn waiting(&self) -> usize {
        self.lock().waiting.len()
    }

    /// The delays and the generator's own lateness, in microseconds, since this was last asked. What still waits counts with the time that it has waited.
    pub fn take(&self) -> Taken {
        let mut inner = self.lock();
        let lost = std::mem::take(&mut inner.waiting);
        for due in lost.values() {
            record(&mut inner.delays, due.elapsed());
        }
        Taken {
            undelivered: lost.len(),
            delays: std::mem::replace(&mut inner.delays, histogram()),
            late: std::mem::replace(&mut inner.late, histogram()),
        }
    }
}

/// What [`Tally::take`] yields.
#[derive(Debug)]
pub struct Taken {
    /// Tasks that were never delivered.
    pub undelivered: usize,
    /// From due to delivered.
    pub delays: Histogram<u64>,
    /// From due to sent.
    pub late: Histogram<u64>,
}

fn record(histogram: &mut Histogram<u64>, time: Duration) {
    let micros = u64::try_from(time.as_micros()).unwrap_or(LONGEST);
    histogram.saturating_record(micros.clamp(1, LONGEST));
}
