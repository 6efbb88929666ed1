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
    /// It waits for workers that are on their way.
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
        reason if reason.is_blocking() => Standing::Stuck(wait.to_string()),
        _ => Standing::Fine,
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
        let too_large = explanation(WaitReason::TooLarge {
            class: "GPU",
            largest: 2,
            children: 0,
        });
        assert!(matches!(
            standing(&too_large, &[pool("All", 1)]),
            Standing::Stuck(_)
        ));
    }

    #[test]
    fn waiting_a_turn_is_fine() {
        assert_eq!(
            standing(&explanation(WaitReason::Busy), &[]),
            Standing::Fine
        );
        assert_eq!(standing(&Explanation::default(), &[]), Standing::Fine);
    }
}
