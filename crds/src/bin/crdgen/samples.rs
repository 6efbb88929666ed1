//! The samples that carry a program inline.

use std::{
    fs,
    path::{Path, PathBuf},
};

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::Error;

/// A sample: a file of `config/samples`, the prebuilt guest that it proves, and its text around that.
struct Sample {
    file: &'static str,
    guest: &'static str,
    text: &'static str,
}

/// Where the base64 of the guest's ELF goes.
const PLACE: &str = "@ELF@";

const SAMPLES: &[Sample] = &[
    Sample {
        file: "fibonacci.yaml",
        guest: "fibonacci.elf",
        text: include_str!("fibonacci.yaml.in"),
    },
    Sample {
        file: "keccak.yaml",
        guest: "keccak.elf",
        text: include_str!("keccak.yaml.in"),
    },
    Sample {
        file: "execute.yaml",
        guest: "fibonacci.elf",
        text: include_str!("execute.yaml.in"),
    },
];

/// The generated samples: path and text.
///
/// # Errors
/// A prebuilt guest cannot be read.
pub(crate) fn files(root: &Path) -> Result<Vec<(PathBuf, String)>, Error> {
    SAMPLES
        .iter()
        .map(|sample| {
            let elf = root.join("guests/prebuilt").join(sample.guest);
            let bytes = fs::read(&elf).map_err(Error::io(&elf))?;
            let text = sample.text.replace(PLACE, &STANDARD.encode(bytes));
            Ok((root.join("config/samples").join(sample.file), text))
        })
        .collect()
}
