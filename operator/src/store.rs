//! `provost-operator store`: the embedded artifact store.

use anyhow::Context as _;
use provost_artifacts::server::{self, Credentials};
use provost_coordinator::doors::listen;

use crate::cli::StoreArgs;
use crate::run::on_signal;

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// The folder cannot be used, or the address cannot be bound.
pub async fn run(args: StoreArgs) -> anyhow::Result<()> {
    let shutdown = on_signal()?;
    let listener = listen(args.listen)
        .await
        .with_context(|| format!("cannot listen on {}", args.listen))?;
    tracing::info!(address = %args.listen, data = %args.data.display(), bucket = args.bucket, "artifact store listens");
    let keys = Credentials {
        access_key: args.access_key,
        secret_key: args.secret_key,
    };
    server::serve(listener, args.data, keys, args.bucket, async move {
        shutdown.cancelled().await
    })
    .await?;
    Ok(())
}
