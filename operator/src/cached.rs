//! What this process keeps of ProofRequests: many may have ended, and each may hold a program of a megabyte.

use provost_crds::ProofRequest;

/// Requests in one answer of the API server, which has all of each.
pub const PAGE: u32 = 100;

/// Without what nobody asks about, of a request that is served. Until it has ended it may have to begin again from its own program and
/// input; after that the id of its program is enough to clear up.
pub fn served(request: &mut ProofRequest) {
    request.metadata.managed_fields = None;
    if let Some(annotations) = &mut request.metadata.annotations {
        annotations.remove(LAST_APPLIED);
    }
    if !request.terminal() {
        return;
    }
    let status = request.status.as_ref();
    if status.is_some_and(|status| status.program_id.is_some()) {
        request.spec.program.inline = None;
    }
    without_inline_input(request);
}

/// Without what nobody asks about, of a request that another operator serves.
pub fn elsewhere(request: &mut ProofRequest) {
    request.metadata.managed_fields = None;
    request.metadata.annotations = None;
    request.spec.program.inline = None;
    without_inline_input(request);
}

/// About what a request that goes on takes in etcd: its program and its input, and those once more where `kubectl apply` keeps them as an
/// annotation, as far as those may go.
pub fn stored_bytes(request: &ProofRequest) -> usize {
    let inline = request.spec.program.inline.as_ref().map_or(0, String::len);
    let entries = request.spec.stdin.iter().flat_map(|stdin| &stdin.entries);
    let texts = entries.flatten().filter_map(|entry| entry.base64.as_ref());
    let given = inline + texts.map(String::len).sum::<usize>();
    REST + given + if given <= MOST_ANNOTATED { given } else { 0 }
}

/// What a request takes besides: metadata, and a status with its tasks by type.
const REST: usize = 4096;

/// Most bytes of all annotations of an object (`TotalAnnotationSizeLimitB` of Kubernetes).
const MOST_ANNOTATED: usize = 256 << 10;

/// `kubectl apply` keeps the whole object there once more.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

fn without_inline_input(request: &mut ProofRequest) {
    let stdin = request.spec.stdin.take();
    request.spec.stdin = stdin.filter(|stdin| stdin.artifact.is_some());
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::{Value, json};

    fn request(status: Value) -> ProofRequest {
        serde_json::from_value(json!({
            "apiVersion": "provost.dev/v1alpha1",
            "kind": "ProofRequest",
            "metadata": {
                "name": "p",
                "annotations": {LAST_APPLIED: "{}", "team": "a"},
                "managedFields": [{"manager": "kubectl"}],
            },
            "spec": {"program": {"inline": "AAAA"}, "stdin": {"entries": [{"u32": 7}]}, "mode": "Core"},
            "status": status,
        }))
        .unwrap()
    }

    fn ended(program_id: Option<&str>) -> Value {
        let condition = json!({
            "type": "Succeeded", "status": "True", "reason": "Succeeded", "message": "",
            "lastTransitionTime": "2026-11-23T00:00:00Z",
        });
        match program_id {
            Some(id) => json!({"programId": id, "conditions": [condition]}),
            None => json!({"conditions": [condition]}),
        }
    }

    fn kept(mut request: ProofRequest) -> (bool, bool) {
        served(&mut request);
        assert_eq!(request.metadata.managed_fields, None);
        let annotations = request.metadata.annotations.unwrap();
        assert_eq!(annotations.keys().collect::<Vec<_>>(), ["team"]);
        let spec = request.spec;
        (spec.program.inline.is_some(), spec.stdin.is_some())
    }

    #[test]
    fn what_goes_on_keeps_what_it_may_begin_again_from() {
        assert_eq!(
            kept(request(json!({"programId": "program_1"}))),
            (true, true)
        );
    }

    #[test]
    fn what_has_ended_keeps_what_names_its_artifacts() {
        assert_eq!(kept(request(ended(Some("program_1")))), (false, false));
        assert_eq!(
            kept(request(ended(None))),
            (true, false),
            "its id is made of it"
        );
    }

    #[test]
    fn uploads_stay_named() {
        let mut request = request(ended(Some("program_1")));
        request.spec.stdin = Some(serde_json::from_value(json!({"artifact": "stdin_1"})).unwrap());
        served(&mut request);
        elsewhere(&mut request);
        let stdin = request.spec.stdin.unwrap();
        assert_eq!(stdin.artifact.as_deref(), Some("stdin_1"));
    }
}
