//! What a waiting proof waits for, and what would help. Pure.

use std::sync::Arc;

use kube::ResourceExt;
use provost_coordinator::{Explanation, Wait, WaitReason, task_name};
use provost_crds::{PoolClass, WorkerPool};

/// How a proof that the coordinator has stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It runs, or waits its turn.
    Fine,
    /// It waits for workers that are on their way, or for others to end.
    Starting(String),
    /// It waits for something that will not come by itself; names the fix.
    Stuck(String),
}

/// Judges `explanation` by the pools that this operator serves.
pub fn standing(explanation: &Explanation, pools: &[Arc<WorkerPool>]) -> Standing {
    let mut starting = None;
    for wait in &explanation.waits {
        match judge(wait, pools) {
            Standing::Fine => {}
            Standing::Starting(message) => starting = Some(message),
            stuck @ Standing::Stuck(_) => return stuck,
        }
    }
    starting.map_or(Standing::Fine, Standing::Starting)
}

fn judge(wait: &Wait, pools: &[Arc<WorkerPool>]) -> Standing {
    match &wait.reason {
        WaitReason::NoWorker { class } => no_worker(task_name(wait.task_type), class, pools),
        WaitReason::TooLarge {
            class,
            largest,
            children,
        } => {
            let needed = wait.weight.saturating_add(*children);
            Standing::Stuck(format!("{wait}: {}", raise(class, needed, *largest, pools)))
        }
        reason if reason.is_blocking() => Standing::Stuck(wait.to_string()),
        WaitReason::Busy | WaitReason::Behind { .. } | WaitReason::Reserved => {
            Standing::Starting(wait.to_string())
        }
        _ => Standing::Fine,
    }
}

/// The fix for workers that are too small: what a worker holds at rest stays, so that memory and capacity grow alike.
fn raise(class: &str, needed: u32, largest: u32, pools: &[Arc<WorkerPool>]) -> String {
    let fixes = pools.iter().filter(|pool| serves(pool.spec.class, class));
    let fixes: Vec<_> = fixes
        .map(|pool| match pool.spec.capacity {
            Some(_) => format!("spec.capacity of pool {} to {needed}", pool.name_any()),
            None => format!(
                "spec.resources.limits.memory of pool {} by {}Gi",
                pool.name_any(),
                needed.saturating_sub(largest).max(1)
            ),
        })
        .collect();
    match fixes.is_empty() {
        true => format!("create a WorkerPool of class {class} with more memory"),
        false => format!("raise {}", fixes.join(", or ")),
    }
}

fn no_worker(task: &str, class: &str, pools: &[Arc<WorkerPool>]) -> Standing {
    let fitting: Vec<_> = pools
        .iter()
        .filter(|pool| serves(pool.spec.class, class))
        .collect();
    if let Some(pool) = fitting.iter().find(|pool| pool.spec.replicas > 0) {
        let name = pool.name_any();
        let state = pool
            .ready_condition()
            .map_or("", |condition| condition.message.as_str());
        return Standing::Starting(format!(
            "{task} waits for a {class} worker of pool {name} ({state})"
        ));
    }
    Standing::Stuck(match fitting.first() {
        Some(pool) => {
            let (name, namespace) = (pool.name_any(), pool.namespace().unwrap_or_default());
            format!(
                "{task} needs a {class} worker and pool {name} has none: kubectl -n {namespace} scale workerpool {name} --replicas=1"
            )
        }
        None => format!(
            "{task} needs a {class} worker and there is no pool of class {class} or All: create a WorkerPool"
        ),
    })
}

fn serves(pool: PoolClass, class: &str) -> bool {
    pool == PoolClass::All || pool.as_str() == class
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use provost_proto::worker::TaskType;
    use serde_json::json;

    fn pool(class: &str, replicas: i32) -> Arc<WorkerPool> {
        let spec = serde_json::from_value(json!({"class": class, "replicas": replicas})).unwrap();
        Arc::new(WorkerPool::new("workers", spec))
    }

    fn explanation(reason: WaitReason) -> Explanation {
        Explanation {
            waits: vec![Wait {
                task_type: TaskType::ProveShard,
                count: 1,
                weight: 4,
                reason,
            }],
        }
    }

    fn no_gpu() -> Explanation {
        explanation(WaitReason::NoWorker { class: "GPU" })
    }

    #[test]
    fn workers_on_their_way_are_waited_for() {
        let Standing::Starting(message) = standing(&no_gpu(), &[pool("CPU", 1), pool("All", 1)])
        else {
            panic!("not starting")
        };
        assert!(message.contains("pool workers"), "{message}");
    }

    #[test]
    fn what_will_not_come_names_the_fix() {
        let Standing::Stuck(message) = standing(&no_gpu(), &[pool("CPU", 1)]) else {
            panic!("not stuck")
        };
        assert!(message.contains("create a WorkerPool"), "{message}");
        let Standing::Stuck(message) = standing(&no_gpu(), &[pool("GPU", 0)]) else {
            panic!("not stuck")
        };
        assert!(message.contains("scale workerpool workers"), "{message}");
    }

    #[test]
    fn what_is_too_large_names_pool_and_figure() {
        let too_large = |pools: &[_]| {
            let reason = WaitReason::TooLarge {
                class: "GPU",
                largest: 2,
                children: 3,
            };
            match standing(&explanation(reason), pools) {
                Standing::Stuck(message) => message,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(
            too_large(&[pool("All", 1), pool("CPU", 1)]),
            "ProveShard needs weight 4 and 3 more for what it starts, the largest GPU worker has 2: \
             raise spec.resources.limits.memory of pool workers by 5Gi"
        );
        let spec = json!({"class": "GPU", "replicas": 1, "capacity": 2});
        let sized = WorkerPool::new("sized", serde_json::from_value(spec).unwrap());
        let message = too_large(&[Arc::new(sized)]);
        assert!(
            message.ends_with("raise spec.capacity of pool sized to 7"),
            "{message}"
        );
        let message = too_large(&[pool("CPU", 1)]);
        assert!(message.contains("create a WorkerPool"), "{message}");
    }

    #[test]
    fn who_waits_a_turn_is_told_behind_whom() {
        let behind = WaitReason::Behind {
            priority: 5,
            urgent: false,
        };
        let Standing::Starting(message) = standing(&explanation(behind), &[]) else {
            panic!("not waiting")
        };
        assert_eq!(message, "ProveShard waits behind proofs of priority 5");
        assert_eq!(
            standing(&explanation(WaitReason::Parallelism), &[]),
            Standing::Fine
        );
        assert_eq!(standing(&Explanation::default(), &[]), Standing::Fine);
    }
}
