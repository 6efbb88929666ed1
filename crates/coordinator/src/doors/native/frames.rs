//! The outgoing side of a stream.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures::Stream;
use prost::Message as _;
use provost_proto::link::down_message::Message;
use provost_proto::link::{Down, DownMessage};
use tokio::sync::oneshot;
use tonic::Status;

use super::Frame;
use crate::queue::Receiver;

/// Most messages that go into one frame.
const MAX_MESSAGES: usize = 512;

/// What a frame may hold before it is closed, in bytes.
const MAX_BYTES: usize = 1024 * 1024;

/// All that waits for a process, a frame at a time.
pub struct Frames {
    queue: Receiver<DownMessage>,
    end: Option<oneshot::Receiver<Status>>,
}

/// Says why a stream ends, if it is not just over.
pub(super) struct Verdict(oneshot::Sender<Status>);

impl Verdict {
    pub(super) fn refuse(self, status: Status) {
        let _ = self.0.send(status);
    }
}

pub(super) fn verdict() -> (Verdict, oneshot::Receiver<Status>) {
    let (sender, receiver) = oneshot::channel();
    (Verdict(sender), receiver)
}

impl Frames {
    pub(super) const fn new(queue: Receiver<DownMessage>, end: oneshot::Receiver<Status>) -> Self {
        Self {
            queue,
            end: Some(end),
        }
    }

    /// This message, and as many of the next as fit.
    fn frame(&mut self, first: DownMessage) -> Down {
        let mut bytes = 0;
        let mut messages: Vec<DownMessage> = Vec::new();
        let mut next = Some(first);
        let mut room = MAX_MESSAGES;
        while let Some(message) = next {
            bytes += message.encoded_len();
            if let Some(message) = merge(messages.last_mut(), message) {
                messages.push(message);
            }
            room -= 1;
            next = (room > 0 && bytes < MAX_BYTES)
                .then(|| self.queue.try_recv())
                .flatten();
        }
        Down { messages }
    }
}

/// Adds a list of settled results to one that goes out just before. Hands back all else.
fn merge(last: Option<&mut DownMessage>, next: DownMessage) -> Option<DownMessage> {
    match (last.and_then(|last| last.message.as_mut()), next.message) {
        (Some(Message::Settled(before)), Some(Message::Settled(more))) => {
            before.task_ids.extend(more.task_ids);
            None
        }
        (_, message) => Some(DownMessage { message }),
    }
}

impl std::fmt::Debug for Frames {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Frames").finish_non_exhaustive()
    }
}

impl Stream for Frames {
    type Item = Frame;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Frame>> {
        let Some(first) = std::task::ready!(self.queue.poll_recv(cx)) else {
            // Sent before the queue was closed, if at all.
            let verdict = self.end.take().and_then(|mut end| end.try_recv().ok());
            return Poll::Ready(verdict.map(Err));
        };
        Poll::Ready(Some(Ok(self.frame(first))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::{Woken, queue};
    use futures::StreamExt as _;
    use provost_proto::link::{Assign, Settled};
    use provost_proto::worker::TaskData;

    fn settled(id: &str) -> DownMessage {
        let task_ids = vec![id.to_owned()];
        let message = Some(Message::Settled(Settled { task_ids }));
        DownMessage { message }
    }

    fn assign(bytes: usize) -> DownMessage {
        let data = TaskData {
            inputs: vec!["x".repeat(bytes)],
            ..TaskData::default()
        };
        let message = Some(Message::Assign(Assign {
            data: data.to_bytes(),
            ..Assign::default()
        }));
        DownMessage { message }
    }

    #[tokio::test]
    async fn what_waits_goes_into_one_frame_as_far_as_it_fits() {
        let (sender, receiver) = queue();
        let (verdict, end) = verdict();
        for message in [settled("a"), settled("b"), assign(MAX_BYTES), settled("c")] {
            sender.send(message, &mut Woken::default());
        }
        verdict.refuse(Status::aborted("enough"));
        drop(sender);
        let frames: Vec<_> = Frames::new(receiver, end).collect().await;
        assert_eq!(frames.len(), 3);
        let first = frames[0].as_ref().unwrap();
        assert_eq!(first.messages.len(), 2);
        let Some(Message::Settled(both)) = &first.messages[0].message else {
            panic!("{first:?}")
        };
        assert_eq!(both.task_ids, ["a", "b"]);
        assert_eq!(frames[1].as_ref().unwrap().messages.len(), 1);
        assert_eq!(frames[2].as_ref().unwrap_err().message(), "enough");
    }
}
