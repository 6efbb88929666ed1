//! The operator against a real kube-apiserver: the real controllers, coordinator and HTTP routes in this process, a store in memory,
//! and workers that speak the real protocol but prove nothing.
//!
//! PROVOST_TEST_KUBECONFIG=... cargo test -p provost-operator --features apiserver-tests --test apiserver
//!
//! There is no kubelet and no controller manager: tests write pod statuses themselves, and nothing is collected by owner.
#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test that meets an unexpected None or Err should stop there"
)]

mod admission;
mod bench;
mod blind;
mod budget;
mod faults;
mod foreign;
mod gate;
mod gpus;
mod hindered;
mod http;
mod identity;
mod joined;
mod leadership;
mod outage;
mod pools;
mod proofs;
mod quota;
mod recalls;
mod store;
mod sweeper;
mod unreadable;
mod worker;
