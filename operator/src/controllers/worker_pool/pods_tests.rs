#![allow(clippy::unwrap_used)]

use super::*;
use k8s_openapi::api::core::v1::EnvVar;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::json;

fn settings() -> WorkerSettings {
    WorkerSettings {
        image: "localhost/provost-worker:dev".into(),
        gpu_image: Some("localhost/provost-worker-gpu:dev".into()),
        coordinator: "http://provost-operator.provost-system:50051".into(),
        store_endpoint: "http://provost-store.provost-system:9000".into(),
        store_bucket: "provost".into(),
        store_region: "us-east-1".into(),
        store_secret: "provost-store".into(),
        store_in_flight_mib: None,
        shards_ahead: None,
        weights: Weights::default(),
    }
}

fn pool(spec: serde_json::Value) -> WorkerPool {
    let mut pool = WorkerPool::new("small", serde_json::from_value(spec).unwrap());
    pool.metadata.namespace = Some("provost-system".into());
    pool.metadata.uid = Some("uid-1".into());
    pool
}

fn value<'a>(pod: &'a Pod, name: &str) -> Option<&'a EnvVar> {
    pod.spec.as_ref().unwrap().containers[0]
        .env
        .as_ref()
        .unwrap()
        .iter()
        .find(|e| e.name == name)
}

#[test]
fn a_pod_meets_the_restricted_profile() {
    let pod = build(
        &pool(json!({"class": "All"})),
        "small-abcde",
        &settings(),
        &[],
    );
    let spec = pod.spec.as_ref().unwrap();
    assert_eq!(spec.automount_service_account_token, Some(false));
    assert_eq!(spec.restart_policy.as_deref(), Some("Never"));
    let security = spec.security_context.as_ref().unwrap();
    assert_eq!(
        (security.run_as_non_root, security.run_as_user),
        (Some(true), Some(65532))
    );
    let container = spec.containers[0].security_context.as_ref().unwrap();
    assert_eq!(container.allow_privilege_escalation, Some(false));
    assert_eq!(container.read_only_root_filesystem, Some(true));
    assert_eq!(
        container
            .capabilities
            .as_ref()
            .unwrap()
            .drop
            .as_ref()
            .unwrap(),
        &["ALL"]
    );
    assert_eq!(
        container.seccomp_profile.as_ref().unwrap().type_,
        "RuntimeDefault"
    );
}

#[test]
fn shared_memory_is_as_large_as_the_limit() {
    let pool = pool(
        json!({"class": "CPU", "resources": {"limits": {"memory": "3Gi"}}, "capacity": 9, "proverPermits": 2}),
    );
    let pod = build(&pool, "small-abcde", &settings(), &[]);
    let volumes = pod.spec.as_ref().unwrap().volumes.as_ref().unwrap();
    let shm = volumes
        .iter()
        .find(|v| v.name == "shm")
        .unwrap()
        .empty_dir
        .as_ref()
        .unwrap();
    assert_eq!(shm.medium.as_deref(), Some("Memory"));
    assert_eq!(shm.size_limit, Some(Quantity("3Gi".into())));
    assert_eq!(
        value(&pod, "PROVOST_CAPACITY").unwrap().value.as_deref(),
        Some("9")
    );
    assert_eq!(
        value(&pod, "PROVOST_PROVER_PERMITS")
            .unwrap()
            .value
            .as_deref(),
        Some("2")
    );
    assert_eq!(
        value(&pod, "PROVOST_CLASS").unwrap().value.as_deref(),
        Some("CPU")
    );
    let memory = value(&pod, "PROVOST_MEMORY_LIMIT_BYTES")
        .unwrap()
        .value_from
        .as_ref()
        .unwrap();
    assert_eq!(
        memory.resource_field_ref.as_ref().unwrap().resource,
        "limits.memory"
    );
}

#[test]
fn without_a_limit_there_is_no_figure_for_it() {
    let pod = build(
        &pool(json!({"class": "All"})),
        "small-abcde",
        &settings(),
        &[],
    );
    assert!(value(&pod, "PROVOST_MEMORY_LIMIT_BYTES").is_none());
}

#[test]
fn a_worker_drains_within_its_grace() {
    let drain = |spec| {
        let pod = build(&pool(spec), "small-abcde", &settings(), &[]);
        let grace = pod.spec.as_ref().unwrap().termination_grace_period_seconds;
        (
            grace,
            value(&pod, "PROVOST_DRAIN_SECONDS")
                .unwrap()
                .value
                .clone()
                .unwrap(),
        )
    };
    assert_eq!(drain(json!({"class": "All"})), (Some(60), "55".into()));
    let short = |seconds| json!({"class": "All", "terminationGracePeriodSeconds": seconds});
    assert_eq!(drain(short(3)), (Some(3), "2".into()));
    assert_eq!(drain(short(0)), (Some(0), "0".into()));
}

#[test]
fn keys_come_from_the_secret_and_user_values_are_literal() {
    let pool =
        pool(json!({"class": "All", "env": [{"name": "X", "value": "$(AWS_SECRET_ACCESS_KEY)"}]}));
    let pod = build(&pool, "small-abcde", &settings(), &[]);
    let key = value(&pod, "AWS_SECRET_ACCESS_KEY")
        .unwrap()
        .value_from
        .as_ref()
        .unwrap()
        .secret_key_ref
        .as_ref()
        .unwrap();
    assert_eq!(
        (key.name.as_str(), key.key.as_str()),
        ("provost-store", "secret-key")
    );
    assert_eq!(
        value(&pod, "X").unwrap().value.as_deref(),
        Some("$$(AWS_SECRET_ACCESS_KEY)")
    );
}

#[test]
fn workers_on_spot_nodes_are_told_so() {
    let said = |spec| {
        let pod = build(&pool(spec), "small-abcde", &settings(), &[]);
        let value = value(&pod, "PROVOST_SPOT")?;
        value.value.clone()
    };
    assert_eq!(said(json!({"class": "All"})), None);
    let set = said(json!({"class": "All", "spot": true}));
    assert_eq!(set.as_deref(), Some("true"));
}

/// A worker of class All has room for one execution and proves with the rest.
#[test]
fn workers_know_what_tasks_weigh() {
    let mut settings = settings();
    settings.weights.core_execute = 12;
    settings.weights.recursion_reduce = 6;
    let pod = build(
        &pool(json!({"class": "All"})),
        "small-abcde",
        &settings,
        &[],
    );
    let unit = |name| value(&pod, name).unwrap().value.as_deref();
    assert_eq!(unit("PROVOST_EXECUTE_UNIT"), Some("13"));
    assert_eq!(unit("PROVOST_PROVE_UNIT"), Some("6"));
    let pod = build(
        &pool(json!({"class": "CPU"})),
        "small-abcde",
        &settings,
        &[],
    );
    assert!(
        value(&pod, "PROVOST_EXECUTE_UNIT").is_none(),
        "it shares nothing"
    );
}

#[test]
fn a_known_answer_is_asked_for_where_the_pool_says_so() {
    let asked = |spec| {
        let pod = build(&pool(spec), "small-abcde", &settings(), &[]);
        let value = value(&pod, "PROVOST_KNOWN_ANSWER")?;
        value.value.clone()
    };
    assert_eq!(asked(json!({"class": "GPU"})), None);
    assert_eq!(asked(json!({"class": "GPU", "knownAnswer": false})), None);
    let set = asked(json!({"class": "GPU", "knownAnswer": true}));
    assert_eq!(set.as_deref(), Some("true"));
}

#[test]
fn the_template_hash_follows_the_template_and_nothing_else() {
    let pool_a = pool(json!({"class": "All"}));
    let pod = build(&pool_a, "small-aaaaa", &settings(), &[]);
    let other = build(&pool_a, "small-bbbbb", &settings(), &[]);
    let annotation =
        |p: &Pod| p.metadata.annotations.as_ref().unwrap()[TEMPLATE_ANNOTATION].clone();
    assert_eq!(annotation(&pod), annotation(&other));
    assert_eq!(annotation(&pod), template_hash(&pool_a, &settings()));
    assert_eq!(
        template_hash(&pool(json!({"class": "All", "replicas": 3})), &settings()),
        annotation(&pod)
    );
    assert_ne!(
        template_hash(&pool(json!({"class": "All", "image": "x"})), &settings()),
        annotation(&pod)
    );
}

#[test]
fn workers_go_where_their_image_runs_unless_the_pool_says_otherwise() {
    let labels = |spec| {
        let pod = build(&pool(spec), "small-abcde", &settings(), &[]);
        let labels = pod.spec.unwrap().node_selector.unwrap();
        let labels = labels
            .into_iter()
            .map(|(key, value)| format!("{key}={value}"));
        labels.collect::<Vec<_>>()
    };
    assert_eq!(
        labels(json!({"class": "CPU"})),
        ["kubernetes.io/arch=amd64", "kubernetes.io/os=linux"]
    );
    let selector = json!({"disk": "fast", "kubernetes.io/arch": "arm64"});
    assert_eq!(
        labels(json!({"class": "CPU", "nodeSelector": selector})),
        [
            "disk=fast",
            "kubernetes.io/arch=arm64",
            "kubernetes.io/os=linux"
        ]
    );
}

#[test]
fn autoscalers_leave_workers_where_they_are() {
    let pool = pool(json!({"class": "All"}));
    let pod = build(&pool, "small-abcde", &settings(), &[]);
    let annotations = pod.annotations();
    assert_eq!(annotations["karpenter.sh/do-not-disrupt"], "true");
    assert_eq!(
        annotations["cluster-autoscaler.kubernetes.io/safe-to-evict"],
        "false"
    );
}

/// Workers of an operator that knew none of these are not replaced for them.
#[test]
fn what_is_added_to_a_pod_is_no_part_of_its_template() {
    let pool = pool(json!({"class": "All"}));
    let pod = build(&pool, "small-abcde", &settings(), &[]);
    let mut spec = pod.spec.clone().unwrap();
    spec.node_selector = None;
    assert_eq!(pod.annotations()[TEMPLATE_ANNOTATION], hash(&spec));
}

#[test]
fn a_pod_belongs_to_its_pool() {
    let pod = build(
        &pool(json!({"class": "All"})),
        "small-abcde",
        &settings(),
        &[],
    );
    assert_eq!(pod.metadata.labels.as_ref().unwrap()[POOL_LABEL], "small");
    let owner = &pod.metadata.owner_references.as_ref().unwrap()[0];
    assert_eq!(
        (owner.kind.as_str(), owner.name.as_str(), owner.controller),
        ("WorkerPool", "small", Some(true))
    );
}

#[test]
fn a_pool_that_asks_for_a_gpu_gets_the_image_for_it() {
    let image = |spec| {
        build(&pool(spec), "small-abcde", &settings(), &[])
            .spec
            .unwrap()
            .containers[0]
            .image
            .clone()
    };
    let gpu = Some("localhost/provost-worker-gpu:dev".to_owned());
    let limit = |name: &str| json!({"class": "GPU", "resources": {"limits": {name: 1}}});
    assert_eq!(image(limit("nvidia.com/gpu")), gpu);
    assert_eq!(image(limit("nvidia.com/mig-3g.40gb")), gpu);
    let claim = json!({"name": "gpu", "resourceClaimTemplateName": "h100"});
    assert_eq!(
        image(json!({"class": "All", "resourceClaims": [claim]})),
        gpu
    );
    // Its class alone says nothing: the other image proves on CPUs.
    assert_eq!(
        image(json!({"class": "GPU"})),
        Some("localhost/provost-worker:dev".to_owned())
    );
    let mut own = limit("nvidia.com/gpu");
    own["image"] = json!("mine");
    assert_eq!(image(own), Some("mine".to_owned()));
}

#[test]
fn without_an_image_for_gpus_a_pool_has_to_name_one() {
    let settings = WorkerSettings {
        gpu_image: None,
        ..settings()
    };
    let gpu = pool(json!({"class": "GPU", "resources": {"limits": {"nvidia.com/gpu": 1}}}));
    assert_eq!(known_image(&gpu, &settings), None);
    assert!(known_image(&pool(json!({"class": "CPU"})), &settings).is_some());
}

#[test]
fn pods_stay_away_from_quarantined_nodes_and_are_not_outdated_by_it() {
    let pool = pool(json!({"class": "GPU"}));
    let entry = |node: &str| QuarantinedNode {
        node: node.to_owned(),
        until: Time(jiff::Timestamp::UNIX_EPOCH),
        message: String::new(),
    };
    let pod = build(&pool, "small-abcde", &settings(), &[entry("a"), entry("b")]);
    let hash = &pod.annotations()[TEMPLATE_ANNOTATION];
    assert_eq!(*hash, template_hash(&pool, &settings()));
    let affinity = pod.spec.unwrap().affinity.unwrap().node_affinity.unwrap();
    let terms = affinity
        .required_during_scheduling_ignored_during_execution
        .unwrap()
        .node_selector_terms;
    // Terms are alternatives: all nodes must be in one.
    assert_eq!(terms.len(), 1);
    let fields = terms[0].match_fields.as_ref().unwrap();
    let fields: Vec<_> = fields
        .iter()
        .map(|f| (&*f.key, &*f.operator, f.values.clone().unwrap()))
        .collect();
    let expected = ["a", "b"].map(|n| ("metadata.name", "NotIn", vec![n.to_owned()]));
    assert_eq!(fields, expected);
    let pod = build(&pool, "small-abcde", &settings(), &[]);
    assert_eq!(pod.spec.unwrap().affinity, None);
}

#[test]
fn claims_and_runtime_class_reach_the_pod() {
    let spec = json!({
        "class": "GPU",
        "runtimeClassName": "nvidia",
        "resourceClaims": [{"name": "gpu", "resourceClaimTemplateName": "h100"}],
    });
    let pod = build(&pool(spec), "small-abcde", &settings(), &[])
        .spec
        .unwrap();
    assert_eq!(pod.runtime_class_name.as_deref(), Some("nvidia"));
    let claims = pod.resource_claims.unwrap();
    assert_eq!(
        claims[0].resource_claim_template_name.as_deref(),
        Some("h100")
    );
    let container = pod.containers[0].resources.as_ref().unwrap();
    assert_eq!(container.claims.as_ref().unwrap()[0].name, "gpu");
    assert_eq!((&container.limits, &container.requests), (&None, &None));
}
