//! Writes of a status subresource: from the newest known object, with its resourceVersion as precondition, and only if something changes.

use std::fmt::Debug;

use kube::api::{Api, Patch, PatchParams};
use kube::{Resource, ResourceExt};
use provost_crds::FIELD_MANAGER;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::call::{ApiError, within};
use super::diff::merge_patch;

/// Conflicts in a row after which a write is given up; the next reconcile starts over.
const MAX_CONFLICTS: usize = 8;

/// What became of a write.
#[derive(Debug, Clone)]
pub enum Written<K> {
    /// Written; the objects before and after.
    Changed {
        /// The object that the new status was computed from.
        before: Box<K>,
        /// The object as the server holds it now.
        after: Box<K>,
    },
    /// The status was that already.
    Same,
    /// The object is gone, or another one bears its name.
    Gone,
}

/// Computes a status from the newest object with `next` and writes it. Starts from `known`, if given, and reads the object anew
/// whenever the server tells that it has changed. `uid` guards against an object of the same name that was created since.
///
/// # Errors
/// The API server fails, or the object keeps changing.
pub async fn write<K, S>(
    api: &Api<K>,
    name: &str,
    uid: &str,
    known: Option<K>,
    next: impl Fn(&K) -> S,
    status: impl Fn(&K) -> Option<&S>,
) -> Result<Written<K>, ApiError>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug,
    S: Serialize + PartialEq,
{
    let mut base = known.filter(|object| object.uid().as_deref() == Some(uid));
    let mut conflicts = 0;
    loop {
        let object = match base.take() {
            Some(object) => object,
            None => match within("read an object", api.get_opt(name)).await? {
                Some(object) if object.uid().as_deref() == Some(uid) => object,
                _ => return Ok(Written::Gone),
            },
        };
        let new = next(&object);
        let Some(patch) = patch(&object, status(&object), &new) else {
            return Ok(Written::Same);
        };
        let params = PatchParams {
            field_manager: Some(FIELD_MANAGER.into()),
            ..PatchParams::default()
        };
        match within(
            "write a status",
            api.patch_status(name, &params, &Patch::Merge(&patch)),
        )
        .await
        {
            Ok(after) => {
                return Ok(Written::Changed {
                    before: Box::new(object),
                    after: Box::new(after),
                });
            }
            Err(error) if error.is_not_found() => return Ok(Written::Gone),
            Err(error) if error.is_conflict() && conflicts < MAX_CONFLICTS => conflicts += 1,
            Err(error) => return Err(error),
        }
    }
}

fn patch<K: Resource, S: Serialize + PartialEq>(
    object: &K,
    old: Option<&S>,
    new: &S,
) -> Option<Value> {
    if old == Some(new) {
        return None;
    }
    // A status always serialises; should it not, nothing is written.
    let old = old
        .and_then(|old| serde_json::to_value(old).ok())
        .unwrap_or_else(|| json!({}));
    let status = merge_patch(&old, &serde_json::to_value(new).ok()?)?;
    Some(
        json!({ "metadata": { "resourceVersion": object.meta().resource_version }, "status": status }),
    )
}
