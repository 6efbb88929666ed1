//! `why`: what a proof waits for, or what ended it.

use ::kube::Api;
use ::kube::api::ListParams;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Event;

use crate::args::WhyArgs;
use crate::client::kube::Cluster;
use crate::error::CliError;
use crate::render;
use crate::render::why::{events, explain};

/// Runs `why`.
pub(super) async fn run(cluster: &Cluster, args: &WhyArgs) -> Result<(), CliError> {
    let request = cluster.proof(&args.name).await?;
    let now = Timestamp::now();
    render::print(&explain(&request, &cluster.system_namespace, now))?;
    let about = match &request.metadata.uid {
        Some(uid) => format!("involvedObject.uid={uid}"),
        None => format!(
            "involvedObject.kind=ProofRequest,involvedObject.name={}",
            args.name
        ),
    };
    let api = Api::<Event>::namespaced(cluster.client.clone(), &cluster.namespace);
    let text = match api.list(&ListParams::default().fields(&about)).await {
        Ok(list) => events(list.items, now),
        // Who may see the proof need not be allowed to see events.
        Err(::kube::Error::Api(status)) if status.is_forbidden() => {
            format!("Events: not shown: {}", status.message)
        }
        Err(error) => return Err(error.into()),
    };
    render::print(&text)
}
