//! The API server, and a namespace of it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use k8s_openapi::api::core::v1::{Namespace, Secret, ServiceAccount};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config, ResourceExt};
use provost_crds::{ProofRequest, ProvingTask};
use serde_json::json;

use provost_test_support::elf;

/// Tells where the kubeconfig is.
const VARIABLE: &str = "PROVOST_TEST_KUBECONFIG";

/// Names of both keys of the store.
pub(crate) const STORE_KEY: &str = "benchmark";

/// Where the kubeconfig of the API server is: as `hack/cluster up --api-only` leaves it, unless the environment says otherwise.
pub(crate) fn kubeconfig() -> PathBuf {
    std::env::var_os(VARIABLE).map_or_else(
        || {
            let home = std::env::var_os("HOME").unwrap_or_default();
            PathBuf::from(home).join(".cache/provost/cluster-api/kubeconfig")
        },
        PathBuf::from,
    )
}

pub(crate) async fn client() -> Client {
    let path = kubeconfig();
    let kubeconfig = Kubeconfig::read_from(&path).unwrap_or_else(|error| {
        panic!(
            "{}: {error}: run hack/cluster up --api-only",
            path.display()
        )
    });
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .unwrap();
    Client::try_from(config).unwrap()
}

/// A namespace that goes with its objects at the end.
pub(crate) struct Space {
    pub(crate) client: Client,
    pub(crate) name: String,
}

impl Space {
    pub(crate) async fn create(client: &Client, what: &str) -> Self {
        let now = jiff::Timestamp::now().as_microsecond();
        let this = Self {
            client: client.clone(),
            name: format!("bench-{what}-{now:x}"),
        };
        create(
            &Api::<Namespace>::all(client.clone()),
            json!({"metadata": {"name": this.name}}),
        )
        .await;
        let accounts = Api::<ServiceAccount>::namespaced(client.clone(), &this.name);
        create(&accounts, json!({"metadata": {"name": "default"}})).await;
        let keys = json!({"access-key": STORE_KEY, "secret-key": STORE_KEY});
        create(
            &Api::<Secret>::namespaced(client.clone(), &this.name),
            json!({"metadata": {"name": "provost-store"}, "stringData": keys}),
        )
        .await;
        this
    }

    pub(crate) fn proofs(&self) -> Api<ProofRequest> {
        Api::namespaced(self.client.clone(), &self.name)
    }

    pub(crate) fn tasks(&self) -> Api<ProvingTask> {
        Api::namespaced(self.client.clone(), &self.name)
    }

    /// Requests proofs whose tasks may all run at once.
    pub(crate) async fn request_proofs(&self, count: usize) {
        let program = json!({"inline": elf::inline(8)});
        for number in 0..count {
            let object = json!({
                "metadata": {"name": format!("proof-{number}")},
                "spec": {"program": program, "limits": {"parallelism": 10_000}},
            });
            create(&self.proofs(), object).await;
        }
    }

    /// Removes the namespace's objects: here nobody else does. The operator must be gone.
    pub(crate) async fn remove(self) {
        let none = Patch::Merge(json!({"metadata": {"finalizers": null}}));
        let proofs = self.proofs().list(&ListParams::default()).await.unwrap();
        for proof in proofs {
            let params = PatchParams::default();
            let _ = self.proofs().patch(&proof.name_any(), &params, &none).await;
        }
        let (now, all) = (DeleteParams::default(), ListParams::default());
        self.proofs().delete_collection(&now, &all).await.unwrap();
        self.tasks().delete_collection(&now, &all).await.unwrap();
        let namespaces: Api<Namespace> = Api::all(self.client);
        namespaces.delete(&self.name, &now).await.unwrap();
    }
}

pub(crate) async fn create<K>(api: &Api<K>, object: serde_json::Value) -> K
where
    K: serde::Serialize + serde::de::DeserializeOwned + Clone + std::fmt::Debug,
{
    let object = serde_json::from_value(object).unwrap();
    api.create(&PostParams::default(), &object).await.unwrap()
}

/// Writes that the API server has served so far, by resource, whoever made them.
pub(crate) async fn writes_served(client: &Client) -> BTreeMap<String, u64> {
    let request = http::Request::get("/metrics").body(Vec::new()).unwrap();
    let text = client.request_text(request).await.unwrap();
    let mut writes = BTreeMap::new();
    for line in text.lines() {
        let Some(rest) = line.strip_prefix("apiserver_request_total{") else {
            continue;
        };
        let Some((labels, value)) = rest.rsplit_once("} ") else {
            continue;
        };
        let label = |name: &str| {
            let (_, rest) = labels.split_once(&format!("{name}=\""))?;
            rest.split_once('"').map(|(value, _)| value)
        };
        let is_write = matches!(
            label("verb"),
            Some("POST" | "PUT" | "PATCH" | "APPLY" | "DELETE" | "DELETECOLLECTION")
        );
        if let Some(resource) = label("resource").filter(|_| is_write) {
            let value = value.parse::<f64>().unwrap_or_default() as u64;
            *writes.entry(resource.to_owned()).or_default() += value;
        }
    }
    writes
}

/// Writes of proofs and tasks in between.
pub(crate) fn writes_between(
    before: &BTreeMap<String, u64>,
    after: &BTreeMap<String, u64>,
) -> BTreeMap<String, u64> {
    let of = |resource: &str| {
        let at = |counts: &BTreeMap<String, u64>| counts.get(resource).copied().unwrap_or(0);
        (resource.to_owned(), at(after).saturating_sub(at(before)))
    };
    ["provingtasks", "proofrequests"].map(of).into()
}
