//! Everything that talks to the cluster.

pub(crate) mod kube;
pub(crate) mod token;
pub(crate) mod transfer;
pub(crate) mod tunnel;
pub(crate) mod upload;
pub(crate) mod watch;
