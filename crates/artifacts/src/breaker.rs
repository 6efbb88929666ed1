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

/// How long the store may be silent before it is asked whether it is there.
const SILENCE: Duration = Duration::from_secs(10);

/// How long a probe is waited for before another goes: by then a store that says nothing is found out.
const PROBE: Duration = Duration::from_secs(30);

/// A store whose callers learn at once that it is away, once one has waited for it in vain: of those that come after that, one at a time
/// goes through and finds out whether it is back. Who waits already while nothing is heard is told as well, however long its call might take.
///
/// Who calls has little to lose by an error, and something else to do: a controller that has a few requests at a time and many that need no store.
#[derive(Debug)]
pub struct Breaker<S> {
    store: S,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// When the store last answered anything.
    heard_at: Option<Instant>,
    /// Set while it is away.
    open: Option<Open>,
}

/// The store was away when it was last asked.
#[derive(Debug)]
struct Open {
    error: StoreError,
    failed_at: Instant,
    /// When the call went through that finds out.
    probed_at: Option<Instant>,
}

impl<S: Store> Breaker<S> {
    /// In front of `store`.
    pub fn new(store: S) -> Self {
        let state = Mutex::default();
        Self { store, state }
    }

    async fn through<T>(
        &self,
        call: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let (began, _probe) = self.enter()?;
        let result = tokio::select! {
            result = call => result,
            error = self.silent(began) => Err(error),
        };
        match &result {
            Err(error @ StoreError::Unavailable { .. }) => self.fails(began, error),
            // Whatever it says, it answers.
            _ => self.answers(),
        }
        result
    }

    /// Lets the caller through, or says why not.
    fn enter(&self) -> Result<(Instant, Probe<'_, S>), StoreError> {
        let now = Instant::now();
        let mut state = self.state();
        let mut probe = Probe(None);
        if let Some(open) = &mut state.open {
            let probed = open.probed_at.is_some_and(|at| now - at < PROBE);
            if probed || now - open.failed_at < PAUSE {
                return Err(open.error.clone());
            }
            open.probed_at = Some(now);
            probe = Probe(Some((self, now)));
        }
        Ok((now, probe))
    }

    /// Ends once nothing is heard for a while, not even an answer to the smallest question. A call that carries much may take its time.
    async fn silent(&self, began: Instant) -> StoreError {
        let mut since = began;
        loop {
            tokio::time::sleep_until(since + SILENCE).await;
            let heard = self.state().heard_at.filter(|at| *at > since);
            since = match heard {
                Some(at) => at,
                None => match self.store.head(Kind::Owner, "silent").await {
                    Err(error @ StoreError::Unavailable { .. }) => return error,
                    // It lives. Whether it does more than that the calls find out.
                    _ => Instant::now(),
                },
            };
        }
    }

    fn answers(&self) {
        *self.state() = State {
            heard_at: Some(Instant::now()),
            open: None,
        };
    }

    /// A call that `began` then failed. It may have been at it for long, while others had their answers, and have them yet.
    fn fails(&self, began: Instant, error: &StoreError) {
        let mut state = self.state();
        let others = state.heard_at.filter(|at| *at > began);
        if others.is_some_and(|at| at.elapsed() < SILENCE) {
            return;
        }
        state.open = Some(Open {
            error: error.clone(),
            failed_at: Instant::now(),
            probed_at: state.open.as_ref().and_then(|open| open.probed_at),
        });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The call that goes through, and since when. It may be given up by who made it.
struct Probe<'a, S: Store>(Option<(&'a Breaker<S>, Instant)>);

impl<S: Store> Drop for Probe<'_, S> {
    fn drop(&mut self) {
        let Some((breaker, began)) = self.0 else {
            return;
        };
        if let Some(open) = &mut breaker.state().open {
            // Another may have taken its place.
            open.probed_at = open.probed_at.filter(|at| *at != began);
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
        breaker.through(after(seconds, Err(away()))).await
    }

    async fn after<T>(seconds: u64, result: T) -> T {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        result
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_what_another_waited_for_in_vain() {
        let breaker = breaker();
        let start = Instant::now();
        let seconds = |seconds| Duration::from_secs(seconds);
        let together = [fails(&breaker, 9), fails(&breaker, 9)];
        for result in futures::future::join_all(together).await {
            result.unwrap_err();
        }
        assert_eq!(start.elapsed(), seconds(9));
        // At once, and without asking.
        for _ in 0..100 {
            assert_eq!(fails(&breaker, 9).await, Err(away()));
        }
        assert_eq!(start.elapsed(), seconds(9));
        // One finds out, the others do not wait for that.
        tokio::time::advance(PAUSE).await;
        let probe = tokio::spawn({
            let breaker = breaker.clone();
            async move { fails(&breaker, 9).await }
        });
        tokio::task::yield_now().await;
        tokio::time::advance(seconds(1)).await;
        breaker.head(Kind::Proof, "p").await.unwrap_err();
        assert_eq!(start.elapsed(), seconds(11));
        probe.await.unwrap().unwrap_err();
        assert_eq!(start.elapsed(), seconds(19));
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
    async fn a_probe_that_is_given_up_or_takes_long_makes_room_for_the_next() {
        let breaker = breaker();
        fails(&breaker, 0).await.unwrap_err();
        tokio::time::advance(PAUSE).await;
        let given_up = tokio::time::timeout(Duration::from_secs(1), fails(&breaker, 100));
        given_up.await.unwrap_err();
        breaker.head(Kind::Proof, "p").await.unwrap();

        fails(&breaker, 0).await.unwrap_err();
        tokio::time::advance(PAUSE).await;
        let long = breaker.through(after(3600, Ok(7)));
        let other = async {
            tokio::time::sleep(PROBE / 2).await;
            breaker.head(Kind::Proof, "p").await.unwrap_err();
            tokio::time::sleep(PROBE / 2).await;
            breaker.head(Kind::Proof, "p").await.unwrap();
        };
        // And goes on.
        assert_eq!(tokio::join!(long, other).0, Ok(7));
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_that_took_long_counts_for_nothing_if_others_were_answered() {
        let breaker = breaker();
        let late = fails(&breaker, 5);
        let other = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            breaker.head(Kind::Proof, "p").await.unwrap();
        };
        tokio::join!(late, other).0.unwrap_err();
        breaker.head(Kind::Proof, "p").await.unwrap();

        // Nothing has been heard for long.
        let late = fails(&breaker, 25);
        let other = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            breaker.head(Kind::Proof, "p").await.unwrap();
        };
        tokio::join!(late, other).0.unwrap_err();
        breaker.head(Kind::Proof, "p").await.unwrap_err();
    }

    /// Answers what is small and nothing else.
    #[tokio::test(start_paused = true)]
    async fn a_store_that_lives_and_does_nothing_is_away_too() {
        let breaker = breaker();
        fails(&breaker, 100).await.unwrap_err();
        breaker.head(Kind::Proof, "p").await.unwrap_err();
    }

    /// Says nothing at all.
    struct Silent;

    fn silent<'a, T: Send + 'a>() -> BoxFuture<'a, Result<T, StoreError>> {
        after(20, Err(away())).boxed()
    }

    impl Store for Silent {
        fn put<'a>(
            &'a self,
            _: Kind,
            _: &'a str,
            _: Bytes,
        ) -> BoxFuture<'a, Result<(), StoreError>> {
            after(3600, Err(away())).boxed()
        }

        fn get<'a>(&'a self, _: Kind, _: &'a str) -> BoxFuture<'a, Result<Bytes, StoreError>> {
            silent()
        }

        fn head<'a>(
            &'a self,
            _: Kind,
            _: &'a str,
        ) -> BoxFuture<'a, Result<Option<ObjectInfo>, StoreError>> {
            silent()
        }

        fn delete<'a>(&'a self, _: Kind, _: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
            silent()
        }

        fn delete_many<'a>(
            &'a self,
            _: Kind,
            _: &'a [String],
        ) -> BoxFuture<'a, Result<(), StoreError>> {
            silent()
        }

        fn list(&self, _: Kind) -> BoxFuture<'_, Result<Vec<ListedObject>, StoreError>> {
            silent()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_may_take_long_does_not_wait_long_for_silence() {
        let breaker = Breaker::new(Silent);
        let start = Instant::now();
        let put = breaker.put(Kind::Proof, "p", Bytes::new());
        assert_eq!(put.await, Err(away()));
        assert_eq!(start.elapsed(), SILENCE + Duration::from_secs(20));
    }
}
