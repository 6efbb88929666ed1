//! The bearer token for the operator's HTTP API.
//!
//! The operator hands tokens to the API server for review, so any token that the API server accepts will
//! do: the kubeconfig's own (static, from a file, from a credential plugin), or, for a user who has
//! a client certificate and so no token, a short-lived one of the service account `provost-cli`.

use ::kube::Api;
use ::kube::api::PostParams;
use ::kube::client::ConfigExt;
use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderValue, Request, Response};
use http_body_util::Empty;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use tower::{BoxError, Layer, ServiceExt, service_fn};

use super::kube::Cluster;
use crate::error::{CliError, chain};

/// The account that stands in for a user who has no token.
const SERVICE_ACCOUNT: &str = "provost-cli";

/// The shortest life that the API server grants. One token serves one command.
const LIFETIME_SECONDS: i64 = 600;

/// The value of the Authorization header.
pub(crate) async fn authorization(cluster: &Cluster) -> Result<HeaderValue, CliError> {
    if let Some(own) = of_kubeconfig(cluster).await?
        && own.as_bytes().starts_with(b"Bearer ")
    {
        return Ok(own);
    }
    of_service_account(cluster).await
}

/// What the client would send to the API server, credential plugins included: its own layer is asked
/// to decorate a request that goes nowhere, and the answer brings the header back.
async fn of_kubeconfig(cluster: &Cluster) -> Result<Option<HeaderValue>, CliError> {
    let Some(layer) = cluster.config.auth_layer()? else {
        return Ok(None);
    };
    let echo = service_fn(|request: Request<Empty<Bytes>>| async move {
        let mut answer = Response::new(());
        *answer.headers_mut() = request.into_parts().0.headers;
        Ok::<_, BoxError>(answer)
    });
    match layer.layer(echo).oneshot(Request::new(Empty::new())).await {
        Ok(answer) => Ok(answer.headers().get(AUTHORIZATION).cloned()),
        Err(error) => Err(CliError::failed(
            "Unauthorized",
            format!("the kubeconfig gives no token: {}", chain(error.as_ref())),
        )),
    }
}

async fn of_service_account(cluster: &Cluster) -> Result<HeaderValue, CliError> {
    let accounts =
        Api::<ServiceAccount>::namespaced(cluster.client.clone(), &cluster.system_namespace);
    let request = TokenRequest {
        spec: Some(TokenRequestSpec {
            expiration_seconds: Some(LIFETIME_SECONDS),
            ..TokenRequestSpec::default()
        }),
        ..TokenRequest::default()
    };
    let answer = accounts
        .create_token_request(SERVICE_ACCOUNT, &PostParams::default(), &request)
        .await;
    let place = format!(
        "service account {SERVICE_ACCOUNT} of namespace {}",
        cluster.system_namespace
    );
    let token = match answer {
        Ok(answer) => answer.status.and_then(|s| s.token).unwrap_or_default(),
        Err(::kube::Error::Api(status)) => {
            return Err(CliError::failed(
                if status.reason.is_empty() {
                    "TokenRefused"
                } else {
                    &status.reason
                },
                format!(
                    "your kubeconfig has no bearer token, and the {place} gives none: {} (needs the right \
                     `create` on `serviceaccounts/token` there, as the Role provost-cli-token grants it)",
                    status.message
                ),
            ));
        }
        Err(other) => return Err(other.into()),
    };
    bearer(&token).ok_or_else(|| {
        CliError::failed(
            "TokenRefused",
            format!("the {place} gave an unusable token"),
        )
    })
}

/// The header of a token, marked so that no log prints it.
fn bearer(token: &str) -> Option<HeaderValue> {
    if token.is_empty() {
        return None;
    }
    let mut value = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use ::kube::config::AuthInfo;
    use ::kube::{Client, Config};

    use super::*;

    fn cluster(auth_info: AuthInfo) -> Cluster {
        let mut config = Config::new("http://127.0.0.1:1".parse().unwrap());
        config.auth_info = auth_info;
        Cluster {
            client: Client::try_from(config.clone()).unwrap(),
            config,
            namespace: "default".into(),
            system_namespace: "provost-system".into(),
        }
    }

    #[tokio::test]
    async fn a_token_of_the_kubeconfig_is_used() {
        let auth = AuthInfo {
            token: Some("abc".to_owned().into()),
            ..AuthInfo::default()
        };
        let value = authorization(&cluster(auth)).await.unwrap();
        assert_eq!(value, "Bearer abc");
    }

    #[tokio::test]
    async fn a_token_file_is_read() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "from-file").unwrap();
        let auth = AuthInfo {
            token_file: Some(file.path().display().to_string()),
            ..AuthInfo::default()
        };
        assert_eq!(
            authorization(&cluster(auth)).await.unwrap(),
            "Bearer from-file"
        );
    }

    #[tokio::test]
    async fn a_credential_plugin_is_asked() {
        let auth: AuthInfo = serde_json::from_value(serde_json::json!({"exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": "echo",
            "args": [r#"{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","status":{"token":"plugged"}}"#],
            "interactiveMode": "Never",
        }}))
        .unwrap();
        assert_eq!(
            authorization(&cluster(auth)).await.unwrap(),
            "Bearer plugged"
        );
    }

    #[tokio::test]
    async fn without_a_token_the_api_server_is_asked_for_one() {
        // Nothing listens on port 1: that the answer is "unreachable" shows where the question went.
        let error = authorization(&cluster(AuthInfo::default()))
            .await
            .unwrap_err();
        assert_eq!(error.code(), crate::error::EXIT_UNREACHABLE, "{error}");
    }

    #[test]
    fn tokens_do_not_print() {
        let value = bearer("secret").unwrap();
        assert!(!format!("{value:?}").contains("secret"));
        assert!(bearer("").is_none());
        assert!(bearer("a\nb").is_none());
    }
}
