//! What proofs leave in the artifact store.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::{SYSTEM, kubectl_ok};

/// Deletes the requests of all namespaces, and waits until no file is left on the store's disk. That goes with the store's pod: whoever takes the
/// pod away asks before.
pub fn nothing_left() {
    kubectl_ok(&[
        "delete",
        "proofrequests",
        "--all",
        "--all-namespaces",
        "--wait",
        "--timeout=120s",
    ]);
    let volume = volume();
    let started = Instant::now();
    loop {
        let mut found = Vec::new();
        files(&volume, &mut found);
        found.retain(|file| !is_mark(file));
        if found.is_empty() {
            return;
        }
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "left over: {found:?}"
        );
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// Where the node has the disk of the store's pod.
fn volume() -> PathBuf {
    let uid = kubectl_ok(&[
        "-n",
        SYSTEM,
        "get",
        "pod",
        "provost-store-0",
        "-o",
        "jsonpath={.metadata.uid}",
    ]);
    let kubelet = std::env::var("PROVOST_TEST_KUBELET")
        .expect("PROVOST_TEST_KUBELET names the kubelet's folder; `hack/test e2e` sets it");
    let volume = Path::new(&kubelet).join(format!("pods/{uid}/volumes/kubernetes.io~empty-dir"));
    assert!(
        volume.is_dir(),
        "{} is not the store's volume",
        volume.display()
    );
    volume
}

/// Whether the file is the mark of the cluster that the store belongs to.
fn is_mark(file: &Path) -> bool {
    file.parent()
        .is_some_and(|folder| folder.ends_with("owners"))
}

/// Files below `folder`, at any depth.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found)
        } else {
            found.push(path)
        }
    }
}
