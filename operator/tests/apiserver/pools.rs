//! Worker pools, with this test in the kubelet's place.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{DeleteParams, Patch, PatchParams};
use provost_crds::FailureClass;
use serde_json::{Value, json};

use crate::bench::{Bench, wait};
use crate::gate::Gate;
use crate::joined::{Joined, SHARDS};
use crate::worker::{Habit, Worker};

pub fn ready() -> Value {
    json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]})
}

pub fn crashed(code: i32) -> Value {
    json!({"phase": "Failed", "conditions": [{"type": "Ready", "status": "False"}], "containerStatuses": [{
        "name": "worker", "image": "", "imageID": "", "ready": false, "restartCount": 0,
        "state": {"terminated": {"exitCode": code, "reason": "Error", "startedAt": null, "finishedAt": null}},
    }]})
}

fn killed(reason: &str) -> Value {
    json!({"phase": "Failed", "conditions": [{"type": "Ready", "status": "False"}], "containerStatuses": [{
        "name": "worker", "image": "", "imageID": "", "ready": false, "restartCount": 0,
        "state": {"terminated": {"exitCode": 137, "reason": reason, "startedAt": null, "finishedAt": null}},
    }]})
}

pub async fn one_pod(bench: &Bench, pool: &str, but: &[String]) -> Pod {
    wait("a worker pod", || async {
        let pods = bench.pods_of(pool).await;
        pods.into_iter().find(|pod| !but.contains(&pod.name_any()))
    })
    .await
}

/// Begins a roll-out of the pool `workers`.
async fn change_template(bench: &Bench) {
    let patch = Patch::Merge(json!({"spec": {"image": "w:2"}}));
    bench
        .pools()
        .patch("workers", &PatchParams::default(), &patch)
        .await
        .unwrap();
}

pub async fn condition(bench: &Bench, pool: &str, reason: &str) -> provost_crds::WorkerPool {
    wait(&format!("{pool} {reason}"), || async {
        let pool = bench.pools().get(pool).await.unwrap();
        pool.ready_condition()
            .is_some_and(|c| c.reason == reason)
            .then_some(pool)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pool_keeps_its_size() {
    let bench = Bench::new("pool").await;
    bench
        .pool(
            "workers",
            json!({"class": "All", "replicas": 2, "resources": {"limits": {"memory": "3Gi"}}}),
        )
        .await;
    let pods = wait("two pods", || async {
        Some(bench.pods_of("workers").await).filter(|pods| pods.len() == 2)
    })
    .await;
    let names: Vec<String> = pods.iter().map(ResourceExt::name_any).collect();
    condition(&bench, "workers", "WorkersNotReady").await;
    for name in &names {
        bench.set_pod_status(name, ready()).await;
    }
    let _worker = Worker::start(&bench, &names[0], Habit::Slow).await;
    let pool = wait("roles", || async {
        let pool = bench.pools().get("workers").await.unwrap();
        pool.status
            .as_ref()
            .is_some_and(|s| s.roles == "execute 1, prove 1" && s.ready_replicas == 2)
            .then_some(pool)
    })
    .await;
    assert_eq!(
        pool.status.as_ref().unwrap().selector,
        "provost.dev/pool=workers"
    );
    assert_eq!(pool.ready_condition().unwrap().reason, "WorkersReady");

    // A failed worker is replaced under another name.
    bench.set_pod_status(&names[1], killed("Error")).await;
    let fresh = one_pod(&bench, "workers", &names).await;
    bench.event("workers", "NodeLost").await;
    wait("the failed pod's end", || async {
        bench
            .pods()
            .get_opt(&names[1])
            .await
            .unwrap()
            .is_none()
            .then_some(())
    })
    .await;

    // A busy worker is kept when the pool shrinks, an idle one is not.
    bench.core("fib").await;
    bench.state("fib", "Proving").await;
    let patch = Patch::Merge(json!({"spec": {"replicas": 1}}));
    bench
        .pools()
        .patch("workers", &PatchParams::default(), &patch)
        .await
        .unwrap();
    wait("one pod", || async {
        let left = bench.pods_of("workers").await;
        (left.len() == 1
            && left[0].name_any() == names[0]
            && left[0].name_any() != fresh.name_any())
        .then_some(())
    })
    .await;
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_told_of_a_pool_that_is_gone() {
    let bench = Bench::new("pool-gone").await;
    bench.pool("gone", json!({"class": "CPU"})).await;
    let shown = || {
        let text = bench.metrics().render();
        text.contains("provost_pool_workers_ready{pool=\"gone\"}")
    };
    wait("the pool's workers", || async { shown().then_some(()) }).await;
    let pod = one_pod(&bench, "gone", &[]).await.name_any();
    let now = DeleteParams::default();
    bench.pools().delete("gone", &now).await.unwrap();
    // The controller manager's part.
    bench
        .pods()
        .delete(&pod, &now.grace_period(0))
        .await
        .unwrap();
    wait("silence", || async { (!shown()).then_some(()) }).await;
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_are_counted_though_no_pool_is_left() {
    let bench = Bench::new("no-pool").await;
    bench.pool("last", json!({"class": "All"})).await;
    let pod = one_pod(&bench, "last", &[]).await.name_any();
    bench.set_pod_status(&pod, ready()).await;
    let worker = Worker::start(&bench, &pod, Habit::Diligent).await;
    let counted = |count: usize| {
        let line = format!("provost_workers{{role=\"prove\"}} {count}\n");
        bench.metrics().render().contains(&line).then_some(())
    };
    wait("the worker", || async { counted(1) }).await;
    let now = DeleteParams::default();
    bench.pools().delete("last", &now).await.unwrap();
    // Until the operator's cache has it: from then on no pool is looked at.
    tokio::time::sleep(Duration::from_millis(500)).await;
    drop(worker);
    // The controller manager's part.
    bench
        .pods()
        .delete(&pod, &now.grace_period(0))
        .await
        .unwrap();
    wait("no worker", || async { counted(0) }).await;
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_roll_out_that_waits_for_a_worker_shows() {
    let bench = Bench::new("roll-out").await;
    bench.pool("workers", json!({"class": "All"})).await;
    let old = one_pod(&bench, "workers", &[]).await.name_any();
    bench.set_pod_status(&old, ready()).await;
    let _worker = Worker::start(&bench, &old, Habit::Slow).await;
    bench.core("fib").await;
    bench.state("fib", "Proving").await;
    change_template(&bench).await;
    let says = |text: &'static str| {
        let pools = bench.pools();
        wait(text, move || {
            let pools = pools.clone();
            async move {
                let pool = pools.get("workers").await.unwrap();
                let condition = pool.ready_condition();
                condition.is_some_and(|c| c.message == text).then_some(())
            }
        })
    };
    says("1 of 1 workers are ready; 1 worker is of an older template and is replaced when idle")
        .await;
    bench.edit("fib", json!({"cancel": true})).await;
    let new = one_pod(&bench, "workers", std::slice::from_ref(&old)).await;
    bench.set_pod_status(&new.name_any(), ready()).await;
    says("1 of 1 workers are ready").await;
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_roll_out_ends_though_a_worker_is_never_idle() {
    let bench = Bench::new("roll-out-busy").await;
    bench
        .pool("workers", json!({"class": "All", "replicas": 2}))
        .await;
    // The kubelet's part: whoever is made gets ready and joins.
    let mut joined: BTreeMap<String, Joined> = BTreeMap::new();
    let mut join = async |bench: &Bench| {
        for pod in bench.pods_of("workers").await {
            let name = pod.name_any();
            if pod.metadata.deletion_timestamp.is_none() && !joined.contains_key(&name) {
                bench.set_pod_status(&name, ready()).await;
                let worker = Joined::start(bench, &[&bench.grpc], &name);
                joined.insert(name, worker);
            }
        }
        let busy = |worker: &Joined| !worker.shards().is_empty();
        joined.values().filter(|worker| busy(worker)).count()
    };
    let says = async |bench: &Bench, words: &str| {
        let pool = bench.pools().get("workers").await.unwrap();
        let message = pool.ready_condition().map(|c| c.message.clone());
        message.filter(|message| message.contains(words))
    };
    let began = Instant::now();
    while says(&bench, "2 of 2 workers are ready").await.is_none() {
        join(&bench).await;
        assert!(began.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    bench.core("fib").await;
    while join(&bench).await == 0 {
        assert!(began.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    change_template(&bench).await;
    let held = loop {
        join(&bench).await;
        if let Some(message) = says(&bench, "gets no more tasks until then").await {
            let words: Vec<&str> = message.split(' ').collect();
            let gets = words.iter().position(|word| *word == "gets").unwrap();
            break words[gets - 1].to_owned();
        }
        assert!(began.elapsed() < Duration::from_secs(40));
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let taking = || async {
        let workers = bench.coordinator().workers().await;
        let own = workers.iter().filter(|worker| worker.pod == held);
        own.filter(|worker| worker.available).count()
    };
    assert_eq!(taking().await, 0, "{held}");
    // Neither killed nor given up: what it has it ends.
    assert!(bench.pods().get_opt(&held).await.unwrap().is_some());
    for worker in joined.values() {
        worker.finish();
    }
    bench.state("fib", "Succeeded").await;
    one_pod(&bench, "workers", &joined.into_keys().collect::<Vec<_>>()).await;
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_leader_replaces_nobody_who_has_yet_to_say_what_it_is_at() {
    let mut bench = Bench::new("new-leader").await;
    let home = bench.namespace.clone();
    bench.pool("workers", json!({"class": "All"})).await;
    let pod = one_pod(&bench, "workers", &[]).await.name_any();
    bench.set_pod_status(&pod, ready()).await;
    let way = Gate::new(bench.grpc.trim_start_matches("http://").to_owned()).await;
    let address = format!("http://{}", way.address);
    let worker = Joined::start(&bench, &[&address], &pod);
    bench.core("fib").await;
    wait("its shards", || async {
        (worker.shards().len() == SHARDS).then_some(())
    })
    .await;
    // The new leader sees the pod before it hears of the worker.
    way.close();
    bench.stop().await;
    change_template(&bench).await;
    bench.restart(&home).await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert!(bench.coordinator().is_recovering());
    way.open();
    wait("the roll-out", || async {
        let pool = bench.pools().get("workers").await.unwrap();
        let condition = pool.ready_condition()?;
        condition.message.contains("older template").then_some(())
    })
    .await;
    wait("the end of the recovery", || async {
        (!bench.coordinator().is_recovering()).then_some(())
    })
    .await;
    let pods = bench.pods_of("workers").await;
    assert_eq!(pods.len(), 1);
    assert_eq!(pods[0].name_any(), pod);
    assert_eq!(pods[0].metadata.deletion_timestamp, None);
    worker.finish();
    bench.state("fib", "Succeeded").await;
    assert_eq!(worker.shards().len(), SHARDS, "nothing is begun again");
    one_pod(&bench, "workers", &[pod]).await;
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pool_that_lost_its_image_shrinks_and_makes_no_pods() {
    let bench = Bench::new("no-image").await;
    let limits = json!({"memory": "30Gi", "nvidia.com/gpu": "1"});
    bench
        .pool(
            "gpus",
            json!({"class": "GPU", "replicas": 3, "image": "w:1", "resources": {"limits": limits}}),
        )
        .await;
    let pods = |count: usize| {
        let bench = &bench;
        wait("so many pods", move || async move {
            let pods = bench.pods_of("gpus").await;
            (pods.len() == count).then_some(pods)
        })
    };
    for pod in pods(3).await {
        bench.set_pod_status(&pod.name_any(), ready()).await;
    }
    condition(&bench, "gpus", "WorkersReady").await;
    let patch = Patch::Merge(json!({"spec": {"image": null, "replicas": 2}}));
    bench
        .pools()
        .patch("gpus", &PatchParams::default(), &patch)
        .await
        .unwrap();
    condition(&bench, "gpus", "NoGpuImage").await;
    let left = pods(2).await;
    bench
        .set_pod_status(&left[0].name_any(), crashed(134))
        .await;
    let last = pods(1).await;
    assert_eq!(last[0].name_any(), left[1].name_any());
    wait("the count of ready workers", || async {
        let text = bench.metrics().render();
        text.contains("provost_pool_workers_ready{pool=\"gpus\"} 1\n")
            .then_some(())
    })
    .await;
    assert_eq!(
        bench.pods_of("gpus").await.len(),
        1,
        "none came in its place"
    );
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pool_elsewhere_is_told_so() {
    let mut bench = Bench::space("elsewhere").await;
    let home = Bench::space("home").await;
    bench.start(&home.namespace).await;
    bench.pool("workers", json!({"class": "CPU"})).await;
    let pool = condition(&bench, "workers", "NamespaceNotServed").await;
    assert!(
        pool.ready_condition()
            .unwrap()
            .message
            .contains(&home.namespace)
    );
    assert!(bench.pods_of("workers").await.is_empty());
    bench.close().await;
    home.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pool_at_home_is_served_though_another_namespace_is_watched() {
    let mut bench = Bench::space("watched").await;
    let home = Bench::space("pool-home").await;
    bench.start(&home.namespace).await;
    home.pool("workers", json!({"class": "CPU"})).await;
    let pod = one_pod(&home, "workers", &[]).await.name_any();
    home.set_pod_status(&pod, ready()).await;
    condition(&home, "workers", "WorkersReady").await;
    bench.close().await;
    home.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_kills_for_memory_end_the_proof_and_name_the_pool() {
    let bench = Bench::new("oom").await;
    bench
        .pool(
            "small",
            json!({"class": "All", "resources": {"limits": {"memory": "3Gi"}}, "capacity": 24}),
        )
        .await;
    let request = bench.core("fib");
    request.await;
    let mut killed_pods = Vec::new();
    for _ in 0..3 {
        let pod = one_pod(&bench, "small", &killed_pods).await.name_any();
        bench.set_pod_status(&pod, ready()).await;
        let worker = Worker::start(&bench, &pod, Habit::Slow).await;
        wait("a task on the worker", || async {
            (!worker.seen().is_empty()).then_some(())
        })
        .await;
        bench.set_pod_status(&pod, killed("OOMKilled")).await;
        killed_pods.push(pod);
        wait("the loss", || async {
            let workers = bench.coordinator().workers().await;
            workers
                .iter()
                .all(|w| !killed_pods.contains(&w.pod))
                .then_some(())
        })
        .await;
        drop(worker);
    }
    let request = bench.ended("fib").await;
    assert_eq!(request.state(), "OutOfMemory");
    let message = request.message();
    assert!(
        message.contains("pool small") && message.contains("3Gi"),
        "{message}"
    );
    assert_eq!(
        request.status.unwrap().failure.unwrap().class,
        FailureClass::OutOfMemory
    );
    bench.event("small", "OutOfMemory").await;
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_does_not_let_go_is_replaced() {
    let bench = Bench::new("stuck").await;
    bench.pool("workers", json!({"class": "All"})).await;
    let pod = one_pod(&bench, "workers", &[]).await.name_any();
    bench.set_pod_status(&pod, ready()).await;
    let _worker = Worker::start(&bench, &pod, Habit::Stuck).await;
    bench.core("fib").await;
    bench.state("fib", "Proving").await;
    bench.edit("fib", json!({"cancel": true})).await;
    bench.state("fib", "Cancelled").await;
    one_pod(&bench, "workers", std::slice::from_ref(&pod)).await;
    wait("the stuck pod's end", || async {
        bench
            .pods()
            .get_opt(&pod)
            .await
            .unwrap()
            .is_none()
            .then_some(())
    })
    .await;
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pod_past_its_grace_loses_its_tasks_though_its_node_says_nothing() {
    let bench = Bench::new("overdue").await;
    bench.pool("workers", json!({"class": "All"})).await;
    let pod = one_pod(&bench, "workers", &[]).await.name_any();
    bench.bind_pod(&pod, "lost").await;
    bench.set_pod_status(&pod, ready()).await;
    let slow = Joined::start(&bench, &[&bench.grpc], &pod);
    bench.core("fib").await;
    wait("its shards", || async {
        (slow.shards().len() == SHARDS).then_some(())
    })
    .await;
    let _diligent = Worker::start(&bench, "other-1", Habit::Diligent).await;
    bench
        .pods()
        .delete(&pod, &DeleteParams::default().grace_period(1))
        .await
        .unwrap();
    // While it is heard it goes on.
    tokio::time::sleep(Duration::from_secs(4)).await;
    let proving = bench.state("fib", "Proving").await;
    assert!(!proving.terminal());
    drop(slow);
    bench.state("fib", "Succeeded").await;
    assert!(bench.pods().get_opt(&pod).await.unwrap().is_some());
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pod_that_is_deleted_takes_its_tasks_elsewhere_at_once() {
    let bench = Bench::new("gone").await;
    bench.pool("workers", json!({"class": "All"})).await;
    let pod = one_pod(&bench, "workers", &[]).await.name_any();
    bench.set_pod_status(&pod, ready()).await;
    let _slow = Worker::start(&bench, &pod, Habit::Slow).await;
    bench.core("fib").await;
    bench.state("fib", "Proving").await;
    let _diligent = Worker::start(&bench, "other-1", Habit::Diligent).await;
    bench
        .pods()
        .delete(&pod, &DeleteParams::default().grace_period(0))
        .await
        .unwrap();
    bench.state("fib", "Succeeded").await;
    one_pod(&bench, "workers", &[pod]).await;
    bench.close().await;
}
