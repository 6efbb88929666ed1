//! Events about objects that cannot be read: their status is not written, since who can read them may have it otherwise.

use std::collections::HashMap;
use std::time::Duration;

use kube::Client;
use kube::api::{Api, ApiResource};
use kube::core::{DynamicObject, ObjectMeta};
use provost_crds::reasons;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::{Kind, Unreadable};
use crate::api::{Events, within};

/// Time after which an object is told of again: events are kept for an hour.
const AGAIN: Duration = Duration::from_secs(1800);

/// Most objects that are told of: a roll-back may leave many, and the metric counts them all.
const MOST: usize = 100;

/// Tells of the objects in the book, while this replica leads.
pub async fn tell<K: Kind>(
    client: Client,
    unreadable: Unreadable<K>,
    events: Events,
    mut leads: watch::Receiver<bool>,
) {
    let mut changes = unreadable.changes();
    let mut told = HashMap::new();
    loop {
        changes.mark_unchanged();
        if *leads.borrow_and_update() {
            let mut objects = unreadable.all();
            objects.truncate(MOST);
            told.retain(|uid, _| objects.iter().any(|o| o.metadata.uid.as_ref() == Some(uid)));
            for object in objects {
                let uid = object.metadata.uid.clone().unwrap_or_default();
                let known: Option<&(String, Instant)> = told.get(&uid);
                if known.is_some_and(|(error, at)| *error == object.error && at.elapsed() < AGAIN) {
                    continue;
                }
                let note = note::<K>(&client, &object.metadata, &object.error).await;
                let bare = K::bare(object.metadata.clone());
                events
                    .warning(&bare, reasons::UNREADABLE, "Watch", &note)
                    .await;
                told.insert(uid, (object.error.clone(), Instant::now()));
            }
        }
        tokio::select! {
            Ok(()) = changes.changed() => {}
            Ok(()) = leads.changed() => {}
            () = sleep(AGAIN) => {}
        }
    }
}

async fn note<K: Kind>(client: &Client, metadata: &ObjectMeta, error: &str) -> String {
    let field = field::<K>(client, metadata).await;
    let what = field.unwrap_or_else(|| error.to_owned());
    format!(
        "{what}: version {} of the operator cannot read this, and leaves the object as it is. Change the field, delete the object, or run a version that can",
        env!("CARGO_PKG_VERSION")
    )
}

/// Which field it is, and why it cannot be read; `None` if the object cannot be looked at, or can be read by now.
async fn field<K: Kind>(client: &Client, metadata: &ObjectMeta) -> Option<String> {
    let (namespace, name) = (metadata.namespace.as_ref()?, metadata.name.as_ref()?);
    let kind = ApiResource::erase::<K>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &kind);
    let object = within("read an object", api.get(name)).await.ok()?;
    let object = serde_json::to_value(object).ok()?;
    let error = serde_path_to_error::deserialize::<_, K>(object).err()?;
    Some(error.to_string())
}
