//! The two workers, as processes of this program.

use anyhow::Context as _;
use tokio::process::{Child, Command};

use super::machine::Machine;
use crate::memory::{self, GIB};

/// Roles that they play together.
pub(super) const COUNT: usize = 2;

/// Processes that are killed with this value: when no proof is under way, they have nothing to lose.
pub(super) struct Workers(Vec<(&'static str, Child)>);

/// Starts both. What they log goes where this process logs.
pub(super) fn start(
    machine: &Machine,
    execute_gib: u64,
    permits: Option<usize>,
) -> anyhow::Result<Workers> {
    let limit = memory::cgroup_limit().context("cannot read this machine's memory")?;
    let execute = execute_gib * GIB;
    let prove = limit.checked_sub(execute).with_context(|| {
        let limit = limit / GIB;
        format!("this machine has {limit} GiB of memory, fewer than --execute-gib {execute_gib}")
    })?;
    let program = std::env::current_exe()?;
    let process = |class: &'static str, bytes: u64| -> anyhow::Result<_> {
        let mut command = Command::new(&program);
        command
            .arg("run")
            .envs(machine.environment())
            .env("POD_NAME", format!("solo-{}", class.to_lowercase()))
            .env("PROVOST_CLASS", class)
            .env("PROVOST_MEMORY_LIMIT_BYTES", bytes.to_string())
            .env("PROVOST_STATUS_ADDRESS", "127.0.0.1:0")
            .stdin(std::process::Stdio::null())
            .kill_on_drop(true);
        if let Some(permits) = permits {
            command.env("PROVOST_PROVER_PERMITS", permits.to_string());
        }
        Ok((class, command.spawn()?))
    };
    Ok(Workers(vec![
        process("CPU", execute)?,
        process("GPU", prove)?,
    ]))
}

impl Workers {
    /// Returns when one of them ends, which none should.
    pub(super) async fn ended(&mut self) -> anyhow::Error {
        let ends = self.0.iter_mut().map(|(class, child)| {
            let class = *class;
            Box::pin(async move {
                match child.wait().await {
                    Ok(status) => anyhow::anyhow!("the worker of class {class} ended: {status}"),
                    Err(error) => error.into(),
                }
            })
        });
        futures::future::select_all(ends).await.0
    }
}
