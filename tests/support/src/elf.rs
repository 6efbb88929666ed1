//! The smallest program that the operator accepts.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const BASE: u64 = 0x7800_0000;
/// `addi x0, x0, 0`.
const NOP: u32 = 0x13;

/// An ELF of one segment with `words` instructions.
pub fn program(words: u32) -> Vec<u8> {
    of((0..words).map(|_| NOP).collect())
}

/// An ELF of its own for each name, in base64.
pub fn named(name: &str) -> String {
    // `addi x0, x0, byte` does nothing either.
    let words = name.bytes().map(|byte| NOP | u32::from(byte) << 20);
    STANDARD.encode(of(words.collect()))
}

fn of(words: Vec<u32>) -> Vec<u8> {
    let mut elf = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0];
    elf.resize(16, 0);
    for half in [2u16, 243] {
        elf.extend(half.to_le_bytes());
    }
    elf.extend(1u32.to_le_bytes());
    for wide in [BASE, 64, 0] {
        elf.extend(wide.to_le_bytes());
    }
    elf.extend(0u32.to_le_bytes());
    for half in [64u16, 56, 1, 0, 0, 0] {
        elf.extend(half.to_le_bytes());
    }
    for word in [1u32, 5] {
        elf.extend(word.to_le_bytes());
    }
    let size = words.len() as u64 * 4;
    for wide in [120, BASE, BASE, size, size, 4] {
        elf.extend(wide.to_le_bytes());
    }
    elf.extend(words.into_iter().flat_map(u32::to_le_bytes));
    elf
}

/// The same in base64.
pub fn inline(words: u32) -> String {
    STANDARD.encode(program(words))
}
