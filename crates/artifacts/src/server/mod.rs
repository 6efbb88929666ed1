//! The embedded store: an S3 server over a folder.
//!
//! It serves one bucket to one pair of keys, and the operations that clients of a proving cluster use: whole and multipart
//! uploads, reads with ranges, deletes, listings. What it has acknowledged is on disk: an object is one file, written
//! next to its place, flushed, renamed into it, and the rename flushed. What it has not
//! acknowledged leaves nothing: unfinished files are removed when their request breaks off, and at start.

mod backend;
mod checksums;
mod disk;
mod errors;
mod incoming;
mod keys;
mod multipart;
mod object;
mod patience;
mod probe;
mod service;
mod smallest;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use tokio::net::{TcpListener, TcpStream};

use backend::Backend;
use disk::Disk;

/// How long requests in progress may take to end once the server is told to.
const DRAIN: Duration = Duration::from_secs(10);

/// How long a client may take to send a request's headers.
const HEADERS: Duration = Duration::from_secs(30);

/// How often uploads that nobody continues are looked for.
const SWEEP: Duration = Duration::from_secs(300);

/// The one pair of keys that the server accepts.
#[derive(Clone)]
pub struct Credentials {
    /// Access key.
    pub access_key: String,
    /// Secret key.
    pub secret_key: String,
}

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The folder cannot be used.
    #[error("the folder {root} cannot be used: {source}")]
    Folder {
        /// The folder.
        root: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Another server uses the folder.
    #[error("another process serves the folder {root}")]
    Locked {
        /// The folder.
        root: PathBuf,
    },
    /// No S3 client would accept the bucket's name.
    #[error("{bucket:?} is not a bucket name: 3 to 63 lower-case letters, digits, '.' and '-'")]
    Bucket {
        /// The name.
        bucket: String,
    },
    /// The background thread that opens the folder died.
    #[error("the folder could not be opened: {0}")]
    Internal(String),
}

impl ServeError {
    /// Stable name of the error.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Folder { .. } => "StoreFolderUnusable",
            Self::Locked { .. } => "StoreFolderLocked",
            Self::Bucket { .. } => "InvalidBucketName",
            Self::Internal(_) => "Internal",
        }
    }
}

/// Serves the objects under `root_dir` as `bucket` until `shutdown` completes, then lets requests in progress end.
///
/// `root_dir` is made if need be, belongs to this server alone while it runs, and is cleared of what an earlier one left
/// unfinished.
pub async fn serve(
    listener: TcpListener,
    root_dir: impl Into<PathBuf>,
    credentials: Credentials,
    bucket: impl Into<String>,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let (root, bucket) = (root_dir.into(), bucket.into());
    if !s3s::path::check_bucket_name(&bucket) {
        return Err(ServeError::Bucket { bucket });
    }
    let disk = tokio::task::spawn_blocking(move || Disk::open(root));
    let disk = disk
        .await
        .map_err(|error| ServeError::Internal(error.to_string()))??;
    let backend = Arc::new(Backend::new(disk, bucket));

    let mut service = S3ServiceBuilder::new(service::Service(Arc::clone(&backend)));
    service.set_auth(SimpleAuth::from_single(
        credentials.access_key,
        credentials.secret_key,
    ));
    let service = service.build();

    let connections = GracefulShutdown::new();
    let mut sweep = tokio::time::interval(SWEEP);
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            _ = sweep.tick() => backend.uploads.drop_abandoned(),
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => serve_connection(stream, service.clone(), &connections),
                Err(error) => {
                    // Out of file descriptors, mostly: passes when a connection ends.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
        }
    }
    drop(listener);
    if tokio::time::timeout(DRAIN, connections.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("requests were still running {DRAIN:?} after the store was told to stop");
    }
    Ok(())
}

fn serve_connection(stream: TcpStream, service: S3Service, connections: &GracefulShutdown) {
    // Answers are small or long, never a stream of keystrokes.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    // Else what says nothing at all would be waited for without end, to learn which version it speaks.
    let mut server = auto::Builder::new(TokioExecutor::new()).http1_only();
    server
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS);
    let service = service_fn(move |request: Request<Incoming>| {
        let service = service.clone();
        async move {
            match probe::is_probe(&request) {
                true => Ok(probe::answer()),
                false => patience::answer(service, request).await,
            }
        }
    });
    let connection = server
        .serve_connection(TokioIo::new(stream), service)
        .into_owned();
    let connection = connections.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(error, "a connection broke");
        }
    });
}
