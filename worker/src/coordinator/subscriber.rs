//! Waiting for other tasks: one stream per subscriber, opened anew with all that is still awaited when it breaks.

use std::collections::HashSet;
use std::time::Duration;

use proto::server_sub_message::Message;
use provost_proto::worker as proto;
use sp1_prover::worker::TaskId;
use sp1_prover_types::TaskStatus;
use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;

use super::channel::{Backoff, Stub};

/// The server speaks at least every few seconds; a stream that is silent for longer is opened anew.
const SILENCE: Duration = Duration::from_secs(20);

/// What one subscriber still waits for. It is over when SP1 wants no more and everything has come: then its results must
/// end, since CoreExecute takes the end of that stream for "all markers are done".
#[derive(Debug, Default)]
pub struct Awaiting {
    ids: HashSet<String>,
    closed: bool,
}

impl Awaiting {
    /// A result of this task is wanted.
    pub fn want(&mut self, task_id: String) {
        self.ids.insert(task_id);
    }

    /// Nothing more will be wanted.
    pub fn close(&mut self) {
        self.closed = true;
    }

    /// The task's result is here; whether it was wanted, and for the first time.
    pub fn settle(&mut self, task_id: &str) -> bool {
        self.ids.remove(task_id)
    }

    /// Whether no result can come any more.
    pub fn is_over(&self) -> bool {
        self.closed && self.ids.is_empty()
    }
}

/// What the stream's end means for the loop.
enum Next {
    Reopen,
    Stop,
}

/// Serves one subscriber: task ids come from `wanted`, final results go to `results`, each once. Ends when SP1 drops
/// its ends.
pub(super) async fn run(
    stub: Stub,
    proof_id: String,
    mut wanted: mpsc::UnboundedReceiver<TaskId>,
    results: mpsc::UnboundedSender<(TaskId, TaskStatus)>,
) {
    // No stream before there is something to wait for.
    let Some(first) = wanted.recv().await else {
        return;
    };
    let mut awaited = Awaiting::default();
    awaited.want(first.to_string());
    let mut backoff = Backoff::default();
    loop {
        let next = serve(
            stub.clone(),
            &proof_id,
            &mut awaited,
            &mut wanted,
            &results,
            &mut backoff,
        )
        .await;
        if matches!(next, Next::Stop) {
            return;
        }
        tokio::select! {
            () = backoff.wait() => {}
            () = results.closed() => return,
        }
    }
}

async fn serve(
    mut stub: Stub,
    proof_id: &str,
    awaited: &mut Awaiting,
    wanted: &mut mpsc::UnboundedReceiver<TaskId>,
    results: &mpsc::UnboundedSender<(TaskId, TaskStatus)>,
    backoff: &mut Backoff,
) -> Next {
    let sub_id = format!("{proof_id}/{:016x}", crate::artifacts::random());
    let open = proto::OpenSubRequest {
        sub_id: sub_id.clone(),
        proof_id: proof_id.to_owned(),
        task_ids: awaited.ids.iter().cloned().collect(),
    };
    let mut stream = match stub.open_sub(open).await {
        Ok(response) => response.into_inner(),
        Err(status) => {
            tracing::debug!(%status, proof_id, "cannot subscribe to task results yet");
            return Next::Reopen;
        }
    };
    while !awaited.is_over() {
        tokio::select! {
            message = tokio::time::timeout(SILENCE, stream.next()) => {
                let Ok(Some(Ok(message))) = message else { return Next::Reopen };
                *backoff = Backoff::default();
                let msg_id = message.msg_id;
                let result = match message.message {
                    Some(Message::TaskResult(result)) => {
                        let status = TaskStatus::try_from(result.task_status).unwrap_or(TaskStatus::FailedFatal);
                        Some((result.task_id, status))
                    }
                    Some(Message::UnknownTask(unknown)) => Some((unknown.task_id, TaskStatus::FailedFatal)),
                    Some(Message::EndOfStream(_)) => return Next::Reopen,
                    Some(Message::ServerHeartbeat(_)) => {
                        // Asking again for what is still awaited heals a result that was lost on the way.
                        let update = proto::UpdateSubRequest {
                            sub_id: sub_id.clone(),
                            task_ids: awaited.ids.iter().take(30).cloned().collect(),
                        };
                        if stub.update_sub(update).await.is_err() {
                            return Next::Reopen;
                        }
                        None
                    }
                    None => None,
                };
                if !msg_id.is_empty() {
                    let ack = proto::AckSubRequest { sub_id: sub_id.clone(), msg_id };
                    if stub.ack_sub(ack).await.is_err() {
                        return Next::Reopen;
                    }
                }
                // SP1 panics on a result that it did not ask for, and on a second one it has no use.
                if let Some((task_id, status)) = result
                    && awaited.settle(&task_id)
                    && results.send((TaskId::new(task_id), status)).is_err()
                {
                    return Next::Stop;
                }
            }
            task = wanted.recv(), if !awaited.closed => match task {
                Some(task) => {
                    let task_id = task.to_string();
                    awaited.want(task_id.clone());
                    let update = proto::UpdateSubRequest { sub_id: sub_id.clone(), task_ids: vec![task_id] };
                    if stub.update_sub(update).await.is_err() {
                        return Next::Reopen;
                    }
                }
                None => awaited.close(),
            },
            () = results.closed() => return Next::Stop,
        }
    }
    Next::Stop
}
