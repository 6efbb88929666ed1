//! What SP1's loader accepts as a program, checked before anything is stored or scheduled.
//!
//! The rules are those of the SP1 6.10 loader. A program that breaks one would fail only once a worker has fetched
//! it; here the user learns of it at once, with a message that says what is wrong and how to build a right one.

mod error;
mod header;
mod segments;

pub use error::ElfError;
use header::Header;

/// Lowest address of a loadable segment: the guest's stack grows down from here.
pub const STACK_TOP: u64 = 0x7800_0000;
/// Most program headers that SP1 reads.
pub const MAX_PROGRAM_HEADERS: usize = 256;
/// Most instructions of a program.
pub const MAX_INSTRUCTIONS: u64 = 1 << 22;
/// Most bytes of memory that a program may ask for at start. SP1 builds a map of every word of it, zeros included.
pub const MAX_IMAGE_BYTES: u64 = 512 << 20;

/// What is known of a program that passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ElfSummary {
    /// Address of the first instruction that runs.
    pub entry: u64,
    /// Number of 32-bit instruction words.
    pub instructions: u64,
    /// Bytes of memory of all loadable segments, zero-filled part included.
    pub image_bytes: u64,
}

/// Checks `bytes` against the loader's rules.
///
/// # Errors
/// The first rule that is broken.
pub fn validate(bytes: &[u8]) -> Result<ElfSummary, ElfError> {
    let header = Header::parse(bytes)?;
    let loads = header.load_segments(bytes)?;
    segments::check(&header, &loads, bytes.len() as u64)
}

#[cfg(test)]
mod tests;
