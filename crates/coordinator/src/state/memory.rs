//! State in memory: for tests, simulation, and a machine with a prover and no Kubernetes.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::{Begun, ProofOutcome, ProofProgress, RunStart, State, StateError, TaskChange};
use crate::ids::ProofId;

/// State that lives as long as the process.
#[derive(Debug, Default)]
pub struct MemoryState {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    outcomes: HashMap<ProofId, ProofOutcome>,
    runs: HashMap<ProofId, RunStart>,
    progress: HashMap<ProofId, ProofProgress>,
    changes: Vec<TaskChange>,
}

impl MemoryState {
    /// Nothing in it.
    pub fn new() -> Self {
        Self::default()
    }

    /// How the proof ended, if it did.
    pub fn outcome(&self, proof: &str) -> Option<ProofOutcome> {
        self.lock().outcomes.get(proof).cloned()
    }

    /// The run that the proof began last.
    pub fn run_of(&self, proof: &str) -> Option<RunStart> {
        self.lock().runs.get(proof).cloned()
    }

    /// How far the proof is, by the last word of it.
    pub fn progress_of(&self, proof: &str) -> Option<ProofProgress> {
        self.lock().progress.get(proof).cloned()
    }

    /// What happened to tasks since this was last asked.
    pub fn take_changes(&self) -> Vec<TaskChange> {
        std::mem::take(&mut self.lock().changes)
    }

    // Nothing here panics while it holds the lock, and if it did, what is there is still whole.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many changes are kept for a reader that never comes.
const MAX_CHANGES: usize = 100_000;

impl State for MemoryState {
    fn record(&self, change: TaskChange) {
        let mut inner = self.lock();
        if inner.changes.len() < MAX_CHANGES {
            inner.changes.push(change);
        }
    }

    fn progress(&self, progress: ProofProgress) {
        self.lock()
            .progress
            .insert(progress.proof.clone(), progress);
    }

    fn finish_proof(&self, outcome: ProofOutcome) -> BoxFuture<'_, Result<(), StateError>> {
        self.lock().outcomes.insert(outcome.proof.clone(), outcome);
        futures::future::ready(Ok(())).boxed()
    }

    fn begin_run(&self, start: RunStart) -> BoxFuture<'_, Result<Begun, StateError>> {
        self.lock().runs.insert(start.proof.clone(), start);
        futures::future::ready(Ok(Begun::Stored)).boxed()
    }
}
