//! The world of one scenario: a namespace, two replicas of the operator, a store, a pool of simulated workers, wires between them.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt};
use provost_crds::{ProofRequest, ProofRequestStatus, ProvingTask, WorkerPool};
use serde_json::{Value, json};

use crate::address::{Block, GRPC};
use crate::api::{ApiServer, create};
use crate::clock::Clock;
use crate::excuse::refuse;
use crate::executions::{Executions, Note, Reader};
use crate::kubelet::Kubelet;
use crate::process::Signal;
use crate::proof::Shape;
use crate::proxy::Proxy;
use crate::replica::{Plan, Replica};
use crate::store::Store;
use crate::terms::Terms;
use crate::wait::{eventually, search, within};
use crate::worker::Worker;

/// Name of the Lease that the leader holds.
pub(crate) const LEASE: &str = "provost-operator";
/// Longest wait for the end of a proof.
const PROOF: Duration = Duration::from_secs(150);
/// Time without any beginning or end of a task after which a proof that does not end hangs.
const HANGS: Duration = Duration::from_secs(30);
/// Time after which a replica that has ended is started again, at most.
const RESTART: Duration = Duration::from_millis(300);

/// How a world begins.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Replicas of the operator.
    pub replicas: usize,
    /// Workers of the pool `w`; 0 makes no pool.
    pub workers: u32,
    /// More of the pool's spec.
    pub pool: Value,
    /// Environment of the replicas beside what every one has.
    pub operator_env: Vec<(String, String)>,
    /// Environment of the workers beside what their pods say.
    pub worker_env: Vec<(String, String)>,
    /// Size of the store's file system; without it, the disk.
    pub store_megabytes: Option<u32>,
    /// Whether each replica has a wall clock of its own, to be turned.
    pub clocks: bool,
    /// Longest wait for the end of a proof.
    pub patience: Duration,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            replicas: 2,
            workers: 2,
            pool: json!({}),
            operator_env: Vec::new(),
            worker_env: Vec::new(),
            store_megabytes: None,
            clocks: false,
            patience: PROOF,
        }
    }
}

/// A cluster in a namespace of its own.
pub struct World {
    /// Name of the scenario.
    pub name: String,
    /// The API server.
    pub api: ApiServer,
    /// The operator.
    pub replicas: Vec<Arc<Replica>>,
    /// The artifact store.
    pub store: Store,
    /// The replicas' wire to the store.
    pub store_wire: Proxy,
    /// The node.
    pub kubelet: Kubelet,
    /// The replicas' wall clocks, if they are to be turned.
    pub clocks: Vec<Clock>,
    /// Who led when.
    pub terms: Terms,
    /// Logs and notes.
    pub folder: PathBuf,
    pub(crate) block: Arc<Block>,
    /// The uids of all requests that were made.
    pub(crate) made: Mutex<BTreeSet<String>>,
    /// The requests' statuses when they had ended.
    pub(crate) verdicts: Mutex<BTreeMap<String, ProofRequestStatus>>,
    pub(crate) faults: Mutex<Vec<i64>>,
    pub(crate) recovered: Mutex<Option<Duration>>,
    over: Arc<AtomicBool>,
    reader: Mutex<Reader>,
    patience: Duration,
}

impl Drop for World {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
    }
}

/// Starts replicas again that have ended by themselves, as a kubelet does.
async fn keep(replicas: Vec<Arc<Replica>>, over: Arc<AtomicBool>) {
    while !over.load(Ordering::Acquire) {
        replicas.iter().for_each(|replica| replica.keep());
        tokio::time::sleep(RESTART).await;
    }
}

impl World {
    /// Builds a world, and waits until a replica leads and the pool's workers take tasks.
    pub async fn start(name: &str, folder: &Path, setup: Setup) -> Self {
        let _ = std::fs::remove_dir_all(folder);
        std::fs::create_dir_all(folder).unwrap();
        let block = Arc::new(Block::next());
        let api = ApiServer::space(name).await;
        let terms = Terms::watch(api.namespaced(), LEASE);
        let store = Store::start(block.store(), folder, setup.store_megabytes).await;
        let store_wire = Proxy::start(block.store_for_replicas(), block.store(), 1).await;
        let addresses: Vec<_> = (0..setup.replicas)
            .map(|i| format!("http://{}:{GRPC}", block.replica(i)))
            .collect();
        let (mut replicas, mut clocks) = (Vec::new(), Vec::new());
        for i in 0..setup.replicas {
            let pod = format!("provost-operator-{i}");
            let wire = Proxy::start(block.api(i), api.address(), 2).await;
            let kubeconfig = api.operator_kubeconfig(wire.address(), folder, &pod);
            let spec = json!({"containers": [{"name": "operator", "image": "operator"}]});
            create(
                &api.namespaced::<Pod>(),
                json!({"metadata": {"name": pod}, "spec": spec}),
            )
            .await;
            let mut env = setup.operator_env.clone();
            if setup.clocks {
                let clock_folder = folder.join(format!("{pod}.clock"));
                std::fs::create_dir_all(&clock_folder).unwrap();
                let clock = Clock::new(&clock_folder);
                env.extend(clock.env());
                clocks.push(clock);
            }
            replicas.push(Arc::new(Replica::new(Plan {
                log: folder.join(format!("{pod}.log")),
                name: pod,
                host: block.replica(i),
                api: wire,
                kubeconfig,
                namespace: api.namespace.clone(),
                coordinator: addresses.join(","),
                store: format!("http://{}", store_wire.address()),
                env,
            })));
        }
        let kubelet = Kubelet::start(
            api.clone(),
            block.clone(),
            folder.to_owned(),
            setup.worker_env.clone(),
        );
        let world = Self {
            name: name.to_owned(),
            api,
            replicas,
            store,
            store_wire,
            kubelet,
            clocks,
            terms,
            folder: folder.to_owned(),
            block,
            made: Mutex::default(),
            verdicts: Mutex::default(),
            faults: Mutex::default(),
            recovered: Mutex::default(),
            over: Arc::default(),
            reader: Mutex::default(),
            patience: setup.patience,
        };
        world.replicas.iter().for_each(|replica| replica.start());
        tokio::spawn(keep(world.replicas.clone(), world.over.clone()));
        for replica in &world.replicas {
            replica.ready().await;
        }
        if setup.replicas > 0 {
            world.leader().await;
        }
        if setup.workers > 0 {
            world.pool("w", setup.workers, setup.pool).await;
            world.wait_workers(setup.workers as usize).await;
        }
        world
    }

    /// Creates a pool of class All.
    pub async fn pool(&self, name: &str, replicas: u32, more: Value) {
        let mut spec = json!({"class": "All", "replicas": replicas, "capacity": 24, "terminationGracePeriodSeconds": 30});
        merge(&mut spec, more);
        create(
            &self.api.namespaced::<WorkerPool>(),
            json!({"metadata": {"name": name}, "spec": spec}),
        )
        .await;
    }

    /// Changes a pool.
    pub async fn edit_pool(&self, name: &str, spec: Value) {
        let patch = Patch::Merge(json!({"spec": spec}));
        self.api
            .namespaced::<WorkerPool>()
            .patch(name, &PatchParams::default(), &patch)
            .await
            .unwrap();
    }

    /// Waits until `count` workers run and take tasks.
    pub async fn wait_workers(&self, count: usize) {
        eventually(&format!("{count} workers"), || async {
            let mut ready = 0;
            for worker in self.kubelet.workers() {
                ready += usize::from(worker.is_ready().await);
            }
            (ready >= count).then_some(())
        })
        .await;
    }

    /// The workers that run, by name.
    pub fn workers(&self) -> Vec<Arc<Worker>> {
        self.kubelet.workers()
    }

    /// The worker in a pod.
    pub fn worker(&self, pod: &str) -> Arc<Worker> {
        let found = self.workers().into_iter().find(|worker| worker.pod == pod);
        found.unwrap_or_else(|| panic!("no worker runs in {pod}"))
    }

    /// Adds a fault to every worker that runs.
    pub async fn fault_everywhere(&self, fault: &Value) {
        for worker in self.workers() {
            worker.fault(fault).await;
        }
    }

    /// What the Lease says: the leader's identity and its epoch.
    pub async fn lease(&self) -> Option<(String, i32)> {
        let lease = self.api.namespaced::<Lease>().get_opt(LEASE).await.ok()??;
        let spec = lease.spec?;
        Some((
            spec.holder_identity.filter(|holder| !holder.is_empty())?,
            spec.lease_transitions.unwrap_or_default(),
        ))
    }

    /// Which replica holds the Lease, and runs.
    pub async fn leader(&self) -> usize {
        self.term().await.0
    }

    /// The replica that leads, and its epoch, by one look at the Lease: on a busy machine another may follow between two.
    pub async fn term(&self) -> (usize, i32) {
        eventually("a leader", || async {
            let (holder, epoch) = self.lease().await?;
            let leads = self.replicas.iter().position(|replica| {
                holder.starts_with(&format!("{}_", replica.name)) && replica.runs()
            });
            Some((leads?, epoch))
        })
        .await
    }

    /// The present leader's epoch.
    pub async fn epoch(&self) -> i32 {
        eventually("a Lease", || async { self.lease().await })
            .await
            .1
    }

    /// Waits until a term after `epoch` has begun; returns its leader.
    pub async fn leader_after(&self, epoch: i32) -> usize {
        eventually("another leader", || async {
            let (_, now) = self.lease().await?;
            (now > epoch).then_some(())
        })
        .await;
        self.leader().await
    }

    /// SIGTERM to every process at the same time, as when all machines are shut down. Each ends with 0 within its pod's grace; `workers` is that of the workers.
    pub async fn shut_down(&self, workers: Duration) {
        let running = self.workers();
        let drains = running.iter().map(|worker| async {
            worker.process.signal(Signal::TERM);
            let exit = worker.process.ended(workers).await;
            assert_eq!(exit.code, 0, "{} ends badly", worker.pod);
        });
        let replicas = self.replicas.iter().map(|replica| replica.stop());
        let (drains, replicas) = (join_all(drains), join_all(replicas));
        futures::join!(drains, replicas, self.store.stop());
    }

    /// Deletes the Lease.
    pub async fn delete_lease(&self) {
        self.api
            .namespaced::<Lease>()
            .delete(LEASE, &Default::default())
            .await
            .unwrap();
    }

    /// All requests of the scenario's namespace.
    pub fn proofs(&self) -> Api<ProofRequest> {
        self.api.namespaced()
    }

    /// Makes a request.
    pub async fn prove(&self, name: &str, shape: &Shape) -> ProofRequest {
        let object =
            json!({"metadata": {"name": name}, "spec": shape.to_spec(&self.api.namespace)});
        let proof: ProofRequest = create(&self.proofs(), object).await;
        self.made.lock().unwrap().extend(proof.uid());
        proof
    }

    /// Changes a request's spec.
    pub async fn edit(&self, name: &str, spec: Value) {
        let patch = Patch::Merge(json!({"spec": spec}));
        self.proofs()
            .patch(name, &PatchParams::default(), &patch)
            .await
            .unwrap();
    }

    /// Deletes a request.
    pub async fn delete(&self, name: &str) {
        self.proofs()
            .delete(name, &Default::default())
            .await
            .unwrap();
    }

    /// Waits until a request that is deleted is gone.
    pub async fn is_gone(&self, name: &str) {
        eventually(&format!("the end of the request {name}"), || async {
            let left = self.proofs().get_opt(name).await.ok()?;
            left.is_none().then_some(())
        })
        .await;
    }

    /// A request as it is now.
    pub async fn proof(&self, name: &str) -> ProofRequest {
        eventually(&format!("the API server's word on {name}"), || async {
            self.proofs().get(name).await.ok()
        })
        .await
    }

    /// Waits until the request's condition has this reason, its end included.
    pub async fn state(&self, name: &str, reason: &str) -> ProofRequest {
        eventually(&format!("{name} to be {reason}"), || async {
            let proof = self.proofs().get(name).await.ok()?;
            assert!(
                !proof.terminal() || proof.state() == reason,
                "{name} is {}: {}",
                proof.state(),
                proof.message()
            );
            (proof.succeeded_condition().is_some() && proof.state() == reason).then_some(proof)
        })
        .await
    }

    /// Waits for the end of a proof, which has to be this: `Succeeded`, or the reason of its failure.
    pub async fn ends(&self, name: &str, reason: &'static str) -> ProofRequest {
        self.ends_as(name, &[reason]).await
    }

    /// Waits for the end of a proof, which has to be one of these, and has to stay so.
    pub async fn ends_as(&self, name: &str, reasons: &[&'static str]) -> ProofRequest {
        let look = || async {
            self.proofs()
                .get(name)
                .await
                .ok()
                .filter(ProofRequest::terminal)
        };
        let Some(proof) = search(self.patience, look).await else {
            let what = format!("waited {:?} for the end of {name} in vain", self.patience);
            match self.executions().quiet(name) {
                // A loaded machine is slow; a proof of which nothing happens is lost.
                Some(quiet) if quiet < HANGS => panic!("{what}"),
                _ => refuse(&self.name, &format!("{what}: nothing happens")),
            }
        };
        if !reasons.contains(&proof.state()) {
            let (state, message) = (proof.state(), proof.message());
            refuse(&self.name, &format!("{name} ends as {state}: {message}"));
        }
        let status = proof.status.clone().unwrap_or_default();
        self.verdicts
            .lock()
            .unwrap()
            .insert(name.to_owned(), status);
        proof
    }

    /// Waits for success.
    pub async fn succeeds(&self, name: &str) -> ProofRequest {
        self.ends(name, "Succeeded").await
    }

    /// The task objects of the scenario's namespace.
    pub async fn tasks(&self) -> Vec<ProvingTask> {
        self.api
            .namespaced::<ProvingTask>()
            .list(&ListParams::default())
            .await
            .unwrap()
            .items
    }

    /// What has been executed up to now.
    pub fn executions(&self) -> Executions {
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        reader.read(&self.folder)
    }

    /// Waits until the notes show something.
    pub async fn noted<T>(&self, what: &str, find: impl Fn(&Executions) -> Option<T>) -> T {
        within(self.patience, what, || async { find(&self.executions()) }).await
    }

    /// Waits until `count` tasks of a type have begun; returns the last of these.
    pub async fn begun(&self, kind: &str, count: usize) -> Note {
        self.noted(&format!("the start of {count} of {kind}"), |all| {
            all.starts(kind).nth(count - 1).cloned()
        })
        .await
    }

    /// Waits until `count` tasks of a type are done.
    pub async fn done(&self, kind: &str, count: usize) -> Note {
        self.noted(&format!("the end of {count} of {kind}"), |all| {
            all.done(kind).nth(count - 1).cloned()
        })
        .await
    }

    /// The worker that a note is of.
    pub fn of(&self, note: &Note) -> Arc<Worker> {
        self.worker(note.pod())
    }

    /// The fault strikes now: the time to recovery counts from here.
    pub fn strikes(&self) -> i64 {
        let now = jiff::Timestamp::now().as_millisecond();
        self.faults.lock().unwrap().push(now);
        now
    }

    /// Waits until a task begins after the last fault: the cluster has recovered.
    pub async fn recovers(&self) -> Note {
        let since = self.last_fault();
        let note = self
            .noted("a task that begins after the fault", |all| {
                all.notes
                    .iter()
                    .find(|note| note.starts() && note.ms > since)
                    .cloned()
            })
            .await;
        self.recovered_at(note.ms);
        note
    }

    /// Waits until a task begins again that had begun before: it was given to another worker, or to the same once more.
    pub async fn requeues(&self) -> Note {
        let note = self
            .noted("a task that begins again", |all| {
                let mut begun = HashSet::new();
                let mut starts = all.notes.iter().filter(|note| note.starts());
                starts
                    .find(|note| !begun.insert((&note.proof, &note.task)))
                    .cloned()
            })
            .await;
        self.recovered_at(note.ms);
        note
    }

    /// Waits until faults of the workers that run have struck this often.
    pub async fn struck(&self, times: u64) {
        eventually(&format!("{times} strikes of a fault"), || async {
            let mut struck = 0;
            for worker in self.workers() {
                struck += worker.struck().await;
            }
            (struck >= times).then_some(())
        })
        .await;
    }

    /// The cluster has recovered now.
    pub fn recovered(&self) {
        self.recovered_at(jiff::Timestamp::now().as_millisecond());
    }

    fn recovered_at(&self, ms: i64) {
        *self.recovered.lock().unwrap() = Some(self.since_fault(ms));
    }

    fn last_fault(&self) -> i64 {
        let faults = self.faults.lock().unwrap();
        *faults
            .last()
            .expect("a scenario says when its fault strikes")
    }

    /// Time from the last fault to `ms`, milliseconds since 1970.
    pub(crate) fn since_fault(&self, ms: i64) -> Duration {
        Duration::from_millis(u64::try_from(ms - self.last_fault()).unwrap_or_default())
    }

    /// Pods of the workers, being deleted or not.
    pub async fn pods(&self) -> Vec<Pod> {
        let pods = self
            .api
            .namespaced::<Pod>()
            .list(&ListParams::default())
            .await
            .unwrap()
            .items;
        pods.into_iter()
            .filter(|pod| pod.labels().contains_key(provost_crds::POOL_LABEL))
            .collect()
    }
}

fn merge(into: &mut Value, more: Value) {
    if let (Some(into), Value::Object(more)) = (into.as_object_mut(), more) {
        into.extend(more);
    }
}
