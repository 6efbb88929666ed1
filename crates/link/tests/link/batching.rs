//! Whatever waits goes into one frame.

use provost_link::Run;
use provost_proto::link::up_message::Message as Up;

use crate::replica::{Replica, config, data, link, until};

#[tokio::test]
async fn messages_share_frames_under_load() {
    const COUNT: usize = 20_000;
    let leader = Replica::start("a", 1);
    let (link, _orders) = link(&[&leader]).await;
    let run = Run::new("proof", 0);
    for _ in 0..COUNT {
        link.create(&run, data(&run));
    }
    let created = |m: &&Up| matches!(m, Up::Create(_));
    leader
        .until("all is known", |log| {
            log.messages.iter().filter(created).count() == COUNT
        })
        .await;
    let frames = leader.log(|log| log.frames);
    println!("{COUNT} messages in {frames} frames");
    assert!(frames * 10 < COUNT, "{frames} frames for {COUNT} messages");
}

#[tokio::test]
async fn a_message_does_not_wait_for_others() {
    let leader = Replica::start("a", 1);
    let (link, _orders) = link(&[&leader]).await;
    let run = Run::new("proof", 0);
    let mut quickest = std::time::Duration::MAX;
    for n in 1..=20 {
        let begun = std::time::Instant::now();
        link.say(&run, "t", "message");
        let said = |m: &&Up| matches!(m, Up::Say(_));
        leader
            .until("it is here", |log| {
                log.messages.iter().filter(said).count() == n
            })
            .await;
        quickest = quickest.min(begun.elapsed());
    }
    assert!(
        quickest < std::time::Duration::from_millis(50),
        "{quickest:?}"
    );
}

#[tokio::test]
async fn a_large_report_comes_in_parts() {
    let leader = Replica::start("a", 0);
    let link = provost_link::Link::start(config(&[&leader])).unwrap();
    let run = Run::new("proof", 0);
    for _ in 0..200 {
        link.say(&run, "t", vec![7; 50_000]);
    }
    until("it answers", || link.status().replicas.len() == 1).await;
    until("all is kept", || {
        link.status().kept.message_bytes == 10_000_000
    })
    .await;
    leader.lead(1);
    leader
        .until("the report is here", |log| {
            log.reports().any(|report| report.last)
        })
        .await;
    leader.log(|log| {
        assert!(log.reports().count() >= 10);
        let messages = log.reports().flat_map(|report| &report.said);
        assert_eq!(messages.map(|said| said.payloads.len()).sum::<usize>(), 200);
    });
}
