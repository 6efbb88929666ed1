//! How much memory tasks take.

use std::str::FromStr;

use provost_coordinator::TaskKind;

use super::{TypeError, parse};

/// No worker has more.
const LARGEST: u32 = 1_000_000;

/// Why a weight makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WeightError {
    /// Its form, or the type.
    #[error(transparent)]
    Type(#[from] TypeError),
    /// It is no number of GiB.
    #[error("{0:?} is no number of GiB from 1 to {LARGEST}: write it like 6")]
    Gib(String),
}

/// How much memory a task of one type takes on its worker: `CoreExecute=6`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskWeight {
    pub(super) kind: TaskKind,
    /// In GiB.
    pub(super) gib: u32,
}

impl FromStr for TaskWeight {
    type Err = WeightError;

    fn from_str(text: &str) -> Result<Self, WeightError> {
        let (kind, gib) = parse(text, "GIB", "CoreExecute=6")?;
        let wrong = || WeightError::Gib(gib.to_owned());
        let number: u32 = gib.parse().map_err(|_| wrong())?;
        if !(1..=LARGEST).contains(&number) {
            return Err(wrong());
        }
        Ok(Self { kind, gib: number })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn errors_name_the_fix() {
        let error = |text: &str| text.parse::<TaskWeight>().unwrap_err().to_string();
        assert!(error("ProveShard").contains("write TYPE=GIB, such as CoreExecute=6"));
        assert!(error("Shard=1").contains("there are Controller, CoreExecute,"));
        for gib in ["", "0", "-1", "6Gi", "1.5", "1000001"] {
            let text = format!("ProveShard={gib}");
            assert!(error(&text).contains("write it like 6"), "{text}");
        }
        let weight: TaskWeight = "CoreExecute=6".parse().unwrap();
        assert_eq!((weight.kind, weight.gib), (TaskKind::CoreExecute, 6));
    }
}
