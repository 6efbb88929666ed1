//! What GPUs a build holds machine code for.

use std::fmt;

/// The compute capabilities that a build was compiled for. Code is linked when it is built, so that a driver can not make it for another from what it
/// was compiled from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archs(Vec<Arch>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Arch {
    capability: (u32, u32),
    /// Code with instructions of that one kind of device (90a) runs on no other.
    exact: bool,
}

impl Archs {
    /// Parses `CUDA_ARCHS` as SP1's build takes it: `86,89,90`. `None` for what is no such list.
    pub fn parse(text: &str) -> Option<Self> {
        let archs = text.split(',').map(str::trim);
        // Code that the driver would have to compile is none.
        let real = archs.filter(|arch| !arch.ends_with("-virtual"));
        real.map(Arch::parse).collect::<Option<_>>().map(Self)
    }

    /// Whether any of the code runs on a device of this compute capability: that of the same major version, and no later minor one.
    pub fn run_on(&self, capability: (u32, u32)) -> bool {
        self.0.iter().any(|arch| match arch.exact {
            true => arch.capability == capability,
            false => arch.capability.0 == capability.0 && arch.capability.1 <= capability.1,
        })
    }
}

impl Arch {
    fn parse(text: &str) -> Option<Self> {
        let text = text.strip_suffix("-real").unwrap_or(text);
        let digits = text.trim_end_matches(['a', 'f']);
        let number: u32 = digits.parse().ok().filter(|number| *number >= 10)?;
        Some(Self {
            capability: (number / 10, number % 10),
            exact: text.ends_with('a'),
        })
    }
}

impl fmt::Display for Archs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, arch) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            let (major, minor) = arch.capability;
            let exact = if arch.exact { "a" } else { "" };
            write!(f, "{separator}{major}.{minor}{exact}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn run(archs: &str, capability: (u32, u32)) -> bool {
        Archs::parse(archs).unwrap().run_on(capability)
    }

    #[test]
    fn code_runs_on_later_devices_of_its_major_version_alone() {
        assert!(run("86", (8, 6)) && run("86", (8, 9)));
        assert!(!run("86", (8, 0)), "an A100 needs 80");
        assert!(run("80", (8, 0)) && run("80", (8, 9)));
        assert!(!run("86,89", (9, 0)) && !run("90", (10, 0)));
        assert!(run("86,89,90,100,120", (12, 1)) && run("100", (10, 3)));
    }

    #[test]
    fn code_for_one_kind_runs_there_alone() {
        assert!(run("100a", (10, 0)) && !run("100a", (10, 3)));
        assert!(run("100f", (10, 3)));
        assert!(run("90-real", (9, 0)) && !run("90-virtual", (9, 0)));
    }

    #[test]
    fn a_list_is_told_as_capabilities() {
        let archs = Archs::parse("86, 90a,120").unwrap();
        assert_eq!(archs.to_string(), "8.6, 9.0a, 12.0");
        for text in ["", "native", "9", "8.6", "86,"] {
            assert_eq!(Archs::parse(text), None, "{text:?}");
        }
    }
}
