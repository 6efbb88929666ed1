//! Events for people: one recorder for the whole process, since repeats are counted in its cache.

use std::time::Duration;

use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, Resource};
use provost_crds::FIELD_MANAGER;
use tokio::time::timeout;

/// Longest wait for an event to be written. Events are for people: what does not get through is only logged.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Longest note, in bytes: the API takes 1 KiB.
const MAX_NOTE: usize = 1024;

/// Publishes events.
#[derive(Clone)]
pub struct Events {
    recorder: Recorder,
}

impl Events {
    /// Events of this operator, from the pod `instance`.
    pub fn new(client: Client, instance: Option<String>) -> Self {
        Self {
            recorder: Recorder::new(
                client,
                Reporter {
                    controller: FIELD_MANAGER.into(),
                    instance,
                },
            ),
        }
    }

    /// Something that went as it should.
    pub async fn normal(
        &self,
        object: &impl Resource<DynamicType = ()>,
        reason: &str,
        action: &str,
        note: &str,
    ) {
        self.publish(object, EventType::Normal, reason, action, note)
            .await;
    }

    /// Something worth a look.
    pub async fn warning(
        &self,
        object: &impl Resource<DynamicType = ()>,
        reason: &str,
        action: &str,
        note: &str,
    ) {
        self.publish(object, EventType::Warning, reason, action, note)
            .await;
    }

    async fn publish(
        &self,
        object: &impl Resource<DynamicType = ()>,
        kind: EventType,
        reason: &str,
        action: &str,
        note: &str,
    ) {
        let note =
            (!note.is_empty()).then(|| note[..note.floor_char_boundary(MAX_NOTE)].to_owned());
        let event = Event {
            type_: kind,
            reason: reason.into(),
            note,
            action: action.into(),
            secondary: None,
        };
        let reference = object.object_ref(&());
        match timeout(TIMEOUT, self.recorder.publish(&event, &reference)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, reason, object = ?reference.name, "an event was not written")
            }
            Err(_) => {
                tracing::warn!(reason, object = ?reference.name, "an event was not written in time")
            }
        }
    }
}
