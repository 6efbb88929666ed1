//! What was measured, over all rounds.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use crate::fleet::histogram;
use crate::offer::Sample;

/// The server that others are compared with.
pub const FLOOR: &str = "floor";

/// Results by case and server, in the order in which they first came.
#[derive(Debug, Default)]
pub struct Board {
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    case: String,
    server: String,
    per_second: Vec<f64>,
    p50: Vec<f64>,
    p99: Vec<f64>,
    cpu: Vec<f64>,
    late: Histogram<u64>,
    delays: Histogram<u64>,
    undelivered: usize,
    refused: u64,
}

impl Board {
    /// Adds what one round of a case gave with a server, and the CPU time that the server took for it.
    pub fn add(&mut self, case: &str, server: &str, sample: &Sample, cpu: Duration) {
        let found = self
            .rows
            .iter()
            .position(|r| r.case == case && r.server == server);
        let at = found.unwrap_or_else(|| {
            self.rows.push(Row {
                case: case.to_owned(),
                server: server.to_owned(),
                per_second: Vec::new(),
                p50: Vec::new(),
                p99: Vec::new(),
                cpu: Vec::new(),
                late: histogram(),
                delays: histogram(),
                undelivered: 0,
                refused: 0,
            });
            self.rows.len() - 1
        });
        let row = &mut self.rows[at];
        row.per_second.push(sample.per_second);
        row.p50.push(millis(&sample.delays, 0.5));
        row.p99.push(millis(&sample.delays, 0.99));
        row.cpu
            .push(cpu.as_secs_f64() * 1e6 / sample.tasks.max(1) as f64);
        // All have the same bounds: adding does not fail.
        let _ = row.delays.add(&sample.delays);
        let _ = row.late.add(&sample.late);
        row.undelivered += sample.undelivered;
        row.refused += sample.refused;
    }

    /// Prints a Markdown table: medians over the rounds, p99.9 and the generator's lateness over all tasks together.
    pub fn print_table(&self) {
        println!(
            "| load | server | tasks/s | tasks / floor | p50 ms | p99 | p99.9 | p50 / floor | p99 / floor | server CPU us/task | generator late p50, p99 | undelivered | refused |"
        );
        println!(
            "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- | ---: | ---: |"
        );
        for row in self.by_case() {
            let ratio = |of: fn(&Row) -> f64| {
                self.ratio(row, of)
                    .map_or("-".into(), |r| format!("{r:.2}"))
            };
            println!(
                "| {} | {} | {:.0} | {} | {:.2} | {:.2} | {:.2} | {} | {} | {:.1} | {:.2}, {:.2} | {} | {} |",
                row.case,
                row.server,
                row.rate(),
                ratio(Row::rate),
                row.p50(),
                row.p99(),
                millis(&row.delays, 0.999),
                ratio(Row::p50),
                ratio(Row::p99),
                median(&row.cpu),
                millis(&row.late, 0.5),
                millis(&row.late, 0.99),
                row.undelivered,
                row.refused,
            );
        }
    }

    /// The same as JSON, with each round's figures.
    pub fn json(&self) -> Value {
        let rows = self.by_case().map(|row| {
            json!({
                "load": row.case,
                "server": row.server,
                "tasks_per_second": row.rate(),
                "delay_ms": {
                    "p50": row.p50(), "p99": row.p99(), "p99_9": millis(&row.delays, 0.999),
                    "max": row.delays.max() as f64 / 1e3, "tasks": row.delays.len(),
                    "rounds_p50": row.p50, "rounds_p99": row.p99,
                },
                "of_floor": { "tasks_per_second": self.ratio(row, Row::rate), "p50": self.ratio(row, Row::p50), "p99": self.ratio(row, Row::p99) },
                "server_cpu_us_per_task": median(&row.cpu),
                "generator_late_ms": { "p50": millis(&row.late, 0.5), "p99": millis(&row.late, 0.99) },
                "undelivered": row.undelivered,
                "refused": row.refused,
            })
        });
        Value::Array(rows.collect())
    }

    /// The rows of a case side by side.
    fn by_case(&self) -> impl Iterator<Item = &Row> {
        let rows = self.rows.iter();
        let firsts = rows.enumerate().filter(|(at, row)| {
            let mut before = self.rows[..*at].iter();
            before.all(|other| other.case != row.case)
        });
        firsts.flat_map(|(_, first)| self.rows.iter().filter(|row| row.case == first.case))
    }

    fn ratio(&self, row: &Row, of: fn(&Row) -> f64) -> Option<f64> {
        let mut rows = self.rows.iter();
        let floor = rows.find(|other| other.case == row.case && other.server == FLOOR)?;
        (row.server != FLOOR && of(floor) > 0.0).then(|| of(row) / of(floor))
    }
}

impl Row {
    fn rate(&self) -> f64 {
        median(&self.per_second)
    }

    fn p50(&self) -> f64 {
        median(&self.p50)
    }

    fn p99(&self) -> f64 {
        median(&self.p99)
    }
}

/// The median; 0 of nothing.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => 0.0,
        n if n % 2 == 1 => sorted[n / 2],
        n => (sorted[n / 2 - 1] + sorted[n / 2]) / 2.0,
    }
}

/// A quantile of a histogram of microseconds, in milliseconds.
pub fn millis(histogram: &Histogram<u64>, quantile: f64) -> f64 {
    histogram.value_at_quantile(quantile) as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(&[]), 0.0);
        assert_eq!(median(&[3.0, 1.0, 9.0]), 3.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 9.0]), 3.0);
    }

    #[test]
    fn a_server_is_compared_with_the_floor_of_the_same_load() {
        let sample = |micros: u64| {
            let mut delays = histogram();
            delays.saturating_record_n(micros, 100);
            Sample {
                per_second: 10.0,
                tasks: 100,
                undelivered: 0,
                refused: 0,
                delays,
                late: histogram(),
            }
        };
        let mut board = Board::default();
        board.add("200/s", FLOOR, &sample(200), Duration::ZERO);
        board.add("200/s", "unary", &sample(300), Duration::ZERO);
        board.add("900/s", "unary", &sample(300), Duration::ZERO);
        let ratio = |row: &Row| board.ratio(row, Row::p99);
        assert_eq!(ratio(&board.rows[0]), None);
        assert!(ratio(&board.rows[1]).is_some_and(|r| (r - 1.5).abs() < 0.01));
        assert_eq!(ratio(&board.rows[2]), None);
    }
}
