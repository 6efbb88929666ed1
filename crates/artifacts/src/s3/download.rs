//! Reading objects.

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use bytes::{Bytes, BytesMut};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};

use super::why::innermost;
use super::{Fault, S3Store, SHA256};
use crate::{StoreError, digest};

/// Ranges of one object that are on their way at the same time.
const RANGES_IN_FLIGHT: usize = 8;

/// How often an object is read that was replaced meanwhile, or arrived damaged.
const READS: usize = 3;

/// Largest object that is read: a length beyond this is nonsense, and would be allocated.
const LARGEST: u64 = 64 << 30;

/// The first range of an object, and what the answer said of the whole.
struct First {
    bytes: BytesMut,
    size: usize,
    e_tag: Option<String>,
    sha256: Option<String>,
}

impl S3Store {
    /// Reads an object and verifies it.
    pub(super) async fn download(&self, key: &str) -> Result<Bytes, StoreError> {
        let mut reads = 1;
        loop {
            match self.read(key).await {
                Ok(bytes) => return Ok(bytes),
                Err(Fault::Changed | Fault::NoRange | Fault::Store(StoreError::Corrupt { .. }))
                    if reads < READS =>
                {
                    reads += 1;
                }
                Err(fault) => return Err(self.tell(fault)),
            }
        }
    }

    async fn read(&self, key: &str) -> Result<Bytes, Fault> {
        let First {
            mut bytes,
            size,
            e_tag,
            sha256,
        } = self
            .retry
            .run("GetObject", || self.first_range(key))
            .await?;
        if size > bytes.len() {
            bytes = self
                .other_ranges(key, bytes, size, e_tag.as_deref())
                .await?;
        }
        let bytes = bytes.freeze();
        let Some(expected) = sha256 else {
            return Ok(bytes);
        };
        let found = digest::sha256_hex(bytes.clone()).await;
        if found.eq_ignore_ascii_case(&expected) {
            Ok(bytes)
        } else {
            Err(Fault::corrupt(
                key,
                format!("its SHA-256 is {found}, it was written as {expected}"),
            ))
        }
    }

    /// Reads what one request carries. Most objects end here.
    async fn first_range(&self, key: &str) -> Result<First, Fault> {
        let get = self.client.get_object().bucket(&self.bucket).key(key);
        let answer = match get
            .clone()
            .range(range(0, self.part_size))
            .send()
            .await
            .map_err(|error| Fault::of(key, &error))
        {
            // No range fits an empty object.
            Err(Fault::NoRange) => get.send().await.map_err(|error| Fault::of(key, &error))?,
            answer => answer?,
        };
        let length = content_length(key, &answer)?;
        let size = match &answer.content_range {
            None => length,
            Some(range) => total(range)
                .ok_or_else(|| Fault::corrupt(key, format!("its range is {range:?}")))?,
        };
        if size > LARGEST || length > size || length > self.part_size as u64 && length != size {
            return Err(Fault::corrupt(
                key,
                format!("{length} bytes of {size} arrived"),
            ));
        }
        // How long it is shows only now. The server waits with the rest of the body until that is read.
        let _room = self.flight.room(key, length as usize).await;
        let mut first = First {
            bytes: BytesMut::zeroed(length as usize),
            size: size as usize,
            e_tag: answer.e_tag.clone(),
            sha256: answer
                .metadata()
                .and_then(|metadata| metadata.get(SHA256))
                .cloned(),
        };
        fill(&mut first.bytes, answer).await?;
        Ok(first)
    }

    /// Reads the rest, several ranges at a time, each into its place.
    async fn other_ranges(
        &self,
        key: &str,
        first: BytesMut,
        size: usize,
        e_tag: Option<&str>,
    ) -> Result<BytesMut, Fault> {
        let mut whole = BytesMut::zeroed(size);
        whole[..first.len()].copy_from_slice(&first);
        let mut rest = whole.split_off(first.len());
        drop(first);

        let mut start = whole.len();
        let mut places = Vec::new();
        while !rest.is_empty() {
            let place = rest.split_to(rest.len().min(self.part_size));
            let end = start + place.len();
            places.push((start, place));
            start = end;
        }
        let mut filled = stream::iter(places)
            .map(|(start, place)| async move {
                // Moved in and out, since an attempt that failed half-way leaves its place to the next.
                let _room = self.flight.room(key, place.len()).await;
                let place = tokio::sync::Mutex::new(place);
                self.retry
                    .run("GetObject", || async {
                        self.one_range(key, start, &mut place.lock().await, e_tag)
                            .await
                    })
                    .await?;
                Ok(place.into_inner())
            })
            .buffered(RANGES_IN_FLIGHT)
            .boxed();
        while let Some(place) = filled.try_next().await? {
            // Neighbours in one allocation: joined without copying.
            whole.unsplit(place);
        }
        Ok(whole)
    }

    async fn one_range(
        &self,
        key: &str,
        start: usize,
        place: &mut [u8],
        e_tag: Option<&str>,
    ) -> Result<(), Fault> {
        let get = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(key)
            .range(range(start, place.len()));
        let get = get.set_if_match(e_tag.map(str::to_owned));
        let answer = get.send().await.map_err(|error| Fault::of(key, &error))?;
        if content_length(key, &answer)? != place.len() as u64 {
            return Err(Fault::Changed);
        }
        fill(place, answer).await
    }
}

fn range(start: usize, len: usize) -> String {
    format!("bytes={start}-{}", start + len - 1)
}

/// The object's length in `bytes 0-9/100`.
fn total(content_range: &str) -> Option<u64> {
    content_range.rsplit_once('/')?.1.parse().ok()
}

fn content_length(key: &str, answer: &GetObjectOutput) -> Result<u64, Fault> {
    let length = answer
        .content_length
        .and_then(|length| u64::try_from(length).ok());
    length.ok_or_else(|| Fault::corrupt(key, "the server does not tell its length".to_owned()))
}

/// Reads an answer's body, which must fill `place` exactly.
async fn fill(place: &mut [u8], answer: GetObjectOutput) -> Result<(), Fault> {
    let mut body = answer.body;
    let mut filled = 0;
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| {
            Fault::unavailable(format!("its answer broke off: {}", innermost(&error)))
        })?;
        let end = filled + chunk.len();
        let Some(part) = place.get_mut(filled..end) else {
            return Err(Fault::unavailable("its answer is longer than it said"));
        };
        part.copy_from_slice(&chunk);
        filled = end;
    }
    if filled == place.len() {
        Ok(())
    } else {
        Err(Fault::unavailable(format!(
            "the answer ended after {filled} of {} bytes",
            place.len()
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_inclusive_and_totals_are_read() {
        assert_eq!(range(10, 5), "bytes=10-14");
        assert_eq!(total("bytes 0-9/100"), Some(100));
        assert_eq!(total("bytes */100"), Some(100));
        assert_eq!(total("bytes 0-9/*"), None);
        assert_eq!(total(""), None);
    }
}
