//! The program's input on the command line: typed values whose order counts, or one ready file.
//!
//! clap keeps the values of each flag apart, so the derive macro would lose the order between
//! `--u32 1 --bytes 0x02 --u32 3`. The indices that it notes put them back together.

use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, value_parser};

/// One value, that is one hint that the program reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// Four bytes, little-endian.
    U32(u32),
    /// Eight bytes, little-endian.
    U64(u64),
    /// These bytes.
    Bytes(Vec<u8>),
    /// The bytes of a file.
    File(PathBuf),
}

/// What the program reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StdinArgs {
    /// Values in the order of the command line; none means that the program reads nothing.
    Values(Vec<Value>),
    /// A file with SP1's own `SP1Stdin` in bincode; `-` is standard input.
    Ready(PathBuf),
}

impl StdinArgs {
    /// How many of the files are standard input, which can be read once.
    pub(crate) fn piped(&self) -> usize {
        let is_piped = |path: &PathBuf| path.as_os_str() == "-";
        match self {
            Self::Ready(path) => is_piped(path).into(),
            Self::Values(values) => {
                let files = values.iter().filter(|value| match value {
                    Value::File(path) => is_piped(path),
                    _ => false,
                });
                files.count()
            }
        }
    }
}

const U32: &str = "u32";
const U64: &str = "u64";
const BYTES: &str = "bytes";
const FILE: &str = "file";
const READY: &str = "stdin-file";

impl FromArgMatches for StdinArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        if let Some(path) = matches.get_one::<PathBuf>(READY) {
            return Ok(Self::Ready(path.clone()));
        }
        let mut values = Vec::new();
        collect(matches, U32, &mut values, |v: &u32| Value::U32(*v));
        collect(matches, U64, &mut values, |v: &u64| Value::U64(*v));
        collect(matches, BYTES, &mut values, |v: &Bytes| {
            Value::Bytes(v.0.clone())
        });
        collect(matches, FILE, &mut values, |v: &PathBuf| {
            Value::File(v.clone())
        });
        values.sort_by_key(|(index, _)| *index);
        Ok(Self::Values(
            values.into_iter().map(|(_, value)| value).collect(),
        ))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Appends the values of one flag, each with its place on the command line.
fn collect<T: Clone + Send + Sync + 'static>(
    matches: &ArgMatches,
    flag: &str,
    into: &mut Vec<(usize, Value)>,
    make: impl Fn(&T) -> Value,
) {
    let indices = matches.indices_of(flag).into_iter().flatten();
    let values = matches.get_many::<T>(flag).into_iter().flatten();
    into.extend(indices.zip(values.map(make)));
}

impl Args for StdinArgs {
    fn augment_args(command: Command) -> Command {
        let value = |flag: &'static str, name: &'static str| {
            Arg::new(flag)
                .long(flag)
                .value_name(name)
                .action(ArgAction::Append)
                .help_heading("Input of the program (order counts; each value is one hint)")
        };
        command
            .arg(value(U32, "N").value_parser(value_parser!(u32))
                    .allow_negative_numbers(true).help("A 32-bit number: 4 bytes, little-endian"))
            .arg(value(U64, "N").value_parser(value_parser!(u64))
                    .allow_negative_numbers(true).help("A 64-bit number: 8 bytes, little-endian"))
            .arg(value(BYTES, "0xHEX|base64:TEXT").value_parser(parse_bytes).help("Raw bytes, as 0x… or base64:…"))
            .arg(value(FILE, "PATH").value_parser(value_parser!(PathBuf)).help("The raw bytes of a file"))
            .arg(
                Arg::new(READY)
                    .long(READY)
                    .value_name("PATH")
                    .value_parser(value_parser!(PathBuf))
                    .conflicts_with_all([U32, U64, BYTES, FILE])
                    .help_heading("Input of the program (order counts; each value is one hint)")
                    .help("A ready SP1Stdin, bincode as sp1-sdk writes it, in place of single values; - reads standard input"),
            )
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

/// The parsed value of `--bytes`. A type of its own: clap takes a plain `Vec` for a list of arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Bytes(Vec<u8>);

/// Reads `0x…` or `base64:…`. A bare word could be either, so it is refused and not guessed at.
fn parse_bytes(text: &str) -> Result<Bytes, String> {
    if let Some(digits) = text.strip_prefix("0x") {
        return hex::decode(digits)
            .map(Bytes)
            .map_err(|e| format!("not hex after 0x: {e}"));
    }
    if let Some(encoded) = text.strip_prefix("base64:") {
        return STANDARD
            .decode(encoded)
            .map(Bytes)
            .map_err(|e| format!("not base64: {e}"));
    }
    Err("say which encoding it is: 0x68656c6c6f or base64:aGVsbG8=".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        stdin: StdinArgs,
    }

    fn parse(args: &[&str]) -> Result<StdinArgs, clap::Error> {
        Line::try_parse_from(std::iter::once("x").chain(args.iter().copied()))
            .map(|line| line.stdin)
    }

    #[test]
    fn the_order_of_the_command_line_is_kept_across_flags() {
        let parsed = parse(&[
            "--u32",
            "3",
            "--bytes",
            "0x0a0b",
            "--u32=4",
            "--file",
            "in.bin",
            "--u64",
            "5",
            "--bytes",
            "base64:AQ==",
        ])
        .unwrap();
        assert_eq!(
            parsed,
            StdinArgs::Values(vec![
                Value::U32(3),
                Value::Bytes(vec![10, 11]),
                Value::U32(4),
                Value::File("in.bin".into()),
                Value::U64(5),
                Value::Bytes(vec![1]),
            ])
        );
    }

    #[test]
    fn no_value_is_no_input() {
        assert_eq!(parse(&[]).unwrap(), StdinArgs::Values(Vec::new()));
    }

    #[test]
    fn a_ready_file_excludes_values() {
        assert_eq!(
            parse(&["--stdin-file", "-"]).unwrap(),
            StdinArgs::Ready("-".into())
        );
        assert!(parse(&["--stdin-file", "x", "--u32", "1"]).is_err());
    }

    #[test]
    fn bytes_name_their_encoding() {
        assert!(
            parse(&["--bytes", "deadbeef"])
                .unwrap_err()
                .to_string()
                .contains("say which encoding")
        );
        assert!(
            parse(&["--bytes", "0xabc"])
                .unwrap_err()
                .to_string()
                .contains("not hex")
        );
        for (flag, value) in [("--u32", "4294967296"), ("--u32", "-1"), ("--u64", "-1")] {
            let error = parse(&[flag, value]).unwrap_err().to_string();
            assert!(error.contains(flag) && error.contains(value), "{error}");
        }
        assert_eq!(
            parse(&["--bytes", "0x"]).unwrap(),
            StdinArgs::Values(vec![Value::Bytes(vec![])])
        );
    }
}
