//! What a replica does when it begins to lead: it takes over what the last leader left, and only then acts.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams};
use kube::core::DeserializeGuard;
use kube::runtime::reflector::Store;
use kube::{Client, ResourceExt as _};
use provost_coordinator::{Coordinator, ProofId, RecoveredProof, Term, TermEvent, WaitReason};
use provost_crds::{ProofRequest, ProvingTask, TaskState};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::lease::Standing;
use crate::api::{ApiError, within};
use crate::controllers::proof_request::journal::Journal;
use crate::controllers::proof_request::running::Running;
use crate::controllers::proof_request::submit;
use crate::inputs::Inputs;
use crate::key::ProofKey;
use crate::metrics::TermMetrics;
use crate::state::KubeState;

/// Longest wait for the store's next word on proofs, and for all of them; and how many are asked about at the same time.
const LOOK: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(2);
const LOOKS: usize = 32;
/// Wait after the API server failed.
const AGAIN: Duration = Duration::from_millis(200);

/// Takes over.
pub struct Takeover {
    /// The API server.
    pub client: Client,
    /// The only namespace whose requests are served; `None` for all.
    pub scope: Option<String>,
    /// All requests.
    pub requests: Store<ProofRequest>,
    /// Reads them anew.
    pub journal: Arc<Journal>,
    /// The worker pods.
    pub pods: Store<Pod>,
    /// The artifact store.
    pub inputs: Arc<Inputs>,
    /// Runs the proofs.
    pub coordinator: Coordinator,
    /// What this process works on.
    pub running: Arc<Running>,
    /// Keeps the tasks' objects.
    pub state: Arc<KubeState>,
    /// Counts.
    pub metrics: TermMetrics,
    /// Tells the controllers that this replica leads.
    pub leads: watch::Sender<bool>,
    /// Tells the candidate of epochs that workers have seen.
    pub outdone: mpsc::UnboundedSender<u64>,
    /// Ends the process.
    pub shutdown: CancellationToken,
}

impl Takeover {
    /// Waits for the first term, leads it, and ends the process when it is over: whatever was known then is of no use in another.
    pub async fn run(self, mut standing: watch::Receiver<Standing>) {
        let mut events = self.coordinator.term_events();
        let epoch = loop {
            let Some(epoch) = first_epoch(&mut standing).await else {
                return;
            };
            match self.begin(epoch).await {
                Ok(true) => break epoch,
                // Some worker knows a later epoch: the candidate begins another.
                Ok(false) => {
                    let _ = self.outdone.send(self.coordinator.seen_epoch());
                }
                Err(error) => {
                    tracing::warn!(reason = error.reason(), %error, "what the last leader left could not be read; tried again")
                }
            }
            tokio::time::sleep(AGAIN).await;
        };
        self.inputs.begin_term(epoch).await;
        self.leads.send_replace(true);
        self.metrics.leads(epoch);
        let (mut recovering, began) = (true, Instant::now());
        let mut without = false;
        let mut looks = tokio::time::interval(LOOK);
        let mut late = std::pin::pin!(self.look_for_late().fuse());
        loop {
            tokio::select! {
                _ = looks.tick(), if recovering => {
                    recovering = self.coordinator.is_recovering();
                    if recovering {
                        self.metrics.recovering(self.held().await);
                    } else {
                        self.metrics.recovered(began.elapsed());
                        self.state.recovered();
                    }
                    continue;
                }
                () = &mut late, if !recovering => continue,
                changed = standing.changed() => if changed.is_err() { return },
                Ok(TermEvent::Deposed { epoch: later }) = events.recv() => {
                    tracing::warn!(epoch, later, "workers know a later leader");
                    break;
                }
            }
            match *standing.borrow_and_update() {
                Standing::Leader {
                    epoch: now,
                    degraded,
                } if now == epoch => {
                    self.metrics.degraded(degraded);
                    match (std::mem::replace(&mut without, degraded), degraded) {
                        (false, true) => tracing::warn!(
                            epoch,
                            "the API server does not answer: this replica goes on, and what must be stored waits"
                        ),
                        (true, false) => {
                            tracing::info!(epoch, "the API server answers again");
                        }
                        _ => {}
                    }
                }
                _ => break,
            }
        }
        self.leads.send_replace(false);
        self.metrics.leads(0);
        self.metrics.degraded(false);
        self.coordinator.step_down();
        if !self.shutdown.is_cancelled() {
            tracing::warn!(epoch, "this replica leads no more, and starts again");
            self.shutdown.cancel();
        }
    }

    /// The last leader may have written on while this one looked.
    async fn look_for_late(&self) {
        loop {
            match self.tasks().await {
                Ok(tasks) => return self.state.found(tasks),
                Err(error) => {
                    tracing::warn!(%error, "what the last leader wrote late cannot be read yet; tried again");
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Begins the term; `false` if workers know a later one.
    async fn begin(&self, epoch: u64) -> Result<bool, ApiError> {
        let tasks = self.tasks().await?;
        let requests = self.requests(&tasks).await?;
        let mut proofs = recovered(&requests, &tasks);
        let finished = self.finished(&proofs).await;
        for proof in &mut proofs {
            proof.finished = finished.contains(&proof.spec.proof_id);
        }
        let expected = expected(&self.pods.state());
        tracing::info!(
            epoch,
            proofs = proofs.len(),
            workers = expected.len(),
            "this replica takes over"
        );
        let keys: Vec<ProofKey> = proofs
            .iter()
            .filter_map(|proof| ProofKey::parse(&proof.spec.proof_id))
            .collect();
        let term = Term {
            expected,
            proofs: proofs.clone(),
            ..Term::first(epoch)
        };
        // Before the coordinator tells of them anew.
        self.state.adopt(tasks, &proofs);
        if let Err(refusal) = self.coordinator.lead(term) {
            tracing::warn!(epoch, %refusal, "the term does not begin");
            return Ok(false);
        }
        for key in keys {
            self.running.set_submitted(&key.uid, true);
        }
        Ok(true)
    }

    /// The requests that have begun. The watch may be behind the last leader's writes: what it lacks of those with a root is read.
    async fn requests(&self, tasks: &[ProvingTask]) -> Result<Vec<Arc<ProofRequest>>, ApiError> {
        let mut requests = self.requests.state();
        let late = stream::iter(behind(&requests, tasks));
        let reads = late.map(async |key| match self.journal.read(&key).await {
            Err(error) if error.is_unreadable() => {
                tracing::warn!(proof = %key, %error, "a proof is left alone: this version cannot read its ProofRequest");
                Ok(None)
            }
            read => read,
        });
        let read: Vec<_> = reads.buffer_unordered(LOOKS).try_collect().await?;
        for request in read.into_iter().flatten() {
            requests.retain(|known| known.metadata.uid != request.metadata.uid);
            requests.push(Arc::new(request));
        }
        Ok(requests)
    }

    /// The proofs that are complete in the store: a leader was lost between their upload and the note of it. A store that says nothing
    /// for [`LOOK`] is not waited for, nor is any for longer than [`LONGEST`]; a proof is made again at worst.
    async fn finished(&self, proofs: &[RecoveredProof]) -> HashSet<ProofId> {
        let looks = proofs.iter().filter_map(|proof| {
            let artifact = proof.spec.outputs.first().cloned()?;
            let (inputs, id) = (self.inputs.clone(), proof.spec.proof_id.clone());
            Some(async move {
                let info = inputs.proof_info(&artifact).await;
                matches!(info, Ok(Some(_))).then_some(id)
            })
        });
        let looks: Vec<_> = looks.collect();
        let looks = stream::iter(looks).buffer_unordered(LOOKS);
        let mut looks = std::pin::pin!(looks.take_until(sleep(LONGEST)));
        let mut found = HashSet::new();
        while let Ok(Some(answer)) = timeout(LOOK, looks.next()).await {
            found.extend(answer);
        }
        found
    }

    /// How many tasks are held until it is known whether they run.
    async fn held(&self) -> usize {
        let mut held = 0;
        for request in self.requests.state() {
            let proof = ProofKey::of(&request).proof_id();
            let Some(explanation) = self.coordinator.explain(&proof).await else {
                continue;
            };
            let waits = explanation.waits.iter();
            let waits = waits.filter(|wait| wait.reason == WaitReason::Recovering);
            held += waits.map(|wait| wait.count as usize).sum::<usize>();
        }
        held
    }

    async fn tasks(&self) -> Result<Vec<ProvingTask>, ApiError> {
        let api: Api<DeserializeGuard<ProvingTask>> = match &self.scope {
            Some(namespace) => Api::namespaced(self.client.clone(), namespace),
            None => Api::all(self.client.clone()),
        };
        let list = within("list ProvingTasks", api.list(&ListParams::default())).await?;
        // The watch tells of those that cannot be read; their work is done again.
        let tasks = list.items.into_iter();
        Ok(tasks
            .filter_map(|DeserializeGuard(task)| task.ok())
            .collect())
    }
}

async fn first_epoch(standing: &mut watch::Receiver<Standing>) -> Option<u64> {
    let leads = |s: &Standing| {
        matches!(
            s,
            Standing::Leader {
                degraded: false,
                ..
            }
        )
    };
    match *standing.wait_for(leads).await.ok()? {
        Standing::Leader { epoch, .. } => Some(epoch),
        Standing::Follower => None,
    }
}

/// The requests with a root of which the cache does not have what the last leader had written before it made that root.
fn behind(requests: &[Arc<ProofRequest>], tasks: &[ProvingTask]) -> HashSet<ProofKey> {
    let begun = |request: &&Arc<ProofRequest>| submit::queued_before(request);
    let current: HashSet<&str> = requests
        .iter()
        .filter(begun)
        .filter_map(|request| request.metadata.uid.as_deref())
        .collect();
    let roots = tasks.iter().filter(|task| task.spec.root);
    roots
        .filter_map(ProofKey::of_task)
        .filter(|key| !current.contains(key.uid.as_str()))
        .collect()
}

/// The proofs that had begun and have not ended: those with a root task.
fn recovered(requests: &[Arc<ProofRequest>], tasks: &[ProvingTask]) -> Vec<RecoveredProof> {
    let mut roots: HashMap<&str, &ProvingTask> = HashMap::new();
    for task in tasks.iter().filter(|task| task.spec.root) {
        for owner in task.metadata.owner_references.iter().flatten() {
            let known = roots.entry(&owner.uid).or_insert(task);
            if rank(task) > rank(known) {
                *known = task;
            }
        }
    }
    let goes_on = |request: &&Arc<ProofRequest>| {
        let lives = !request.terminal() && request.metadata.deletion_timestamp.is_none();
        // One that was suspended begins anew, whatever is left of its last run.
        lives && submit::queued_before(request)
    };
    requests
        .iter()
        .filter(goes_on)
        .filter_map(|request| {
            let root = roots.get(request.metadata.uid.as_deref()?)?;
            submit::recovered(request, &ProofKey::of(request), root)
        })
        .collect()
}

/// Of two roots the later run counts; of one run, which two leaders may have begun, the one that a worker got.
fn rank(root: &ProvingTask) -> (u32, bool) {
    let status = root.status.as_ref();
    let given = status.is_some_and(|status| status.state != TaskState::Pending);
    (root.spec.run, given)
}

/// The pods whose workers may run something.
fn expected(pods: &[Arc<Pod>]) -> Vec<String> {
    pods.iter()
        .filter(|pod| {
            let phase = pod
                .status
                .as_ref()
                .and_then(|status| status.phase.as_deref());
            phase == Some("Running")
        })
        .map(|pod| pod.name_any())
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::controllers::proof_request::status::{Change, apply};
    use jiff::Timestamp;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

    fn request(uid: &str, ended: bool) -> Arc<ProofRequest> {
        let mut request = ProofRequest::new("fib", Default::default());
        request.metadata.namespace = Some("ns".into());
        request.metadata.uid = Some(uid.into());
        let prepared = Change::Prepared {
            program_id: "program_1".into(),
            stdin_id: "artifact_1".into(),
        };
        let mut changes = vec![prepared, Change::Queued];
        changes.extend(ended.then_some(Change::Expired));
        request.status = Some(apply(&request, &changes, Timestamp::UNIX_EPOCH));
        Arc::new(request)
    }

    fn root(uid: &str, task: &str, run: u32) -> ProvingTask {
        let mut object = ProvingTask::new(task, Default::default());
        object.spec.root = true;
        object.spec.run = run;
        object.spec.task_id = task.into();
        object.metadata.owner_references = Some(vec![OwnerReference {
            uid: uid.into(),
            ..OwnerReference::default()
        }]);
        object
    }

    #[test]
    fn a_proof_goes_on_in_its_latest_run() {
        let tasks = [
            root("a", "t1", 0),
            root("a", "t2", 1),
            root("gone", "t3", 0),
        ];
        let requests = [request("a", false), request("never-began", false)];
        let found = recovered(&requests, &tasks);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].run, &*found[0].root), (1, "t2"));
        assert_eq!(found[0].spec.inputs[0], "program_1");
    }

    #[test]
    fn a_request_that_the_watch_does_not_have_as_it_was_when_it_began_is_read() {
        let mut fresh = ProofRequest::new("fresh", Default::default());
        fresh.metadata.uid = Some("b".into());
        let requests = [request("a", false), Arc::new(fresh)];
        let mut tasks = ["a", "b", "c"].map(|uid| root(uid, "t", 0));
        for task in &mut tasks {
            task.metadata.namespace = Some("ns".into());
        }
        let late = behind(&requests, &tasks);
        let mut uids: Vec<_> = late.iter().map(|key| key.uid.as_str()).collect();
        uids.sort_unstable();
        assert_eq!(uids, ["b", "c"], "not queued yet, and not there at all");
    }

    #[test]
    fn a_proof_that_ended_is_left_alone() {
        assert!(recovered(&[request("a", true)], &[root("a", "t1", 0)]).is_empty());
    }
}
