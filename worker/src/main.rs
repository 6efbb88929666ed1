//! The worker's binary; all of it is in the library, so that SP1's generic code is compiled once.

use std::process::ExitCode;

/// The engines are built from millions of small objects. With glibc's allocator three quarters of the time in which the executing one is built go to it, and the
/// proving one takes longer and more memory, with huge pages too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> anyhow::Result<ExitCode> {
    provost_worker::cli::main()
}
