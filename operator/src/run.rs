//! `provost-operator run`: the whole operator with its servers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use kube::{Client, Config};
use provost_artifacts::{Breaker, S3Config, S3Store};
use provost_coordinator::Doors;
use provost_coordinator::doors::listen;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::cli::RunArgs;
use crate::controllers::worker_pool::pods::WorkerSettings;
use crate::http::health::{self, Part, Readiness};
use crate::metrics::Metrics;
use crate::operator::{Operator, Settings};
use crate::owner::Owner;
use crate::secrets::{StoreKeys, ensure_store_keys};
use crate::state::Writes;
use crate::sweeper::Sweeps;
use crate::{crds, http, task_settings};

/// How long the operator's own store client tries before a request shows StoreUnavailable; the request itself is tried again for ever.
const STORE_PATIENCE: Duration = Duration::from_secs(3);
/// Tasks take minutes at most, but for those that live as long as their proof.
const ROLL_OUT_PATIENCE: Duration = Duration::from_secs(300);
/// Time between two attempts at what the operator cannot start without.
const AGAIN: Duration = Duration::from_secs(3);

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// No kubeconfig, an address that cannot be bound, a setting that makes no sense, or a store that is another cluster's.
pub async fn run(args: RunArgs) -> anyhow::Result<()> {
    let shutdown = on_signal()?;
    let metrics = Metrics::new();
    let readiness = Arc::new(Readiness::default());
    let health = health::router(readiness.clone(), metrics.clone());
    let health = tokio::spawn(serve(
        bind(args.metrics_listen).await?,
        health,
        shutdown.clone(),
    ));

    let config = Config::infer()
        .await
        .context("no way to the API server: neither in a cluster nor a kubeconfig")?;
    let client = crate::api::client(config, &metrics).context("the way to the API server")?;
    tracing::info!(
        namespace = args.namespace,
        version = env!("CARGO_PKG_VERSION"),
        "provost-operator starts"
    );
    if crds::wait(&client, &shutdown).await {
        readiness.up(Part::Crds);
        let Some(keys) = store_keys(&client, &args, &shutdown).await else {
            return Ok(());
        };
        let store = Breaker::new(S3Store::new(store_config(&args, keys)));
        work(
            client,
            Arc::new(store),
            args,
            metrics,
            readiness,
            shutdown.clone(),
        )
        .await?;
    }
    shutdown.cancelled().await;
    health.await.context("metrics server")?;
    Ok(())
}

async fn work(
    client: Client,
    store: Arc<Breaker<S3Store>>,
    args: RunArgs,
    metrics: Metrics,
    readiness: Arc<Readiness>,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let mut doors = vec![(args.grpc_listen, Doors::NATIVE)];
    doors.extend(args.stock_grpc_listen.map(|stock| (stock, Doors::UNARY)));
    let mut listeners = Vec::new();
    for (address, doors) in doors {
        listeners.push((address, bind(address).await?, doors));
    }
    let http = bind(args.http_listen).await?;
    let owner = Owner::new(client.clone(), store.clone());
    tokio::select! {
        claimed = owner.begin() => claimed?,
        () = shutdown.cancelled() => return Ok(()),
    }
    let operator = Operator::start(
        client.clone(),
        store,
        settings(&args),
        metrics.clone(),
        readiness.clone(),
        shutdown.clone(),
    );
    for (address, listener, doors) in listeners {
        tracing::warn!(%address, stock = doors.unary, "worker gRPC is plaintext and unauthenticated: keep it inside the cluster");
        let (coordinator, stop) = (operator.coordinator.clone(), shutdown.clone());
        operator.spawn(async move {
            if let Err(error) = coordinator.serve(listener, doors).await {
                tracing::error!(%error, "the worker gRPC server failed");
                stop.cancel();
            }
        });
    }
    let routes = http::router(
        client,
        operator.inputs.clone(),
        metrics,
        operator.leader.clone(),
    );
    operator.spawn(serve(http, routes, shutdown.clone()));
    tracing::info!(grpc = %args.grpc_listen, http = %args.http_listen, "servers listen");
    readiness.up(Part::Servers);
    let settled = async {
        owner.settle().await?;
        shutdown.cancelled().await;
        Ok(())
    };
    let result = tokio::select! {
        result = settled => result,
        () = shutdown.cancelled() => Ok(()),
    };
    shutdown.cancel();
    tracing::info!("shutting down");
    if !operator.stopped().await {
        anyhow::bail!("a part of the operator panicked");
    }
    result
}

fn settings(args: &RunArgs) -> Settings {
    let coordinator = task_settings::coordinator(
        &args.task_timeouts,
        args.standstill_timeout,
        &args.task_weights,
    );
    Settings {
        namespace: args.namespace.clone(),
        scope: args.watch_namespace.clone(),
        pod_name: args.pod_name.clone(),
        worker: WorkerSettings {
            image: args.worker_image.clone(),
            gpu_image: args
                .worker_gpu_image
                .clone()
                .filter(|image| !image.is_empty()),
            coordinator: args.coordinator_url(),
            store_endpoint: args.store_endpoint(),
            store_bucket: args.store_bucket.clone(),
            store_region: args.store_region.clone(),
            store_secret: args.store_secret.clone(),
            store_in_flight_mib: args.store_in_flight_mib,
            shards_ahead: args.shards_ahead,
            weights: coordinator.weights.clone(),
        },
        concurrency: args.concurrency,
        wraps: args.simulated_wraps,
        roll_out_patience: ROLL_OUT_PATIENCE,
        sweeps: Sweeps::default(),
        writes: Writes {
            per_second: args.writes_per_second,
            horizon: Duration::from_millis(args.persist_horizon_ms.into()),
        },
        coordinator,
    }
}

fn store_config(args: &RunArgs, keys: StoreKeys) -> S3Config {
    S3Config {
        endpoint: args.store_endpoint(),
        region: args.store_region.clone(),
        bucket: args.store_bucket.clone(),
        access_key: keys.access_key,
        secret_key: keys.secret_key,
        retry_total: STORE_PATIENCE,
        in_flight_bytes: args
            .store_in_flight_mib
            .map_or_else(S3Config::default_in_flight_bytes, |mib| {
                u64::from(mib.get()) << 20
            }),
    }
}

/// The store's keys; `None` if the shutdown came first.
async fn store_keys(
    client: &Client,
    args: &RunArgs,
    shutdown: &CancellationToken,
) -> Option<StoreKeys> {
    loop {
        match ensure_store_keys(client.clone(), &args.namespace, &args.store_secret).await {
            Ok(keys) => return Some(keys),
            Err(error) => {
                tracing::error!(reason = error.reason(), %error, "no keys for the artifact store; tried again")
            }
        }
        tokio::select! {
            () = tokio::time::sleep(AGAIN) => {}
            () = shutdown.cancelled() => return None,
        }
    }
}

async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    listen(address)
        .await
        .with_context(|| format!("cannot listen on {address}"))
}

async fn serve(listener: TcpListener, routes: Router, shutdown: CancellationToken) {
    let stop = shutdown.clone();
    let server =
        axum::serve(listener, routes).with_graceful_shutdown(async move { stop.cancelled().await });
    if let Err(error) = server.await {
        tracing::error!(%error, "an HTTP server failed");
        shutdown.cancel();
    }
}

/// A token that SIGTERM and SIGINT cancel.
pub(crate) fn on_signal() -> anyhow::Result<CancellationToken> {
    let token = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT")?;
    let stop = token.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stop.cancel();
    });
    Ok(token)
}
