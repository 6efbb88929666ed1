//! ProvingTasks that are deleted: by people, by the operator itself, and with their proof.

use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams};
use provost_crds::{ProvingTask, TaskState};
use serde_json::json;

use crate::bench::{Bench, wait};
use crate::joined::{Joined, SHARDS};
use crate::worker::{Habit, Worker};

/// The objects of running tasks: the root, and the others in the order of their names.
async fn running(bench: &Bench) -> (Option<ProvingTask>, Vec<ProvingTask>) {
    let tasks = bench.tasks().list(&ListParams::default()).await.unwrap();
    let is_running = |t: &ProvingTask| {
        t.status
            .as_ref()
            .is_some_and(|s| s.state == TaskState::Running)
    };
    let (mut roots, children): (Vec<_>, Vec<_>) = tasks
        .into_iter()
        .filter(is_running)
        .partition(|t| t.spec.root);
    (roots.pop(), children)
}

/// Waits until the root and all shards have objects, and `worker` has begun them: an object may be there first.
async fn all_running(bench: &Bench, worker: &Joined) -> (ProvingTask, Vec<ProvingTask>) {
    wait("all tasks and their objects", || async {
        let (Some(root), children) = running(bench).await else {
            return None;
        };
        let starts = worker.starts();
        let begun = |task: &ProvingTask| starts.iter().any(|s| s.task == task.spec.task_id);
        let all = children.len() == SHARDS && begun(&root) && children.iter().all(begun);
        all.then_some((root, children))
    })
    .await
}

async fn begin(bench: &Bench) {
    bench.core("fib").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_that_is_deleted_stops_and_runs_again_and_so_does_the_object() {
    let bench = Bench::new("recall-child").await;
    let worker = Joined::start(&bench, &[&bench.grpc], "w-1");
    begin(&bench).await;
    let (root, children) = all_running(&bench, &worker).await;
    let (deleted, other) = (&children[0], &children[1]);
    bench
        .tasks()
        .delete(&deleted.name_any(), &DeleteParams::default())
        .await
        .unwrap();
    let back = wait("the object", || async {
        let found = bench.tasks().get_opt(&deleted.name_any()).await.unwrap()?;
        (found.uid() != deleted.uid()).then_some(found)
    })
    .await;
    let status = back.status.unwrap();
    assert_eq!((status.state, status.attempts), (TaskState::Running, 2));
    assert_eq!(status.failure_class, None, "nothing failed");
    let attempts = |task: &ProvingTask| -> Vec<u32> {
        let starts = worker.shards();
        let of = starts
            .iter()
            .filter(|start| start.task == task.spec.task_id);
        of.map(|start| start.attempt).collect()
    };
    wait("the second attempt", || async {
        (attempts(deleted) == [1, 2]).then_some(())
    })
    .await;
    assert_eq!(attempts(other), [1]);
    let (root_now, children_now) = all_running(&bench, &worker).await;
    assert_eq!(root_now.uid(), root.uid());
    let other_now = children_now
        .iter()
        .find(|t| t.name_any() == other.name_any());
    assert_eq!(other_now.unwrap().uid(), other.uid());
    assert!(
        bench
            .metrics()
            .render()
            .contains("provost_task_recalls_total 1")
    );
    worker.finish();
    bench.state("fib", "Succeeded").await;
    wait("no tasks", || async {
        let tasks = bench.tasks().list(&ListParams::default()).await.unwrap();
        tasks.items.is_empty().then_some(())
    })
    .await;
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_root_that_is_deleted_begins_the_proofs_next_run() {
    let bench = Bench::new("recall-root").await;
    let worker = Joined::start(&bench, &[&bench.grpc], "w-1");
    begin(&bench).await;
    let (root, children) = all_running(&bench, &worker).await;
    bench
        .tasks()
        .delete(&root.name_any(), &DeleteParams::default())
        .await
        .unwrap();
    let (next, others) = wait("the next run", || async {
        let (root, children) = running(&bench).await;
        let root = root.filter(|root| root.spec.run == 1)?;
        let fresh = children.iter().all(|child| child.spec.run == 1);
        (fresh && children.len() == SHARDS).then_some((root, children))
    })
    .await;
    assert_ne!(next.spec.task_id, root.spec.task_id);
    assert!(
        others
            .iter()
            .all(|new| children.iter().all(|old| new.uid() != old.uid()))
    );
    worker.finish();
    bench.state("fib", "Succeeded").await;
    bench.delete("fib").await;
    assert!(bench.stored().await.is_empty());
    bench.close().await;
}

/// The watch has not seen an object before it is deleted, and is then told to begin with a list.
async fn deleted_unseen(test: &str, which: impl Fn(ProvingTask, Vec<ProvingTask>) -> ProvingTask) {
    let mut bench = Bench::space(test).await;
    let home = bench.namespace.clone();
    let sees = bench.blind();
    bench.start(&home).await;
    let worker = Joined::start(&bench, &[&bench.grpc], "w-1");
    begin(&bench).await;
    let (root, children) = all_running(&bench, &worker).await;
    let deleted = which(root, children);
    bench
        .tasks()
        .delete(&deleted.name_any(), &DeleteParams::default())
        .await
        .unwrap();
    sees.send_replace(true);
    wait("another attempt or another run", || async {
        let starts = worker.starts().into_iter();
        let mut again = starts.filter(|start| start.attempt == 2 || start.run == 1);
        again
            .any(|start| deleted.spec.root || start.task == deleted.spec.task_id)
            .then_some(())
    })
    .await;
    worker.finish();
    bench.state("fib", "Succeeded").await;
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_that_is_deleted_before_it_is_seen_runs_again() {
    deleted_unseen("unseen-child", |_, mut children| children.remove(0)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_root_that_is_deleted_before_it_is_seen_begins_the_next_run() {
    deleted_unseen("unseen-root", |root, _| root).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_operator_deletes_itself_does_not_run_again() {
    let bench = Bench::new("recall-own").await;
    let worker = Worker::start(&bench, "w-1", Habit::Diligent).await;
    for name in ["one", "two"] {
        bench.core(name).await;
    }
    for name in ["one", "two"] {
        bench.state(name, "Succeeded").await;
    }
    // A proof of which something runs when it is deleted with all that is its own, owners last.
    let stuck = Joined::start(&bench, &[&bench.grpc], "w-2");
    drop(worker);
    begin(&bench).await;
    all_running(&bench, &stuck).await;
    let begun = stuck.starts();
    bench.edit("fib", json!({"cancel": true})).await;
    bench.state("fib", "Cancelled").await;
    wait("no tasks", || async {
        let tasks = bench.tasks().list(&ListParams::default()).await.unwrap();
        tasks.items.is_empty().then_some(())
    })
    .await;
    for name in ["one", "two", "fib"] {
        bench.delete(name).await;
    }
    assert_eq!(stuck.starts(), begun);
    assert!(
        bench
            .metrics()
            .render()
            .contains("provost_task_recalls_total 0")
    );
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_leader_takes_the_objects_over_as_they_are() {
    let mut bench = Bench::new("recall-takeover").await;
    let home = bench.namespace.clone();
    // The next leader waits for the word of a worker whose pod it sees.
    bench.pool("workers", json!({"class": "All"})).await;
    let pods = wait("a pod", || async {
        Some(bench.pods_of("workers").await).filter(|pods| !pods.is_empty())
    });
    let pod = pods.await[0].name_any();
    bench
        .set_pod_status(&pod, json!({"phase": "Running"}))
        .await;
    let worker = Joined::start(&bench, &[&bench.grpc], &pod);
    begin(&bench).await;
    let (root, children) = all_running(&bench, &worker).await;
    // One whose task nobody knows any more.
    let mut stray = children[0].clone();
    stray.metadata = kube::api::ObjectMeta {
        name: Some(format!("fib-proveshard-{}", "0".repeat(10))),
        namespace: stray.metadata.namespace,
        owner_references: stray.metadata.owner_references,
        ..Default::default()
    };
    stray.spec.task_id = format!("task_{}", "0".repeat(26));
    bench
        .tasks()
        .create(&Default::default(), &stray)
        .await
        .unwrap();
    let begun = worker.starts();

    bench.stop().await;
    bench.restart(&home).await;
    wait("the end of what nobody knows", || async {
        bench
            .tasks()
            .get_opt(&stray.name_any())
            .await
            .unwrap()
            .is_none()
            .then_some(())
    })
    .await;
    let (root_now, children_now) = all_running(&bench, &worker).await;
    let uids = |tasks: &[ProvingTask]| tasks.iter().map(ResourceExt::uid).collect::<Vec<_>>();
    assert_eq!(root_now.uid(), root.uid());
    assert_eq!(uids(&children_now), uids(&children));
    assert_eq!(worker.starts(), begun, "nothing is begun again");
    assert!(
        bench
            .metrics()
            .render()
            .contains("provost_task_recalls_total 0")
    );

    // A root that the old leader had begun to write before it lost its Lease.
    let mut late = stray;
    late.metadata.name = Some(format!("fib-controller-{}", "0".repeat(10)));
    late.metadata.annotations = Some([("provost.dev/epoch".to_owned(), "1".to_owned())].into());
    late.spec.task_type = "Controller".into();
    (late.spec.root, late.spec.run) = (true, 1);
    bench
        .tasks()
        .create(&Default::default(), &late)
        .await
        .unwrap();
    wait("the end of the late root", || async {
        let found = bench.tasks().get_opt(&late.name_any()).await.unwrap();
        found.is_none().then_some(())
    })
    .await;
    assert_eq!(worker.starts(), begun, "nothing is begun again");

    // The new leader hears of deletions as the old one did.
    bench
        .tasks()
        .delete(&children[0].name_any(), &DeleteParams::default())
        .await
        .unwrap();
    wait("the task's second attempt", || async {
        (worker.starts().len() == begun.len() + 1).then_some(())
    })
    .await;
    worker.finish();
    bench.state("fib", "Succeeded").await;
    bench.close().await;
}
