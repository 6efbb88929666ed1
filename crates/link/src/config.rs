//! What a link is told when it starts.

use std::sync::Arc;
use std::time::Duration;

use crate::dial::Dial;
use crate::resolve::{Dns, Resolve};

/// Who speaks, and to whom.
#[derive(Clone)]
pub struct Config {
    /// `http://host:port`, each. A name stands for all its addresses, as a headless Service's does: one replica each.
    pub addresses: Vec<String>,
    /// The pod's name.
    pub pod: String,
    /// The pod's UID; empty outside of Kubernetes.
    pub pod_uid: String,
    /// Provost's version.
    pub version: String,
    /// SP1's circuit version.
    pub sp1_version: String,
    /// Whether its node may be taken away at short notice.
    pub spot: bool,
    /// Periods and patience.
    pub timing: Timing,
    /// Sizes.
    pub limits: Limits,
    /// Turns names into addresses.
    pub resolver: Arc<dyn Resolve>,
    /// Makes connections; plain TCP without one.
    pub dial: Option<Arc<dyn Dial>>,
}

impl Config {
    /// A link of `pod` to `addresses`, all else by default.
    pub fn new(addresses: Vec<String>, pod: impl Into<String>) -> Self {
        Self {
            addresses,
            pod: pod.into(),
            pod_uid: String::new(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            sp1_version: String::new(),
            spot: false,
            timing: Timing::default(),
            limits: Limits::default(),
            resolver: Arc::new(Dns),
            dial: None,
        }
    }
}

/// Periods and patience.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timing {
    /// Between two beats.
    pub beat: Duration,
    /// Between two look-ups of the names.
    pub resolve: Duration,
    /// For a connection to come up.
    pub connect: Duration,
    /// For a replica's Welcome, and between two messages of a leader: after that its stream is opened anew.
    pub silence: Duration,
    /// Pause before the second attempt to connect again; it doubles up to `longest_pause`. The first attempt after a stream that had settled comes
    /// at once.
    pub first_pause: Duration,
    /// Longest pause between two connections.
    pub longest_pause: Duration,
    /// After this much idle time HTTP/2 asks whether the other side lives; after as much again the stream is given up.
    pub keepalive: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            beat: Duration::from_secs(2),
            resolve: Duration::from_secs(3),
            connect: Duration::from_secs(3),
            silence: Duration::from_secs(10),
            first_pause: Duration::from_millis(20),
            longest_pause: Duration::from_secs(2),
            keepalive: Duration::from_secs(4),
        }
    }
}

/// Sizes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a frame; a larger message travels in a frame of its own.
    pub frame_bytes: usize,
    /// Messages in a frame.
    pub frame_messages: usize,
    /// Bytes of a part of a report; what is larger travels in a part of its own.
    pub part_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            frame_bytes: 1 << 20,
            frame_messages: 1_000,
            part_bytes: 1 << 20,
        }
    }
}
