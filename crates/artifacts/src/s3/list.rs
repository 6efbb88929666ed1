//! Listing objects.

use std::time::SystemTime;

use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;

use super::{Fault, S3Store, WORK};
use crate::{ListedObject, StoreError};

impl S3Store {
    /// Lists everything directly under `prefix`.
    pub(super) async fn list_prefix(&self, prefix: &str) -> Result<Vec<ListedObject>, StoreError> {
        let mut objects = Vec::new();
        let mut token = None;
        loop {
            let page = || self.list_page(prefix, token.clone());
            let page = self
                .retry
                .run("ListObjectsV2", WORK, page)
                .await
                .map_err(|fault| self.tell(fault))?;
            objects.extend(
                page.contents()
                    .iter()
                    .filter_map(|object| listed(prefix, object)),
            );
            token = page.next_continuation_token;
            if page.is_truncated != Some(true) || token.is_none() {
                return Ok(objects);
            }
        }
    }

    async fn list_page(
        &self,
        prefix: &str,
        token: Option<String>,
    ) -> Result<ListObjectsV2Output, Fault> {
        let list = self
            .client
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(prefix);
        list.set_continuation_token(token)
            .send()
            .await
            .map_err(|error| Fault::of(prefix, &error))
    }
}

/// The object, unless its key is not one of ours.
fn listed(prefix: &str, object: &aws_sdk_s3::types::Object) -> Option<ListedObject> {
    let id = object.key()?.strip_prefix(prefix)?;
    if !crate::id::is_valid(id) {
        return None;
    }
    let modified = object
        .last_modified()
        .and_then(|time| SystemTime::try_from(*time).ok());
    Some(ListedObject {
        id: id.to_owned(),
        size: object
            .size()
            .and_then(|size| u64::try_from(size).ok())
            .unwrap_or(0),
        modified: modified.unwrap_or(SystemTime::UNIX_EPOCH),
    })
}
