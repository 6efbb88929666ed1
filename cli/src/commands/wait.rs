//! `wait`: the end of a proof that was asked for elsewhere.

use crate::args::FollowArgs;
use crate::client::kube::Cluster;
use crate::client::watch::until_finished;
use crate::error::CliError;
use crate::render::{self, proof};

/// Runs `wait`.
pub(super) async fn run(cluster: &Cluster, args: &FollowArgs) -> Result<(), CliError> {
    let ended = until_finished(cluster, &args.name, args.limit()).await?;
    if !ended.succeeded() {
        return Err(proof::failure(&ended));
    }
    render::print(&proof::summary(&ended))
}
