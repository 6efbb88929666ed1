//! Why a file is not a program that SP1 can load.

use super::{MAX_IMAGE_BYTES, MAX_INSTRUCTIONS, MAX_PROGRAM_HEADERS, STACK_TOP};

/// How a right program is built; ends every message about how a program was compiled or linked.
const REMEDY: &str = "build a static rv64im executable linked at 0x78000000 or above: with `cargo prove build`, or with \
     `-march=rv64im -mabi=lp64 -static -fno-pic -nostdlib` and a linker script that keeps code, constants and data in separate \
     segments";

/// The first loader rule that a file breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ElfError {
    /// There are no bytes.
    #[error("the program is empty (0 bytes): give the bytes of an ELF file")]
    Empty,
    /// The magic number is missing.
    #[error(
        "not an ELF file: it starts with {found}, an ELF file with 7f454c46: give the linked program itself, not an archive or its text form"
    )]
    NotElf {
        /// The first bytes in hex.
        found: String,
    },
    /// The file ends before its headers do.
    #[error(
        "the ELF file is cut short: {what} needs {needed} bytes, the file has {have}: copy the whole file"
    )]
    Truncated {
        /// Which part does not fit.
        what: &'static str,
        /// Bytes needed from the start of the file.
        needed: u64,
        /// Bytes there are.
        have: u64,
    },
    /// Big-endian, or an unknown class.
    #[error("an ELF file of {found}, not a little-endian one: {REMEDY}")]
    Encoding {
        /// Class or byte order found.
        found: &'static str,
    },
    /// Built for another processor.
    #[error("an ELF file for {found}, not for RISC-V: {REMEDY}")]
    Machine {
        /// Name or number of the machine.
        found: String,
    },
    /// An object file, shared library or position-independent executable.
    #[error("an ELF file of type {found}, not an executable (ET_EXEC): {REMEDY}")]
    NotExecutable {
        /// Name of the type.
        found: String,
    },
    /// The entry point is no instruction address.
    #[error("the entry point {entry:#x} is not a multiple of 4: {REMEDY}")]
    Entry {
        /// The entry address.
        entry: u64,
    },
    /// The entry point lies outside the code.
    #[error("the entry point {entry:#x} lies outside the executable segments: {REMEDY}")]
    EntryOutsideCode {
        /// The entry address.
        entry: u64,
    },
    /// Too many program headers.
    #[error("{found} program headers, at most {MAX_PROGRAM_HEADERS} are read: {REMEDY}")]
    ProgramHeaders {
        /// Number of headers.
        found: usize,
    },
    /// A segment lies in the stack's area.
    #[error("a segment at {address:#x} lies below {STACK_TOP:#x}, where the stack is: {REMEDY}")]
    BelowStackTop {
        /// The segment's address.
        address: u64,
    },
    /// A segment's address is no multiple of 4.
    #[error("a segment at {address:#x} is not aligned to 4 bytes: {REMEDY}")]
    Misaligned {
        /// The segment's address.
        address: u64,
    },
    /// A segment's flags are none of R, R+X, R+W.
    #[error(
        "the segment at {address:#x} is {flags}; segments are R, R+X or R+W, never writable and executable at once: {REMEDY}"
    )]
    Flags {
        /// The segment's address.
        address: u64,
        /// Flags as letters.
        flags: String,
    },
    /// Two segments overlap or are out of order.
    #[error(
        "the segment at {address:#x} starts before the one before it ends ({previous_end:#x}): segments are sorted and disjoint: {REMEDY}"
    )]
    Overlap {
        /// The segment's address.
        address: u64,
        /// End of the segment before it.
        previous_end: u64,
    },
    /// A segment reaches beyond the address space, or its file part is larger than its memory.
    #[error("the segment at {address:#x} has an impossible size: {REMEDY}")]
    Size {
        /// The segment's address.
        address: u64,
    },
    /// Code in several pieces with gaps.
    #[error(
        "the executable segment at {address:#x} does not follow the one before it, which ends at {expected:#x}: link all code into one segment: {REMEDY}"
    )]
    CodeGap {
        /// The segment's address.
        address: u64,
        /// Where it should start.
        expected: u64,
    },
    /// No code at all.
    #[error("the program has no executable segment: {REMEDY}")]
    NoCode,
    /// Too many instructions.
    #[error(
        "the program has {found} instructions, at most {MAX_INSTRUCTIONS} can be proved: optimise for size or split it"
    )]
    TooManyInstructions {
        /// Number of instructions.
        found: u64,
    },
    /// The memory image is too large.
    #[error(
        "the program's segments take {found} bytes of memory, at most {MAX_IMAGE_BYTES} are accepted: shrink .bss and .data, take large buffers from the heap"
    )]
    ImageTooLarge {
        /// Bytes of memory.
        found: u64,
    },
}
