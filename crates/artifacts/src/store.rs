//! What Provost asks of a store.

use std::time::SystemTime;

use bytes::Bytes;
use futures::future::BoxFuture;

use crate::{Kind, StoreError};

/// What is known of an object without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Length of the stored bytes.
    pub size: u64,
    /// SHA-256 of the stored bytes in hex, where the writer or the server recorded it.
    pub sha256: Option<String>,
}

/// One object of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedObject {
    /// Its id, without the prefix of its kind.
    pub id: String,
    /// Length of the stored bytes.
    pub size: u64,
    /// When it was written, by the store's clock.
    pub modified: SystemTime,
}

/// A store of artifacts. Bytes go in and come out as they are at rest: see [`crate::codec`].
///
/// Implementations retry what may pass, for as long as they are configured to.
pub trait Store: Send + Sync + 'static {
    /// Writes an object, in place of one with the same id. When this returns the object survives a crash of the store.
    fn put<'a>(
        &'a self,
        kind: Kind,
        id: &'a str,
        bytes: Bytes,
    ) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Reads an object and verifies its length, and its checksum where one is recorded.
    fn get<'a>(&'a self, kind: Kind, id: &'a str) -> BoxFuture<'a, Result<Bytes, StoreError>>;

    /// What is known of an object; `None` if there is none.
    fn head<'a>(
        &'a self,
        kind: Kind,
        id: &'a str,
    ) -> BoxFuture<'a, Result<Option<ObjectInfo>, StoreError>>;

    /// Deletes an object. One that is not there is deleted already.
    fn delete<'a>(&'a self, kind: Kind, id: &'a str) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Deletes any number of objects.
    fn delete_many<'a>(
        &'a self,
        kind: Kind,
        ids: &'a [String],
    ) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Lists all objects of a kind, in the order of their ids.
    fn list(&self, kind: Kind) -> BoxFuture<'_, Result<Vec<ListedObject>, StoreError>>;
}
