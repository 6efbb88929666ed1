//! `get`: one proof or all of them.

use ::kube::Api;
use ::kube::api::ListParams;
use ::kube::core::DeserializeGuard;
use ::kube::core::error_boundary::InvalidObject;
use jiff::Timestamp;
use provost_crds::ProofRequest;

use crate::args::{GetArgs, ListForm};
use crate::client::kube::Cluster;
use crate::error::CliError;
use crate::render::{self, proof, say};

/// Runs `get`.
pub(super) async fn run(cluster: &Cluster, args: &GetArgs) -> Result<(), CliError> {
    if let Some(name) = &args.name {
        let found = cluster.proof(name).await?;
        return match args.output {
            Some(ListForm::Json) => render::print_object(&found),
            form => show(&[found], false, form),
        };
    }
    let api: Api<DeserializeGuard<ProofRequest>> = if args.all_namespaces {
        Api::all(cluster.client.clone())
    } else {
        Api::namespaced(cluster.client.clone(), &cluster.namespace)
    };
    let params = ListParams {
        label_selector: args.selector.clone(),
        ..ListParams::default()
    };
    let (mut items, mut unread) = (Vec::new(), Vec::new());
    for DeserializeGuard(item) in api.list(&params).await? {
        match item {
            Ok(item) => items.push(item),
            Err(item) => unread.push(item),
        }
    }
    print(items, cluster, args)?;
    match unread.first() {
        None => Ok(()),
        Some(first) => Err(unreadable(first, unread.len())),
    }
}

fn print(items: Vec<ProofRequest>, cluster: &Cluster, args: &GetArgs) -> Result<(), CliError> {
    if args.output == Some(ListForm::Json) {
        return render::print_list(items);
    }
    if items.is_empty() {
        say(&match args.all_namespaces {
            true => "No proofs found".to_owned(),
            false => format!("No proofs found in namespace {}", cluster.namespace),
        });
        return Ok(());
    }
    show(&items, args.all_namespaces, args.output)
}

/// Another version made `first`, and as many as `count` in all.
fn unreadable(first: &InvalidObject, count: usize) -> CliError {
    let name = |name: &Option<String>| name.clone().unwrap_or_default();
    let (namespace, name) = (name(&first.metadata.namespace), name(&first.metadata.name));
    let others = match count {
        1 => String::new(),
        _ => format!(", and {} more like it", count - 1),
    };
    CliError::failed(
        "UnexpectedAnswer",
        format!(
            "{namespace}/{name} is left out{others}: {}: is this `kubectl proof` of another version than the cluster's Provost?",
            first.error
        ),
    )
}

fn show(proofs: &[ProofRequest], namespaces: bool, form: Option<ListForm>) -> Result<(), CliError> {
    if form == Some(ListForm::Name) {
        return render::print(&proof::names(proofs));
    }
    let wide = form == Some(ListForm::Wide);
    render::print(&proof::listing(proofs, namespaces, wide, Timestamp::now()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_cannot_be_read_is_named() {
        let object = serde_json::json!({
            "apiVersion": "provost.dev/v1alpha1", "kind": "ProofRequest",
            "metadata": {"name": "fib", "namespace": "ns"},
            "spec": {"program": {"inline": "AAAA"}, "mode": "Shrink"},
        });
        let DeserializeGuard::<ProofRequest>(object) = serde_json::from_value(object).unwrap();
        let error = unreadable(&object.unwrap_err(), 3).to_string();
        let said = "UnexpectedAnswer: ns/fib is left out, and 2 more like it: ";
        assert!(
            error.starts_with(said) && error.contains("Shrink"),
            "{error}"
        );
    }
}
