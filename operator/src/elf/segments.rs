//! The rules about loadable segments.

use super::header::{Header, Load};
use super::{ElfError, ElfSummary, MAX_IMAGE_BYTES, MAX_INSTRUCTIONS, STACK_TOP};

const EXECUTE: u32 = 1;
const WRITE: u32 = 2;
const READ: u32 = 4;

pub(super) fn check(
    header: &Header,
    loads: &[Load],
    file_length: u64,
) -> Result<ElfSummary, ElfError> {
    let mut previous_end: Option<u64> = None;
    let mut code: Option<Code> = None;
    let mut image_bytes = 0u64;
    for load in loads {
        let end = check_one(load, file_length)?;
        if let Some(previous_end) = previous_end.filter(|previous| *previous > load.address) {
            return Err(ElfError::Overlap {
                address: load.address,
                previous_end,
            });
        }
        previous_end = Some(end);
        image_bytes = image_bytes.saturating_add(load.memory_size);
        if load.flags & EXECUTE != 0 {
            code = Some(Code::extend(code, load)?);
        }
    }
    let code = code
        .filter(|code| code.instructions > 0)
        .ok_or(ElfError::NoCode)?;
    if code.instructions > MAX_INSTRUCTIONS {
        return Err(ElfError::TooManyInstructions {
            found: code.instructions,
        });
    }
    if image_bytes > MAX_IMAGE_BYTES {
        return Err(ElfError::ImageTooLarge { found: image_bytes });
    }
    if header.entry < code.start || header.entry >= code.end() {
        return Err(ElfError::EntryOutsideCode {
            entry: header.entry,
        });
    }
    Ok(ElfSummary {
        entry: header.entry,
        instructions: code.instructions,
        image_bytes,
    })
}

/// Checks what concerns one segment alone; returns the address just after it.
fn check_one(load: &Load, file_length: u64) -> Result<u64, ElfError> {
    let address = load.address;
    if address < STACK_TOP {
        return Err(ElfError::BelowStackTop { address });
    }
    if !address.is_multiple_of(4) {
        return Err(ElfError::Misaligned { address });
    }
    let access = load.flags & (READ | WRITE | EXECUTE);
    if access & READ == 0 || access == READ | WRITE | EXECUTE {
        return Err(ElfError::Flags {
            address,
            flags: letters(access),
        });
    }
    let end = address
        .checked_add(load.memory_size)
        .ok_or(ElfError::Size { address })?;
    if load.file_size > load.memory_size {
        return Err(ElfError::Size { address });
    }
    let file_end = load
        .offset
        .checked_add(load.file_size)
        .ok_or(ElfError::Size { address })?;
    if file_end > file_length {
        return Err(ElfError::Truncated {
            what: "a segment",
            needed: file_end,
            have: file_length,
        });
    }
    Ok(end)
}

/// The executable part so far: contiguous, counted in instruction words as the loader counts them.
#[derive(Clone, Copy)]
struct Code {
    start: u64,
    instructions: u64,
}

impl Code {
    fn extend(before: Option<Self>, load: &Load) -> Result<Self, ElfError> {
        let words = load.file_size.div_ceil(4);
        match before {
            None => Ok(Self {
                start: load.address,
                instructions: words,
            }),
            Some(code) if code.end() == load.address => Ok(Self {
                start: code.start,
                instructions: code.instructions + words,
            }),
            Some(code) => Err(ElfError::CodeGap {
                address: load.address,
                expected: code.end(),
            }),
        }
    }

    fn end(&self) -> u64 {
        self.start
            .saturating_add(self.instructions.saturating_mul(4))
    }
}

fn letters(flags: u32) -> String {
    let names = [(READ, "R"), (WRITE, "W"), (EXECUTE, "X")];
    let set: Vec<_> = names
        .iter()
        .filter(|(bit, _)| flags & bit != 0)
        .map(|(_, name)| *name)
        .collect();
    if set.is_empty() {
        "without access rights".into()
    } else {
        set.join("+")
    }
}
