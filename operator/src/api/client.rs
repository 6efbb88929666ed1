//! The client of the API server: kube's own, with every answer counted, those too that are tried again.

use http::{Request, Response};
use kube::client::retry::RetryPolicy;
use kube::client::{Body, ClientBuilder, DynBody};
use kube::{Client, Config};
use tower::buffer::BufferLayer;
use tower::retry::RetryLayer;
use tower::util::MapResponseLayer;

use crate::metrics::Metrics;

/// Requests that may wait for the connection; kube's own bound.
const WAITING: usize = 1024;

/// A client that counts what the API server answers.
///
/// # Errors
/// The configuration makes no sense.
pub fn client(mut config: Config, metrics: &Metrics) -> Result<Client, kube::Error> {
    // kube's retries would hide what they repeat: they go around the count.
    config.default_retry = false;
    let metrics = metrics.clone();
    let count = MapResponseLayer::new(move |response: Response<Box<DynBody>>| {
        metrics.api_answered(response.status().as_u16());
        response
    });
    Ok(ClientBuilder::try_from(config)?
        .with_layer(&count)
        // Retries need a service that can be cloned.
        .with_layer(&BufferLayer::<Request<Body>>::new(WAITING))
        .with_layer(&RetryLayer::new(RetryPolicy::server_retry()))
        .build())
}
