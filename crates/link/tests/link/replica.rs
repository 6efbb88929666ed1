//! A replica that does as the test says, on a thread of its own.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::{Stream, StreamExt as _};
use proto::down_message::Message as Down;
use proto::link_server::{Link as Service, LinkServer};
use proto::up_message::Message as Up;
use provost_link::{Config, Link, Role, Run, TaskData, Timing, WorkerType};
use provost_proto::link as proto;
use provost_test_support::Place;
use tokio::sync::{mpsc, oneshot};
use tonic::{Request, Response, Status, Streaming};

/// What workers have said, in order.
#[derive(Default)]
pub(crate) struct Log {
    pub(crate) streams: usize,
    pub(crate) ended: usize,
    pub(crate) frames: usize,
    pub(crate) messages: Vec<Up>,
}

impl Log {
    pub(crate) fn reports(&self) -> impl Iterator<Item = &proto::Report> {
        self.messages.iter().filter_map(|message| match message {
            Up::Report(report) => Some(report),
            _ => None,
        })
    }

    pub(crate) fn dones(&self) -> Vec<&proto::Done> {
        let dones = self.messages.iter().filter_map(|message| match message {
            Up::Done(done) => Some(done),
            _ => None,
        });
        dones.collect()
    }

    pub(crate) fn beats(&self) -> Vec<&proto::Beat> {
        let beats = self.messages.iter().filter_map(|message| match message {
            Up::Beat(beat) => Some(beat),
            _ => None,
        });
        beats.collect()
    }
}

type Queue = mpsc::UnboundedSender<Result<proto::Down, Status>>;

struct Inner {
    name: String,
    epoch: AtomicU64,
    log: Mutex<Log>,
    streams: Mutex<Vec<Queue>>,
    mute: bool,
}

/// A replica.
pub(crate) struct Replica {
    pub(crate) address: SocketAddr,
    /// Outlives the replica where another is to take it.
    pub(crate) place: Arc<Place>,
    inner: Arc<Inner>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Replica {
    /// A replica that leads in `epoch`, or does not if that is 0.
    pub(crate) fn start(name: &str, epoch: u64) -> Self {
        Self::start_at(Arc::default(), name, epoch, false)
    }

    /// A replica that takes streams and never answers.
    pub(crate) fn mute() -> Self {
        Self::start_at(Arc::default(), "mute", 0, true)
    }

    pub(crate) fn start_at(place: Arc<Place>, name: &str, epoch: u64, mute: bool) -> Self {
        let listener = std::net::TcpListener::bind(place.address()).unwrap();
        listener.set_nonblocking(true).unwrap();
        let inner = Arc::new(Inner {
            name: name.to_owned(),
            epoch: AtomicU64::new(epoch),
            log: Mutex::default(),
            streams: Mutex::default(),
            mute,
        });
        let (stop, stopped) = oneshot::channel();
        let service = Door(inner.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
                let server = tonic::transport::Server::builder()
                    .add_service(LinkServer::new(service).max_decoding_message_size(64 << 20))
                    .serve_with_incoming(incoming);
                tokio::select! {
                    result = server => result.unwrap(),
                    _ = stopped => {}
                }
            });
        });
        Self {
            address: place.address(),
            place,
            inner,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Says something on all streams.
    pub(crate) fn say(&self, message: Down) {
        for stream in &*self.inner.streams.lock().unwrap() {
            let _ = stream.send(Ok(frame(message.clone())));
        }
    }

    /// Begins to lead, or to lead no more.
    pub(crate) fn lead(&self, epoch: u64) {
        self.inner.epoch.store(epoch, Ordering::SeqCst);
        self.say(self.inner.welcome());
    }

    pub(crate) fn break_streams(&self) {
        for stream in self.inner.streams.lock().unwrap().drain(..) {
            let _ = stream.send(Err(Status::unavailable("broken by the test")));
        }
    }

    pub(crate) fn log<T>(&self, look: impl FnOnce(&mut Log) -> T) -> T {
        look(&mut self.inner.log.lock().unwrap())
    }

    pub(crate) fn forget(&self) {
        self.log(|log| log.messages.clear());
    }

    /// Waits until the log is as wanted.
    pub(crate) async fn until(&self, what: &str, wanted: impl Fn(&Log) -> bool) {
        until(what, || self.log(|log| wanted(log))).await;
    }

    pub(crate) fn assign(&self, task: &str, run: &Run, attempt: u32) {
        self.say(Down::Assign(proto::Assign {
            epoch: self.inner.epoch.load(Ordering::SeqCst),
            task_id: task.to_owned(),
            run: run.number(),
            attempt,
            role: "prove".to_owned(),
            data: data(run).to_bytes(),
        }));
    }

    pub(crate) fn cancel(&self, task: &str, run: &Run) {
        self.say(Down::Cancel(proto::Cancel {
            epoch: self.inner.epoch.load(Ordering::SeqCst),
            run: wire(run),
            task_id: task.to_owned(),
        }));
    }

    pub(crate) fn over(&self, run: &Run) {
        self.say(Down::Over(proto::Over {
            epoch: self.inner.epoch.load(Ordering::SeqCst),
            run: wire(run),
        }));
    }

    pub(crate) fn succeed(&self, task: &str, run: &Run) {
        self.say(Down::Result(proto::Result {
            run: wire(run),
            task_id: task.to_owned(),
            status: provost_link::TaskStatus::Succeeded as i32,
        }));
    }

    pub(crate) fn heard(&self, task: &str, number: u64, text: &'static str) {
        self.say(Down::Heard(proto::Heard {
            task_id: task.to_owned(),
            number,
            payload: text.into(),
        }));
    }

    pub(crate) fn end(&self, task: &str, count: u64) {
        self.say(Down::End(proto::heard::End {
            task_id: task.to_owned(),
            count,
        }));
    }

    pub(crate) fn settle(&self, task: &str) {
        let task_ids = vec![task.to_owned()];
        self.say(Down::Settled(proto::Settled { task_ids }));
    }

    pub(crate) fn concluded(&self, run: &Run) {
        self.say(Down::Concluded(proto::Concluded { run: wire(run) }));
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.stop.take();
        self.thread.take().unwrap().join().unwrap();
    }
}

impl Inner {
    fn welcome(&self) -> Down {
        Down::Welcome(proto::Welcome {
            replica: self.name.clone(),
            epoch: self.epoch.load(Ordering::SeqCst),
        })
    }
}

struct Door(Arc<Inner>);

#[tonic::async_trait]
impl Service for Door {
    type JoinStream = Pin<Box<dyn Stream<Item = Result<proto::Down, Status>> + Send>>;

    async fn join(
        &self,
        request: Request<Streaming<proto::Up>>,
    ) -> Result<Response<Self::JoinStream>, Status> {
        let inner = self.0.clone();
        inner.log.lock().unwrap().streams += 1;
        if inner.mute {
            std::future::pending::<()>().await;
        }
        let (queue, down) = mpsc::unbounded_channel();
        let mut up = request.into_inner();
        tokio::spawn(async move {
            while let Some(Ok(frame)) = up.next().await {
                inner.log.lock().unwrap().frames += 1;
                for message in frame.messages.into_iter().filter_map(|up| up.message) {
                    let epoch = inner.epoch.load(Ordering::SeqCst);
                    match &message {
                        Up::Hello(_) => {
                            let _ = queue.send(Ok(self::frame(inner.welcome())));
                            inner.streams.lock().unwrap().push(queue.clone());
                        }
                        Up::Beat(beat) if epoch != 0 => {
                            let sequence = beat.sequence;
                            let beat = proto::Beat { epoch, sequence };
                            let _ = queue.send(Ok(self::frame(Down::Beat(beat))));
                        }
                        _ => {}
                    }
                    inner.log.lock().unwrap().messages.push(message);
                }
            }
            inner.log.lock().unwrap().ended += 1;
        });
        let down = tokio_stream::wrappers::UnboundedReceiverStream::new(down);
        Ok(Response::new(Box::pin(down)))
    }
}

fn frame(message: Down) -> proto::Down {
    let message = Some(message);
    proto::Down {
        messages: vec![proto::DownMessage { message }],
    }
}

fn wire(run: &Run) -> Option<proto::Run> {
    Some(proto::Run {
        proof_id: run.proof_id().to_owned(),
        run: run.number(),
    })
}

/// Waits until something holds, at most 20 seconds.
pub(crate) async fn until(what: &str, holds: impl Fn() -> bool) {
    let begun = std::time::Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(20), "never: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// A configuration for replicas, with shorter periods than the product's.
pub(crate) fn config(replicas: &[&Replica]) -> Config {
    let mut config = Config::new(
        replicas.iter().map(|replica| replica.url()).collect(),
        "pod",
    );
    config.timing = Timing {
        beat: Duration::from_millis(100),
        resolve: Duration::from_millis(200),
        connect: Duration::from_secs(2),
        silence: Duration::from_secs(2),
        first_pause: Duration::from_millis(10),
        longest_pause: Duration::from_millis(200),
        keepalive: Duration::from_secs(2),
    };
    config
}

/// A link to replicas that plays `prove`, once all of them have answered.
pub(crate) async fn link(replicas: &[&Replica]) -> (Link, provost_link::Orders) {
    let link = Link::start(config(replicas)).unwrap();
    let orders = link.add_role(role());
    until("all replicas answer", || {
        link.status().replicas.len() == replicas.len()
    })
    .await;
    (link, orders)
}

pub(crate) fn role() -> Role {
    Role {
        name: "prove".to_owned(),
        class: WorkerType::Gpu,
        max_weight: 8,
        provers: 0,
        device: None,
        shard_elements: 0,
    }
}

pub(crate) fn data(run: &Run) -> TaskData {
    TaskData {
        task_type: provost_link::TaskType::ProveShard as i32,
        proof_id: run.proof_id().to_owned(),
        ..TaskData::default()
    }
}
