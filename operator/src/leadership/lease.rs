//! The election, carried out on a Lease of the API server.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::Client;
use kube::api::{Api, PostParams};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::election::{Election, Seen, Step, Timing};
use super::fence::Fence;

/// Longest wait for one call: a leader whose renewal hangs must come to know before its Lease has run out.
const CALL: Duration = Duration::from_millis(1000);

/// How this replica stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Another leads, or nobody does.
    Follower,
    /// This one leads.
    Leader {
        /// In this epoch.
        epoch: u64,
        /// The API server has not confirmed it for the Lease's duration. Nobody else can have taken it while the server is away for all;
        /// what must be stored is not acknowledged meanwhile.
        degraded: bool,
    },
}

/// Why a call to the API server brought nothing.
#[derive(Debug, thiserror::Error)]
enum LeaseError {
    #[error("no answer in {} ms", CALL.as_millis())]
    Timeout,
    #[error(transparent)]
    Kube(#[from] kube::Error),
}

/// A replica that wants to lead.
pub struct Candidate {
    api: Api<Lease>,
    name: String,
    timing: Timing,
    election: Election,
    fence: Fence,
    standing: watch::Sender<Standing>,
    holder: watch::Sender<Option<String>>,
    outdone: mpsc::UnboundedReceiver<u64>,
}

impl Candidate {
    /// A candidate for the Lease `name` in `namespace`. `identity` must be another for each process. Epochs of other leaders that
    /// workers have seen come in by `outdone`.
    pub fn new(
        client: Client,
        namespace: &str,
        name: &str,
        identity: String,
        timing: Timing,
        outdone: mpsc::UnboundedReceiver<u64>,
    ) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            name: name.to_owned(),
            timing,
            election: Election::new(identity, timing),
            fence: Fence::default(),
            standing: watch::Sender::new(Standing::Follower),
            holder: watch::Sender::new(None),
            outdone,
        }
    }

    /// How it stands, from now on.
    pub fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.subscribe()
    }

    /// Who holds the Lease, as far as this candidate has seen: an identity of [`Candidate::new`].
    pub fn holder(&self) -> watch::Receiver<Option<String>> {
        self.holder.subscribe()
    }

    /// Whether its Lease holds by the clock.
    pub fn fence(&self) -> Fence {
        self.fence.clone()
    }

    /// Stands for election until `shutdown`, then gives the Lease back, so that the next leader need not wait for it to run out.
    pub async fn run(mut self, shutdown: CancellationToken) {
        loop {
            let wait = self.round().await;
            self.publish();
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                Some(epoch) = self.outdone.recv() => self.election.raise(epoch),
                () = shutdown.cancelled() => break,
            }
        }
        // Nothing is begun in this term from here on: another may lead before the answer to the Lease's return is here.
        self.fence.set(None);
        if self.election.epoch().is_some()
            && let Err(error) = self.give_back().await
        {
            tracing::warn!(%error, "the Lease was not given back: the next leader waits until it has run out");
        }
        self.standing.send_replace(Standing::Follower);
    }

    /// One look and what follows from it; tells how long to wait until the next.
    async fn round(&mut self) -> Duration {
        match self.step().await {
            Ok(wait) => wait,
            Err(error) => {
                tracing::debug!(%error, "the Lease could not be read or written");
                self.timing.renew / 2
            }
        }
    }

    async fn step(&mut self) -> Result<Duration, LeaseError> {
        let read = bounded(self.api.get_opt(&self.name)).await?;
        let seen = read.as_ref().map(seen);
        self.holds(seen.as_ref().and_then(|seen| seen.holder.clone()));
        let step = self.election.decide(seen.as_ref(), self.now());
        let began = self.now();
        let epoch = match step {
            Step::Wait(wait) => return Ok(wait),
            Step::Lost => {
                tracing::warn!("another replica has taken the Lease");
                return Ok(self.timing.renew);
            }
            Step::Create { epoch } => {
                let lease = self.object(None, epoch);
                bounded(self.api.create(&PostParams::default(), &lease)).await?;
                epoch
            }
            Step::Take { epoch } => {
                let lease = self.object(read, epoch);
                bounded(self.api.replace(&self.name, &PostParams::default(), &lease)).await?;
                epoch
            }
            Step::Renew => {
                let epoch = self.election.epoch().unwrap_or_default();
                let lease = self.object(read, epoch);
                bounded(self.api.replace(&self.name, &PostParams::default(), &lease)).await?;
                epoch
            }
        };
        if self.election.epoch() != Some(epoch) {
            tracing::info!(
                epoch,
                identity = self.election.identity(),
                "this replica leads"
            );
        }
        self.election.held(epoch, began);
        self.fence.begin(epoch);
        self.holds(Some(self.election.identity().to_owned()));
        Ok(self.timing.renew)
    }

    fn holds(&self, holder: Option<String>) {
        self.holder.send_if_modified(|old| {
            let changed = *old != holder;
            *old = holder;
            changed
        });
    }

    fn publish(&self) {
        self.fence.set(self.election.deadline());
        let standing = match (self.election.epoch(), self.election.deadline()) {
            (Some(epoch), Some(deadline)) => Standing::Leader {
                epoch,
                degraded: self.now() >= deadline,
            },
            _ => Standing::Follower,
        };
        self.standing.send_if_modified(|old| {
            let changed = *old != standing;
            *old = standing;
            changed
        });
    }

    async fn give_back(&self) -> Result<(), LeaseError> {
        let Some(mut lease) = bounded(self.api.get_opt(&self.name)).await? else {
            return Ok(());
        };
        let spec = lease.spec.get_or_insert_default();
        if spec.holder_identity.as_deref() == Some(self.election.identity()) {
            spec.holder_identity = None;
            bounded(self.api.replace(&self.name, &PostParams::default(), &lease)).await?;
        }
        Ok(())
    }

    /// The Lease as this candidate's, with the version that was read.
    fn object(&self, read: Option<Lease>, epoch: u64) -> Lease {
        let now = MicroTime(Timestamp::now());
        let acquired = (self.election.epoch() == Some(epoch))
            .then(|| read.as_ref()?.spec.as_ref()?.acquire_time.clone())
            .flatten();
        let metadata = read.map(|lease| lease.metadata);
        Lease {
            metadata: metadata.unwrap_or_else(|| ObjectMeta {
                name: Some(self.name.clone()),
                ..ObjectMeta::default()
            }),
            spec: Some(LeaseSpec {
                holder_identity: Some(self.election.identity().to_owned()),
                lease_duration_seconds: i32::try_from(self.timing.duration.as_secs()).ok(),
                acquire_time: Some(acquired.unwrap_or_else(|| now.clone())),
                renew_time: Some(now),
                lease_transitions: i32::try_from(epoch).ok(),
                ..LeaseSpec::default()
            }),
        }
    }

    fn now(&self) -> Duration {
        self.fence.now()
    }
}

fn seen(lease: &Lease) -> Seen {
    let spec = lease.spec.clone().unwrap_or_default();
    Seen {
        holder: spec.holder_identity.filter(|holder| !holder.is_empty()),
        epoch: spec
            .lease_transitions
            .and_then(|epoch| u64::try_from(epoch).ok())
            .unwrap_or_default(),
        version: lease.metadata.resource_version.clone().unwrap_or_default(),
    }
}

async fn bounded<T>(call: impl Future<Output = Result<T, kube::Error>>) -> Result<T, LeaseError> {
    timeout(CALL, call)
        .await
        .map_err(|_| LeaseError::Timeout)?
        .map_err(LeaseError::Kube)
}
