//! The worker image's entry point: runs the build of the worker that fits this machine's CPU.
//!
//! SP1 chooses its vector code when it is compiled, and a baseline build proves 2.6 times slower than one for AVX-512.
//! So the image carries one build for each x86-64 level and this program, built for the baseline, picks the highest that
//! both the image has and the CPU can run.

#![forbid(unsafe_code)]

mod level;

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use level::Level;

/// Where the builds lie: `<this>/<level>/worker`.
const BUILDS: &str = "/opt/provost";

/// Replaces [`BUILDS`], for tests and for running outside an image.
const BUILDS_VARIABLE: &str = "PROVOST_BUILDS";

/// Names one level and nothing higher, for comparisons.
const LEVEL_VARIABLE: &str = "PROVOST_CPU_LEVEL";

fn main() -> ExitCode {
    let builds =
        std::env::var_os(BUILDS_VARIABLE).map_or_else(|| PathBuf::from(BUILDS), PathBuf::from);
    let best = match std::env::var(LEVEL_VARIABLE) {
        Ok(name) => match name.parse() {
            Ok(level) => level,
            Err(error) => return fail(&format!("{LEVEL_VARIABLE}: {error}")),
        },
        Err(_) => Level::of_this_cpu(),
    };
    let Some(program) = choose(&builds, best) else {
        return fail(&format!(
            "{} has no build of the worker for level {} or lower: build the image with `hack/images --levels`",
            builds.display(),
            best.name()
        ));
    };
    // Only returns when it fails.
    let error = Command::new(&program)
        .args(std::env::args_os().skip(1))
        .exec();
    fail(&format!("cannot run {}: {error}", program.display()))
}

/// The highest build that is there and not above `best`.
fn choose(builds: &Path, best: Level) -> Option<PathBuf> {
    Level::ALL
        .into_iter()
        .rev()
        .filter(|level| *level <= best)
        .map(|level| builds.join(level.name()).join("worker"))
        .find(|path| path.is_file())
}

fn fail(message: &str) -> ExitCode {
    eprintln!("launcher: {message}");
    ExitCode::FAILURE
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_build_that_fits_is_chosen() {
        let builds = tempfile::tempdir().unwrap();
        for level in ["v2", "v4"] {
            std::fs::create_dir(builds.path().join(level)).unwrap();
            std::fs::write(builds.path().join(level).join("worker"), "").unwrap();
        }
        let chosen = |level| {
            choose(builds.path(), level)
                .map(|path| path.strip_prefix(builds.path()).unwrap().to_owned())
        };
        assert_eq!(chosen(Level::V4), Some("v4/worker".into()));
        assert_eq!(chosen(Level::V3), Some("v2/worker".into()));
        assert_eq!(chosen(Level::V1), None);
    }
}
