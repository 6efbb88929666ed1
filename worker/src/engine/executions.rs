//! What executes in this process. SP1 executes each program in a process of its own. It kills that of an execution that is dropped, and never asks for its end: the
//! kernel keeps each of those for as long as the worker lives, and a pod may have only so many processes.

use std::sync::{LazyLock, Mutex, PoisonError};

use rustix::process::{WaitOptions, wait};

use super::parts::Parts;

/// The executions that something works on yet.
#[derive(Debug, Default)]
pub struct Executions(Mutex<Vec<Parts>>);

/// Those of this process.
static EXECUTIONS: LazyLock<Executions> = LazyLock::new(Executions::default);

impl Executions {
    /// One begins in this process, which `parts` will work on.
    pub fn begin(parts: &Parts) {
        EXECUTIONS.begin_after(parts, ended);
    }

    /// One begins. Where nothing else executes, every process that has ended is one that nobody asks for: they are taken in, by asking `ended` until there is none. A worker that
    /// always executes something takes in none.
    pub fn begin_after(&self, parts: &Parts, mut ended: impl FnMut() -> bool) {
        // Held meanwhile: one that begins now may soon ask for its own.
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|parts| !parts.are_gone());
        if all.is_empty() {
            while ended() {}
        }
        all.push(parts.clone());
    }
}

/// Takes in a process of this one's that has ended; false if there is none.
fn ended() -> bool {
    matches!(wait(WaitOptions::NOHANG), Ok(Some(_)))
}
