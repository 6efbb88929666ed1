//! Decides which pods of a pool to create and to delete. Pure: time and what is known are arguments.

use std::time::Duration;

/// A pod of the pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodView {
    /// Its name.
    pub name: String,
    /// Where it is in its life.
    pub phase: Phase,
    /// What its worker is at.
    pub work: Work,
    /// Whether its worker takes tasks in all roles of its class.
    pub complete: bool,
    /// Whether it was built from another template than the pool's present one.
    pub outdated: bool,
    /// Creation time, for "newest first"; any monotonic number.
    pub created: i64,
}

/// What a worker is at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Work {
    /// Nothing.
    #[default]
    None,
    /// Tasks that were called off, and that it has not stopped.
    CalledOff,
    /// Tasks that somebody waits for.
    Tasks,
    /// No tasks, but a proof that goes on has some that it made: see [`provost_coordinator::WorkerView::made_tasks`].
    Made,
    /// Tasks that a whole proof begins again with, or tasks besides what it made.
    Roots,
}

impl Work {
    /// Whether there is something that ends in time if it is given some.
    fn runs(self) -> bool {
        matches!(self, Self::Tasks | Self::Roots)
    }
}

/// Where a pod is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Created, not ready yet.
    Starting,
    /// Takes tasks.
    Ready,
    /// Its worker asked, or was found, to be replaced.
    Recycle,
    /// Its worker has ended; only the object is left.
    Ended,
    /// Being deleted.
    Leaving,
}

/// What to do now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Number of pods to create.
    pub create: usize,
    /// Pods to delete.
    pub delete: Vec<Deletion>,
    /// When to look again, if nothing else happens before.
    pub again: Option<Duration>,
}

/// A pod to delete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deletion {
    /// Name of the pod.
    pub name: String,
    /// Grace in seconds where it differs from the pod's own.
    pub grace: Option<u32>,
}

/// Decides. `wait` is what is left of the back-off after failed workers: new pods are held back that long.
pub fn plan(desired: usize, pods: &[PodView], wait: Duration) -> Plan {
    let mut plan = Plan::default();
    for pod in pods {
        match pod.phase {
            Phase::Ended => plan.delete.push(Deletion {
                name: pod.name.clone(),
                grace: None,
            }),
            // It has nothing to end in peace, unless others' tasks run in it too.
            Phase::Recycle => plan.delete.push(Deletion {
                name: pod.name.clone(),
                grace: (!pod.work.runs()).then_some(1),
            }),
            Phase::Starting | Phase::Ready | Phase::Leaving => {}
        }
    }
    let mut live: Vec<&PodView> = pods.iter().filter(|p| is_live(p)).collect();
    if live.len() > desired {
        // Who is missed least goes first: idle before busy, those with a whole proof last; outdated, not ready, newest.
        live.sort_by_key(|p| {
            (
                p.work,
                !p.outdated,
                p.phase == Phase::Ready,
                std::cmp::Reverse(p.created),
            )
        });
        let surplus = live.len() - desired;
        plan.delete.extend(live.drain(..surplus).map(|p| Deletion {
            name: p.name.clone(),
            grace: None,
        }));
    } else if let Some(old) = replaceable(&live, desired) {
        plan.delete.push(Deletion {
            name: old.name.clone(),
            grace: None,
        });
        live.retain(|p| p.name != old.name);
    }
    let missing = desired.saturating_sub(live.len());
    if missing > 0 && wait.is_zero() {
        plan.create = missing;
    } else if missing > 0 {
        plan.again = Some(wait);
    }
    plan
}

/// The same where no pod can be made, for want of an image: what has ended or is too many goes, and nothing is replaced.
pub fn without_new(desired: usize, pods: &[PodView]) -> Plan {
    // All are outdated by that, and the last ones of their kind.
    Plan {
        create: 0,
        ..plan(desired, &kept(pods), Duration::ZERO)
    }
}

/// How many pods there are to be while workers of the last term have yet to say what they are at: none has to go for being too many.
pub fn while_unheard(desired: usize, pods: &[PodView]) -> usize {
    desired.max(pods.iter().filter(|p| is_live(p)).count())
}

/// The same pods, of which none has to go for its template.
pub fn kept(pods: &[PodView]) -> Vec<PodView> {
    let kept = pods.iter().map(|pod| PodView {
        outdated: false,
        ..pod.clone()
    });
    kept.collect()
}

/// The outdated pod that gets no more tasks until it can go, once a roll-out has had no idle worker for `lasted`, of which `patience` is enough;
/// `before` is the one until now. One at a time, where all others are there, and one of them can take what is still to come of its proofs.
pub fn held(
    desired: usize,
    pods: &[PodView],
    before: Option<&str>,
    (lasted, patience): (Duration, Duration),
) -> Option<String> {
    let live: Vec<&PodView> = pods.iter().filter(|p| is_live(p)).collect();
    if live.len() != desired || is_rolling(&live) {
        return None;
    }
    let ready = || live.iter().filter(|p| p.phase == Phase::Ready);
    let others = |name: &str| ready().any(|p| p.complete && p.name != name);
    let old = ready().filter(|p| p.outdated && others(&p.name));
    let still = old.clone().find(|p| Some(p.name.as_str()) == before);
    let next = || old.min_by_key(|p| (p.work, p.created));
    let held = still.or_else(|| next().filter(|_| lasted >= patience));
    held.map(|p| p.name.clone())
}

fn is_live(pod: &PodView) -> bool {
    matches!(pod.phase, Phase::Starting | Phase::Ready)
}

/// Whether a worker that took another's place is not there in full yet.
fn is_rolling(live: &[&PodView]) -> bool {
    let mut new = live.iter().filter(|p| !p.outdated);
    new.any(|p| p.phase == Phase::Starting || !p.complete)
}

/// An outdated pod that can go: one that does not start, or else one that is idle, where all others are there in full, so that a pool of many
/// keeps working during a roll-out, and one whose new workers fail or are refused keeps what it has.
fn replaceable<'a>(live: &[&'a PodView], desired: usize) -> Option<&'a PodView> {
    let mut idle = live
        .iter()
        .filter(|p| p.outdated && p.work == Work::None)
        .copied();
    let broken = idle.clone().find(|p| p.phase == Phase::Starting);
    let all_there = live.len() >= desired && !is_rolling(live);
    broken.or_else(|| idle.next().filter(|_| all_there))
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
