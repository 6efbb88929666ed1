//! What the workers have executed, from the notes that each process keeps: one line at the start of an attempt, one at its end.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::promises::now;

/// A line of a worker's notes.
#[derive(Debug, Clone, Deserialize)]
pub struct Note {
    /// Milliseconds since 1970.
    pub ms: i64,
    /// `start` or `end`.
    pub event: String,
    /// The proof's id: namespace, name and uid of its request.
    pub proof: String,
    /// Which run of the proof.
    pub run: u32,
    /// The task's id.
    pub task: String,
    /// Its type: `PROVE_SHARD`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Who executes it.
    pub worker: String,
    /// Which attempt at it, as the coordinator counts.
    pub attempt: u32,
    /// How it ended: `completed`, `stopped`, or the class of its failure.
    #[serde(default)]
    pub outcome: Option<String>,
}

impl Note {
    /// Whether an attempt begins.
    pub fn starts(&self) -> bool {
        self.event == "start"
    }

    /// Whether an attempt ends with a result.
    pub fn succeeds(&self) -> bool {
        self.event == "end" && self.outcome.as_deref() == Some("completed")
    }

    /// The pod that it was executed in.
    pub fn pod(&self) -> &str {
        self.worker.split('/').next().unwrap_or_default()
    }

    /// Whether it is of the request `name`.
    pub fn is_of(&self, name: &str) -> bool {
        self.proof.split('/').nth(1) == Some(name)
    }
}

/// All notes of a scenario, by time.
#[derive(Debug, Default)]
pub struct Executions {
    /// The notes.
    pub notes: Vec<Note>,
}

/// How much was executed more than once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Attempts that began.
    pub started: usize,
    /// Attempts beyond the first of each task, and all attempts of runs that another run replaced.
    pub repeated: usize,
    /// Tasks that were given out again after they had been done, in the same run.
    pub lost: usize,
    /// Runs in which something was executed and that another run replaced.
    pub runs: usize,
}

impl Executions {
    /// How long ago something of the request `name` last began or ended; `None` if nothing has.
    pub fn quiet(&self, name: &str) -> Option<Duration> {
        let own = self.notes.iter().filter(|note| note.is_of(name));
        let quiet = now().saturating_sub(own.map(|note| note.ms).max()?);
        Some(Duration::from_millis(
            u64::try_from(quiet).unwrap_or_default(),
        ))
    }

    /// The attempts of a type that began.
    pub fn starts<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Note> {
        self.notes
            .iter()
            .filter(move |note| note.starts() && note.kind == kind)
    }

    /// The attempts of a type that ended with a result.
    pub fn done<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Note> {
        self.notes
            .iter()
            .filter(move |note| note.succeeds() && note.kind == kind)
    }

    /// The attempts at tasks of a type that ended, however they did.
    pub fn ends<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Note> {
        self.notes
            .iter()
            .filter(move |note| note.event == "end" && note.kind == kind)
    }

    /// The attempts at a task that began, in their order.
    pub fn attempts<'a>(&'a self, task: &'a str) -> impl Iterator<Item = &'a Note> {
        self.notes
            .iter()
            .filter(move |note| note.starts() && note.task == task)
    }

    /// How long it took from each attempt that ended with `outcome` to the next one at the same task.
    pub fn pauses_after<'a>(&'a self, outcome: &'a str) -> impl Iterator<Item = Duration> + 'a {
        let ends = self
            .notes
            .iter()
            .filter(move |note| note.outcome.as_deref() == Some(outcome));
        ends.filter_map(|end| {
            let mut next = self.attempts(&end.task);
            let next = next.find(|note| note.attempt > end.attempt)?;
            let ms = u64::try_from(next.ms - end.ms).unwrap_or_default();
            Some(Duration::from_millis(ms))
        })
    }

    /// What was executed how often.
    pub fn tally(&self) -> Tally {
        let mut last_run: HashMap<&str, u32> = HashMap::new();
        for note in &self.notes {
            let run = last_run.entry(&note.proof).or_default();
            *run = (*run).max(note.run);
        }
        let mut once = BTreeSet::new();
        let mut lost = BTreeSet::new();
        let mut replaced = BTreeSet::new();
        // The first attempt at each task that ended with a result.
        let mut done: HashMap<_, u32> = HashMap::new();
        let mut tally = Tally::default();
        for note in &self.notes {
            let task = (&note.proof, &note.task);
            if note.succeeds() {
                done.entry(task).or_insert(note.attempt);
            } else if note.starts() {
                tally.started += 1;
                if note.run == last_run[note.proof.as_str()] {
                    once.insert(task);
                } else {
                    replaced.insert((&note.proof, note.run));
                }
                // One that begins late was ordered before.
                if done
                    .get(&task)
                    .is_some_and(|attempt| note.attempt > *attempt)
                {
                    lost.insert(task);
                }
            }
        }
        tally.repeated = tally.started - once.len();
        tally.lost = lost.len();
        tally.runs = replaced.len();
        tally
    }

    /// Attempts begun, by type.
    pub fn by_kind(&self) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        for note in self.notes.iter().filter(|note| note.starts()) {
            *counts.entry(note.kind.as_str()).or_default() += 1;
        }
        counts
    }
}

/// Reads the notes of all workers of a folder, each line once.
#[derive(Debug, Default)]
pub struct Reader {
    /// How far each file was read.
    read: HashMap<PathBuf, u64>,
    notes: Vec<Note>,
}

impl Reader {
    /// All notes up to now.
    pub fn read(&mut self, folder: &Path) -> Executions {
        let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let files = files.map(|entry| entry.path());
        for path in files.filter(|path| path.extension().is_some_and(|e| e == "executions")) {
            let from = self.read.entry(path.clone()).or_default();
            let text = tail(&path, *from).unwrap_or_default();
            // A line that is not complete yet, or that its process died over, does not count.
            let complete = text.rfind('\n').map_or("", |end| &text[..=end]);
            *from += complete.len() as u64;
            let parse = |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"));
            self.notes.extend(complete.lines().map(parse));
        }
        self.notes.sort_by_key(|note| note.ms);
        Executions {
            notes: self.notes.clone(),
        }
    }
}

fn tail(path: &Path, from: u64) -> std::io::Result<String> {
    let mut file = std::fs::File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(ms: i64, event: &str, run: u32, task: &str, attempt: u32) -> Note {
        Note {
            ms,
            event: event.into(),
            proof: "ns/p/u".into(),
            run,
            task: task.into(),
            kind: "PROVE_SHARD".into(),
            worker: "w".into(),
            attempt,
            outcome: (event == "end").then(|| "completed".to_owned()),
        }
    }

    fn tally(notes: Vec<Note>) -> (usize, usize, usize) {
        let tally = Executions { notes }.tally();
        (tally.started, tally.repeated, tally.lost)
    }

    #[test]
    fn what_is_executed_once_is_not_repeated() {
        let notes = vec![note(1, "start", 0, "a", 1), note(2, "end", 0, "a", 1)];
        assert_eq!(tally(notes), (1, 0, 0));
    }

    #[test]
    fn a_repeated_attempt_is_a_loss_only_if_an_earlier_one_was_done() {
        let mut notes = vec![note(1, "start", 0, "a", 1), note(3, "start", 0, "a", 2)];
        assert_eq!(tally(notes.clone()), (2, 1, 0));
        notes.insert(1, note(2, "end", 0, "a", 1));
        assert_eq!(tally(notes), (2, 1, 1));
        let late = vec![
            note(1, "start", 0, "a", 2),
            note(2, "end", 0, "a", 2),
            note(3, "start", 0, "a", 1),
        ];
        assert_eq!(tally(late), (2, 1, 0));
    }

    #[test]
    fn another_run_repeats_the_one_before() {
        let notes = vec![note(1, "start", 0, "a", 1), note(2, "start", 1, "b", 1)];
        assert_eq!(
            Executions {
                notes: notes.clone()
            }
            .tally()
            .runs,
            1
        );
        assert_eq!(tally(notes), (2, 1, 0));
    }

    #[test]
    fn pauses_are_from_an_end_to_the_next_attempt_at_the_same_task() {
        let notes = vec![
            note(1, "start", 0, "a", 1),
            note(5, "end", 0, "a", 1),
            note(6, "start", 0, "b", 2),
            note(1005, "start", 0, "a", 2),
        ];
        let all = Executions { notes };
        let pauses: Vec<_> = all.pauses_after("completed").collect();
        assert_eq!(pauses, [Duration::from_secs(1)]);
        assert_eq!(all.attempts("a").count(), 2);
    }
}
