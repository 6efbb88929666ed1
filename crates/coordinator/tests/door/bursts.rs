//! Many small calls on one connection, all there before the server turns to them.

use std::sync::Arc;
use std::time::Duration;

use provost_coordinator::{Config, Coordinator, Doors, MemoryState};
use provost_proto::worker::worker_service_client::WorkerServiceClient;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Half as many are more than HTTP/2's default window lets pile up; a connection may have twice as many open.
const CALLS: usize = 4000;

/// A coordinator on a thread of its own, which sleeps for as long as it is told to.
fn sleepy_coordinator() -> (String, mpsc::UnboundedSender<Duration>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (sleep, mut naps) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build().unwrap();
        runtime.block_on(async {
            let state = Arc::new(MemoryState::new());
            let shutdown = CancellationToken::new();
            let coordinator = Coordinator::start(Config::default(), state, shutdown.clone());
            let listener = TcpListener::from_std(listener).unwrap();
            let serving =
                tokio::spawn(async move { coordinator.serve(listener, Doors::UNARY).await });
            while let Some(nap) = naps.recv().await {
                std::thread::sleep(nap);
            }
            shutdown.cancel();
            serving.await.unwrap().unwrap();
        });
    });
    (address, sleep)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_of_small_calls_breaks_no_connection() {
    let (address, sleep) = sleepy_coordinator();
    let mut client = WorkerServiceClient::connect(address).await.unwrap();
    client.healthcheck(()).await.unwrap();
    sleep.send(Duration::from_millis(500)).unwrap();
    let mut calls = JoinSet::new();
    for _ in 0..CALLS {
        let mut client = client.clone();
        calls.spawn(async move { client.healthcheck(()).await });
    }
    while let Some(answer) = calls.join_next().await {
        answer.unwrap().unwrap();
    }
}
