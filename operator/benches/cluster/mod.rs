//! What the benchmarks of the operator have in common: the product's own binary against a real kube-apiserver, in a namespace of its own.

#![allow(dead_code, reason = "each benchmark uses some of it")]

pub(crate) mod api;
pub(crate) mod crew;
pub(crate) mod operator;
pub(crate) mod writes;

/// As many threads as the machine that the bars are set for has cores.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}
