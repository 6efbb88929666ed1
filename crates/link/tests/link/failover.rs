//! Leaders come and go; nothing is lost and nothing is done twice.

use std::collections::BTreeSet;
use std::time::Duration;

use provost_link::{Outcome, Run, TaskStatus};
use provost_proto::link::up_message::Message as Up;
use provost_proto::worker::TaskData;

use crate::replica::{Log, Replica, data, link, until};

#[tokio::test]
async fn the_leader_changes_in_the_middle_of_everything() {
    let (old, new) = (Replica::start("old", 1), Replica::start("new", 0));
    let (link, mut orders) = link(&[&old, &new]).await;
    until("it is led", || {
        link.status().leader.as_deref() == Some("old")
    })
    .await;
    let run = Run::new("proof", 2);
    old.assign("running", &run, 1);
    old.assign("ended", &run, 1);
    let running = orders.recv().await.unwrap();
    link.done(
        orders.recv().await.unwrap(),
        Outcome::Completed("{}".to_owned()),
    );
    let child = link.create(&run, data(&run));
    let mut watcher = link.watch(&run);
    watcher.add([child.clone(), "far".to_owned()]);
    for text in ["a", "b"] {
        link.say(&run, "running", text);
    }
    let mut listener = link.listen(&run, "far", 0);
    old.until("it listens", |log| {
        log.messages.iter().any(|m| matches!(m, Up::Listen(_)))
    })
    .await;
    old.heard("far", 0, "x");
    assert_eq!(listener.next().await, Ok(Some("x".into())));
    let concluding = tokio::spawn({
        let (link, run) = (link.clone(), run.clone());
        async move { link.conclude(&run, "running", false, "{}").await }
    });
    old.until("all is said", |log| {
        log.messages.iter().any(|m| matches!(m, Up::Conclude(_)))
    })
    .await;

    new.lead(2);
    new.until("the report is here", |log| {
        log.reports().any(|report| report.last)
    })
    .await;
    new.log(|log| {
        let report = log.reports().next().unwrap();
        assert_eq!(report.running[0].task_id, "running");
        assert_eq!(report.done[0].task_id, "ended");
        assert_eq!(report.created[0].task_id, child);
        let data = TaskData::from_bytes(&report.created[0].data).unwrap();
        assert_eq!(data.proof_id, "proof");
        assert_eq!(report.watches[0].task_ids, ["far"]);
        assert_eq!(report.said[0].payloads, ["a", "b"]);
        assert_eq!(
            (report.listens[0].task_id.as_str(), report.listens[0].from),
            ("far", 1)
        );
        assert_eq!(report.conclusions[0].task_id, "running");
        let first = log.messages.iter().position(|m| matches!(m, Up::Report(_)));
        let role = log.messages.iter().position(|m| matches!(m, Up::Role(_)));
        assert!(role < first, "roles come first");
    });
    // The one that was replaced learns of it, and is not obeyed.
    old.until("it is told", |log| {
        log.beats().iter().any(|beat| beat.epoch == 2)
    })
    .await;
    old.assign("late", &run, 1);
    old.succeed(&child, &run);
    old.over(&run);
    // The new one is, and what runs is not started again.
    new.assign("running", &run, 5);
    new.succeed(&child, &run);
    new.heard("far", 1, "y");
    new.end("far", 2);
    new.concluded(&run);
    assert_eq!(watcher.next().await, Ok((child, TaskStatus::Succeeded)));
    assert_eq!(listener.next().await, Ok(Some("y".into())));
    assert_eq!(listener.next().await, Ok(None));
    assert_eq!(concluding.await.unwrap(), Ok(()));
    assert!(!running.cancelled.is_cancelled() && !link.is_over(&run));
    assert!(orders.try_recv().is_err());
    link.done(running, Outcome::Completed("{}".to_owned()));
    new.until("it ended", |log| {
        log.dones().iter().any(|done| done.attempt == 5)
    })
    .await;
    assert_eq!(link.status().leader.as_deref(), Some("new"));
}

#[tokio::test]
async fn of_two_leaders_the_later_one_is_obeyed() {
    let (one, two) = (Replica::start("one", 7), Replica::start("two", 4));
    let (link, mut orders) = link(&[&one, &two]).await;
    until("it is led", || {
        link.status().leader.as_deref() == Some("one")
    })
    .await;
    two.until("it is told", |log| {
        log.beats().iter().any(|beat| beat.epoch == 7)
    })
    .await;
    let run = Run::new("proof", 0);
    two.assign("wrong", &run, 1);
    one.assign("right", &run, 1);
    assert_eq!(orders.recv().await.unwrap().task_id, "right");
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(orders.try_recv().is_err());
    two.lead(8);
    two.assign("later", &run, 1);
    assert_eq!(orders.recv().await.unwrap().task_id, "later");
}

#[tokio::test]
async fn without_a_leader_all_is_kept_and_nothing_blocks() {
    let replica = Replica::start("a", 0);
    let (link, _orders) = link(&[&replica]).await;
    let run = Run::new("proof", 0);
    for _ in 0..100 {
        link.create(&run, data(&run));
        link.say(&run, "t", "message");
    }
    until("all is kept", || link.status().kept.messages == 100).await;
    assert!(replica.log(|log| {
        !log.messages
            .iter()
            .any(|m| matches!(m, Up::Create(_) | Up::Say(_)))
    }));
    replica.lead(1);
    replica
        .until("the report is here", |log| {
            log.reports().any(|report| report.last)
        })
        .await;
    assert_eq!(replica.log(|log| known(log).0.len()), 100);
}

/// Children and messages that a leader knows by its report and by what came after it.
fn known(log: &Log) -> (BTreeSet<String>, BTreeSet<u64>) {
    let (mut children, mut numbers) = (BTreeSet::new(), BTreeSet::new());
    for message in &log.messages {
        match message {
            Up::Report(report) => {
                children.extend(report.created.iter().map(|child| child.task_id.clone()));
                for said in &report.said {
                    numbers.extend((said.first..).take(said.payloads.len()));
                }
            }
            Up::Create(create) => {
                children.insert(create.task_id.clone());
            }
            Up::Say(say) => {
                numbers.insert(say.number);
            }
            _ => {}
        }
    }
    (children, numbers)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leaders_alternate_and_streams_break_under_load() {
    const COUNT: usize = 3_000;
    let replicas = [Replica::start("a", 1), Replica::start("b", 0)];
    let (link, _orders) = link(&[&replicas[0], &replicas[1]]).await;
    let run = Run::new("proof", 0);
    let load = tokio::spawn({
        let (link, run) = (link.clone(), run.clone());
        async move {
            let mut children = BTreeSet::new();
            for n in 0..COUNT {
                children.insert(link.create(&run, data(&run)));
                link.say(&run, "t", "message");
                if n % 20 == 0 {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
            children
        }
    });
    let mut epoch = 1;
    while !load.is_finished() {
        epoch += 1;
        let leader = &replicas[usize::try_from(epoch % 2).unwrap()];
        let other = &replicas[usize::try_from((epoch + 1) % 2).unwrap()];
        other.lead(0);
        leader.forget();
        leader.lead(epoch);
        if epoch % 3 == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
            leader.forget();
            leader.break_streams();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let children = load.await.unwrap();
    let last = &replicas[usize::try_from(epoch % 2).unwrap()];
    last.until("all children are known", |log| known(log).0 == children)
        .await;
    let all = (0..COUNT as u64).collect();
    last.until("all messages are known", |log| known(log).1 == all)
        .await;
    assert!(epoch > 5, "{epoch}");
    assert_eq!(link.status().kept.created, COUNT);
}
