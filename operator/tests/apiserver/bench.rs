//! An operator in a namespace of its own.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Namespace, Pod, ServiceAccount};
use k8s_openapi::api::events::v1::Event;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Client, Config, ResourceExt};
use provost_artifacts::{Kind, MemoryStore, Store};
use provost_coordinator::{Coordinator, Doors};
use provost_crds::{ProofRequest, ProvingTask, WorkerPool};
use provost_operator::controllers::worker_pool::pods::WorkerSettings;
use provost_operator::http::health::{Part, Readiness};
use provost_operator::inputs::Inputs;
use provost_operator::leadership::Leader;
use provost_operator::metrics::Metrics;
use provost_operator::operator::{Operator, Settings};
use provost_operator::state::Writes;
use provost_operator::sweeper::Sweeps;
use provost_test_support::{Place, elf, install, kubeconfig};
use serde_json::{Value, json};

use tokio::net::TcpListener;
use tokio::sync::{OnceCell, watch};
use tokio_util::sync::CancellationToken;

use crate::blind::blind;
use crate::foreign::{Words, foreign};
use crate::gate::Gate;
use crate::identity;

const MANAGER: &str = "operator-test";
/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// An operator that serves one namespace.
pub struct Bench {
    pub client: Client,
    pub namespace: String,
    pub store: Arc<MemoryStore>,
    /// Where workers connect.
    pub grpc: String,
    place: Place,
    /// Writes of tasks and progress a second, of an operator that is to be started yet.
    pub writes: NonZeroU32,
    /// The same: when what is swept.
    pub sweeps: Sweeps,
    /// The same: what it reads in other words than there are.
    pub words: Words,
    operator_client: Option<Client>,
    /// Where the operator reaches the API server, if not as everybody does.
    way: Option<SocketAddr>,
    /// Whether it sees ProvingTasks, if that is for a test to say.
    sight: Option<watch::Receiver<bool>>,
    running: Option<Running>,
}

struct Running {
    operator: Operator,
    shutdown: CancellationToken,
}

impl Bench {
    /// An operator that serves the pools of its own namespace too.
    pub async fn new(test: &str) -> Self {
        let mut bench = Self::space(test).await;
        let namespace = bench.namespace.clone();
        bench.start(&namespace).await;
        bench
    }

    /// A namespace without an operator.
    pub async fn space(test: &str) -> Self {
        static INSTALLED: OnceCell<()> = OnceCell::const_new();
        // RUST_LOG=provost_operator=debug shows what the operator does.
        let filter = tracing_subscriber::EnvFilter::from_default_env();
        let _ = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_test_writer()
            .try_init();
        let client = Client::try_from(config().await).unwrap();
        INSTALLED
            .get_or_init(|| install(client.clone(), MANAGER))
            .await;
        let namespace = format!("op-{test}-{:x}", Timestamp::now().as_microsecond());
        create(
            &Api::<Namespace>::all(client.clone()),
            json!({"metadata": {"name": namespace, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}),
        )
        .await;
        // Nobody else makes it here, and pods are refused without it.
        let accounts = Api::<ServiceAccount>::namespaced(client.clone(), &namespace);
        create(&accounts, json!({"metadata": {"name": "default"}})).await;
        let store = Arc::new(MemoryStore::new());
        Self {
            client,
            namespace,
            store,
            grpc: String::new(),
            place: Place::new(),
            writes: NonZeroU32::MAX,
            sweeps: Sweeps::default(),
            words: Words::new(),
            operator_client: None,
            way: None,
            sight: None,
            running: None,
        }
    }

    /// Puts a gate between the operator, which is to be started yet, and the API server.
    pub async fn gate(&mut self) -> Gate {
        let url = config().await.cluster_url;
        let server = format!("{}:{}", url.host().unwrap(), url.port_u16().unwrap_or(443));
        let gate = Gate::new(server).await;
        self.way = Some(gate.address);
        gate
    }

    /// Keeps the operator, which is to be started yet, from seeing ProvingTasks until it is told that it does.
    pub fn blind(&mut self) -> watch::Sender<bool> {
        let (sees, sight) = watch::channel(false);
        self.sight = Some(sight);
        sees
    }

    /// Starts the operator, as one that lives in `home`.
    pub async fn start(&mut self, home: &str) {
        self.place = Place::new();
        self.restart(home).await;
    }

    /// Starts the operator again where workers found it before.
    pub async fn restart(&mut self, home: &str) {
        let shutdown = CancellationToken::new();
        let readiness = Arc::new(Readiness::default());
        readiness.up(Part::Crds);
        readiness.up(Part::Servers);
        let settings = Settings {
            namespace: home.to_owned(),
            scope: Some(self.namespace.clone()),
            pod_name: Some("operator-test".into()),
            worker: worker_settings(),
            concurrency: 4,
            wraps: false,
            roll_out_patience: Duration::from_secs(1),
            sweeps: self.sweeps,
            writes: Writes {
                per_second: self.writes,
                // Tests look at the objects of tasks that end at once.
                horizon: Duration::ZERO,
            },
            coordinator: provost_coordinator::Config {
                lost_grace: Duration::from_millis(500),
                retry: provost_coordinator::RetryPolicy {
                    backoff: 50,
                    ..Default::default()
                },
                recycle_grace: Duration::from_millis(500),
                execution_recycle_grace: Duration::from_millis(500),
                ..provost_coordinator::Config::default()
            },
        };
        let store: Arc<dyn Store> = self.store.clone();
        let mut way = config().await;
        if let Some(address) = self.way {
            way.cluster_url = format!("https://{address}").parse().unwrap();
        }
        let metrics = Metrics::new();
        let mut client =
            identity::operator(&self.client, way, &metrics, &self.namespace, home).await;
        if let Some(sight) = &self.sight {
            client = blind(client, home, sight.clone());
        }
        if !self.words.is_empty() {
            client = foreign(client, home, self.words.clone());
        }
        self.operator_client = Some(client.clone());
        let operator = Operator::start(
            client.clone(),
            store,
            settings,
            metrics,
            readiness.clone(),
            shutdown.clone(),
        );
        let listener = TcpListener::bind(self.place.address()).await.unwrap();
        self.grpc = format!("http://{}", self.place.address());
        let coordinator = operator.coordinator.clone();
        operator.spawn(async move { coordinator.serve(listener, Doors::BOTH).await.unwrap() });
        self.running = Some(Running { operator, shutdown });
        let synced = wait_quietly(|| async { readiness.missing().is_empty().then_some(()) });
        synced
            .await
            .unwrap_or_else(|| panic!("waited for {:?} in vain", readiness.missing()));
        let coordinator = self.coordinator();
        wait("a leader", || async {
            (coordinator.epoch() > 0).then_some(())
        })
        .await;
    }

    /// Stops the operator as SIGTERM does.
    pub async fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.shutdown.cancel();
            running.operator.stopped().await;
        }
    }

    /// A client with the operator's rights.
    pub fn operator_client(&self) -> Client {
        self.operator_client.clone().unwrap()
    }

    pub fn coordinator(&self) -> &Coordinator {
        &self.running.as_ref().unwrap().operator.coordinator
    }

    pub fn inputs(&self) -> Arc<Inputs> {
        self.running.as_ref().unwrap().operator.inputs.clone()
    }

    pub fn leader(&self) -> Leader {
        self.running.as_ref().unwrap().operator.leader.clone()
    }

    pub fn metrics(&self) -> Metrics {
        self.running.as_ref().unwrap().operator.metrics.clone()
    }

    pub fn proofs(&self) -> Api<ProofRequest> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub fn tasks(&self) -> Api<ProvingTask> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub fn pools(&self) -> Api<WorkerPool> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// A program in base64 that no other test has: the programs that other namespaces name are not removed.
    pub fn program(&self) -> String {
        elf::named(&self.namespace)
    }

    /// Creates a ProofRequest of mode Core that says nothing else.
    pub async fn core(&self, name: &str) -> ProofRequest {
        let spec = json!({"program": {"inline": self.program()}, "mode": "Core"});
        self.request(name, spec).await
    }

    /// Creates a ProofRequest.
    pub async fn request(&self, name: &str, spec: Value) -> ProofRequest {
        create(
            &self.proofs(),
            json!({"metadata": {"name": name}, "spec": spec}),
        )
        .await
    }

    /// Creates a WorkerPool.
    pub async fn pool(&self, name: &str, spec: Value) -> WorkerPool {
        create(
            &self.pools(),
            json!({"metadata": {"name": name}, "spec": spec}),
        )
        .await
    }

    /// Changes a ProofRequest's spec.
    pub async fn edit(&self, name: &str, spec: Value) {
        let patch = Patch::Merge(json!({"spec": spec}));
        self.proofs()
            .patch(name, &PatchParams::default(), &patch)
            .await
            .unwrap();
    }

    /// Waits until the request's condition has this reason.
    pub async fn state(&self, name: &str, reason: &str) -> ProofRequest {
        let api = self.proofs();
        let last = std::sync::Mutex::new(String::new());
        let found = wait_quietly(|| async {
            let request = api.get(name).await.unwrap();
            *last.lock().unwrap() = format!("{}: {}", request.state(), request.message());
            (request.succeeded_condition().is_some() && request.state() == reason)
                .then_some(request)
        });
        let found = found.await;
        found.unwrap_or_else(|| panic!("{name} is not {reason} but {}", last.lock().unwrap()))
    }

    /// Waits until the request has ended, in whatever way.
    pub async fn ended(&self, name: &str) -> ProofRequest {
        let api = self.proofs();
        wait("an end", || async {
            Some(api.get(name).await.unwrap()).filter(ProofRequest::terminal)
        })
        .await
    }

    /// Deletes a request and waits until it is gone.
    pub async fn delete(&self, name: &str) {
        let api = self.proofs();
        api.delete(name, &DeleteParams::default()).await.unwrap();
        wait("the end of the object", || async {
            api.get_opt(name).await.unwrap().is_none().then_some(())
        })
        .await;
    }

    /// Pods of a pool that are not being deleted.
    pub async fn pods_of(&self, pool: &str) -> Vec<Pod> {
        let params = ListParams::default().labels(&format!("provost.dev/pool={pool}"));
        let pods = self.pods().list(&params).await.unwrap().items;
        pods.into_iter()
            .filter(|pod| pod.metadata.deletion_timestamp.is_none())
            .collect()
    }

    /// The scheduler's part: the pod is to run on a node.
    pub async fn bind_pod(&self, pod: &str, node: &str) {
        let binding = json!({
            "apiVersion": "v1", "kind": "Binding", "metadata": {"name": pod},
            "target": {"apiVersion": "v1", "kind": "Node", "name": node},
        });
        let params = PostParams::default();
        let bound: kube::core::Status = self
            .pods()
            .create_subresource("binding", pod, &params, &binding)
            .await
            .unwrap();
        assert_eq!(bound.code, 201, "{bound:?}");
    }

    /// Plays the kubelet.
    pub async fn set_pod_status(&self, pod: &str, status: Value) {
        let patch = Patch::Merge(json!({"status": status}));
        self.pods()
            .patch_status(pod, &PatchParams::default(), &patch)
            .await
            .unwrap();
    }

    /// Reasons of the events about an object.
    pub async fn events(&self, name: &str) -> Vec<String> {
        let api: Api<Event> = Api::namespaced(self.client.clone(), &self.namespace);
        let events = api.list(&ListParams::default()).await.unwrap();
        let about = events.into_iter().filter(|e| {
            e.regarding
                .as_ref()
                .is_some_and(|r| r.name.as_deref() == Some(name))
        });
        about.filter_map(|event| event.reason).collect()
    }

    /// Waits for an event about an object.
    pub async fn event(&self, name: &str, reason: &str) {
        wait(&format!("event {reason}"), || async {
            self.events(name)
                .await
                .iter()
                .any(|r| r == reason)
                .then_some(())
        })
        .await;
    }

    /// Keys of all objects in the store.
    pub async fn stored(&self) -> Vec<String> {
        let mut keys = Vec::new();
        for kind in Kind::ALL {
            let listed = self.store.list(kind).await.unwrap();
            keys.extend(listed.into_iter().map(|object| kind.key(&object.id)));
        }
        keys
    }

    /// Stops the operator and removes the namespace. A test that fails leaves it, to be looked at.
    pub async fn close(mut self) {
        self.stop().await;
        let none = json!({"metadata": {"finalizers": null}});
        for request in self.proofs().list(&ListParams::default()).await.unwrap() {
            let name = request.name_any();
            self.proofs()
                .patch(&name, &PatchParams::default(), &Patch::Merge(&none))
                .await
                .unwrap();
        }
        let (now, all) = (
            DeleteParams::default().grace_period(0),
            ListParams::default(),
        );
        self.proofs().delete_collection(&now, &all).await.unwrap();
        self.tasks().delete_collection(&now, &all).await.unwrap();
        self.pools().delete_collection(&now, &all).await.unwrap();
        self.pods().delete_collection(&now, &all).await.unwrap();
        identity::forget(&self.client, &self.namespace).await;
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        namespaces
            .delete(&self.namespace, &DeleteParams::default())
            .await
            .unwrap();
    }
}

/// Waits until `look` finds something.
pub async fn wait<T, F: Future<Output = Option<T>>>(what: &str, look: impl Fn() -> F) -> T {
    wait_quietly(look)
        .await
        .unwrap_or_else(|| panic!("waited for {what} in vain"))
}

async fn wait_quietly<T, F: Future<Output = Option<T>>>(look: impl Fn() -> F) -> Option<T> {
    let search = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, search).await.ok()
}

/// Creates an object from JSON.
pub async fn create<K>(api: &Api<K>, object: Value) -> K
where
    K: serde::Serialize + serde::de::DeserializeOwned + Clone + std::fmt::Debug,
{
    api.create(
        &PostParams::default(),
        &serde_json::from_value(object).unwrap(),
    )
    .await
    .unwrap()
}

fn worker_settings() -> WorkerSettings {
    WorkerSettings {
        image: "localhost/provost-worker:test".into(),
        gpu_image: None,
        coordinator: "http://provost-operator.test:50051".into(),
        store_endpoint: "http://provost-store.test:9000".into(),
        store_bucket: "provost".into(),
        store_region: "us-east-1".into(),
        store_secret: "provost-store".into(),
        store_in_flight_mib: None,
        shards_ahead: None,
        weights: provost_coordinator::Weights::default(),
    }
}

pub async fn config() -> Config {
    provost_test_support::config(kubeconfig()).await
}
