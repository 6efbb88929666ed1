//! Who led when: each version of the Lease, as the API server tells it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt as _;
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use kube::runtime::watcher::{self, Event, watcher};

use crate::promises::LEASE;

/// What is seen of the Lease, one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// It was written.
    Written(Version),
    /// It was deleted, or something of it was not seen.
    Gap,
}

/// A version of the Lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Who holds it; `None` once it was given back.
    pub holder: Option<String>,
    /// The epoch.
    pub epoch: i32,
    /// When the term began, by its leader's clock.
    pub acquired: Option<Timestamp>,
    /// When it was renewed last, by its leader's clock.
    pub renewed: Option<Timestamp>,
    /// When that was seen here.
    pub seen: Timestamp,
}

impl Version {
    fn of(lease: Lease) -> Self {
        let spec = lease.spec.unwrap_or_default();
        Self {
            holder: spec.holder_identity.filter(|holder| !holder.is_empty()),
            epoch: spec.lease_transitions.unwrap_or_default(),
            acquired: spec.acquire_time.map(|time| time.0),
            renewed: spec.renew_time.map(|time| time.0),
            seen: Timestamp::now(),
        }
    }
}

/// Watches the Lease until it is dropped.
#[derive(Debug)]
pub struct Terms {
    seen: Arc<Mutex<Vec<Seen>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Terms {
    /// Watches the Lease `name`.
    pub fn watch(leases: Api<Lease>, name: &str) -> Self {
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
        let into = seen.clone();
        let task = tokio::spawn(async move {
            let mut events = std::pin::pin!(watcher(leases, config));
            while let Some(event) = events.next().await {
                let new = match event {
                    Ok(Event::Apply(lease) | Event::InitApply(lease)) => {
                        Seen::Written(Version::of(lease))
                    }
                    Ok(Event::Delete(_) | Event::Init) => Seen::Gap,
                    Ok(Event::InitDone) => continue,
                    Err(_) => {
                        tokio::time::sleep(Duration::from_millis(200)).await;
                        continue;
                    }
                };
                lock(&into).push(new);
            }
        });
        Self { seen, task }
    }

    /// The first version of a term after `epoch`, and the one right before it; `None` if it was not seen yet, or not what was before it.
    pub fn change_after(&self, epoch: i32) -> Option<(Version, Version)> {
        let seen = lock(&self.seen);
        let pairs = seen.windows(2).filter_map(written);
        let mut changes =
            pairs.filter(|(before, next)| before.epoch <= epoch && next.epoch > epoch);
        changes
            .next()
            .map(|(before, next)| (before.clone(), next.clone()))
    }

    /// What is wrong with how the Lease changed hands: epochs rise, and nobody takes what another holds. `clocks` tells whether the
    /// replicas' clocks are right; else only what was seen here counts.
    pub fn wrong(&self, clocks: bool) -> Option<String> {
        wrong(&lock(&self.seen), clocks)
    }
}

impl Drop for Terms {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock(seen: &Mutex<Vec<Seen>>) -> std::sync::MutexGuard<'_, Vec<Seen>> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

fn written(pair: &[Seen]) -> Option<(&Version, &Version)> {
    match pair {
        [Seen::Written(before), Seen::Written(next)] => Some((before, next)),
        _ => None,
    }
}

fn wrong(seen: &[Seen], clocks: bool) -> Option<String> {
    let mut highest = 0;
    for version in seen.iter().filter_map(|seen| match seen {
        Seen::Written(version) => Some(version),
        Seen::Gap => None,
    }) {
        if version.epoch < highest {
            return Some(format!("epoch {} follows {highest}", version.epoch));
        }
        highest = version.epoch;
    }
    let mut changes = seen.windows(2).filter_map(written);
    let wrong = changes.find(|(before, next)| next.holder.is_some() && !fair(before, next, clocks));
    wrong.map(|(before, next)| format!("the Lease was taken before its time: {before:?}, {next:?}"))
}

/// Whether `next` may follow: its holder renews its own term, or begins a later one with a Lease that is its own, was given back or has run out.
fn fair(before: &Version, next: &Version, clocks: bool) -> bool {
    let same = before.holder == next.holder;
    if next.epoch == before.epoch {
        return same;
    }
    let (span, least) = match clocks {
        true => (before.renewed.zip(next.acquired), LEASE),
        // One of the two may be seen late.
        false => (Some((before.seen, next.seen)), LEASE / 2),
    };
    let least = jiff::SignedDuration::try_from(least).unwrap();
    let over = span.is_some_and(|(from, to)| to.duration_since(from) >= least);
    same || before.holder.is_none() || over
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64, holder: &str, epoch: i32) -> Seen {
        let time = Timestamp::from_second(second).ok();
        Seen::Written(Version {
            holder: (!holder.is_empty()).then(|| holder.to_owned()),
            epoch,
            acquired: time,
            renewed: time,
            seen: time.unwrap(),
        })
    }

    fn at_hour(hour: i64) -> Option<Timestamp> {
        Timestamp::from_second(hour * 3600).ok()
    }

    #[test]
    fn a_lease_is_taken_when_it_was_given_back_or_has_run_out() {
        let given_back = [at(1, "a", 1), at(1, "", 1), at(2, "b", 2)];
        let run_out = [at(1, "a", 1), at(2, "a", 1), at(5, "b", 2)];
        let begun_anew = [at(1, "a", 1), at(2, "a", 2)];
        let deleted = [at(1, "a", 1), Seen::Gap, at(2, "b", 2)];
        for seen in [&given_back[..], &run_out, &begun_anew, &deleted] {
            assert_eq!(wrong(seen, true), None);
        }
    }

    #[test]
    fn a_lease_that_holds_is_not_taken() {
        let too_soon = [at(1, "a", 1), at(3, "b", 2)];
        assert!(wrong(&too_soon, true).is_some());
        assert_eq!(wrong(&too_soon, false), None, "one was seen late");
        let [_, mut ahead] = too_soon.clone();
        if let Seen::Written(version) = &mut ahead {
            (version.acquired, version.seen) = (at_hour(1), Timestamp::from_second(2).unwrap());
        }
        let stolen = [at(1, "a", 1), ahead];
        assert_eq!(wrong(&stolen, true), None, "by a clock that is wrong");
        assert!(wrong(&stolen, false).is_some());
        assert!(wrong(&[at(1, "a", 1), at(9, "b", 1)], true).is_some());
        assert!(wrong(&[at(1, "a", 2), Seen::Gap, at(9, "b", 1)], true).is_some());
    }
}
