//! Decisions a second, by length of the queue and number of workers.
//!
//! `cargo bench -p provost-scheduler` prints a table, with `-- --json` JSON. `--proofs N` and `--tenants N` say how many there are (1,000 and 10), `--queue N` and
//! `--workers N` measure one cell, `--millis N` how long each cell takes (1,000).
//!
//! Without any argument, as `cargo test` runs it, it only shows that it runs. The cluster is full. One step: a random running task ends, a new one is added, so that the queue stays as long as it is, and decisions are taken until nothing
//! more fits. Reported are placements by the time on a core that all of that takes; the times of single steps are by the wall clock.

#![allow(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    reason = "a benchmark"
)]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use provost_scheduler::{
    Class, Pod, ProofKey, ProofSpec, Scheduler, Settings, Shape, Slot, TaskKey, TaskKind, TaskSpec,
    WorkerKind, WorkerSpec,
};

const QUEUES: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];
const WORKERS: [usize; 3] = [100, 1_000, 10_000];

fn main() {
    let options = Options::parse();
    let mut cells = Vec::new();
    for &workers in options.workers.as_deref().unwrap_or(&WORKERS) {
        for &queue in options.queue.as_deref().unwrap_or(&QUEUES) {
            cells.push(Bench::new(&options, queue, workers).run(&options));
        }
    }
    if options.json {
        print_json(&options, &cells);
    } else {
        print_table(&options, &cells);
    }
}

struct Options {
    json: bool,
    proofs: usize,
    tenants: usize,
    millis: u64,
    queue: Option<Vec<usize>>,
    workers: Option<Vec<usize>>,
}

impl Options {
    fn parse() -> Self {
        let mut arguments: Vec<_> = std::env::args().skip(1).collect();
        if arguments.is_empty() {
            let short = ["--queue", "1000", "--workers", "100", "--millis", "10"];
            arguments = short.map(str::to_owned).to_vec();
        }
        let number = |name: &str| {
            let at = arguments.iter().position(|a| a == name)?;
            arguments.get(at + 1)?.parse::<usize>().ok()
        };
        Self {
            json: arguments.iter().any(|a| a == "--json"),
            proofs: number("--proofs").unwrap_or(1_000).max(1),
            tenants: number("--tenants").unwrap_or(10).max(1),
            millis: number("--millis").unwrap_or(1_000) as u64,
            queue: number("--queue").map(|n| vec![n]),
            workers: number("--workers").map(|n| vec![n]),
        }
    }
}

struct Cell {
    queue: usize,
    workers: usize,
    running: usize,
    decisions: u64,
    wall: Duration,
    /// Time on a core. On a machine that does other things too, that is what tells.
    cpu: Duration,
    p50: Duration,
    p999: Duration,
    /// What taking one of as many numbers as there are workers out of an ordered set of the standard library and putting another one in takes, in the same run.
    floor: Duration,
}

impl Cell {
    fn per_second(&self) -> f64 {
        self.decisions as f64 / self.cpu.as_secs_f64()
    }
}

struct Bench {
    scheduler: Scheduler,
    proofs: Vec<ProofKey>,
    running: Vec<TaskKey>,
    random: Random,
    queue: usize,
    workers: usize,
}

impl Bench {
    fn new(options: &Options, queue: usize, workers: usize) -> Self {
        let mut scheduler = Scheduler::new(Settings::default());
        let tenants: Vec<_> = (0..options.tenants)
            .map(|_| scheduler.add_tenant(1))
            .collect();
        let proofs = (0..options.proofs).map(|n| {
            let spec = ProofSpec {
                tenant: tenants[n % tenants.len()],
                priority: 0,
                deadline: None,
                parallelism: None,
            };
            scheduler.add_proof(spec).unwrap()
        });
        let proofs = proofs.collect();
        // One in five executes and wraps, the others prove; two sizes of each.
        for n in 0..workers {
            let (kind, capacity) = match n % 10 {
                0 => (WorkerKind::Cpu, 128),
                1 => (WorkerKind::Cpu, 64),
                2..6 => (WorkerKind::Gpu, 48),
                _ => (WorkerKind::Gpu, 24),
            };
            scheduler.add_worker(WorkerSpec {
                kind,
                capacity,
                provers: None,
                pod: Pod::new(n as u64),
                provides: Vec::new(),
                spot: false,
            });
        }
        let mut bench = Self {
            scheduler,
            proofs,
            running: Vec::new(),
            random: Random(0x1234_5678_9ABC_DEF0),
            queue,
            workers,
        };
        while bench.scheduler.waiting() < queue {
            bench.add();
            if bench.scheduler.waiting() >= queue {
                bench.dispatch();
            }
        }
        bench
    }

    fn run(mut self, options: &Options) -> Cell {
        let steps = self.workers.max(1_000) * 4;
        for _ in 0..steps {
            self.step();
        }
        let limit = Duration::from_millis(options.millis);
        let (mut decisions, mut samples) = (0, Vec::new());
        let (start, cpu) = (Instant::now(), cpu_time());
        while start.elapsed() < limit {
            for _ in 0..127 {
                decisions += self.step();
            }
            let one = Instant::now();
            decisions += self.step();
            samples.push(one.elapsed());
        }
        let wall = start.elapsed();
        let cpu = cpu_time().zip(cpu).map(|(end, begin)| end - begin);
        samples.sort_unstable();
        Cell {
            queue: self.queue,
            workers: self.workers,
            running: self.running.len(),
            decisions,
            wall,
            cpu: cpu.unwrap_or(wall),
            p50: samples[samples.len() / 2],
            p999: samples[samples.len() * 999 / 1_000],
            floor: floor(self.workers),
        }
    }

    fn step(&mut self) -> u64 {
        let at = self.random.below(self.running.len());
        let task = self.running.swap_remove(at);
        self.scheduler.complete(task).unwrap();
        while self.scheduler.waiting() < self.queue {
            self.add();
        }
        self.dispatch()
    }

    fn dispatch(&mut self) -> u64 {
        let mut placed = 0;
        while let Some(placement) = self.scheduler.next(0) {
            self.running.push(placement.task);
            placed += 1;
        }
        placed
    }

    fn add(&mut self) {
        let proof = self.proofs[self.random.below(self.proofs.len())];
        let kind = match self.random.below(1_000) {
            0..620 => TaskKind::ProveShard,
            620..860 => TaskKind::RecursionReduce,
            860..900 => TaskKind::RecursionDeferred,
            900..920 => TaskKind::ShrinkWrap,
            920..940 => TaskKind::SetupVkey,
            940..960 => TaskKind::Controller,
            960..980 => TaskKind::CoreExecute,
            980..995 => TaskKind::Groth16Wrap,
            _ => TaskKind::PlonkWrap,
        };
        let task = TaskSpec::new(proof, shape(kind), kind.stage());
        self.scheduler.add_task(task).unwrap();
    }
}

fn shape(kind: TaskKind) -> Shape {
    match kind {
        TaskKind::ProveShard | TaskKind::ShrinkWrap => Shape::new(Class::Gpu, 4),
        TaskKind::SetupVkey => Shape::new(Class::Gpu, 1),
        TaskKind::Controller => Shape::new(Class::Cpu, 1).with_reserve(14),
        TaskKind::CoreExecute => Shape::new(Class::Cpu, 8),
        TaskKind::Groth16Wrap => Shape::new(Class::Cpu, 14),
        TaskKind::PlonkWrap => Shape::new(Class::Cpu, 60).with_slot(Slot::new(0)),
        _ => Shape::new(Class::Gpu, 3),
    }
}

fn print_table(options: &Options, cells: &[Cell]) {
    let (proofs, tenants) = (options.proofs, options.tenants);
    println!("{proofs} proofs of {tenants} tenants, one core");
    println!(
        "| workers | queued | running | decisions/s | ns each | step p50 | step p99.9 | set update |"
    );
    println!("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    for cell in cells {
        let Cell {
            queue,
            workers,
            running,
            p50,
            p999,
            floor,
            ..
        } = cell;
        let rate = cell.per_second();
        let each = 1e9 / rate;
        println!(
            "| {workers} | {queue} | {running} | {rate:.0} | {each:.0} | {p50:.1?} | {p999:.1?} | {floor:.0?} |"
        );
    }
}

fn print_json(options: &Options, cells: &[Cell]) {
    let row = |cell: &Cell| {
        format!(
            r#"{{"workers":{},"queued":{},"running":{},"decisions":{},"cpu_seconds":{:.3},"wall_seconds":{:.3},"decisions_per_second":{:.0},"step_p50_ns":{},"step_p999_ns":{},"set_update_ns":{}}}"#,
            cell.workers,
            cell.queue,
            cell.running,
            cell.decisions,
            cell.cpu.as_secs_f64(),
            cell.wall.as_secs_f64(),
            cell.per_second(),
            cell.p50.as_nanos(),
            cell.p999.as_nanos(),
            cell.floor.as_nanos(),
        )
    };
    let rows: Vec<_> = cells.iter().map(row).collect();
    println!(
        r#"{{"benchmark":"scheduler-decisions","proofs":{},"tenants":{},"rows":[{}]}}"#,
        options.proofs,
        options.tenants,
        rows.join(",")
    );
}

fn floor(size: usize) -> Duration {
    let mut random = Random(0x1234_5678_9ABC_DEF1);
    let mut numbers: Vec<_> = (0..size).map(|n| (random.below(48), n)).collect();
    let mut set: BTreeSet<_> = numbers.iter().copied().collect();
    let rounds = 200_000u32;
    let (start, cpu) = (Instant::now(), cpu_time());
    for _ in 0..rounds {
        let at = random.below(size);
        set.remove(&numbers[at]);
        numbers[at].0 = random.below(48);
        set.insert(numbers[at]);
    }
    let wall = start.elapsed();
    let cpu = cpu_time().zip(cpu).map(|(end, begin)| end - begin);
    cpu.unwrap_or(wall) / rounds
}

/// Time that this thread has had a core, where the system says (Linux).
fn cpu_time() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanos = stat.split_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanos))
}

/// A small generator: the benchmark must not measure a large one.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }
}
