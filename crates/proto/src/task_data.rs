//! Tasks as the native contract carries them: encoded, so that who passes them on need not take them apart and put them together again.

use prost::bytes::{BufMut as _, Bytes, BytesMut};
use prost::{DecodeError, Message as _};

use crate::worker::TaskData;

impl TaskData {
    /// The encoded task.
    pub fn to_bytes(&self) -> Bytes {
        self.encode_to_vec().into()
    }

    /// Reads an encoded task.
    ///
    /// # Errors
    /// It is none.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        Self::decode(bytes)
    }

    /// The encoded task with this weight, and this metadata unless it is empty, in place of its own: of a field that comes twice, the last counts.
    pub fn with_order(bytes: &[u8], weight: u32, metadata: &str) -> Bytes {
        let tail = Self {
            weight,
            metadata: metadata.to_owned(),
            ..Self::default()
        };
        let mut whole = BytesMut::with_capacity(bytes.len() + tail.encoded_len());
        whole.put_slice(bytes);
        tail.encode_raw(&mut whole);
        whole.freeze()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_leaders_weight_replaces_the_creators() {
        let data = TaskData {
            inputs: vec!["a".to_owned(), "b".to_owned()],
            proof_id: "p".to_owned(),
            weight: 7,
            ..TaskData::default()
        };
        let weighed = TaskData::with_order(&data.to_bytes(), 4, "");
        let expected = TaskData { weight: 4, ..data };
        assert_eq!(TaskData::from_bytes(&weighed).unwrap(), expected);
        let ordered = TaskData::with_order(&weighed, 4, "o");
        let ordered = TaskData::from_bytes(&ordered).unwrap();
        assert_eq!((ordered.weight, &*ordered.metadata), (4, "o"));
        assert!(TaskData::from_bytes(b"\xff").is_err());
    }
}
