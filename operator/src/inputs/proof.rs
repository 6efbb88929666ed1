//! A proof, decoded piece by piece: it may be larger than the operator's memory, and only what is stored of it is held.

use std::io::{Cursor, Read};

use bytes::Bytes;
use provost_artifacts::codec;

use super::{InputsError, blocking};

/// Most bytes of a piece.
pub(super) const PIECE: u64 = 256 << 10;

/// Reads a proof.
pub struct ProofReader {
    length: u64,
    decoder: Box<dyn Read + Send>,
}

impl ProofReader {
    /// A reader of the proof that is `stored` like this. All of it is looked at, so that what is damaged is told before any of it is
    /// handed out.
    pub(super) async fn open(stored: Bytes) -> Result<Self, InputsError> {
        blocking(move || {
            Ok(Self {
                length: codec::decoded_len(&stored)?,
                decoder: codec::decoder(Cursor::new(stored))?,
            })
        })
        .await
    }

    /// Bytes of the whole proof.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The next piece, and the reader of what follows; `None` at the end.
    ///
    /// # Errors
    /// The operator is shutting down: whether it decodes is known since [`Self::open`].
    pub async fn next(mut self) -> Result<Option<(Bytes, Self)>, InputsError> {
        blocking(move || {
            let mut piece = Vec::new();
            self.decoder.by_ref().take(PIECE).read_to_end(&mut piece)?;
            Ok((!piece.is_empty()).then(|| (piece.into(), self)))
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn a_proof_comes_in_pieces_of_bounded_size() {
        let proof: Vec<u8> = (0..PIECE * 5 / 2).map(|n| (n / 7) as u8).collect();
        let stored = codec::compress(&proof).unwrap();
        let mut reader = ProofReader::open(stored.into()).await.unwrap();
        assert_eq!(reader.length(), proof.len() as u64);
        let mut pieces = Vec::new();
        while let Some((piece, rest)) = reader.next().await.unwrap() {
            assert!(piece.len() as u64 <= PIECE);
            pieces.push(piece);
            reader = rest;
        }
        assert_eq!(pieces.len(), 3);
        assert_eq!(pieces.concat(), proof);
    }

    #[tokio::test]
    async fn a_damaged_proof_is_told_before_any_of_it_is_handed_out() {
        let stored = codec::compress(&vec![7; 1 << 20]).unwrap();
        let cut = stored[..stored.len() - 1].to_vec();
        let error = ProofReader::open(cut.into()).await.err().unwrap();
        assert_eq!(error.reason(), "InvalidCompression");
    }
}
