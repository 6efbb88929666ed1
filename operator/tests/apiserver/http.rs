//! The HTTP API with tokens of real service accounts.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::Api;
use kube::api::PostParams;
use provost_operator::leadership::Leader;
use serde_json::{Value, json};
use tokio::sync::watch;
use tower::ServiceExt;

use crate::bench::{Bench, create, wait};
use crate::worker::{Habit, Worker};
use provost_test_support::elf;

/// A token of a fresh service account; with the right to prove if `allowed`.
async fn token(bench: &Bench, name: &str, allowed: bool) -> String {
    let accounts: Api<ServiceAccount> = Api::namespaced(bench.client.clone(), &bench.namespace);
    create(&accounts, json!({"metadata": {"name": name}})).await;
    if allowed {
        let roles: Api<Role> = Api::namespaced(bench.client.clone(), &bench.namespace);
        let rule = json!({"apiGroups": ["provost.dev"], "resources": ["proofrequests"], "verbs": ["create", "get"]});
        create(&roles, json!({"metadata": {"name": name}, "rules": [rule]})).await;
        let bindings: Api<RoleBinding> = Api::namespaced(bench.client.clone(), &bench.namespace);
        let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name});
        let subject = json!({"kind": "ServiceAccount", "name": name, "namespace": bench.namespace});
        create(
            &bindings,
            json!({"metadata": {"name": name}, "roleRef": role, "subjects": [subject]}),
        )
        .await;
    }
    let request: TokenRequest = serde_json::from_value(json!({"spec": {"audiences": []}})).unwrap();
    let answer = accounts
        .create_token_request(name, &PostParams::default(), &request)
        .await
        .unwrap();
    answer.status.unwrap().token.unwrap()
}

async fn call(
    routes: &Router,
    method: &str,
    path: &str,
    token: Option<&str>,
    body: Vec<u8>,
) -> (StatusCode, Vec<u8>) {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let answer = routes
        .clone()
        .oneshot(request.body(Body::from(body)).unwrap())
        .await
        .unwrap();
    let status = answer.status();
    (
        status,
        to_bytes(answer.into_body(), usize::MAX)
            .await
            .unwrap()
            .to_vec(),
    )
}

fn routes(bench: &Bench, leader: Leader) -> Router {
    let (inputs, metrics) = (bench.inputs(), bench.metrics());
    provost_operator::http::router(bench.operator_client(), inputs, metrics, leader)
}

fn reason(body: &[u8]) -> String {
    serde_json::from_slice::<Value>(body).unwrap()["reason"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_go_in_and_out_for_those_who_may() {
    let bench = Bench::new("http").await;
    let _worker = Worker::start(&bench, "w-1", Habit::Diligent).await;
    let routes = routes(&bench, bench.leader());
    let (user, stranger) = (
        token(&bench, "user", true).await,
        token(&bench, "stranger", false).await,
    );
    let program = format!("/v1/namespaces/{}/artifacts/program", bench.namespace);
    let stdin = format!("/v1/namespaces/{}/artifacts/stdin", bench.namespace);

    let (status, body) = call(&routes, "PUT", &program, None, elf::program(8)).await;
    assert_eq!(
        (status, reason(&body).as_str()),
        (StatusCode::UNAUTHORIZED, "Unauthenticated")
    );
    let (status, _) = call(&routes, "PUT", &program, Some("forged"), elf::program(8)).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let (status, body) = call(&routes, "PUT", &program, Some(&stranger), elf::program(8)).await;
    assert_eq!(
        (status, reason(&body).as_str()),
        (StatusCode::FORBIDDEN, "Forbidden")
    );
    let elsewhere = "/v1/namespaces/kube-system/artifacts/program";
    assert_eq!(
        call(&routes, "PUT", elsewhere, Some(&user), elf::program(8))
            .await
            .0,
        StatusCode::FORBIDDEN
    );
    let (status, body) = call(&routes, "PUT", &program, Some(&user), b"text".to_vec()).await;
    assert_eq!(
        (status, reason(&body).as_str()),
        (StatusCode::UNPROCESSABLE_ENTITY, "ProgramFault")
    );
    let (status, body) = call(&routes, "PUT", &stdin, Some(&user), b"text".to_vec()).await;
    assert_eq!(
        (status, reason(&body).as_str()),
        (StatusCode::UNPROCESSABLE_ENTITY, "InvalidStdin")
    );
    let (status, body) = call(
        &routes,
        "PUT",
        &program,
        Some(&user),
        vec![0; (64 << 20) + 1],
    )
    .await;
    assert_eq!(
        (status, reason(&body).as_str()),
        (StatusCode::PAYLOAD_TOO_LARGE, "TooLarge")
    );
    assert_eq!(
        call(&routes, "GET", "/v1/x", Some(&user), vec![]).await.0,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        call(&routes, "POST", &program, Some(&user), vec![]).await.0,
        StatusCode::METHOD_NOT_ALLOWED
    );

    let id = |body: Vec<u8>| {
        serde_json::from_slice::<Value>(&body).unwrap()["id"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let (status, body) = call(&routes, "PUT", &program, Some(&user), elf::program(8)).await;
    assert_eq!(status, StatusCode::CREATED);
    let program = id(body);
    let input = provost_artifacts::codec::encode_stdin(&[vec![1]]);
    let (status, body) = call(&routes, "PUT", &stdin, Some(&user), input).await;
    assert_eq!(status, StatusCode::CREATED);
    let stdin = id(body);

    let proof = format!("/v1/namespaces/{}/proofs/fib", bench.namespace);
    let (status, body) = call(&routes, "GET", &proof, Some(&user), vec![]).await;
    assert_eq!(
        (status, reason(&body).as_str()),
        (StatusCode::NOT_FOUND, "NotFound")
    );
    let suspended = json!({"program": {"artifact": program}, "stdin": {"artifact": stdin}, "mode": "Core", "suspend": true});
    bench.request("fib", suspended).await;
    let (status, body) = call(&routes, "GET", &proof, Some(&user), vec![]).await;
    assert_eq!(
        (status, reason(&body).as_str()),
        (StatusCode::CONFLICT, "NotReady")
    );
    bench.edit("fib", json!({"suspend": false})).await;
    bench.state("fib", "Succeeded").await;
    assert_eq!(
        call(&routes, "GET", &proof, Some(&stranger), vec![])
            .await
            .0,
        StatusCode::FORBIDDEN
    );
    let (status, body) = call(&routes, "GET", &proof, Some(&user), vec![]).await;
    assert_eq!((status, body), (StatusCode::OK, b"a proof".to_vec()));
    bench.delete("fib").await;
    assert!(bench.stored().await.is_empty());
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_does_not_lead_takes_no_uploads_and_says_who_does() {
    let bench = Bench::new("http-follower").await;
    let _worker = Worker::start(&bench, "w-1", Habit::Diligent).await;
    let user = token(&bench, "user", true).await;
    bench.core("fib").await;
    bench.state("fib", "Succeeded").await;
    let before = wait("program, stdin and proof alone", || async {
        let stored = bench.stored().await;
        (stored.len() == 3).then_some(stored)
    })
    .await;
    let put = format!("/v1/namespaces/{}/artifacts/program", bench.namespace);
    let get = format!("/v1/namespaces/{}/proofs/fib", bench.namespace);
    let (_, leads) = watch::channel(false);
    for (holder, named) in [
        (Some("operator-7_00ff"), "send it to pod operator-7,"),
        (None, "try again in a few seconds"),
    ] {
        let (_, holder) = watch::channel(holder.map(str::to_owned));
        let follower = routes(&bench, Leader::new(leads.clone(), holder));
        let (status, body) = call(&follower, "PUT", &put, Some(&user), elf::program(9)).await;
        assert_eq!(
            (status, reason(&body).as_str()),
            (StatusCode::SERVICE_UNAVAILABLE, "NotLeader")
        );
        let text = String::from_utf8(body).unwrap();
        assert!(text.contains(named), "{text}");
        // What is stored can be had anywhere.
        assert_eq!(
            call(&follower, "GET", &get, Some(&user), vec![]).await.0,
            StatusCode::OK
        );
    }
    assert_eq!(bench.stored().await, before);
    assert_eq!(bench.leader().pod().as_deref(), Some("operator-test"));
    bench.close().await;
}
