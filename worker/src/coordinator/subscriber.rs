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
    let mut awaited = HashSet::from([first.to_string()]);
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
    awaited: &mut HashSet<String>,
    wanted: &mut mpsc::UnboundedReceiver<TaskId>,
    results: &mpsc::UnboundedSender<(TaskId, TaskStatus)>,
    backoff: &mut Backoff,
) -> Next {
    let sub_id = format!("{proof_id}/{:016x}", crate::artifacts::random());
    let open = proto::OpenSubRequest {
        sub_id: sub_id.clone(),
        proof_id: proof_id.to_owned(),
        task_ids: awaited.iter().cloned().collect(),
    };
    let mut stream = match stub.open_sub(open).await {
        Ok(response) => response.into_inner(),
        Err(status) => {
            tracing::debug!(%status, proof_id, "cannot subscribe to task results yet");
            return Next::Reopen;
        }
    };
    let mut wanted_open = true;
    loop {
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
                            task_ids: awaited.iter().take(30).cloned().collect(),
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
                    && awaited.remove(&task_id)
                    && results.send((TaskId::new(task_id), status)).is_err()
                {
                    return Next::Stop;
                }
            }
            task = wanted.recv(), if wanted_open => match task {
                Some(task) => {
                    let task_id = task.to_string();
                    awaited.insert(task_id.clone());
                    let update = proto::UpdateSubRequest { sub_id: sub_id.clone(), task_ids: vec![task_id] };
                    if stub.update_sub(update).await.is_err() {
                        return Next::Reopen;
                    }
                }
                None if awaited.is_empty() => return Next::Stop,
                None => wanted_open = false,
            },
            () = results.closed() => return Next::Stop,
        }
    }
}
