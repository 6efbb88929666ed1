//! A byte stream to the operator's HTTP port, forwarded by the API server.

use ::kube::Api;
use ::kube::api::{ListParams, Portforwarder};
use k8s_openapi::api::core::v1::Pod;
use provost_crds::LEADER_LABEL;
use tokio::io::DuplexStream;

use super::kube::Cluster;
use crate::error::CliError;

/// Selects the operator's pods.
const OPERATOR: &str = "app.kubernetes.io/name=provost,app.kubernetes.io/component=operator";

/// The operator's HTTP port.
const PORT: u16 = 8080;

/// An open forwarding. It ends when this is dropped.
pub(crate) struct Tunnel {
    forwarder: Portforwarder,
    /// The pod at the other end.
    pub(crate) pod: String,
}

impl Tunnel {
    /// Opens a forwarding to the operator pod that leads, or where another `will_do` and none leads, to one that is ready.
    pub(crate) async fn open(
        cluster: &Cluster,
        will_do: Replica,
    ) -> Result<(Self, DuplexStream), CliError> {
        let pods = Api::<Pod>::namespaced(cluster.client.clone(), &cluster.system_namespace);
        let refused = |e| refused(e, &cluster.system_namespace);
        let operator = ListParams::default().labels(OPERATOR);
        let list = pods.list(&operator).await.map_err(refused)?;
        let pod = choose(&list.items, will_do).and_then(|pod| pod.metadata.name.clone());
        let ready = list.items.iter().any(is_ready);
        let pod =
            pod.ok_or_else(|| not_ready(&cluster.system_namespace, list.items.len(), ready))?;
        let mut forwarder = pods.portforward(&pod, &[PORT]).await.map_err(refused)?;
        let stream = forwarder.take_stream(PORT);
        let stream = stream.ok_or_else(|| {
            CliError::Unreachable(format!("no stream to port {PORT} of pod {pod}"))
        })?;
        Ok((Self { forwarder, pod }, stream))
    }

    /// What the kubelet said about the forwarding, if anything: "connection refused" and the like.
    pub(crate) async fn complaint(&mut self) -> Option<String> {
        let error = self.forwarder.take_error(PORT)?;
        let wait = std::time::Duration::from_millis(200);
        tokio::time::timeout(wait, error).await.ok().flatten()
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.forwarder.abort();
    }
}

/// Which replicas of the operator can do what is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Replica {
    /// The one that leads: what is uploaded elsewhere would not be known to it.
    Leader,
    /// Any: all of them reach the store.
    Any,
}

fn choose(pods: &[Pod], will_do: Replica) -> Option<&Pod> {
    let ready = || pods.iter().filter(|pod| is_ready(pod));
    let leader = ready().find(|pod| leads(pod));
    leader.or_else(|| ready().next().filter(|_| will_do == Replica::Any))
}

/// Ready, and not on its way out.
fn is_ready(pod: &Pod) -> bool {
    let conditions = pod
        .status
        .as_ref()
        .and_then(|s| s.conditions.as_deref())
        .unwrap_or_default();
    pod.metadata.deletion_timestamp.is_none()
        && conditions
            .iter()
            .any(|c| c.type_ == "Ready" && c.status == "True")
}

/// Whether it is the replica that acts.
fn leads(pod: &Pod) -> bool {
    let labels = pod.metadata.labels.as_ref();
    labels.is_some_and(|labels| labels.contains_key(LEADER_LABEL))
}

/// Why there is no way to the operator, with what would open one.
fn refused(error: ::kube::Error, namespace: &str) -> CliError {
    match error {
        ::kube::Error::Api(status) if status.is_forbidden() => CliError::failed(
            "Forbidden",
            format!(
                "{}: bytes travel through a port-forward to the operator, which needs the rights of the Role \
                 provost-cli-forward in namespace {namespace} (`list` on pods, `get` and `create` on pods/portforward)",
                status.message.trim_end_matches([':', ' '])
            ),
        ),
        ::kube::Error::UpgradeConnection(error) => {
            CliError::Unreachable(format!("the port-forward to the operator failed: {error}"))
        }
        other => other.into(),
    }
}

fn not_ready(namespace: &str, pods: usize, ready: bool) -> CliError {
    let seen = match pods {
        _ if ready => "no operator pod leads, try again in a few seconds: none has the label provost.dev/leader".to_owned(),
        0 => "no operator pod".to_owned(),
        1 => "the operator pod is not ready".to_owned(),
        n => format!("none of the {n} operator pods is ready"),
    };
    CliError::Unreachable(format!(
        "{seen} in namespace {namespace}: look with `kubectl -n {namespace} get pods`, or name another \
         namespace with --system-namespace"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::kube::ResourceExt as _;

    fn pod(ready: &str, deleting: bool) -> Pod {
        let mut pod: Pod = serde_json::from_value(serde_json::json!({
            "metadata": {"name": "p"},
            "status": {"conditions": [{"type": "Ready", "status": ready}]},
        }))
        .unwrap();
        if deleting {
            let now = jiff::Timestamp::UNIX_EPOCH;
            pod.metadata.deletion_timestamp =
                Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(now));
        }
        pod
    }

    #[test]
    fn only_a_ready_pod_that_stays_will_do() {
        assert!(is_ready(&pod("True", false)));
        assert!(!is_ready(&pod("False", false)));
        assert!(!is_ready(&pod("True", true)));
        assert!(!is_ready(&Pod::default()));
    }

    #[test]
    fn what_any_replica_can_do_waits_for_no_leader() {
        let standby = pod("True", false);
        let mut leader = pod("True", false);
        leader
            .labels_mut()
            .insert(LEADER_LABEL.into(), "true".into());
        leader.metadata.name = Some("leader".into());
        let name = |pod: Option<&Pod>| pod.and_then(|pod| pod.metadata.name.clone());
        let both = [standby.clone(), leader];
        for will_do in [Replica::Leader, Replica::Any] {
            assert_eq!(name(choose(&both, will_do)).as_deref(), Some("leader"));
        }
        assert_eq!(choose(&both[..1], Replica::Leader), None);
        assert_eq!(choose(&both[..1], Replica::Any), Some(&standby));
        assert_eq!(choose(&[pod("False", false)], Replica::Any), None);
    }

    #[test]
    fn a_refused_forward_names_the_role() {
        let status = ::kube::core::Status {
            code: 403,
            reason: "Forbidden".into(),
            message: "pods \"op\" is forbidden: ".into(),
            ..Default::default()
        };
        let text = refused(::kube::Error::Api(Box::new(status)), "zone").to_string();
        assert!(
            text.starts_with("Forbidden: pods \"op\" is forbidden: bytes travel"),
            "{text}"
        );
        assert!(
            text.contains("provost-cli-forward in namespace zone"),
            "{text}"
        );
    }

    #[test]
    fn the_error_says_where_it_looked() {
        let text = not_ready("zone", 0, false).to_string();
        assert!(
            text.contains("zone") && text.contains("--system-namespace"),
            "{text}"
        );
    }
}
