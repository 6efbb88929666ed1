//! Builds the pod of a worker. Pure: the name is an argument.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use k8s_openapi::api::core::v1::{
    Affinity, Capabilities, Container, ContainerPort, EmptyDirVolumeSource, HTTPGetAction,
    NodeAffinity, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, Pod, PodResourceClaim,
    PodSecurityContext, PodSpec, Probe, ResourceClaim, ResourceRequirements, SeccompProfile,
    SecurityContext, Toleration, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::{Resource, ResourceExt};
use provost_coordinator::Weights;
use provost_crds::{DeviceClaim, POOL_LABEL, QuarantinedNode, WorkerPool};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::env;
use crate::pods::classify::CONTAINER;

/// Annotation with the hash of everything that a pod was built from, to find outdated pods.
pub const TEMPLATE_ANNOTATION: &str = "provost.dev/template";
/// Port of the worker's /healthz, /readyz and /status.
pub const WORKER_PORT: i32 = 9090;
/// Grace of a worker where the pool says nothing, in seconds: time to hand back tasks and flush results.
pub const DEFAULT_GRACE_SECONDS: i64 = 60;
/// Seconds that a worker stays on a node that is not ready or unreachable.
const NODE_TOLERATION_SECONDS: i64 = 30;
/// User and group of the worker.
const UID: i64 = 65532;
/// Labels that a node must have unless the pool says otherwise: the images are for these machines alone.
const NODE_LABELS: [(&str, &str); 2] = [
    ("kubernetes.io/arch", "amd64"),
    ("kubernetes.io/os", "linux"),
];
/// Annotations that keep autoscalers from moving a worker to save a node: what it proves would begin again elsewhere.
const STAYS: [(&str, &str); 2] = [
    ("karpenter.sh/do-not-disrupt", "true"),
    ("cluster-autoscaler.kubernetes.io/safe-to-evict", "false"),
];

/// What every worker is told about its surroundings.
#[derive(Debug, Clone)]
pub struct WorkerSettings {
    /// Image of workers whose pool names none.
    pub image: String,
    /// The same for pools that ask for a GPU.
    pub gpu_image: Option<String>,
    /// URL of the coordinator's gRPC service.
    pub coordinator: String,
    /// URL of the artifact store.
    pub store_endpoint: String,
    /// Bucket of the store.
    pub store_bucket: String,
    /// Region of the store.
    pub store_region: String,
    /// Secret with the keys `access-key` and `secret-key`.
    pub store_secret: String,
    /// Most MiB that a worker may have on their way to and from the store; `None` for its own default.
    pub store_in_flight_mib: Option<NonZeroU32>,
    /// Most shards of an execution that wait in the store to be proven; `None` for the worker's own default.
    pub shards_ahead: Option<NonZeroU32>,
    /// What tasks weigh, in GiB.
    pub weights: Weights,
}

/// Labels that select the pods of a pool.
pub fn selector(pool: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(POOL_LABEL.to_owned(), pool.to_owned())])
}

/// The pod `name` of `pool`, for any node but those that are quarantined.
pub fn build(
    pool: &WorkerPool,
    name: &str,
    settings: &WorkerSettings,
    quarantined: &[QuarantinedNode],
) -> Pod {
    let pool_name = pool.name_any();
    let mut spec = spec(pool, settings);
    // Where it may run, besides what the pool says, is no matter of the template: pods do not become outdated by it.
    let template = hash(&spec);
    spec.node_selector = Some(node_selector(pool));
    spec.affinity = away_from(quarantined);
    let mut labels = selector(&pool_name);
    labels.extend(owned([
        ("app.kubernetes.io/name", "provost"),
        ("app.kubernetes.io/component", "worker"),
        ("app.kubernetes.io/part-of", "provost"),
        ("app.kubernetes.io/managed-by", "provost-operator"),
    ]));
    Pod {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            namespace: pool.namespace(),
            labels: Some(labels),
            annotations: Some(annotations(template)),
            owner_references: pool.controller_owner_ref(&()).map(|owner| vec![owner]),
            ..ObjectMeta::default()
        },
        spec: Some(spec),
        status: None,
    }
}

/// What is noted at a pod. No part of the template: pods do not become outdated by it.
fn annotations(template: String) -> BTreeMap<String, String> {
    let mut annotations = owned(STAYS);
    annotations.insert(TEMPLATE_ANNOTATION.to_owned(), template);
    annotations
}

/// The labels that a node must have: those of the pool, and Provost's own where the pool does not name them.
fn node_selector(pool: &WorkerPool) -> BTreeMap<String, String> {
    let mut labels = owned(NODE_LABELS);
    labels.extend(pool.spec.node_selector.clone());
    labels
}

fn owned<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    BTreeMap::from(pairs.map(|(key, value)| (key.to_owned(), value.to_owned())))
}

fn away_from(nodes: &[QuarantinedNode]) -> Option<Affinity> {
    if nodes.is_empty() {
        return None;
    }
    // By the node's own name: a label may be missing or wrong.
    let names = NodeSelectorRequirement {
        key: "metadata.name".into(),
        operator: "NotIn".into(),
        values: None,
    };
    let each = nodes.iter().map(|entry| NodeSelectorRequirement {
        values: Some(vec![entry.node.clone()]),
        ..names.clone()
    });
    let term = NodeSelectorTerm {
        match_fields: Some(each.collect()),
        match_expressions: None,
    };
    Some(Affinity {
        node_affinity: Some(NodeAffinity {
            required_during_scheduling_ignored_during_execution: Some(NodeSelector {
                node_selector_terms: vec![term],
            }),
            ..NodeAffinity::default()
        }),
        ..Affinity::default()
    })
}

/// Hash of the pod template of `pool`: pods with another one are outdated.
pub fn template_hash(pool: &WorkerPool, settings: &WorkerSettings) -> String {
    hash(&spec(pool, settings))
}

/// A short hash of what a user asks for, to tell when that changes.
pub(super) fn hash(asked: &impl Serialize) -> String {
    // What comes here always serialises; should it not, it counts as never changed.
    let json = serde_json::to_vec(asked).unwrap_or_default();
    hex::encode(&Sha256::digest(json)[..8])
}

fn spec(pool: &WorkerPool, settings: &WorkerSettings) -> PodSpec {
    PodSpec {
        containers: vec![container(pool, settings)],
        restart_policy: Some("Never".into()),
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        node_selector: (!pool.spec.node_selector.is_empty())
            .then(|| pool.spec.node_selector.clone()),
        tolerations: Some(tolerations(pool)),
        runtime_class_name: pool.spec.runtime_class_name.clone(),
        resource_claims: claims(pool, |claim| PodResourceClaim {
            name: claim.name.clone(),
            resource_claim_template_name: Some(claim.resource_claim_template_name.clone()),
            resource_claim_name: None,
        }),
        termination_grace_period_seconds: Some(grace(pool)),
        security_context: Some(PodSecurityContext {
            run_as_non_root: Some(true),
            run_as_user: Some(UID),
            run_as_group: Some(UID),
            fs_group: Some(UID),
            seccomp_profile: Some(SeccompProfile {
                type_: "RuntimeDefault".into(),
                localhost_profile: None,
            }),
            ..PodSecurityContext::default()
        }),
        volumes: Some(vec![
            Volume {
                name: "shm".into(),
                empty_dir: Some(EmptyDirVolumeSource {
                    medium: Some("Memory".into()),
                    size_limit: memory_limit(pool),
                }),
                ..Volume::default()
            },
            Volume {
                name: "tmp".into(),
                empty_dir: Some(EmptyDirVolumeSource::default()),
                ..Volume::default()
            },
        ]),
        ..PodSpec::default()
    }
}

fn container(pool: &WorkerPool, settings: &WorkerSettings) -> Container {
    Container {
        name: CONTAINER.into(),
        image: Some(image(pool, settings)),
        image_pull_policy: Some("IfNotPresent".into()),
        env: Some(env::build(pool, settings)),
        ports: Some(vec![ContainerPort {
            name: Some("http".into()),
            container_port: WORKER_PORT,
            ..ContainerPort::default()
        }]),
        readiness_probe: Some(readiness()),
        resources: resources(pool),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            read_only_root_filesystem: Some(true),
            run_as_non_root: Some(true),
            capabilities: Some(Capabilities {
                add: None,
                drop: Some(vec!["ALL".into()]),
            }),
            seccomp_profile: Some(SeccompProfile {
                type_: "RuntimeDefault".into(),
                localhost_profile: None,
            }),
            ..SecurityContext::default()
        }),
        termination_message_policy: Some("FallbackToLogsOnError".into()),
        volume_mounts: Some(vec![
            VolumeMount {
                name: "shm".into(),
                mount_path: "/dev/shm".into(),
                ..VolumeMount::default()
            },
            VolumeMount {
                name: "tmp".into(),
                mount_path: "/tmp".into(),
                ..VolumeMount::default()
            },
        ]),
        ..Container::default()
    }
}

fn resources(pool: &WorkerPool) -> Option<ResourceRequirements> {
    let claims = claims(pool, |claim| ResourceClaim {
        name: claim.name.clone(),
        request: None,
    });
    let resources = pool.spec.resources.as_ref();
    (resources.is_some() || claims.is_some()).then(|| ResourceRequirements {
        limits: resources.map(|r| r.limits.clone()),
        requests: resources
            .map(|r| r.requests.clone())
            .filter(|requests| !requests.is_empty()),
        claims,
    })
}

fn claims<T>(pool: &WorkerPool, of: impl Fn(&DeviceClaim) -> T) -> Option<Vec<T>> {
    let claims = &pool.spec.resource_claims;
    (!claims.is_empty()).then(|| claims.iter().map(of).collect())
}

fn readiness() -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some("/readyz".into()),
            port: IntOrString::Int(WORKER_PORT),
            ..HTTPGetAction::default()
        }),
        period_seconds: Some(2),
        timeout_seconds: Some(2),
        failure_threshold: Some(5),
        ..Probe::default()
    }
}

fn tolerations(pool: &WorkerPool) -> Vec<Toleration> {
    let mut tolerations = pool.spec.tolerations.clone();
    for key in [
        "node.kubernetes.io/not-ready",
        "node.kubernetes.io/unreachable",
    ] {
        if !tolerations.iter().any(|t| t.key.as_deref() == Some(key)) {
            tolerations.push(Toleration {
                key: Some(key.into()),
                operator: Some("Exists".into()),
                effect: Some("NoExecute".into()),
                toleration_seconds: Some(NODE_TOLERATION_SECONDS),
                value: None,
            });
        }
    }
    tolerations
}

/// The image of the workers of `pool`; `None` if there is none for its GPUs.
pub fn known_image<'a>(pool: &'a WorkerPool, settings: &'a WorkerSettings) -> Option<&'a str> {
    let default = match pool.spec.asks_for_gpu() {
        true => settings.gpu_image.as_deref(),
        false => Some(settings.image.as_str()),
    };
    pool.spec.image.as_deref().or(default)
}

pub(super) fn image(pool: &WorkerPool, settings: &WorkerSettings) -> String {
    known_image(pool, settings).unwrap_or_default().to_owned()
}

pub(super) fn grace(pool: &WorkerPool) -> i64 {
    pool.spec
        .termination_grace_period_seconds
        .unwrap_or(DEFAULT_GRACE_SECONDS)
}

pub(super) fn memory_limit(pool: &WorkerPool) -> Option<Quantity> {
    pool.spec.resources.as_ref()?.limits.get("memory").cloned()
}

#[cfg(test)]
#[path = "pods_tests.rs"]
mod tests;
