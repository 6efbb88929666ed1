//! SHA-256, and how it is written.

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

/// Longer data is hashed away from the async threads.
const INLINE: usize = 256 << 10;

pub(crate) fn sha256(data: &[u8]) -> [u8; 32] {
    Sha256::digest(data).into()
}

pub(crate) fn hex(digest: &[u8]) -> String {
    hex::encode(digest)
}

/// The SHA-256 of `data` in hex, without holding up the runtime.
pub(crate) async fn sha256_hex(data: Bytes) -> String {
    if data.len() <= INLINE {
        return hex(&sha256(&data));
    }
    let copy = data.clone();
    match tokio::task::spawn_blocking(move || hex(&sha256(&copy))).await {
        Ok(digest) => digest,
        // The runtime is shutting down.
        Err(_) => hex(&sha256(&data)),
    }
}
