//! Writes the files that are made from the API types: `config/crd` and the generated samples.
//!
//! ```text
//! crdgen [crds|samples] [--check]
//! ```
//!
//! Without a word both. With `--check` nothing is written: the files that differ are named, and the exit code is 1.

mod samples;

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use provost_crds::{manifest, yaml};

/// Why the files could not be made or compared.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("unknown argument {0:?}; usage: crdgen [crds|samples] [--check]")]
    Usage(String),
    #[error(transparent)]
    Yaml(#[from] yaml::Error),
    #[error("{}: {source}", path.display())]
    Io {
        path: PathBuf,
        source: std::io::Error,
    },
}

impl Error {
    fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}

/// Which files are asked for.
#[derive(Clone, Copy, Default)]
struct Choice {
    crds: bool,
    samples: bool,
    check: bool,
}

impl Choice {
    fn parse(args: impl Iterator<Item = String>) -> Result<Self, Error> {
        let mut choice = Self::default();
        for arg in args {
            match arg.as_str() {
                "crds" => choice.crds = true,
                "samples" => choice.samples = true,
                "--check" => choice.check = true,
                _ => return Err(Error::Usage(arg)),
            }
        }
        if !choice.crds && !choice.samples {
            (choice.crds, choice.samples) = (true, true);
        }
        Ok(choice)
    }
}

/// The root of the workspace that cargo runs this in; else the current folder. Not that of the build: clones share a target folder.
fn root() -> PathBuf {
    let folder = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    folder
        .and_then(|folder| Some(folder.parent()?.to_path_buf()))
        .unwrap_or_else(|| PathBuf::from("."))
}

/// The chosen files: path and text.
fn generate(choice: Choice) -> Result<Vec<(PathBuf, String)>, Error> {
    let mut files = Vec::new();
    if choice.crds {
        let dir = root().join("config/crd");
        files.extend(
            manifest::files()?
                .into_iter()
                .map(|(name, text)| (dir.join(name), text)),
        );
    }
    if choice.samples {
        files.extend(samples::files(&root())?);
    }
    Ok(files)
}

/// The files that are absent or hold another text.
fn drift(files: &[(PathBuf, String)]) -> Vec<&Path> {
    files
        .iter()
        .filter(|(path, text)| fs::read_to_string(path).ok().as_ref() != Some(text))
        .map(|(path, _)| path.as_path())
        .collect()
}

fn write(files: &[(PathBuf, String)]) -> Result<(), Error> {
    for (path, text) in files {
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir).map_err(Error::io(dir))?;
        }
        fs::write(path, text).map_err(Error::io(path))?;
    }
    Ok(())
}

fn run() -> Result<ExitCode, Error> {
    let choice = Choice::parse(std::env::args().skip(1))?;
    let files = generate(choice)?;
    if !choice.check {
        write(&files)?;
        return Ok(ExitCode::SUCCESS);
    }
    let stale = drift(&files);
    for path in &stale {
        eprintln!("{} is out of date", path.display());
    }
    if stale.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("run: cargo run -p provost-crds --bin crdgen");
    Ok(ExitCode::FAILURE)
}

fn main() -> ExitCode {
    run().unwrap_or_else(|error| {
        eprintln!("crdgen: {error}");
        ExitCode::from(2)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn committed_files_are_up_to_date() {
        let files = generate(Choice::parse(std::iter::empty()).unwrap()).unwrap();
        assert_eq!(
            drift(&files),
            Vec::<&Path>::new(),
            "run: cargo run -p provost-crds --bin crdgen"
        );
    }

    #[test]
    fn config_crd_holds_nothing_else() {
        let mut expected: Vec<_> = manifest::files()
            .unwrap()
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        let mut found: Vec<_> = fs::read_dir(root().join("config/crd"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        expected.sort();
        found.sort();
        assert_eq!(found, expected);
    }

    #[test]
    fn an_unknown_argument_is_an_error() {
        let error = Choice::parse(["crd".to_owned()].into_iter()).err().unwrap();
        assert!(error.to_string().contains("\"crd\""), "{error}");
    }
}
