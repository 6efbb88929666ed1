//! Writes to the API server as the operator makes them: as many as it takes, or at a given rate beside something else.

use std::time::{Duration, Instant};

use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use provost_crds::{FIELD_MANAGER, ProvingTask, ProvingTaskSpec};
use provost_load::Process;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::api::{Space, client};

/// Writes under way at the same time: as many as the operator's own.
const WRITERS: usize = 4;
/// Objects that a paced writer turns to.
const OBJECTS: u64 = 64;
/// Tells a process to be a paced writer.
const VARIABLE: &str = "PROVOST_BENCH_WRITER";

/// What the API server takes, each kind of write for itself, in a closed loop of four.
pub(crate) struct RawRate {
    pub(crate) creates: f64,
    pub(crate) patches: f64,
    pub(crate) deletes: f64,
}

impl RawRate {
    pub(crate) fn json(&self) -> Value {
        json!({"creates_per_second": self.creates, "status_patches_per_second": self.patches, "deletes_per_second": self.deletes})
    }
}

/// Measures it, for so long each.
pub(crate) async fn raw_rate(space: &Space, lasts: Duration) -> RawRate {
    let (began, mut writers) = (Instant::now(), JoinSet::new());
    for writer in 0..WRITERS {
        let api = space.tasks();
        writers.spawn(async move {
            let mut count = 0;
            while began.elapsed() < lasts {
                create(&api, &name(writer, count)).await;
                count += 1;
            }
            count
        });
    }
    let counts = writers.join_all().await;
    let total = counts.iter().sum::<u64>() as f64;
    // Every writer has made at least so many.
    let of = counts.iter().copied().min().unwrap_or(0).max(1);
    let creates = total / began.elapsed().as_secs_f64();
    let (began, mut writers) = (Instant::now(), JoinSet::new());
    for writer in 0..WRITERS {
        let api = space.tasks();
        writers.spawn(async move {
            let mut count = 0;
            while began.elapsed() < lasts {
                patch(&api, &name(writer, count % of), count).await;
                count += 1;
            }
            count
        });
    }
    let total = writers.join_all().await.iter().sum::<u64>() as f64;
    let patches = total / began.elapsed().as_secs_f64();
    let (began, mut writers) = (Instant::now(), JoinSet::new());
    for writer in 0..WRITERS {
        let api = space.tasks();
        writers.spawn(async move {
            let mut count = 0;
            while began.elapsed() < lasts && count < of {
                delete(&api, &name(writer, count)).await;
                count += 1;
            }
            count
        });
    }
    let total = writers.join_all().await.iter().sum::<u64>() as f64;
    let deletes = total / began.elapsed().as_secs_f64();
    RawRate {
        creates,
        patches,
        deletes,
    }
}

/// Starts a process that writes `per_second` times, until it is dropped.
pub(crate) fn paced(space: &Space, per_second: f64) -> Process {
    let told = format!("{per_second} {}", space.name);
    let (process, _) = Process::start_self(VARIABLE, &told).unwrap();
    process
}

/// If this process is to be a writer, is one until it is killed.
pub(crate) fn write_if_told() -> bool {
    let Ok(told) = std::env::var(VARIABLE) else {
        return false;
    };
    let (per_second, namespace) = told.split_once(' ').unwrap();
    let each = Duration::from_secs_f64(1.0 / per_second.parse::<f64>().unwrap());
    super::runtime().block_on(async {
        let space = Space {
            client: client().await,
            name: namespace.to_owned(),
        };
        let api = space.tasks();
        for number in 0..OBJECTS {
            create(&api, &name(WRITERS, number)).await;
        }
        // Whoever started this waits for it.
        println!("ready");
        let mut ticks = tokio::time::interval(each);
        for count in 0.. {
            ticks.tick().await;
            let api = api.clone();
            tokio::spawn(async move { patch(&api, &name(WRITERS, count % OBJECTS), count).await });
        }
    });
    true
}

fn name(writer: usize, number: u64) -> String {
    format!("raw-{writer}-{number}")
}

async fn create(api: &Api<ProvingTask>, name: &str) {
    let spec = ProvingTaskSpec {
        proof: "raw".to_owned(),
        task_id: name.to_owned(),
        task_type: "ProveShard".to_owned(),
        weight: 4,
        root: false,
        run: 0,
        failed_attempts: Default::default(),
        shard_size: None,
    };
    let mut object = ProvingTask::new(name, spec);
    object.status = serde_json::from_value(status(0)).unwrap();
    // One of a run that was broken off counts as well.
    let _ = api.create(&PostParams::default(), &object).await;
}

async fn patch(api: &Api<ProvingTask>, name: &str, number: u64) {
    let params = PatchParams {
        field_manager: Some(FIELD_MANAGER.into()),
        ..PatchParams::default()
    };
    let patch = Patch::Merge(json!({"status": status(number)}));
    let _ = api.patch(name, &params, &patch).await;
}

async fn delete(api: &Api<ProvingTask>, name: &str) {
    let _ = api.delete(name, &DeleteParams::background()).await;
}

/// Another each time: what changes nothing is not written.
fn status(number: u64) -> Value {
    json!({"state": "Running", "worker": format!("worker-{number}/prove"), "attempts": 1, "startedAt": "2026-01-01T00:00:00Z"})
}
