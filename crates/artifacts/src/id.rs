//! Ids of artifacts and tasks.
//!
//! An id that is minted here is a TypeID (`artifact_` and 26 characters of base32) whose UUIDv7 carries, in 40 of its random
//! bits, a tag of the proof that it belongs to. So whoever lists the store finds every object of a proof, however the
//! process that wrote them ended, and nothing needs a journal.
//!
//! ```text
//! 48 bits        4        12       2        40      22
//! milliseconds   version  random   variant  tag     random
//! ```

use std::str::FromStr as _;

use mti::prelude::{MagicTypeId, TypeIdPrefix, TypeIdSuffix, Uuid};

use crate::digest;

const TAG_BITS: u32 = 40;
const LOW_RANDOM_BITS: u32 = 22;
const TAG_MASK: u64 = (1 << TAG_BITS) - 1;
const MILLIS_MASK: u128 = (1 << 48) - 1;

/// Longest id that the store takes, in bytes.
pub const MAX_ID_LEN: usize = 200;

/// Marks the ids of one proof: 40 bits of a hash of the proof's id. The default tag marks ids that belong to none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ProofTag(u64);

impl ProofTag {
    /// The tag of the proof with this id.
    pub fn of(proof_id: &str) -> Self {
        let hash = digest::sha256(proof_id.as_bytes());
        Self(
            hash[..5]
                .iter()
                .fold(0, |tag, byte| tag << 8 | u64::from(*byte)),
        )
    }

    /// Whether `id` was minted with this tag. An id that was minted elsewhere matches by chance once in 2^40.
    pub fn owns(self, id: &str) -> bool {
        minted(id).is_some_and(|minted| minted.tag == self)
    }
}

/// What an id of ours says about its origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Minted {
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// For which proof. Random for ids that another client minted.
    pub tag: ProofTag,
}

/// A new artifact id, `artifact_…`, of the proof with this tag. `random` must differ between ids of the same proof and
/// millisecond in its low 34 bits.
pub fn mint(tag: ProofTag, now_ms: u64, random: u64) -> String {
    let high = random >> LOW_RANDOM_BITS;
    let low = (tag.0 << LOW_RANDOM_BITS) | (random & ((1 << LOW_RANDOM_BITS) - 1));
    type_id("artifact", now_ms, high, low)
}

/// A new task id, `task_…`: 62 random bits, no tag.
pub fn mint_task(now_ms: u64, random: u64) -> String {
    type_id("task", now_ms, random >> 52, random)
}

/// The id of a program: a hash of its ELF, so that the same program is stored once.
pub fn program_id(elf: &[u8]) -> String {
    format!("program_{}", digest::hex(&digest::sha256(elf)))
}

/// Reads an artifact id; `None` if it is no TypeID `artifact_` of a UUIDv7.
pub fn minted(id: &str) -> Option<Minted> {
    let suffix = id.strip_prefix("artifact_")?;
    let uuid = TypeIdSuffix::from_str(suffix).ok()?.to_uuid();
    if uuid.get_version_num() != 7 {
        return None;
    }
    let (high, low) = uuid.as_u64_pair();
    Some(Minted {
        at_ms: high >> 16,
        tag: ProofTag((low >> LOW_RANDOM_BITS) & TAG_MASK),
    })
}

/// Whether the store takes this id: letters, digits, `_`, `-` and `.`, not empty, not `.` or `..`, at most
/// [`MAX_ID_LEN`] bytes.
pub fn is_valid(id: &str) -> bool {
    !matches!(id, "" | "." | "..")
        && id.len() <= MAX_ID_LEN
        && id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

fn type_id(prefix: &str, now_ms: u64, high_random: u64, low_random: u64) -> String {
    let uuid = (u128::from(now_ms) & MILLIS_MASK) << 80
        | 7 << 76
        | u128::from(high_random & 0xfff) << 64
        | 2 << 62
        | u128::from(low_random & ((1 << 62) - 1));
    let suffix = TypeIdSuffix::from(Uuid::from_u128(uuid));
    match TypeIdPrefix::from_str(prefix) {
        Ok(prefix) => MagicTypeId::new(prefix, suffix).to_string(),
        // Not with the two prefixes above.
        Err(_) => format!("{prefix}_{suffix}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn program_ids_are_content_addresses() {
        assert_eq!(
            program_id(b"abc"),
            "program_ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn ids_sort_by_time() {
        let tag = ProofTag::of("a");
        assert!(mint(tag, 1_000, u64::MAX) < mint(tag, 1_001, 0));
    }

    #[test]
    fn ids_of_other_clients_have_no_owner() {
        assert_eq!(minted("program_0123"), None);
        assert_eq!(minted("artifact_"), None);
        assert_eq!(minted("artifact_01234567890123456789012345x"), None);
        // A UUIDv4.
        assert_eq!(minted("artifact_1zzw3ztv1z8p0t1zzw3ztv1z8p"), None);
        assert!(!ProofTag::of("a").owns("proof-of-mine"));
    }

    #[test]
    fn odd_ids_are_refused() {
        for id in [
            "",
            ".",
            "..",
            "a/b",
            "../a",
            "a b",
            "a\0",
            "ä",
            &"a".repeat(MAX_ID_LEN + 1),
        ] {
            assert!(!is_valid(id), "{id:?}");
        }
        assert!(is_valid("artifact_01h455vb4pex5vsknk084sn02q"));
        assert!(is_valid("a.b-C_9"));
    }

    proptest! {
        #[test]
        fn a_minted_id_is_a_typeid_that_tells_its_origin(proof in ".{0,40}", ms in 0u64..1 << 48, random: u64) {
            let tag = ProofTag::of(&proof);
            let id = mint(tag, ms, random);
            let parsed = MagicTypeId::from_str(&id).unwrap();
            prop_assert_eq!(parsed.prefix().as_str(), "artifact");
            let uuid = parsed.suffix().to_uuid();
            prop_assert_eq!(uuid.get_version_num(), 7);
            prop_assert_eq!(uuid.get_variant() as u8, 1, "RFC 4122 variant");
            prop_assert_eq!(id.len(), "artifact_".len() + 26);
            prop_assert_eq!(minted(&id), Some(Minted { at_ms: ms, tag }));
            prop_assert!(is_valid(&id) && tag.owns(&id));
        }

        #[test]
        fn another_proof_does_not_own_it(ms in 0u64..1 << 48, random: u64, a in "[a-z]{1,8}", b in "[a-z]{1,8}") {
            prop_assume!(a != b);
            prop_assert!(!ProofTag::of(&a).owns(&mint(ProofTag::of(&b), ms, random)));
        }

        #[test]
        fn ids_differ_when_their_random_bits_do(a in 0u64..1 << 34, b in 0u64..1 << 34) {
            prop_assume!(a != b);
            let tag = ProofTag::of("p");
            prop_assert_ne!(mint(tag, 1, a), mint(tag, 1, b));
        }

        #[test]
        fn task_ids_are_typeids(ms in 0u64..1 << 48, a: u64, b: u64) {
            let id = mint_task(ms, a);
            let parsed = MagicTypeId::from_str(&id).unwrap();
            prop_assert_eq!(parsed.prefix().as_str(), "task");
            prop_assert!(a == b || mint_task(ms, b) != id);
        }
    }
}
