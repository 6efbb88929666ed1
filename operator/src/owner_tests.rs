#![allow(clippy::unwrap_used)]

use std::collections::HashSet;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use provost_artifacts::MemoryStore;

use super::*;

/// A store whose every answer, and every request, is one step.
struct Steps(MemoryStore);

/// Pending once.
async fn step() {
    let mut waited = false;
    std::future::poll_fn(|_| match std::mem::replace(&mut waited, true) {
        false => Poll::Pending,
        true => Poll::Ready(()),
    })
    .await
}

/// A claim under way.
type Claim<'a> = Pin<Box<dyn Future<Output = Result<(), OwnerError>> + 'a>>;

type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

fn in_steps<'a, T: Send + 'a>(work: Answer<'a, T>) -> Answer<'a, T> {
    Box::pin(async move {
        step().await;
        let result = work.await;
        step().await;
        result
    })
}

impl Store for Steps {
    fn put<'a>(&'a self, kind: Kind, id: &'a str, bytes: bytes::Bytes) -> Answer<'a, ()> {
        // What the real one does in one go, and not when it is asked.
        in_steps(Box::pin(async move { self.0.put(kind, id, bytes).await }))
    }

    fn list(&self, kind: Kind) -> Answer<'_, Vec<ListedObject>> {
        in_steps(Box::pin(async move { self.0.list(kind).await }))
    }

    fn delete<'a>(&'a self, kind: Kind, id: &'a str) -> Answer<'a, ()> {
        in_steps(Box::pin(async move { self.0.delete(kind, id).await }))
    }

    fn get<'a>(&'a self, kind: Kind, id: &'a str) -> Answer<'a, bytes::Bytes> {
        self.0.get(kind, id)
    }

    fn head<'a>(
        &'a self,
        kind: Kind,
        id: &'a str,
    ) -> Answer<'a, Option<provost_artifacts::ObjectInfo>> {
        self.0.head(kind, id)
    }

    fn delete_many<'a>(&'a self, kind: Kind, ids: &'a [String]) -> Answer<'a, ()> {
        self.0.delete_many(kind, ids)
    }
}

async fn marks(store: &dyn Store) -> Vec<String> {
    let found = store.list(Kind::Owner).await.unwrap();
    found.into_iter().map(|mark| mark.id).collect()
}

#[tokio::test]
async fn the_first_has_the_store_and_keeps_it() {
    let store = MemoryStore::new();
    for _ in 0..2 {
        claim(&store, "one").await.unwrap();
        let refused = claim(&store, "two").await.unwrap_err();
        assert!(matches!(&refused, OwnerError::Others(id) if id == "one"));
        let text = refused.to_string();
        assert!(text.contains("owners/one") && text.contains("PROVOST_STORE_BUCKET"));
    }
    assert_eq!(marks(&store).await, ["one"]);
    // People hand it over.
    store.delete(Kind::Owner, "one").await.unwrap();
    claim(&store, "two").await.unwrap();
    assert!(claim(&store, "one").await.is_err());
}

#[tokio::test]
async fn an_attempt_that_was_cut_short_takes_nothing_from_who_was_first() {
    let store = MemoryStore::new();
    for id in ["one", "two"] {
        store.put(Kind::Owner, id, TEXT.into()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    claim(&store, "one").await.unwrap();
    assert!(claim(&store, "two").await.is_err());
    assert_eq!(marks(&store).await, ["one"]);
}

#[tokio::test]
async fn a_store_that_is_away_belongs_to_nobody_yet() {
    let store = MemoryStore::new();
    store.set_available(false);
    let error = claim(&store, "one").await.unwrap_err();
    assert_eq!(error.reason(), "StoreUnavailable");
}

proptest::proptest! {
    /// Three clusters begin again until each has an answer, or is killed in between and begins again, in any order of their steps.
    #[test]
    fn never_two_have_the_store(turns in proptest::collection::vec((0..3usize, 0..12u8), 1..200)) {
        let store = Steps(MemoryStore::new());
        let ids = ["a", "b", "c"];
        let mut context = Context::from_waker(Waker::noop());
        let mut claims: [Option<Claim<'_>>; 3] = [None, None, None];
        let mut owners = HashSet::new();
        for (who, what) in turns {
            if what == 0 {
                // Killed.
                claims[who] = None;
                continue;
            }
            let running = claims[who].get_or_insert_with(|| Box::pin(claim(&store, ids[who])));
            if let Poll::Ready(result) = running.as_mut().poll(&mut context) {
                claims[who] = None;
                match result {
                    Ok(()) => { owners.insert(who); }
                    // One that had it never loses it.
                    Err(OwnerError::Others(_)) => proptest::prop_assert!(!owners.contains(&who)),
                    Err(_) => {}
                }
            }
            proptest::prop_assert!(owners.len() <= 1, "{owners:?}");
        }
    }
}
