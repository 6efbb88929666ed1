//! The end of a process that can not end by itself.
#![allow(unsafe_code)]

/// Ends the process at once with this code. What is registered to run at the end is left out: CUDA's part of that may wait for its device for ever.
pub fn leave(code: u8) -> ! {
    // SAFETY: takes a number and does not come back; nothing of ours is used after it.
    unsafe { libc::_exit(code.into()) }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    /// Set in the process that leaves.
    const LEAVES: &str = "PROVOST_TEST_LEAVES";

    extern "C" fn hang() {
        std::thread::sleep(std::time::Duration::from_secs(60));
    }

    #[test]
    fn what_hangs_at_the_end_does_not_change_the_code() {
        if std::env::var_os(LEAVES).is_some() {
            // SAFETY: the function takes nothing and stays.
            unsafe { libc::atexit(hang) };
            super::leave(69);
        }
        let this = std::env::current_exe().expect("a test has a file");
        let test = "leave::tests::what_hangs_at_the_end_does_not_change_the_code";
        let mut left = Command::new(this);
        let left = left.args(["--exact", test]).env(LEAVES, "1");
        assert_eq!(left.status().expect("it starts").code(), Some(69));
    }
}
