//! Tables and JSON.

use std::time::Duration;

use crate::load::Settings;
use crate::measure::Meter;
use crate::task::{Class, Millis};

/// Sizes of proofs that are told apart: most shards of each.
const SIZES: [(&str, u32); 3] = [("small", 4), ("medium", 346), ("large", u32::MAX)];

/// What a run gave.
pub(crate) struct Run {
    policy: &'static str,
    seed: u64,
    proofs: usize,
    unfinished: usize,
    tasks: u64,
    /// Part of the GPUs and of the time: always, while GPU tasks wait.
    busy: [(f64, f64); 2],
    blocked: [f64; 2],
    /// Mean and p95 of windows in which work was queued; `None` where there was none.
    unfair: Option<(f64, f64)>,
    /// Mean and p95 of all proofs, then of each size, in seconds.
    took: [(f64, f64); 4],
    wall: Duration,
}

/// What a case gave with each policy.
pub(crate) struct CaseResult {
    pub(crate) name: &'static str,
    pub(crate) of: &'static str,
    pub(crate) took: [(&'static str, Option<Millis>); 3],
}

impl Run {
    pub(crate) fn new(
        policy: &'static str,
        seed: u64,
        proofs: usize,
        meter: &Meter,
        wall: Duration,
    ) -> Self {
        let took = |least: u32, most: u32| {
            let of = meter
                .finished
                .iter()
                .filter(|f| f.shards > least && f.shards <= most);
            mean_and_p95(of.map(|f| f.took as f64 / 1e3).collect())
        };
        Self {
            policy,
            seed,
            proofs,
            unfinished: meter.unfinished,
            tasks: meter.starts,
            busy: meter.busy(),
            blocked: [meter.blocked(Class::Gpu), meter.blocked(Class::Cpu)],
            unfair: (!meter.unfair.is_empty()).then(|| mean_and_p95(meter.unfair.clone())),
            took: [
                took(0, u32::MAX),
                took(0, SIZES[0].1),
                took(SIZES[0].1, SIZES[1].1),
                took(SIZES[1].1, SIZES[2].1),
            ],
            wall,
        }
    }
}

fn mean_and_p95(mut values: Vec<f64>) -> (f64, f64) {
    values.sort_by(f64::total_cmp);
    let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
    let p95 = values.get(values.len() * 95 / 100).or(values.last());
    (mean, p95.copied().unwrap_or_default())
}

pub(crate) fn print(settings: &Settings, runs: &[Run], cases: &[CaseResult]) {
    println!(
        "{} GPUs, {} minutes in which proofs come, {:.0} % and {:.0} % of what the GPUs can do by turns",
        settings.gpus,
        settings.lasts / 60_000,
        settings.busy * 100.0,
        settings.quiet * 100.0
    );
    println!(
        "| seed | policy | proofs | left | tasks | busy | while work is queued (of the time) | fair-share error mean, p95 | \
         room but not placed: GPU, executor | proof mean, p95 s | small | medium | large | run took |"
    );
    println!(
        "| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    );
    for run in runs {
        let percent = |part: f64| format!("{:.2} %", part * 100.0);
        let both = |(busy, time): (f64, f64)| match time > 0.0 {
            true => format!("{} ({})", percent(busy), percent(time)),
            false => "none waits".to_owned(),
        };
        let unfair = run.unfair.map_or("-".to_owned(), |(mean, p95)| {
            format!("{}, {}", percent(mean), percent(p95))
        });
        let took = run.took.map(|(mean, p95)| format!("{mean:.1}, {p95:.1}"));
        println!(
            "| {} | {} | {} | {} | {} | {} | {} | {} | {}, {} | {} | {:.1?} |",
            run.seed,
            run.policy,
            run.proofs,
            run.unfinished,
            run.tasks,
            percent(run.busy[0].0),
            both(run.busy[1]),
            unfair,
            percent(run.blocked[0]),
            percent(run.blocked[1]),
            took.join(" | "),
            run.wall
        );
    }
    let names = cases[0].took.map(|(policy, _)| policy);
    println!(
        "\n| the first does not fit | time | {} |",
        names.join(" | ")
    );
    println!("| --- | --- | ---: | ---: | ---: |");
    for case in cases {
        let took = case.took.map(|(_, took)| match took {
            Some(millis) => format!("{:.2} s", millis as f64 / 1e3),
            None => "never (2 min)".to_owned(),
        });
        println!("| {} | {} | {} |", case.name, case.of, took.join(" | "));
    }
    println!("{}", json(settings, runs, cases));
}

fn json(settings: &Settings, runs: &[Run], cases: &[CaseResult]) -> String {
    let runs = runs.iter().map(|run| {
        let took = run.took.map(|(mean, p95)| format!("[{mean:.3},{p95:.3}]"));
        let unfair = run.unfair.map_or("null".to_owned(), |(mean, p95)| {
            format!(r#"{{"mean":{mean:.5},"p95":{p95:.5}}}"#)
        });
        format!(
            r#"{{"seed":{},"policy":"{}","proofs":{},"unfinished":{},"tasks":{},"busy":{:.5},"while_queued":{{"busy":{:.5},"of_time":{:.5}}},"fair_share_error":{},"room_but_not_placed":{{"gpu":{:.5},"executor":{:.5}}},"proof_seconds_mean_p95":{{"all":{},"small":{},"medium":{},"large":{}}}}}"#,
            run.seed,
            run.policy,
            run.proofs,
            run.unfinished,
            run.tasks,
            run.busy[0].0,
            run.busy[1].0,
            run.busy[1].1,
            unfair,
            run.blocked[0],
            run.blocked[1],
            took[0],
            took[1],
            took[2],
            took[3],
        )
    });
    let cases = cases.iter().map(|case| {
        let took = case.took.map(|(policy, took)| {
            let millis = took.map_or("null".to_owned(), |millis| millis.to_string());
            format!(r#""{policy}":{millis}"#)
        });
        format!(
            r#"{{"case":"{}","time":"{}","ms":{{{}}}}}"#,
            case.name,
            case.of,
            took.join(",")
        )
    });
    format!(
        r#"{{"benchmark":"scheduler-busy","gpus":{},"minutes":{},"runs":[{}],"cases":[{}]}}"#,
        settings.gpus,
        settings.lasts / 60_000,
        runs.collect::<Vec<_>>().join(","),
        cases.collect::<Vec<_>>().join(",")
    )
}
