//! A program that hangs while it is loaded: this one.
#![allow(clippy::unwrap_used, unsafe_code, dead_code, unreachable_pub)]

#[path = "../../src/load.rs"]
mod load;

use std::io::Read as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use provost_device::NO_DEVICE;

/// Set in a process that is to hang.
const HANGS: &std::ffi::CStr = c"PROVOST_TEST_HANGS";

/// As SP1's kernels have one.
#[used]
#[unsafe(link_section = ".init_array")]
static HANG: extern "C" fn() = hang;

extern "C" fn hang() {
    // SAFETY: a name that ends with 0, and a call that only waits.
    unsafe {
        if !libc::getenv(HANGS.as_ptr()).is_null() {
            libc::pause();
        }
    }
}

fn hung(argument: &str) -> Child {
    let mut program = Command::new(std::env::current_exe().unwrap());
    let program = program.arg(argument).env(HANGS.to_str().unwrap(), "1");
    let child = program.stderr(Stdio::piped()).spawn().unwrap();
    // In state S and not before its second constructor.
    let stat = format!("/proc/{}/syscall", child.id());
    let pause = format!("{} ", libc::SYS_pause);
    while !std::fs::read_to_string(&stat).unwrap().starts_with(&pause) {
        std::thread::sleep(Duration::from_millis(1));
    }
    child
}

/// How it ends at a signal: by itself with a code, or by the signal; and what it says.
fn end(mut child: Child, signal: i32) -> (Option<i32>, Option<i32>, String) {
    let id = i32::try_from(child.id()).unwrap();
    // SAFETY: two numbers.
    unsafe { libc::kill(id, signal) };
    let status = child.wait().unwrap();
    let mut said = String::new();
    let mut stderr = child.stderr.take().unwrap();
    stderr.read_to_string(&mut said).unwrap();
    (status.code(), status.signal(), said)
}

#[test]
fn a_worker_that_hangs_there_ends_when_it_is_told_to() {
    assert_eq!(end(hung("run"), libc::SIGTERM).0, Some(0));
}

#[test]
fn and_when_its_time_is_up() {
    let (code, _, said) = end(hung("run"), libc::SIGALRM);
    assert_eq!(code, Some(69));
    assert!(
        said.contains("does not start") && said.contains("DriverHangs"),
        "{said}"
    );
}

#[test]
fn other_commands_are_as_any_program_is() {
    let (code, signal, _) = end(hung("check"), libc::SIGTERM);
    assert_eq!((code, signal), (None, Some(libc::SIGTERM)));
}
