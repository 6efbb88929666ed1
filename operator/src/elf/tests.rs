#![allow(clippy::unwrap_used)]

use super::*;

const R: u32 = 4;
const RX: u32 = 5;
const RW: u32 = 6;
const RWX: u32 = 7;

struct Segment {
    flags: u32,
    address: u64,
    data: Vec<u8>,
    memory_size: u64,
}

fn segment(flags: u32, address: u64, words: usize) -> Segment {
    Segment {
        flags,
        address,
        data: vec![0x13; words * 4],
        memory_size: words as u64 * 4,
    }
}

/// A 64-bit RISC-V executable with the given segments.
fn elf(entry: u64, segments: &[Segment]) -> Vec<u8> {
    let mut file = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0];
    file.resize(16, 0);
    file.extend(2u16.to_le_bytes());
    file.extend(243u16.to_le_bytes());
    file.extend(1u32.to_le_bytes());
    file.extend(entry.to_le_bytes());
    file.extend(64u64.to_le_bytes());
    file.extend(0u64.to_le_bytes());
    file.extend(0u32.to_le_bytes());
    file.extend(64u16.to_le_bytes());
    file.extend(56u16.to_le_bytes());
    file.extend((segments.len() as u16).to_le_bytes());
    file.resize(64, 0);
    let mut offset = 64 + 56 * segments.len() as u64;
    for s in segments {
        file.extend(1u32.to_le_bytes());
        file.extend(s.flags.to_le_bytes());
        file.extend(offset.to_le_bytes());
        file.extend(s.address.to_le_bytes());
        file.extend(s.address.to_le_bytes());
        file.extend((s.data.len() as u64).to_le_bytes());
        file.extend(s.memory_size.to_le_bytes());
        file.extend(4u64.to_le_bytes());
        offset += s.data.len() as u64;
    }
    for s in segments {
        file.extend(&s.data);
    }
    file
}

const BASE: u64 = 0x7800_0000;

#[test]
fn accepts_code_constants_and_data() {
    let mut data = segment(RW, BASE + 0x2000, 2);
    data.memory_size = 0x1000;
    let file = elf(
        BASE + 4,
        &[segment(RX, BASE, 8), segment(R, BASE + 0x1000, 3), data],
    );
    let summary = validate(&file).unwrap();
    assert_eq!(
        summary,
        ElfSummary {
            entry: BASE + 4,
            instructions: 8,
            image_bytes: 32 + 12 + 0x1000
        }
    );
}

#[test]
fn accepts_contiguous_code_segments() {
    let file = elf(BASE, &[segment(RX, BASE, 4), segment(RX, BASE + 16, 4)]);
    assert_eq!(validate(&file).unwrap().instructions, 8);
}

#[test]
fn names_what_is_wrong_and_the_way_out() {
    let mut dynamic = elf(BASE, &[segment(RX, BASE, 1)]);
    dynamic[16] = 3;
    let mut intel = elf(BASE, &[segment(RX, BASE, 1)]);
    intel[18] = 62;
    let mut big_endian = elf(BASE, &[segment(RX, BASE, 1)]);
    big_endian[5] = 2;
    let mut huge_bss = segment(RW, BASE + 0x1000, 1);
    huge_bss.memory_size = MAX_IMAGE_BYTES + 1;
    let mut wrap = segment(RW, BASE + 0x1000, 1);
    wrap.memory_size = u64::MAX;
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (vec![], "empty"),
        (
            b"#!/bin/sh".to_vec(),
            "not an ELF file: it starts with 23212f62",
        ),
        (vec![0x7f, b'E', b'L', b'F', 2, 1], "cut short"),
        (dynamic, "-static -no-pie"),
        (intel, "for x86-64, not for RISC-V"),
        (big_endian, "big-endian"),
        (
            elf(BASE + 2, &[segment(RX, BASE, 4)]),
            "not a multiple of 4",
        ),
        (
            elf(BASE + 64, &[segment(RX, BASE, 4)]),
            "outside the executable segments",
        ),
        (
            elf(0x20_0000, &[segment(RX, 0x20_0000, 4)]),
            "below 0x78000000",
        ),
        (
            elf(BASE, &[segment(RX, BASE, 4), segment(R, BASE + 0x102, 1)]),
            "not aligned",
        ),
        (elf(BASE, &[segment(RWX, BASE, 4)]), "is R+W+X"),
        (
            elf(BASE, &[segment(RX, BASE, 4), segment(2, BASE + 0x100, 1)]),
            "is W;",
        ),
        (
            elf(BASE, &[segment(RX, BASE, 4), segment(R, BASE + 8, 1)]),
            "sorted and disjoint",
        ),
        (
            elf(BASE, &[segment(RX, BASE, 4), segment(RX, BASE + 64, 4)]),
            "link all code into one segment",
        ),
        (elf(BASE, &[segment(R, BASE, 4)]), "no executable segment"),
        (
            elf(BASE, &[segment(RX, BASE, (1 << 22) + 1)]),
            "instructions, at most",
        ),
        (elf(BASE, &[segment(RX, BASE, 4), huge_bss]), "shrink .bss"),
        (elf(BASE, &[segment(RX, BASE, 4), wrap]), "impossible size"),
    ];
    for (file, expected) in cases {
        let message = validate(&file).unwrap_err().to_string();
        assert!(
            message.contains(expected),
            "{message:?} should contain {expected:?}"
        );
    }
}

#[test]
fn a_segment_beyond_the_file_is_cut_short() {
    let mut file = elf(BASE, &[segment(RX, BASE, 16)]);
    file.truncate(file.len() - 1);
    assert!(matches!(
        validate(&file),
        Err(ElfError::Truncated {
            what: "a segment",
            ..
        })
    ));
}

#[test]
fn no_prefix_or_flipped_byte_panics() {
    let file = elf(BASE, &[segment(RX, BASE, 8), segment(RW, BASE + 0x1000, 3)]);
    for length in 0..file.len() {
        let _ = validate(&file[..length]);
    }
    for position in 0..file.len() {
        for value in [0, 1, 0x7f, 0xff] {
            let mut broken = file.clone();
            broken[position] = value;
            let _ = validate(&broken);
        }
    }
}

#[test]
fn too_many_headers_are_refused() {
    let mut file = elf(BASE, &[segment(RX, BASE, 1)]);
    file[56..58].copy_from_slice(&300u16.to_le_bytes());
    assert_eq!(
        validate(&file),
        Err(ElfError::ProgramHeaders { found: 300 })
    );
}
