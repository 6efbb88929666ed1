//! The load: which proofs come when, how large they are, and how long their tasks take. `docs/benchmarks.md` describes it.

use provost_scheduler::TaskKind;

use crate::random::Random;
use crate::task::Millis;

/// What a user asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Core,
    Compressed,
    Groth16,
    Plonk,
}

/// A proof that is to come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    pub(crate) at: Millis,
    pub(crate) tenant: usize,
    pub(crate) shards: u32,
    pub(crate) mode: Mode,
    /// Where the times of its tasks come from.
    pub(crate) seed: u64,
}

/// What varies from run to run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) gpus: u32,
    /// Time in which proofs come.
    pub(crate) lasts: Millis,
    /// Work that comes, of what the GPUs can do, in quiet and in busy periods, which take turns.
    pub(crate) quiet: f64,
    pub(crate) busy: f64,
    pub(crate) period: Millis,
    pub(crate) tenants: usize,
}

/// Shards of a proof, by how often.
const SIZES: [(f64, u32); 4] = [(60.0, 4), (30.0, 48), (9.0, 346), (1.0, 2_000)];

const MODES: [(f64, Mode); 4] = [
    (10.0, Mode::Core),
    (50.0, Mode::Compressed),
    (32.0, Mode::Groth16),
    (8.0, Mode::Plonk),
];

/// Shards that an execution yields in a second.
pub(crate) const SHARDS_PER_SECOND: f64 = 20.0;
/// What a reduction joins at most.
pub(crate) const ARITY: usize = 4;
/// Time for a task's inputs to come from the store; while others are proved.
pub(crate) const FETCH: Millis = 150;

/// Mean time of a task in milliseconds, and the part of it by which it varies.
const fn duration(kind: TaskKind) -> (f64, f64) {
    match kind {
        TaskKind::CoreExecute => (500.0, 0.3),
        TaskKind::SetupVkey | TaskKind::ShrinkWrap => (4_000.0, 0.2),
        TaskKind::ProveShard => (2_000.0, 0.4),
        TaskKind::Groth16Wrap => (2_000.0, 0.2),
        TaskKind::PlonkWrap => (8_000.0, 0.2),
        _ => (400.0, 0.2),
    }
}

/// How long a task takes.
pub(crate) fn time(kind: TaskKind, random: &mut Random) -> Millis {
    let (mean, spread) = duration(kind);
    random.around(mean, spread)
}

/// All proofs that come, by time.
pub(crate) fn requests(settings: &Settings, seed: u64) -> Vec<Request> {
    let mut random = Random(seed);
    // A tenant asks for twice as much as one of twice its number.
    let tenants: Vec<_> = (0..settings.tenants)
        .map(|n| (1.0 / (n + 1) as f64, n))
        .collect();
    let per_ms = f64::from(settings.gpus) / mean_work();
    let (mut at, mut requests) = (0.0, Vec::new());
    loop {
        let period = at as Millis / settings.period;
        let part = if period.is_multiple_of(2) {
            settings.busy
        } else {
            settings.quiet
        };
        at += random.exponential(per_ms * part);
        if at >= settings.lasts as f64 {
            return requests;
        }
        requests.push(Request {
            at: at as Millis,
            tenant: *random.pick(&tenants),
            shards: *random.pick(&SIZES),
            mode: *random.pick(&MODES),
            seed: random.unit().to_bits(),
        });
    }
}

/// Time on a GPU that a proof takes on average, in milliseconds.
fn mean_work() -> f64 {
    let total: f64 = SIZES.iter().map(|(often, _)| often).sum();
    let of = |kind| duration(kind).0;
    let work = SIZES.iter().map(|(often, shards)| {
        let shards = f64::from(*shards);
        let reduces = shards / (ARITY - 1) as f64;
        let tasks = shards * of(TaskKind::ProveShard) + reduces * of(TaskKind::RecursionReduce);
        often / total * tasks
    });
    let wrapped = (MODES[2].0 + MODES[3].0) / 100.0;
    work.sum::<f64>() + of(TaskKind::SetupVkey) + wrapped * of(TaskKind::ShrinkWrap)
}
