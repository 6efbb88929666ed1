//! A client that sees nothing of ProvingTasks until a test lets it.

use std::sync::Arc;

use axum::body::Body as Chunks;
use futures::stream;
use http::{Request, Response};
use kube::Client;
use kube::client::Body;
use tokio::sync::watch;

/// What the API server says of a resource version that it does not know any more.
const EXPIRED: &str = concat!(
    r#"{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","#,
    r#""message":"too old resource version","reason":"Expired","code":410}}"#,
    "\n"
);

/// Everything goes through, but watches of ProvingTasks: those say nothing until `sees`, and then that they have to begin anew, with a list.
pub fn blind(client: Client, namespace: &str, sees: watch::Receiver<bool>) -> Client {
    let client = Arc::new(client);
    let service = tower::service_fn(move |request: Request<Body>| {
        let (client, mut sees) = (client.clone(), sees.clone());
        async move {
            let uri = request.uri();
            let watches = uri
                .query()
                .is_some_and(|query| query.contains("watch=true"));
            if !watches || !uri.path().ends_with("/provingtasks") || *sees.borrow() {
                return client.send(request).await.map(|said| said.map(Chunks::new));
            }
            let word = stream::once(async move {
                let seen = sees.wait_for(|sees| *sees).await;
                seen.map(|_| EXPIRED)
            });
            Ok(Response::new(Chunks::from_stream(word)))
        }
    });
    Client::new(service, namespace)
}
