//! A store in this process, for a coordinator without a cluster and for tests.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt as _, ready};

use crate::{Kind, ListedObject, ObjectInfo, Store, StoreError, digest, id};

/// Objects in memory. Can be switched off, to see what a store that is away does to its users.
#[derive(Debug, Default)]
pub struct MemoryStore {
    objects: Mutex<Objects>,
    away: AtomicBool,
}

type Objects = BTreeMap<(Kind, String), Object>;

#[derive(Debug)]
struct Object {
    bytes: Bytes,
    modified: SystemTime,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether requests are answered; if not, they fail at once as [`StoreError::Unavailable`].
    pub fn set_available(&self, available: bool) {
        self.away.store(!available, Ordering::Relaxed);
    }

    fn objects(&self) -> Result<MutexGuard<'_, Objects>, StoreError> {
        if self.away.load(Ordering::Relaxed) {
            return Err(StoreError::Unavailable {
                store: "memory".to_owned(),
                detail: "switched off".to_owned(),
            });
        }
        Ok(self.objects.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn remove(&self, kind: Kind, ids: &[&str]) -> Result<(), StoreError> {
        let mut objects = self.objects()?;
        for id in ids {
            objects.remove(&at(kind, id)?);
        }
        Ok(())
    }
}

fn at(kind: Kind, id: &str) -> Result<(Kind, String), StoreError> {
    if id::is_valid(id) {
        Ok((kind, id.to_owned()))
    } else {
        Err(StoreError::InvalidId { id: id.to_owned() })
    }
}

impl Store for MemoryStore {
    fn put<'a>(
        &'a self,
        kind: Kind,
        id: &'a str,
        bytes: Bytes,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let put = || {
            let object = Object {
                bytes,
                modified: SystemTime::now(),
            };
            self.objects()?.insert(at(kind, id)?, object);
            Ok(())
        };
        ready(put()).boxed()
    }

    fn get<'a>(&'a self, kind: Kind, id: &'a str) -> BoxFuture<'a, Result<Bytes, StoreError>> {
        let get = || match self.objects()?.get(&at(kind, id)?) {
            Some(object) => Ok(object.bytes.clone()),
            None => Err(StoreError::NotFound { key: kind.key(id) }),
        };
        ready(get()).boxed()
    }

    fn head<'a>(
        &'a self,
        kind: Kind,
        id: &'a str,
    ) -> BoxFuture<'a, Result<Option<ObjectInfo>, StoreError>> {
        let head = || {
            let objects = self.objects()?;
            Ok(objects.get(&at(kind, id)?).map(|object| ObjectInfo {
                size: object.bytes.len() as u64,
                sha256: Some(digest::hex(&digest::sha256(&object.bytes))),
            }))
        };
        ready(head()).boxed()
    }

    fn delete<'a>(&'a self, kind: Kind, id: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        ready(self.remove(kind, &[id])).boxed()
    }

    fn delete_many<'a>(
        &'a self,
        kind: Kind,
        ids: &'a [String],
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        ready(self.remove(kind, &ids)).boxed()
    }

    fn list(&self, kind: Kind) -> BoxFuture<'_, Result<Vec<ListedObject>, StoreError>> {
        let list = || {
            let objects = self.objects()?;
            let of_kind = objects.iter().filter(|((of, _), _)| *of == kind);
            Ok(of_kind
                .map(|((_, id), object)| ListedObject {
                    id: id.clone(),
                    size: object.bytes.len() as u64,
                    modified: object.modified,
                })
                .collect())
        };
        ready(list()).boxed()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[tokio::test]
    async fn keeps_kinds_apart_and_can_be_away() {
        let store = MemoryStore::new();
        store
            .put(Kind::Stdin, "a", Bytes::from_static(b"one"))
            .await
            .unwrap();
        store
            .put(Kind::Proof, "a", Bytes::from_static(b"two"))
            .await
            .unwrap();
        assert_eq!(store.get(Kind::Stdin, "a").await.unwrap(), "one");
        assert_eq!(store.list(Kind::Proof).await.unwrap().len(), 1);
        assert_eq!(store.head(Kind::Program, "a").await.unwrap(), None);
        assert!(matches!(
            store.get(Kind::Stdin, "../a").await,
            Err(StoreError::InvalidId { .. })
        ));

        store.set_available(false);
        assert_eq!(
            store.get(Kind::Stdin, "a").await.unwrap_err().reason(),
            "StoreUnavailable"
        );
        store.set_available(true);

        store
            .delete_many(Kind::Stdin, &["a".to_owned(), "b".to_owned()])
            .await
            .unwrap();
        assert_eq!(
            store.get(Kind::Stdin, "a").await.unwrap_err().reason(),
            "ArtifactNotFound"
        );
    }
}
