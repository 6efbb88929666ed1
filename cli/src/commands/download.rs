//! `download`: the proof as a file that sp1-sdk loads.

use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};
use provost_crds::{Mode, ProofRequest};

use crate::args::DownloadArgs;
use crate::client::kube::Cluster;
use crate::client::transfer::get_proof;
use crate::client::upload::Moved;
use crate::error::CliError;
use crate::render::{self, proof, time};

mod target;

use target::Target;

/// The last field of sp1-sdk's `SP1ProofWithPublicValues`, `tee_proof: Option<Vec<u8>>`, in bincode:
/// `None`. The fields before it are those of `ProofFromNetwork`, which is what the operator sends.
const NO_TEE_PROOF: &[u8] = &[0];

/// Runs `download`.
pub(super) async fn run(cluster: &Cluster, args: &DownloadArgs) -> Result<(), CliError> {
    let path = args
        .output
        .clone()
        .unwrap_or_else(|| format!("{}.proof", args.name).into());
    let size = to_file(cluster, &args.name, &path).await?;
    if path.as_os_str() == "-" {
        return Ok(());
    }
    render::print(&format!("{} written, {}", path.display(), time::size(size)))
}

/// Fetches a finished proof into a file and returns the file's size. The file appears when it is complete.
pub(super) async fn to_file(cluster: &Cluster, name: &str, path: &Path) -> Result<u64, CliError> {
    let request = cluster.proof(name).await?;
    check(&request)?;
    let mut target = Target::open(path)?;
    let moved = Moved::default();
    let stored = request
        .status
        .as_ref()
        .and_then(|s| s.proof.as_ref())
        .map(|p| p.size_bytes.unsigned_abs());
    let fetched = tokio::select! {
        fetched = get_proof(cluster, name, &moved, target.writer()) => fetched?,
        never = show(&moved, stored) => match never {},
    };
    complete(target, path)?;
    Ok(fetched + NO_TEE_PROOF.len() as u64)
}

/// Makes the operator's bytes what sp1-sdk loads, and puts the file into its place.
fn complete(mut target: Target, path: &Path) -> Result<(), CliError> {
    target
        .writer()
        .write_all(NO_TEE_PROOF)
        .map_err(|e| CliError::file(path, e))?;
    target.finish()
}

/// Whether there is a proof to fetch.
fn check(request: &ProofRequest) -> Result<(), CliError> {
    let name = request.metadata.name.as_deref().unwrap_or_default();
    if !request.terminal() {
        let progress = request.status.as_ref().and_then(|s| s.progress.as_deref());
        let progress = progress.map(|p| format!(" ({p})")).unwrap_or_default();
        return Err(CliError::failed(
            "NotFinished",
            format!(
                "{name} is {}{progress}: wait with `kubectl proof wait {name}`",
                request.state()
            ),
        ));
    }
    if !request.succeeded() {
        return Err(proof::failure(request));
    }
    if request.spec.mode == Mode::Execute {
        return Err(CliError::failed(
            "NoProof",
            format!("{name} has mode Execute, which makes no proof"),
        ));
    }
    Ok(())
}

/// Shows how much has come, until dropped. What is stored is compressed, to 812 kB of 1.27 MB for a
/// Compressed proof: its length is where the bar's end is at first, and what comes beyond moves it.
async fn show(moved: &Moved, stored: Option<u64>) -> std::convert::Infallible {
    let style = ProgressStyle::with_template("{wide_bar} {decimal_bytes}/{decimal_total_bytes}");
    let bar = ProgressBar::new(stored.unwrap_or_default())
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let _clear = Clear(bar.clone());
    loop {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        let total = moved.total();
        if total > bar.length().unwrap_or_default() {
            bar.set_length(total);
        }
        bar.set_position(total);
    }
}

/// Takes the bar away when the download ends in whatever way.
struct Clear(ProgressBar);

impl Drop for Clear {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::tests::proof;

    #[test]
    fn the_file_is_the_operators_bytes_and_no_tee_proof() {
        // ProofFromNetwork of an empty core proof: variant 0, no shards; no public values; the version.
        let sent: Vec<u8> = [
            &0_u32.to_le_bytes()[..],
            &0_u64.to_le_bytes(),
            &0_u64.to_le_bytes(),
            &6_u64.to_le_bytes(),
            b"v6.1.0",
        ]
        .concat();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.proof");
        let mut target = Target::open(&path).unwrap();
        target.writer().write_all(&sent).unwrap();
        complete(target, &path).unwrap();
        let file = std::fs::read(&path).unwrap();
        // bincode of `None` is one zero byte.
        assert_eq!(file.split_last(), Some((&0, sent.as_slice())));
    }

    #[test]
    fn only_a_proof_that_is_there_is_fetched() {
        let text = |p: &ProofRequest| check(p).unwrap_err().to_string();
        let mut running = proof("Unknown", "Proving", "");
        running.status.as_mut().unwrap().progress = Some("3/10".into());
        assert!(text(&running).starts_with("NotFinished: p is Proving (3/10): wait with"));
        assert_eq!(
            text(&proof("False", "OutOfMemory", "m")),
            "OutOfMemory: p: m"
        );
        let mut done = proof("True", "Succeeded", "");
        assert!(check(&done).is_ok());
        done.spec.mode = Mode::Execute;
        assert!(text(&done).contains("makes no proof"));
    }
}
