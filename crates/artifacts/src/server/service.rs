//! The S3 operations that the server knows. All others answer `NotImplemented`.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use s3s::dto::{self, ETag, ETagCondition, Timestamp};
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};

use super::backend::Backend;
use super::checksums::Checksums;
use super::incoming;
use super::object::{About, Header, SHA256};

/// Keys in one answer, unless the client asks for fewer. S3 gives 1,000 at most; each page takes a look at all names here.
const PAGE: i32 = 10_000;

/// Parts are numbered from 1.
const PART_NUMBERS: std::ops::RangeInclusive<i32> = 1..=10_000;

/// A server's operations.
pub(super) struct Service(pub(super) Arc<Backend>);

#[async_trait]
impl S3 for Service {
    async fn head_bucket(
        &self,
        req: S3Request<dto::HeadBucketInput>,
    ) -> S3Result<S3Response<dto::HeadBucketOutput>> {
        self.0.check_bucket(&req.input.bucket)?;
        Ok(S3Response::new(dto::HeadBucketOutput::default()))
    }

    async fn create_bucket(
        &self,
        req: S3Request<dto::CreateBucketInput>,
    ) -> S3Result<S3Response<dto::CreateBucketOutput>> {
        if req.input.bucket != self.0.bucket {
            return Err(s3_error!(
                AccessDenied,
                "this store has one bucket, {}",
                self.0.bucket
            ));
        }
        Ok(S3Response::new(dto::CreateBucketOutput::default()))
    }

    async fn put_object(
        &self,
        req: S3Request<dto::PutObjectInput>,
    ) -> S3Result<S3Response<dto::PutObjectOutput>> {
        let checksums = Checksums::announced(&req.headers, req.trailing_headers);
        let input = req.input;
        self.0.check_bucket(&input.bucket)?;
        if input.if_match.is_some()
            || input.if_none_match.is_some()
            || input.write_offset_bytes.is_some()
        {
            return Err(s3_error!(
                NotImplemented,
                "conditional writes are not implemented"
            ));
        }
        let about = about(input.content_type, input.metadata);
        let received =
            incoming::receive(&self.0.disk, input.body, input.content_length, checksums).await?;
        let header = self.0.store(input.key, about, received).await?;
        Ok(S3Response::new(dto::PutObjectOutput {
            e_tag: Some(e_tag(&header)),
            ..Default::default()
        }))
    }

    async fn get_object(
        &self,
        req: S3Request<dto::GetObjectInput>,
    ) -> S3Result<S3Response<dto::GetObjectOutput>> {
        let input = req.input;
        self.0.check_bucket(&input.bucket)?;
        let opened = self.0.open(input.key, input.range).await?;
        check_if_match(input.if_match.as_ref(), &opened.header)?;
        let (header, range) = (opened.header, opened.range);
        let content_range = input.range.map(|_| {
            format!(
                "bytes {}-{}/{}",
                range.start,
                range.end.saturating_sub(1),
                header.length
            )
        });
        let output = dto::GetObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            body: Some(opened.body),
            content_length: Some(length(range.end - range.start)?),
            content_range,
            content_type: header.about.content_type.clone(),
            e_tag: Some(e_tag(&header)),
            last_modified: Some(modified(&header)),
            metadata: Some(metadata(&header)),
            ..Default::default()
        };
        Ok(S3Response::new(output))
    }

    async fn head_object(
        &self,
        req: S3Request<dto::HeadObjectInput>,
    ) -> S3Result<S3Response<dto::HeadObjectOutput>> {
        let input = req.input;
        self.0.check_bucket(&input.bucket)?;
        let header = self.0.head(input.key).await?;
        check_if_match(input.if_match.as_ref(), &header)?;
        let output = dto::HeadObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            content_length: Some(length(header.length)?),
            content_type: header.about.content_type.clone(),
            e_tag: Some(e_tag(&header)),
            last_modified: Some(modified(&header)),
            metadata: Some(metadata(&header)),
            ..Default::default()
        };
        Ok(S3Response::new(output))
    }

    async fn delete_object(
        &self,
        req: S3Request<dto::DeleteObjectInput>,
    ) -> S3Result<S3Response<dto::DeleteObjectOutput>> {
        self.0.check_bucket(&req.input.bucket)?;
        match self.0.delete(vec![req.input.key]).await?.pop() {
            Some((_, error)) => Err(error),
            None => Ok(S3Response::new(dto::DeleteObjectOutput::default())),
        }
    }

    async fn delete_objects(
        &self,
        req: S3Request<dto::DeleteObjectsInput>,
    ) -> S3Result<S3Response<dto::DeleteObjectsOutput>> {
        self.0.check_bucket(&req.input.bucket)?;
        let dto::Delete { objects, quiet } = req.input.delete;
        let keys: Vec<String> = objects.into_iter().map(|object| object.key).collect();
        let failed = self.0.delete(keys.clone()).await?;
        let deleted = keys
            .into_iter()
            .filter(|key| failed.iter().all(|(failed, _)| failed != key));
        let deleted = deleted
            .map(|key| dto::DeletedObject {
                key: Some(key),
                ..Default::default()
            })
            .collect();
        let errors = failed.into_iter().map(|(key, error)| dto::Error {
            code: Some(error.code().as_str().to_owned()),
            message: error.message().map(str::to_owned),
            key: Some(key),
            ..Default::default()
        });
        Ok(S3Response::new(dto::DeleteObjectsOutput {
            errors: Some(errors.collect()),
            deleted: (quiet != Some(true)).then_some(deleted),
            ..Default::default()
        }))
    }

    async fn list_objects_v2(
        &self,
        req: S3Request<dto::ListObjectsV2Input>,
    ) -> S3Result<S3Response<dto::ListObjectsV2Output>> {
        let input = req.input;
        self.0.check_bucket(&input.bucket)?;
        if input
            .delimiter
            .as_ref()
            .is_some_and(|delimiter| !delimiter.is_empty())
        {
            return Err(s3_error!(
                NotImplemented,
                "listings with a delimiter are not implemented"
            ));
        }
        let max_keys = input.max_keys.unwrap_or(PAGE).clamp(0, PAGE);
        // A token is the last key that was listed.
        let after = input
            .continuation_token
            .clone()
            .or_else(|| input.start_after.clone());
        let prefix = input.prefix.clone().unwrap_or_default();
        let page = self
            .0
            .list(prefix, after, usize::try_from(max_keys).unwrap_or(0))
            .await?;
        let contents = page.objects.into_iter().map(|object| {
            Ok(dto::Object {
                key: Some(object.key),
                size: Some(length(object.size)?),
                last_modified: Some(object.modified.into()),
                ..Default::default()
            })
        });
        let contents = contents.collect::<S3Result<Vec<_>>>()?;
        Ok(S3Response::new(dto::ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: input.prefix,
            max_keys: Some(max_keys),
            key_count: i32::try_from(contents.len()).ok(),
            is_truncated: Some(page.next.is_some()),
            next_continuation_token: page.next,
            continuation_token: input.continuation_token,
            start_after: input.start_after,
            contents: Some(contents),
            ..Default::default()
        }))
    }

    async fn create_multipart_upload(
        &self,
        req: S3Request<dto::CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<dto::CreateMultipartUploadOutput>> {
        let input = req.input;
        self.0.check_bucket(&input.bucket)?;
        let id = self
            .0
            .uploads
            .begin(input.key.clone(), about(input.content_type, input.metadata));
        Ok(S3Response::new(dto::CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(id),
            ..Default::default()
        }))
    }

    async fn upload_part(
        &self,
        req: S3Request<dto::UploadPartInput>,
    ) -> S3Result<S3Response<dto::UploadPartOutput>> {
        let checksums = Checksums::announced(&req.headers, req.trailing_headers);
        let input = req.input;
        self.0.check_bucket(&input.bucket)?;
        if !PART_NUMBERS.contains(&input.part_number) {
            return Err(s3_error!(
                InvalidArgument,
                "parts are numbered from 1 to 10000"
            ));
        }
        self.0.uploads.touch(&input.upload_id, &input.key)?;
        let received =
            incoming::receive(&self.0.disk, input.body, input.content_length, checksums).await?;
        let e_tag =
            self.0
                .uploads
                .add(&input.upload_id, &input.key, input.part_number, received)?;
        Ok(S3Response::new(dto::UploadPartOutput {
            e_tag: Some(ETag::Strong(e_tag)),
            ..Default::default()
        }))
    }

    async fn complete_multipart_upload(
        &self,
        req: S3Request<dto::CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<dto::CompleteMultipartUploadOutput>> {
        let input = req.input;
        self.0.check_bucket(&input.bucket)?;
        if input.if_match.is_some() || input.if_none_match.is_some() {
            return Err(s3_error!(
                NotImplemented,
                "conditional writes are not implemented"
            ));
        }
        let chosen = input
            .multipart_upload
            .and_then(|upload| upload.parts)
            .unwrap_or_default();
        let chosen: Vec<(i32, Option<&str>)> = chosen
            .iter()
            .map(|part| {
                (
                    part.part_number.unwrap_or(0),
                    part.e_tag.as_ref().map(ETag::value),
                )
            })
            .collect();
        let (upload, parts) = self.0.uploads.end(&input.upload_id, &input.key, &chosen)?;
        let header = self
            .0
            .store_parts(input.key.clone(), upload.about.clone(), parts)
            .await?;
        Ok(S3Response::new(dto::CompleteMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            e_tag: Some(e_tag(&header)),
            ..Default::default()
        }))
    }

    async fn abort_multipart_upload(
        &self,
        req: S3Request<dto::AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<dto::AbortMultipartUploadOutput>> {
        self.0.check_bucket(&req.input.bucket)?;
        self.0
            .uploads
            .remove(&req.input.upload_id, &req.input.key)?;
        Ok(S3Response::new(dto::AbortMultipartUploadOutput::default()))
    }
}

fn about(content_type: Option<String>, metadata: Option<dto::Metadata>) -> About {
    About {
        content_type,
        metadata: metadata.unwrap_or_default().into_iter().collect(),
    }
}

fn metadata(header: &Header) -> dto::Metadata {
    let mut metadata: dto::Metadata = header.about.metadata.clone().into_iter().collect();
    metadata.insert(SHA256.to_owned(), header.sha256.clone());
    metadata
}

fn e_tag(header: &Header) -> ETag {
    ETag::Strong(header.e_tag().to_owned())
}

fn modified(header: &Header) -> Timestamp {
    (SystemTime::UNIX_EPOCH + Duration::from_millis(header.modified_ms)).into()
}

fn length(length: u64) -> S3Result<i64> {
    i64::try_from(length).map_err(|error| s3_error!(error, InternalError))
}

fn check_if_match(condition: Option<&ETagCondition>, header: &Header) -> S3Result<()> {
    match condition {
        Some(ETagCondition::ETag(wanted)) if wanted.value() != header.e_tag() => {
            Err(s3_error!(PreconditionFailed))
        }
        _ => Ok(()),
    }
}
