//! A stand-in for the node: binds the pods that the operator makes, runs a simulated worker for each, and tells how they are.
//!
//! It does what a kubelet does for such a pod and no more: environment, readiness, grace, exit code, the end of the object.

mod pod;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{DeleteParams, Preconditions};
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use provost_crds::POOL_LABEL;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::address::{Block, METRICS};
use crate::api::ApiServer;
use crate::process::{Exit, Process, Signal, binary};
use crate::proxy::Proxy;
use crate::replica::log_level;
use crate::worker::{Worker, targets};

/// Time between two looks.
const PERIOD: Duration = Duration::from_millis(100);

/// The node.
pub struct Kubelet {
    shared: Arc<Shared>,
    task: tokio::task::JoinHandle<()>,
}

struct Shared {
    api: ApiServer,
    block: Arc<Block>,
    folder: PathBuf,
    env: Vec<(String, String)>,
    workers: Mutex<HashMap<String, Arc<Worker>>>,
    /// Pods that this node does not look after any more: it is gone for them.
    lost: Mutex<HashSet<String>>,
}

/// What the node knows of one pod.
#[derive(Default)]
struct Life {
    ready: bool,
    over: bool,
    /// When SIGKILL is due.
    deadline: Option<Instant>,
}

impl Kubelet {
    /// Looks after the pods of the scenario's namespace. Workers log into `folder` and get `env` beside what their pods say.
    pub fn start(
        api: ApiServer,
        block: Arc<Block>,
        folder: PathBuf,
        env: Vec<(String, String)>,
    ) -> Self {
        let shared = Arc::new(Shared {
            api,
            block,
            folder,
            env,
            workers: Mutex::default(),
            lost: Mutex::default(),
        });
        let task = tokio::spawn(shared.clone().run());
        Self { shared, task }
    }

    /// The workers whose processes run, by the names of their pods.
    pub fn workers(&self) -> Vec<Arc<Worker>> {
        let mut workers: Vec<_> = self.shared.workers().values().cloned().collect();
        workers.retain(|worker| worker.process.exit().is_none());
        workers.sort_by(|a, b| a.pod.cmp(&b.pod));
        workers
    }

    /// The node of a pod is gone, with its process; nobody tells the API server.
    pub fn lose_node(&self, pod: &str) {
        self.shared.lost().insert(pod.to_owned());
        if let Some(worker) = self.shared.workers().remove(pod) {
            worker.process.kill();
        }
    }

    /// The node loses its way to the API server: its process goes on, what happens to the pod there is not seen.
    pub fn abandon(&self, pod: &str) {
        self.shared.lost().insert(pod.to_owned());
    }

    /// The node is back.
    pub fn find_again(&self, pod: &str) {
        self.shared.lost().remove(pod);
    }

    /// The kubelet's own eviction: the process is killed and the pod has failed, as under pressure of the node's memory.
    pub async fn evict(&self, pod: &str, message: &str) {
        self.shared.lost().insert(pod.to_owned());
        if let Some(worker) = self.shared.workers().remove(pod) {
            worker.process.kill();
        }
        let status = json!({"phase": "Failed", "reason": "Evicted", "message": message});
        self.shared.patch(pod, &status).await;
        self.shared.lost().remove(pod);
    }

    /// Stops looking after pods, and ends all workers: SIGTERM, then SIGKILL. Returns the exits of those that ended by themselves.
    pub async fn stop(&self, limit: Duration) {
        self.task.abort();
        let workers: Vec<_> = self
            .shared
            .workers()
            .drain()
            .map(|(_, worker)| worker)
            .collect();
        workers
            .iter()
            .for_each(|worker| worker.process.signal(Signal::TERM));
        let deadline = Instant::now() + limit;
        for worker in workers {
            while worker.process.exit().is_none() && Instant::now() < deadline {
                tokio::time::sleep(PERIOD).await;
            }
        }
    }
}

impl Drop for Kubelet {
    fn drop(&mut self) {
        self.task.abort();
        self.shared.workers().clear();
    }
}

impl Shared {
    fn workers(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Worker>>> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lost(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn run(self: Arc<Self>) {
        let mut lives: HashMap<String, Life> = HashMap::new();
        loop {
            let params = ListParams::default().labels(POOL_LABEL);
            if let Ok(list) = self.api.namespaced::<Pod>().list(&params).await {
                let names: HashSet<String> = list.iter().map(ResourceExt::name_any).collect();
                for pod in list {
                    let name = pod.name_any();
                    if !self.lost().contains(&name) {
                        self.look(&pod, &name, lives.entry(name.clone()).or_default())
                            .await;
                    }
                }
                // Objects that somebody else removed: their processes go too.
                let lost = self.lost().clone();
                self.workers()
                    .retain(|name, _| names.contains(name) || lost.contains(name));
                lives.retain(|name, _| names.contains(name));
            }
            tokio::time::sleep(PERIOD).await;
        }
    }

    async fn look(&self, pod: &Pod, name: &str, life: &mut Life) {
        let deleting = pod.metadata.deletion_timestamp.is_some();
        if pod
            .spec
            .as_ref()
            .is_some_and(|spec| spec.node_name.is_none())
        {
            return self.bind(pod, name).await;
        }
        let phase = pod
            .status
            .as_ref()
            .and_then(|s| s.phase.as_deref())
            .unwrap_or("Pending");
        let worker = self.workers().get(name).cloned();
        let Some(worker) = worker else {
            match (deleting, phase) {
                (true, _) => self.remove(pod, name).await,
                (false, "Pending") if !life.over => self.begin(pod, name).await,
                _ => {}
            }
            return;
        };
        if let Some(exit) = worker.process.exit() {
            self.workers().remove(name);
            life.over = true;
            self.patch(name, &pod::ended(exit)).await;
            if deleting {
                self.remove(pod, name).await;
            }
            return;
        }
        if deleting {
            let grace = pod
                .metadata
                .deletion_grace_period_seconds
                .unwrap_or_default();
            let grace = Duration::from_secs(u64::try_from(grace).unwrap_or_default());
            match life.deadline {
                None => {
                    worker.process.signal(Signal::TERM);
                    life.deadline = Some(Instant::now() + grace);
                }
                Some(deadline) if Instant::now() >= deadline => worker.process.kill(),
                // A later deletion may have shortened the grace.
                Some(deadline) => life.deadline = Some(deadline.min(Instant::now() + grace)),
            }
        }
        let ready = !deleting && worker.is_ready().await;
        if ready != life.ready || phase == "Pending" {
            life.ready = ready;
            self.patch(name, &pod::running(&worker.host.to_string(), ready))
                .await;
        }
    }

    async fn bind(&self, pod: &Pod, name: &str) {
        let binding = json!({"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name, "uid": pod.uid()},
            "target": {"apiVersion": "v1", "kind": "Node", "name": "faults"}});
        let pods = self.api.namespaced::<Pod>();
        let bound = pods
            .create_subresource::<Value, Value>("binding", name, &PostParams::default(), &binding)
            .await;
        // It may be deleted meanwhile.
        let _ = bound;
    }

    async fn begin(&self, pod: &Pod, name: &str) {
        let Some(mut env) = pod::environment(pod, &self.api).await else {
            return;
        };
        let host = self.block.worker();
        let mut replicas = Vec::new();
        for (i, target) in targets(&env, "PROVOST_COORDINATOR").into_iter().enumerate() {
            let port = target.port() + u16::try_from(i).unwrap();
            replicas
                .push(Proxy::start((host, port).into(), target, 0x5eed + u64::from(port)).await);
        }
        let store = targets(&env, "PROVOST_STORE_ENDPOINT")[0];
        let store = Proxy::start((host, store.port()).into(), store, 0x5eed).await;
        let list: Vec<_> = replicas
            .iter()
            .map(|proxy| format!("http://{}", proxy.address()))
            .collect();
        let log = self.folder.join(format!("{name}.executions"));
        let own: BTreeMap<&str, String> = BTreeMap::from([
            ("PROVOST_COORDINATOR", list.join(",")),
            (
                "PROVOST_STORE_ENDPOINT",
                format!("http://{}", store.address()),
            ),
            ("PROVOST_STATUS_ADDRESS", format!("{host}:{METRICS}")),
            ("PROVOST_SIM_LOG", log.display().to_string()),
            ("RUST_LOG", log_level()),
        ]);
        env.extend(
            own.into_iter()
                .map(|(name, value)| (name.to_owned(), value)),
        );
        env.extend(self.env.iter().cloned());
        let program = binary("worker-sim", "PROVOST_SIM_BIN");
        let process = Process::start(
            &program,
            &["run".to_owned()],
            &env,
            &self.folder.join(format!("{name}.log")),
        );
        let pool = pod.labels().get(POOL_LABEL).cloned().unwrap_or_default();
        let worker = Worker {
            pod: name.to_owned(),
            pool,
            host,
            replicas,
            store,
            process,
            log,
        };
        self.workers().insert(name.to_owned(), Arc::new(worker));
        self.patch(name, &pod::running(&host.to_string(), false))
            .await;
    }

    async fn patch(&self, name: &str, status: &Value) {
        let patch = Patch::Strategic(json!({"status": status}));
        let pods = self.api.namespaced::<Pod>();
        // Gone meanwhile, at worst.
        let _ = pods
            .patch_status(name, &PatchParams::default(), &patch)
            .await;
    }

    /// The last word of a kubelet: the object goes.
    async fn remove(&self, pod: &Pod, name: &str) {
        let params = DeleteParams {
            grace_period_seconds: Some(0),
            preconditions: Some(Preconditions {
                uid: pod.uid(),
                resource_version: None,
            }),
            ..DeleteParams::default()
        };
        let _ = self.api.namespaced::<Pod>().delete(name, &params).await;
    }
}

/// Whether the kernel would have said that memory was the reason: a simulated worker ends so by itself.
pub(crate) fn out_of_memory(exit: Exit) -> bool {
    exit.code == 137 && !exit.signalled
}
