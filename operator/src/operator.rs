//! Puts the parts together: one process's controllers, coordinator and state.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::api::Api;
use kube::core::{DeserializeGuard, NamespaceResourceScope};
use kube::runtime::controller::Controller;
use kube::runtime::{reflector, watcher};
use kube::{Client, Resource};
use provost_artifacts::Store;
use provost_coordinator::{Coordinator, Device, WorkerEvent};
use provost_crds::{ProofRequest, WorkerPool};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::api::Events;
use crate::cached;
use crate::controllers::backoff::Backoffs;
use crate::controllers::proof_request::journal::Journal;
use crate::controllers::proof_request::running::Running;
use crate::controllers::worker_pool::fleet::Fleet;
use crate::controllers::worker_pool::pods::WorkerSettings;
use crate::controllers::{proof_request, worker_pool};
use crate::elsewhere::Elsewhere;
use crate::http::health::{Part, Readiness};
use crate::inputs::Inputs;
use crate::leadership::{Candidate, Label, Leader, Takeover, Timing};
use crate::metrics::Metrics;
use crate::owner::Owner;
use crate::pods::watch::PodWatch;
use crate::served::Served;
use crate::state::budget::Budget;
use crate::state::{KubeState, Parts, Writes};
use crate::supervisor::Supervisor;
use crate::sweeper::{self, Sweeps};
use crate::tasks::TaskWatch;
use crate::unreadable::{self, Unreadable, tell};

/// The Lease that the leader holds.
const LEASE: &str = "provost-operator";
/// Longest time for work under way at shutdown.
const DRAIN: Duration = Duration::from_secs(20);

/// What an operator is told.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Namespace of the operator, its pools and its workers.
    pub namespace: String,
    /// The only namespace whose ProofRequests are served; `None` for all. Pools are served in `namespace`, whatever this is.
    pub scope: Option<String>,
    /// Name of this pod, for events.
    pub pod_name: Option<String>,
    /// What workers are told.
    pub worker: WorkerSettings,
    /// ProofRequests reconciled at the same time.
    pub concurrency: u16,
    /// Whether requests of modes Groth16 and Plonk are taken.
    pub wraps: bool,
    /// How much is written to the API server.
    pub writes: Writes,
    /// How long a roll-out of workers waits until one is idle, before one gets no more tasks so that it will be.
    pub roll_out_patience: Duration,
    /// When what nobody needs any more is removed from the store.
    pub sweeps: Sweeps,
    /// The coordinator's settings.
    pub coordinator: provost_coordinator::Config,
}

/// An operator at work.
pub struct Operator {
    /// Runs the proofs.
    pub coordinator: Coordinator,
    /// The artifact store.
    pub inputs: Arc<Inputs>,
    /// Counts.
    pub metrics: Metrics,
    /// Who leads.
    pub leader: Leader,
    parts: Supervisor,
}

impl Operator {
    /// Starts controllers and coordinator; they run until `shutdown`. The CRDs must be there. Needs a tokio runtime.
    pub fn start(
        client: Client,
        store: Arc<dyn Store>,
        settings: Settings,
        metrics: Metrics,
        readiness: Arc<Readiness>,
        shutdown: CancellationToken,
    ) -> Self {
        let supervisor = Supervisor::new(shutdown.clone());
        let events = Events::new(client.clone(), settings.pod_name.clone());
        let owner = Owner::new(client.clone(), store.clone());
        let (outdone, heard) = mpsc::unbounded_channel();
        let candidate = Candidate::new(
            client.clone(),
            &settings.namespace,
            LEASE,
            identity(settings.pod_name.as_deref()),
            Timing::default(),
            heard,
        );
        let inputs = Inputs::new(store, metrics.clone()).fenced(candidate.fence());
        let inputs = Arc::new(inputs);

        let unreadable = Unreadable::new(&metrics);
        let api = scoped(&client, settings.scope.as_deref());
        let (proofs, lists) = proof_requests(api, unreadable.clone());
        let at = PoolPlaces::of(&settings.namespace, settings.scope.as_deref());
        let unreadable_pools = Unreadable::new(&metrics);
        let pools = worker_pools(scoped(&client, at.served), unreadable_pools.clone());
        let tasks = scoped(&client, settings.scope.as_deref());
        let (pods, pod_cache) = reflector::store::<Pod>();
        let synced = |part: Part| {
            let readiness = readiness.clone();
            move || readiness.up(part)
        };
        // The only one that waits for this cache: see `controllers::run_synced`.
        let (pods_ready, pods_synced) = (pods.clone(), synced(Part::Pods));
        supervisor.spawn_until_shutdown(async move {
            if pods_ready.wait_until_ready().await.is_ok() {
                pods_synced();
            }
        });

        let journal = Arc::new(Journal::new(
            client.clone(),
            proofs.store(),
            events.clone(),
            metrics.clone(),
        ));
        let weights = settings.coordinator.weights.clone();
        let parts = Parts {
            client: client.clone(),
            journal: journal.clone(),
            inputs: inputs.clone(),
            weights,
            fence: candidate.fence(),
        };
        let budget = Arc::new(Budget::new(settings.writes.per_second));
        let state = KubeState::start(parts, &metrics, settings.writes, &budget, &supervisor);
        let requests = proofs.store();
        let config = provost_coordinator::Config {
            replica: settings.pod_name.clone().unwrap_or_default(),
            ..settings.coordinator
        };
        let coordinator = Coordinator::standby(config, state.clone(), shutdown.clone());
        let running = Arc::new(Running::default());
        let (leads_now, leads) = watch::channel(false);
        let leader = Leader::new(leads.clone(), candidate.holder());
        let takeover = Takeover {
            metrics: metrics.terms.clone(),
            client: client.clone(),
            scope: settings.scope.clone(),
            requests: requests.clone(),
            journal: journal.clone(),
            pods: pods.clone(),
            inputs: inputs.clone(),
            coordinator: coordinator.clone(),
            running: running.clone(),
            state: state.clone(),
            leads: leads_now,
            outdone,
            shutdown: shutdown.clone(),
        };
        supervisor.spawn(takeover.run(candidate.standing()));
        if let Some(pod) = settings.pod_name.clone() {
            let label = Label {
                client: client.clone(),
                namespace: settings.namespace.clone(),
                pod,
            };
            supervisor.spawn_until_shutdown(label.keep(leads.clone()));
        }
        // It stands once it knows what there is: as the leader it would keep one that does from leading until then.
        let (warm, ends) = (readiness.clone(), shutdown.clone());
        supervisor.spawn(async move {
            tokio::select! {
                () = warm.synced() => candidate.run(ends).await,
                () = ends.cancelled() => {}
            }
        });

        let served = Served {
            cache: requests.clone(),
            unreadable: unreadable.clone(),
        };
        let elsewhere = Elsewhere::new(client.clone(), settings.scope.clone());
        let proof_context = proof_request::Context {
            client: client.clone(),
            requests: served.clone(),
            elsewhere: elsewhere.clone(),
            pools: pools.store(),
            journal,
            budget,
            inputs: inputs.clone(),
            coordinator: coordinator.clone(),
            metrics: metrics.clone(),
            wraps: settings.wraps,
            running,
            leads: leads.clone(),
            backoffs: Backoffs::default(),
        };
        supervisor.spawn(proof_request::run(
            proofs,
            lists,
            Arc::new(proof_context),
            settings.concurrency,
            synced(Part::ProofRequests),
            shutdown.clone(),
        ));

        let (of, to) = (unreadable, events.clone());
        supervisor.spawn_until_shutdown(tell(client.clone(), of, to, leads.clone()));
        let (of, to) = (unreadable_pools, events.clone());
        supervisor.spawn_until_shutdown(tell(client.clone(), of, to, leads.clone()));

        let recalls = TaskWatch {
            coordinator: coordinator.clone(),
            state,
            requests: requests.clone(),
            leads: leads.clone(),
            metrics: metrics.clone(),
        };
        supervisor.spawn_until_shutdown(recalls.run(tasks));

        supervisor.spawn_until_shutdown(sweeper::run(
            settings.sweeps,
            inputs.clone(),
            served,
            elsewhere,
            owner,
            leads.clone(),
            shutdown.clone(),
        ));

        let fleet = Arc::new(Fleet::default());
        let pool_context = worker_pool::Context {
            client: client.clone(),
            namespace: settings.namespace.clone(),
            pods,
            coordinator: coordinator.clone(),
            fleet: fleet.clone(),
            settings: settings.worker,
            events,
            metrics: metrics.clone(),
            backoffs: Backoffs::default(),
            patience: settings.roll_out_patience,
            leads,
        };
        let pool_context = Arc::new(pool_context);
        if let Some(place) = at.told {
            // Those that are served are counted.
            let unserved = Unreadable::new(&Metrics::new());
            let pools = worker_pools(scoped(&client, Some(place)), unserved);
            supervisor.spawn(worker_pool::run_elsewhere(
                pools,
                pool_context.clone(),
                shutdown.clone(),
            ));
        }
        supervisor.spawn(worker_pool::run(
            pools,
            pool_context,
            synced(Part::WorkerPools),
            shutdown.clone(),
        ));
        supervisor.spawn_until_shutdown(worker_events(coordinator.clone(), fleet.clone()));
        let watch = PodWatch {
            coordinator: coordinator.clone(),
            fleet,
            metrics: metrics.clone(),
        };
        supervisor.spawn(async move {
            watch
                .run(client, &settings.namespace, pod_cache, shutdown)
                .await
        });
        Self {
            coordinator,
            inputs,
            metrics,
            leader,
            parts: supervisor,
        }
    }

    /// Runs `work` along with the operator, as a part that is waited for at the end.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.parts.spawn(work);
    }

    /// Waits, after the shutdown, until work under way has ended. False if a part of it panicked.
    pub async fn stopped(self) -> bool {
        let sound = !self.parts.panicked();
        if !self.parts.ended(DRAIN).await {
            tracing::warn!("some work did not end in {} s", DRAIN.as_secs());
        }
        sound
    }
}

/// Another for each process, a restart in place included.
fn identity(pod: Option<&str>) -> String {
    format!(
        "{}_{:016x}",
        pod.unwrap_or("operator"),
        rand::random::<u64>()
    )
}

/// Where pools are looked at.
#[derive(Debug, PartialEq, Eq)]
struct PoolPlaces<'a> {
    /// Those that are served are among these; `None` for all namespaces.
    served: Option<&'a str>,
    /// Another namespace whose pools are told that they are not served.
    told: Option<&'a str>,
}

impl<'a> PoolPlaces<'a> {
    /// For an operator that lives in `home` and serves the ProofRequests of `scope`, or all.
    fn of(home: &'a str, scope: Option<&'a str>) -> Self {
        Self {
            served: scope.map(|_| home),
            told: scope.filter(|scope| *scope != home),
        }
    }
}

/// The controller of what can be read, with a cache of what is needed of the requests alone. Tells of each list that has become the cache.
fn proof_requests(
    api: Api<DeserializeGuard<ProofRequest>>,
    unreadable: Unreadable<ProofRequest>,
) -> (Controller<ProofRequest>, watch::Receiver<()>) {
    let (listed, lists) = watch::channel(());
    let config = watcher::Config::default().page_size(cached::PAGE);
    let controller =
        unreadable::controller(api, config, unreadable, cached::served, move |event| {
            if matches!(event, watcher::Event::InitDone) {
                listed.send_replace(());
            }
        });
    (controller, lists)
}

fn worker_pools(
    api: Api<DeserializeGuard<WorkerPool>>,
    unreadable: Unreadable<WorkerPool>,
) -> Controller<WorkerPool> {
    unreadable::controller(api, watcher::Config::default(), unreadable, |_| {}, |_| {})
}

fn scoped<K>(client: &Client, namespace: Option<&str>) -> Api<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}

/// Tells the pools what the coordinator says of their workers.
async fn worker_events(coordinator: Coordinator, fleet: Arc<Fleet>) {
    let mut events = coordinator.worker_events();
    loop {
        match events.recv().await {
            Ok(WorkerEvent::Recycle { pod, why }) => {
                tracing::warn!(pod, why, "a worker is replaced");
                fleet.recycle(&pod);
            }
            Ok(WorkerEvent::Lost {
                worker,
                proofs,
                device,
                ..
            }) => {
                let (proofs, gpu) = (proofs.iter().map(ToString::to_string), uuid(device));
                fleet.suspect(|s| s.lost(worker.pod(), proofs, gpu, Timestamp::now()));
            }
            Ok(WorkerEvent::Broke {
                worker,
                proof,
                device,
            }) => {
                let (proof, gpu) = ([proof.to_string()], uuid(device));
                fleet.suspect(|s| s.lost(worker.pod(), proof, gpu, Timestamp::now()));
            }
            Ok(WorkerEvent::Poison { proof }) => {
                fleet.suspect(|s| s.poison(&proof, Timestamp::now()));
            }
            Ok(WorkerEvent::Registered { .. } | WorkerEvent::Closed { .. }) => fleet.changed(),
            // The pools look at all workers anyway, and see there which are to be replaced. What lost ones were at stays unknown.
            Err(RecvError::Lagged(_)) => fleet.changed(),
            Err(RecvError::Closed) => return,
        }
    }
}

/// Which GPU it is, if its worker says so.
fn uuid(device: Option<Device>) -> Option<String> {
    let uuid = device.map(|device| device.uuid);
    uuid.filter(|uuid| !uuid.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pools_are_served_at_home_whatever_namespace_is_watched() {
        let places = |served, told| PoolPlaces { served, told };
        assert_eq!(PoolPlaces::of("home", None), places(None, None));
        assert_eq!(
            PoolPlaces::of("home", Some("home")),
            places(Some("home"), None)
        );
        assert_eq!(
            PoolPlaces::of("home", Some("team")),
            places(Some("home"), Some("team"))
        );
    }
}
