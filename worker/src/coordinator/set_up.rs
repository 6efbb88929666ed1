//! Set-ups that need not run: SP1's controller asks for a program's verifying key before it does anything else, with each proof.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use lru::LruCache;
use sp1_prover::SP1VerifyingKey;

/// Programs whose key is kept, as many as SP1's own controller keeps.
const PROGRAMS: NonZeroUsize = NonZeroUsize::new(20).unwrap();

/// Verifying keys of the programs that this process has proven last, by the program's id.
pub struct VerifyingKeys(Mutex<LruCache<String, SP1VerifyingKey>>);

impl Default for VerifyingKeys {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(PROGRAMS)))
    }
}

impl VerifyingKeys {
    /// The key of a program, when it is kept.
    pub fn get(&self, program: &str) -> Option<SP1VerifyingKey> {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        keys.get(program).cloned()
    }

    /// Keeps the key of a program, which must be that of a proof which SP1's verifier has accepted.
    pub fn keep(&self, program: String, key: SP1VerifyingKey) {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        keys.put(program, key);
    }
}
