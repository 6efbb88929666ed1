//! Who holds which input. Pure.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// Holders of inputs, by id.
#[derive(Debug, Default)]
pub(super) struct Holders {
    requests: HashMap<String, HashSet<String>>,
    /// Times (milliseconds) of uploads that no request has named yet.
    uploads: HashMap<String, Vec<i64>>,
    /// Time (milliseconds) until which uploads may be about to be named that only an earlier leader knew of.
    blind_until: i64,
}

impl Holders {
    /// Uploads from before `now` are not known here, and are kept for `ttl`.
    pub(super) fn begin(&mut self, now: i64, ttl: Duration) {
        self.blind_until = now.saturating_add(millis(ttl));
    }

    /// Whether there may be uploads that are not known here.
    pub(super) fn blind(&self, now: i64) -> bool {
        now < self.blind_until
    }

    /// A client uploaded `id` at `now`: it is about to name it.
    pub(super) fn uploaded(&mut self, id: &str, now: i64) {
        self.uploads.entry(id.to_owned()).or_default().push(now);
    }

    /// The request `holder` needs `id`, of which it has the bytes itself: no upload was for it. Tells whether that is new.
    pub(super) fn keep(&mut self, id: &str, holder: &str) -> bool {
        let holders = self.requests.entry(id.to_owned()).or_default();
        holders.insert(holder.to_owned())
    }

    /// The request `holder` names `id`. When it is new, it uses up one upload, the oldest, of `latest` or earlier: a client uploads
    /// first and creates the request then.
    pub(super) fn hold(&mut self, id: &str, holder: &str, latest: i64) {
        let fresh = self.keep(id, holder);
        let Some(times) = self.uploads.get_mut(id).filter(|_| fresh) else {
            return;
        };
        if times.first().is_some_and(|time| *time <= latest) {
            times.remove(0);
        }
        if times.is_empty() {
            self.uploads.remove(id);
        }
    }

    /// Forgets the uploads that are older than `ttl`.
    pub(super) fn expire(&mut self, now: i64, ttl: Duration) {
        let oldest = now.saturating_sub(millis(ttl));
        self.uploads.retain(|_, times| {
            times.retain(|time| *time >= oldest);
            !times.is_empty()
        });
    }

    /// Whether anybody but `holder` holds `id`.
    pub(super) fn held_by_others(&self, id: &str, holder: &str) -> bool {
        self.uploads.contains_key(id)
            || self
                .requests
                .get(id)
                .is_some_and(|holders| holders.iter().any(|other| other != holder))
    }

    /// The request `holder` is gone.
    pub(super) fn release(&mut self, holder: &str) {
        self.requests.retain(|_, holders| {
            holders.remove(holder);
            !holders.is_empty()
        });
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_secs(1);

    #[test]
    fn the_last_holder_frees() {
        let mut holders = Holders::default();
        holders.hold("p", "a", 1000);
        holders.hold("p", "b", 1000);
        assert!(holders.held_by_others("p", "a"));
        holders.release("b");
        assert!(!holders.held_by_others("p", "a"));
    }

    #[test]
    fn an_upload_counts_until_it_is_named_or_old() {
        let mut holders = Holders::default();
        holders.uploaded("p", 0);
        holders.uploaded("p", 500);
        holders.hold("p", "a", 1000);
        holders.hold("p", "a", 1000);
        holders.expire(1000, TTL);
        assert!(holders.held_by_others("p", "a"));
        holders.expire(1501, TTL);
        assert!(!holders.held_by_others("p", "a"));
    }

    #[test]
    fn an_upload_after_the_request_was_made_is_not_its_own() {
        let mut holders = Holders::default();
        holders.uploaded("p", 500);
        holders.hold("p", "a", 499);
        assert!(holders.held_by_others("p", "a"));
        holders.release("a");
        holders.hold("p", "b", 500);
        assert!(!holders.held_by_others("p", "b"));
    }

    #[test]
    fn who_has_the_bytes_uses_up_no_upload() {
        let mut holders = Holders::default();
        holders.uploaded("p", 500);
        assert!(holders.keep("p", "a"));
        assert!(!holders.keep("p", "a"));
        holders.hold("p", "a", 1000);
        assert!(holders.held_by_others("p", "a"));
    }

    #[test]
    fn uploads_of_an_earlier_leader_are_unknown_until_they_are_old() {
        let mut holders = Holders::default();
        assert!(!holders.blind(0));
        holders.begin(500, TTL);
        assert!(holders.blind(500) && holders.blind(1499));
        assert!(!holders.blind(1500));
    }
}
