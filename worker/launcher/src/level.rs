//! The x86-64 levels of the psABI, as far as they matter to SP1's vector code.

use std::str::FromStr;

/// A level; higher ones include the lower.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    V1,
    V2,
    V3,
    V4,
}

impl Level {
    pub(crate) const ALL: [Self; 4] = [Self::V1, Self::V2, Self::V3, Self::V4];

    /// The folder of this level's build.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
            Self::V3 => "v3",
            Self::V4 => "v4",
        }
    }

    /// The highest level that this machine runs.
    pub(crate) fn of_this_cpu() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::is_x86_feature_detected as has;
            let v2 =
                has!("sse3") && has!("ssse3") && has!("sse4.1") && has!("sse4.2") && has!("popcnt");
            let v3 =
                v2 && has!("avx2") && has!("bmi1") && has!("bmi2") && has!("fma") && has!("f16c");
            let v3 = v3 && has!("lzcnt") && has!("movbe");
            let v4 =
                v3 && has!("avx512f") && has!("avx512bw") && has!("avx512cd") && has!("avx512dq");
            let v4 = v4 && has!("avx512vl");
            if v4 {
                return Self::V4;
            }
            if v3 {
                return Self::V3;
            }
            if v2 {
                return Self::V2;
            }
        }
        Self::V1
    }
}

impl FromStr for Level {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|level| level.name() == text)
            .ok_or_else(|| format!("{text:?} is no x86-64 level: use v1, v2, v3 or v4"))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_back() {
        for level in Level::ALL {
            assert_eq!(level.name().parse::<Level>().unwrap(), level);
        }
        assert!("v5".parse::<Level>().is_err());
    }
}
