//! Which GPUs the pools mean to have: how large the shards of a proof are follows them. Pure.

use std::collections::BTreeMap;

use kube::Resource as _;
use provost_coordinator::{GpuPools, ShardSize, WorkerView};
use provost_crds::{PoolClass, ShardSize as Shown, WorkerPool};

use super::pods::hash;
use crate::state::shards::recovered;

/// The GPUs of one pool; `None` for one that asks for none, or proves nothing.
pub fn of(pool: &WorkerPool) -> Option<GpuPools> {
    let leaving = pool.meta().deletion_timestamp.is_some();
    let proves = pool.spec.class != PoolClass::Cpu;
    (pool.spec.asks_for_gpu() && proves && !leaving).then(|| GpuPools {
        wanted: pool.spec.replicas > 0,
        shards: remembered(pool).map(recovered),
    })
}

/// The shards that the GPUs took last which the pool asks for.
pub fn remembered(pool: &WorkerPool) -> Option<Shown> {
    let status = pool.status.as_ref()?;
    let same = status.shard_size_for == asked(pool);
    status.shard_size.filter(|_| same)
}

/// A hash of all that decides which GPUs the pool gets.
pub fn asked(pool: &WorkerPool) -> String {
    let spec = &pool.spec;
    let limits = spec.resources.iter().flat_map(|r| &r.limits);
    let limits = limits.filter(|(name, _)| name.starts_with("nvidia.com/"));
    hash(&(
        limits.collect::<BTreeMap<_, _>>(),
        &spec.resource_claims,
        &spec.node_selector,
        &spec.tolerations,
        &spec.runtime_class_name,
    ))
}

/// The GPUs of all pools: of those that ask for workers now, if there are such.
pub fn together(pools: &BTreeMap<String, GpuPools>) -> GpuPools {
    let wanted = pools.values().any(|pool| pool.wanted);
    let counted = pools.values().filter(|pool| pool.wanted == wanted);
    let shards = counted.filter_map(|pool| pool.shards).min();
    GpuPools { wanted, shards }
}

/// The largest shards that the GPUs of all these workers take; `None` without any.
pub fn shards<'a>(workers: impl IntoIterator<Item = &'a WorkerView>) -> Option<ShardSize> {
    let gpus = workers.into_iter().filter(|w| w.device.is_some());
    gpus.map(|worker| worker.shards).min()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use ShardSize::{Full, Reduced};
    use serde_json::{Value, json};

    fn pool(replicas: i32, limits: Value, shards: Option<&str>) -> WorkerPool {
        let spec = json!({"class": "GPU", "replicas": replicas, "resources": {"limits": limits}});
        let mut pool = WorkerPool::new("p", serde_json::from_value(spec).unwrap());
        let status = json!({"shardSize": shards, "shardSizeFor": asked(&pool)});
        pool.status = Some(serde_json::from_value(status).unwrap());
        pool
    }

    fn together(pools: &[(bool, Option<ShardSize>)]) -> (bool, Option<ShardSize>) {
        let pools = pools.iter().enumerate().map(|(number, (wanted, shards))| {
            let (wanted, shards) = (*wanted, *shards);
            (number.to_string(), GpuPools { wanted, shards })
        });
        let all = super::together(&pools.collect());
        (all.wanted, all.shards)
    }

    #[test]
    fn a_pool_has_the_gpus_that_it_asks_for_and_had_last() {
        let one = json!({"nvidia.com/gpu": 1});
        for (pool, wanted, shards) in [
            (pool(2, one.clone(), None), true, None),
            (pool(0, one.clone(), Some("Full")), false, Some(Full)),
            (pool(1, one.clone(), Some("Reduced")), true, Some(Reduced)),
        ] {
            assert_eq!(of(&pool), Some(GpuPools { wanted, shards }));
        }
        for none in [json!({"memory": "1Gi"}), json!({"nvidia.com/gpu": "0"})] {
            assert_eq!(of(&pool(1, none, Some("Full"))), None);
        }
        let mut leaving = pool(1, one, Some("Full"));
        let now = serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap();
        leaving.metadata.deletion_timestamp = Some(now);
        assert_eq!(of(&leaving), None);
    }

    #[test]
    fn what_other_gpus_took_says_nothing() {
        let known = pool(1, json!({"nvidia.com/gpu": 1}), Some("Full"));
        let change = |edit: fn(&mut WorkerPool)| {
            let mut pool = known.clone();
            edit(&mut pool);
            of(&pool).unwrap().shards
        };
        assert_eq!(change(|pool| pool.spec.replicas = 3), Some(Full));
        assert_eq!(
            change(|pool| pool.spec.image = Some("w:2".into())),
            Some(Full)
        );
        let label = |pool: &mut WorkerPool| {
            let product = ("nvidia.com/gpu.product".to_owned(), "NVIDIA-L4".to_owned());
            pool.spec.node_selector.extend([product]);
        };
        assert_eq!(change(label), None);
        let mut idle = known.clone();
        idle.spec.class = PoolClass::Cpu;
        assert_eq!(of(&idle), None);
    }

    #[test]
    fn the_smallest_gpu_of_the_pools_that_ask_for_workers_counts() {
        assert_eq!(together(&[]), (false, None));
        let (full, reduced) = (Some(Full), Some(Reduced));
        assert_eq!(together(&[(true, full), (true, None)]), (true, full));
        assert_eq!(together(&[(true, full), (true, reduced)]), (true, reduced));
        assert_eq!(together(&[(true, full), (false, reduced)]), (true, full));
        assert_eq!(
            together(&[(false, full), (false, reduced)]),
            (false, reduced)
        );
        assert_eq!(together(&[(true, None), (false, reduced)]), (true, None));
    }
}
