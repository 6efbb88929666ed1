//! The leader's label on this replica's pod: the Service, and with it clients, find the leader by it.

use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use kube::api::{Api, Patch, PatchParams};
use provost_crds::LEADER_LABEL;
use serde_json::json;
use tokio::sync::watch;

use crate::api::{ApiError, within};
use crate::controllers::backoff::Backoffs;

/// Keeps the label on a pod.
pub struct Label {
    /// The API server.
    pub client: Client,
    /// Namespace of the pod.
    pub namespace: String,
    /// Name of the pod.
    pub pod: String,
}

impl Label {
    /// Makes the label say whether this replica leads, and tries until it does, however long the API server is away: without the
    /// label nobody finds the leader, and where a process before this one led it would lead them astray. One write at a time, so
    /// that an old one never undoes a new one. Ends when the sender of `leads` is gone.
    pub async fn keep(self, mut leads: watch::Receiver<bool>) {
        let backoffs = Backoffs::default();
        loop {
            let leader = *leads.borrow_and_update();
            let wait = match self.write(leader).await {
                Ok(()) => None,
                Err(error) if error.is_not_found() => {
                    tracing::warn!(
                        pod = self.pod,
                        "there is no such pod to label as the leader's"
                    );
                    None
                }
                Err(error) => {
                    let wait = backoffs.failed((), rand::random());
                    tracing::warn!(leader, reason = error.reason(), %error, retry_in = ?wait, "the pod's label could not be written");
                    Some(wait)
                }
            };
            let changed = match wait {
                Some(wait) => tokio::time::timeout(wait, leads.changed()).await,
                None => {
                    backoffs.clear(&());
                    Ok(leads.changed().await)
                }
            };
            if matches!(changed, Ok(Err(_))) {
                return;
            }
        }
    }

    async fn write(&self, leader: bool) -> Result<(), ApiError> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let value = leader.then_some("true");
        let patch = Patch::Merge(json!({"metadata": {"labels": {LEADER_LABEL: value}}}));
        let params = PatchParams::default();
        within(
            "label the leader's pod",
            pods.patch(&self.pod, &params, &patch),
        )
        .await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::VecDeque;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use kube::client::Body;
    use serde_json::Value;

    use super::*;

    /// An API server that gives these answers, one after the other, then success, and tells what label each patch asked for.
    #[derive(Clone)]
    struct Server {
        answers: Arc<Mutex<VecDeque<u16>>>,
        asked: watch::Sender<Vec<Value>>,
    }

    impl Server {
        fn new(answers: &[u16]) -> Self {
            Self {
                answers: Arc::new(Mutex::new(answers.iter().copied().collect())),
                asked: watch::Sender::default(),
            }
        }

        fn label(&self) -> Label {
            let server = self.clone();
            let service = tower::service_fn(move |request: http::Request<Body>| {
                let server = server.clone();
                async move {
                    assert_eq!(request.uri().path(), "/api/v1/namespaces/ns/pods/p");
                    let body = request.into_body().collect_bytes().await.unwrap();
                    let body: Value = serde_json::from_slice(&body).unwrap();
                    let code = server.answers.lock().unwrap().pop_front().unwrap_or(200);
                    let label = body["metadata"]["labels"][LEADER_LABEL].clone();
                    server.asked.send_modify(|asked| asked.push(label));
                    let answer = match code {
                        200 => json!({"metadata": {"name": "p"}}),
                        _ => json!({
                            "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code,
                            "message": "not now", "reason": if code == 404 { "NotFound" } else { "InternalError" },
                        }),
                    };
                    let answer = Body::from(answer.to_string().into_bytes());
                    let answer = http::Response::builder().status(code).body(answer);
                    Ok::<_, std::convert::Infallible>(answer.unwrap())
                }
            });
            Label {
                client: Client::new(service, "ns"),
                namespace: "ns".into(),
                pod: "p".into(),
            }
        }

        /// Waits until as many patches were asked for, and lets an hour pass in which there could be more.
        async fn asked(&self, count: usize) -> Vec<Value> {
            let mut asked = self.asked.subscribe();
            let enough = asked.wait_for(|asked| asked.len() >= count);
            tokio::time::timeout(Duration::from_secs(3600), enough)
                .await
                .expect("too few")
                .unwrap();
            tokio::time::sleep(Duration::from_secs(3600)).await;
            self.asked.borrow().clone()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_label_is_written_until_it_is_there() {
        let server = Server::new(&[200, 500, 500, 403, 500]);
        let (leads, follows) = watch::channel(false);
        let keeper = tokio::spawn(server.label().keep(follows));
        assert_eq!(server.asked(1).await, [Value::Null]);
        leads.send_replace(true);
        let asked = server.asked(6).await;
        assert_eq!(asked[1..], ["true"; 5].map(Value::from));
        drop(leads);
        keeper.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_not_written_in_time_is_not_written_any_more() {
        // The label of a process before this one cannot be removed until this one leads.
        let server = Server::new(&[500; 3]);
        let (leads, follows) = watch::channel(false);
        let keeper = tokio::spawn(server.label().keep(follows));
        let mut asked = server.asked.subscribe();
        asked.wait_for(|asked| asked.len() == 2).await.unwrap();
        leads.send_replace(true);
        let asked = server.asked(4).await;
        assert_eq!(asked[..2], [Value::Null, Value::Null]);
        assert_eq!(asked[2..], ["true"; 2].map(Value::from));
        drop(leads);
        keeper.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_pod_that_is_not_there_is_asked_for_once_a_term() {
        let server = Server::new(&[404; 2]);
        let (leads, follows) = watch::channel(false);
        tokio::spawn(server.label().keep(follows));
        assert_eq!(server.asked(1).await.len(), 1);
        leads.send_replace(true);
        assert_eq!(server.asked(2).await.len(), 2);
    }
}
