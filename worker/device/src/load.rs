//! What happens before `main`. SP1's kernels have C++ that asks CUDA's runtime for texts while the program is loaded, and that starts the driver: one that hangs would
//! hang the process where nothing of ours runs, and as process 1 of a container no signal but SIGKILL would end it. So `worker run` is guarded from its first
//! moment on. What hangs in the kernel itself (state D) is beyond that.
#![allow(unsafe_code)]

use std::ffi::CStr;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use libc::{c_char, c_int};

use crate::NO_DEVICE;

/// How long it may take, in seconds. The driver's start takes one or so; on a machine with many GPUs that nothing keeps awake
/// (`nvidia-persistenced`) tens of them.
const PATIENCE: u32 = 60;

/// Logged as an error of `DeviceError` is.
const SAID: &str = "ERROR the CUDA driver does not start: see the kernel's log on the node for NVRM and Xid reason=\"DriverHangs\"\n";

/// The command that is guarded: the others are begun by people, who see that they hang.
const GUARDED: &CStr = c"run";

/// When the program was loaded.
static LOADED: OnceLock<Instant> = OnceLock::new();

/// The loader calls functions with a number before those without one, as the kernels' is.
#[used]
#[unsafe(link_section = ".init_array.00101")]
static LOAD: extern "C" fn(c_int, *const *const c_char) = load;

extern "C" fn load(count: c_int, arguments: *const *const c_char) {
    let _ = LOADED.set(Instant::now());
    // SAFETY: glibc passes what main gets in C.
    if count < 2 || unsafe { CStr::from_ptr(*arguments.add(1)) } != GUARDED {
        return;
    }
    let (late, told): (extern "C" fn(c_int), extern "C" fn(c_int)) = (late, told);
    // SAFETY: nothing else runs yet, and the handlers do no more than a handler may.
    unsafe {
        libc::signal(libc::SIGALRM, late as libc::sighandler_t);
        libc::signal(libc::SIGTERM, told as libc::sighandler_t);
        libc::alarm(PATIENCE);
    }
}

extern "C" fn late(_: c_int) {
    // SAFETY: the text is there for as long as the process is; none of these calls takes a lock.
    unsafe {
        // Nobody may read it any more.
        libc::signal(libc::SIGPIPE, libc::SIG_IGN);
        libc::write(libc::STDERR_FILENO, SAID.as_ptr().cast(), SAID.len());
        libc::_exit(c_int::from(NO_DEVICE));
    }
}

extern "C" fn told(_: c_int) {
    // SAFETY: takes a number and does not come back.
    unsafe { libc::_exit(0) }
}

/// How long ago the program was loaded: in the first line of `main`, how long that took.
pub fn loaded() -> Duration {
    LOADED.get().map(Instant::elapsed).unwrap_or_default()
}

/// Signals mean what they mean to any program. To be called where the program begins to listen to them: whoever does so calls what was there before as well.
pub fn unguard() {
    // SAFETY: the default ways of these signals.
    unsafe {
        libc::alarm(0);
        libc::signal(libc::SIGALRM, libc::SIG_DFL);
        libc::signal(libc::SIGTERM, libc::SIG_DFL);
    }
}
