//! The requests of one benchmark: made one after the other, deleted at the end.

use std::time::Duration;

use ::kube::api::DeleteParams;
use provost_crds::{Mode, Program, ProofRequest};

use super::spec;
use crate::client::kube::Cluster;
use crate::client::watch::{Interrupt, follow_until_finished};
use crate::commands::submit;
use crate::error::CliError;
use crate::input::name;
use crate::render::{proof, say};

/// What the benchmark has made so far.
pub(super) struct Session<'a> {
    cluster: &'a Cluster,
    program: Program,
    limit: Option<Duration>,
    interrupt: Interrupt,
    made: Vec<String>,
}

impl<'a> Session<'a> {
    /// A session that gives up on a single proof after `limit`.
    pub(super) fn new(
        cluster: &'a Cluster,
        program: Program,
        limit: Option<Duration>,
        interrupt: Interrupt,
    ) -> Self {
        Self {
            cluster,
            program,
            limit,
            interrupt,
            made: Vec::new(),
        }
    }

    /// Makes a request and waits for its success.
    pub(super) async fn run(&mut self, mode: Mode, n: u32) -> Result<ProofRequest, CliError> {
        let name = name::random("bench-fibonacci");
        self.made.push(name.clone());
        submit::create(self.cluster, &name, spec(&self.program, mode, n)).await?;
        let ended =
            follow_until_finished(self.cluster, &name, self.limit, &mut self.interrupt).await?;
        if !ended.succeeded() {
            // What failed is kept for a look at it.
            self.made.pop();
            return Err(proof::failure(&ended));
        }
        Ok(ended)
    }

    /// Deletes what was made; a request that still runs ends with it.
    pub(super) async fn clean_up(self) {
        let api = self.cluster.proofs();
        for name in self.made {
            match api.delete(&name, &DeleteParams::background()).await {
                Ok(_) => {}
                Err(::kube::Error::Api(status)) if status.code == 404 => {}
                Err(error) => say(&format!(
                    "{name} was not deleted: {}",
                    CliError::from(error)
                )),
            }
        }
    }
}
