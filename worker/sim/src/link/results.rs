//! Waiting for other tasks: one stream per subscription, opened anew with all that is still awaited when it breaks.

use std::collections::HashSet;
use std::time::Duration;

use proto::server_sub_message::Message;
use provost_proto::worker::{self as proto, TaskStatus};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::calls::{Backoff, Calls};
use crate::faults::Call;
use crate::random::unique;

/// The server speaks at least every few seconds; a stream that is silent for longer is opened anew.
const SILENCE: Duration = Duration::from_secs(20);

/// Most ids that are asked for again with one beat.
const ASK_AGAIN: usize = 30;

/// How a task ended.
pub(crate) type TaskResult = (String, TaskStatus);

/// Asks for results. They end when all askers are gone and all that was asked for has come.
#[derive(Debug, Clone)]
pub(crate) struct Asker(mpsc::UnboundedSender<String>);

impl Asker {
    /// A task's result is wanted.
    pub(crate) fn want(&self, task_id: &str) {
        let _ = self.0.send(task_id.to_owned());
    }
}

/// The results of tasks of one proof, each once.
#[derive(Debug)]
pub(crate) struct Results {
    results: mpsc::UnboundedReceiver<TaskResult>,
    _pump: AbortOnDropHandle<()>,
}

impl Results {
    pub(super) fn open(calls: Calls, proof_id: String) -> (Asker, Self) {
        let (wanted, wanted_rx) = mpsc::unbounded_channel();
        let (results_tx, results) = mpsc::unbounded_channel();
        let pump = Pump {
            calls,
            proof_id,
            ids: HashSet::new(),
            wanted: wanted_rx,
            closed: false,
            results: results_tx,
        };
        let results = Self {
            results,
            _pump: AbortOnDropHandle::new(tokio::spawn(pump.run())),
        };
        (Asker(wanted), results)
    }

    /// The next result; `None` when there will be no more.
    pub(crate) async fn next(&mut self) -> Option<TaskResult> {
        self.results.recv().await
    }
}

/// What the stream's end means.
enum Next {
    Reopen,
    Stop,
}

struct Pump {
    calls: Calls,
    proof_id: String,
    /// What is still awaited.
    ids: HashSet<String>,
    wanted: mpsc::UnboundedReceiver<String>,
    closed: bool,
    results: mpsc::UnboundedSender<TaskResult>,
}

impl Pump {
    async fn run(mut self) {
        // No stream before there is something to wait for.
        let Some(first) = self.wanted.recv().await else {
            return;
        };
        self.ids.insert(first);
        let mut backoff = Backoff::default();
        while let Next::Reopen = self.serve(&mut backoff).await {
            backoff.wait().await;
        }
    }

    fn is_over(&self) -> bool {
        self.closed && self.ids.is_empty()
    }

    async fn serve(&mut self, backoff: &mut Backoff) -> Next {
        // Whatever has been asked for meanwhile goes with the opening.
        while let Ok(id) = self.wanted.try_recv() {
            self.ids.insert(id);
        }
        let sub_id = format!("{}/{:016x}", self.proof_id, unique());
        let open = proto::OpenSubRequest {
            sub_id: sub_id.clone(),
            proof_id: self.proof_id.clone(),
            task_ids: self.ids.iter().cloned().collect(),
        };
        let opened = self.calls.once(Call::OpenSub, |mut stub| {
            let open = open.clone();
            async move { stub.open_sub(open).await }
        });
        let mut stream = match opened.await {
            Ok(response) => response.into_inner(),
            Err(status) => {
                tracing::debug!(%status, proof_id = self.proof_id, "cannot subscribe to task results yet");
                return Next::Reopen;
            }
        };
        while !self.is_over() {
            tokio::select! {
                message = tokio::time::timeout(SILENCE, self.calls.next(&mut stream)) => {
                    let Ok(Some(Ok(message))) = message else { return Next::Reopen };
                    self.calls.heard().await;
                    *backoff = Backoff::default();
                    if let Some(next) = self.take(&sub_id, message).await {
                        return next;
                    }
                }
                id = self.wanted.recv(), if !self.closed => match id {
                    Some(id) => {
                        self.ids.insert(id.clone());
                        if !self.update(&sub_id, vec![id]).await {
                            return Next::Reopen;
                        }
                    }
                    None => self.closed = true,
                },
            }
        }
        Next::Stop
    }

    async fn take(&mut self, sub_id: &str, message: proto::ServerSubMessage) -> Option<Next> {
        let result = match message.message {
            Some(Message::TaskResult(result)) => {
                let status = result.task_status();
                Some((result.task_id, status))
            }
            Some(Message::UnknownTask(unknown)) => Some((unknown.task_id, TaskStatus::FailedFatal)),
            Some(Message::EndOfStream(_)) => return Some(Next::Reopen),
            Some(Message::ServerHeartbeat(_)) => {
                // Asking again for what is still awaited heals a result that was lost on the way.
                let again = self.ids.iter().take(ASK_AGAIN).cloned().collect();
                if !self.update(sub_id, again).await {
                    return Some(Next::Reopen);
                }
                None
            }
            None => None,
        };
        let acknowledged = message.msg_id.is_empty() || self.ack(sub_id, message.msg_id).await;
        if let Some((id, status)) = result
            && self.ids.remove(&id)
            && self.results.send((id, status)).is_err()
        {
            return Some(Next::Stop);
        }
        (!acknowledged).then_some(Next::Reopen)
    }

    async fn update(&self, sub_id: &str, task_ids: Vec<String>) -> bool {
        let update = proto::UpdateSubRequest {
            sub_id: sub_id.to_owned(),
            task_ids,
        };
        let answer = self.calls.once(Call::UpdateSub, |mut stub| {
            let update = update.clone();
            async move { stub.update_sub(update).await }
        });
        answer.await.is_ok()
    }

    async fn ack(&self, sub_id: &str, msg_id: String) -> bool {
        let ack = proto::AckSubRequest {
            sub_id: sub_id.to_owned(),
            msg_id,
        };
        let answer = self.calls.once(Call::AckSub, |mut stub| {
            let ack = ack.clone();
            async move { stub.ack_sub(ack).await }
        });
        answer.await.is_ok()
    }
}
