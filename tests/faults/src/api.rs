//! The API server: a namespace for a scenario, the operator's identity in it, and its kubeconfig.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::{Namespace, Pod, Secret};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use kube::Client;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use kube::config::Kubeconfig;
use provost_test_support::{config, install, kubeconfig};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

const MANAGER: &str = "faults";
/// Name of the operator's rights, and of all that gives them.
const RIGHTS: &str = "provost-operator-faults";
const CLUSTER_ROLE: &str = include_str!("../../../config/rbac/operator_cluster_role.yaml");
const ROLE: &str = include_str!("../../../config/rbac/operator_role.yaml");

/// Access key of the stores under test.
pub const ACCESS_KEY: &str = "faults";
/// Secret key of the stores under test.
pub const SECRET_KEY: &str = "faults-secret";

/// The API server, as an administrator sees it.
#[derive(Clone)]
pub struct ApiServer {
    /// Calls it.
    pub client: Client,
    /// The scenario's namespace.
    pub namespace: String,
    kubeconfig: Kubeconfig,
}

impl ApiServer {
    /// A fresh namespace with the operator's rights in it, and the store's keys.
    pub async fn space(scenario: &str) -> Self {
        static INSTALLED: OnceCell<()> = OnceCell::const_new();
        let kubeconfig = kubeconfig();
        let config = config(kubeconfig.clone()).await;
        let client = Client::try_from(config).unwrap();
        INSTALLED
            .get_or_init(|| install(client.clone(), MANAGER))
            .await;
        let short: String = scenario.replace('_', "-").chars().take(36).collect();
        let namespace = format!(
            "f-{}-{:x}",
            short.trim_end_matches('-'),
            jiff::Timestamp::now().as_millisecond()
        );
        let server = Self {
            client,
            namespace,
            kubeconfig,
        };
        create(
            &Api::<Namespace>::all(server.client.clone()),
            json!({"metadata": {"name": server.namespace}}),
        )
        .await;
        server.give_rights().await;
        let keys = json!({"metadata": {"name": "provost-store"},
            "stringData": {"access-key": ACCESS_KEY, "secret-key": SECRET_KEY}});
        create(&server.namespaced::<Secret>(), keys).await;
        server
    }

    /// Objects of the scenario's namespace.
    pub fn namespaced<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Name of the operator's user.
    pub fn operator_user(&self) -> String {
        format!("system:serviceaccount:{}:provost-operator", self.namespace)
    }

    /// Where the API server is.
    pub fn address(&self) -> SocketAddr {
        let server = self.kubeconfig.clusters[0]
            .cluster
            .as_ref()
            .unwrap()
            .server
            .clone()
            .unwrap();
        let host = server.trim_start_matches("https://").trim_end_matches('/');
        host.parse()
            .unwrap_or_else(|_| panic!("{server} is no address"))
    }

    /// Writes a kubeconfig for an operator that reaches the API server at `address`.
    pub fn operator_kubeconfig(&self, address: SocketAddr, folder: &Path, name: &str) -> PathBuf {
        let mut config = serde_json::to_value(&self.kubeconfig).unwrap();
        let cluster = &mut config["clusters"][0]["cluster"];
        cluster["server"] = format!("https://{address}").into();
        // The certificate is the real server's.
        cluster["tls-server-name"] = self.address().ip().to_string().into();
        config["users"][0]["user"]["as"] = self.operator_user().into();
        let path = folder.join(format!("{name}.kubeconfig"));
        std::fs::write(&path, config.to_string()).unwrap();
        path
    }

    /// The operator has the rights of config/rbac and no others.
    async fn give_rights(&self) {
        let mut cluster_role = object::<ClusterRole>(CLUSTER_ROLE, "ClusterRole");
        cluster_role.metadata.name = Some(RIGHTS.into());
        Api::<ClusterRole>::all(self.client.clone())
            .patch(
                RIGHTS,
                &PatchParams::apply(MANAGER).force(),
                &Patch::Apply(&cluster_role),
            )
            .await
            .unwrap();
        let subject = json!({"kind": "ServiceAccount", "name": "provost-operator", "namespace": self.namespace});
        let reference = |kind, name| json!({"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name});
        let binding = json!({"metadata": {"name": format!("{RIGHTS}-{}", self.namespace)},
            "roleRef": reference("ClusterRole", RIGHTS), "subjects": [subject]});
        create(
            &Api::<ClusterRoleBinding>::all(self.client.clone()),
            binding,
        )
        .await;
        let role = object::<Role>(ROLE, "Role");
        create(
            &self.namespaced::<Role>(),
            serde_json::to_value(role).unwrap(),
        )
        .await;
        let binding = json!({"metadata": {"name": "provost-operator"},
            "roleRef": reference("Role", "provost-operator"), "subjects": [subject]});
        create(&self.namespaced::<RoleBinding>(), binding).await;
    }

    /// Removes what a finished scenario has left: there are no controllers here that would.
    pub async fn remove(&self) {
        let now = DeleteParams::default().grace_period(0);
        let _ = self
            .namespaced::<Pod>()
            .delete_collection(&now, &Default::default())
            .await;
        let bindings = Api::<ClusterRoleBinding>::all(self.client.clone());
        let _ = bindings
            .delete(&format!("{RIGHTS}-{}", self.namespace), &now)
            .await;
        let namespaces = Api::<Namespace>::all(self.client.clone());
        let _ = namespaces.delete(&self.namespace, &now).await;
    }
}

/// Creates an object from JSON.
pub async fn create<K>(api: &Api<K>, object: Value) -> K
where
    K: Serialize + DeserializeOwned + Clone + std::fmt::Debug,
{
    let object = serde_json::from_value(object).unwrap();
    api.create(&PostParams::default(), &object).await.unwrap()
}

fn object<K: DeserializeOwned>(yaml: &str, kind: &str) -> K {
    let documents: Vec<Value> = serde_saphyr::from_multiple(yaml).unwrap();
    let found = documents
        .into_iter()
        .find(|document| document["kind"] == kind);
    serde_json::from_value(found.unwrap()).unwrap()
}
