//! Which part of an execution a proof is about.

use serde_json::json;

/// A stretch of an execution, in the order in which proofs are joined: precompile shards, which have no extent and all stand at 0, then deferred
/// proofs, core shards, memory shards, one place each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Range {
    /// Where it begins.
    pub start: u64,
    /// Where it ends; this place is not part of it.
    pub end: u64,
}

impl Range {
    /// The range of every precompile shard.
    pub const PRECOMPILE: Self = Self { start: 0, end: 0 };

    /// The range of one place.
    pub const fn place(at: u64) -> Self {
        Self {
            start: at,
            end: at + 1,
        }
    }

    /// The literal that stands among a reduction's inputs: in the shape, and so of the size, of SP1's own.
    pub fn to_literal(self) -> String {
        json!({
            "timestamp_range": [self.start, self.end],
            "initialized_address_range": [0, 0],
            "finalized_address_range": [0, 0],
            "initialized_page_index_range": [0, 0],
            "finalized_page_index_range": [0, 0],
            "deferred_proof_range": [0, 0],
        })
        .to_string()
    }

    /// The twelve numbers that stand in a message.
    pub(super) fn to_numbers(self) -> [u64; 12] {
        let mut numbers = [0; 12];
        numbers[0] = self.start;
        numbers[1] = self.end;
        numbers
    }

    pub(super) fn from_numbers(numbers: [u64; 12]) -> Self {
        Self {
            start: numbers[0],
            end: numbers[1],
        }
    }
}
