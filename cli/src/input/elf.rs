//! A first look at the program, so that a wrong file is refused before anything is sent. What SP1
//! accepts in full is for the operator to say.

use std::path::Path;

use crate::error::CliError;

const MAGIC: &[u8] = b"\x7fELF";
/// Byte 4: 32 or 64 bits.
const CLASS: usize = 4;
const CLASS_64: u8 = 2;
/// Bytes 18 and 19, little-endian: the machine.
const MACHINE: std::ops::Range<usize> = 18..20;
const RISCV: u16 = 243;

/// Reads the program and checks that it is an ELF for 64-bit RISC-V.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    let data = super::file::read(path)?;
    match complaint(&data) {
        None => Ok(data),
        Some(text) => Err(CliError::usage(format!(
            "{}: {text}: give the program that SP1's toolchain built for the zkVM (64-bit RISC-V ELF)",
            path.display()
        ))),
    }
}

/// Why these bytes are not a program for SP1.
fn complaint(data: &[u8]) -> Option<String> {
    if !data.starts_with(MAGIC) {
        return Some("not an ELF file".to_owned());
    }
    if data.get(CLASS) != Some(&CLASS_64) {
        return Some("an ELF file, but not for 64 bits".to_owned());
    }
    let machine = data
        .get(MACHINE)
        .and_then(|m| m.try_into().ok())
        .map(u16::from_le_bytes);
    match machine {
        Some(RISCV) => None,
        Some(other) => Some(format!(
            "an ELF file for machine {other}, not for RISC-V (243)"
        )),
        None => Some("an ELF file that ends in its header".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(class: u8, machine: u16) -> Vec<u8> {
        let mut data = vec![0; 64];
        data[..4].copy_from_slice(MAGIC);
        data[CLASS] = class;
        data[MACHINE].copy_from_slice(&machine.to_le_bytes());
        data
    }

    #[test]
    fn only_riscv_64_passes() {
        assert_eq!(complaint(&header(2, 243)), None);
        assert!(complaint(&header(1, 243)).unwrap().contains("64 bits"));
        assert!(complaint(&header(2, 62)).unwrap().contains("machine 62"));
        assert!(complaint(b"#!/bin/sh").unwrap().contains("not an ELF"));
        assert!(complaint(b"").is_some());
        assert!(
            complaint(&header(2, 243)[..12])
                .unwrap()
                .contains("ends in its header")
        );
    }

    #[test]
    fn the_error_names_the_file_and_what_is_wanted() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = read(file.path()).unwrap_err();
        assert_eq!(error.code(), crate::error::EXIT_USAGE);
        let text = error.to_string();
        assert!(
            text.contains(&file.path().display().to_string()) && text.contains("toolchain"),
            "{text}"
        );
    }
}
