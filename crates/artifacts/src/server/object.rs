//! The file of an object.
//!
//! ```text
//! 8 bytes    4 bytes, LE       n bytes           up to 4064     32 bytes                 the rest
//! PROVOBJ1   n                 JSON of Header    zeros          SHA-256 of all before    the object's bytes
//! ```
//!
//! The header tells the length and checksum of the bytes, so a file that was torn or swapped is never taken for an
//! object. It is written last, into room that was left for it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::digest;

/// Bytes before those of the object.
pub(super) const HEADER_LEN: u64 = 4096;

const MAGIC: &[u8; 8] = b"PROVOBJ1";
const JSON_AT: usize = 12;
const DIGEST_AT: usize = HEADER_LEN as usize - 32;

/// Name of the user metadata that carries the SHA-256 of the object's bytes.
pub(super) const SHA256: &str = "sha256";

/// What the client said of an object besides its bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct About {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) content_type: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) metadata: BTreeMap<String, String>,
}

/// What is known of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Header {
    /// Length of its bytes.
    pub(super) length: u64,
    /// SHA-256 of its bytes, in hex.
    pub(super) sha256: String,
    /// When it was written, in milliseconds since 1970.
    pub(super) modified_ms: u64,
    #[serde(flatten)]
    pub(super) about: About,
}

impl Header {
    /// The object's entity tag: it changes with the bytes.
    pub(super) fn e_tag(&self) -> &str {
        e_tag(&self.sha256)
    }

    /// The header's bytes; `None` if there is too much metadata for them.
    pub(super) fn encode(&self) -> Option<Vec<u8>> {
        let json = serde_json::to_vec(self).ok()?;
        let mut bytes = Vec::with_capacity(HEADER_LEN as usize);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&u32::try_from(json.len()).ok()?.to_le_bytes());
        bytes.extend_from_slice(&json);
        if bytes.len() > DIGEST_AT {
            return None;
        }
        bytes.resize(DIGEST_AT, 0);
        bytes.extend_from_slice(&digest::sha256(&bytes));
        Some(bytes)
    }

    /// Reads a header's bytes; `None` if they are not what [`Header::encode`] made.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (content, checksum) = bytes.split_at_checked(DIGEST_AT)?;
        if !content.starts_with(MAGIC) || digest::sha256(content) != *checksum {
            return None;
        }
        let len = u32::from_le_bytes(content.get(8..JSON_AT)?.try_into().ok()?) as usize;
        serde_json::from_slice(content.get(JSON_AT..)?.get(..len)?).ok()
    }
}

/// The entity tag of bytes with this SHA-256: half of it, in the usual length.
pub(super) fn e_tag(sha256: &str) -> &str {
    sha256.get(..32).unwrap_or(sha256)
}

/// Why a file is not read.
#[derive(Debug)]
pub(super) enum OpenError {
    /// It is not there, or the disk fails.
    Io(io::Error),
    /// It is not an object's file, or not all of one.
    Corrupt(String),
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Opens an object's file, positioned at the first of the object's bytes.
pub(super) fn open(path: &Path) -> Result<(File, Header), OpenError> {
    let mut file = File::open(path)?;
    let on_disk = file.metadata()?.len();
    let mut bytes = vec![0; HEADER_LEN as usize];
    let torn = || OpenError::Corrupt(format!("its file has {on_disk} bytes"));
    file.read_exact(&mut bytes)
        .map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => torn(),
            _ => OpenError::Io(error),
        })?;
    let header = Header::decode(&bytes)
        .ok_or_else(|| OpenError::Corrupt("its header is damaged".to_owned()))?;
    if on_disk != HEADER_LEN + header.length {
        return Err(torn());
    }
    Ok((file, header))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn header(metadata: BTreeMap<String, String>) -> Header {
        Header {
            length: 5,
            sha256: digest::hex(&digest::sha256(b"hello")),
            modified_ms: 1_700_000_000_000,
            about: About {
                content_type: Some("text/plain".to_owned()),
                metadata,
            },
        }
    }

    #[test]
    fn too_much_metadata_has_no_header() {
        assert_eq!(
            header(BTreeMap::from([("k".to_owned(), "v".repeat(5000))])).encode(),
            None
        );
    }

    #[test]
    fn a_torn_file_is_not_an_object() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("object");
        let mut bytes = header(BTreeMap::new()).encode().unwrap();
        bytes.extend_from_slice(b"hello");
        for len in [0, 11, 4095, 4096, 4100] {
            std::fs::write(&path, &bytes[..len]).unwrap();
            assert!(
                matches!(open(&path), Err(OpenError::Corrupt(_))),
                "{len} bytes"
            );
        }
        std::fs::write(&path, &bytes).unwrap();
        let (mut file, found) = open(&path).unwrap();
        let mut rest = String::new();
        file.read_to_string(&mut rest).unwrap();
        assert_eq!((rest.as_str(), found.length), ("hello", 5));
    }

    proptest! {
        #[test]
        fn headers_come_back(metadata in prop::collection::btree_map("[a-z]{1,8}", ".{0,20}", 0..8)) {
            let header = header(metadata);
            prop_assert_eq!(Header::decode(&header.encode().unwrap()).unwrap(), header);
        }

        #[test]
        fn a_changed_bit_is_noticed(at in 0..HEADER_LEN as usize, bit in 0..8) {
            let mut bytes = header(BTreeMap::new()).encode().unwrap();
            bytes[at] ^= 1u8 << bit;
            prop_assert_eq!(Header::decode(&bytes), None);
        }
    }
}
