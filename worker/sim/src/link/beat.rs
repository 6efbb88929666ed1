//! Heartbeats of all simulated workers, from a thread of their own as in the real worker, spread evenly over the period.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use provost_proto::worker as proto;
use tokio_util::sync::CancellationToken;
use tonic::Code;

use super::pool::{Pool, Stub};
use super::session::Session;
use crate::faults::{Action, Call, Site};

const TIMEOUT: Duration = Duration::from_secs(3);

/// A period is cut into so many slots; each session beats in one of them.
const SLOTS: usize = 20;

/// The sessions that beat; more may join while the thread runs, and dead ones leave.
pub(crate) type Sessions = Arc<Mutex<Vec<Beating>>>;

/// A session that beats.
#[derive(Debug, Clone)]
pub(crate) struct Beating {
    session: Arc<Session>,
    /// Set while a beat is on its way: a slow answer must not pile up more of them.
    busy: Arc<AtomicBool>,
}

impl Beating {
    pub(crate) fn new(session: Arc<Session>) -> Self {
        Self {
            session,
            busy: Arc::default(),
        }
    }

    /// The session.
    pub(crate) fn session(&self) -> &Arc<Session> {
        &self.session
    }
}

/// Starts the thread. It ends when `stop` is cancelled.
pub(crate) fn start(
    pool: Arc<Pool>,
    sessions: Sessions,
    period: Duration,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let thread = std::thread::Builder::new().name("heartbeat".into());
    thread
        .spawn(move || runtime.block_on(stop.run_until_cancelled(beat(pool, sessions, period))))?;
    Ok(())
}

async fn beat(pool: Arc<Pool>, sessions: Sessions, period: Duration) {
    // A connection that this thread drives: the others are driven by the runtime that runs the tasks.
    let stub = pool.own();
    let mut ticks = tokio::time::interval(period / SLOTS as u32);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for slot in (0..SLOTS).cycle() {
        ticks.tick().await;
        let due: Vec<Beating> = {
            let mut sessions = sessions.lock().unwrap_or_else(PoisonError::into_inner);
            sessions.retain(|s| !s.session.body().life.is_cancelled());
            sessions.iter().skip(slot).step_by(SLOTS).cloned().collect()
        };
        for beating in due {
            if speaks(&beating.session) && !beating.busy.swap(true, Ordering::AcqRel) {
                tokio::spawn(send(stub.clone(), beating));
            }
        }
    }
}

fn speaks(session: &Session) -> bool {
    let body = session.body();
    session.is_connected() && !body.mute.is_on() && !body.cut.is_on()
}

async fn send(mut stub: Stub, beating: Beating) {
    let session = &beating.session;
    let body = session.body();
    for fault in body.faults.reach(&body.name, Site::Call(Call::Heartbeat)) {
        if fault.action == Action::Delay {
            tokio::time::sleep(fault.duration().unwrap_or_default()).await;
        }
    }
    let (active_task_proof_ids, active_task_ids) = session.active().into_iter().unzip();
    let request = proto::HeartbeatRequest {
        worker_id: session.link().worker_id().to_owned(),
        active_task_proof_ids,
        active_task_ids,
        current_weight: 0,
    };
    match tokio::time::timeout(TIMEOUT, stub.heartbeat(request)).await {
        Ok(Err(status)) if status.code() == Code::NotFound => session.reopen(),
        Ok(Err(status)) => tracing::debug!(%status, "heartbeat not taken"),
        Ok(Ok(_)) | Err(_) => {}
    }
    beating.busy.store(false, Ordering::Release);
}
