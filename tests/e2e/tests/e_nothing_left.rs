//! After all proofs are deleted the store is empty, and so is its disk.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use provost_e2e::kubectl_ok;

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

#[test]
fn deleting_all_proofs_empties_the_store() {
    kubectl_ok(&[
        "delete",
        "proofrequests",
        "--all",
        "--all-namespaces",
        "--wait",
        "--timeout=120s",
    ]);
    let uid = kubectl_ok(&[
        "-n",
        provost_e2e::SYSTEM,
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
    let started = Instant::now();
    loop {
        let mut found = Vec::new();
        files(&volume, &mut found);
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
