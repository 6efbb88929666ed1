//! The exit codes and what goes with them, from the outside: the built program as a shell sees it.

#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

use provost_test_support::Place;

/// A guest program. cargo runs tests in the folder of their crate, and these run the program elsewhere.
static ELF: LazyLock<String> = LazyLock::new(|| {
    let path = std::fs::canonicalize("../guests/prebuilt/fibonacci.elf").unwrap();
    path.into_os_string().into_string().unwrap()
});

/// A home with a kubeconfig for one API server.
struct Home(tempfile::TempDir);

impl Home {
    fn new(server: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = format!(
            r#"{{"apiVersion":"v1","kind":"Config","current-context":"c",
            "clusters":[{{"name":"c","cluster":{{"server":"{server}"}}}}],
            "users":[{{"name":"c","user":{{"token":"t"}}}}],
            "contexts":[{{"name":"c","context":{{"cluster":"c","user":"c","namespace":"team"}}}}]}}"#
        );
        std::fs::write(folder.path().join("config"), config).unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, args: &[&str]) -> Output {
        self.run_as(Path::new(env!("CARGO_BIN_EXE_kubectl-proof")), args)
    }

    fn run_as(&self, program: &Path, args: &[&str]) -> Output {
        self.command(program, args).output().unwrap()
    }

    fn command(&self, program: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(args)
            .env("KUBECONFIG", self.path("config"))
            .env("HOME", self.0.path())
            .env("PATH", self.0.path())
            .env_remove("KUBERNETES_SERVICE_HOST")
            .current_dir(self.0.path());
        command
    }
}

/// Nothing listens there.
fn closed() -> String {
    static NOBODY: LazyLock<Place> = LazyLock::new(Place::new);
    format!("http://{}", NOBODY.address())
}

/// A server that gives each request this answer and reports the first line of each.
fn answering(status: u16, body: &'static str) -> (String, std::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (seen, requests) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut first, mut length) = (String::new(), 0);
            reader.read_line(&mut first).unwrap();
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                if line.trim().is_empty() {
                    break;
                }
            }
            reader.take(length).read_to_end(&mut Vec::new()).unwrap();
            let _ = seen.send(first.trim().to_owned());
            write!(
                stream,
                "HTTP/1.1 {status} x\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            )
            .unwrap();
        }
    });
    (address, requests)
}

#[track_caller]
fn expect(output: &Output, code: i32, words: &[&str]) {
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{error}");
    for word in words {
        assert!(error.contains(word), "`{word}` in: {error}");
    }
}

#[test]
fn a_wrong_command_line_is_2_and_names_the_fix() {
    let home = Home::new(&closed());
    expect(
        &home.run(&["submit", &ELF, "--mode", "fast"]),
        2,
        &["execute", "compressed"],
    );
    expect(&home.run(&["submit", &ELF, "--u32", "-1"]), 2, &["--u32"]);
    expect(&home.run(&["submit", &ELF, "--bytes", "ff"]), 2, &["0x"]);
    expect(
        &home.run(&["submit", &ELF, "--name", "No_Good"]),
        2,
        &["--name"],
    );
    std::fs::write(home.path("script"), "#!/bin/sh").unwrap();
    expect(
        &home.run(&["submit", "script"]),
        2,
        &["script: not an ELF file"],
    );
    expect(
        &home.run(&["--context", "other", "get"]),
        2,
        &["--context", "other"],
    );
    expect(
        &home.run(&["--kubeconfig", "nothing", "get"]),
        2,
        &["--kubeconfig nothing"],
    );
}

#[test]
fn no_answer_is_3() {
    let home = Home::new(&closed());
    for args in [
        &["get"][..],
        &["get", "x"],
        &["submit", &ELF, "--u32", "1"],
        &["cancel", "x"],
        &["why", "x"],
        &["wait", "x"],
    ] {
        expect(
            &home.run(args),
            3,
            &["cannot reach the cluster", "onnection refused"],
        );
    }
}

#[test]
fn interrupted_is_130_and_says_that_the_proof_goes_on() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let home = Home::new(&format!("http://{}", silent.local_addr().unwrap()));
    let program = Path::new(env!("CARGO_BIN_EXE_kubectl-proof"));
    let mut wait = home.command(program, &["wait", "x"]);
    let wait = wait.stdout(Stdio::piped()).stderr(Stdio::piped());
    let wait = wait.spawn().unwrap();
    let _asked = silent.accept().unwrap();
    let sent = Command::new("kill")
        .args(["-INT", &wait.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
    let words = ["interrupted", "it goes on", "kubectl proof cancel x"];
    expect(&wait.wait_with_output().unwrap(), 130, &words);
}

#[test]
fn no_such_proof_is_4_and_names_the_namespace() {
    let (server, requests) = answering(
        404,
        r#"{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404,
           "message":"proofrequests.provost.dev \"x\" not found","details":{"name":"x","kind":"proofrequests"}}"#,
    );
    let home = Home::new(&server);
    expect(&home.run(&["get", "x"]), 4, &["`x`", "namespace `team`"]);
    assert!(
        requests
            .recv()
            .unwrap()
            .starts_with("GET /apis/provost.dev/v1alpha1/namespaces/team/proofrequests/x")
    );
    expect(
        &home.run(&["-n", "other", "download", "x"]),
        4,
        &["namespace `other`"],
    );
    assert!(!home.path("x.proof").exists());
}

#[test]
fn a_refusal_is_1_with_its_class_and_message() {
    let (server, requests) = answering(
        422,
        r#"{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Invalid","code":422,
           "message":"spec.limits.cycles: too small"}"#,
    );
    let home = Home::new(&server);
    expect(
        &home.run(&["submit", &ELF, "--u32", "1"]),
        1,
        &["error: Invalid: spec.limits.cycles: too small"],
    );
    assert!(
        requests
            .recv()
            .unwrap()
            .starts_with("POST /apis/provost.dev/v1alpha1/namespaces/team/proofrequests")
    );
    expect(&home.run(&["submit", "none.elf"]), 1, &["none.elf: "]);
}

/// A stand-in for the verifier, in this folder, that notes its arguments and ends with this code.
fn verifier(folder: &Path, home: &Home, code: i32) {
    let script = format!(
        "#!/bin/sh\necho \"$@\" > {}\nexit {code}\n",
        home.path("called").display()
    );
    // Another process writes it: processes that other tests start have copies of the files that this one has open, and what is
    // open for writing cannot be run.
    let written = Command::new("sh")
        .args(["-c", r#"printf %s "$1" >"$0" && chmod 755 "$0""#])
        .arg(folder.join("provost-verify"))
        .arg(script)
        .status();
    assert!(written.unwrap().success());
}

#[test]
fn verify_passes_on_what_the_verifier_says() {
    let home = Home::new(&closed());
    std::fs::write(home.path("p"), b"proof").unwrap();
    // The build folder may hold a real verifier, which comes before PATH: so the program runs from a folder of its own.
    let own = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let program = own.path().join("kubectl-proof");
    std::fs::hard_link(env!("CARGO_BIN_EXE_kubectl-proof"), &program).unwrap();
    let verify = |proof: &str| home.run_as(&program, &["verify", "--proof", proof, "--elf", &ELF]);
    expect(&verify("p"), 1, &["provost-verify", "cargo build"]);
    for (code, passed_on) in [(0, 0), (5, 5), (1, 1), (101, 1)] {
        verifier(&home.path(""), &home, code);
        let said = if code > 5 { "is not known" } else { "" };
        expect(&verify("p"), passed_on, &[said]);
        let called = std::fs::read_to_string(home.path("called")).unwrap();
        assert_eq!(called.trim(), format!("--proof p --elf {}", *ELF));
    }
    expect(&verify("missing"), 1, &["missing: "]);
    // The one next to the program comes first.
    verifier(own.path(), &home, 5);
    expect(&verify("p"), 5, &[]);
    // One that is killed says nothing of the proof.
    std::fs::write(own.path().join("provost-verify"), "#!/bin/sh\nkill -9 $$\n").unwrap();
    expect(&verify("p"), 1, &["signal: 9", "is not known"]);
    let piped = home.run_as(&program, &["verify", "--proof", "p", "--elf", "-"]);
    expect(&piped, 2, &["--elf"]);
    let twice = home.run_as(
        &program,
        &["submit", "-", "--name", "p", "--stdin-file", "-"],
    );
    expect(&twice, 2, &["standard input"]);
}

#[test]
fn help_lists_the_codes() {
    let home = Home::new(&closed());
    for args in [
        &["--help"][..],
        &["submit", "--help"],
        &["verify", "--help"],
    ] {
        let output = home.run(args);
        assert_eq!(output.status.code(), Some(0));
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            text.contains("Exit codes:") && text.contains("130"),
            "{text}"
        );
    }
    assert_eq!(home.run(&[]).status.code(), Some(2));
}
