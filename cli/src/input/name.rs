//! Names of new ProofRequests.
//!
//! The random part is made here and not by the API server (`generateName`): a create that the client
//! repeats because the answer was lost then meets its own object and makes no second one.

use std::path::Path;

use rand::RngExt as _;

use crate::error::CliError;

/// The longest name that a ProofRequest may have: it is used as a label.
const MAX: usize = 63;
/// Random characters, and the letters they come from: no vowels, so no words.
const RANDOM: usize = 5;
const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// The name given, or a prefix with a random end.
pub(crate) fn choose(
    name: Option<&str>,
    generate: Option<&str>,
    elf: &Path,
) -> Result<String, CliError> {
    if let Some(name) = name {
        return check("--name", name).map(|()| name.to_owned());
    }
    let name = match generate {
        Some(prefix) => random(prefix),
        None => random(&stem(elf)),
    };
    check("--generate", &name).map(|()| name)
}

/// `prefix-x4k2q`.
pub(crate) fn random(prefix: &str) -> String {
    let mut rng = rand::rng();
    let end: String = (0..RANDOM)
        .map(|_| char::from(LETTERS[rng.random_range(0..LETTERS.len())]))
        .collect();
    format!("{}-{end}", prefix.trim_end_matches('-'))
}

/// The file's name as part of an object's name.
fn stem(elf: &Path) -> String {
    let stem = elf
        .file_stem()
        .map(|s| s.to_string_lossy().to_lowercase())
        .unwrap_or_default();
    let clean: String = stem
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(MAX - RANDOM - 1)
        .collect();
    let clean = clean.trim_matches('-');
    if clean.is_empty() {
        "proof".to_owned()
    } else {
        clean.to_owned()
    }
}

/// The rule of the API server for names, told with the flag to change.
fn check(flag: &str, name: &str) -> Result<(), CliError> {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let ends = name.starts_with(good) && name.ends_with(good);
    if ends && name.len() <= MAX && name.chars().all(|c| good(c) || c == '-' || c == '.') {
        return Ok(());
    }
    Err(CliError::usage(format!(
        "{flag}: `{name}` cannot be the name of an object: use at most {MAX} lower-case letters, digits, `-` and `.`, \
         with a letter or digit at both ends"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_given_name_is_taken_or_refused() {
        assert_eq!(
            choose(Some("fib.1"), None, Path::new("x")).unwrap(),
            "fib.1"
        );
        for bad in ["", "Fib", "-a", "a-", "a_b", "a/b", &"a".repeat(64)] {
            let text = choose(Some(bad), None, Path::new("x"))
                .unwrap_err()
                .to_string();
            assert!(text.starts_with("--name"), "{text}");
        }
    }

    #[test]
    fn generated_names_start_with_the_prefix_and_differ() {
        let one = choose(None, Some("nightly-"), Path::new("x")).unwrap();
        let two = choose(None, Some("nightly"), Path::new("x")).unwrap();
        assert!(
            one.starts_with("nightly-") && one.len() == "nightly-".len() + RANDOM,
            "{one}"
        );
        assert_ne!(one, two);
        assert!(choose(None, Some("Bad_"), Path::new("x")).is_err());
    }

    #[test]
    fn by_default_the_file_gives_the_name() {
        for (path, prefix) in [
            ("/a/fibonacci.elf", "fibonacci-"),
            ("My_Guest v2.elf", "my-guest-v2-"),
            ("-", "proof-"),
            ("___", "proof-"),
        ] {
            let name = choose(None, None, Path::new(path)).unwrap();
            assert!(name.starts_with(prefix), "{name}");
        }
        let long = choose(None, None, Path::new(&"long".repeat(40))).unwrap();
        assert_eq!(long.len(), MAX);
    }
}
