//! A store whose intermediate artifacts stay in this process: for a load of many tasks on the coordinator, not on the store.

use bytes::Bytes;
use futures::future::BoxFuture;
use provost_artifacts::{Kind, ListedObject, MemoryStore, ObjectInfo, Store, StoreError};

/// Keeps what tasks hand to each other here, and all else in `shared`. The tasks of a proof have to run in one process.
pub(crate) struct LocalArtifacts<S> {
    own: MemoryStore,
    shared: S,
}

impl<S: Store> LocalArtifacts<S> {
    pub(crate) fn new(shared: S) -> Self {
        let own = MemoryStore::new();
        Self { own, shared }
    }

    fn of(&self, kind: Kind) -> &dyn Store {
        match kind {
            Kind::Artifact => &self.own,
            Kind::Program | Kind::Stdin | Kind::PrivateStdin | Kind::Proof | Kind::Owner => {
                &self.shared
            }
        }
    }
}

impl<S: Store> Store for LocalArtifacts<S> {
    fn put<'a>(
        &'a self,
        kind: Kind,
        id: &'a str,
        bytes: Bytes,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        self.of(kind).put(kind, id, bytes)
    }

    fn get<'a>(&'a self, kind: Kind, id: &'a str) -> BoxFuture<'a, Result<Bytes, StoreError>> {
        self.of(kind).get(kind, id)
    }

    fn head<'a>(
        &'a self,
        kind: Kind,
        id: &'a str,
    ) -> BoxFuture<'a, Result<Option<ObjectInfo>, StoreError>> {
        self.of(kind).head(kind, id)
    }

    fn delete<'a>(&'a self, kind: Kind, id: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        self.of(kind).delete(kind, id)
    }

    fn delete_many<'a>(
        &'a self,
        kind: Kind,
        ids: &'a [String],
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        self.of(kind).delete_many(kind, ids)
    }

    fn list(&self, kind: Kind) -> BoxFuture<'_, Result<Vec<ListedObject>, StoreError>> {
        self.of(kind).list(kind)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[tokio::test]
    async fn only_what_is_finished_is_shared() {
        let store = LocalArtifacts::new(MemoryStore::new());
        for kind in [Kind::Artifact, Kind::Proof] {
            store
                .put(kind, "a", Bytes::from_static(b"x"))
                .await
                .unwrap();
            assert_eq!(store.get(kind, "a").await.unwrap(), "x");
        }
        assert!(store.shared.list(Kind::Artifact).await.unwrap().is_empty());
        assert_eq!(store.shared.list(Kind::Proof).await.unwrap().len(), 1);
    }
}
