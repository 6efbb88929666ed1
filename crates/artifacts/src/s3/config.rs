//! Where the store is and how it is reached.

use std::fmt;
use std::time::Duration;

use super::memory;

/// Where the store is and how it is reached.
#[derive(Clone)]
pub struct S3Config {
    /// URL of the server: `http://provost-store:9000`.
    pub endpoint: String,
    /// Region to sign for. Servers other than AWS's take any.
    pub region: String,
    /// The one bucket that holds everything.
    pub bucket: String,
    /// Access key.
    pub access_key: String,
    /// Secret key.
    pub secret_key: String,
    /// How long a request that fails for passing reasons is repeated before its caller hears of it.
    pub retry_total: Duration,
    /// Most bytes that are on their way to and from the store at a time, all users of the client together; one proof may have half of it.
    /// More wait.
    pub in_flight_bytes: u64,
}

/// The part of this process's memory that may be on its way, and the bounds of that.
const IN_FLIGHT_PART: u64 = 8;
const IN_FLIGHT_LEAST: u64 = 128 << 20;
const IN_FLIGHT_MOST: u64 = 2 << 30;

impl S3Config {
    /// How long requests are repeated if nobody says otherwise.
    pub const RETRY_TOTAL: Duration = Duration::from_secs(180);

    /// An eighth of the memory that this process may use, from 128 MiB to 2 GiB.
    pub fn default_in_flight_bytes() -> u64 {
        let part = memory::limit().map_or(0, |limit| limit / IN_FLIGHT_PART);
        part.clamp(IN_FLIGHT_LEAST, IN_FLIGHT_MOST)
    }

    /// Host and port.
    pub(super) fn address(&self) -> &str {
        let (_, rest) = self
            .endpoint
            .split_once("://")
            .unwrap_or(("", &self.endpoint));
        rest.split('/').next().unwrap_or(rest)
    }

    /// Reads the configuration from the environment:
    ///
    /// | variable | default |
    /// | --- | --- |
    /// | `PROVOST_STORE_ENDPOINT` | none |
    /// | `PROVOST_STORE_BUCKET` | `provost` |
    /// | `PROVOST_STORE_REGION` | `us-east-1` |
    /// | `PROVOST_STORE_RETRY_SECONDS` | 180 |
    /// | `PROVOST_STORE_IN_FLIGHT_MIB` | [`S3Config::default_in_flight_bytes`] |
    /// | `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` | none |
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_vars(|name| std::env::var(name).ok())
    }

    fn from_vars(var: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let optional = |name| var(name).filter(|value| !value.is_empty());
        let required = |name| optional(name).ok_or(ConfigError::Missing { name });

        let endpoint = required("PROVOST_STORE_ENDPOINT")?;
        if !endpoint.starts_with("http://") && !endpoint.starts_with("https://") {
            return Err(ConfigError::Endpoint { value: endpoint });
        }
        let retry_total = match optional("PROVOST_STORE_RETRY_SECONDS") {
            None => Self::RETRY_TOTAL,
            Some(value) => match value.parse() {
                Ok(seconds) => Duration::from_secs(seconds),
                Err(_) => return Err(ConfigError::RetrySeconds { value }),
            },
        };
        let in_flight_bytes = match optional("PROVOST_STORE_IN_FLIGHT_MIB") {
            None => Self::default_in_flight_bytes(),
            Some(value) => match value.parse::<u32>() {
                Ok(mib @ 1..) => u64::from(mib) << 20,
                _ => return Err(ConfigError::InFlight { value }),
            },
        };
        Ok(Self {
            endpoint,
            in_flight_bytes,
            region: optional("PROVOST_STORE_REGION").unwrap_or_else(|| "us-east-1".to_owned()),
            bucket: optional("PROVOST_STORE_BUCKET").unwrap_or_else(|| "provost".to_owned()),
            access_key: required("AWS_ACCESS_KEY_ID")?,
            secret_key: required("AWS_SECRET_ACCESS_KEY")?,
            retry_total,
        })
    }
}

impl fmt::Debug for S3Config {
    /// All but the secret key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Config")
            .field("endpoint", &self.endpoint)
            .field("region", &self.region)
            .field("bucket", &self.bucket)
            .field("access_key", &self.access_key)
            .field("retry_total", &self.retry_total)
            .field("in_flight_bytes", &self.in_flight_bytes)
            .finish_non_exhaustive()
    }
}

/// Why the environment is no configuration.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A variable that has no default is not set.
    #[error("{name} is not set")]
    Missing {
        /// The variable.
        name: &'static str,
    },
    /// The endpoint is no URL.
    #[error("PROVOST_STORE_ENDPOINT {value:?} does not begin with http:// or https://")]
    Endpoint {
        /// What it is.
        value: String,
    },
    /// The retry time is no number.
    #[error("PROVOST_STORE_RETRY_SECONDS {value:?} is not a number of seconds")]
    RetrySeconds {
        /// What it is.
        value: String,
    },
    /// The bound on what is on its way is no number.
    #[error("PROVOST_STORE_IN_FLIGHT_MIB {value:?} is not a number of MiB of at least 1")]
    InFlight {
        /// What it is.
        value: String,
    },
}

impl ConfigError {
    /// Stable name of the error.
    pub fn reason(&self) -> &'static str {
        "InvalidStoreConfiguration"
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn read(vars: &[(&str, &str)]) -> Result<S3Config, ConfigError> {
        let find = |name: &str| {
            vars.iter()
                .find(|(n, _)| *n == name)
                .map(|(_, value)| (*value).to_owned())
        };
        S3Config::from_vars(find)
    }

    const ENOUGH: [(&str, &str); 3] = [
        ("PROVOST_STORE_ENDPOINT", "http://store:9000"),
        ("AWS_ACCESS_KEY_ID", "key"),
        ("AWS_SECRET_ACCESS_KEY", "very secret"),
    ];

    #[test]
    fn has_defaults_and_keeps_the_secret() {
        let config = read(&ENOUGH).unwrap();
        assert_eq!(
            (config.bucket.as_str(), config.region.as_str()),
            ("provost", "us-east-1")
        );
        assert_eq!(config.retry_total, Duration::from_secs(180));
        assert!(config.in_flight_bytes >= IN_FLIGHT_LEAST);
        assert_eq!(config.address(), "store:9000");
        assert!(!format!("{config:?}").contains("very secret"));
    }

    #[test]
    fn names_what_is_missing_or_wrong() {
        assert_eq!(
            read(&ENOUGH[..2]).unwrap_err(),
            ConfigError::Missing {
                name: "AWS_SECRET_ACCESS_KEY"
            }
        );
        let mut vars = ENOUGH.to_vec();
        vars[0].1 = "store:9000";
        assert_eq!(
            read(&vars).unwrap_err(),
            ConfigError::Endpoint {
                value: "store:9000".to_owned()
            }
        );
        vars[0].1 = "https://store";
        vars.push(("PROVOST_STORE_RETRY_SECONDS", "soon"));
        assert_eq!(
            read(&vars).unwrap_err(),
            ConfigError::RetrySeconds {
                value: "soon".to_owned()
            }
        );
        vars[3] = ("PROVOST_STORE_IN_FLIGHT_MIB", "0");
        assert_eq!(
            read(&vars).unwrap_err(),
            ConfigError::InFlight {
                value: "0".to_owned()
            }
        );
        vars[3].1 = "64";
        assert_eq!(read(&vars).unwrap().in_flight_bytes, 64 << 20);
    }
}
