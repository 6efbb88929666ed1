//! `get`: one proof or all of them.

use ::kube::Api;
use ::kube::api::ListParams;
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
    let api: Api<ProofRequest> = if args.all_namespaces {
        Api::all(cluster.client.clone())
    } else {
        cluster.proofs()
    };
    let params = ListParams {
        label_selector: args.selector.clone(),
        ..ListParams::default()
    };
    let items = api.list(&params).await?.items;
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

fn show(proofs: &[ProofRequest], namespaces: bool, form: Option<ListForm>) -> Result<(), CliError> {
    if form == Some(ListForm::Name) {
        return render::print(&proof::names(proofs));
    }
    let wide = form == Some(ListForm::Wide);
    render::print(&proof::listing(proofs, namespaces, wide, Timestamp::now()))
}
