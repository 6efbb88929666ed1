//! Pools whose workers ask for GPUs, with workers that have none and say that they have.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use kube::ResourceExt;
use kube::api::{DeleteParams, Patch, PatchParams};
use provost_crds::ShardSize;
use serde_json::{Value, json};

use crate::bench::{Bench, wait};
use crate::joined::{GPU, Joined};
use crate::pools::{condition, crashed, one_pod, ready};

/// SP1's full shards, in trace elements.
const FULL: u64 = 402_653_184;

fn gpus(replicas: i32) -> Value {
    let limits = json!({"memory": "30Gi", "nvidia.com/gpu": "1"});
    json!({"class": "GPU", "replicas": replicas, "image": "w:1", "resources": {"limits": limits}})
}

/// A worker with a GPU in `pod`, once the coordinator knows it.
async fn prover(bench: &Bench, pod: &str, shard_elements: u64) -> Joined {
    let worker = Joined::gpu(bench, &[&bench.grpc], pod, shard_elements);
    wait("the worker", || async {
        let workers = bench.coordinator().workers().await;
        workers.iter().any(|w| w.pod == pod).then_some(())
    })
    .await;
    worker
}

/// How many nodes the operator's metrics say that the pool `gpus` leaves out.
fn left_out(bench: &Bench) -> Option<usize> {
    let text = bench.metrics().render();
    let count = text
        .lines()
        .find_map(|line| line.strip_prefix("provost_pool_quarantined_nodes{pool=\"gpus\"} "))?;
    count.parse().ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_gpu_breaks_its_workers_is_left_out() {
    let bench = Bench::new("quarantine").await;
    bench.pool("gpus", gpus(2)).await;
    let mut names = Vec::new();
    let good = one_pod(&bench, "gpus", &names).await.name_any();
    bench.bind_pod(&good, "good").await;
    bench.set_pod_status(&good, ready()).await;
    names.push(good);
    for failures in 1..=3 {
        let pod = one_pod(&bench, "gpus", &names).await;
        assert!(pod.spec.unwrap().affinity.is_none(), "{failures}");
        let name = pod.metadata.name.unwrap();
        bench.bind_pod(&name, "bad").await;
        let _worker = prover(&bench, &name, 0).await;
        bench.set_pod_status(&name, crashed(134)).await;
        names.push(name);
    }
    let pod = one_pod(&bench, "gpus", &names).await;
    let affinity = serde_json::to_value(pod.spec.unwrap().affinity).unwrap();
    let terms = &affinity["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"];
    assert_eq!(
        *terms,
        json!([{"matchFields": [{"key": "metadata.name", "operator": "NotIn", "values": ["bad"]}]}])
    );
    bench.event("gpus", "NodeQuarantined").await;
    let pool = wait("the node in the status", || async {
        let pool = bench.pools().get("gpus").await.unwrap();
        let known = pool.status.iter().any(|s| !s.quarantined_nodes.is_empty());
        known.then_some(pool)
    })
    .await;
    let entry = &pool.status.as_ref().unwrap().quarantined_nodes[0];
    assert_eq!(entry.node, "bad");
    let message = &entry.message;
    let begins = format!("3 workers failed here (3 on GPU {GPU}); the last: ");
    assert!(message.starts_with(&begins), "{message}");
    assert!(message.contains("exit code 134"), "{message}");
    let message = &pool.ready_condition().unwrap().message;
    assert!(message.contains("node bad is left out until"), "{message}");
    assert_eq!(left_out(&bench), Some(1));

    let none = json!({"spec": {"resources": {"limits": {"nvidia.com/gpu": null}}}});
    bench
        .pools()
        .patch("gpus", &PatchParams::default(), &Patch::Merge(none))
        .await
        .unwrap();
    wait("no node is left out without GPUs", || async {
        (left_out(&bench) == Some(0)).then_some(())
    })
    .await;
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_workers_a_program_takes_down_is_not_left_out() {
    let bench = Bench::new("poison").await;
    bench.pool("gpus", gpus(2)).await;
    let good = one_pod(&bench, "gpus", &[]).await.name_any();
    bench.bind_pod(&good, "good").await;
    bench.set_pod_status(&good, ready()).await;
    let mut names = vec![good];
    let _driver = Joined::executor(&bench, &[&bench.grpc], "driver");
    bench.core("poison").await;
    for _ in 0..3 {
        let name = one_pod(&bench, "gpus", &names).await.name_any();
        bench.bind_pod(&name, "bad").await;
        let worker = prover(&bench, &name, 0).await;
        wait("a shard", || async {
            (!worker.shards().is_empty()).then_some(())
        })
        .await;
        bench.set_pod_status(&name, crashed(134)).await;
        names.push(name);
    }
    let request = bench.ended("poison").await;
    let message = request.message();
    assert!(message.contains("on 3 workers"), "{message}");
    one_pod(&bench, "gpus", &names).await;
    wait("that no node is left out", || async {
        (left_out(&bench) == Some(0)).then_some(())
    })
    .await;
    // What crashes without the program's doing counts.
    for _ in 0..3 {
        let name = one_pod(&bench, "gpus", &names).await.name_any();
        bench.bind_pod(&name, "bad").await;
        bench.set_pod_status(&name, crashed(134)).await;
        names.push(name);
    }
    wait("the node", || async {
        (left_out(&bench) == Some(1)).then_some(())
    })
    .await;
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proof_that_begins_before_a_pools_gpus_gets_the_shards_that_those_took_last() {
    let bench = Bench::new("gpus-to-come").await;
    let _cpu = Joined::start(&bench, &[&bench.grpc], "cpu");
    bench.pool("gpus", gpus(1)).await;
    let pod = one_pod(&bench, "gpus", &[]).await.name_any();
    let size = async |name: &str| {
        bench.core(name).await;
        let request = wait("the size of its shards", || async {
            let request = bench.proofs().get(name).await.unwrap();
            let known = request.status.as_ref()?.shard_size.is_some();
            known.then_some(request)
        });
        request.await.status.unwrap().shard_size.unwrap()
    };
    assert_eq!(size("before-any").await, ShardSize::Reduced);

    bench.set_pod_status(&pod, ready()).await;
    let worker = prover(&bench, &pod, FULL).await;
    wait("the pool's shards", || async {
        let pool = bench.pools().get("gpus").await.unwrap();
        let known = pool.status?.shard_size == Some(ShardSize::Full);
        known.then_some(())
    })
    .await;
    bench.set_pod_status(&pod, crashed(134)).await;
    drop(worker);
    let pod = one_pod(&bench, "gpus", &[pod]).await.name_any();
    assert_eq!(size("before-the-next").await, ShardSize::Full);

    // Nobody means to have them any more.
    let now = DeleteParams::default();
    bench.pools().delete("gpus", &now).await.unwrap();
    // The controller manager's part.
    let pods = bench.pods();
    pods.delete(&pod, &now.grace_period(0)).await.unwrap();
    let number = AtomicU32::new(0);
    wait("proofs without them", || {
        let name = format!("without-{}", number.fetch_add(1, Relaxed));
        async move { (size(&name).await == ShardSize::Reduced).then_some(()) }
    })
    .await;
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pool_whose_workers_find_no_gpu_says_so() {
    let bench = Bench::new("no-device").await;
    bench.pool("gpus", json!({"class": "GPU"})).await;
    let pod = one_pod(&bench, "gpus", &[]).await.name_any();
    bench.set_pod_status(&pod, crashed(69)).await;
    bench.event("gpus", "DeviceUnavailable").await;
    let pool = condition(&bench, "gpus", "DeviceUnavailable").await;
    let message = &pool.ready_condition().unwrap().message;
    assert!(message.contains("exit code 69"), "{message}");
    let next = one_pod(&bench, "gpus", std::slice::from_ref(&pod)).await;
    bench.set_pod_status(&next.name_any(), ready()).await;
    condition(&bench, "gpus", "WorkersReady").await;
    bench.close().await;
}
