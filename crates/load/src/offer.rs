//! One measurement.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::fleet::{Counts, Fleet};
use crate::pace;

/// What is offered to the server.
#[derive(Debug, Clone, Copy)]
pub struct Offer {
    /// Tasks created a second.
    pub per_second: u32,
    /// Time before anything counts.
    pub warm_up: Duration,
    /// Time that counts.
    pub lasts: Duration,
    /// How long tasks that are not delivered are waited for at the end.
    pub patience: Duration,
}

/// What came of it.
#[derive(Debug)]
pub struct Sample {
    /// Tasks that were delivered a second, while it lasted.
    pub per_second: f64,
    /// Tasks that were delivered, those of the warm-up included.
    pub tasks: u64,
    /// Tasks that were not delivered in time, and calls that failed.
    pub undelivered: usize,
    /// Calls that failed.
    pub refused: u64,
    /// From due to delivered, in microseconds.
    pub delays: Histogram<u64>,
    /// From due to sent, in microseconds: the generator's own share of the delays.
    pub late: Histogram<u64>,
}

/// As much as the server can take.
#[derive(Debug, Clone, Copy)]
pub struct Saturation {
    /// Tasks that are under way at any time, from their creation to their result.
    pub window: u64,
    /// Time before anything counts.
    pub warm_up: Duration,
    /// Time that counts.
    pub lasts: Duration,
    /// How long tasks that are not delivered are waited for at the end.
    pub patience: Duration,
}

/// Offers load to the fleet's server and waits for its end. `first` is the number of the first task: all tasks of a fleet need different ones.
///
/// # Errors
/// There is no thread to be had.
pub async fn offer(fleet: &Fleet, offer: Offer, first: u64) -> anyhow::Result<(Sample, u64)> {
    let mut due = pace::start(offer.per_second, offer.warm_up, offer.lasts)?;
    let before = fleet.tally().counts();
    let mut counted: Option<(Instant, Counts)> = None;
    let mut number = first;
    while let Some(task) = due.recv().await {
        if task.counts && counted.is_none() {
            counted = Some((Instant::now(), fleet.tally().counts()));
        }
        fleet.create(number, task.counts.then_some(task.at));
        number += 1;
    }
    let counted = counted.unwrap_or((Instant::now(), before));
    let sample = end(fleet, before, counted, offer.patience).await;
    Ok((sample, number))
}

/// Keeps so many tasks under way that the server is never without: a closed loop. `first` is as for [`offer`].
pub async fn saturate(fleet: &Fleet, load: Saturation, first: u64) -> (Sample, u64) {
    let tally = fleet.tally();
    let (began, before) = (Instant::now(), tally.counts());
    let mut counted: Option<(Instant, Counts)> = None;
    let mut number = first;
    while began.elapsed() < load.warm_up + load.lasts {
        if counted.is_none() && began.elapsed() >= load.warm_up {
            counted = Some((Instant::now(), tally.counts()));
        }
        let now = tally.counts();
        let ended = now.done + now.refused - before.done - before.refused;
        while number - first < ended + load.window {
            fleet.create(number, counted.map(|_| Instant::now()));
            number += 1;
        }
        // A server that answers nothing ends the loop all the same.
        let _ = tokio::time::timeout(load.patience, tally.any_ended()).await;
    }
    let counted = counted.unwrap_or((began, before));
    (end(fleet, before, counted, load.patience).await, number)
}

/// Nothing more is created: waits for what is on its way. `counted` is since when tasks count, and how many there had been.
async fn end(
    fleet: &Fleet,
    before: Counts,
    counted: (Instant, Counts),
    patience: Duration,
) -> Sample {
    let (since, at_start) = counted;
    let delivered = fleet.tally().counts().delivered - at_start.delivered;
    let per_second = delivered as f64 / since.elapsed().as_secs_f64().max(f64::EPSILON);
    let ended = Instant::now();
    while fleet.tally().waiting() > 0 && ended.elapsed() < patience {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let (taken, after) = (fleet.tally().take(), fleet.tally().counts());
    Sample {
        per_second,
        tasks: after.delivered - before.delivered,
        undelivered: taken.undelivered,
        refused: after.refused - before.refused,
        delays: taken.delays,
        late: taken.late,
    }
}
