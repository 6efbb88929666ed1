//! Beats come whatever the caller does.

use std::time::Duration;

use provost_link::{Outcome, Run};

use crate::replica::{Replica, config, link, role, until};

#[test]
fn beats_go_on_while_the_callers_runtime_is_blocked() {
    let (leader, standby) = (Replica::start("a", 1), Replica::start("b", 0));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let link = provost_link::Link::start(config(&[&leader, &standby])).unwrap();
        let mut orders = link.add_role(role());
        until("both answer", || link.status().replicas.len() == 2).await;
        let run = Run::new("proof", 0);
        leader.assign("t", &run, 1);
        let order = orders.recv().await.unwrap();
        let count = || {
            let count = |replica: &Replica| replica.log(|log| log.beats().len());
            (count(&leader), count(&standby))
        };
        let before = count();
        tokio::spawn(async { std::thread::sleep(Duration::from_secs(2)) });
        // The runtime has one thread: from here it stands still for two seconds.
        tokio::task::yield_now().await;
        let after = count();
        // At 100 ms a beat, with room for a slow machine.
        assert!(after.0 >= before.0 + 10, "{before:?} {after:?}");
        assert!(after.1 >= before.1 + 10, "{before:?} {after:?}");
        assert_eq!(leader.log(|log| log.streams), 1);
        link.done(order, Outcome::Stopped);
        leader.until("its end", |log| log.dones().len() == 1).await;
    });
}

#[tokio::test]
async fn beats_are_numbered_and_show_the_epoch() {
    let leader = Replica::start("a", 6);
    let (_link, _orders) = link(&[&leader]).await;
    leader
        .until("some beats", |log| log.beats().len() > 5)
        .await;
    leader.log(|log| {
        let beats = log.beats();
        assert!(
            beats
                .windows(2)
                .all(|two| two[0].sequence < two[1].sequence)
        );
        assert_eq!(beats.last().unwrap().epoch, 6);
    });
}
