//! Queues from the reactor into the streams, whose readers are woken only once the reactor's lock is free.
//!
//! To wake a thread is a system call after which the kernel may run that thread in the caller's place. Under the lock, everybody else would wait
//! for the caller to come back.

use std::sync::Arc;
use std::sync::mpsc::{self, TryRecvError};
use std::task::{Context, Poll, Waker};

use futures::task::AtomicWaker;

/// Puts items into a queue. Dropped, it ends the queue after what is in it.
pub(crate) struct Sender<T> {
    // Goes before the reader is told.
    items: mpsc::Sender<T>,
    reader: Reader,
}

/// Takes items out of a queue.
pub(crate) struct Receiver<T> {
    items: mpsc::Receiver<T>,
    reader: Arc<AtomicWaker>,
}

/// Whoever waits for items; woken when this is dropped.
struct Reader(Arc<AtomicWaker>);

/// Readers that have something to read; woken when this is dropped.
#[derive(Default)]
pub(crate) struct Woken(Vec<Waker>);

/// A queue. It has no bound.
pub(crate) fn queue<T>() -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = mpsc::channel();
    let reader = Arc::new(AtomicWaker::new());
    let sender = Sender {
        items: sender,
        reader: Reader(Arc::clone(&reader)),
    };
    let receiver = Receiver {
        items: receiver,
        reader,
    };
    (sender, receiver)
}

impl<T> Sender<T> {
    /// Adds an item, and the reader to `woken` if it waits. Nothing happens if there is no reader any more.
    pub(crate) fn send(&self, item: T, woken: &mut Woken) {
        if self.items.send(item).is_ok() {
            woken.0.extend(self.reader.0.take());
        }
    }
}

impl<T> Receiver<T> {
    /// The next item; `None` after the last.
    pub(crate) fn poll_recv(&mut self, cx: &Context<'_>) -> Poll<Option<T>> {
        match self.items.try_recv() {
            Ok(item) => return Poll::Ready(Some(item)),
            Err(TryRecvError::Disconnected) => return Poll::Ready(None),
            Err(TryRecvError::Empty) => self.reader.register(cx.waker()),
        }
        // What came before the registration woke nobody.
        match self.items.try_recv() {
            Ok(item) => Poll::Ready(Some(item)),
            Err(TryRecvError::Disconnected) => Poll::Ready(None),
            Err(TryRecvError::Empty) => Poll::Pending,
        }
    }

    /// What is there already.
    pub(crate) fn try_recv(&mut self) -> Option<T> {
        self.items.try_recv().ok()
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.wake();
    }
}

impl Drop for Woken {
    fn drop(&mut self) {
        for reader in self.0.drain(..) {
            reader.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_reader_is_woken_once_and_not_before_the_sender_is_done() {
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let cx = Context::from_waker(&waker);
        let (sender, mut receiver) = queue();
        assert_eq!(receiver.poll_recv(&cx), Poll::Pending);
        let mut woken = Woken::default();
        sender.send(1, &mut woken);
        sender.send(2, &mut woken);
        assert_eq!(count.0.load(Ordering::Relaxed), 0);
        drop(woken);
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        assert_eq!(receiver.poll_recv(&cx), Poll::Ready(Some(1)));
        assert_eq!(receiver.try_recv(), Some(2));
        assert_eq!(receiver.poll_recv(&cx), Poll::Pending);
        drop(sender);
        assert_eq!(count.0.load(Ordering::Relaxed), 2);
        assert_eq!(receiver.poll_recv(&cx), Poll::Ready(None));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nothing_is_lost_between_threads() {
        const ITEMS: usize = 100_000;
        let (sender, mut receiver) = queue();
        let reading = tokio::spawn(async move {
            let mut read = 0;
            while let Some(item) = std::future::poll_fn(|cx| receiver.poll_recv(cx)).await {
                assert_eq!(item, read);
                read += 1;
            }
            read
        });
        let writing = tokio::task::spawn_blocking(move || {
            for item in 0..ITEMS {
                sender.send(item, &mut Woken::default());
            }
        });
        writing.await.unwrap();
        assert_eq!(reading.await.unwrap(), ITEMS);
    }
}
