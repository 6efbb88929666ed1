//! A configuration that was checked.

use std::sync::Arc;

use tonic::transport::Uri;

use crate::Config;
use crate::config::{Limits, Timing};
use crate::dial::Dial;
use crate::error::StartError;
use crate::resolve::Resolve;
use crate::state::About;

/// A configuration that was checked.
#[derive(Clone)]
pub(crate) struct Plan {
    pub(super) targets: Vec<Target>,
    pub(super) about: About,
    pub(super) timing: Timing,
    pub(super) limits: Limits,
    pub(super) resolver: Arc<dyn Resolve>,
    pub(super) dial: Option<Arc<dyn Dial>>,
}

/// Where replicas are to be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) host: String,
    pub(super) port: u16,
    /// What a request names as its destination.
    pub(super) origin: Uri,
}

impl Plan {
    /// Checks `config`.
    ///
    /// # Errors
    /// An address is none, or there is none.
    pub(crate) fn new(config: Config) -> Result<Self, StartError> {
        let targets: Vec<Target> = config
            .addresses
            .iter()
            .map(|address| target(address).ok_or_else(|| StartError::Address(address.clone())))
            .collect::<Result<_, _>>()?;
        if targets.is_empty() {
            return Err(StartError::NoAddress);
        }
        Ok(Self {
            targets,
            about: About {
                pod: config.pod,
                pod_uid: config.pod_uid,
                process: rand::random(),
                version: config.version,
                sp1_version: config.sp1_version,
                spot: config.spot,
            },
            timing: config.timing,
            limits: config.limits,
            resolver: config.resolver,
            dial: config.dial,
        })
    }
}

/// Reads `http://host:port`, with an optional slash behind it.
fn target(address: &str) -> Option<Target> {
    let origin: Uri = address.parse().ok()?;
    if origin.scheme_str() != Some("http") || !matches!(origin.path(), "" | "/") {
        return None;
    }
    let host = origin.host()?;
    let host = host.strip_prefix('[').unwrap_or(host);
    let host = host.strip_suffix(']').unwrap_or(host).to_owned();
    let port = origin.port_u16().filter(|_| !host.is_empty())?;
    Some(Target { host, port, origin })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_a_host_and_a_port() {
        let read = |address: &str| target(address).map(|target| (target.host, target.port));
        assert_eq!(read("http://a.b:1"), Some(("a.b".to_owned(), 1)));
        assert_eq!(
            read("http://127.0.0.1:50052/"),
            Some(("127.0.0.1".to_owned(), 50052))
        );
        assert_eq!(read("http://[::1]:2"), Some(("::1".to_owned(), 2)));
        for wrong in [
            "",
            "a.b:1",
            "http://a.b",
            "https://a.b:1",
            "http://a.b:1/c",
            "http://:1",
        ] {
            assert_eq!(read(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn without_an_address_there_is_no_link() {
        let none = Plan::new(Config::new(Vec::new(), "pod"));
        assert_eq!(none.err().map(|error| error.reason()), Some("NoAddress"));
        let wrong = Plan::new(Config::new(vec!["x".to_owned()], "pod"));
        assert_eq!(wrong.err().map(|error| error.reason()), Some("Address"));
    }
}
