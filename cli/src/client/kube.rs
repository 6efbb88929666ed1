//! The connection to the API server, found the way kubectl finds it.

use ::kube::config::{KubeConfigOptions, Kubeconfig};
use ::kube::{Api, Client, Config};
use provost_crds::ProofRequest;

use crate::args::ClusterArgs;
use crate::error::{CliError, chain};

/// A cluster, and where in it to work.
#[derive(Clone)]
pub(crate) struct Cluster {
    /// The client of the API server.
    pub(crate) client: Client,
    /// How it was configured: the token for the operator comes from here.
    pub(crate) config: Config,
    /// The namespace of the proofs.
    pub(crate) namespace: String,
    /// The namespace of the operator.
    pub(crate) system_namespace: String,
}

impl Cluster {
    /// Reads the configuration. Nothing is sent yet.
    pub(crate) async fn connect(args: &ClusterArgs) -> Result<Self, CliError> {
        let config = configure(args).await?;
        let namespace = args
            .namespace
            .clone()
            .unwrap_or_else(|| config.default_namespace.clone());
        let client = Client::try_from(config.clone())?;
        Ok(Self {
            client,
            config,
            namespace,
            system_namespace: args.system_namespace.clone(),
        })
    }

    /// The proofs of the namespace.
    pub(crate) fn proofs(&self) -> Api<ProofRequest> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// One proof by name; the error of an unknown one names the namespace.
    pub(crate) async fn proof(&self, name: &str) -> Result<ProofRequest, CliError> {
        match self.proofs().get_opt(name).await? {
            Some(proof) => Ok(proof),
            None => Err(self.not_found(name)),
        }
    }

    /// The error for a proof that is not there.
    pub(crate) fn not_found(&self, name: &str) -> CliError {
        CliError::NotFound(format!(
            "no proofrequest `{name}` in namespace `{}` (other namespaces: `kubectl proof get -A`)",
            self.namespace
        ))
    }
}

/// Flags first, then $KUBECONFIG and ~/.kube/config, then the service account of a pod.
async fn configure(args: &ClusterArgs) -> Result<Config, CliError> {
    let options = KubeConfigOptions {
        context: args.context.clone(),
        ..KubeConfigOptions::default()
    };
    if let Some(path) = &args.kubeconfig {
        let bad = |e: &(dyn std::error::Error + 'static)| {
            CliError::usage(format!("--kubeconfig {}: {}", path.display(), chain(e)))
        };
        let file = Kubeconfig::read_from(path).map_err(|e| bad(&e))?;
        return Config::from_custom_kubeconfig(file, &options)
            .await
            .map_err(|e| bad(&e));
    }
    match Config::from_kubeconfig(&options).await {
        Ok(config) => Ok(config),
        Err(error) if args.context.is_some() => {
            Err(CliError::usage(format!("--context: {}", chain(&error))))
        }
        Err(error) => Config::incluster().map_err(|_| {
            CliError::usage(format!(
                "no usable kubeconfig: {}: give --kubeconfig or set KUBECONFIG",
                chain(&error)
            ))
        }),
    }
}
