//! The watch of worker pods: keeps the cache, and tells the coordinator of every worker that ended, at once.
//!
//! The cache follows last: who sees there that a pod failed, and puts another in its place, is to know what the failure means for that one.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::api::Api;
use kube::runtime::reflector::store::Writer;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, ResourceExt};
use provost_coordinator::{Clock, Coordinator, Loss};
use provost_crds::{FailureClass, POOL_LABEL};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::book::{Ended, News, PodBook};
use super::classify::Ending;
use crate::controllers::worker_pool::fleet::Fleet;
use crate::metrics::Metrics;

/// What the watch tells others.
pub struct PodWatch {
    /// Learns of lost workers.
    pub coordinator: Coordinator,
    /// Learns of failures, and of every change.
    pub fleet: Arc<Fleet>,
    /// Counts.
    pub metrics: Metrics,
}

impl PodWatch {
    /// Watches the worker pods of `namespace` until `shutdown`.
    pub async fn run(
        self,
        client: Client,
        namespace: &str,
        mut cache: Writer<Pod>,
        shutdown: CancellationToken,
    ) {
        let pods: Api<Pod> = Api::namespaced(client, namespace);
        let events = watcher(pods, watcher::Config::default().labels(POOL_LABEL))
            .default_backoff()
            .modify(|pod| pod.managed_fields_mut().clear());
        let mut book = PodBook::default();
        let mut events = std::pin::pin!(events.take_until(shutdown.cancelled()));
        loop {
            let overdue = at(book.next_overdue());
            tokio::select! {
                event = events.try_next() => match event {
                    Ok(Some(event)) => {
                        self.tell(book.follow(&event, Instant::now())).await;
                        cache.apply_watcher_event(&event);
                    }
                    Ok(None) => return,
                    Err(error) => {
                        tracing::warn!(%error, "the watch of worker pods broke; it is taken up again");
                        continue;
                    }
                },
                () = overdue => self.tell(book.overdue(Instant::now())).await,
            }
            self.fleet.changed();
        }
    }

    async fn tell(&self, news: Vec<News>) {
        for news in news {
            match news {
                News::Ended(ended) => self.report(ended).await,
                News::Overdue(late) => {
                    let loss =
                        Loss::new(to_coordinator(late.end.class()), late.end.message.clone());
                    let lost = self.coordinator.worker_overdue(&late.pod, loss).await;
                    if lost > 0 {
                        tracing::warn!(pod = late.pod, lost, "{}", late.end.message);
                    }
                }
                News::Placed(pod, node) => self.coordinator.place_pod(&pod, node.as_deref()),
                News::Cordoned(pod, cordoned) => {
                    tracing::info!(pod, cordoned, "whether the pod gets tasks");
                    self.coordinator.cordon_pod(&pod, cordoned);
                }
            }
        }
    }

    async fn report(&self, ended: Ended) {
        let class = ended.end.class();
        let lost = self
            .coordinator
            .worker_lost(
                &ended.pod,
                Loss::new(to_coordinator(class), ended.end.message.clone()),
            )
            .await;
        if ended.end.ending == Ending::Orderly {
            tracing::info!(pod = ended.pod, lost, "{}", ended.end.message);
            return;
        }
        tracing::warn!(
            pod = ended.pod,
            class = class.as_str(),
            lost,
            "{}",
            ended.end.message
        );
        self.metrics.worker_lost(class.as_str());
        let now = Clock::of_process().now();
        self.fleet.failed(&ended, now, Timestamp::now());
    }
}

/// Resolves at `time`; never without one.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

/// The coordinator's class of the API's. Both lists have the same names.
fn to_coordinator(class: FailureClass) -> provost_coordinator::FailureClass {
    class
        .as_str()
        .parse()
        .unwrap_or(provost_coordinator::FailureClass::NodeLost)
}
