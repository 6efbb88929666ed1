//! The progress of a proof: a bar on a terminal, lines elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use provost_crds::ProofRequest;

use super::{say, time};

/// A bar that is redrawn, or lines that are added.
pub(crate) struct Progress {
    name: String,
    bar: Option<ProgressBar>,
    last: String,
    started: Instant,
}

impl Progress {
    /// A bar where standard error is a terminal.
    pub(crate) fn new(name: &str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::no_length()
                .with_prefix(name.to_owned())
                .with_style(style(false));
            bar.enable_steady_tick(Duration::from_millis(250));
            bar
        });
        Self {
            name: name.to_owned(),
            bar,
            last: String::new(),
            started: Instant::now(),
        }
    }

    /// Shows where the proof stands.
    pub(crate) fn update(&mut self, proof: &ProofRequest) {
        let text = describe(proof);
        let parts = proof
            .status
            .as_ref()
            .and_then(|s| s.progress.as_deref())
            .and_then(parts);
        match &self.bar {
            Some(bar) => {
                if let Some((done, total)) = parts {
                    bar.set_style(style(true));
                    bar.set_length(total);
                    bar.set_position(done);
                }
                bar.set_message(text);
            }
            None => {
                let count = parts
                    .map(|(done, total)| format!(" {done}/{total}"))
                    .unwrap_or_default();
                self.line(format!("{}{count}", state_line(proof)));
            }
        }
    }

    /// Shows a remark above the bar.
    pub(crate) fn note(&mut self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => self.line(text.to_owned()),
        }
    }

    /// Takes the bar away.
    pub(crate) fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    /// Adds a line unless it says what the last one said.
    fn line(&mut self, text: String) {
        if text != self.last {
            let elapsed = time::short(self.started.elapsed());
            say(&format!("{elapsed:>6} {} {text}", self.name));
            self.last = text;
        }
    }
}

fn style(counted: bool) -> ProgressStyle {
    let template = if counted {
        "{spinner} {prefix} [{elapsed_precise}] {wide_bar} {pos}/{len} {msg}"
    } else {
        "{spinner} {prefix} [{elapsed_precise}] {msg}"
    };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// `3/10` as numbers.
fn parts(progress: &str) -> Option<(u64, u64)> {
    let (done, total) = progress.split_once('/')?;
    Some((done.trim().parse().ok()?, total.trim().parse().ok()?))
}

/// State and estimate; while nothing runs, the reason for it.
fn describe(proof: &ProofRequest) -> String {
    let eta = proof
        .status
        .as_ref()
        .and_then(|s| s.eta_seconds)
        .and_then(|s| u64::try_from(s).ok());
    let eta = eta.map(|s| format!(", about {} left", time::short(Duration::from_secs(s))));
    format!("{}{}", proof.state(), eta.unwrap_or_default())
}

/// For a log: the message instead of an estimate that would change with every line.
fn state_line(proof: &ProofRequest) -> String {
    let message = proof.message();
    if proof.terminal()
        || message.is_empty()
        || proof.status.as_ref().is_some_and(|s| s.progress.is_some())
    {
        return proof.state().to_owned();
    }
    format!("{}: {message}", proof.state())
}

#[cfg(test)]
mod tests {
    use super::super::tests::proof;
    use super::*;

    #[test]
    fn progress_is_read_leniently() {
        assert_eq!(parts("3/10"), Some((3, 10)));
        assert_eq!(parts("3 / 10"), Some((3, 10)));
        for text in ["", "3", "a/b", "-1/2"] {
            assert_eq!(parts(text), None, "{text}");
        }
    }

    #[test]
    fn the_estimate_is_shown_where_there_is_one() {
        let mut running = proof("Unknown", "Proving", "");
        assert_eq!(describe(&running), "Proving");
        running.status.as_mut().unwrap().eta_seconds = Some(150);
        assert_eq!(describe(&running), "Proving, about 2m30s left");
    }

    #[test]
    fn a_log_line_tells_why_it_waits() {
        assert_eq!(
            state_line(&proof("Unknown", "Pending", "no worker yet")),
            "Pending: no worker yet"
        );
        assert_eq!(state_line(&proof("True", "Succeeded", "done")), "Succeeded");
    }
}
