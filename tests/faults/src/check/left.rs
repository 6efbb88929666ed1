//! What may be left: of requests that are kept, and when they are deleted.

use std::collections::BTreeSet;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::api::DeleteParams;
use kube::core::NamespaceResourceScope;
use kube::{Resource, ResourceExt};
use provost_crds::{POOL_LABEL, ProofRequest, ProvingTask, TaskState, WorkerPool};
use serde::de::DeserializeOwned;

use crate::excuse::refuse;
use crate::wait::gone;
use crate::world::{LEASE, World};

/// Longest wait until what is not needed any more is gone. The operator waits a minute at most for workers that may still write for a proof.
const PATIENCE: Duration = Duration::from_secs(90);

/// Of requests that have ended and are kept: program, stdin, and the proof of those that succeeded. Nothing of what tasks handed to each other is left,
/// and no object of a task that did not fail.
pub(super) async fn while_kept(world: &World) {
    let tasks = gone(PATIENCE, || async {
        let tasks = world.tasks().await.into_iter();
        tasks
            .filter(|task| !failed(task))
            .map(|task| task.name_any())
            .collect()
    });
    nothing(world, "objects of tasks", tasks.await);
    let proofs = list::<ProofRequest>(world).await;
    let (needed, proofs) = (needed(&proofs), finished(&proofs));
    let artifacts = gone(PATIENCE, || async {
        let stored = world.store.files().into_iter();
        stored.filter(|file| !needed.contains(file)).collect()
    });
    nothing(
        world,
        "artifacts of requests that have ended",
        artifacts.await,
    );
    let stored: BTreeSet<_> = world.store.files().into_iter().collect();
    let lost: Vec<_> = proofs.difference(&stored).collect();
    if !lost.is_empty() {
        refuse(
            &world.name,
            &format!("results lost: {lost:?} are not in the store"),
        );
    }
}

/// The files that a kept request may have.
fn needed(proofs: &[ProofRequest]) -> BTreeSet<String> {
    let statuses = proofs.iter().filter_map(|proof| proof.status.as_ref());
    let inputs = statuses.flat_map(|status| {
        let program = status.program_id.iter().map(|id| format!("programs/{id}"));
        program.chain(status.stdin_id.iter().map(|id| format!("stdins/{id}")))
    });
    inputs.chain(finished(proofs)).collect()
}

/// The files of finished proofs.
fn finished(proofs: &[ProofRequest]) -> BTreeSet<String> {
    let succeeded = proofs.iter().filter(|proof| proof.succeeded());
    let outputs = succeeded.filter_map(|proof| proof.status.as_ref()?.proof.as_ref());
    outputs
        .map(|proof| format!("proofs/{}", proof.artifact))
        .collect()
}

/// Deletes the requests. Then they are gone, the store is empty, and each object that is left belongs to one of them, or is there for the operator and its pools.
pub(super) async fn when_deleted(world: &World) {
    world
        .proofs()
        .delete_collection(&DeleteParams::default(), &Default::default())
        .await
        .unwrap();
    let proofs = gone(PATIENCE, || async { names::<ProofRequest>(world).await });
    nothing(world, "requests that are deleted", proofs.await);
    let files = gone(PATIENCE, || async { world.store.files() });
    nothing(world, "files of requests that are gone", files.await);
    nothing(
        world,
        "objects of tasks that nobody collects",
        strays(world).await,
    );
    let pods = gone(PATIENCE, || async { surplus(world).await });
    nothing(world, "pods", pods.await);
    // The operator may create no other kinds: it has the rights of config/rbac.
    let secrets = names::<Secret>(world).await.into_iter();
    let leases = names::<Lease>(world).await.into_iter();
    let others = secrets
        .chain(leases)
        .filter(|name| name != LEASE && name != "provost-store");
    nothing(world, "secrets or Leases", others.collect());
}

/// Objects of tasks that a cluster's garbage collector would not take. There is none here; it takes what names an owner that is gone.
async fn strays(world: &World) -> Vec<String> {
    let made = world.made.lock().unwrap().clone();
    let collected = |task: &ProvingTask| {
        let owners = task.owner_references();
        !owners.is_empty() && owners.iter().all(|owner| made.contains(&owner.uid))
    };
    let tasks = world.tasks().await.into_iter();
    tasks
        .filter(|task| !collected(task))
        .map(|task| task.name_any())
        .collect()
}

/// Pods of no pool, and those that a pool has too many of.
async fn surplus(world: &World) -> Vec<String> {
    let pools = list::<WorkerPool>(world).await;
    let operators: BTreeSet<_> = world.replicas.iter().map(|replica| &replica.name).collect();
    let mut room: Vec<_> = pools
        .iter()
        .map(|pool| (pool.uid().unwrap(), pool.spec.replicas))
        .collect();
    let mut surplus = Vec::new();
    for pod in list::<Pod>(world).await {
        if !pod.labels().contains_key(POOL_LABEL) && operators.contains(&pod.name_any()) {
            continue;
        }
        let owner = pod
            .owner_references()
            .first()
            .map(|owner| owner.uid.clone());
        let pool = room.iter_mut().find(|(uid, _)| Some(uid) == owner.as_ref());
        match pool {
            Some((_, left)) if *left > 0 => *left -= 1,
            _ => surplus.push(pod.name_any()),
        }
    }
    surplus
}

fn nothing(world: &World, what: &str, left: Vec<String>) {
    if !left.is_empty() {
        refuse(&world.name, &format!("left over: {what}: {left:?}"));
    }
}

async fn names<K>(world: &World) -> Vec<String>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + DeserializeOwned
        + std::fmt::Debug,
{
    list::<K>(world)
        .await
        .iter()
        .map(ResourceExt::name_any)
        .collect()
}

async fn list<K>(world: &World) -> Vec<K>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + DeserializeOwned
        + std::fmt::Debug,
{
    world
        .api
        .namespaced::<K>()
        .list(&Default::default())
        .await
        .unwrap()
        .items
}

fn failed(task: &ProvingTask) -> bool {
    task.status
        .as_ref()
        .is_some_and(|status| status.state == TaskState::Failed)
}
