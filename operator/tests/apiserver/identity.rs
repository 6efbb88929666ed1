//! The operator's identity: it runs with the rights that config/rbac gives it, and with no others.

use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use kube::api::{Api, Patch, PatchParams};
use kube::{Client, Config};
use provost_operator::metrics::Metrics;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::bench::create;

const CLUSTER_ROLE: &str = include_str!("../../../config/rbac/operator_cluster_role.yaml");
const ROLE: &str = include_str!("../../../config/rbac/operator_role.yaml");
/// The cluster-wide role under a name of the tests' own.
const NAME: &str = "provost-operator-test";

/// A client that acts as the operator's service account of `namespace`. `home` is the namespace that the operator lives in.
pub async fn operator(
    admin: &Client,
    config: Config,
    metrics: &Metrics,
    namespace: &str,
    home: &str,
) -> Client {
    let mut cluster_role = object::<ClusterRole>(CLUSTER_ROLE, "ClusterRole");
    cluster_role.metadata.name = Some(NAME.into());
    let params = PatchParams::apply(NAME).force();
    let roles = Api::<ClusterRole>::all(admin.clone());
    roles
        .patch(NAME, &params, &Patch::Apply(&cluster_role))
        .await
        .unwrap();
    let subject =
        json!({"kind": "ServiceAccount", "name": "provost-operator", "namespace": namespace});
    let binding = json!({
        "metadata": {"name": format!("{NAME}-{namespace}")},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": NAME},
        "subjects": [subject],
    });
    let bindings = Api::<ClusterRoleBinding>::all(admin.clone());
    if bindings
        .get_opt(&format!("{NAME}-{namespace}"))
        .await
        .unwrap()
        .is_none()
    {
        create(&bindings, binding).await;
        let role = object::<Role>(ROLE, "Role");
        create(
            &Api::<Role>::namespaced(admin.clone(), home),
            serde_json::to_value(role).unwrap(),
        )
        .await;
        let reference = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "provost-operator"});
        let binding = json!({"metadata": {"name": "provost-operator"}, "roleRef": reference, "subjects": [subject]});
        create(
            &Api::<RoleBinding>::namespaced(admin.clone(), home),
            binding,
        )
        .await;
    }
    let mut config = config;
    config.auth_info.impersonate = Some(format!(
        "system:serviceaccount:{namespace}:provost-operator"
    ));
    provost_operator::api::client(config, metrics).unwrap()
}

/// Removes what the API server keeps outside the namespace.
pub async fn forget(admin: &Client, namespace: &str) {
    let bindings = Api::<ClusterRoleBinding>::all(admin.clone());
    // A test without an operator has none.
    let _ = bindings
        .delete(&format!("{NAME}-{namespace}"), &Default::default())
        .await;
}

fn object<K: DeserializeOwned>(yaml: &str, kind: &str) -> K {
    let documents: Vec<Value> = serde_saphyr::from_multiple(yaml).unwrap();
    let found = documents
        .into_iter()
        .find(|document| document["kind"] == kind)
        .unwrap();
    serde_json::from_value(found).unwrap()
}
