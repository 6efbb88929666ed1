//! One replica: connect, speak, listen, and again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use provost_proto::link::Down;
use provost_proto::link::down_message;
use provost_proto::link::link_client::LinkClient;
use provost_proto::link::up_message::Message;
use provost_proto::sizes::{CONNECTION_WINDOW_BYTES, MAX_MESSAGE_BYTES};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, Endpoint, Uri};

use super::backoff::Backoff;
use super::frames::Frames;
use super::plan::Plan;
use crate::state::StreamId;

/// Bytes that a replica may send on a stream before they are taken in. A connection has only one stream.
const STREAM_WINDOW: u32 = 4 << 20;

/// A stream that lasted for so long was no mistake.
const SETTLED: Duration = Duration::from_millis(100);

/// What streams tell the hub.
#[derive(Debug)]
pub(super) enum Event {
    /// A stream is open; what is put into the queue goes out on it.
    Opened {
        stream: StreamId,
        address: SocketAddr,
        queue: mpsc::UnboundedSender<Message>,
    },
    /// A frame has come.
    Heard(StreamId, Down),
    /// The stream is gone.
    Broken(StreamId),
}

/// What the streams of one link share.
pub(super) struct Common {
    pub(super) plan: Plan,
    pub(super) events: mpsc::Sender<Event>,
    /// Told when a stream breaks.
    pub(super) broke: Notify,
    pub(super) last_stream: AtomicU64,
}

/// One replica.
pub(super) struct Replica {
    pub(super) address: SocketAddr,
    pub(super) origin: Uri,
    /// Whether the replica has answered on the present stream.
    pub(super) alive: Arc<AtomicBool>,
    /// The address is not used any more.
    pub(super) gone: CancellationToken,
}

/// Keeps a stream to a replica open until its address is gone.
pub(super) async fn keep(common: Arc<Common>, replica: Replica) {
    let timing = &common.plan.timing;
    let mut backoff = Backoff::new(timing.first_pause, timing.longest_pause);
    loop {
        let channel = tokio::select! {
            channel = connect(&common, &replica) => channel,
            () = replica.gone.cancelled() => return,
        };
        match channel {
            Ok(channel) => {
                let opened = Instant::now();
                if serve(&common, &replica, channel).await.is_err() {
                    return;
                }
                let answered = replica.alive.swap(false, Ordering::AcqRel);
                common.broke.notify_one();
                if answered {
                    backoff.reset();
                }
                // The leader soon takes a process without a stream for lost: the first attempt comes at once. A replica that takes
                // streams only to end them is not run into again and again.
                if answered && opened.elapsed() >= SETTLED {
                    continue;
                }
            }
            Err(error) => {
                tracing::debug!(address = %replica.address, error = ?error, "no connection to the replica yet");
            }
        }
        tokio::select! {
            () = sleep(backoff.next(rand::random())) => {}
            () = replica.gone.cancelled() => return,
        }
    }
}

async fn connect(common: &Common, replica: &Replica) -> Result<Channel, tonic::transport::Error> {
    let timing = &common.plan.timing;
    let endpoint = Endpoint::from_shared(format!("http://{}", replica.address))?
        .origin(replica.origin.clone())
        .connect_timeout(timing.connect)
        .http2_keep_alive_interval(timing.keepalive)
        .keep_alive_timeout(timing.keepalive)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .tcp_nodelay(true);
    let Some(dial) = common.plan.dial.clone() else {
        return endpoint.connect().await;
    };
    let address = replica.address;
    let connector = tower::service_fn(move |_: Uri| {
        let dialled = dial.dial(address);
        async move { dialled.await.map(TokioIo::new) }
    });
    endpoint.connect_with_connector(connector).await
}

/// The link has stopped: there is nobody to tell.
struct Stopped;

/// One stream, from its beginning to its end.
async fn serve(common: &Common, replica: &Replica, channel: Channel) -> Result<(), Stopped> {
    let stream = StreamId(common.last_stream.fetch_add(1, Ordering::Relaxed));
    let (queue, waiting) = mpsc::unbounded_channel();
    let address = replica.address;
    let opened = Event::Opened {
        stream,
        address,
        queue,
    };
    common.events.send(opened).await.map_err(|_| Stopped)?;
    let frames = Frames::new(waiting, common.plan.limits.clone());
    let why = tokio::select! {
        why = converse(common, replica, stream, channel, frames) => why?,
        () = replica.gone.cancelled() => "its address is gone".to_owned(),
    };
    tracing::info!(%address, why, "the stream to a replica ended");
    let broken = Event::Broken(stream);
    common.events.send(broken).await.map_err(|_| Stopped)
}

/// Speaks and listens until the stream ends, and says why it did.
async fn converse(
    common: &Common,
    replica: &Replica,
    stream: StreamId,
    channel: Channel,
    frames: Frames,
) -> Result<String, Stopped> {
    let mut client = LinkClient::new(channel)
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES);
    let patience = common.plan.timing.silence;
    let mut incoming = match timeout(patience, client.join(frames)).await {
        Ok(Ok(response)) => response.into_inner(),
        Ok(Err(status)) => return Ok(status.to_string()),
        Err(_) => return Ok("the replica does not answer".to_owned()),
    };
    // Before its Welcome a replica is to speak, and while it leads. Else it may be silent.
    let mut speaks = true;
    loop {
        let next = async {
            match speaks {
                true => timeout(patience, incoming.message()).await,
                false => Ok(incoming.message().await),
            }
        };
        let frame = match next.await {
            Ok(Ok(Some(frame))) => frame,
            Ok(Ok(None)) => return Ok("the replica ended it".to_owned()),
            Ok(Err(status)) => return Ok(status.to_string()),
            Err(_) => return Ok("the replica is silent".to_owned()),
        };
        for message in &frame.messages {
            if let Some(down_message::Message::Welcome(welcome)) = &message.message {
                replica.alive.store(true, Ordering::Release);
                speaks = welcome.epoch != 0;
            }
        }
        let heard = Event::Heard(stream, frame);
        common.events.send(heard).await.map_err(|_| Stopped)?;
    }
}
