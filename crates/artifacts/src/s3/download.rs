//! Reading objects.

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use bytes::{Bytes, BytesMut};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use tokio::sync::Mutex;

use super::flight::Room;
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

/// Room that an attempt had for so many bytes.
struct Kept {
    bytes: usize,
    _room: Room,
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
        // Kept from attempt to attempt: a store may have hung up while it was waited for.
        let room: Mutex<Option<Kept>> = Mutex::new(None);
        let First {
            mut bytes,
            size,
            e_tag,
            sha256,
        } = self
            .retry
            .repeat("GetObject", || async {
                let mut room = room.lock().await;
                self.first_range(key, &mut room).await
            })
            .await?;
        // What follows waits for room, too.
        drop(room);
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

    /// Reads what one request carries. Most objects end here. The wait for `room` counts for nothing.
    async fn first_range(&self, key: &str, room: &mut Option<Kept>) -> Result<First, Fault> {
        let answer = self.retry.limit("GetObject", 0, self.ask(key)).await?;
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
        let length = length as usize;
        // How long it is shows only now. The server waits with the rest of the body until that is read.
        if room.as_ref().is_none_or(|kept| kept.bytes < length) {
            // First what is too small: nobody is to have room and wait for more.
            drop(room.take());
            *room = Some(Kept {
                bytes: length,
                _room: self.flight.room(key, length).await,
            });
        }
        let mut first = First {
            bytes: BytesMut::zeroed(length),
            size: size as usize,
            e_tag: answer.e_tag.clone(),
            sha256: answer
                .metadata()
                .and_then(|metadata| metadata.get(SHA256))
                .cloned(),
        };
        let filled = fill(&mut first.bytes, answer);
        self.retry.limit("GetObject", length, filled).await?;
        Ok(first)
    }

    /// Asks for the first range of an object.
    async fn ask(&self, key: &str) -> Result<GetObjectOutput, Fault> {
        let get = self.client.get_object().bucket(&self.bucket).key(key);
        match get
            .clone()
            .range(range(0, self.part_size))
            .send()
            .await
            .map_err(|error| Fault::of(key, &error))
        {
            // No range fits an empty object.
            Err(Fault::NoRange) => get.send().await.map_err(|error| Fault::of(key, &error)),
            answer => answer,
        }
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
                let length = place.len();
                let place = Mutex::new(place);
                self.retry
                    .run("GetObject", length, || async {
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
    #![allow(clippy::unwrap_used)]

    use std::net::SocketAddr;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::S3Config;
    use crate::s3::ATTEMPT_TIMEOUT;

    /// A server whose only object is this, and how often it was asked for it.
    async fn server(bytes: Vec<u8>) -> (SocketAddr, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    request.push(client.read_u8().await.unwrap());
                }
                counted.fetch_add(1, Ordering::Relaxed);
                let (length, last) = (bytes.len(), bytes.len() - 1);
                let head = format!(
                    "HTTP/1.1 206 Partial Content\r\nContent-Length: {length}\r\nContent-Range: bytes 0-{last}/{length}\r\nConnection: close\r\n\r\n"
                );
                client.write_all(head.as_bytes()).await.unwrap();
                client.write_all(&bytes).await.unwrap();
            }
        });
        (address, asked)
    }

    #[tokio::test]
    async fn a_wait_for_room_is_no_part_of_an_attempt() {
        const UNIT: usize = 4 << 10;
        let bytes = vec![7; 2 * UNIT + 1];
        let (address, asked) = server(bytes.clone()).await;
        let store = S3Store::new(S3Config {
            endpoint: format!("http://{address}"),
            region: "us-east-1".to_owned(),
            bucket: "provost".to_owned(),
            access_key: "key".to_owned(),
            secret_key: "secret".to_owned(),
            retry_total: Duration::ZERO,
            in_flight_bytes: 8 * UNIT as u64,
        });
        let others = store.flight.room("programs/others", 7 * UNIT).await;
        let get = tokio::spawn({
            let store = store.clone();
            async move { store.download("programs/wanted").await }
        });
        while store.flight.free() > 0 && !get.is_finished() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::time::pause();
        tokio::time::advance(3 * ATTEMPT_TIMEOUT).await;
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        tokio::time::resume();
        assert!(!get.is_finished());
        drop(others);
        assert_eq!(get.await.unwrap().unwrap(), bytes);
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn ranges_are_inclusive_and_totals_are_read() {
        assert_eq!(range(10, 5), "bytes=10-14");
        assert_eq!(total("bytes 0-9/100"), Some(100));
        assert_eq!(total("bytes */100"), Some(100));
        assert_eq!(total("bytes 0-9/*"), None);
        assert_eq!(total(""), None);
    }
}
