//! Waiting for the end of a proof.

use std::time::{Duration, Instant};

use ::kube::ResourceExt;
use ::kube::runtime::WatchStreamExt;
use ::kube::runtime::watcher::{self, Event, watcher};
use futures::{StreamExt, pin_mut};
use provost_crds::ProofRequest;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::kube::Cluster;
use crate::error::CliError;
use crate::render::progress::Progress;

/// How long the API server may be away in the middle of a wait.
const PATIENCE: Duration = Duration::from_secs(60);

/// Ctrl-C, once somebody listens. A signal that comes between two waits is kept for the next.
pub(crate) struct Interrupt(Signal);

impl Interrupt {
    /// Takes the signal over. From now on the process does not end by itself on Ctrl-C.
    pub(crate) fn listen() -> Result<Self, CliError> {
        signal(SignalKind::interrupt())
            .map(Self)
            .map_err(|e| CliError::file("SIGINT", e))
    }
}

/// Follows a proof until it has ended in any way, and returns its last state. Who stops waiting is told
/// that the proof goes on.
pub(crate) async fn until_finished(
    cluster: &Cluster,
    name: &str,
    limit: Option<Duration>,
) -> Result<ProofRequest, CliError> {
    let ended = follow_until_finished(cluster, name, limit, &mut Interrupt::listen()?).await;
    ended.map_err(|error| goes_on(name, error))
}

/// Adds what becomes of the proof to the errors that end only the wait.
fn goes_on(name: &str, error: CliError) -> CliError {
    let hint = format!("; it goes on, `kubectl proof cancel {name}` ends it");
    match error {
        CliError::Timeout { after, what } => CliError::Timeout {
            after,
            what: what + &hint,
        },
        CliError::Interrupted(what) => CliError::Interrupted(what + &hint),
        other => other,
    }
}

/// The same for a caller that follows several, one after the other, and ends them itself.
pub(crate) async fn follow_until_finished(
    cluster: &Cluster,
    name: &str,
    limit: Option<Duration>,
    interrupt: &mut Interrupt,
) -> Result<ProofRequest, CliError> {
    let mut progress = Progress::new(name);
    let mut last = None;
    let timer = async {
        match limit {
            Some(limit) => tokio::time::sleep(limit).await,
            None => std::future::pending().await,
        }
    };
    let result = tokio::select! {
        result = follow(cluster, name, &mut last, &mut progress) => Some(result),
        () = timer => None,
        _ = interrupt.0.recv() => Some(Err(CliError::Interrupted(format!(": no longer waiting for {name}")))),
    };
    progress.finish();
    result.unwrap_or_else(|| Err(timed_out(name, limit.unwrap_or_default(), last.as_ref())))
}

/// Feeds the progress from a watch until the proof has ended; `last` keeps what was seen before.
async fn follow(
    cluster: &Cluster,
    name: &str,
    last: &mut Option<ProofRequest>,
    progress: &mut Progress,
) -> Result<ProofRequest, CliError> {
    let only = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let stream = watcher(cluster.proofs(), only).default_backoff();
    pin_mut!(stream);
    let mut listed = false;
    let mut trouble: Option<Instant> = None;
    while let Some(event) = stream.next().await {
        // `Init` comes before a list, so it does not show that the API server answers.
        if !matches!(event, Ok(Event::Init) | Err(_)) {
            trouble = None;
        }
        match event {
            Ok(Event::Init) => listed = false,
            Ok(Event::InitApply(proof) | Event::Apply(proof)) => {
                listed = true;
                progress.update(&proof);
                if proof.terminal() {
                    return Ok(proof);
                }
                *last = Some(proof);
            }
            Ok(Event::InitDone) if listed => {}
            Ok(Event::InitDone | Event::Delete(_)) => {
                return Err(gone(cluster, name, last.as_ref()));
            }
            Err(error) => {
                let since = *trouble.get_or_insert_with(Instant::now);
                let error = cause(error);
                let passes = matches!(error, CliError::Unreachable(_)) && last.is_some();
                if !passes || since.elapsed() >= PATIENCE {
                    return Err(error);
                }
                progress.note(&format!("{error}; trying again"));
            }
        }
    }
    Err(CliError::Unreachable("the watch ended".to_owned()))
}

/// A watch error as ours. What the API server refuses stays refused; the rest may pass.
fn cause(error: watcher::Error) -> CliError {
    match error {
        watcher::Error::InitialListFailed(e)
        | watcher::Error::WatchStartFailed(e)
        | watcher::Error::WatchFailed(e) => match e.into() {
            CliError::Failed { reason, message }
                if reason != "Forbidden" && reason != "Unauthorized" =>
            {
                CliError::Unreachable(format!("{reason}: {message}"))
            }
            other => other,
        },
        watcher::Error::WatchError(status) => {
            CliError::Unreachable(format!("{}: {}", status.reason, status.message))
        }
        other => CliError::Unreachable(other.to_string()),
    }
}

fn gone(cluster: &Cluster, name: &str, last: Option<&ProofRequest>) -> CliError {
    match last {
        Some(proof) => CliError::NotFound(format!(
            "{} was deleted while {}",
            proof.name_any(),
            proof.state()
        )),
        None => cluster.not_found(name),
    }
}

fn timed_out(name: &str, limit: Duration, last: Option<&ProofRequest>) -> CliError {
    let state = last.map_or("not seen yet", ProofRequest::state);
    let progress = last
        .and_then(|p| p.status.as_ref())
        .and_then(|s| s.progress.as_deref());
    let progress = progress.map(|p| format!(" ({p})")).unwrap_or_default();
    CliError::Timeout {
        after: crate::render::time::short(limit),
        what: format!("{name} is {state}{progress}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::tests::proof;

    #[test]
    fn a_timeout_says_where_the_proof_stands() {
        let mut seen = proof("Unknown", "Proving", "");
        seen.status.as_mut().unwrap().progress = Some("3/10".into());
        let error = goes_on("p", timed_out("p", Duration::from_secs(90), Some(&seen)));
        assert_eq!(
            error.to_string(),
            "timed out after 90s: p is Proving (3/10); it goes on, `kubectl proof cancel p` ends it"
        );
        assert!(
            timed_out("p", Duration::ZERO, None)
                .to_string()
                .contains("not seen yet")
        );
    }

    #[test]
    fn what_the_server_forbids_does_not_pass() {
        let refused = |code, reason: &str| {
            let status = ::kube::core::Status {
                code,
                reason: reason.into(),
                ..Default::default()
            };
            cause(watcher::Error::WatchStartFailed(::kube::Error::Api(
                Box::new(status),
            )))
        };
        assert_eq!(refused(403, "Forbidden").code(), crate::error::EXIT_FAILED);
        assert_eq!(
            refused(500, "InternalError").code(),
            crate::error::EXIT_UNREACHABLE
        );
    }
}
