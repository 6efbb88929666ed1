//! A worker that makes proofs of nothing: the same tasks and messages as SP1's, without the work.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use provost_link::{
    Config, Ended, Link, Order, Orders, Outcome, Role, Run, TaskData, TaskStatus, TaskType,
    WorkerType,
};

/// Shards of a proof.
pub(crate) const SHARDS: usize = 60;

/// How often each task was started, by id.
pub(crate) type Starts = Arc<Mutex<BTreeMap<String, usize>>>;

/// Starts a worker that executes and proves.
pub(crate) fn start(pod: &str, replicas: Vec<String>, starts: &Starts) -> Link {
    let mut config = Config::new(replicas, pod);
    config.timing.beat = Duration::from_millis(200);
    let link = Link::start(config).unwrap();
    for (name, class) in [("execute", WorkerType::Cpu), ("prove", WorkerType::Gpu)] {
        let orders = link.add_role(Role {
            name: name.to_owned(),
            class,
            max_weight: 64,
            provers: 0,
            device: None,
            shard_elements: 0,
        });
        tokio::spawn(work(link.clone(), orders, starts.clone()));
    }
    link
}

async fn work(link: Link, mut orders: Orders, starts: Starts) {
    while let Some(order) = orders.recv().await {
        *starts
            .lock()
            .unwrap()
            .entry(order.task_id.clone())
            .or_default() += 1;
        let link = link.clone();
        tokio::spawn(async move {
            let outcome = tokio::select! {
                ended = perform(&link, &order) => match ended {
                    Ok(()) => Outcome::Completed("{}".to_owned()),
                    Err(_) => Outcome::Stopped,
                },
                () = order.cancelled.cancelled() => Outcome::Stopped,
            };
            link.done(order, outcome);
        });
    }
}

async fn perform(link: &Link, order: &Order) -> Result<(), Ended> {
    match order.data.task_type() {
        TaskType::Controller => controller(link, order).await,
        TaskType::CoreExecute => core_execute(link, order).await,
        TaskType::ProveShard => {
            tokio::time::sleep(Duration::from_millis(10)).await;
            link.complete_marker(&order.run, order.data.inputs[0].as_str());
            Ok(())
        }
        _ => {
            tokio::time::sleep(Duration::from_millis(5)).await;
            Ok(())
        }
    }
}

fn child(order: &Order, kind: TaskType, inputs: Vec<String>) -> TaskData {
    TaskData {
        task_type: kind as i32,
        inputs,
        parent_id: Some(order.task_id.clone()),
        ..TaskData::default()
    }
}

/// Awaits every shard that CoreExecute names, then joins them.
async fn controller(link: &Link, order: &Order) -> Result<(), Ended> {
    let run = &order.run;
    let core = link.create(run, child(order, TaskType::CoreExecute, Vec::new()));
    let mut shards = link.listen(run, core, 0);
    let mut watcher = link.watch(run);
    let mut count = 0;
    while let Some(shard) = shards.next().await? {
        watcher.add([String::from_utf8(shard.to_vec()).unwrap()]);
        count += 1;
    }
    assert_eq!(count, SHARDS);
    all(&mut watcher).await?;
    let reduce = link.create(run, child(order, TaskType::RecursionReduce, Vec::new()));
    watcher.add([reduce]);
    all(&mut watcher).await?;
    link.conclude(run, order.task_id.as_str(), false, "{}")
        .await
}

/// Creates shards with their markers, tells the Controller of them, and awaits the markers.
async fn core_execute(link: &Link, order: &Order) -> Result<(), Ended> {
    let run: &Run = &order.run;
    let mut markers = link.watch(run);
    for _ in 0..SHARDS {
        let marker = link.create(
            run,
            child(order, TaskType::MarkerDeferredRecord, Vec::new()),
        );
        let inputs = vec![marker.clone()];
        let shard = link.create(run, child(order, TaskType::ProveShard, inputs));
        link.say(run, order.task_id.as_str(), shard);
        markers.add([marker]);
        tokio::time::sleep(Duration::from_millis(4)).await;
    }
    all(&mut markers).await
}

async fn all(watcher: &mut provost_link::Watcher) -> Result<(), Ended> {
    while watcher.awaiting() > 0 {
        let (task, status) = watcher.next().await?;
        assert_eq!(status, TaskStatus::Succeeded, "{task}");
    }
    Ok(())
}
