//! What this process knows of the pools besides what the caches show: pods that it has just created or deleted, workers to be
//! replaced, failures to back off from.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use provost_coordinator::GpuPools;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::backoff::Backoff;
use super::gpus;
use super::quarantine::Quarantine;
use super::suspects::Suspects;
use crate::pods::book::Ended;
use crate::pods::classify::Crash;

/// How long a pod that was created or deleted may be missing from the cache, or linger there, before the cache is believed.
const CACHE_LAG: Duration = Duration::from_secs(30);

/// The fleet.
#[derive(Debug, Default)]
pub struct Fleet {
    inner: Mutex<Inner>,
    changed: Notify,
}

/// How long a worker gets no tasks for a roll-out at most: what it waits for may be what it is kept from.
const LONGEST_HOLD: Duration = Duration::from_secs(1800);

/// How a roll-out stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// How long it has waited for an idle worker.
    pub lasted: Duration,
    /// The pod that gets no more tasks.
    pub held: Option<String>,
    /// Whether that is to end.
    pub too_long: bool,
}

/// The last worker of a pool that crashed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastCrash {
    /// Why.
    pub crash: Crash,
    /// Its pod, and what happened, for people.
    pub message: String,
}

/// A roll-out.
#[derive(Debug)]
struct RollOut {
    /// Since when it has waited for an idle worker.
    since: Instant,
    /// The pod that gets no more tasks for it, and since when.
    held: Option<(String, Instant)>,
}

#[derive(Debug, Default)]
struct Inner {
    pools: HashMap<String, Pool>,
    /// Pods that were deleted, and when.
    deleted: HashMap<String, Instant>,
    /// Pods whose worker is to be replaced.
    recycle: HashSet<String>,
    /// What lost workers were at.
    suspects: Suspects,
    /// The GPUs of the pools that ask for some.
    gpus: BTreeMap<String, GpuPools>,
}

/// What is known of one pool.
#[derive(Debug, Default)]
struct Pool {
    /// It was looked at: it is not just the name on a pod.
    looked_at: bool,
    /// The pods that were created and are not in the cache yet, and when they were.
    created: HashMap<String, Instant>,
    backoff: Backoff,
    quarantine: Quarantine,
    /// The roll-out that goes on.
    roll_out: Option<RollOut>,
    /// The last worker that crashed.
    crash: Option<LastCrash>,
    /// What happened to workers and was not told yet.
    news: Vec<Ended>,
}

impl Inner {
    fn pool(&mut self, name: &str) -> &mut Pool {
        self.pools.entry(name.to_owned()).or_default()
    }
}

impl Fleet {
    /// Something changed: all pools are looked at again.
    pub fn changed(&self) {
        self.changed.notify_one();
    }

    /// Waits until something changed.
    pub async fn wait(&self) {
        self.changed.notified().await;
    }

    /// A pool is looked at.
    pub fn knows(&self, pool: &str) {
        self.inner().pool(pool).looked_at = true;
    }

    /// The pools that were looked at, or whose GPUs are counted, and are not forgotten.
    pub fn pools(&self) -> BTreeSet<String> {
        let inner = self.inner();
        let known = inner.pools.iter().filter(|(_, pool)| pool.looked_at);
        let known = known.map(|(name, _)| name);
        known.chain(inner.gpus.keys()).cloned().collect()
    }

    /// A worker failed at `now` (milliseconds of the clock that [`Fleet::backoff`] goes by), which is `wall` for people.
    pub fn failed(&self, ended: &Ended, now: i64, wall: Timestamp) {
        let mut inner = self.inner();
        let pool = inner.pool(&ended.pool);
        pool.backoff.failed(now);
        if let Some(crash) = ended.end.crash {
            let message = format!("{}: {}", ended.pod, ended.end.message);
            pool.crash = Some(LastCrash { crash, message });
            if let Some(node) = &ended.node {
                let why = &ended.end.message;
                pool.quarantine.failed(node, &ended.pod, why, wall);
            }
        }
        pool.news.push(ended.clone());
    }

    /// What is left of the back-off of `pool` at `now` (milliseconds).
    pub fn backoff(&self, pool: &str, now: i64) -> Duration {
        self.inner().pool(pool).backoff.wait(now)
    }

    /// Uses what is known of the nodes on which workers of `pool` failed, and of what lost workers were at.
    pub fn with_quarantine<T>(
        &self,
        pool: &str,
        work: impl FnOnce(&mut Quarantine, &Suspects) -> T,
    ) -> T {
        let Inner {
            pools, suspects, ..
        } = &mut *self.inner();
        let pool = pools.entry(pool.to_owned()).or_default();
        work(&mut pool.quarantine, suspects)
    }

    /// Notes what is known of lost workers: see [`Suspects`].
    pub fn suspect(&self, note: impl FnOnce(&mut Suspects)) {
        note(&mut self.inner().suspects);
        self.changed();
    }

    /// The last worker of `pool` that crashed, until that is forgotten.
    pub fn last_crash(&self, pool: &str) -> Option<LastCrash> {
        self.inner().pool(pool).crash.clone()
    }

    /// Whatever made workers of `pool` crash is over.
    pub fn forget_crash(&self, pool: &str) {
        self.inner().pool(pool).crash = None;
    }

    /// Failures of the workers of `pool` that were not taken yet.
    pub fn take_news(&self, pool: &str) -> Vec<Ended> {
        std::mem::take(&mut self.inner().pool(pool).news)
    }

    /// The worker in `pod` is to be replaced.
    pub fn recycle(&self, pod: &str) {
        self.inner().recycle.insert(pod.to_owned());
        self.changed();
    }

    /// Whether the worker in `pod` is to be replaced.
    pub fn to_recycle(&self, pod: &str) -> bool {
        self.inner().recycle.contains(pod)
    }

    /// `pod` was created for `pool`.
    pub fn created(&self, pool: &str, pod: &str) {
        let now = Instant::now();
        self.inner().pool(pool).created.insert(pod.to_owned(), now);
    }

    /// `pod` was not created after all.
    pub fn not_created(&self, pool: &str, pod: &str) {
        self.inner().pool(pool).created.remove(pod);
    }

    /// `pod` was deleted.
    pub fn deleted(&self, pod: &str) {
        self.inner().deleted.insert(pod.to_owned(), Instant::now());
    }

    /// Whether `pod` was deleted, though the cache may still show it.
    pub fn is_deleted(&self, pod: &str) -> bool {
        self.inner()
            .deleted
            .get(pod)
            .is_some_and(|at| at.elapsed() < CACHE_LAG)
    }

    /// Pods of `pool` that were created and are not among those that the cache shows.
    pub fn unseen(&self, pool: &str, cached: &HashSet<String>) -> Vec<String> {
        let mut inner = self.inner();
        inner.deleted.retain(|_, at| at.elapsed() < CACHE_LAG);
        let created = &mut inner.pool(pool).created;
        created.retain(|pod, at| !cached.contains(pod) && at.elapsed() < CACHE_LAG);
        let mut names: Vec<String> = created.keys().cloned().collect();
        names.sort();
        names
    }

    /// How the roll-out of `pool` stands, which has outdated workers.
    pub fn roll_out(&self, pool: &str) -> Waiting {
        let mut inner = self.inner();
        let roll_out = inner.pool(pool).roll_out.get_or_insert_with(|| RollOut {
            since: Instant::now(),
            held: None,
        });
        let held = roll_out.held.as_ref();
        Waiting {
            lasted: roll_out.since.elapsed(),
            held: held.map(|(pod, _)| pod.clone()),
            too_long: held.is_some_and(|(_, at)| at.elapsed() >= LONGEST_HOLD),
        }
    }

    /// `pool` has no outdated workers any more. Tells who got no more tasks.
    pub fn end_roll_out(&self, pool: &str) -> Option<String> {
        let ended = self.inner().pool(pool).roll_out.take();
        ended?.held.map(|(pod, _)| pod)
    }

    /// `pod` of `pool` gets no more tasks from now on for the roll-out that goes on, and no other one.
    pub fn hold(&self, pool: &str, pod: Option<String>) {
        if let Some(roll_out) = &mut self.inner().pool(pool).roll_out {
            roll_out.held = pod.map(|pod| (pod, Instant::now()));
        }
    }

    /// The roll-out of `pool` waits anew for an idle worker.
    pub fn wait_anew(&self, pool: &str) {
        if let Some(roll_out) = &mut self.inner().pool(pool).roll_out {
            roll_out.since = Instant::now();
        }
    }

    /// Forgets what was to be done with pods that are gone.
    pub fn forget_pods(&self, exists: impl Fn(&str) -> bool) {
        self.inner().recycle.retain(|pod| exists(pod));
    }

    /// `pool` means to have these GPUs, or none; `tell` learns what all pools mean to have, and the last to learn it is told the latest.
    pub fn gpus(&self, pool: &str, gpus: Option<GpuPools>, tell: impl FnOnce(GpuPools)) {
        let mut inner = self.inner();
        match gpus {
            Some(gpus) => inner.gpus.insert(pool.to_owned(), gpus),
            None => inner.gpus.remove(pool),
        };
        tell(gpus::together(&inner.gpus));
    }

    /// The pool is gone.
    pub fn forget_pool(&self, pool: &str) {
        self.inner().pools.remove(pool);
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::pods::classify::{End, Ending};

    fn ended(pod: &str, message: &str) -> Ended {
        Ended {
            pod: pod.to_owned(),
            pool: "p".to_owned(),
            node: None,
            end: End {
                ending: Ending::Orderly,
                crash: Some(Crash::Device),
                message: message.to_owned(),
            },
        }
    }

    #[tokio::test(start_paused = true)]
    async fn created_pods_count_until_the_cache_shows_them() {
        let fleet = Fleet::default();
        fleet.created("p", "p-a");
        fleet.created("p", "p-b");
        assert_eq!(
            fleet.unseen("p", &HashSet::from(["p-a".to_owned()])),
            ["p-b"]
        );
        assert!(fleet.unseen("q", &HashSet::new()).is_empty());
        tokio::time::advance(CACHE_LAG).await;
        assert!(fleet.unseen("p", &HashSet::new()).is_empty());
    }

    #[test]
    fn the_last_crash_is_known_until_it_is_forgotten() {
        let fleet = Fleet::default();
        let mut ended = ended("p-a", "no CUDA device");
        fleet.failed(&ended, 0, Timestamp::UNIX_EPOCH);
        let last = LastCrash {
            crash: Crash::Device,
            message: "p-a: no CUDA device".to_owned(),
        };
        assert_eq!(fleet.last_crash("p"), Some(last.clone()));
        // One that was deleted says nothing of what is wrong.
        ended.end.crash = None;
        ended.pod = "p-b".to_owned();
        fleet.failed(&ended, 1, Timestamp::UNIX_EPOCH);
        // To ask changes nothing.
        assert_eq!(fleet.last_crash("p"), Some(last));
        assert_eq!(fleet.last_crash("q"), None);
        fleet.forget_crash("p");
        assert_eq!(fleet.last_crash("p"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_roll_out_holds_a_worker_for_so_long_and_then_waits_anew() {
        let fleet = Fleet::default();
        let stands = |lasted, held: Option<&str>, too_long| {
            let held = held.map(str::to_owned);
            let waiting = Waiting {
                lasted,
                held,
                too_long,
            };
            assert_eq!(fleet.roll_out("p"), waiting);
        };
        stands(Duration::ZERO, None, false);
        tokio::time::advance(CACHE_LAG).await;
        fleet.hold("p", Some("p-a".to_owned()));
        stands(CACHE_LAG, Some("p-a"), false);
        tokio::time::advance(LONGEST_HOLD).await;
        stands(CACHE_LAG + LONGEST_HOLD, Some("p-a"), true);
        fleet.wait_anew("p");
        fleet.hold("p", None);
        stands(Duration::ZERO, None, false);
        fleet.hold("p", Some("p-b".to_owned()));
        assert_eq!(fleet.end_roll_out("p").as_deref(), Some("p-b"));
        fleet.hold("p", Some("p-b".to_owned()));
        stands(Duration::ZERO, None, false);
    }

    #[test]
    fn a_pool_whose_gpus_are_counted_is_known_though_only_a_leader_looks_at_pools() {
        let fleet = Fleet::default();
        let gpus = GpuPools {
            wanted: true,
            shards: None,
        };
        fleet.gpus("p", Some(gpus), |all| assert!(all.wanted));
        assert_eq!(fleet.pools(), BTreeSet::from(["p".to_owned()]));
        fleet.gpus("p", None, |all| assert!(!all.wanted));
        assert!(fleet.pools().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn deleted_pods_are_left_out_until_the_cache_follows() {
        let fleet = Fleet::default();
        fleet.deleted("p-a");
        assert!(fleet.is_deleted("p-a") && !fleet.is_deleted("p-b"));
        tokio::time::advance(CACHE_LAG).await;
        assert!(!fleet.is_deleted("p-a"));
    }
}
