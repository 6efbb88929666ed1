//! From the wanted cycles to the program's input.

use crate::error::CliError;

/// Inputs that the program is executed with to learn its cost. Both run in milliseconds.
pub(super) const PROBES: [u32; 2] = [1_000, 101_000];

/// Cycles as a straight line over the input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Line {
    /// Cycles that one more iteration takes.
    pub(super) per_iteration: f64,
    /// Cycles of no iteration at all.
    base: f64,
}

impl Line {
    /// The line through the cycles that the probes took.
    pub(super) fn through(cycles: [i64; 2]) -> Result<Self, CliError> {
        let [few, many] = cycles.map(|c| c as f64);
        let per_iteration = (many - few) / f64::from(PROBES[1] - PROBES[0]);
        if per_iteration <= 0.0 {
            return Err(CliError::usage(format!(
                "--elf: the program takes {few} cycles for {} and {many} for {}: it has to run longer for a larger \
                 u32 on its input",
                PROBES[0], PROBES[1]
            )));
        }
        Ok(Self {
            per_iteration,
            base: few - per_iteration * f64::from(PROBES[0]),
        })
    }

    /// The input for about so many cycles, one iteration at least.
    pub(super) fn iterations(&self, cycles: f64) -> Result<u32, CliError> {
        let n = ((cycles - self.base) / self.per_iteration).round().max(1.0);
        if n > f64::from(u32::MAX) {
            return Err(CliError::usage(format!(
                "MCYCLES: at most {:.0}, where the program's input ends",
                self.cycles(u32::MAX) / 1e6
            )));
        }
        Ok(n as u32)
    }

    /// The cycles for an input.
    pub(super) fn cycles(&self, n: u32) -> f64 {
        self.base + self.per_iteration * f64::from(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_inverted() {
        let line = Line::through([7_000 + 5_000, 505_000 + 7_000]).unwrap();
        assert_eq!(
            line,
            Line {
                per_iteration: 5.0,
                base: 7_000.0
            }
        );
        assert_eq!(line.iterations(1e6).unwrap(), 198_600);
        assert_eq!(line.cycles(198_600), 1e6);
        assert_eq!(
            line.iterations(10.0).unwrap(),
            1,
            "less than the fixed cost"
        );
    }

    #[test]
    fn what_cannot_be_reached_is_told() {
        let line = Line::through([5_000, 505_000]).unwrap();
        assert!(
            line.iterations(1e12)
                .unwrap_err()
                .to_string()
                .contains("at most 21475")
        );
        assert!(
            Line::through([100, 100])
                .unwrap_err()
                .to_string()
                .starts_with("--elf")
        );
    }
}
