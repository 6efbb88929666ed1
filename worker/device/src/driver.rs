//! The version of NVIDIA's driver, by the kernel.

/// The driver's own version, such as `580.95.05`; `None` where there is none, or a container does not show it.
pub(crate) fn version() -> Option<String> {
    parse(&std::fs::read_to_string("/proc/driver/nvidia/version").ok()?)
}

/// The first line names the module, and its version among other words.
fn parse(text: &str) -> Option<String> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("NVRM version:"))?;
    let is_version = |word: &&str| {
        let mut parts = word.split('.');
        word.contains('.')
            && parts.all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
    };
    line.split_whitespace().find(is_version).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_module_name_their_version() {
        let closed = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun May 12 19:39:15 UTC 2024\n\
            GCC version:  gcc version 12.2.0 (Debian 12.2.0-14)\n";
        assert_eq!(parse(closed).as_deref(), Some("535.183.01"));
        let open = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build  (dvs-builder)\n";
        assert_eq!(parse(open).as_deref(), Some("580.95.05"));
        assert_eq!(parse("GCC version:  gcc version 12.2.0\n"), None);
    }
}
