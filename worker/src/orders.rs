//! What `worker prove` and `worker solo` are to do: one thing by their arguments, or one after the other as standard input says, so that what it takes
//! minutes to build serves for many.

use std::path::Path;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines, Stdin};

use crate::local::{Mode, ProgramArgs, ProofArgs};

/// In place of the program's ELF: orders come on standard input.
const FROM_STDIN: &str = "-";

/// One thing to prove. On standard input, a line of JSON: `{"what": "small", "program": {"elf": "fibonacci.elf", "u32": [20]}, "mode": "core"}`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// A name for it, said again with its result.
    #[serde(default)]
    pub what: String,
    /// What to prove.
    pub program: ProgramArgs,
    /// How far.
    #[serde(default)]
    pub mode: Mode,
}

/// Where orders come from.
enum Source {
    Arguments { order: Box<Order>, left: usize },
    Stdin(Lines<BufReader<Stdin>>),
}

/// Orders, one after the other, and how they ended: each is a line of JSON on standard output.
pub struct Orders {
    source: Source,
    failed: usize,
}

/// A line of a result.
#[derive(Serialize)]
struct Told<'a, T> {
    #[serde(skip_serializing_if = "str::is_empty")]
    what: &'a str,
    #[serde(flatten)]
    result: T,
}

#[derive(Serialize)]
struct Failed {
    error: String,
}

impl Orders {
    /// Those of the arguments.
    ///
    /// # Errors
    /// The program or its input cannot be read.
    pub fn of(args: &ProofArgs) -> anyhow::Result<Self> {
        let source = if args.program.elf == Path::new(FROM_STDIN) {
            Source::Stdin(BufReader::new(tokio::io::stdin()).lines())
        } else {
            // Before anything that takes time.
            args.program.elf()?;
            args.program.stdin()?;
            let order = Order {
                what: String::new(),
                program: args.program.clone(),
                mode: args.mode,
            };
            Source::Arguments {
                order: Box::new(order),
                left: args.count,
            }
        };
        Ok(Self { source, failed: 0 })
    }

    /// The next one; `None` after the last.
    ///
    /// # Errors
    /// Standard input cannot be read. A line that is no order is told, and passed over.
    pub async fn next(&mut self) -> anyhow::Result<Option<Order>> {
        loop {
            let line = match &mut self.source {
                Source::Arguments { left: 0, .. } => return Ok(None),
                Source::Arguments { order, left } => {
                    *left -= 1;
                    return Ok(Some(Order::clone(order)));
                }
                Source::Stdin(lines) => lines.next_line().await?,
            };
            let Some(line) = line else { return Ok(None) };
            if line.trim().is_empty() {
                continue;
            }
            match serde_json::from_str(&line).with_context(|| format!("no order: {line}")) {
                Ok(order) => return Ok(Some(order)),
                Err(error) => self.tell::<Failed>("", Err(error))?,
            }
        }
    }

    /// Whether nothing comes after the order at hand.
    pub fn is_last(&self) -> bool {
        matches!(self.source, Source::Arguments { left: 0, .. })
    }

    /// Tells how an order ended.
    ///
    /// # Errors
    /// It failed, and there is no other that could go on.
    pub fn tell<T: Serialize>(
        &mut self,
        what: &str,
        result: anyhow::Result<T>,
    ) -> anyhow::Result<()> {
        match (result, &self.source) {
            (Ok(result), _) => tell(&Told { what, result }),
            (Err(error), Source::Arguments { .. }) => Err(error),
            (Err(error), Source::Stdin(_)) => {
                self.failed += 1;
                let error = format!("{error:#}");
                let result = Failed { error };
                tell(&Told { what, result })
            }
        }
    }

    /// There are no more.
    ///
    /// # Errors
    /// Some failed.
    pub fn end(self) -> anyhow::Result<()> {
        if self.failed > 0 {
            bail!("{} of the orders failed", self.failed);
        }
        Ok(())
    }
}

/// Prints a line of JSON.
pub(crate) fn tell(line: &impl Serialize) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string(line)?);
    Ok(())
}
