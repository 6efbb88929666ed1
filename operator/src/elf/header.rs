//! The ELF file header and the program headers, read without trusting any number in them.

use super::{ElfError, MAX_PROGRAM_HEADERS};

const MAGIC: [u8; 4] = [0x7f, b'E', b'L', b'F'];
const EM_RISCV: u16 = 243;
const ET_EXEC: u16 = 2;
const PT_LOAD: u32 = 1;

/// The fields of the file header that matter to a loader.
#[derive(Debug)]
pub(super) struct Header {
    wide: bool,
    pub(super) entry: u64,
    table_offset: u64,
    entry_size: u64,
    count: usize,
}

/// One PT_LOAD program header.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    pub(super) flags: u32,
    pub(super) offset: u64,
    pub(super) address: u64,
    pub(super) file_size: u64,
    pub(super) memory_size: u64,
}

impl Header {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, ElfError> {
        if bytes.is_empty() {
            return Err(ElfError::Empty);
        }
        if !bytes.starts_with(&MAGIC) {
            return Err(ElfError::NotElf {
                found: hex::encode(&bytes[..bytes.len().min(4)]),
            });
        }
        let reader = Reader {
            bytes,
            what: "the file header",
        };
        let wide = match reader.u8(4)? {
            1 => false,
            2 => true,
            _ => {
                return Err(ElfError::Encoding {
                    found: "an unknown class",
                });
            }
        };
        match reader.u8(5)? {
            1 => {}
            2 => {
                return Err(ElfError::Encoding {
                    found: "big-endian byte order",
                });
            }
            _ => {
                return Err(ElfError::Encoding {
                    found: "an unknown byte order",
                });
            }
        }
        let kind = reader.u16(16)?;
        let machine = reader.u16(18)?;
        if machine != EM_RISCV {
            return Err(ElfError::Machine {
                found: machine_name(machine),
            });
        }
        if kind != ET_EXEC {
            return Err(ElfError::NotExecutable {
                found: type_name(kind),
            });
        }
        let header = if wide {
            Self {
                wide,
                entry: reader.u64(24)?,
                table_offset: reader.u64(32)?,
                entry_size: reader.u16(54)?.into(),
                count: reader.u16(56)?.into(),
            }
        } else {
            Self {
                wide,
                entry: reader.u32(24)?.into(),
                table_offset: reader.u32(28)?.into(),
                entry_size: reader.u16(42)?.into(),
                count: reader.u16(44)?.into(),
            }
        };
        if !header.entry.is_multiple_of(4) {
            return Err(ElfError::Entry {
                entry: header.entry,
            });
        }
        if header.count > MAX_PROGRAM_HEADERS {
            return Err(ElfError::ProgramHeaders {
                found: header.count,
            });
        }
        Ok(header)
    }

    /// The PT_LOAD headers in file order.
    pub(super) fn load_segments(&self, bytes: &[u8]) -> Result<Vec<Load>, ElfError> {
        let reader = Reader {
            bytes,
            what: "the program header table",
        };
        let minimum = if self.wide { 56 } else { 32 };
        if self.count > 0 && self.entry_size < minimum {
            return Err(ElfError::Truncated {
                what: "a program header",
                needed: minimum,
                have: self.entry_size,
            });
        }
        let mut loads = Vec::new();
        for index in 0..self.count {
            let base = self
                .table_offset
                .saturating_add(self.entry_size * index as u64);
            let at = |offset: u64| base.saturating_add(offset);
            if reader.u32(base)? != PT_LOAD {
                continue;
            }
            loads.push(if self.wide {
                Load {
                    flags: reader.u32(at(4))?,
                    offset: reader.u64(at(8))?,
                    address: reader.u64(at(16))?,
                    file_size: reader.u64(at(32))?,
                    memory_size: reader.u64(at(40))?,
                }
            } else {
                Load {
                    offset: reader.u32(at(4))?.into(),
                    address: reader.u32(at(8))?.into(),
                    file_size: reader.u32(at(16))?.into(),
                    memory_size: reader.u32(at(20))?.into(),
                    flags: reader.u32(at(24))?,
                }
            });
        }
        Ok(loads)
    }
}

/// Little-endian reads with bounds.
struct Reader<'a> {
    bytes: &'a [u8],
    what: &'static str,
}

impl Reader<'_> {
    fn take<const N: usize>(&self, offset: u64) -> Result<[u8; N], ElfError> {
        let short = || ElfError::Truncated {
            what: self.what,
            needed: offset.saturating_add(N as u64),
            have: self.bytes.len() as u64,
        };
        let start = usize::try_from(offset).map_err(|_| short())?;
        self.bytes
            .get(start..)
            .and_then(|rest| rest.first_chunk::<N>())
            .copied()
            .ok_or_else(short)
    }

    fn u8(&self, offset: u64) -> Result<u8, ElfError> {
        self.take::<1>(offset).map(|b| b[0])
    }

    fn u16(&self, offset: u64) -> Result<u16, ElfError> {
        self.take(offset).map(u16::from_le_bytes)
    }

    fn u32(&self, offset: u64) -> Result<u32, ElfError> {
        self.take(offset).map(u32::from_le_bytes)
    }

    fn u64(&self, offset: u64) -> Result<u64, ElfError> {
        self.take(offset).map(u64::from_le_bytes)
    }
}

fn machine_name(machine: u16) -> String {
    match machine {
        3 => "x86 (32 bit)".into(),
        8 => "MIPS".into(),
        40 => "ARM (32 bit)".into(),
        62 => "x86-64".into(),
        183 => "AArch64".into(),
        other => format!("machine {other}"),
    }
}

fn type_name(kind: u16) -> String {
    match kind {
        1 => "relocatable object (ET_REL): link it".into(),
        3 => "shared or position-independent (ET_DYN): link with -static -no-pie".into(),
        4 => "core dump (ET_CORE)".into(),
        other => format!("{other}"),
    }
}
