//! A simulated worker: the process of a pod, with wires of its own.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde_json::Value;

use crate::address::METRICS;
use crate::http;
use crate::process::Process;
use crate::proxy::{Proxy, Way};

/// The worker of a pod.
pub struct Worker {
    /// Name of its pod.
    pub pod: String,
    /// Name of its pool.
    pub pool: String,
    /// Its address, where `/status` and `/faults` are.
    pub host: Ipv4Addr,
    /// Its wires to the replicas, in their order.
    pub replicas: Vec<Proxy>,
    /// Its wire to the store.
    pub store: Proxy,
    /// Its process.
    pub process: Process,
    /// Where it notes what it executes.
    pub log: PathBuf,
}

impl Worker {
    fn address(&self) -> SocketAddr {
        (self.host, METRICS).into()
    }

    /// Whether it takes tasks.
    pub async fn is_ready(&self) -> bool {
        http::call(self.address(), "GET", "/readyz", "").await.0 == 200
    }

    /// What it says of itself.
    pub async fn status(&self) -> Option<Value> {
        let (code, body) = http::call(self.address(), "GET", "/status", "").await;
        (code == 200)
            .then(|| serde_json::from_str(&body).ok())
            .flatten()
    }

    /// Adds a fault to those of the process.
    pub async fn fault(&self, fault: &Value) {
        let (code, body) = http::call(self.address(), "POST", "/faults", &fault.to_string()).await;
        assert_eq!(code, 201, "{}: {fault}: {body}", self.pod);
    }

    /// How often its faults have struck.
    pub async fn struck(&self) -> u64 {
        let (_, body) = http::call(self.address(), "GET", "/faults", "").await;
        let views: Vec<Value> = serde_json::from_str(&body).unwrap_or_default();
        views
            .iter()
            .filter_map(|view| view["struck"].as_u64())
            .sum()
    }

    /// Cuts it off from all replicas and from the store: nothing passes, nothing breaks.
    pub fn partition(&self) {
        self.wires().for_each(Proxy::hold);
    }

    /// Cuts one direction off: what it sends is lost from sight, what it is sent arrives.
    pub fn mute(&self) {
        self.replicas
            .iter()
            .for_each(|wire| wire.set(Way::Held, Way::Open));
    }

    /// All its wires are well.
    pub fn heal(&self) {
        self.wires().for_each(Proxy::heal);
    }

    fn wires(&self) -> impl Iterator<Item = &Proxy> {
        self.replicas.iter().chain([&self.store])
    }
}

/// The environment's addresses, taken apart: `http://host:port`, several separated by commas.
pub(crate) fn targets(env: &BTreeMap<String, String>, name: &str) -> Vec<SocketAddr> {
    let text = env.get(name).map(String::as_str).unwrap_or_default();
    let one = |url: &str| {
        let address = url
            .trim()
            .trim_start_matches("http://")
            .trim_end_matches('/');
        address.parse().unwrap_or_else(|_| panic!("{name}={text}"))
    };
    text.split(',').map(one).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_list_of_urls_is_taken_apart() {
        let env = BTreeMap::from([(
            "C".to_owned(),
            "http://127.0.0.1:1,http://127.0.0.2:1".to_owned(),
        )]);
        let expected: Vec<SocketAddr> = vec![
            "127.0.0.1:1".parse().unwrap(),
            "127.0.0.2:1".parse().unwrap(),
        ];
        assert_eq!(targets(&env, "C"), expected);
    }
}
