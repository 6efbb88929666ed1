//! Heartbeats come from a thread of their own: on the proving runtime a long computation would starve them, and the
//! coordinator would take the worker for dead.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use provost_proto::worker as proto;
use tonic::Code;

use super::channel::connect;
use super::session::Session;

const PERIOD: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_secs(3);

/// The sessions that beat; more may join while the thread runs.
pub type Sessions = Arc<Mutex<Vec<Arc<Session>>>>;

/// Starts the thread. It ends with the process.
pub fn start(address: String, sessions: Sessions) -> std::io::Result<()> {
    let thread = std::thread::Builder::new().name("heartbeat".into());
    thread.spawn(move || {
        let runtime = match tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
        {
            Ok(runtime) => runtime,
            Err(error) => {
                tracing::error!(%error, "no runtime for heartbeats");
                return;
            }
        };
        runtime.block_on(beat(address, sessions));
    })?;
    Ok(())
}

async fn beat(address: String, sessions: Sessions) {
    // A connection of its own, driven by this thread: the other one's is driven by the proving runtime.
    let mut stub = match connect(&address) {
        Ok(stub) => stub,
        Err(error) => {
            tracing::error!(%error, "no connection for heartbeats");
            return;
        }
    };
    let mut ticks = tokio::time::interval(PERIOD);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let now = sessions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        for session in now.iter().filter(|session| session.is_connected()) {
            let (active_task_proof_ids, active_task_ids) = session.active().into_iter().unzip();
            let request = proto::HeartbeatRequest {
                worker_id: session.client().worker_id().to_owned(),
                active_task_proof_ids,
                active_task_ids,
                current_weight: 0,
            };
            match tokio::time::timeout(TIMEOUT, stub.heartbeat(request)).await {
                Ok(Err(status)) if status.code() == Code::NotFound => session.reopen(),
                Ok(Err(status)) => tracing::debug!(%status, "heartbeat not taken"),
                Ok(Ok(_)) | Err(_) => {}
            }
        }
    }
}
