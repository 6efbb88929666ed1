//! The status of a WorkerPool from what is known of its pods and workers. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kube::ResourceExt;
use provost_coordinator::{Device, ShardSize};
use provost_crds::{
    POOL_LABEL, QuarantinedNode, WorkerPool, WorkerPoolStatus, conditions, reasons,
};

use super::apply::Hindered;
use super::fleet::LastCrash;
use super::gpus;
use crate::pods::classify::Crash;
use crate::state::shards::stored;

/// Longest text of a status on devices: the definition's bound.
const MOST_DEVICES: usize = 512;

/// What the status is made of.
#[derive(Debug, Clone, Default)]
pub struct Observed {
    /// Pods that exist and are not ended or leaving.
    pub live: usize,
    /// Pods that are ready.
    pub ready: usize,
    /// Pods of an older template that go on until they have no tasks.
    pub outdated: usize,
    /// The one of them that gets no more tasks.
    pub held: Option<String>,
    /// Ready workers by role.
    pub roles: BTreeMap<String, usize>,
    /// GPUs of ready workers by kind.
    pub devices: BTreeMap<Device, usize>,
    /// The largest shards that all of them take.
    pub shards: Option<ShardSize>,
    /// Why pods are not ready, one line each.
    pub problems: Vec<String>,
    /// The last worker that crashed, where some are not ready.
    pub crash: Option<LastCrash>,
    /// Nodes that new workers stay away from.
    pub quarantined: Vec<QuarantinedNode>,
    /// What keeps the operator from making or deleting pods.
    pub blocked: Option<Blocked>,
}

/// Why the pods are not as they should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Blocked {
    /// The API server's answer: it refuses them.
    Refused(String),
    /// The API server fails, or what it asks does.
    Failed(String),
}

impl From<&Hindered> for Blocked {
    fn from(hindered: &Hindered) -> Self {
        let text = hindered.text.clone();
        match hindered.error.is_refused() {
            true => Self::Refused(text),
            false => Self::Failed(text),
        }
    }
}

impl Blocked {
    fn reason(&self) -> &'static str {
        match self {
            Self::Refused(_) => reasons::POD_REFUSED,
            Self::Failed(_) => reasons::POD_FAILED,
        }
    }

    fn message(&self) -> String {
        match self {
            Self::Refused(answer) => format!("the API server refuses the pod: {answer}"),
            Self::Failed(error) => format!("its pods could not be changed, tried again: {error}"),
        }
    }
}

/// The status of a pool that is served.
pub fn served(pool: &WorkerPool, observed: &Observed, now: Timestamp) -> WorkerPoolStatus {
    let desired = usize::try_from(pool.spec.replicas).unwrap_or(0);
    let mut status = seen(pool, observed);
    let mut counts = format!("{} of {desired} workers are ready", observed.ready);
    counts.push_str(&outdated(observed.outdated));
    if let Some(held) = &observed.held {
        counts.push_str(&format!("; {held} gets no more tasks until then"));
    }
    for QuarantinedNode { node, until, .. } in &observed.quarantined {
        let until = until.0;
        counts.push_str(&format!("; node {node} is left out until {until:.0}"));
    }
    let (value, reason, message) = if let Some(blocked) = &observed.blocked {
        let why = known_but_for_numbers(pool, &counts, blocked.message());
        (
            conditions::FALSE,
            blocked.reason(),
            format!("{counts}; {why}"),
        )
    } else if observed.ready >= desired {
        (conditions::TRUE, reasons::WORKERS_READY, counts)
    } else {
        let crash = observed.crash.as_ref();
        let reason = match crash.map(|last| last.crash) {
            Some(Crash::Device) => reasons::DEVICE_UNAVAILABLE,
            Some(Crash::Other) | None => reasons::WORKERS_NOT_READY,
        };
        let problems = observed
            .problems
            .iter()
            .take(3)
            .chain(crash.map(|last| &last.message))
            .map(|p| format!("; {p}"))
            .collect::<String>();
        (conditions::FALSE, reason, format!("{counts}{problems}"))
    };
    set(&mut status, value, reason, &message, pool, now);
    status
}

/// `why`, or what the status says after the same `counts` if only times and other numbers in it differ: else a status that is written would
/// lead to the next one.
fn known_but_for_numbers(pool: &WorkerPool, counts: &str, why: String) -> String {
    let words = |text: &str| text.replace(|c: char| c.is_ascii_digit(), "");
    let known = pool.ready_condition();
    let known = known.and_then(|known| known.message.strip_prefix(counts)?.strip_prefix("; "));
    match known.filter(|known| words(known) == words(&why)) {
        Some(known) => known.to_owned(),
        None => why,
    }
}

/// How far a change of the template has come.
fn outdated(workers: usize) -> String {
    match workers {
        0 => String::new(),
        1 => "; 1 worker is of an older template and is replaced when idle".to_owned(),
        n => format!("; {n} workers are of an older template and are replaced when idle"),
    }
}

/// What there is, whatever it is worth.
fn seen(pool: &WorkerPool, observed: &Observed) -> WorkerPoolStatus {
    let mut status = base(pool);
    status.replicas = count(observed.live);
    status.ready_replicas = count(observed.ready);
    status.roles = observed
        .roles
        .iter()
        .map(|(role, n)| format!("{role} {n}"))
        .collect::<Vec<_>>()
        .join(", ");
    status.devices = observed
        .devices
        .iter()
        .map(|(device, n)| format!("{} {} GiB {n}", device.name, device.memory_bytes >> 30))
        .collect::<Vec<_>>()
        .join(", ");
    let end = status.devices.floor_char_boundary(MOST_DEVICES);
    status.devices.truncate(end);
    let shards = observed.shards.map(stored).or(gpus::remembered(pool));
    if let Some(shards) = shards.filter(|_| pool.spec.asks_for_gpu()) {
        status.shard_size = Some(shards);
        status.shard_size_for = gpus::asked(pool);
    }
    status.quarantined_nodes.clone_from(&observed.quarantined);
    status
}

/// The status of a pool in a namespace that this operator does not serve.
pub fn not_served(pool: &WorkerPool, namespace: &str, now: Timestamp) -> WorkerPoolStatus {
    let mut status = base(pool);
    let message =
        format!("this operator serves pools in namespace {namespace} only: create the pool there");
    set(
        &mut status,
        conditions::FALSE,
        reasons::NAMESPACE_NOT_SERVED,
        &message,
        pool,
        now,
    );
    status
}

/// The status of a pool that asks for GPUs, and no image for them is known.
pub fn no_image(pool: &WorkerPool, observed: &Observed, now: Timestamp) -> WorkerPoolStatus {
    let mut status = seen(pool, observed);
    let message = "the pool asks for GPUs, and the operator knows no image of workers for them: set spec.image, \
                   or PROVOST_WORKER_GPU_IMAGE in the operator's Deployment";
    let value = conditions::FALSE;
    set(
        &mut status,
        value,
        reasons::NO_GPU_IMAGE,
        message,
        pool,
        now,
    );
    status
}

fn base(pool: &WorkerPool) -> WorkerPoolStatus {
    WorkerPoolStatus {
        observed_generation: pool.metadata.generation,
        conditions: pool
            .status
            .as_ref()
            .map(|s| s.conditions.clone())
            .unwrap_or_default(),
        selector: format!("{POOL_LABEL}={}", pool.name_any()),
        ..WorkerPoolStatus::default()
    }
}

fn set(
    status: &mut WorkerPoolStatus,
    value: &str,
    reason: &str,
    message: &str,
    pool: &WorkerPool,
    now: Timestamp,
) {
    conditions::set(
        &mut status.conditions,
        conditions::READY,
        value,
        reason,
        message,
        pool.metadata.generation,
        now,
    );
}

fn count(n: usize) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn pool(replicas: i32) -> WorkerPool {
        WorkerPool::new(
            "workers",
            serde_json::from_value(json!({"class": "All", "replicas": replicas})).unwrap(),
        )
    }

    #[test]
    fn a_full_pool_is_ready() {
        let roles = BTreeMap::from([("prove".to_owned(), 1), ("execute".to_owned(), 2)]);
        let device = Device {
            name: "NVIDIA L4".to_owned(),
            memory_bytes: 23 << 30,
            ..Device::default()
        };
        let status = served(
            &pool(2),
            &Observed {
                live: 2,
                ready: 2,
                roles,
                devices: BTreeMap::from([(device, 1)]),
                ..Observed::default()
            },
            Timestamp::UNIX_EPOCH,
        );
        assert_eq!((status.replicas, status.ready_replicas), (2, 2));
        assert_eq!(status.roles, "execute 2, prove 1");
        assert_eq!(status.devices, "NVIDIA L4 23 GiB 1");
        assert_eq!(status.selector, "provost.dev/pool=workers");
        assert_eq!(status.conditions[0].reason, "WorkersReady");
    }

    #[test]
    fn how_large_shards_its_gpus_take_is_remembered() {
        let mut pool = pool(0);
        let size = |pool: &WorkerPool, shards| {
            let observed = Observed {
                shards,
                ..Observed::default()
            };
            served(pool, &observed, Timestamp::UNIX_EPOCH).shard_size
        };
        let (full, reduced) = (ShardSize::Full, ShardSize::Reduced);
        assert_eq!(size(&pool, Some(full)), None, "it asks for no GPU");
        pool.spec.resources =
            serde_json::from_value(json!({"limits": {"nvidia.com/gpu": 1}})).unwrap();
        assert_eq!(size(&pool, None), None);
        assert_eq!(size(&pool, Some(full)), Some(stored(full)));
        pool.status = Some(served(
            &pool,
            &Observed {
                shards: Some(full),
                ..Observed::default()
            },
            Timestamp::UNIX_EPOCH,
        ));
        assert_eq!(size(&pool, None), Some(stored(full)));
        assert_eq!(size(&pool, Some(reduced)), Some(stored(reduced)));
    }

    #[test]
    fn what_is_missing_is_explained() {
        let observed = Observed {
            live: 1,
            problems: vec!["workers-abcde: no node fits".into()],
            ..Observed::default()
        };
        let status = served(&pool(1), &observed, Timestamp::UNIX_EPOCH);
        assert_eq!(
            status.conditions[0].message,
            "0 of 1 workers are ready; workers-abcde: no node fits"
        );
        assert_eq!(status.conditions[0].reason, "WorkersNotReady");
        let refused = Observed {
            blocked: Some(Blocked::Refused("exceeded quota".into())),
            ..Observed::default()
        };
        assert_eq!(
            served(&pool(1), &refused, Timestamp::UNIX_EPOCH).conditions[0].reason,
            "PodRefused"
        );
    }

    #[test]
    fn workers_that_are_to_be_replaced_yet_are_told() {
        let message = |ready, outdated| {
            let observed = Observed {
                live: 3,
                ready,
                outdated,
                ..Observed::default()
            };
            let status = served(&pool(3), &observed, Timestamp::UNIX_EPOCH);
            let condition = &status.conditions[0];
            format!("{}: {}", condition.reason, condition.message)
        };
        assert_eq!(message(3, 0), "WorkersReady: 3 of 3 workers are ready");
        assert_eq!(
            message(3, 1),
            "WorkersReady: 3 of 3 workers are ready; 1 worker is of an older template and is replaced when idle"
        );
        assert_eq!(
            message(2, 2),
            "WorkersNotReady: 2 of 3 workers are ready; 2 workers are of an older template and are replaced when idle"
        );
    }

    #[test]
    fn a_pool_whose_workers_find_no_device_says_so() {
        let mut observed = Observed {
            live: 1,
            problems: (1..=4).map(|n| format!("workers-{n}: m")).collect(),
            crash: Some(LastCrash {
                crash: Crash::Device,
                message: "workers-a: no CUDA device".into(),
            }),
            ..Observed::default()
        };
        let status = served(&pool(1), &observed, Timestamp::UNIX_EPOCH);
        let condition = &status.conditions[0];
        assert_eq!(
            (&*condition.status, &*condition.reason),
            ("False", "DeviceUnavailable")
        );
        assert!(
            condition.message.ends_with("; workers-a: no CUDA device"),
            "{}",
            condition.message
        );
        if let Some(last) = &mut observed.crash {
            last.crash = Crash::Other;
        }
        let status = served(&pool(1), &observed, Timestamp::UNIX_EPOCH);
        assert_eq!(status.conditions[0].reason, "WorkersNotReady");
        // One crash among workers that are all ready is no matter of the condition.
        observed.ready = 1;
        let status = served(&pool(1), &observed, Timestamp::UNIX_EPOCH);
        assert_eq!(status.conditions[0].reason, "WorkersReady");
    }

    #[test]
    fn a_pool_without_an_image_for_its_gpus_says_where_to_name_one() {
        // Of a time when there was one.
        let left = Observed {
            live: 1,
            ..Observed::default()
        };
        let status = no_image(&pool(1), &left, Timestamp::UNIX_EPOCH);
        assert_eq!(status.conditions[0].reason, "NoGpuImage");
        assert_eq!(status.replicas, 1);
        let message = &status.conditions[0].message;
        assert!(
            message.contains("spec.image") && !message.contains("  "),
            "{message}"
        );
    }

    #[test]
    fn a_pool_elsewhere_says_where_to_go() {
        let status = not_served(&pool(1), "provost-system", Timestamp::UNIX_EPOCH);
        assert_eq!(status.conditions[0].reason, "NamespaceNotServed");
        assert!(status.conditions[0].message.contains("provost-system"));
    }
}
