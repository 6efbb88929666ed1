//! What has to hold after every scenario, whatever went wrong in it.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::time::Duration;

use kube::ResourceExt;
use kube::api::DeleteParams;
use provost_crds::ProofRequest;
use provost_crds::ProvingTask;

use crate::address::{GRPC, HTTP, METRICS};
use crate::executions::Tally;
use crate::wait::eventually;
use crate::world::World;

/// How much may be executed again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowed {
    /// Attempts beyond the first of each task, at most.
    pub repeated: usize,
    /// Tasks executed again although they were done, at most: results that were lost.
    pub lost: usize,
}

/// Nothing is executed again.
pub const NOTHING: Allowed = Allowed {
    repeated: 0,
    lost: 0,
};

/// As many attempts again, but no result is lost.
pub const fn again(repeated: usize) -> Allowed {
    Allowed { repeated, lost: 0 }
}

/// As many attempts again, and their results may have been there: with a worker that nobody could hear, or that was killed before
/// it could say so.
pub const fn unheard(repeated: usize) -> Allowed {
    Allowed {
        repeated,
        lost: repeated,
    }
}

/// Checks all of it, and takes the world down in good order. Returns what was executed.
pub async fn check(world: World, allowed: Allowed) -> Tally {
    let tally = world.executions().tally();
    let kinds = world
        .executions()
        .by_kind()
        .into_iter()
        .map(|(k, n)| format!("{k} {n}"))
        .collect::<Vec<_>>()
        .join(", ");
    assert!(
        tally.repeated <= allowed.repeated,
        "executed again: {tally:?}, allowed {allowed:?}; begun: {kinds}"
    );
    assert!(
        tally.lost <= allowed.lost,
        "results lost: {tally:?}, allowed {allowed:?}; begun: {kinds}"
    );
    verdicts(&world).await;
    nothing_left(&world).await;
    no_panics(&world);
    shut_down(world).await;
    tally
}

/// Every request has ended, as the scenario expects, and stays so.
async fn verdicts(world: &World) {
    let expected = world.verdicts.lock().unwrap().clone();
    for proof in world.proofs().list(&Default::default()).await.unwrap() {
        let name = proof.name_any();
        let reason = expected
            .get(&name)
            .unwrap_or_else(|| panic!("the scenario left {name} alone: {}", proof.state()));
        assert!(proof.terminal(), "{name} has not ended: {}", proof.state());
        assert_eq!(proof.state(), *reason, "{name}: {}", proof.message());
    }
}

/// No object of a task is left but those of tasks that failed; and when the requests are deleted, nothing at all is.
async fn nothing_left(world: &World) {
    eventually("the end of the task objects", || async {
        let left = world.tasks().await.into_iter().filter(|task| !failed(task));
        (left.count() == 0).then_some(())
    })
    .await;
    let proofs = world.proofs();
    let uids: BTreeSet<_> = proofs
        .list(&Default::default())
        .await
        .unwrap()
        .iter()
        .filter_map(ResourceExt::uid)
        .collect();
    proofs
        .delete_collection(&DeleteParams::default(), &Default::default())
        .await
        .unwrap();
    eventually("the end of the requests", || async {
        let left = proofs.list(&Default::default()).await.ok()?;
        left.items.is_empty().then_some(())
    })
    .await;
    // A cluster's garbage collector takes what names an owner that is gone. There is none here, so what it would take is looked for.
    for task in world.tasks().await {
        let owners = task.owner_references();
        let collected = owners
            .iter()
            .any(|owner| uids.contains(&owner.uid) || !owner.uid.is_empty());
        assert!(
            collected && !owners.is_empty(),
            "{} belongs to nobody",
            task.name_any()
        );
    }
    eventually("an empty store", || async {
        let files = world.store.files();
        files.is_empty().then_some(())
    })
    .await;
}

fn failed(task: &ProvingTask) -> bool {
    task.status
        .as_ref()
        .is_some_and(|status| status.state.to_string() == "Failed")
}

fn no_panics(world: &World) {
    for replica in &world.replicas {
        let output = replica.output();
        let panicked = output.lines().find(|line| line.contains("panicked at"));
        assert_eq!(panicked, None, "{} panicked", replica.name);
    }
}

/// All processes end when they are told to, and their ports can be bound again.
async fn shut_down(world: World) {
    for replica in &world.replicas {
        // One that was started again a moment ago may not listen to signals yet.
        if replica.runs() {
            replica.ready().await;
        }
        replica.stop().await;
    }
    world.kubelet.stop(Duration::from_secs(2)).await;
    world.store.stop().await;
    world.api.remove().await;
    let hosts: Vec<_> = world.replicas.iter().map(|replica| replica.host).collect();
    let store = world.block.store();
    drop(world);
    let replicas = hosts
        .into_iter()
        .flat_map(|host| [GRPC, HTTP, METRICS].map(|port| (host, port).into()));
    for address in replicas.chain([store]) {
        let bound = TcpListener::bind(address);
        assert!(bound.is_ok(), "{address} is still taken");
    }
}

/// Whether a request is of a kind that leaves a proof to download.
pub fn has_proof(proof: &ProofRequest) -> bool {
    proof
        .status
        .as_ref()
        .is_some_and(|status| status.proof.is_some())
}
