//! Who may write ProvingTasks: the policy of config/admission, bound to the namespace of one test.

use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Client, ResourceExt};
use provost_crds::{ProvingTask, TaskState};
use serde_json::{Value, json};

use crate::bench::{Bench, config, create, wait};
use crate::joined::Joined;

const POLICY: &str = include_str!("../../../config/admission/policy.yaml");
const BINDING: &str = include_str!("../../../config/admission/binding.yaml");
const FIX: &str = "apply a ProofRequest; the operator makes its ProvingTasks";

/// The policy, for the operator of the bench's namespace and for that namespace alone.
struct Policy {
    client: Client,
    name: String,
}

impl Policy {
    async fn install(bench: &Bench) -> Self {
        let (client, namespace) = (bench.client.clone(), &bench.namespace);
        let name = format!("provost-test-{namespace}");
        let yaml = POLICY.replace(
            "serviceaccount:provost-system:",
            &format!("serviceaccount:{namespace}:"),
        );
        assert_ne!(yaml, POLICY);
        let mut policy: Value = serde_saphyr::from_str(&yaml).unwrap();
        policy["metadata"]["name"] = json!(name);
        let mut binding: Value = serde_saphyr::from_str(BINDING).unwrap();
        assert_eq!(binding["spec"]["policyName"], json!("provost-provingtasks"));
        binding["metadata"]["name"] = json!(name);
        binding["spec"]["policyName"] = json!(name);
        let here = json!({"matchLabels": {"kubernetes.io/metadata.name": namespace}});
        binding["spec"]["matchResources"] = json!({"namespaceSelector": here});
        create(
            &Api::<ValidatingAdmissionPolicy>::all(client.clone()),
            policy,
        )
        .await;
        create(
            &Api::<ValidatingAdmissionPolicyBinding>::all(client.clone()),
            binding,
        )
        .await;
        let dry = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        wait("a policy in force", || async {
            bench
                .tasks()
                .create(&dry, &task("probe"))
                .await
                .is_err()
                .then_some(())
        })
        .await;
        Self { client, name }
    }

    async fn remove(self) {
        let now = DeleteParams::default();
        Api::<ValidatingAdmissionPolicyBinding>::all(self.client.clone())
            .delete(&self.name, &now)
            .await
            .unwrap();
        Api::<ValidatingAdmissionPolicy>::all(self.client)
            .delete(&self.name, &now)
            .await
            .unwrap();
    }
}

pub fn task(name: &str) -> ProvingTask {
    let spec = json!({"proof": "p", "taskId": "task_1", "taskType": "ProveShard", "weight": 1});
    ProvingTask::new(name, serde_json::from_value(spec).unwrap())
}

/// The tasks of the bench's namespace, as somebody else sees them.
async fn tasks_as(bench: &Bench, user: &str, groups: &[&str]) -> Api<ProvingTask> {
    let mut config = config().await;
    config.auth_info.impersonate = Some(user.to_owned());
    let groups = groups.iter().map(|&group| group.to_owned()).collect();
    config.auth_info.impersonate_groups = Some(groups);
    Api::namespaced(Client::try_from(config).unwrap(), &bench.namespace)
}

fn refusal<T: std::fmt::Debug>(result: Result<T, kube::Error>) -> String {
    match result.unwrap_err() {
        kube::Error::Api(status) => {
            assert_eq!(status.code, 403, "{}", status.message);
            status.message
        }
        other => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_operator_writes_proving_tasks_and_everybody_may_delete_them() {
    let bench = Bench::new("admission").await;
    let policy = Policy::install(&bench).await;
    let worker = Joined::start(&bench, &[&bench.grpc], "w-1");

    // A cluster admin is told what to do instead.
    let made = bench
        .tasks()
        .create(&PostParams::default(), &task("mine"))
        .await;
    let message = refusal(made);
    assert!(message.ends_with(FIX), "{message}");

    // The operator's own way: it creates, patches and deletes as ever.
    bench.core("fib").await;
    let running = wait("a shard's object", || async {
        let tasks = bench.tasks().list(&ListParams::default()).await.unwrap();
        tasks.into_iter().find(|t| {
            let running = t
                .status
                .as_ref()
                .is_some_and(|s| s.state == TaskState::Running);
            running && !t.spec.root
        })
    })
    .await;
    let name = running.name_any();

    let edits = [
        json!({"status": {"state": "Succeeded"}}),
        json!({"metadata": {"labels": {"mine": "true"}}}),
    ];
    for edit in &edits {
        let patched = bench
            .tasks()
            .patch(&name, &PatchParams::default(), &Patch::Merge(edit))
            .await;
        assert!(refusal(patched).ends_with(FIX));
    }

    // Kubernetes' own controllers look after owners and finalizers, and do no more.
    let collector = tasks_as(
        &bench,
        "system:serviceaccount:kube-system:generic-garbage-collector",
        &["system:serviceaccounts:kube-system", "system:masters"],
    )
    .await;
    let patch = |edit: Value| {
        let (collector, name) = (collector.clone(), name.clone());
        async move {
            let edit = Patch::Merge(edit);
            collector.patch(&name, &PatchParams::default(), &edit).await
        }
    };
    patch(json!({"metadata": {"labels": {"seen": "true"}}}))
        .await
        .unwrap();
    assert!(refusal(patch(edits[0].clone()).await).ends_with(FIX));

    // A person deletes one: it stops, and the operator makes it again.
    let editor = tasks_as(&bench, "somebody", &["system:masters"]).await;
    editor
        .delete(&name, &DeleteParams::default())
        .await
        .unwrap();
    wait("the object", || async {
        let found = bench.tasks().get_opt(&name).await.unwrap()?;
        (found.uid() != running.uid()).then_some(())
    })
    .await;
    worker.finish();
    bench.state("fib", "Succeeded").await;
    bench.delete("fib").await;
    policy.remove().await;
    bench.close().await;
}
