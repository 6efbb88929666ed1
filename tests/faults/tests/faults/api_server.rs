//! An API server that is away, silent, slow, or has enough.

use std::time::Duration;

use k8s_openapi::api::flowcontrol::v1::{FlowSchema, PriorityLevelConfiguration};
use kube::Api;
use provost_faults::api::create;
use provost_faults::promises::now;
use provost_faults::proof::Shape;
use provost_faults::scenario::Scenario;
use provost_faults::world::World;
use serde_json::json;

/// The scenarios.
pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "api_server_down_for_a_minute",
            "API server refuses, 60 s",
            async |world| {
                world.prove("p", &Shape::shards(200, 1500)).await;
                world.begun("PROVE_SHARD", 4).await;
                world.strikes();
                world
                    .replicas
                    .iter()
                    .for_each(|replica| replica.api.refuse());
                tokio::time::sleep(Duration::from_secs(30)).await;
                let before = world.executions().starts("PROVE_SHARD").count();
                tokio::time::sleep(Duration::from_secs(30)).await;
                let after = world.executions().starts("PROVE_SHARD").count();
                assert!(
                    after > before,
                    "the leader goes on without the API server: {before} -> {after}"
                );
                world.recovers().await;
                world.replicas.iter().for_each(|replica| replica.api.heal());
                world.succeeds("p").await;
            },
        ),
        Scenario::new(
            "api_server_hangs",
            "API server silent, 12 s",
            async |world| {
                world.prove("p", &Shape::shards(40, 1000)).await;
                world.begun("PROVE_SHARD", 4).await;
                world.strikes();
                world.replicas.iter().for_each(|replica| replica.api.hold());
                world.recovers().await;
                tokio::time::sleep(Duration::from_secs(12)).await;
                world.replicas.iter().for_each(|replica| replica.api.heal());
                world.succeeds("p").await;
            },
        ),
        Scenario::new(
            "api_server_away_when_a_proof_ends",
            "API server refuses, 8 s",
            async |world| {
                world
                    .fault_everywhere(
                        &json!({"do": "wait", "at": "report", "task": "CONTROLLER", "ms": 2500}),
                    )
                    .await;
                world.prove("p", &Shape::shards(6, 100)).await;
                world.struck(1).await;
                world.strikes();
                world
                    .replicas
                    .iter()
                    .for_each(|replica| replica.api.refuse());
                tokio::time::sleep(Duration::from_secs(8)).await;
                assert!(!world.proof("p").await.terminal());
                let back = now();
                world.replicas.iter().for_each(|replica| replica.api.heal());
                world.succeeds("p").await;
                world.recovered();
                // Its worker is told so only once it is written; by a leader that found it written, that nobody asks any more.
                let told = world
                    .noted("the Controller's end", |all| {
                        all.ends("CONTROLLER").next().cloned()
                    })
                    .await;
                assert!(told.ms >= back, "{} ms too early", back - told.ms);
            },
        ),
        Scenario::new(
            "watches_dropped",
            "all connections to the API server reset, 10 times",
            async |world| {
                world.prove("p", &Shape::shards(30, 500)).await;
                world.begun("PROVE_SHARD", 2).await;
                world.strikes();
                for i in 0..10 {
                    world
                        .replicas
                        .iter()
                        .for_each(|replica| replica.api.reset());
                    world.prove(&format!("p{i}"), &Shape::shards(2, 50)).await;
                    tokio::time::sleep(Duration::from_millis(300)).await;
                }
                world.recovers().await;
                for i in 0..10 {
                    world.succeeds(&format!("p{i}")).await;
                }
                world.succeeds("p").await;
            },
        ),
        Scenario::new(
            "etcd_slow",
            "each way to the API server takes 250 ms longer",
            async |world| {
                world.strikes();
                world
                    .replicas
                    .iter()
                    .for_each(|replica| replica.api.slow(Duration::from_millis(250)));
                for i in 0..3 {
                    world.prove(&format!("p{i}"), &Shape::shards(10, 300)).await;
                }
                world.recovers().await;
                for i in 0..3 {
                    world.succeeds(&format!("p{i}")).await;
                }
                world.replicas.iter().for_each(|replica| replica.api.heal());
            },
        ),
        Scenario::new(
            "api_server_refuses_with_429",
            "no seats for the operator, 10 s",
            async |world| {
                world.prove("p", &Shape::shards(40, 500)).await;
                world.begun("PROVE_SHARD", 4).await;
                world.strikes();
                let limit = Limit::set(world).await;
                world.recovers().await;
                let before = world.executions().starts("PROVE_SHARD").count();
                tokio::time::sleep(Duration::from_secs(10)).await;
                let during = world.executions().starts("PROVE_SHARD").count();
                assert!(during > before, "dispatch does not wait for the API server");
                let (leader, _) = world.term().await;
                let refused = "provost_api_responses_total{code=\"429\"}";
                assert!(world.replicas[leader].metric(refused).await > 0.0);
                limit.lift().await;
                world.succeeds("p").await;
            },
        ),
        Scenario::new(
            "requests_made_while_the_api_server_is_away_to_the_operator",
            "API server refuses the operator, 5 s",
            async |world| {
                world.strikes();
                world
                    .replicas
                    .iter()
                    .for_each(|replica| replica.api.refuse());
                world.prove("p", &Shape::shards(6, 100)).await;
                tokio::time::sleep(Duration::from_secs(5)).await;
                world.replicas.iter().for_each(|replica| replica.api.heal());
                world.recovers().await;
                world.succeeds("p").await;
            },
        ),
    ]
}

/// The API server's own limit for the scenario's operator: no request of it is served.
struct Limit {
    flows: Api<FlowSchema>,
    levels: Api<PriorityLevelConfiguration>,
    name: String,
}

impl Limit {
    async fn set(world: &World) -> Self {
        let client = world.api.client.clone();
        let limit = Self {
            flows: Api::all(client.clone()),
            levels: Api::all(client),
            name: world.api.namespace.clone(),
        };
        let limited = json!({"nominalConcurrencyShares": 0, "lendablePercent": 0, "borrowingLimitPercent": 0,
            "limitResponse": {"type": "Reject"}});
        create(&limit.levels, json!({"metadata": {"name": limit.name}, "spec": {"type": "Limited", "limited": limited}})).await;
        let account = json!({"kind": "ServiceAccount",
            "serviceAccount": {"name": "provost-operator", "namespace": world.api.namespace}});
        let rule = json!({"subjects": [account], "resourceRules": [{
            "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "namespaces": ["*"], "clusterScope": true}]});
        let spec = json!({"priorityLevelConfiguration": {"name": limit.name}, "matchingPrecedence": 2, "rules": [rule]});
        create(
            &limit.flows,
            json!({"metadata": {"name": limit.name}, "spec": spec}),
        )
        .await;
        limit
    }

    async fn lift(&self) {
        self.flows
            .delete(&self.name, &Default::default())
            .await
            .unwrap();
        self.levels
            .delete(&self.name, &Default::default())
            .await
            .unwrap();
    }
}
