//! Carries a plan out: creates and deletes pods.

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, PostParams};
use provost_crds::{QuarantinedNode, WorkerPool};
use rand::{Rng, RngExt as _};

use super::plan::{Deletion, Plan};
use super::{Context, pods};
use crate::api::{ApiError, within};

/// Letters of a pod's suffix: no vowels, so that no words come out, and none that are easily confused.
const ALPHABET: &[u8] = b"bcdfghjkmnpqrstvwxz2456789";
/// Length of a pod's suffix.
const SUFFIX: usize = 5;
/// Tries to find a name that is free.
const NAMES: usize = 4;

/// Carries out `plan` as far as the API server lets it: a pod that can not be deleted keeps no other from being made. Once one is not made, no more are tried.
/// Returns the last failure.
pub(super) async fn apply(
    pool: &WorkerPool,
    context: &Context,
    plan: &Plan,
    quarantined: &[QuarantinedNode],
) -> Option<Hindered> {
    let api: Api<Pod> = Api::namespaced(context.client.clone(), &context.namespace);
    let mut failed = None;
    for deletion in &plan.delete {
        if let Err(error) = delete(&api, context, deletion).await {
            let text = error.to_string();
            failed = Some(Hindered { error, text });
        }
    }
    for _ in 0..plan.create {
        if let Err((error, name)) = create(&api, pool, context, quarantined).await {
            // The next one has another name: the same status twice is not written twice, and each write is seen and looked into at once.
            let text = error
                .to_string()
                .replace(&name, &format!("{}-...", pool.name_any()));
            failed = Some(Hindered { error, text });
            break;
        }
    }
    failed
}

/// Why a plan was not carried out in full.
pub(super) struct Hindered {
    pub(super) error: ApiError,
    /// The same for people, without names that are made up anew each time.
    pub(super) text: String,
}

async fn create(
    api: &Api<Pod>,
    pool: &WorkerPool,
    context: &Context,
    quarantined: &[QuarantinedNode],
) -> Result<(), (ApiError, String)> {
    let mut tries = 0;
    loop {
        let name = format!("{}-{}", pool.name_any(), suffix(&mut rand::rng()));
        let pod = pods::build(pool, &name, &context.settings, quarantined);
        // Noted first: the watch may show the pod before the answer is here.
        context.fleet.created(&pool.name_any(), &name);
        tries += 1;
        match within(
            "create a worker pod",
            api.create(&PostParams::default(), &pod),
        )
        .await
        {
            Ok(_) => {
                tracing::info!(pool = pool.name_any(), pod = name, "created a worker");
                return Ok(());
            }
            Err(error) => {
                context.fleet.not_created(&pool.name_any(), &name);
                if !error.is_already_exists() || tries == NAMES {
                    return Err((error, name));
                }
            }
        }
    }
}

async fn delete(api: &Api<Pod>, context: &Context, deletion: &Deletion) -> Result<(), ApiError> {
    let params = DeleteParams {
        grace_period_seconds: deletion.grace,
        ..DeleteParams::background()
    };
    match within("delete a worker pod", api.delete(&deletion.name, &params)).await {
        Err(error) if !error.is_not_found() => return Err(error),
        _ => {}
    }
    tracing::info!(pod = deletion.name, "deleted a worker");
    context.fleet.deleted(&deletion.name);
    Ok(())
}

fn suffix(random: &mut impl Rng) -> String {
    (0..SUFFIX)
        .map(|_| char::from(ALPHABET[random.random_range(0..ALPHABET.len())]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes_are_short_and_differ() {
        let (a, b) = (suffix(&mut rand::rng()), suffix(&mut rand::rng()));
        assert_eq!(a.len(), SUFFIX);
        assert_ne!(a, b);
    }
}
