//! A fleet against the floor: what is offered is what is counted.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use provost_load::{Door, Fleet, FleetSpec, Offer, Saturation, floor, offer, saturate};
use tokio::net::TcpListener;

async fn fleet() -> Fleet {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(floor::serve(listener, 3));
    let spec = FleetSpec {
        door: Door::Unary,
        address,
        workers: 5,
        slots: 8,
        task_weight: 1,
        proofs: 3,
        task_time: Duration::from_millis(5),
    };
    Fleet::connect(&spec).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_task_that_is_due_is_created_delivered_and_counted_once() {
    let fleet = fleet().await;
    let load = Offer {
        per_second: 500,
        warm_up: Duration::from_millis(100),
        lasts: Duration::from_millis(400),
        patience: Duration::from_secs(30),
    };
    let (sample, next) = offer(&fleet, load, 0).await.unwrap();
    assert_eq!(next, 250);
    assert_eq!((sample.undelivered, sample.refused), (0, 0));
    // The warm-up does not count.
    assert_eq!(sample.delays.len(), 200);
    assert_eq!(sample.late.len(), 200);
    assert!(sample.delays.max() >= sample.late.min());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_saturated_server_has_no_more_than_the_window_under_way() {
    let fleet = fleet().await;
    let load = Saturation {
        window: 7,
        warm_up: Duration::from_millis(50),
        lasts: Duration::from_millis(400),
        patience: Duration::from_secs(30),
    };
    let watch = async {
        loop {
            let counts = fleet.tally().counts();
            assert!(counts.created - counts.done <= load.window, "{counts:?}");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let (sample, next) = tokio::select! {
        ended = saturate(&fleet, load, 0) => ended,
        () = watch => unreachable!(),
    };
    assert_eq!((sample.undelivered, sample.refused), (0, 0));
    assert_eq!(sample.tasks, next);
    // The loop is closed: what ends is followed by more.
    assert!(next > load.window, "{next}");
}
