//! Brings pods, workers and this process's own knowledge together. Pure.

use std::collections::{BTreeMap, HashMap, HashSet};

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use provost_coordinator::{Device, WorkerView};
use provost_crds::PoolClass;
use provost_proto::worker::{TaskType, WorkerType};

use super::gpus;
use super::plan::{Phase, PodView, Work};
use super::pods::TEMPLATE_ANNOTATION;
use super::status::{Blocked, Observed};
use crate::pods::classify::{being_deleted, classify, ready};
use crate::pods::problem::problem;

/// A pod as the plan sees it, with what its worker is at and whether that takes tasks in all its roles.
pub fn pod_view(
    pod: &Pod,
    (work, complete): (Work, bool),
    recycle: bool,
    deleted: bool,
    template: &str,
) -> PodView {
    let phase = match () {
        () if deleted || being_deleted(pod) => Phase::Leaving,
        () if classify(pod, false).is_some() => Phase::Ended,
        () if recycle => Phase::Recycle,
        () if ready(pod) => Phase::Ready,
        () => Phase::Starting,
    };
    PodView {
        name: pod.name_any(),
        phase,
        work,
        complete,
        outdated: pod
            .annotations()
            .get(TEMPLATE_ANNOTATION)
            .is_none_or(|hash| hash != template),
        created: pod
            .creation_timestamp()
            .map_or(i64::MAX, |time| time.0.as_millisecond()),
    }
}

/// A pod that was created a moment ago.
pub fn unseen_view(name: String) -> PodView {
    PodView {
        name,
        phase: Phase::Starting,
        work: Work::None,
        complete: false,
        outdated: false,
        created: i64::MAX,
    }
}

/// What the worker in each pod is at, by pod.
pub fn work_of_pods(workers: &[WorkerView]) -> HashMap<&str, Work> {
    let mut all: HashMap<_, Work> = HashMap::new();
    for worker in workers {
        let root = |kind| matches!(kind, TaskType::Controller | TaskType::CoreExecute);
        let work = match () {
            () if worker.tasks.iter().any(|(_, _, kind)| root(*kind)) => Work::Roots,
            () if worker.made_tasks && !worker.tasks.is_empty() => Work::Roots,
            () if worker.made_tasks => Work::Made,
            () if !worker.tasks.is_empty() => Work::Tasks,
            () if worker.used_weight > 0 => Work::CalledOff,
            () => Work::None,
        };
        let known = all.entry(worker.pod.as_str()).or_default();
        *known = work.max(*known);
    }
    all
}

/// The pods whose workers have registered for all roles of `class`.
pub fn complete(class: PoolClass, workers: &[WorkerView]) -> HashSet<&str> {
    let mut all: HashMap<&str, HashSet<&str>> = HashMap::new();
    for worker in workers {
        let known = all.entry(worker.pod.as_str()).or_default();
        known.extend(roles(worker.kind));
    }
    let wanted = roles(match class {
        PoolClass::Cpu => WorkerType::Cpu,
        PoolClass::Gpu => WorkerType::Gpu,
        PoolClass::All => WorkerType::All,
    });
    let complete = all
        .into_iter()
        .filter(|(_, roles)| wanted.iter().all(|role| roles.contains(role)));
    complete.map(|(pod, _)| pod).collect()
}

/// Roles of workers of this type.
pub fn roles(kind: WorkerType) -> &'static [&'static str] {
    match kind {
        WorkerType::Cpu => &["execute"],
        WorkerType::Gpu => &["prove"],
        WorkerType::All => &["execute", "prove"],
        WorkerType::None | WorkerType::UnspecifiedWorkerType => &[],
    }
}

/// The kinds of GPU that workers prove on, how many there are of each, and what they had free together.
pub fn devices<'a>(
    workers: impl IntoIterator<Item = &'a WorkerView>,
) -> BTreeMap<Device, (usize, u64)> {
    let mut devices: BTreeMap<_, (usize, u64)> = BTreeMap::new();
    for device in workers.into_iter().filter_map(|w| w.device.as_ref()) {
        // Neither what is free nor which one it is makes a kind of its own.
        let kind = Device {
            free_bytes: 0,
            uuid: String::new(),
            ..device.clone()
        };
        let (count, free) = devices.entry(kind).or_default();
        *count += 1;
        *free = free.saturating_add(device.free_bytes);
    }
    devices
}

/// What the status is made of.
pub fn observe(
    views: &[PodView],
    pods: &[&Pod],
    workers: &[WorkerView],
    blocked: Option<Blocked>,
) -> Observed {
    let live = |phase: Phase| matches!(phase, Phase::Starting | Phase::Ready | Phase::Recycle);
    let mut by_role: BTreeMap<String, usize> = BTreeMap::new();
    let own = workers
        .iter()
        .filter(|w| w.available && pods.iter().any(|pod| pod.name_any() == w.pod));
    for worker in own.clone() {
        for role in roles(worker.kind) {
            *by_role.entry((*role).to_owned()).or_default() += 1;
        }
    }
    Observed {
        live: views.iter().filter(|view| live(view.phase)).count(),
        ready: views
            .iter()
            .filter(|view| view.phase == Phase::Ready)
            .count(),
        outdated: views.iter().filter(|view| stays_outdated(view)).count(),
        held: None,
        roles: by_role,
        devices: devices(own.clone())
            .into_iter()
            .map(|(device, (count, _))| (device, count))
            .collect(),
        // What is to be replaced may have other GPUs than the pool asks for now.
        shards: gpus::shards(own.filter(|worker| {
            let outdated = |view: &PodView| view.name == worker.pod && view.outdated;
            !views.iter().any(outdated)
        })),
        problems: pods
            .iter()
            .filter(|pod| !being_deleted(pod))
            .filter_map(|pod| problem(pod))
            .collect(),
        blocked,
        crash: None,
        quarantined: Vec::new(),
    }
}

/// Whether it is of an older template, and goes on until it has no tasks.
fn stays_outdated(view: &PodView) -> bool {
    view.outdated && matches!(view.phase, Phase::Starting | Phase::Ready)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use provost_coordinator::ShardSize;
    use serde_json::json;

    fn pod(status: serde_json::Value) -> Pod {
        let meta = json!({"name": "p-a", "annotations": {TEMPLATE_ANNOTATION: "h1"}});
        serde_json::from_value(json!({"metadata": meta, "status": status})).unwrap()
    }

    fn worker(id: &str, kind: WorkerType, used_weight: u32) -> WorkerView {
        WorkerView {
            id: id.into(),
            pod: id.split('/').next().unwrap().into(),
            kind,
            max_weight: 8,
            used_weight,
            tasks: Vec::new(),
            made_tasks: false,
            available: true,
            retiring: false,
            version: String::new(),
            device: None,
            shards: ShardSize::Reduced,
        }
    }

    #[test]
    fn phases_follow_the_pod() {
        let ready =
            json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]});
        let phase = |status, recycle, deleted| {
            pod_view(&pod(status), (Work::None, true), recycle, deleted, "h1").phase
        };
        assert_eq!(
            phase(json!({"phase": "Pending"}), false, false),
            Phase::Starting
        );
        assert_eq!(phase(ready.clone(), false, false), Phase::Ready);
        assert_eq!(phase(ready.clone(), true, false), Phase::Recycle);
        assert_eq!(phase(ready, true, true), Phase::Leaving);
        assert_eq!(phase(json!({"phase": "Failed"}), true, false), Phase::Ended);
        let outdated = |template| {
            pod_view(&pod(json!({})), (Work::None, true), false, false, template).outdated
        };
        assert!(!outdated("h1") && outdated("h2"));
    }

    #[test]
    fn either_role_makes_a_pod_busy() {
        let mut workers = [
            worker("p-a/execute", WorkerType::Cpu, 0),
            worker("p-a/prove", WorkerType::Gpu, 4),
            worker("p-b", WorkerType::All, 0),
        ];
        let work = work_of_pods(&workers);
        assert_eq!((work["p-a"], work["p-b"]), (Work::CalledOff, Work::None));
        for (kind, work) in [
            (TaskType::ExecuteOnly, Work::Tasks),
            (TaskType::Controller, Work::Roots),
            (TaskType::ProveShard, Work::Roots),
        ] {
            let task = ("p".into(), "t".into(), kind);
            workers[0].tasks.push(task);
            assert_eq!(work_of_pods(&workers)["p-a"], work, "with {kind:?}");
        }
        workers[2].made_tasks = true;
        assert_eq!(work_of_pods(&workers)["p-b"], Work::Made);
        let shard = ("p".into(), "t".into(), TaskType::ProveShard);
        workers[2].tasks.push(shard);
        assert_eq!(work_of_pods(&workers)["p-b"], Work::Roots);
    }

    #[test]
    fn a_worker_is_complete_with_all_roles_of_its_class() {
        let workers = [
            worker("p-a/execute", WorkerType::Cpu, 0),
            worker("p-b/execute", WorkerType::Cpu, 0),
            worker("p-b/prove", WorkerType::Gpu, 0),
            worker("p-c", WorkerType::All, 0),
        ];
        let names = |class| {
            let mut names: Vec<_> = complete(class, &workers).into_iter().collect();
            names.sort_unstable();
            names
        };
        assert_eq!(names(PoolClass::All), ["p-b", "p-c"]);
        assert_eq!(names(PoolClass::Cpu), ["p-a", "p-b", "p-c"]);
        assert_eq!(names(PoolClass::Gpu), ["p-b", "p-c"]);
    }

    #[test]
    fn gpus_are_counted_by_kind_whatever_they_have_free() {
        let gpu = |free_bytes, uuid: &str| WorkerView {
            device: Some(Device {
                name: "NVIDIA L4".to_owned(),
                memory_bytes: 24,
                free_bytes,
                uuid: uuid.to_owned(),
                ..Device::default()
            }),
            ..worker("p-a/prove", WorkerType::Gpu, 0)
        };
        let devices = devices(&[gpu(20, "a"), gpu(22, "b")]);
        assert_eq!(devices.into_values().collect::<Vec<_>>(), [(2, 42)]);
    }

    #[test]
    fn outdated_workers_are_counted_while_they_go_on() {
        let view = |phase, outdated| PodView {
            phase,
            outdated,
            ..unseen_view("p-a".to_owned())
        };
        let views = [
            view(Phase::Ready, true),
            view(Phase::Starting, true),
            view(Phase::Ready, false),
            view(Phase::Recycle, true),
            view(Phase::Ended, true),
            view(Phase::Leaving, true),
        ];
        let observed = observe(&views, &[], &[], None);
        assert_eq!((observed.outdated, observed.ready), (2, 2));
    }

    #[test]
    fn the_shards_of_gpus_that_are_to_be_replaced_are_not_the_pools() {
        let gpu = |pod: &str, shards| WorkerView {
            device: Some(Device::default()),
            shards,
            ..worker(pod, WorkerType::Gpu, 0)
        };
        let workers = [gpu("p-a", ShardSize::Full)];
        let pod = pod(json!({}));
        let shards = |outdated| {
            let view = PodView {
                outdated,
                ..unseen_view("p-a".to_owned())
            };
            observe(&[view], &[&pod], &workers, None).shards
        };
        assert_eq!(shards(false), Some(ShardSize::Full));
        assert_eq!(shards(true), None);
    }

    #[test]
    fn roles_are_counted_for_the_pools_own_pods() {
        let workers = [
            worker("p-a/execute", WorkerType::Cpu, 0),
            worker("p-a/prove", WorkerType::Gpu, 0),
            worker("x", WorkerType::All, 0),
        ];
        let pod = pod(json!({}));
        let observed = observe(&[], &[&pod], &workers, None);
        assert_eq!(
            observed.roles,
            BTreeMap::from([("execute".to_owned(), 1), ("prove".to_owned(), 1)])
        );
    }
}
