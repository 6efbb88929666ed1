//! What was measured.

use std::time::Duration;

/// What one run of load yields.
pub(crate) struct Sample {
    pub(crate) tasks: u64,
    pub(crate) took: Duration,
    /// CPU time of the server.
    pub(crate) cpu: Duration,
    /// From creation to delivery to a worker.
    pub(crate) delays: Vec<Duration>,
}

pub(crate) struct Measured {
    name: &'static str,
    per_second: f64,
    cpu_micros: f64,
    /// p50, p99, p99.9 in milliseconds.
    delays: [f64; 3],
}

impl Measured {
    pub(crate) fn new(name: &'static str, mut sample: Sample) -> Self {
        sample.delays.sort_unstable();
        let at = |quantile: f64| {
            let last = sample.delays.len().saturating_sub(1);
            let index = (last as f64 * quantile) as usize;
            let delay = sample.delays.get(index).copied().unwrap_or_default();
            delay.as_secs_f64() * 1e3
        };
        let tasks = sample.tasks.max(1) as f64;
        Self {
            name,
            per_second: sample.tasks as f64 / sample.took.as_secs_f64(),
            cpu_micros: sample.cpu.as_secs_f64() * 1e6 / tasks,
            delays: [at(0.5), at(0.99), at(0.999)],
        }
    }
}

/// The round in the middle by each figure.
pub(crate) fn median(rounds: Vec<Measured>) -> Measured {
    let of = |figure: fn(&Measured) -> f64| {
        provost_load::report::median(&rounds.iter().map(figure).collect::<Vec<_>>())
    };
    Measured {
        name: rounds.first().map_or("", |round| round.name),
        per_second: of(|round| round.per_second),
        cpu_micros: of(|round| round.cpu_micros),
        delays: [
            of(|round| round.delays[0]),
            of(|round| round.delays[1]),
            of(|round| round.delays[2]),
        ],
    }
}

pub(crate) fn table(rows: &[Measured]) {
    println!("door      tasks/s  server CPU/task   created -> delivered p50, p99, p99.9");
    for row in rows {
        let [p50, p99, p999] = row.delays;
        println!(
            "{:<7} {:>9.0} {:>13.1} us   {p50:.2}, {p99:.2}, {p999:.2} ms",
            row.name, row.per_second, row.cpu_micros
        );
    }
}

pub(crate) fn json(rows: &[Measured]) {
    let rows = rows.iter().map(|row| {
        serde_json::json!({
            "door": row.name,
            "tasks_per_second": row.per_second,
            "server_cpu_micros_per_task": row.cpu_micros,
            "created_to_delivered_millis": { "p50": row.delays[0], "p99": row.delays[1], "p99_9": row.delays[2] },
        })
    });
    println!("{}", serde_json::Value::Array(rows.collect()));
}
