//! A store that is away is not waited for by everybody: a circuit breaker.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::time::Instant;

use crate::{Kind, ListedObject, ObjectInfo, Store, StoreError};

/// Time between a failure and the next probe.
const PAUSE: Duration = Duration::from_secs(1);

/// A store whose callers learn at once that it is away, once one has waited for it in vain: of those that come after that, one at a time
/// goes through and finds out whether it is back.
///
/// Who calls has little to lose by an error, and something else to do: a controller that has a few requests at a time and many that need no store.
#[derive(Debug)]
pub struct Breaker<S> {
    store: S,
    open: Mutex<Option<Open>>,
}

/// The store was away when it was last asked.
#[derive(Debug)]
struct Open {
    error: StoreError,
    failed_at: Instant,
    probed: bool,
}

impl<S: Store> Breaker<S> {
    /// In front of `store`.
    pub const fn new(store: S) -> Self {
        let open = Mutex::new(None);
        Self { store, open }
    }

    async fn through<T>(
        &self,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let _probe = self.enter()?;
        let result = call.await;
        match &result {
            Err(error @ StoreError::Unavailable { .. }) => self.fails(error.clone()),
            // Whatever it says, it answers.
            _ => *self.open() = None,
        }
        result
    }

    /// Lets the caller through, or says why not.
    fn enter(&self) -> Result<Option<Probe<'_, S>>, StoreError> {
        let mut open = self.open();
        let Some(open) = open.as_mut() else {
            return Ok(None);
        };
        if open.probed || open.failed_at.elapsed() < PAUSE {
            return Err(open.error.clone());
        }
        open.probed = true;
        Ok(Some(Probe(self)))
    }

    fn fails(&self, error: StoreError) {
        let mut open = self.open();
        let probed = open.as_ref().is_some_and(|open| open.probed);
        *open = Some(Open {
            error,
            failed_at: Instant::now(),
            probed,
        });
    }

    fn open(&self) -> MutexGuard<'_, Option<Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The one call that goes through. It may be given up by who made it.
struct Probe<'a, S: Store>(&'a Breaker<S>);

impl<S: Store> Drop for Probe<'_, S> {
    fn drop(&mut self) {
        if let Some(open) = self.0.open().as_mut() {
            open.probed = false;
        }
    }
}

impl<S: Store> Store for Breaker<S> {
    fn put<'a>(
        &'a self,
        kind: Kind,
        id: &'a str,
        bytes: Bytes,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        self.through(self.store.put(kind, id, bytes)).boxed()
    }

    fn get<'a>(&'a self, kind: Kind, id: &'a str) -> BoxFuture<'a, Result<Bytes, StoreError>> {
        self.through(self.store.get(kind, id)).boxed()
    }

    fn head<'a>(
        &'a self,
        kind: Kind,
        id: &'a str,
    ) -> BoxFuture<'a, Result<Option<ObjectInfo>, StoreError>> {
        self.through(self.store.head(kind, id)).boxed()
    }

    fn delete<'a>(&'a self, kind: Kind, id: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        self.through(self.store.delete(kind, id)).boxed()
    }

    fn delete_many<'a>(
        &'a self,
        kind: Kind,
        ids: &'a [String],
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        self.through(self.store.delete_many(kind, ids)).boxed()
    }

    fn list(&self, kind: Kind) -> BoxFuture<'_, Result<Vec<ListedObject>, StoreError>> {
        self.through(self.store.list(kind)).boxed()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use super::*;
    use crate::MemoryStore;

    fn away() -> StoreError {
        StoreError::Unavailable {
            store: "s".into(),
            detail: "nobody there".into(),
        }
    }

    fn breaker() -> Arc<Breaker<MemoryStore>> {
        Arc::new(Breaker::new(MemoryStore::new()))
    }

    /// Takes so many seconds.
    async fn fails(breaker: &Breaker<MemoryStore>, seconds: u64) -> Result<(), StoreError> {
        let call = async {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            Err(away())
        };
        breaker.through(call).await
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_what_another_waited_for_in_vain() {
        let breaker = breaker();
        let start = Instant::now();
        let together = [fails(&breaker, 10), fails(&breaker, 10)];
        for result in futures::future::join_all(together).await {
            result.unwrap_err();
        }
        assert_eq!(start.elapsed(), Duration::from_secs(10));
        // At once, and without asking.
        for _ in 0..100 {
            assert_eq!(fails(&breaker, 10).await, Err(away()));
        }
        assert_eq!(start.elapsed(), Duration::from_secs(10));
        // One finds out, the others do not wait for that.
        tokio::time::advance(PAUSE).await;
        let probe = tokio::spawn({
            let breaker = breaker.clone();
            async move { fails(&breaker, 10).await }
        });
        tokio::task::yield_now().await;
        tokio::time::advance(Duration::from_secs(1)).await;
        breaker.head(Kind::Proof, "p").await.unwrap_err();
        assert_eq!(start.elapsed(), Duration::from_secs(12));
        probe.await.unwrap().unwrap_err();
        assert_eq!(start.elapsed(), Duration::from_secs(21));
    }

    #[tokio::test(start_paused = true)]
    async fn it_closes_when_the_store_answers() {
        let breaker = breaker();
        fails(&breaker, 0).await.unwrap_err();
        breaker.head(Kind::Proof, "p").await.unwrap_err();
        tokio::time::advance(PAUSE).await;
        // An answer is an answer, though it is not a good one.
        let missing = breaker.get(Kind::Proof, "p").await.unwrap_err();
        assert!(matches!(missing, StoreError::NotFound { .. }));
        breaker.head(Kind::Proof, "p").await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_is_given_up_makes_room_for_the_next() {
        let breaker = breaker();
        fails(&breaker, 0).await.unwrap_err();
        tokio::time::advance(PAUSE).await;
        let probe = fails(&breaker, 100);
        tokio::time::timeout(Duration::from_secs(1), probe)
            .await
            .unwrap_err();
        breaker.head(Kind::Proof, "p").await.unwrap();
    }
}
