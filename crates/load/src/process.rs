//! A server in a process of its own, so that what it uses is its alone.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;

/// A child process; killed when dropped.
pub struct Process {
    child: Child,
}

/// What a process has used so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// CPU time, user and system.
    pub cpu: Duration,
    /// Resident memory now, in bytes.
    pub resident: u64,
    /// The most that it ever was.
    pub most_resident: u64,
}

impl Process {
    /// Starts a program.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(command: &mut Command) -> anyhow::Result<Self> {
        let child = command.spawn().context("a server could not be started")?;
        Ok(Self { child })
    }

    /// Starts this very program again, with `variable` set to `value`, and reads the first line that it prints: where it listens.
    ///
    /// # Errors
    /// It cannot be started, or says nothing.
    pub fn start_self(variable: &str, value: &str) -> anyhow::Result<(Self, String)> {
        let mut command = Command::new(std::env::current_exe()?);
        command.env(variable, value).stdout(Stdio::piped());
        let mut process = Self::start(&mut command)?;
        let out = process.child.stdout.take().context("no output")?;
        let mut address = String::new();
        BufReader::new(out).read_line(&mut address)?;
        anyhow::ensure!(!address.is_empty(), "the server ended before it listened");
        Ok((process, format!("http://{}", address.trim())))
    }

    /// What it has used.
    ///
    /// # Errors
    /// It has ended.
    pub fn usage(&self) -> anyhow::Result<Usage> {
        let id = self.child.id();
        let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
        let kib = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let number =
                line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
            number.map_or(0, |kib| kib * 1024)
        };
        Ok(Usage {
            cpu: cpu(id)?,
            resident: kib("VmRSS:"),
            most_resident: kib("VmHWM:"),
        })
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it ends.
    ///
    /// # Errors
    /// The system says that it cannot be waited for.
    pub fn wait(&mut self) -> std::io::Result<()> {
        self.child.wait().map(|_| ())
    }

    /// Kills it as SIGKILL does.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// CPU time that a process has used, user and system.
///
/// # Errors
/// There is no such process.
pub fn cpu(id: u32) -> anyhow::Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat"))?;
    let rest = stat
        .rsplit_once(')')
        .context("no process name in its stat")?
        .1;
    let ticks = rest.split_whitespace().skip(11).take(2);
    let ticks: u64 = ticks.filter_map(|field| field.parse::<u64>().ok()).sum();
    // USER_HZ is 100 on every Linux that there is.
    Ok(Duration::from_millis(ticks * 10))
}
