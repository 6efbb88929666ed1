//! Running the programs a user would run.

use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};

/// What a program answered.
#[derive(Debug)]
pub struct Answer {
    /// Whether it exited with 0.
    pub ok: bool,
    /// Its exit code, if it was not killed.
    pub code: Option<i32>,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

/// Starts a program against the test cluster.
fn start(program: &str, args: &[&str]) -> Child {
    let kubeconfig = std::env::var("PROVOST_TEST_KUBECONFIG")
        .expect("PROVOST_TEST_KUBECONFIG names the cluster's kubeconfig; `hack/test e2e` sets it");
    Command::new(program)
        .args(args)
        .env("KUBECONFIG", kubeconfig)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}"))
}

/// A kubectl that watches something.
pub struct Watch(Child);

impl Watch {
    /// Starts it.
    pub fn start(args: &[&str]) -> Self {
        Self(start("kubectl", args))
    }

    /// Ends it, and answers what it has seen, and what went wrong.
    pub fn end(mut self) -> (String, String) {
        let _ = self.0.kill();
        let (mut seen, mut wrong) = (String::new(), String::new());
        let (out, err) = (self.0.stdout.take(), self.0.stderr.take());
        let _ = out.expect("piped").read_to_string(&mut seen);
        let _ = err.expect("piped").read_to_string(&mut wrong);
        (seen, wrong)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a program against the test cluster, with `input` on its standard input.
pub fn run(program: &str, args: &[&str], input: &str) -> Answer {
    let mut child = start(program, args);
    // A program that ends without reading its input closes the pipe; its answer says why.
    let _ = child
        .stdin
        .take()
        .expect("piped")
        .write_all(input.as_bytes());
    let output = child.wait_with_output().expect("it ran");
    Answer {
        ok: output.status.success(),
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Runs kubectl.
pub fn kubectl(args: &[&str]) -> Answer {
    run("kubectl", args, "")
}

/// Runs kubectl, which must succeed, and answers its standard output.
pub fn kubectl_ok(args: &[&str]) -> String {
    let answer = kubectl(args);
    assert!(answer.ok, "kubectl {}: {}", args.join(" "), answer.stderr);
    answer.stdout
}

/// Runs the kubectl plugin.
pub fn plugin(args: &[&str]) -> Answer {
    run("kubectl-proof", args, "")
}

/// Downloads the proof of `name` and verifies it against the guest's ELF; answers what the verifier prints.
pub fn verify(name: &str, elf: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("proof.bin");
    let file = file.to_str().expect("a path of text");
    let download = plugin(&["download", name, "-n", crate::NAMESPACE, "-o", file]);
    assert!(download.ok, "download {name}: {}", download.stderr);
    let verified = run("provost-verify", &["--proof", file, "--elf", elf], "");
    assert!(
        verified.ok,
        "verify {name}: {}{}",
        verified.stdout, verified.stderr
    );
    verified.stdout
}

/// The same in one command, the kubectl plugin's own.
pub fn verify_by_name(name: &str, elf: &str) -> String {
    let verified = plugin(&["verify", name, "-n", crate::NAMESPACE, "--elf", elf]);
    assert!(
        verified.ok,
        "verify {name}: {}{}",
        verified.stdout, verified.stderr
    );
    verified.stdout
}
