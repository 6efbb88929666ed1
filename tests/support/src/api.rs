//! The API server of the tests, with Provost's definitions in it.

use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::conditions::is_crd_established;
use kube::runtime::wait::await_condition;
use kube::{Client, Config, ResourceExt};
use provost_crds::manifest;

const VARIABLE: &str = "PROVOST_TEST_KUBECONFIG";
const PATIENCE: Duration = Duration::from_secs(30);

/// The kubeconfig that the environment names.
pub fn kubeconfig() -> Kubeconfig {
    let path = std::env::var(VARIABLE).unwrap_or_else(|_| {
        panic!("set {VARIABLE} to the kubeconfig of an API server; hack/test does")
    });
    Kubeconfig::read_from(path).unwrap()
}

/// How to reach the API server of a kubeconfig.
pub async fn config(kubeconfig: Kubeconfig) -> Config {
    Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .unwrap()
}

/// Installs the definitions in the name of `manager`, and waits until the API server serves them.
pub async fn install(client: Client, manager: &str) {
    let api: Api<CustomResourceDefinition> = Api::all(client);
    for crd in manifest::crds() {
        let name = crd.name_any();
        let before = api
            .get_opt(&name)
            .await
            .unwrap()
            .and_then(|old| old.metadata.generation);
        let params = PatchParams::apply(manager).force();
        let answer = api.patch(&name, &params, &Patch::Apply(&crd)).await;
        let after = answer.unwrap_or_else(|error| panic!("{name} is not installed: {error}"));
        let established = await_condition(api.clone(), &name, is_crd_established());
        tokio::time::timeout(PATIENCE, established)
            .await
            .unwrap()
            .unwrap();
        if before != after.metadata.generation {
            // Nothing tells when a changed schema is in force; it takes some milliseconds.
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
    }
}
