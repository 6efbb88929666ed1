//! Where an object's file is: from keys to paths and back.
//!
//! The part of a key before its first slash names a folder, the rest a file in it; what is no letter, digit, `_`, `-` or
//! inner dot is written as `%XX`. So no key leaves the folder, no two keys share a file, and a listing finds its keys
//! again in the names.

use std::path::PathBuf;

/// Longest name that file systems take, in bytes.
const LONGEST_NAME: usize = 255;

/// The folder of keys without a slash. No encoded name looks like this.
const NO_SLASH: &str = "%%";

/// The name of an empty part.
const EMPTY: &str = "%";

/// The file of `key` below the folder of all objects; `None` if the key is too long for one.
pub(super) fn path(key: &str) -> Option<PathBuf> {
    let (folder, file) = match key.split_once('/') {
        Some((folder, file)) => (encode(folder), encode(file)),
        None => (NO_SLASH.to_owned(), encode(key)),
    };
    let fits = folder.len() <= LONGEST_NAME && file.len() <= LONGEST_NAME;
    fits.then(|| [folder, file].iter().collect())
}

/// What the keys of a folder begin with; `None` if no key has such a folder.
pub(super) fn folder_prefix(folder: &str) -> Option<String> {
    if folder == NO_SLASH {
        return Some(String::new());
    }
    decode(folder).map(|folder| folder + "/")
}

/// The rest of the key of a file; `None` if no key has such a file.
pub(super) fn file_rest(file: &str) -> Option<String> {
    decode(file)
}

fn encode(part: &str) -> String {
    if part.is_empty() {
        return EMPTY.to_owned();
    }
    let mut name = String::with_capacity(part.len());
    for (at, byte) in part.bytes().enumerate() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-') || (byte == b'.' && at > 0) {
            name.push(byte as char);
        } else {
            name.push('%');
            name.push_str(&hex::encode_upper([byte]));
        }
    }
    name
}

fn decode(name: &str) -> Option<String> {
    if name == EMPTY {
        return Some(String::new());
    }
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        if byte != b'%' {
            bytes.push(byte);
            rest = after;
            continue;
        }
        let (digits, after) = after.split_at_checked(2)?;
        bytes.extend(hex::decode(digits).ok()?);
        rest = after;
    }
    let part = String::from_utf8(bytes).ok()?;
    // A name that is spelled in another way is not one that we wrote.
    (!part.is_empty() && encode(&part) == name).then_some(part)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::path::Component;

    use proptest::prelude::*;

    use super::*;

    fn key_of(path: &std::path::Path) -> Option<String> {
        let folder = path.parent()?.to_str()?;
        let file = path.file_name()?.to_str()?;
        Some(folder_prefix(folder)? + &file_rest(file)?)
    }

    #[test]
    fn our_keys_are_their_paths() {
        assert_eq!(
            path("programs/program_0a").unwrap(),
            PathBuf::from("programs/program_0a")
        );
        assert_eq!(
            path("artifacts/a.b").unwrap(),
            PathBuf::from("artifacts/a.b")
        );
    }

    #[test]
    fn odd_keys_stay_inside_and_apart() {
        let odd = [
            "", "/", "//", "a", "a/", "/a", "a//b", "..", "../..", "a/../b", "a/..", ".", "./.",
            "%", "%/%", "%%", "%%/a", "a/%41", "a/A", "a/b/c", "a%2Fb/c", "ä/ö", "a/\0", "a\\b",
            " ", "a/ b",
        ];
        let mut seen = std::collections::BTreeSet::new();
        for key in odd {
            let path = path(key).unwrap();
            assert_eq!(path.components().count(), 2, "{key:?}: {path:?}");
            assert_eq!(key_of(&path).as_deref(), Some(key), "{path:?}");
            assert!(seen.insert(path), "{key:?} shares a file");
        }
    }

    #[test]
    fn keys_that_are_too_long_have_no_file() {
        assert!(path(&format!("a/{}", "b".repeat(255))).is_some());
        assert_eq!(path(&format!("a/{}", "b".repeat(256))), None);
        assert_eq!(path(&"ä".repeat(100)), None);
    }

    #[test]
    fn foreign_names_have_no_key() {
        for name in ["%4", "%zz", "%41", "a b", ".hidden", "", "%c3%a4", "%FF"] {
            assert_eq!(file_rest(name), None, "{name:?}");
        }
    }

    proptest! {
        #[test]
        fn every_key_comes_back(key in any::<String>()) {
            if let Some(path) = path(&key) {
                prop_assert!(path.components().all(|part| matches!(part, Component::Normal(_))));
                prop_assert_eq!(path.components().count(), 2);
                prop_assert_eq!(key_of(&path).unwrap(), key);
            }
        }

        #[test]
        fn keys_made_of_trouble_come_back(key in "[./%a\\x00-\\x1f]{0,20}") {
            let path = path(&key).unwrap();
            prop_assert!(path.components().all(|part| matches!(part, Component::Normal(_))));
            prop_assert_eq!(key_of(&path).unwrap(), key);
        }
    }
}
