//! Queues from the reactor into the streams, whose readers are woken only once the reactor's lock is free.
//!
//! To wake a thread is a system call after which the kernel may run that thread in the caller's place. Under the lock, everybody else would wait
//! for the caller to come back.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// Room for so many items is kept where there were more.
const KEPT: usize = 1024;

/// Puts items into a queue. Dropped, it ends the queue after what is in it.
pub(crate) struct Sender<T>(Arc<Shared<T>>);

/// Takes items out of a queue, all that are there at a time.
pub(crate) struct Receiver<T> {
    shared: Arc<Shared<T>>,
    taken: VecDeque<T>,
}

/// What both ends have. Nobody holds the lock for longer than it takes to add an item, or to take the whole queue: unlike a channel made of blocks, a
/// queue that is emptied again and again allocates nothing.
struct Shared<T>(Mutex<State<T>>);

struct State<T> {
    items: VecDeque<T>,
    /// Whoever waits for items.
    reader: Option<Waker>,
    /// Whether one of the ends is gone.
    over: bool,
}

/// Readers that have something to read; woken when this is dropped.
#[derive(Default)]
pub(crate) struct Woken(Vec<Waker>);

/// A queue. It has no bound.
pub(crate) fn queue<T>() -> (Sender<T>, Receiver<T>) {
    let shared = Arc::new(Shared(Mutex::new(State {
        items: VecDeque::new(),
        reader: None,
        over: false,
    })));
    let receiver = Receiver {
        shared: Arc::clone(&shared),
        taken: VecDeque::new(),
    };
    (Sender(shared), receiver)
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Sender<T> {
    /// Adds an item, and the reader to `woken` if it waits. Nothing happens if there is no reader any more.
    pub(crate) fn send(&self, item: T, woken: &mut Woken) {
        let mut state = self.0.lock();
        if !state.over {
            state.items.push_back(item);
            woken.0.extend(state.reader.take());
        }
    }
}

impl<T> Receiver<T> {
    /// The next item; `None` after the last.
    pub(crate) fn poll_recv(&mut self, cx: &Context<'_>) -> Poll<Option<T>> {
        if let Some(item) = self.taken.pop_front() {
            return Poll::Ready(Some(item));
        }
        self.taken.shrink_to(KEPT);
        let mut state = self.shared.lock();
        std::mem::swap(&mut self.taken, &mut state.items);
        match self.taken.pop_front() {
            None if state.over => Poll::Ready(None),
            None => {
                self.taken.shrink_to(KEPT);
                state.reader = Some(cx.waker().clone());
                Poll::Pending
            }
            item => Poll::Ready(item),
        }
    }

    /// The next item, if there is one already.
    pub(crate) fn try_recv(&mut self) -> Option<T> {
        if self.taken.is_empty() {
            std::mem::swap(&mut self.taken, &mut self.shared.lock().items);
        }
        self.taken.pop_front()
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let reader = {
            let mut state = self.0.lock();
            state.over = true;
            state.reader.take()
        };
        if let Some(reader) = reader {
            reader.wake();
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let left = {
            let mut state = self.shared.lock();
            state.over = true;
            std::mem::take(&mut state.items)
        };
        drop(left);
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
