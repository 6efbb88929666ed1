//! A namespace to test in.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::{
    api::{core::v1::Namespace, resource::v1::ResourceClaimTemplate},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{
    Api, Client, Error,
    api::{ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, PostParams},
    core::{Request, Status},
};
use provost_crds::{ProofRequest, ProvingTask, WorkerPool};
use provost_test_support::{config, install, kubeconfig};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

const MANAGER: &str = "crds-test";

/// A fresh namespace on the API server under test.
pub(crate) struct Space {
    pub(crate) client: Client,
    pub(crate) namespace: String,
}

impl Space {
    /// Makes a namespace for the test of this name, and installs the definitions before the first one.
    pub(crate) async fn new(test: &str) -> Self {
        static INSTALLED: OnceCell<()> = OnceCell::const_new();
        // One client for each test: its connections live in the runtime of the test.
        let client = client().await;
        INSTALLED
            .get_or_init(|| install(client.clone(), MANAGER))
            .await;
        let namespace = format!("crds-{test}-{:x}", Timestamp::now().as_microsecond());
        let object = Namespace {
            metadata: ObjectMeta {
                name: Some(namespace.clone()),
                ..ObjectMeta::default()
            },
            ..Namespace::default()
        };
        Api::all(client.clone())
            .create(&PostParams::default(), &object)
            .await
            .unwrap();
        Self { client, namespace }
    }

    pub(crate) fn proofs(&self) -> Api<ProofRequest> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub(crate) fn tasks(&self) -> Api<ProvingTask> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub(crate) fn pools(&self) -> Api<WorkerPool> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Objects of a kind, without a type.
    pub(crate) fn objects(&self, kind: &str) -> Api<DynamicObject> {
        let resource = match kind {
            "ProofRequest" => ApiResource::erase::<ProofRequest>(&()),
            "ProvingTask" => ApiResource::erase::<ProvingTask>(&()),
            "WorkerPool" => ApiResource::erase::<WorkerPool>(&()),
            "ResourceClaimTemplate" => ApiResource::erase::<ResourceClaimTemplate>(&()),
            other => panic!("unknown kind {other}"),
        };
        Api::namespaced_with(self.client.clone(), &self.namespace, &resource)
    }

    /// What `kubectl apply --server-side` does.
    pub(crate) async fn apply(&self, object: &Value) -> Result<DynamicObject, Box<Status>> {
        let params = PatchParams::apply(MANAGER).validation_strict();
        self.patch(object, &params).await
    }

    /// What `kubectl apply --server-side --dry-run=server` does.
    pub(crate) async fn try_apply(&self, object: &Value) -> Result<DynamicObject, Box<Status>> {
        let params = PatchParams::apply(MANAGER).validation_strict().dry_run();
        self.patch(object, &params).await
    }

    async fn patch(
        &self,
        object: &Value,
        params: &PatchParams,
    ) -> Result<DynamicObject, Box<Status>> {
        let api = self.objects(object["kind"].as_str().unwrap());
        let name = object["metadata"]["name"].as_str().unwrap();
        refusal(api.patch(name, params, &Patch::Apply(object)).await)
    }

    /// Applies an object of this kind, name and spec, and then gives it this status.
    pub(crate) async fn put(&self, kind: &str, name: &str, spec: Value, status: Value) {
        self.apply(&object(kind, name, spec)).await.unwrap();
        let patch = Patch::Merge(json!({"status": status}));
        let (objects, params) = (self.objects(kind), PatchParams::default());
        let patched = match kind {
            // Its status is no subresource.
            "ProvingTask" => objects.patch(name, &params, &patch).await,
            _ => objects.patch_status(name, &params, &patch).await,
        };
        patched.unwrap();
    }

    /// What `kubectl create` does.
    pub(crate) async fn create(&self, object: &Value) -> Result<DynamicObject, Box<Status>> {
        let api = self.objects(object["kind"].as_str().unwrap());
        let body = serde_json::to_vec(object).unwrap();
        let mut request = Request::new(api.resource_url())
            .create(&PostParams::default(), body)
            .unwrap();
        let uri = request.uri().to_string();
        let joint = if uri.ends_with('?') { "" } else { "&" };
        *request.uri_mut() = format!("{uri}{joint}fieldValidation=Strict")
            .parse()
            .unwrap();
        refusal(self.client.request(request).await)
    }

    /// Removes the namespace. A test that fails leaves it, to be looked at.
    pub(crate) async fn close(self) {
        for kind in ["ProofRequest", "ProvingTask", "WorkerPool"] {
            // Without a controller manager nothing else empties the namespace.
            let params = (DeleteParams::default(), kube::api::ListParams::default());
            self.objects(kind)
                .delete_collection(&params.0, &params.1)
                .await
                .unwrap();
        }
        let namespaces: Api<Namespace> = Api::all(self.client);
        namespaces
            .delete(&self.namespace, &DeleteParams::default())
            .await
            .unwrap();
    }
}

/// An object of this kind, name and spec.
pub(crate) fn object(kind: &str, name: &str, spec: Value) -> Value {
    json!({
        "apiVersion": "provost.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": spec,
    })
}

/// The API server's refusal; anything else that goes wrong ends the test.
fn refusal<T>(result: Result<T, Error>) -> Result<T, Box<Status>> {
    match result {
        Ok(value) => Ok(value),
        Err(Error::Api(status)) => Err(status),
        Err(other) => panic!("no answer: {other}"),
    }
}

/// Fields and messages that a refusal names, without the value that precedes a message.
pub(crate) fn causes(status: &Status) -> BTreeMap<String, Vec<String>> {
    let mut causes = BTreeMap::<String, Vec<String>>::new();
    for cause in status.details.iter().flat_map(|details| &details.causes) {
        causes
            .entry(cause.field.clone())
            .or_default()
            .push(cause.message.clone());
    }
    causes
}

async fn client() -> Client {
    Client::try_from(config(kubeconfig()).await).unwrap()
}
