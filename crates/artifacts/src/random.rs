//! Randomness that needs no secret: jitter, and names that nobody else picks.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};

/// 64 random bits: the standard library seeds every hasher of a process differently.
pub(crate) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
