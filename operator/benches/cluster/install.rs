//! The definitions.

use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, Patch, PatchParams};
use kube::runtime::conditions::is_crd_established;
use kube::runtime::wait::await_condition;
use kube::{Client, ResourceExt};
use provost_crds::manifest;

/// Installs them, and waits until the API server serves them.
pub(crate) async fn install(client: &Client) {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    for crd in manifest::crds() {
        let name = crd.name_any();
        let params = PatchParams::apply("operator-test").force();
        api.patch(&name, &params, &Patch::Apply(&crd))
            .await
            .unwrap();
        let established = await_condition(api.clone(), &name, is_crd_established());
        let patience = Duration::from_secs(30);
        tokio::time::timeout(patience, established)
            .await
            .unwrap()
            .unwrap();
    }
}
