//! The result of a benchmark.

use serde::Serialize;

use super::table;

/// One proof.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Run {
    name: String,
    cycles: i64,
    /// From creation to the first task on a worker.
    pub(crate) queue_seconds: f64,
    /// From there to the end.
    pub(crate) prove_seconds: f64,
    /// From creation to the end.
    pub(crate) total_seconds: f64,
    /// Executed cycles by proving time; none when the time was too short to measure.
    pub(crate) mhz: Option<f64>,
}

impl Run {
    /// A measured proof.
    pub(crate) fn new(name: String, cycles: i64, queue: f64, prove: f64, total: f64) -> Self {
        let mhz = (prove > 0.0).then(|| cycles as f64 / prove / 1e6);
        Self {
            name,
            cycles,
            queue_seconds: queue,
            prove_seconds: prove,
            total_seconds: total,
            mhz,
        }
    }
}

/// The spread of one figure over the runs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct Spread {
    min: f64,
    median: f64,
    max: f64,
}

impl Spread {
    /// None without values. The median of an even number is the mean of the middle two.
    fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let median = match values.len() % 2 {
            1 => *values.get(middle)?,
            _ => (values.get(middle)? + values.get(middle.checked_sub(1)?)?) / 2.0,
        };
        Some(Self {
            min: *values.first()?,
            median,
            max: *values.last()?,
        })
    }
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    queue_seconds: Option<Spread>,
    prove_seconds: Option<Spread>,
    total_seconds: Option<Spread>,
    mhz: Option<Spread>,
}

/// Everything that `-o json` prints.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    program: &'static str,
    mode: String,
    requested_mcycles: f64,
    iterations: u32,
    cycles_per_iteration: f64,
    runs: Vec<Run>,
    summary: Summary,
}

impl Report {
    /// The report of these runs.
    pub(crate) fn new(
        mode: String,
        mcycles: f64,
        n: u32,
        per_iteration: f64,
        runs: Vec<Run>,
    ) -> Self {
        let spread = |of: fn(&Run) -> f64| Spread::of(runs.iter().map(of));
        let summary = Summary {
            queue_seconds: spread(|r| r.queue_seconds),
            prove_seconds: spread(|r| r.prove_seconds),
            total_seconds: spread(|r| r.total_seconds),
            mhz: Spread::of(runs.iter().filter_map(|r| r.mhz)),
        };
        Self {
            program: "fibonacci",
            mode,
            requested_mcycles: mcycles,
            iterations: n,
            cycles_per_iteration: per_iteration,
            runs,
            summary,
        }
    }

    /// The report as a table; with more than one run, the spread below.
    pub(crate) fn text(&self) -> String {
        let seconds = |s: f64| format!("{s:.3} s");
        let speed = |m: f64| {
            if m < 1.0 {
                format!("{m:.4}")
            } else {
                format!("{m:.2}")
            }
        };
        let mut rows: Vec<Vec<String>> = self
            .runs
            .iter()
            .enumerate()
            .map(|(i, run)| {
                vec![
                    (i + 1).to_string(),
                    run.cycles.to_string(),
                    seconds(run.queue_seconds),
                    seconds(run.prove_seconds),
                    seconds(run.total_seconds),
                    run.mhz.map(speed).unwrap_or_default(),
                ]
            })
            .collect();
        if self.runs.len() > 1 {
            type Figure = fn(Spread) -> f64;
            let figures: [(&str, Figure); 3] = [
                ("min", |s| s.min),
                ("median", |s| s.median),
                ("max", |s| s.max),
            ];
            for (label, of) in figures {
                let time = |s: Option<Spread>| s.map(|s| seconds(of(s))).unwrap_or_default();
                rows.push(vec![
                    label.to_owned(),
                    String::new(),
                    time(self.summary.queue_seconds),
                    time(self.summary.prove_seconds),
                    time(self.summary.total_seconds),
                    self.summary.mhz.map(|s| speed(of(s))).unwrap_or_default(),
                ]);
            }
        }
        format!(
            "{}, mode {}, n = {}\n{}",
            self.program,
            self.mode,
            self.iterations,
            table::render(&["RUN", "CYCLES", "QUEUE", "PROVE", "TOTAL", "MHZ"], &rows)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(prove: f64) -> Run {
        Run::new("r".into(), 1_000_000, 0.05, prove, prove + 0.05)
    }

    #[test]
    fn medians() {
        let median = |values: &[f64]| Spread::of(values.iter().copied()).map(|s| s.median);
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0]), Some(3.0));
        assert_eq!(median(&[4.0, 1.0]), Some(2.5));
        assert_eq!(median(&[9.0, 1.0, 2.0]), Some(2.0));
    }

    #[test]
    fn one_run_needs_no_spread() {
        let text = Report::new("Core".into(), 1.0, 9, 5.0, vec![run(2.0)]).text();
        assert_eq!(
            text,
            "fibonacci, mode Core, n = 9\n\
             RUN   CYCLES    QUEUE     PROVE     TOTAL     MHZ\n\
             1     1000000   0.050 s   2.000 s   2.050 s   0.5000\n"
        );
    }

    #[test]
    fn several_runs_show_their_spread() {
        let text = Report::new(
            "Core".into(),
            1.0,
            9,
            5.0,
            vec![run(2.0), run(0.5), run(1.0)],
        )
        .text();
        let rows: Vec<&str> = text.lines().skip(5).collect();
        assert_eq!(rows[0].split_whitespace().nth(3), Some("0.500"), "{text}");
        assert!(
            rows[1].starts_with("median") && rows[1].contains("1.000 s"),
            "{text}"
        );
        assert!(
            rows[2].contains("2.000 s") && rows[2].ends_with("2.00"),
            "{text}"
        );
    }

    #[test]
    fn json_has_the_runs_and_the_summary() {
        let report = Report::new("Core".into(), 1.0, 9, 5.0, vec![run(2.0), run(0.0)]);
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["runs"][0]["proveSeconds"], 2.0);
        assert_eq!(json["runs"][0]["mhz"], 0.5);
        assert!(json["runs"][1]["mhz"].is_null());
        assert_eq!(json["summary"]["totalSeconds"]["max"], 2.05);
        assert_eq!(json["iterations"], 9);
    }
}
