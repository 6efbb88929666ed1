//! Wrong clocks: a small library before all others makes a process read another wall clock. Its monotonic clock is right.

use std::path::{Path, PathBuf};
use std::process::Command;

const SOURCE: &str = include_str!("../clock.c");

/// The wall clock of some processes.
#[derive(Debug)]
pub struct Clock {
    library: PathBuf,
    offset: PathBuf,
}

impl Clock {
    /// A clock that is right, with its files in `folder`.
    pub fn new(folder: &Path) -> Self {
        let (source, library) = (folder.join("clock.c"), folder.join("clock.so"));
        std::fs::write(&source, SOURCE).unwrap();
        let mut compiler = Command::new("cc");
        compiler
            .args(["-shared", "-fPIC", "-O2", "-o"])
            .arg(&library)
            .arg(&source);
        assert!(
            compiler.status().unwrap().success(),
            "cc does not compile {}",
            source.display()
        );
        let clock = Self {
            library,
            offset: folder.join("clock.offset"),
        };
        clock.jump(0);
        clock
    }

    /// From now on the wall clock is wrong by this many seconds.
    pub fn jump(&self, seconds: i64) {
        use std::io::{Seek as _, Write as _};
        // In place: the processes have mapped the file.
        let mut file = std::fs::File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&self.offset)
            .unwrap();
        file.rewind().unwrap();
        file.write_all(&seconds.to_ne_bytes()).unwrap();
    }

    /// What a process needs in its environment.
    pub fn env(&self) -> [(String, String); 2] {
        let text = |path: &Path| path.display().to_string();
        [
            ("LD_PRELOAD".to_owned(), text(&self.library)),
            ("FAULTS_CLOCK".to_owned(), text(&self.offset)),
        ]
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_process_reads_the_wrong_time() {
        let folder = std::env::temp_dir().join(format!("faults-clock-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let clock = Clock::new(&folder);
        let read = || {
            let output = Command::new("date")
                .arg("+%s")
                .envs(clock.env())
                .output()
                .unwrap();
            String::from_utf8(output.stdout)
                .unwrap()
                .trim()
                .parse::<i64>()
                .unwrap()
        };
        let now = jiff::Timestamp::now().as_second();
        assert!((read() - now).abs() < 60);
        clock.jump(7200);
        assert!((read() - now - 7200).abs() < 60);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
