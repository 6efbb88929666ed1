//! The rules of the election. Pure: what was read of the Lease and the time come in, what to do comes out.
//!
//! As client-go does it: a Lease has expired when nobody was seen to renew it for its duration, on the clock of who looks. The
//! clocks of two machines are never compared.

use std::time::Duration;

/// Times of the election.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// How long a Lease holds after its last renewal.
    pub duration: Duration,
    /// Time between two renewals.
    pub renew: Duration,
    /// Time between two looks at another's Lease: one that is given back is taken no later than that.
    pub look: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            duration: Duration::from_secs(3),
            renew: Duration::from_millis(800),
            look: Duration::from_millis(250),
        }
    }
}

/// What a Lease says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Who holds it; `None` when it was released.
    pub holder: Option<String>,
    /// The epoch of its last acquisition.
    pub epoch: u64,
    /// Tells two renewals apart.
    pub version: String,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// There is no Lease: create it, with this epoch.
    Create {
        /// The epoch that begins.
        epoch: u64,
    },
    /// Take it over, with this epoch.
    Take {
        /// The epoch that begins.
        epoch: u64,
    },
    /// Renew it.
    Renew,
    /// Another holds it: look again after this time.
    Wait(Duration),
    /// Another has taken it: this term is over.
    Lost,
}

/// One candidate's view.
#[derive(Debug)]
pub struct Election {
    identity: String,
    timing: Timing,
    /// The last version that was seen, and since when.
    seen: Option<(String, Duration)>,
    /// The epoch that this candidate leads in, and when it began the write that last extended it.
    held: Option<(u64, Duration)>,
    /// The highest epoch that anybody was seen to lead in.
    highest: u64,
}

impl Election {
    /// A candidate. `identity` must be another for each process, a restart in place included.
    pub fn new(identity: String, timing: Timing) -> Self {
        Self {
            identity,
            timing,
            seen: None,
            held: None,
            highest: 0,
        }
    }

    /// Who this is.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// The epoch that this candidate leads in.
    pub fn epoch(&self) -> Option<u64> {
        self.held.map(|(epoch, _)| epoch)
    }

    /// Somebody was seen to lead in `epoch`: whatever comes next is above it, even if the Lease was deleted meanwhile.
    pub fn raise(&mut self, epoch: u64) {
        self.highest = self.highest.max(epoch);
    }

    /// Decides on what the API server says at `now`, a time since any fixed point.
    pub fn decide(&mut self, lease: Option<&Seen>, now: Duration) -> Step {
        let Some(lease) = lease else {
            // Deleted under the leader: it begins another term, since others may have seen the gap.
            self.held = None;
            return Step::Create {
                epoch: self.highest + 1,
            };
        };
        self.raise(lease.epoch);
        let ours = lease.holder.as_deref() == Some(self.identity.as_str());
        if ours && self.epoch() == Some(lease.epoch) && self.highest == lease.epoch {
            return Step::Renew;
        }
        if self.held.take().is_some() && !ours {
            return Step::Lost;
        }
        if ours || lease.holder.is_none() {
            // Our own write whose answer was lost, an epoch that was outdone elsewhere, or a Lease that was given back.
            return self.take();
        }
        let since = match &self.seen {
            Some((version, since)) if *version == lease.version => *since,
            _ => {
                self.seen = Some((lease.version.clone(), now));
                now
            }
        };
        let expires = since + self.timing.duration;
        if now >= expires {
            self.take()
        } else {
            Step::Wait((expires - now).min(self.timing.look))
        }
    }

    fn take(&self) -> Step {
        Step::Take {
            epoch: self.highest + 1,
        }
    }

    /// The write that was begun at `began` made or renewed a term in `epoch`.
    pub fn held(&mut self, epoch: u64, began: Duration) {
        self.raise(epoch);
        self.held = Some((epoch, began));
    }

    /// When others may take the Lease over. Until then this candidate is the only leader; from then on it may be only as long as
    /// the API server is away for everybody.
    pub fn deadline(&self) -> Option<Duration> {
        self.held.map(|(_, began)| began + self.timing.duration)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn candidate(name: &str) -> Election {
        Election::new(name.to_owned(), Timing::default())
    }

    fn lease(holder: Option<&str>, epoch: u64, version: u32) -> Seen {
        Seen {
            holder: holder.map(str::to_owned),
            epoch,
            version: version.to_string(),
        }
    }

    #[test]
    fn the_first_creates_and_renews() {
        let mut a = candidate("a");
        assert_eq!(a.decide(None, SECOND), Step::Create { epoch: 1 });
        a.held(1, SECOND);
        assert_eq!(
            a.decide(Some(&lease(Some("a"), 1, 1)), 2 * SECOND),
            Step::Renew
        );
        assert_eq!(a.deadline(), Some(4 * SECOND));
    }

    #[test]
    fn another_waits_until_no_renewal_was_seen_for_the_duration() {
        let mut b = candidate("b");
        let step =
            |b: &mut Election, version, at| b.decide(Some(&lease(Some("a"), 4, version)), at);
        assert!(matches!(step(&mut b, 1, 10 * SECOND), Step::Wait(_)));
        assert!(matches!(step(&mut b, 1, 12 * SECOND), Step::Wait(_)));
        // A renewal: the time counts anew.
        assert!(matches!(step(&mut b, 2, 13 * SECOND), Step::Wait(_)));
        assert!(matches!(step(&mut b, 2, 15 * SECOND), Step::Wait(_)));
        assert_eq!(step(&mut b, 2, 16 * SECOND), Step::Take { epoch: 5 });
    }

    #[test]
    fn one_that_was_given_back_is_taken_at_once() {
        let mut b = candidate("b");
        let step = b.decide(Some(&lease(None, 4, 1)), SECOND);
        assert_eq!(step, Step::Take { epoch: 5 });
    }

    #[test]
    fn a_leader_whose_lease_another_took_has_lost() {
        let mut a = candidate("a");
        a.held(4, SECOND);
        assert_eq!(
            a.decide(Some(&lease(Some("b"), 5, 2)), 9 * SECOND),
            Step::Lost
        );
        assert_eq!(a.epoch(), None);
        // And is a candidate like any other from then on.
        assert!(matches!(
            a.decide(Some(&lease(Some("b"), 5, 3)), 9 * SECOND),
            Step::Wait(_)
        ));
    }

    #[test]
    fn a_restart_in_place_is_another_term() {
        // The same pod, another process: its identity differs, so that it waits for its predecessor's Lease.
        let mut again = candidate("pod-2");
        let step = again.decide(Some(&lease(Some("pod-1"), 7, 1)), SECOND);
        assert!(matches!(step, Step::Wait(_)));
    }

    #[test]
    fn a_write_whose_answer_was_lost_ends_in_a_term_above_it() {
        let mut a = candidate("a");
        assert_eq!(
            a.decide(Some(&lease(Some("a"), 5, 2)), SECOND),
            Step::Take { epoch: 6 }
        );
    }

    #[test]
    fn a_deleted_lease_does_not_bring_old_epochs_back() {
        let mut a = candidate("a");
        a.held(8, SECOND);
        assert_eq!(a.decide(None, 2 * SECOND), Step::Create { epoch: 9 });
    }

    #[test]
    fn a_higher_epoch_that_a_worker_has_seen_is_outdone() {
        let mut a = candidate("a");
        a.held(2, SECOND);
        a.raise(6);
        assert_eq!(
            a.decide(Some(&lease(Some("a"), 2, 1)), 2 * SECOND),
            Step::Take { epoch: 7 }
        );
    }

    #[test]
    fn two_candidates_never_lead_in_the_same_epoch() {
        use proptest::prelude::*;
        // Reads and writes of three candidates in any order; a write succeeds only on the version that was read, and its answer
        // may be lost.
        let steps =
            prop::collection::vec((0..3usize, any::<bool>(), 0..4u64, any::<bool>()), 1..200);
        proptest!(|(steps in steps)| {
            let mut candidates: Vec<Election> = (0..3).map(|n| candidate(&n.to_string())).collect();
            let mut read: Vec<Option<Option<Seen>>> = vec![None; 3];
            let mut stored: Option<Seen> = None;
            let mut leaders = std::collections::BTreeMap::new();
            let (mut version, mut now) = (0, Duration::ZERO);
            for (who, writes, pass, answered) in steps {
                now += Duration::from_secs(pass);
                let Some(seen) = read[who].take().filter(|_| writes) else {
                    read[who] = Some(stored.clone());
                    continue;
                };
                let epoch = match candidates[who].decide(seen.as_ref(), now) {
                    Step::Create { epoch } | Step::Take { epoch } => epoch,
                    Step::Renew => candidates[who].epoch().unwrap_or_default(),
                    Step::Wait(_) | Step::Lost => continue,
                };
                if seen != stored {
                    continue;
                }
                version += 1;
                stored = Some(lease(Some(&who.to_string()), epoch, version));
                prop_assert_eq!(*leaders.entry(epoch).or_insert(who), who);
                if answered {
                    candidates[who].held(epoch, now);
                }
            }
        });
    }
}
