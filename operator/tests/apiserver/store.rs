//! The store's keys.

use provost_operator::secrets::ensure_store_keys;

use crate::bench::Bench;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_made_once() {
    let bench = Bench::new("keys").await;
    let ensure = || ensure_store_keys(bench.operator_client(), &bench.namespace, "provost-store");
    let (one, two) = tokio::join!(ensure(), ensure());
    assert!(one.unwrap() == two.unwrap());
    bench.close().await;
}
