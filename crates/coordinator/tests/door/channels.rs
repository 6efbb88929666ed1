//! What a task says to others while it runs.

use provost_coordinator::{Config, Root};
use provost_proto::worker::TaskType::*;
use provost_proto::worker::WorkerType;

use crate::node::{Server, spec, start_in_memory};
use crate::worker::{Hand, Task, Worker, by_either_door};

by_either_door!(
    a_channel_is_replayed_from_any_offset,
    a_channel_that_no_completion_ends_has_no_end,
);

/// A Controller, and its CoreExecute.
async fn two_tasks<W: Worker>() -> (Server, W, W::Task, W::Task) {
    let (server, _) = start_in_memory(Config::default()).await;
    let mut worker = W::join(&server, "a", WorkerType::All, 32).await;
    let proof = spec("p", Root::Prove);
    server.coordinator.submit_proof(proof).await.unwrap();
    let root = worker.task().await;
    worker.hand().create(&root, CoreExecute).await;
    let execute = worker.task().await;
    (server, worker, root, execute)
}

async fn a_channel_is_replayed_from_any_offset<W: Worker>() {
    let (_server, worker, root, execute) = two_tasks::<W>().await;
    let me = worker.hand();
    let id = execute.id().to_owned();
    for i in 0..3u8 {
        me.say(&execute, &[i]).await;
    }
    let live = me.hear(&root, &id, 1);
    let rest = async {
        me.say(&execute, &[3]).await;
        me.complete(execute).await;
    };
    let (live, ()) = tokio::join!(live, rest);
    assert_eq!(live.unwrap(), [[1], [2], [3]]);
    let late = me.hear(&root, &id, 0).await.unwrap();
    assert_eq!(late, [[0], [1], [2], [3]]);
}

/// SP1 would take an end for "all has come".
async fn a_channel_that_no_completion_ends_has_no_end<W: Worker>() {
    let (_server, worker, root, execute) = two_tasks::<W>().await;
    let me = worker.hand();
    let id = execute.id().to_owned();
    me.say(&execute, &[0]).await;
    let live = me.hear(&root, &id, 0);
    let (live, ()) = tokio::join!(live, me.fail(execute, true));
    live.unwrap_err();
}
