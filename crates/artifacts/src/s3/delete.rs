//! Deleting objects.

use aws_sdk_s3::types::{Delete, ObjectIdentifier};

use super::{Fault, S3Store, WORK};
use crate::StoreError;

/// Most keys that one request may carry.
const BATCH: usize = 1000;

impl S3Store {
    pub(super) async fn delete_one(&self, key: &str) -> Result<(), StoreError> {
        let attempt = || async {
            let delete = self.client.delete_object().bucket(&self.bucket).key(key);
            match delete.send().await.map_err(|error| Fault::of(key, &error)) {
                Ok(_) | Err(Fault::Store(StoreError::NotFound { .. })) => Ok(()),
                Err(fault) => Err(fault),
            }
        };
        self.retry
            .run("DeleteObject", 0, attempt)
            .await
            .map_err(|fault| self.tell(fault))
    }

    pub(super) async fn delete_all(&self, keys: &[String]) -> Result<(), StoreError> {
        for batch in keys.chunks(BATCH) {
            self.retry
                .run("DeleteObjects", WORK + batch.len() * (WORK / BATCH), || {
                    self.delete_batch(batch)
                })
                .await
                .map_err(|fault| self.tell(fault))?;
        }
        Ok(())
    }

    async fn delete_batch(&self, keys: &[String]) -> Result<(), Fault> {
        let refused = |error: aws_sdk_s3::error::BuildError| {
            Fault::Store(StoreError::Rejected {
                detail: error.to_string(),
            })
        };
        let objects = keys
            .iter()
            .map(|key| ObjectIdentifier::builder().key(key).build());
        let objects = objects.collect::<Result<Vec<_>, _>>().map_err(refused)?;
        let delete = Delete::builder()
            .set_objects(Some(objects))
            .quiet(true)
            .build()
            .map_err(refused)?;
        let answer = self
            .client
            .delete_objects()
            .bucket(&self.bucket)
            .delete(delete)
            .send()
            .await;
        let answer = answer.map_err(|error| Fault::of("the batch", &error))?;
        // The answer is a success even where single keys failed.
        for error in answer.errors() {
            let (key, code) = (
                error.key().unwrap_or_default(),
                error.code().unwrap_or_default(),
            );
            if code != "NoSuchKey" {
                let status = if code == "AccessDenied" { 403 } else { 500 };
                return Err(Fault::of_answer(
                    key,
                    status,
                    code,
                    error.message().unwrap_or_default(),
                ));
            }
        }
        Ok(())
    }
}
