//! A process of the cluster under test.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

pub use rustix::process::Signal;
use rustix::process::{Pid, kill_process};

use crate::wait::within;

/// How a process ended, as a kubelet tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit {
    /// Its exit code; 128 and the signal's number for one that a signal ended.
    pub code: i32,
    /// Whether a signal ended it.
    pub signalled: bool,
}

/// A running process. It is killed when this is dropped, and also when the thread that started it ends in whatever way.
#[derive(Debug)]
pub struct Process {
    child: Mutex<Child>,
    pid: Pid,
    log: PathBuf,
}

impl Process {
    /// Starts `program` with exactly this environment; what it prints is appended to `log`.
    pub fn start(
        program: &Path,
        args: &[String],
        env: &BTreeMap<String, String>,
        log: &Path,
    ) -> Self {
        let output = File::options().create(true).append(true).open(log).unwrap();
        // A test that is killed leaves nothing behind.
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--"])
            .arg(program)
            .args(args)
            .env_clear()
            .env("PATH", std::env::var("PATH").unwrap_or_default())
            .envs(env)
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap_or_else(|error| panic!("{} does not start: {error}", program.display()));
        let pid = Pid::from_child(&child);
        Self {
            child: Mutex::new(child),
            pid,
            log: log.to_owned(),
        }
    }

    /// Sends a signal. One to a process that has ended is lost.
    pub fn signal(&self, signal: Signal) {
        // The child is not reaped before it is looked at, so that its number is nobody else's.
        if self.exit().is_none() {
            let _ = kill_process(self.pid, signal);
        }
    }

    /// Kills it, and waits until it is gone.
    pub fn kill(&self) {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = child.kill();
        let _ = child.wait();
    }

    /// How it ended, if it has.
    pub fn exit(&self) -> Option<Exit> {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        let status = child.try_wait().unwrap()?;
        Some(match status.code() {
            Some(code) => Exit {
                code,
                signalled: false,
            },
            None => Exit {
                code: 128 + status.signal().unwrap_or_default(),
                signalled: true,
            },
        })
    }

    /// Waits until it has ended.
    pub async fn ended(&self, limit: Duration) -> Exit {
        let what = format!("the end of the process that logs to {}", self.log.display());
        within(limit, &what, || async { self.exit() }).await
    }

    /// What it has printed.
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The binary `name` of this workspace: beside the test's own, or where `variable` says.
pub fn binary(name: &str, variable: &str) -> PathBuf {
    if let Ok(path) = std::env::var(variable) {
        return path.into();
    }
    let test = std::env::current_exe().unwrap();
    let path = test.parent().unwrap().parent().unwrap().join(name);
    assert!(
        path.exists(),
        "{} is not there: cargo build -p provost-operator -p provost-worker-sim, or set {variable}",
        path.display()
    );
    path
}
