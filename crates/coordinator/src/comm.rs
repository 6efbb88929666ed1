//! The real output: commands go into the streams' queues and to the state, and nothing waits.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use provost_proto::link::{DownMessage, down_message};
use provost_proto::worker::{
    EndOfStream, MessageStreamResponse, ServerSubMessage, message_stream_response,
};
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio_util::sync::DropGuard;
use tonic::Status;

use crate::events::WorkerEvent;
use crate::ids::{ConnId, ProofId, SubId, WorkerId};
use crate::output::{Order, Output, ReaderEnd};
use crate::queue::{Sender, Woken};
use crate::state::{ProofOutcome, ProofProgress, RunStart, State, TaskChange};
use crate::tables::Map;
use crate::term::TermEvent;

/// What a stream of the unary door carries.
pub(crate) type Item<T> = Result<T, Status>;

/// The coordinator's end of a joined process's stream.
struct LinkEnd {
    queue: Sender<DownMessage>,
    /// Ends the reading of the stream when this end is gone.
    _reading: DropGuard,
}

/// Something that the state is to store.
pub(crate) enum ToStore {
    Outcome(ProofOutcome),
    Run(RunStart),
}

/// The real output. The queues are unbounded, but what they hold is not: tasks by the workers' capacity, results by the tasks, messages by reference.
pub(crate) struct Comm {
    workers: HashMap<WorkerId, (ConnId, Sender<Item<Order>>)>,
    subs: HashMap<SubId, (ConnId, Sender<Item<ServerSubMessage>>)>,
    readers: HashMap<ConnId, Sender<Item<MessageStreamResponse>>>,
    links: Map<ConnId, LinkEnd>,
    woken: Woken,
    waiters: HashMap<ProofId, Vec<oneshot::Sender<()>>>,
    events: broadcast::Sender<WorkerEvent>,
    terms: broadcast::Sender<TermEvent>,
    to_store: mpsc::UnboundedSender<ToStore>,
    state: Arc<dyn State>,
}

impl Comm {
    pub(crate) fn new(
        state: Arc<dyn State>,
        events: broadcast::Sender<WorkerEvent>,
        terms: broadcast::Sender<TermEvent>,
        to_store: mpsc::UnboundedSender<ToStore>,
    ) -> Self {
        Self {
            workers: HashMap::new(),
            subs: HashMap::new(),
            readers: HashMap::new(),
            links: Map::default(),
            woken: Woken::default(),
            waiters: HashMap::new(),
            events,
            terms,
            to_store,
            state,
        }
    }

    /// Whoever has something to read since this was asked last.
    pub(crate) fn take_woken(&mut self) -> Woken {
        std::mem::take(&mut self.woken)
    }

    /// A worker listens on a new stream; the one before, if any, ends.
    pub(crate) fn attach_worker(
        &mut self,
        worker: &WorkerId,
        conn: ConnId,
        sender: Sender<Item<Order>>,
    ) {
        self.workers.insert(worker.clone(), (conn, sender));
    }

    pub(crate) fn attach_sub(
        &mut self,
        sub: &SubId,
        conn: ConnId,
        sender: Sender<Item<ServerSubMessage>>,
    ) {
        self.subs.insert(sub.clone(), (conn, sender));
    }

    pub(crate) fn attach_reader(
        &mut self,
        reader: ConnId,
        sender: Sender<Item<MessageStreamResponse>>,
    ) {
        self.readers.insert(reader, sender);
    }

    /// What is to be stored goes there from now on.
    pub(crate) fn store_by(&mut self, to_store: mpsc::UnboundedSender<ToStore>) {
        self.to_store = to_store;
    }

    pub(crate) fn attach_link(
        &mut self,
        conn: ConnId,
        queue: Sender<DownMessage>,
        reading: DropGuard,
    ) {
        let end = LinkEnd {
            queue,
            _reading: reading,
        };
        self.links.insert(conn, end);
    }

    pub(crate) fn detach_link(&mut self, conn: ConnId) {
        self.links.remove(&conn);
    }

    /// Forgets a stream whose other end is gone, if there is no newer one.
    pub(crate) fn detach_worker(&mut self, worker: &WorkerId, conn: ConnId) {
        if self.workers.get(worker).is_some_and(|(of, _)| *of == conn) {
            self.workers.remove(worker);
        }
    }

    pub(crate) fn detach_sub(&mut self, sub: &SubId, conn: ConnId) {
        if self.subs.get(sub).is_some_and(|(of, _)| *of == conn) {
            self.subs.remove(sub);
        }
    }

    pub(crate) fn detach_reader(&mut self, reader: ConnId) {
        self.readers.remove(&reader);
    }

    /// Resolves once the proof's outcome is stored, or nobody wants it.
    pub(crate) fn wait_settled(&mut self, proof: &ProofId) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        let waiting = self.waiters.entry(proof.clone()).or_default();
        waiting.retain(|other| !other.is_closed());
        waiting.push(sender);
        receiver
    }

    /// Ends the streams of the unary door, and lets go whoever waits: the replica leads no more.
    pub(crate) fn close_calls(&mut self) {
        self.workers.clear();
        self.subs.clear();
        self.readers.clear();
        self.waiters.clear();
    }

    /// Ends all streams: the server is going down.
    pub(crate) fn close_all(&mut self) {
        self.close_calls();
        self.links.clear();
    }
}

// A send does nothing when the other end is gone: the drop of the stream tells the reactor so by itself.
impl Output for Comm {
    fn send(&mut self, worker: &WorkerId, order: Order) {
        if let Some((_, sender)) = self.workers.get(worker) {
            sender.send(Ok(order), &mut self.woken);
        }
    }

    fn close_worker(&mut self, worker: &WorkerId) {
        self.workers.remove(worker);
    }

    fn push(&mut self, sub: &SubId, message: ServerSubMessage) {
        if let Some((_, sender)) = self.subs.get(sub) {
            sender.send(Ok(message), &mut self.woken);
        }
    }

    fn close_sub(&mut self, sub: &SubId) {
        self.subs.remove(sub);
    }

    fn message(&mut self, reader: ConnId, payload: Bytes) {
        if let Some(sender) = self.readers.get(&reader) {
            let message = Some(message_stream_response::Message::Payload(payload));
            sender.send(Ok(MessageStreamResponse { message }), &mut self.woken);
        }
    }

    fn end_reader(&mut self, reader: ConnId, end: ReaderEnd) {
        let Some(sender) = self.readers.remove(&reader) else {
            return;
        };
        let last = match end {
            ReaderEnd::Complete => {
                let end = message_stream_response::Message::EndOfStream(EndOfStream {});
                Ok(MessageStreamResponse { message: Some(end) })
            }
            ReaderEnd::RunOver => Err(Status::not_found(
                "the run that sent these messages is over",
            )),
        };
        sender.send(last, &mut self.woken);
    }

    fn tell(&mut self, conn: ConnId, message: down_message::Message) {
        if let Some(end) = self.links.get(&conn) {
            let message = Some(message);
            end.queue.send(DownMessage { message }, &mut self.woken);
        }
    }

    fn close_link(&mut self, conn: ConnId) {
        self.links.remove(&conn);
    }

    fn begin_run(&mut self, start: RunStart) {
        let _ = self.to_store.send(ToStore::Run(start));
    }

    fn deposed(&mut self, epoch: u64) {
        let _ = self.terms.send(TermEvent::Deposed { epoch });
    }

    fn record(&mut self, change: TaskChange) {
        self.state.record(change);
    }

    fn progress(&mut self, progress: ProofProgress) {
        self.state.progress(progress);
    }

    fn finish(&mut self, outcome: ProofOutcome) {
        let _ = self.to_store.send(ToStore::Outcome(outcome));
    }

    fn settled(&mut self, proof: &ProofId) {
        self.state.settled(proof);
        for waiter in self.waiters.remove(proof).into_iter().flatten() {
            let _ = waiter.send(());
        }
    }

    fn event(&mut self, event: WorkerEvent) {
        let _ = self.events.send(event);
    }
}
