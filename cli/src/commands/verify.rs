//! `verify`: SP1's own verifier on this machine, against the user's own ELF.
//!
//! The verifier is a program of its own, `provost-verify`: it links SP1, which would make this plugin
//! a hundred times larger.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use super::download;
use crate::args::{ClusterArgs, VerifyArgs};
use crate::client::kube::Cluster;
use crate::error::{CliError, EXIT_FAILED, EXIT_VERIFICATION};
use crate::input::elf;
use crate::render::say;

const PROGRAM: &str = "provost-verify";

/// Runs `verify`: 0, 5 for a proof that does not verify, 1 where the verifier cannot tell.
pub(super) async fn run(cluster: &ClusterArgs, args: &VerifyArgs) -> Result<ExitCode, CliError> {
    let verifier = find()?;
    if args.elf.as_os_str() == "-" {
        return Err(CliError::usage(
            "--elf: the verifier reads the ELF by itself, so that standard input will not do: name a file",
        ));
    }
    elf::read(&args.elf)?;
    // Kept until the verifier has read it.
    let folder = tempfile::tempdir().map_err(|e| CliError::file(std::env::temp_dir(), e))?;
    let proof = match (&args.proof, &args.name) {
        (Some(file), _) => {
            std::fs::File::open(file).map_err(|e| CliError::file(file, e))?;
            file.clone()
        }
        (None, Some(name)) => {
            let path = folder.path().join("proof");
            let cluster = Cluster::connect(cluster).await?;
            download::to_file(&cluster, name, &path).await?;
            path
        }
        (None, None) => return Err(CliError::usage("give the NAME of a proof or --proof FILE")),
    };
    let status = Command::new(&verifier)
        .arg("--proof")
        .arg(proof)
        .arg("--elf")
        .arg(&args.elf)
        .status()
        .map_err(|e| CliError::file(&verifier, e))?;
    const NO: i32 = EXIT_VERIFICATION as i32;
    const FAILED: i32 = EXIT_FAILED as i32;
    Ok(match status.code() {
        Some(0) => ExitCode::SUCCESS,
        Some(NO) => ExitCode::from(EXIT_VERIFICATION),
        // It has said why.
        Some(FAILED) => ExitCode::from(EXIT_FAILED),
        _ => {
            say(&format!(
                "error: {} ended with {status}: whether the proof verifies is not known",
                verifier.display()
            ));
            ExitCode::from(EXIT_FAILED)
        }
    })
}

/// Next to this program, else on PATH.
fn find() -> Result<PathBuf, CliError> {
    let own = std::env::current_exe()
        .ok()
        .and_then(|exe| exe.parent().map(Path::to_owned));
    let path = std::env::var_os("PATH").unwrap_or_default();
    search(own.into_iter().chain(std::env::split_paths(&path))).ok_or_else(|| {
        CliError::MissingProgram(format!(
            "`{PROGRAM}` is needed to verify and is neither next to kubectl-proof nor on PATH: build it in a \
             checkout of Provost with `cargo build --release -p provost-worker --bin {PROGRAM}` (SP1 takes a quarter \
             of an hour the first time) and put target/release/{PROGRAM} there"
        ))
    })
}

fn search(folders: impl Iterator<Item = PathBuf>) -> Option<PathBuf> {
    let runs = |path: &PathBuf| {
        std::fs::metadata(path).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
    };
    folders.map(|folder| folder.join(PROGRAM)).find(runs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_can_run_is_taken() {
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let folders = || [a.path().to_owned(), b.path().to_owned()].into_iter();
        assert_eq!(search(folders()), None);
        std::fs::write(a.path().join(PROGRAM), "not executable").unwrap();
        let good = b.path().join(PROGRAM);
        std::fs::write(&good, "").unwrap();
        std::fs::set_permissions(&good, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(search(folders()), Some(good));
    }
}
