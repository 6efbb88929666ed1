//! Bytes at rest: zstd of bincode.
//!
//! bincode here is version 1 with fixed-width integers: lengths are u64, all numbers are little-endian. The two shapes
//! that parts without SP1 write and read, a byte vector and `SP1Stdin`, are written out here.

use std::io::{BufRead, Read};

/// zstd level of everything that we write.
pub const LEVEL: i32 = 3;

/// Most bytes that [`decompress`] makes of one artifact. What claims more is no artifact of ours.
pub const MAX_DECODED: u64 = 8 << 30;

/// Why bytes do not decode.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// Not zstd, or damaged.
    #[error("not a zstd frame: {0}")]
    Zstd(#[from] std::io::Error),
    /// More than the caller allows.
    #[error("decompresses to more than {0} bytes")]
    TooLarge(u64),
    /// More at rest than what the caller allows can be.
    #[error("has {size} bytes at rest, more than the {most} that are allowed")]
    TooLargeAtRest {
        /// Its size.
        size: u64,
        /// The largest that is allowed.
        most: u64,
    },
    /// bincode ends early.
    #[error("{what} ends early: {need} bytes more are needed, {left} are left")]
    Short {
        /// What was being read.
        what: &'static str,
        /// Bytes that it still needs.
        need: u64,
        /// Bytes that there are.
        left: u64,
    },
    /// Bytes after the end.
    #[error("{0} bytes follow the end")]
    Trailing(usize),
}

impl CodecError {
    /// Stable name of the error.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Zstd(_) => "InvalidCompression",
            Self::TooLarge(_) | Self::TooLargeAtRest { .. } => "ArtifactTooLarge",
            Self::Short { .. } | Self::Trailing(_) => "InvalidEncoding",
        }
    }
}

/// Compresses bytes that are bincode already. Fails only when memory does.
pub fn compress(data: &[u8]) -> Result<Vec<u8>, CodecError> {
    Ok(zstd::bulk::compress(data, LEVEL)?)
}

/// Undoes [`compress`], up to [`MAX_DECODED`] bytes.
pub fn decompress(stored: &[u8]) -> Result<Vec<u8>, CodecError> {
    decompress_limited(stored, MAX_DECODED)
}

/// Undoes [`compress`], up to `limit` bytes.
pub fn decompress_limited(stored: &[u8], limit: u64) -> Result<Vec<u8>, CodecError> {
    let mut data = Vec::new();
    let mut decoder = zstd::stream::read::Decoder::with_buffer(stored)?;
    decoder.by_ref().take(limit).read_to_end(&mut data)?;
    if data.len() as u64 == limit && decoder.read(&mut [0])? > 0 {
        return Err(CodecError::TooLarge(limit));
    }
    Ok(data)
}

/// Undoes [`compress`] a piece at a time, so that what comes out need not fit into memory: nothing bounds how much that is. A read
/// fails where `stored` is no zstd, or damaged.
pub fn decoder(stored: impl BufRead + Send + 'static) -> Result<Box<dyn Read + Send>, CodecError> {
    Ok(Box::new(zstd::stream::read::Decoder::with_buffer(stored)?))
}

/// How many bytes [`decompress`] would make of this, up to [`MAX_DECODED`]. Reads all of it and keeps nothing.
pub fn decoded_len(stored: &[u8]) -> Result<u64, CodecError> {
    let decoder = zstd::stream::read::Decoder::with_buffer(stored)?;
    let len = std::io::copy(&mut decoder.take(MAX_DECODED + 1), &mut std::io::sink())?;
    match len {
        0..=MAX_DECODED => Ok(len),
        _ => Err(CodecError::TooLarge(MAX_DECODED)),
    }
}

/// A byte vector (a program's ELF) as it is stored.
pub fn encode_bytes(data: &[u8]) -> Result<Vec<u8>, CodecError> {
    let mut bincode = Vec::with_capacity(8 + data.len());
    push_bytes(&mut bincode, data);
    compress(&bincode)
}

/// Undoes [`encode_bytes`].
pub fn decode_bytes(stored: &[u8]) -> Result<Vec<u8>, CodecError> {
    bytes_in(decompress(stored)?)
}

/// Undoes [`encode_bytes`], up to `most` bytes.
pub fn decode_bytes_limited(stored: &[u8], most: u64) -> Result<Vec<u8>, CodecError> {
    bytes_in(decompress_limited(stored, encoded_len(most))?)
}

/// Most bytes that a byte vector of up to `most` bytes has at rest: what zstd makes of those that it cannot shorten.
pub fn largest_at_rest(most: u64) -> u64 {
    usize::try_from(encoded_len(most))
        .map_or(u64::MAX, |len| zstd::zstd_safe::compress_bound(len) as u64)
}

/// Bytes of the bincode of a byte vector of `len` bytes.
fn encoded_len(len: u64) -> u64 {
    len.saturating_add(8)
}

fn bytes_in(mut bincode: Vec<u8>) -> Result<Vec<u8>, CodecError> {
    let mut rest = bincode.as_slice();
    take_bytes(&mut rest, "a byte vector")?;
    match rest.len() {
        0 => Ok(bincode.split_off(8)),
        more => Err(CodecError::Trailing(more)),
    }
}

/// The bincode of an `SP1Stdin` with these hints and no proofs. Not compressed.
///
/// SP1 reads `{ buffer: Vec<Vec<u8>>, ptr: usize, proofs: Vec<(proof, key)> }`.
pub fn encode_stdin(hints: &[Vec<u8>]) -> Vec<u8> {
    let mut stdin = Vec::with_capacity(24 + hints.iter().map(|hint| 8 + hint.len()).sum::<usize>());
    push_len(&mut stdin, hints.len());
    for hint in hints {
        push_bytes(&mut stdin, hint);
    }
    push_len(&mut stdin, 0); // ptr
    push_len(&mut stdin, 0); // proofs
    stdin
}

/// What an `SP1Stdin` holds, as far as it is told without SP1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StdinParts<'a> {
    /// The hints.
    pub hints: Vec<&'a [u8]>,
    /// How many of them have been read.
    pub ptr: u64,
    /// How many proofs follow. Their bytes are not looked at.
    pub proofs: u64,
}

/// Tells whether bytes are an `SP1Stdin`'s bincode: what is not would fail the proof much later. Takes no memory, whatever they claim to hold.
///
/// # Errors
/// What does not decode.
pub fn check_stdin(stdin: &[u8]) -> Result<(), CodecError> {
    walk_stdin(stdin, |_| ()).map(|_| ())
}

/// Reads an `SP1Stdin`'s bincode. An empty hint takes 8 bytes there, and 16 here.
///
/// # Errors
/// What does not decode.
pub fn decode_stdin(stdin: &[u8]) -> Result<StdinParts<'_>, CodecError> {
    let mut hints = Vec::new();
    let (ptr, proofs) = walk_stdin(stdin, |hint| hints.push(hint))?;
    Ok(StdinParts { hints, ptr, proofs })
}

/// Shows each hint, and tells the read position and the number of proofs.
fn walk_stdin<'a>(
    stdin: &'a [u8],
    mut hint: impl FnMut(&'a [u8]),
) -> Result<(u64, u64), CodecError> {
    let mut rest = stdin;
    let count = take_len(&mut rest, "the number of hints")?;
    // Each hint needs 8 bytes for its length, so a made-up count fails before it costs memory.
    let need = count.saturating_mul(8);
    if need > rest.len() as u64 {
        return Err(CodecError::Short {
            what: "the hints",
            need,
            left: rest.len() as u64,
        });
    }
    for _ in 0..count {
        hint(take_bytes(&mut rest, "a hint")?);
    }
    let ptr = take_len(&mut rest, "the read position")?;
    let proofs = take_len(&mut rest, "the number of proofs")?;
    if proofs == 0 && !rest.is_empty() {
        return Err(CodecError::Trailing(rest.len()));
    }
    Ok((ptr, proofs))
}

fn push_len(out: &mut Vec<u8>, len: usize) {
    out.extend_from_slice(&(len as u64).to_le_bytes());
}

fn push_bytes(out: &mut Vec<u8>, data: &[u8]) {
    push_len(out, data.len());
    out.extend_from_slice(data);
}

fn take<'a>(rest: &mut &'a [u8], len: u64, what: &'static str) -> Result<&'a [u8], CodecError> {
    let left = rest.len() as u64;
    let split = usize::try_from(len)
        .ok()
        .and_then(|len| rest.split_at_checked(len));
    let (head, tail) = split.ok_or(CodecError::Short {
        what,
        need: len,
        left,
    })?;
    *rest = tail;
    Ok(head)
}

fn take_len(rest: &mut &[u8], what: &'static str) -> Result<u64, CodecError> {
    let bytes = take(rest, 8, what)?;
    Ok(bytes
        .iter()
        .rev()
        .fold(0, |len, byte| len << 8 | u64::from(*byte)))
}

fn take_bytes<'a>(rest: &mut &'a [u8], what: &'static str) -> Result<&'a [u8], CodecError> {
    let len = take_len(rest, what)?;
    take(rest, len, what)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_stdin_of_one_u32_is_what_sp1_writes() {
        let stdin = encode_stdin(&[1000u32.to_le_bytes().to_vec()]);
        assert_eq!(
            hex::encode(stdin),
            "01000000000000000400000000000000e803000000000000000000000000000000000000"
        );
    }

    #[test]
    fn a_program_is_its_length_and_its_bytes() {
        let stored = encode_bytes(b"\x7fELF").unwrap();
        assert_eq!(decompress(&stored).unwrap(), b"\x04\0\0\0\0\0\0\0\x7fELF");
    }

    #[test]
    fn a_made_up_number_of_hints_is_refused() {
        assert!(matches!(
            decode_stdin(&[0xff; 32]),
            Err(CodecError::Short { .. })
        ));
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        let bomb = compress(&vec![0; 1 << 20]).unwrap();
        assert!(bomb.len() < 1000);
        assert!(matches!(
            decompress_limited(&bomb, (1 << 20) - 1),
            Err(CodecError::TooLarge(_))
        ));
        assert_eq!(decompress_limited(&bomb, 1 << 20).unwrap().len(), 1 << 20);
    }

    #[test]
    fn a_byte_vector_may_be_as_long_as_is_said() {
        let stored = encode_bytes(&[7; 1000]).unwrap();
        assert_eq!(decode_bytes_limited(&stored, 1000).unwrap(), [7; 1000]);
        assert!(matches!(
            decode_bytes_limited(&stored, 999),
            Err(CodecError::TooLarge(_))
        ));
    }

    #[test]
    fn what_is_not_zstd_is_refused() {
        assert!(matches!(
            decompress(b"plain text"),
            Err(CodecError::Zstd(_))
        ));
        let stored = encode_bytes(&[7; 1000]).unwrap();
        let cut = &stored[..stored.len() - 1];
        assert!(matches!(decompress(cut), Err(CodecError::Zstd(_))));
        assert!(matches!(decoded_len(cut), Err(CodecError::Zstd(_))));
        assert!(matches!(decoded_len(b"text"), Err(CodecError::Zstd(_))));
    }

    proptest! {
        #[test]
        fn bytes_come_back(data: Vec<u8>) {
            let stored = encode_bytes(&data).unwrap();
            prop_assert!(stored.len() as u64 <= largest_at_rest(data.len() as u64));
            prop_assert_eq!(decode_bytes(&stored).unwrap(), data);
        }

        #[test]
        fn pieces_are_what_comes_out_in_one(data: Vec<u8>) {
            let stored = compress(&data).unwrap();
            prop_assert_eq!(decoded_len(&stored).unwrap(), data.len() as u64);
            let mut pieces = Vec::new();
            decoder(std::io::Cursor::new(stored)).unwrap().read_to_end(&mut pieces).unwrap();
            prop_assert_eq!(pieces, data);
        }

        #[test]
        fn a_stdin_comes_back(hints: Vec<Vec<u8>>) {
            let stdin = encode_stdin(&hints);
            let parts = decode_stdin(&stdin).unwrap();
            prop_assert!(check_stdin(&stdin).is_ok());
            prop_assert_eq!(parts.hints, hints);
            prop_assert_eq!((parts.ptr, parts.proofs), (0, 0));
        }

        #[test]
        fn a_cut_stdin_is_refused(hints in prop::collection::vec(any::<Vec<u8>>(), 0..8), cut: prop::sample::Index) {
            let stdin = encode_stdin(&hints);
            let is_short = matches!(decode_stdin(&stdin[..cut.index(stdin.len())]), Err(CodecError::Short { .. }));
            prop_assert!(is_short);
        }

        #[test]
        fn nothing_makes_the_decoders_panic(noise: Vec<u8>) {
            prop_assert_eq!(check_stdin(&noise).is_ok(), decode_stdin(&noise).is_ok());
            let _ = decode_bytes(&noise);
            let _ = compress(&noise).and_then(|stored| decode_bytes(&stored));
        }
    }
}
