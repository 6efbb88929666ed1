//! The environment of a worker. Pure.

use k8s_openapi::api::core::v1::{
    EnvVar, EnvVarSource, ObjectFieldSelector, ResourceFieldSelector, SecretKeySelector,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use provost_coordinator::Weights;
use provost_crds::{PoolClass, WorkerPool};

use super::pods::{WorkerSettings, grace, memory_limit};
use crate::pods::classify::CONTAINER;
use crate::secrets::{ACCESS_KEY, SECRET_KEY};

/// Part of the grace that a worker gets to hand back what it has not finished, in seconds; half of a short one.
const HAND_BACK_SECONDS: i64 = 5;

/// The environment of the workers of `pool`.
pub(super) fn build(pool: &WorkerPool, settings: &WorkerSettings) -> Vec<EnvVar> {
    let spec = &pool.spec;
    let mut env = vec![
        field("POD_NAME", "metadata.name"),
        field("POD_UID", "metadata.uid"),
        field("POD_NAMESPACE", "metadata.namespace"),
        literal("PROVOST_CLASS", spec.class.as_str()),
        literal("PROVOST_COORDINATOR", &settings.coordinator),
        literal("PROVOST_STORE_ENDPOINT", &settings.store_endpoint),
        literal("PROVOST_STORE_BUCKET", &settings.store_bucket),
        literal("PROVOST_STORE_REGION", &settings.store_region),
        secret("AWS_ACCESS_KEY_ID", &settings.store_secret, ACCESS_KEY),
        secret("AWS_SECRET_ACCESS_KEY", &settings.store_secret, SECRET_KEY),
    ];
    // What a worker has not finished by then it hands back itself, before it is killed.
    let grace = grace(pool);
    let drain = grace - HAND_BACK_SECONDS.min(grace / 2);
    env.push(literal("PROVOST_DRAIN_SECONDS", drain.to_string()));
    // Without a limit the downward API would answer with the node's memory, which other pods share.
    if memory_limit(pool).is_some() {
        env.push(memory_env());
    }
    env.extend(
        spec.capacity
            .map(|capacity| literal("PROVOST_CAPACITY", capacity.to_string())),
    );
    env.extend(
        spec.prover_permits
            .map(|permits| literal("PROVOST_PROVER_PERMITS", permits.to_string())),
    );
    if spec.known_answer {
        env.push(literal("PROVOST_KNOWN_ANSWER", "true"));
    }
    env.extend(units(spec.class, &settings.weights));
    if spec.spot {
        env.push(literal("PROVOST_SPOT", "true"));
    }
    let in_flight = settings.store_in_flight_mib;
    env.extend(in_flight.map(|mib| literal("PROVOST_STORE_IN_FLIGHT_MIB", mib.to_string())));
    let ahead = settings.shards_ahead;
    env.extend(ahead.map(|shards| literal("PROVOST_SHARDS_AHEAD", shards.to_string())));
    env.extend(spec.env.iter().map(|e| literal(&e.name, &e.value)));
    env
}

/// What tasks weigh, as far as a worker of the class shares its memory by it.
fn units(class: PoolClass, weights: &Weights) -> Vec<EnvVar> {
    let execute = (weights.controller + weights.core_execute).max(weights.execute_only);
    let proving = [
        weights.setup_vkey,
        weights.prove_shard,
        weights.recursion_deferred,
        weights.recursion_reduce,
        weights.shrink_wrap,
    ];
    let prove = proving.into_iter().max().unwrap_or_default();
    let execute = literal("PROVOST_EXECUTE_UNIT", execute.to_string());
    let prove = literal("PROVOST_PROVE_UNIT", prove.to_string());
    match class {
        PoolClass::Cpu => vec![],
        PoolClass::Gpu => vec![prove],
        PoolClass::All => vec![execute, prove],
    }
}

fn memory_env() -> EnvVar {
    let resource = ResourceFieldSelector {
        container_name: Some(CONTAINER.into()),
        divisor: Some(Quantity("1".into())),
        resource: "limits.memory".into(),
    };
    EnvVar {
        name: "PROVOST_MEMORY_LIMIT_BYTES".into(),
        value_from: Some(EnvVarSource {
            resource_field_ref: Some(resource),
            ..EnvVarSource::default()
        }),
        ..EnvVar::default()
    }
}

fn literal(name: &str, value: impl AsRef<str>) -> EnvVar {
    EnvVar {
        name: name.into(),
        value: Some(escape(value.as_ref())),
        value_from: None,
    }
}

/// What the kubelet makes `value` of: it puts variables in the place of `$(NAME)`, and one dollar in the place of two. A dollar before
/// anything else would stay, but older kubelets damage a letter beyond ASCII after it: so each is doubled.
fn escape(value: &str) -> String {
    value.replace('$', "$$")
}

fn field(name: &str, path: &str) -> EnvVar {
    let field = ObjectFieldSelector {
        api_version: Some("v1".into()),
        field_path: path.into(),
    };
    EnvVar {
        name: name.into(),
        value_from: Some(EnvVarSource {
            field_ref: Some(field),
            ..EnvVarSource::default()
        }),
        ..EnvVar::default()
    }
}

fn secret(name: &str, secret: &str, key: &str) -> EnvVar {
    let selector = SecretKeySelector {
        name: secret.into(),
        key: key.into(),
        optional: None,
    };
    EnvVar {
        name: name.into(),
        value_from: Some(EnvVarSource {
            secret_key_ref: Some(selector),
            ..EnvVarSource::default()
        }),
        ..EnvVar::default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What the kubelet makes of a value where every variable is set to `secret`: `Expand` of Kubernetes'
    /// `third_party/forked/golang/expansion`.
    fn expand(value: &str) -> String {
        let mut expanded = String::new();
        let mut rest = value;
        while let Some((before, after)) = rest.split_once('$') {
            expanded.push_str(before);
            if let Some(escaped) = after.strip_prefix('$') {
                expanded.push('$');
                rest = escaped;
            } else if let Some((_name, beyond)) = after
                .strip_prefix('(')
                .and_then(|name| name.split_once(')'))
            {
                expanded.push_str("secret");
                rest = beyond;
            } else {
                // The letter after it is copied too, whatever it is.
                let letter = after.chars().next().map_or(0, char::len_utf8);
                expanded.push('$');
                expanded.push_str(&after[..letter]);
                rest = &after[letter..];
            }
        }
        expanded + rest
    }

    #[test]
    fn the_expansion_is_that_of_kubernetes() {
        for (value, expanded) in [
            ("$(X)", "secret"),
            ("a$(X)b$(Y)", "asecretbsecret"),
            ("$$(X)", "$(X)"),
            ("$$$(X)", "$secret"),
            ("$$", "$"),
            ("$", "$"),
            ("$x", "$x"),
            ("$(X", "$(X"),
            ("a$", "a$"),
            ("$é", "$é"),
            ("$($(X)", "secret"),
            ("$$$$$$$(X)", "$$$secret"),
            ("$(X)___$(", "secret___$("),
        ] {
            assert_eq!(expand(value), expanded, "{value}");
        }
    }

    #[test]
    fn every_value_reaches_the_worker_as_it_was_written() {
        for value in [
            "", "plain", "$(X)", "$$(X)", "$$$(X)", "$$", "$$$", "$", "$x", "$(X", "5$", "$é",
            "a$$b$(c",
        ] {
            assert_eq!(expand(&escape(value)), value);
        }
    }

    proptest! {
        #[test]
        fn any_value_reaches_the_worker_as_it_was_written(value in "([$()]|[A-Zé]|\\PC){0,12}") {
            prop_assert_eq!(expand(&escape(&value)), value);
        }
    }
}
