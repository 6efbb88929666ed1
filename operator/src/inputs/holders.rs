//! Who holds which input. Pure.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// Holders of inputs, by id.
#[derive(Debug, Default)]
pub(super) struct Holders {
    requests: HashMap<String, HashSet<String>>,
    /// Times (milliseconds) of uploads that no request has named yet.
    uploads: HashMap<String, Vec<i64>>,
}

impl Holders {
    /// A client uploaded `id` at `now`: it is about to name it.
    pub(super) fn uploaded(&mut self, id: &str, now: i64) {
        self.uploads.entry(id.to_owned()).or_default().push(now);
    }

    /// The request `holder` names `id`. When it is new, it uses up one upload, the oldest, of `latest` or earlier: a client uploads
    /// first and creates the request then.
    pub(super) fn hold(&mut self, id: &str, holder: &str, latest: i64) {
        let fresh = self
            .requests
            .entry(id.to_owned())
            .or_default()
            .insert(holder.to_owned());
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

    /// Whether anybody but `holder` holds `id`. Uploads older than `ttl` no longer count.
    pub(super) fn held_by_others(
        &mut self,
        id: &str,
        holder: &str,
        now: i64,
        ttl: Duration,
    ) -> bool {
        let oldest = now.saturating_sub(i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX));
        self.uploads.retain(|_, times| {
            times.retain(|time| *time >= oldest);
            !times.is_empty()
        });
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

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_secs(1);

    #[test]
    fn the_last_holder_frees() {
        let mut holders = Holders::default();
        holders.hold("p", "a", 1000);
        holders.hold("p", "b", 1000);
        assert!(holders.held_by_others("p", "a", 0, TTL));
        holders.release("b");
        assert!(!holders.held_by_others("p", "a", 0, TTL));
    }

    #[test]
    fn an_upload_counts_until_it_is_named_or_old() {
        let mut holders = Holders::default();
        holders.uploaded("p", 0);
        holders.uploaded("p", 500);
        holders.hold("p", "a", 1000);
        holders.hold("p", "a", 1000);
        assert!(holders.held_by_others("p", "a", 1000, TTL));
        assert!(!holders.held_by_others("p", "a", 1501, TTL));
    }

    #[test]
    fn an_upload_after_the_request_was_made_is_not_its_own() {
        let mut holders = Holders::default();
        holders.uploaded("p", 500);
        holders.hold("p", "a", 499);
        assert!(holders.held_by_others("p", "a", 500, TTL));
        holders.release("a");
        holders.hold("p", "b", 500);
        assert!(!holders.held_by_others("p", "b", 500, TTL));
    }
}
