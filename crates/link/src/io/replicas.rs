//! Which replicas there are: looks the names up every few seconds, and when a stream breaks.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tonic::transport::Uri;

use super::stream::{self, Common, Replica};
use super::vital::vital;

struct Known {
    alive: Arc<AtomicBool>,
    gone: CancellationToken,
}

/// Keeps a stream to every address, until `stopped`.
pub(super) async fn run(common: Arc<Common>, stopped: CancellationToken) {
    let mut known: HashMap<SocketAddr, Known> = HashMap::new();
    loop {
        if let Some(found) = look_up(&common).await {
            known.retain(|address, replica| keeps(replica, found.contains_key(address)));
            for (address, origin) in found {
                known
                    .entry(address)
                    .or_insert_with(|| begin(&common, &stopped, address, origin));
            }
        }
        tokio::select! {
            () = tokio::time::sleep(common.plan.timing.resolve) => {}
            () = common.broke.notified() => {}
            () = stopped.cancelled() => return,
        }
    }
}

/// Whether to stay with a replica. One that lives is not left because its name is missing for a moment: when it is gone its
/// stream breaks.
fn keeps(replica: &Known, found: bool) -> bool {
    let keeps = found || replica.alive.load(Ordering::Acquire);
    if !keeps {
        replica.gone.cancel();
    }
    keeps
}

fn begin(
    common: &Arc<Common>,
    stopped: &CancellationToken,
    address: SocketAddr,
    origin: Uri,
) -> Known {
    tracing::info!(%address, "a replica of the coordinator");
    let known = Known {
        alive: Arc::default(),
        gone: stopped.child_token(),
    };
    let replica = Replica {
        address,
        origin,
        alive: known.alive.clone(),
        gone: known.gone.clone(),
    };
    tokio::spawn(vital(stream::keep(common.clone(), replica)));
    known
}

/// All addresses, or nothing if a name could not be looked up: then all stays as it is.
async fn look_up(common: &Common) -> Option<HashMap<SocketAddr, Uri>> {
    let mut all = HashMap::new();
    let plan = &common.plan;
    for target in &plan.targets {
        let resolve = plan.resolver.resolve(target.host.clone(), target.port);
        match timeout(plan.timing.resolve.max(plan.timing.connect), resolve).await {
            Ok(Ok(found)) => {
                let addresses = one_family(found);
                all.extend(
                    addresses
                        .into_iter()
                        .map(|address| (address, target.origin.clone())),
                );
            }
            Ok(Err(error)) => {
                tracing::debug!(host = target.host, %error, "the coordinator's name is not known yet");
                return None;
            }
            Err(_) => return None,
        }
    }
    Some(all)
}

/// The addresses of the family that the resolver prefers: a replica that has one of each is not to be joined twice.
fn one_family(addresses: Vec<SocketAddr>) -> HashSet<SocketAddr> {
    let first = addresses.first().map(SocketAddr::is_ipv4);
    let addresses = addresses.into_iter();
    addresses
        .filter(|address| Some(address.is_ipv4()) == first)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_with_two_addresses_is_one() {
        let all = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        let found: Vec<SocketAddr> = all(&["[::1]:1", "127.0.0.1:1", "[::2]:1"]);
        let kept: Vec<SocketAddr> = all(&["[::1]:1", "[::2]:1"]);
        assert_eq!(one_family(found), kept.into_iter().collect());
        assert!(one_family(Vec::new()).is_empty());
    }
}
