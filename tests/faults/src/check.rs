//! What has to hold after every scenario, whatever went wrong in it.

mod left;

use std::net::TcpListener;
use std::time::Duration;

use kube::ResourceExt;
use provost_crds::ProofRequest;

use crate::address::{GRPC, HTTP, METRICS};
use crate::excuse::{not_excused, refuse};
use crate::executions::Tally;
use crate::promises;
use crate::world::World;

/// How much may be executed again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowed {
    /// Attempts beyond the first of each task, at most.
    pub repeated: usize,
    /// Tasks executed again although they were done, at most: results that were lost.
    pub lost: usize,
    /// Runs of proofs that another run replaced, at most.
    pub runs: usize,
}

/// Nothing is executed again.
pub const NOTHING: Allowed = Allowed {
    repeated: 0,
    lost: 0,
    runs: 0,
};

/// As many attempts again, but no result is lost.
pub const fn again(repeated: usize) -> Allowed {
    Allowed {
        repeated,
        ..NOTHING
    }
}

/// As many attempts again, and their results may have been there: with a worker that nobody could hear, or that was killed before
/// it could say so.
pub const fn unheard(repeated: usize) -> Allowed {
    Allowed {
        lost: repeated,
        ..again(repeated)
    }
}

/// One proof begins again, which had come to as many attempts.
pub const fn another_run(repeated: usize) -> Allowed {
    Allowed {
        runs: 1,
        ..again(repeated)
    }
}

/// Time in which what has ended is to show no sign of life, where something that comes late could change it.
pub const LINGER: Duration = Duration::from_secs(5);
/// Time for orders that were under way when the last proof ended.
const UNDER_WAY: i64 = 2_000;

/// Checks all of it, and takes the world down in good order. Returns what was executed.
pub async fn check(world: World, allowed: Allowed, lingers: bool) -> Tally {
    executed(&world, allowed);
    verdicts(&world).await;
    if lingers {
        linger(&world).await;
    }
    left::while_kept(&world).await;
    verdicts(&world).await;
    left::when_deleted(&world).await;
    let tally = executed(&world, allowed);
    let clocks = world.clocks.is_empty();
    if let Some(wrong) = world.terms.wrong(clocks) {
        // By the time at which it was seen, where clocks are wrong: a loaded machine may see it late.
        assert!(clocks, "{wrong}");
        refuse(&world.name, &wrong);
    }
    if let Some(panicked) = panicked(&world) {
        refuse(&world.name, &panicked);
    }
    shut_down(world).await;
    tally
}

/// Says what of a scenario that failed by itself is no fault of the machine's load.
pub fn accuse(world: &World, allowed: Allowed) {
    let again = excess(world, allowed).err();
    for what in again.into_iter().chain(panicked(world)) {
        not_excused(&world.name, &what);
    }
}

/// No more was executed again than is allowed.
fn executed(world: &World, allowed: Allowed) -> Tally {
    match excess(world, allowed) {
        Ok(tally) => tally,
        Err(what) => refuse(&world.name, &what),
    }
}

fn excess(world: &World, allowed: Allowed) -> Result<Tally, String> {
    let executions = world.executions();
    let tally = executions.tally();
    let what = match tally {
        _ if tally.lost > allowed.lost => "results lost",
        _ if tally.repeated > allowed.repeated || tally.runs > allowed.runs => "executed again",
        _ => return Ok(tally),
    };
    let kinds = executions.by_kind().into_iter();
    let kinds: Vec<_> = kinds.map(|(kind, n)| format!("{kind} {n}")).collect();
    let kinds = kinds.join(", ");
    Err(format!(
        "{what}: {tally:?}, allowed {allowed:?}; begun: {kinds}"
    ))
}

/// Every request has ended, as the scenario expects, and nothing of its status has changed since.
async fn verdicts(world: &World) {
    let expected = world.verdicts.lock().unwrap().clone();
    for proof in world.proofs().list(&Default::default()).await.unwrap() {
        let name = proof.name_any();
        let verdict = expected
            .get(&name)
            .unwrap_or_else(|| panic!("the scenario left {name} alone: {}", proof.state()));
        if proof.status.as_ref() != Some(verdict) {
            let (was, is) = (verdict, &proof.status);
            let what = format!("{name} has not stayed as it had ended: {was:?}, and then {is:?}");
            refuse(&world.name, &what);
        }
    }
}

/// What has ended stays so, and nothing of it begins.
async fn linger(world: &World) {
    let since = promises::now() + UNDER_WAY;
    tokio::time::sleep(LINGER).await;
    verdicts(world).await;
    let executions = world.executions();
    let late = executions
        .notes
        .iter()
        .find(|note| note.starts() && note.ms > since);
    if let Some(late) = late {
        let what = format!("all proofs have ended, and this begins: {late:?}");
        refuse(&world.name, &what);
    }
}

fn panicked(world: &World) -> Option<String> {
    world.replicas.iter().find_map(|replica| {
        let output = replica.output();
        let line = output.lines().find(|line| line.contains("panicked at"))?;
        Some(format!("{} panicked: {line}", replica.name))
    })
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
