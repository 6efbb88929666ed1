//! Candidates for one Lease of a real API server.

use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use provost_operator::leadership::{Candidate, Standing, Timing};
use serde_json::json;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::bench::Bench;

/// Not the Lease of the operator of the bench.
const NAME: &str = "election";

struct Replica {
    standing: watch::Receiver<Standing>,
    stop: CancellationToken,
    outdone: mpsc::UnboundedSender<u64>,
    task: JoinHandle<()>,
}

impl Replica {
    fn start(bench: &Bench, identity: &str) -> Self {
        let (outdone, heard) = mpsc::unbounded_channel();
        let candidate = Candidate::new(
            bench.client.clone(),
            &bench.namespace,
            NAME,
            identity.to_owned(),
            Timing::default(),
            heard,
        );
        let (standing, stop) = (candidate.standing(), CancellationToken::new());
        let task = tokio::spawn(candidate.run(stop.clone()));
        Self {
            standing,
            stop,
            outdone,
            task,
        }
    }

    /// Waits until it leads in an epoch of at least `epoch`, and tells which and how long that took.
    async fn leads(&mut self, epoch: u64) -> (u64, Duration) {
        let started = Instant::now();
        let is = |s: &Standing| matches!(s, Standing::Leader { epoch: e, degraded: false } if *e >= epoch);
        let standing = *tokio::time::timeout(Duration::from_secs(20), self.standing.wait_for(is))
            .await
            .expect("no leader")
            .unwrap();
        let Standing::Leader { epoch, .. } = standing else {
            panic!("{standing:?}")
        };
        (epoch, started.elapsed())
    }

    fn is_follower(&self) -> bool {
        *self.standing.borrow() == Standing::Follower
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_leader_is_followed_when_its_lease_has_run_out_and_one_that_stops_at_once() {
    let bench = Bench::new("leadership").await;
    let mut first = Replica::start(&bench, "first");
    assert_eq!(first.leads(1).await.0, 1);
    let mut second = Replica::start(&bench, "second");
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert!(second.is_follower(), "a Lease that is renewed is not taken");

    // Killed: nothing is given back.
    first.task.abort();
    let (epoch, took) = second.leads(2).await;
    assert_eq!(epoch, 2);
    assert!(took >= Duration::from_secs(2), "taken after {took:?}");

    let mut third = Replica::start(&bench, "third");
    tokio::time::sleep(Duration::from_millis(1500)).await;
    second.stop.cancel();
    second.task.await.unwrap();
    assert_eq!(third.leads(3).await.0, 3);
    third.stop.cancel();
    third.task.await.unwrap();
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_doubt_about_the_term_begins_another() {
    let bench = Bench::new("leadership-terms").await;
    let leases: Api<Lease> = Api::namespaced(bench.client.clone(), &bench.namespace);
    let mut leader = Replica::start(&bench, "leader");
    assert_eq!(leader.leads(1).await.0, 1);
    // A deleted Lease.
    leases.delete(NAME, &DeleteParams::default()).await.unwrap();
    assert_eq!(leader.leads(2).await.0, 2);
    // A worker that has seen a higher epoch.
    leader.outdone.send(40).unwrap();
    assert_eq!(leader.leads(3).await.0, 41);
    // Another that took it over while this one was frozen.
    let taken = json!({"spec": {"holderIdentity": "another", "leaseTransitions": 42}});
    leases
        .patch(NAME, &PatchParams::default(), &Patch::Merge(&taken))
        .await
        .unwrap();
    let lost = leader.standing.wait_for(|s| *s == Standing::Follower);
    tokio::time::timeout(Duration::from_secs(5), lost)
        .await
        .unwrap()
        .unwrap();
    // It never renews: in the end this one leads again.
    assert_eq!(leader.leads(43).await.0, 43);
    leader.stop.cancel();
    bench.close().await;
}
