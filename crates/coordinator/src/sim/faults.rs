//! What goes wrong, and when.

use super::rng::Rng;
use super::world::REPLICAS;
use crate::Millis;

/// One fault. Numbers pick among what there is.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    BreakStream(usize, usize),
    /// With the time after which the operator sees that the pod is gone, if it does.
    KillWorker(usize, Option<Millis>),
    BreakStock(usize),
    KillStock(usize, Option<Millis>),
    /// Nothing passes for that long.
    Freeze(usize, Millis),
    KillLeader {
        /// A worker that dies with it.
        worker: Option<(usize, Option<Millis>)>,
    },
    KillReplica(usize),
    /// It is told to go, and ends after that long.
    Drain(usize, Millis, Option<Millis>),
    /// The leader loses the Lease without knowing.
    LoseLease,
    /// The API server answers nobody for that long: nothing is stored, and nobody takes the Lease.
    ApiAway(Millis),
    Cancel(usize),
    /// A person wants a task to be run again.
    Recall(usize),
}

/// Faults with the times after which they come.
pub(super) fn plan(rng: &mut Rng) -> Vec<(Millis, Fault)> {
    let count = rng.range(0, 7);
    (0..count)
        .map(|_| (rng.range(50, 15_000), one(rng)))
        .collect()
}

fn one(rng: &mut Rng) -> Fault {
    let w = rng.pick(64);
    let seen = |rng: &mut Rng| rng.chance(80).then(|| rng.range(0, 1_500));
    match rng.range(0, 100) {
        0..15 => Fault::BreakStream(w, rng.pick(REPLICAS)),
        15..19 => Fault::BreakStock(w),
        19..23 => Fault::KillStock(w, seen(rng)),
        23..30 => Fault::Recall(w),
        30..40 => Fault::KillWorker(w, seen(rng)),
        40..45 => Fault::Drain(w, rng.range(0, 6_000), seen(rng)),
        45..53 => Fault::Freeze(w, rng.range(1_000, 14_000)),
        53..75 => Fault::KillLeader { worker: None },
        75..83 => Fault::KillLeader {
            worker: Some((w, seen(rng))),
        },
        83..88 => Fault::KillReplica(rng.pick(REPLICAS)),
        88..93 => Fault::LoseLease,
        93..98 => Fault::ApiAway(rng.range(200, 20_000)),
        _ => Fault::Cancel(w),
    }
}
