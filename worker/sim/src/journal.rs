//! What was executed, line by line in a file that many processes may share: so that a test counts what was executed twice.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

/// One line: an attempt at a task begins or ends. One that begins and does not end was lost with its worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Whether it begins or ends.
    pub event: Event,
    /// The proof.
    pub proof: String,
    /// Which run of the proof.
    pub run: u32,
    /// The task's id.
    pub task: String,
    /// The task's type on the wire: `PROVE_SHARD`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Who executes it: `<pod>/<role>`.
    pub worker: String,
    /// Which attempt, as the order says.
    pub attempt: u32,
    /// Milliseconds since 1970.
    pub ms: u64,
    /// How it ended: `completed`, `stopped`, or the class of its failure. None when it begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
}

/// Whether an attempt begins or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Event {
    /// The order has arrived.
    Start,
    /// The work has ended; nothing is reported yet.
    End,
}

/// Reads a whole journal.
///
/// # Errors
/// It cannot be read, or a line is none of its own.
pub fn read(path: &Path) -> io::Result<Vec<Entry>> {
    let text = std::fs::read_to_string(path)?;
    let entries = text.lines().map(serde_json::from_str);
    entries
        .collect::<Result<_, _>>()
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// The file that attempts are noted in.
#[derive(Debug)]
pub(crate) struct Journal(File);

impl Journal {
    /// Goes on with a file, or begins it.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.append(true).create(true).open(path).map(Self)
    }

    /// Notes an event: one write, so that the lines of several processes do not mix.
    pub(crate) fn note(&self, entry: &Entry) {
        let mut line = serde_json::to_vec(entry).unwrap_or_default();
        line.push(b'\n');
        if let Err(error) = (&self.0).write_all(&line) {
            tracing::error!(%error, "cannot write the log of executions");
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn lines_of_several_writers_are_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let entry = |event, outcome: Option<&str>| Entry {
            event,
            proof: "ns/p/1".to_owned(),
            run: 1,
            task: "task_1".to_owned(),
            kind: "PROVE_SHARD".to_owned(),
            worker: "pod/prove".to_owned(),
            attempt: 2,
            ms: 3,
            outcome: outcome.map(str::to_owned),
        };
        let entries = [
            entry(Event::Start, None),
            entry(Event::End, Some("completed")),
        ];
        for entry in &entries {
            Journal::open(&path).unwrap().note(entry);
        }
        assert_eq!(read(&path).unwrap(), entries);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with(r#"{"event":"start","proof":"ns/p/1","run":1,"#));
        assert_eq!(text.lines().count(), 2);
    }
}
