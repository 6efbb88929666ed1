//! Probes: whether the server answers, asked by who has no keys.

use hyper::header::AUTHORIZATION;
use hyper::{Method, Request, Response};
use s3s::{Body, HttpResponse};

/// Where they ask. A bucket of that name could still be listed, by who has keys.
const PATH: &str = "/healthz";

/// Whether `request` is one.
pub(super) fn is_probe<B>(request: &Request<B>) -> bool {
    let uri = request.uri();
    request.method() == Method::GET
        && uri.path() == PATH
        && uri.query().is_none()
        && !request.headers().contains_key(AUTHORIZATION)
}

/// The answer. It says nothing of the disk: a server that is begun again finds the same one.
pub(super) fn answer() -> HttpResponse {
    Response::new(Body::from("ok".to_owned()))
}
