//! The calls and the consumers, with one leader.

use std::time::Duration;

use provost_link::{Ended, Outcome, Run, TaskStatus};
use provost_proto::link::done;
use provost_proto::link::up_message::Message as Up;

use crate::replica::{Replica, data, link, role, until};

fn completed() -> Outcome {
    Outcome::Completed("{\"gpu_ms\":1}".to_owned())
}

#[tokio::test]
async fn an_order_runs_and_ends() {
    let leader = Replica::start("a", 1);
    let (link, mut orders) = link(&[&leader]).await;
    let run = Run::new("proof", 3);
    leader.assign("t", &run, 2);
    let order = orders.recv().await.unwrap();
    assert_eq!((order.task_id.as_str(), order.attempt), ("t", 2));
    assert_eq!((&order.run, order.role.as_str()), (&run, "prove"));
    assert_eq!(order.data.proof_id, "proof");
    assert_eq!(link.run_of("proof"), Some(run.clone()));
    leader.cancel("t", &run);
    order.cancelled.cancelled().await;
    link.done(order, completed());
    leader
        .until("its end is said", |log| log.dones().len() == 1)
        .await;
    until("it is kept", || link.status().kept.results == 1).await;
    let mut status = link.status_changes();
    leader.settle("t");
    status
        .wait_for(|status| status.kept.is_flushed())
        .await
        .unwrap();
    assert!(link.status().kept.is_nothing());
}

#[tokio::test]
async fn an_order_that_is_lost_has_failed() {
    let leader = Replica::start("a", 1);
    let (link, mut orders) = link(&[&leader]).await;
    let run = Run::new("proof", 0);
    leader.assign("t", &run, 1);
    drop(orders.recv().await.unwrap());
    leader
        .until("the first failed", |log| log.dones().len() == 1)
        .await;
    leader.assign("u", &run, 1);
    until("it runs", || link.status().kept.running == 1).await;
    drop(orders);
    leader.assign("v", &run, 1);
    leader
        .until("all failed", |log| log.dones().len() == 3)
        .await;
    let failed = |done: &&provost_proto::link::Done| matches!(&done.outcome, Some(done::Outcome::Failed(failed)) if failed.retryable);
    assert_eq!(
        leader.log(|log| log.dones().into_iter().filter(failed).count()),
        3
    );
    assert_eq!(link.status().kept.running, 0);
}

#[tokio::test]
async fn children_are_created_watched_and_taken() {
    let leader = Replica::start("a", 1);
    let (link, _orders) = link(&[&leader]).await;
    let run = Run::new("proof", 0);
    let mut watcher = link.watch(&run);
    let child = link.create(&run, data(&run));
    watcher.add([child.clone(), child.clone(), "marker".to_owned()]);
    assert_eq!(watcher.awaiting(), 2);
    leader
        .until("both are known", |log| {
            let created = log.messages.iter().any(|m| matches!(m, Up::Create(_)));
            let watched = |m: &Up| matches!(m, Up::Watch(w) if w.task_ids == ["marker"]);
            created && log.messages.iter().any(watched)
        })
        .await;
    leader.succeed(&child, &run);
    until("the result is here", || link.status().kept.known == 1).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let taken = |m: &Up| matches!(m, Up::Taken(_));
    assert!(
        !leader.log(|log| log.messages.iter().any(taken)),
        "not received yet"
    );
    assert_eq!(
        watcher.next().await,
        Ok((child.clone(), TaskStatus::Succeeded))
    );
    assert_eq!(watcher.awaiting(), 1);
    leader
        .until("it is taken", |log| log.messages.iter().any(taken))
        .await;

    let mut second = link.watch(&run);
    second.add([child.clone()]);
    assert_eq!(second.next().await, Ok((child, TaskStatus::Succeeded)));
    drop(second);
    leader.over(&run);
    let over = watcher.next().await.unwrap_err();
    assert_eq!(over.reason(), "RunOver");
    assert_eq!(watcher.next().await, Err(over));
    assert!(link.is_over(&run) && !link.is_over(&Run::new("proof", 1)));
    until("nothing is left", || link.status().kept.is_nothing()).await;
}

#[tokio::test]
async fn a_result_that_nobody_receives_is_taken_when_its_watcher_goes() {
    let leader = Replica::start("a", 1);
    let (link, _orders) = link(&[&leader]).await;
    let run = Run::new("proof", 0);
    let mut watcher = link.watch(&run);
    watcher.add(["t".to_owned()]);
    leader.succeed("t", &run);
    until("the result is here", || link.status().kept.known == 1).await;
    drop(watcher);
    let taken = |m: &Up| matches!(m, Up::Taken(_));
    leader
        .until("it is taken", |log| log.messages.iter().any(taken))
        .await;
}

#[tokio::test]
async fn a_channel_has_a_definite_end() {
    let leader = Replica::start("a", 1);
    let (link, _orders) = link(&[&leader]).await;
    let run = Run::new("proof", 0);
    let mut listener = link.listen(&run, "t", 0);
    let mut other = link.listen(&run, "u", 0);
    leader
        .until("it listens", |log| {
            log.messages
                .iter()
                .filter(|m| matches!(m, Up::Listen(_)))
                .count()
                == 2
        })
        .await;
    leader.heard("t", 0, "a");
    leader.heard("t", 1, "b");
    leader.end("t", 2);
    assert_eq!(listener.next().await, Ok(Some("a".into())));
    assert_eq!(listener.next().await, Ok(Some("b".into())));
    assert_eq!(listener.next().await, Ok(None));
    assert_eq!(listener.next().await, Ok(None));
    leader.over(&run);
    assert_eq!(other.next().await.unwrap_err().reason(), "RunOver");
}

#[tokio::test]
async fn a_proof_is_concluded_when_that_is_stored() {
    let leader = Replica::start("a", 1);
    let (link, _orders) = link(&[&leader]).await;
    let run = Run::new("proof", 0);
    let conclude = link.conclude(&run, "root", false, "{}");
    tokio::pin!(conclude);
    let early = tokio::time::timeout(Duration::from_millis(100), &mut conclude).await;
    assert!(early.is_err());
    leader
        .until("it is said", |log| {
            log.messages
                .iter()
                .any(|m| matches!(m, Up::Conclude(c) if c.task_id == "root"))
        })
        .await;
    leader.concluded(&run);
    assert_eq!(conclude.await, Ok(()));
}

#[tokio::test]
async fn a_worker_that_drains_says_so_and_markers_are_kept() {
    let leader = Replica::start("a", 1);
    let (link, _orders) = link(&[&leader]).await;
    link.drain();
    link.complete_marker(&Run::new("proof", 0), "m");
    leader
        .until("both are said", |log| {
            let drains = log.messages.iter().any(|m| matches!(m, Up::Drain(_)));
            drains && log.dones().iter().any(|done| done.attempt == 0)
        })
        .await;
    let status = link.status();
    assert!(status.draining && !status.kept.is_flushed());
    assert_eq!(status.leader.as_deref(), Some("a"));
    assert_eq!((status.epoch, status.replicas[0].epoch), (1, 1));
}

#[tokio::test]
async fn a_link_ends_with_its_last_handle() {
    let leader = Replica::start("a", 1);
    let (link, orders) = link(&[&leader]).await;
    let more = link.clone();
    let mut orders = orders;
    drop(link);
    let _ = more.add_role(role());
    assert_eq!(
        orders.recv().await.map(|order| order.task_id),
        None,
        "replaced"
    );
    drop(more);
    leader.until("the stream ends", |log| log.ended == 1).await;
}

#[tokio::test]
async fn links_may_share_a_runtime() {
    let leader = Replica::start("a", 1);
    let runtime = tokio::runtime::Handle::current();
    let links: Vec<_> = (0..20)
        .map(|n| {
            let mut config = crate::replica::config(&[&leader]);
            config.pod = format!("pod-{n}");
            provost_link::Link::start_on(&runtime, config).unwrap()
        })
        .collect();
    until("all are led", || {
        links.iter().all(|link| link.status().leader.is_some())
    })
    .await;
    drop(links);
    leader.until("all streams end", |log| log.ended == 20).await;
}

#[test]
fn a_link_that_has_stopped_says_so() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let handle = runtime.handle().clone();
    let config = provost_link::Config::new(vec!["http://127.0.0.1:9".to_owned()], "pod");
    let link = provost_link::Link::start_on(&handle, config).unwrap();
    let run = Run::new("proof", 0);
    let (mut watcher, mut listener) = (link.watch(&run), link.listen(&run, "t", 0));
    runtime.shutdown_background();
    let other = tokio::runtime::Runtime::new().unwrap();
    other.block_on(async {
        assert_eq!(watcher.next().await, Err(Ended::Closed));
        assert_eq!(listener.next().await, Err(Ended::Closed));
        assert_eq!(
            link.conclude(&run, "r", false, "").await,
            Err(Ended::Closed)
        );
    });
}
