//! Streams break, replicas come and go, some never answer.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use provost_link::{Config, Link, Outcome, Resolve, Run};
use provost_proto::link::up_message::Message as Up;

use crate::replica::{Replica, config, link, role, until};

#[tokio::test]
async fn a_stream_that_breaks_is_opened_again_and_reported_on() {
    let leader = Replica::start("a", 1);
    let (link, mut orders) = link(&[&leader]).await;
    let run = Run::new("proof", 0);
    leader.assign("t", &run, 1);
    let order = orders.recv().await.unwrap();
    leader.forget();
    leader.break_streams();
    leader
        .until("a report", |log| log.reports().any(|report| report.last))
        .await;
    leader.log(|log| {
        assert_eq!(log.streams, 2);
        // A last beat of the old stream may come before.
        let hello = |m: &Up| matches!(m, Up::Hello(hello) if hello.epoch == 1);
        let begin = log.messages.iter().position(hello).unwrap();
        assert!(matches!(&log.messages[begin + 1], Up::Role(_)));
        let report = log.reports().next().unwrap();
        assert_eq!(report.running[0].task_id, "t");
    });
    leader.break_streams();
    link.done(order, Outcome::Stopped);
    leader
        .until("its end is known", |log| {
            let reported = log.reports().any(|report| !report.done.is_empty());
            reported || !log.dones().is_empty()
        })
        .await;
}

#[tokio::test]
async fn a_replica_that_never_answers_stops_nobody() {
    let (leader, mute) = (Replica::start("a", 1), Replica::mute());
    let link = Link::start(config(&[&mute, &leader])).unwrap();
    let mut orders = link.add_role(role());
    until("it is led", || link.status().leader.is_some()).await;
    let run = Run::new("proof", 0);
    for n in 0..50 {
        leader.assign(&format!("t{n}"), &run, 1);
        let order = orders.recv().await.unwrap();
        link.done(order, Outcome::Completed(String::new()));
    }
    leader
        .until("all have ended", |log| log.dones().len() == 50)
        .await;
    assert_eq!(link.status().replicas.len(), 1);
    mute.until("it is tried again", |log| log.streams >= 2)
        .await;
}

#[tokio::test]
async fn a_leader_that_falls_silent_is_left() {
    let leader = Replica::start("a", 1);
    let mut config = config(&[&leader]);
    config.timing.beat = Duration::from_secs(60);
    config.timing.silence = Duration::from_millis(200);
    let link = Link::start(config).unwrap();
    until("it is led", || link.status().leader.is_some()).await;
    leader.until("another stream", |log| log.streams >= 3).await;
}

#[tokio::test]
async fn a_replica_that_is_silent_but_does_not_lead_is_kept() {
    let replica = Replica::start("a", 0);
    let mut config = config(&[&replica]);
    config.timing.silence = Duration::from_millis(200);
    let link = Link::start(config).unwrap();
    until("it answers", || link.status().replicas.len() == 1).await;
    let streams = replica.log(|log| log.streams);
    tokio::time::sleep(Duration::from_millis(800)).await;
    assert_eq!(replica.log(|log| log.streams), streams);
}

#[tokio::test]
async fn a_replica_that_starts_again_is_found_again() {
    let leader = Replica::start("a", 1);
    let (link, _orders) = link(&[&leader]).await;
    let place = leader.place.clone();
    drop(leader);
    until("it is gone", || link.status().replicas.is_empty()).await;
    assert_eq!((link.status().leader, link.status().epoch), (None, 1));
    let again = Replica::start_at(place, "a", 2, false);
    until("it leads again", || link.status().leader.is_some()).await;
    assert_eq!(link.status().epoch, 2);
    again
        .until("a report", |log| log.reports().count() == 1)
        .await;
}

/// A name whose addresses the test sets.
#[derive(Clone, Default)]
struct Names(Arc<Mutex<Option<Vec<SocketAddr>>>>);

impl Resolve for Names {
    fn resolve(&self, _: String, _: u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        let found = self.0.lock().unwrap().clone();
        async move { found.ok_or_else(|| io::Error::other("no answer")) }.boxed()
    }
}

#[tokio::test]
async fn replicas_are_found_by_name_and_left_when_they_are_gone() {
    let (one, two) = (Replica::start("one", 1), Replica::start("two", 0));
    let names = Names::default();
    let config = Config {
        addresses: vec!["http://replicas:1".to_owned()],
        resolver: Arc::new(names.clone()),
        ..config(&[])
    };
    let link = Link::start(config).unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(link.status().replicas.is_empty());
    *names.0.lock().unwrap() = Some(vec![one.address]);
    until("the first is found", || link.status().replicas.len() == 1).await;
    *names.0.lock().unwrap() = Some(vec![one.address, two.address]);
    until("both are found", || link.status().replicas.len() == 2).await;

    // A name that is missing while its replica lives is no reason to leave.
    *names.0.lock().unwrap() = Some(vec![two.address]);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(link.status().replicas.len(), 2);
    let place = one.place.clone();
    drop(one);
    until("it is gone", || link.status().replicas.len() == 1).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let same_place = Replica::start_at(place, "other", 9, false);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(same_place.log(|log| log.streams), 0);
    assert_eq!(two.log(|log| log.streams), 1, "the other was not touched");
}
