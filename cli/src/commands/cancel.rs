//! `cancel`: end a proof that is no longer wanted.

use ::kube::api::{Patch, PatchParams};
use serde_json::json;

use super::submit::FIELD_MANAGER;
use crate::args::CancelArgs;
use crate::client::kube::Cluster;
use crate::client::watch::until_finished;
use crate::error::CliError;
use crate::render::{self, proof};

/// Runs `cancel`. A proof that has ended already is no error: it does not run, as was asked.
pub(super) async fn run(cluster: &Cluster, args: &CancelArgs) -> Result<(), CliError> {
    let name = &args.name;
    let request = cluster.proof(name).await?;
    if request.terminal() {
        return render::print(&format!(
            "{} has ended already: {}",
            proof::qualified(name),
            request.state()
        ));
    }
    let params = PatchParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    };
    cluster
        .proofs()
        .patch(
            name,
            &params,
            &Patch::Merge(json!({"spec": {"cancel": true}})),
        )
        .await?;
    if !args.wait.wait {
        return render::print(&format!("{} is being cancelled", proof::qualified(name)));
    }
    let ended = until_finished(cluster, name, args.wait.limit()).await?;
    // It may have ended by itself in the same moment; the state tells.
    render::print(&format!("{} {}", proof::qualified(name), ended.state()))
}
