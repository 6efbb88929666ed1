//! Whatever waits goes into one frame.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::Stream;
use provost_proto::link::up_message::Message;
use provost_proto::link::{Up, UpMessage};
use tokio::sync::mpsc;

use crate::config::Limits;

/// What the framing of a message costs at most: tag and length.
const OVERHEAD: usize = 8;

/// Frames for one stream: as full as what waits makes them, up to the limits. Nothing is held back.
#[derive(Debug)]
pub(super) struct Frames {
    queue: mpsc::UnboundedReceiver<Message>,
    waiting: Vec<Message>,
    limits: Limits,
}

impl Frames {
    pub(super) fn new(queue: mpsc::UnboundedReceiver<Message>, limits: Limits) -> Self {
        Self {
            queue,
            waiting: Vec::new(),
            limits,
        }
    }
}

impl Stream for Frames {
    type Item = Up;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Up>> {
        let this = self.get_mut();
        if this.waiting.is_empty() {
            let limit = this.limits.frame_messages.max(1);
            if ready!(this.queue.poll_recv_many(cx, &mut this.waiting, limit)) == 0 {
                return Poll::Ready(None);
            }
        }
        let mut size = 0;
        let mut count = 0;
        for message in &this.waiting {
            size += message.encoded_len() + OVERHEAD;
            if count > 0 && size > this.limits.frame_bytes {
                break;
            }
            count += 1;
        }
        let messages = this.waiting.drain(..count).map(|message| UpMessage {
            message: Some(message),
        });
        Poll::Ready(Some(Up {
            messages: messages.collect(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures::{FutureExt as _, StreamExt as _};
    use provost_proto::link::{Beat, Say};

    use super::*;

    fn frames(sizes: &[usize], limits: Limits) -> Vec<usize> {
        let (queue, waiting) = mpsc::unbounded_channel();
        for size in sizes {
            let payload = Bytes::from(vec![0; *size]);
            let say = Say {
                payload,
                ..Say::default()
            };
            queue.send(Message::Say(say)).unwrap();
        }
        let mut frames = Frames::new(waiting, limits);
        let mut counts = Vec::new();
        while let Some(Some(frame)) = frames.next().now_or_never() {
            counts.push(frame.messages.len());
        }
        queue.send(Message::Beat(Beat::default())).unwrap();
        drop(queue);
        let last = frames.next().now_or_never().unwrap().unwrap();
        assert_eq!(last.messages.len(), 1);
        assert_eq!(frames.next().now_or_never().unwrap(), None);
        counts
    }

    #[test]
    fn what_waits_goes_together_within_the_limits() {
        let limits = |frame_bytes, frame_messages| Limits {
            frame_bytes,
            frame_messages,
            ..Limits::default()
        };
        assert_eq!(frames(&[1; 7], limits(1000, 100)), [7]);
        assert_eq!(frames(&[1; 7], limits(1000, 3)), [3, 3, 1]);
        assert_eq!(frames(&[400; 5], limits(1000, 100)), [2, 2, 1]);
        assert_eq!(frames(&[400, 5000, 400], limits(1000, 100)), [1, 1, 1]);
        assert_eq!(frames(&[], limits(1000, 100)), [0; 0]);
    }
}
