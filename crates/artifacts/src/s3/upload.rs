//! Writing objects.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use tokio::runtime::Handle;

use super::{Fault, PART, S3Store, SHA256, WORK};
use crate::{StoreError, digest};

/// Parts of one object that are on their way at the same time.
const PARTS_IN_FLIGHT: usize = 4;

/// How often an upload that the server forgot is begun again.
const RESTARTS: usize = 5;

impl S3Store {
    /// Writes an object, in one request or in parts.
    pub(super) async fn upload(&self, key: &str, bytes: Bytes) -> Result<(), StoreError> {
        let sha256 = digest::sha256_hex(bytes.clone()).await;
        if bytes.len() <= self.part_size {
            let _room = self.flight.room(key, bytes.len()).await;
            let put = || self.put_whole(key, bytes.clone(), &sha256);
            return self
                .retry
                .run("PutObject", WORK + bytes.len(), put)
                .await
                .map_err(|fault| self.tell(fault));
        }
        let mut restarts = 0;
        loop {
            match self.put_parts(key, &bytes, &sha256).await {
                Ok(()) => return Ok(()),
                Err(Fault::UploadGone) if restarts < RESTARTS => restarts += 1,
                Err(fault) => return Err(self.tell(fault)),
            }
            tracing::debug!(
                key,
                restarts,
                "the store forgot a multipart upload, beginning again"
            );
        }
    }

    async fn put_whole(&self, key: &str, bytes: Bytes, sha256: &str) -> Result<(), Fault> {
        let put = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .metadata(SHA256, sha256);
        put.body(ByteStream::from(bytes))
            .send()
            .await
            .map_err(|error| Fault::of(key, &error))?;
        Ok(())
    }

    async fn put_parts(&self, key: &str, bytes: &Bytes, sha256: &str) -> Result<(), Fault> {
        let upload_id = self
            .retry
            .run("CreateMultipartUpload", WORK, || {
                self.create_multipart(key, sha256)
            })
            .await?;
        let abort = AbortOnDrop {
            store: Some(self.clone()),
            key,
            upload_id: &upload_id,
        };

        let numbered = (1..).zip((0..bytes.len()).step_by(self.part_size));
        let parts: Vec<CompletedPart> = stream::iter(numbered)
            .map(|(number, start)| {
                let part = bytes.slice(start..bytes.len().min(start + self.part_size));
                let upload_id = &upload_id;
                async move {
                    let _room = self.flight.room(key, part.len()).await;
                    let put = || self.put_part(key, upload_id, number, part.clone());
                    self.retry.run("UploadPart", WORK + part.len(), put).await
                }
            })
            .buffered(PARTS_IN_FLIGHT)
            .try_collect()
            .await?;

        let parts = CompletedMultipartUpload::builder()
            .set_parts(Some(parts))
            .build();
        let complete = || self.complete_multipart(key, &upload_id, parts.clone(), sha256);
        self.retry
            .run("CompleteMultipartUpload", PART, complete)
            .await?;
        abort.disarm();
        Ok(())
    }

    async fn create_multipart(&self, key: &str, sha256: &str) -> Result<String, Fault> {
        let create = self
            .client
            .create_multipart_upload()
            .bucket(&self.bucket)
            .key(key)
            .metadata(SHA256, sha256);
        let created = create
            .send()
            .await
            .map_err(|error| Fault::of(key, &error))?;
        created
            .upload_id
            .ok_or_else(|| Fault::unavailable("the server began an upload without an id"))
    }

    async fn put_part(
        &self,
        key: &str,
        upload_id: &str,
        number: i32,
        part: Bytes,
    ) -> Result<CompletedPart, Fault> {
        let put = self
            .client
            .upload_part()
            .bucket(&self.bucket)
            .key(key)
            .upload_id(upload_id)
            .part_number(number);
        let done = put
            .body(ByteStream::from(part))
            .send()
            .await
            .map_err(|error| Fault::of(key, &error))?;
        Ok(CompletedPart::builder()
            .part_number(number)
            .set_e_tag(done.e_tag)
            .build())
    }

    async fn complete_multipart(
        &self,
        key: &str,
        upload_id: &str,
        parts: CompletedMultipartUpload,
        sha256: &str,
    ) -> Result<(), Fault> {
        let complete = self
            .client
            .complete_multipart_upload()
            .bucket(&self.bucket)
            .key(key)
            .upload_id(upload_id);
        let Err(error) = complete.multipart_upload(parts).send().await else {
            return Ok(());
        };
        let fault = Fault::of(key, &error);
        if matches!(fault, Fault::UploadGone) {
            // Or it was completed and the answer got lost.
            let there = self.try_head(key).await?;
            if there.is_some_and(|info| info.sha256.as_deref() == Some(sha256)) {
                return Ok(());
            }
        }
        Err(fault)
    }
}

/// Tells the server to forget an upload that will not be completed: it failed, or its task was cancelled.
struct AbortOnDrop<'a> {
    store: Option<S3Store>,
    key: &'a str,
    upload_id: &'a str,
}

impl AbortOnDrop<'_> {
    fn disarm(mut self) {
        self.store = None;
    }
}

impl Drop for AbortOnDrop<'_> {
    fn drop(&mut self) {
        let (Some(store), Ok(runtime)) = (self.store.take(), Handle::try_current()) else {
            return;
        };
        let (key, upload_id) = (self.key.to_owned(), self.upload_id.to_owned());
        // One attempt: the server forgets abandoned uploads by itself, later.
        runtime.spawn(async move {
            let abort = store
                .client
                .abort_multipart_upload()
                .bucket(&store.bucket)
                .key(&key)
                .upload_id(upload_id);
            if let Err(error) = abort.send().await {
                let fault = Fault::of(&key, &error);
                tracing::debug!(
                    key,
                    ?fault,
                    "an abandoned upload stays until the store drops it"
                );
            }
        });
    }
}
