//! Errors of the HTTP API.

use axum::Json;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use provost_artifacts::StoreError;
use serde::Serialize;

use crate::elf::ElfError;
use crate::inputs::InputsError;

/// Why a request was refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// No token.
    #[error(
        "no token: send `Authorization: Bearer TOKEN` with a Kubernetes token, for example from `kubectl create token provost-cli -n provost-system`"
    )]
    NoToken,
    /// The API server does not know the token.
    #[error("the API server does not accept this token: get a fresh one")]
    Unauthenticated,
    /// The user may not do this.
    #[error(
        "{user} may not {verb} proofrequests in namespace {namespace}: bind the role {role} there",
        role = role(verb)
    )]
    Forbidden {
        /// The user behind the token.
        user: String,
        /// The verb that is needed.
        verb: &'static str,
        /// The namespace.
        namespace: String,
    },
    /// The API server could not be asked.
    #[error("the API server did not answer: {0}")]
    Api(String),
    /// The body is no program.
    #[error("{0}")]
    Program(#[from] ElfError),
    /// The body is no SP1Stdin.
    #[error("{0}")]
    Stdin(String),
    /// The body is too large or broke off.
    #[error("{message}")]
    Body {
        /// Status to answer with.
        status: StatusCode,
        /// What is wrong.
        message: String,
    },
    /// No such ProofRequest.
    #[error("there is no proofrequest {name} in namespace {namespace}")]
    NoProofRequest {
        /// The namespace.
        namespace: String,
        /// The name.
        name: String,
    },
    /// The proof is not there (yet).
    #[error("{0}")]
    NoProof(String),
    /// The proof is too large to be sent.
    #[error(
        "the proof has {size} bytes at rest, more than the {most} that the operator has room for: read object {key} from the artifact store itself"
    )]
    ProofTooLarge {
        /// Bytes of the proof as stored.
        size: u64,
        /// Most bytes that there is room for.
        most: u64,
        /// The object's key.
        key: String,
    },
    /// Only the leader takes this.
    #[error("this replica of the operator does not lead: {}", leader(.pod.as_deref()))]
    NotLeader {
        /// The pod that leads, where it is known.
        pod: Option<String>,
    },
    /// The store failed, or what it holds does not decode.
    #[error("the artifact store failed: {0}")]
    Store(#[from] InputsError),
    /// A worker thread of the operator died.
    #[error("internal error: {0}")]
    Internal(String),
    /// No such route.
    #[error(
        "no such path: PUT /v1/namespaces/NS/artifacts/program|stdin, GET /v1/namespaces/NS/proofs/NAME"
    )]
    NoRoute,
    /// The path is right, the method is not.
    #[error("method not allowed here: artifacts are PUT, proofs are GET")]
    Method,
}

impl HttpError {
    /// Stable name of the error, for programs and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NoToken | Self::Unauthenticated => "Unauthenticated",
            Self::Forbidden { .. } => "Forbidden",
            Self::Api(_) => "ApiUnavailable",
            Self::Program(_) => "ProgramFault",
            Self::Stdin(_) => "InvalidStdin",
            Self::Body { status, .. } if *status == StatusCode::PAYLOAD_TOO_LARGE => "TooLarge",
            Self::ProofTooLarge { .. } => "TooLarge",
            Self::Body { .. } => "InvalidBody",
            Self::NoProofRequest { .. } | Self::NoRoute => "NotFound",
            Self::NoProof(_) => "NotReady",
            Self::NotLeader { .. } => "NotLeader",
            Self::Store(error) => error.reason(),
            Self::Internal(_) => "Internal",
            Self::Method => "MethodNotAllowed",
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::NoToken | Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Forbidden { .. } => StatusCode::FORBIDDEN,
            Self::Store(error) => store_status(error),
            Self::Api(_) | Self::NotLeader { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Program(_) | Self::Stdin(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Body { status, .. } => *status,
            Self::ProofTooLarge { .. } => StatusCode::INSUFFICIENT_STORAGE,
            Self::NoProofRequest { .. } | Self::NoRoute => StatusCode::NOT_FOUND,
            Self::NoProof(_) => StatusCode::CONFLICT,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
        }
    }
}

fn leader(pod: Option<&str>) -> String {
    match pod {
        Some(pod) => {
            format!("send it to pod {pod}, or to the Service provost-operator, which leads there")
        }
        None => "no replica does at present, try again in a few seconds".to_owned(),
    }
}

fn store_status(error: &InputsError) -> StatusCode {
    match error {
        InputsError::Store(StoreError::NotFound { .. }) => StatusCode::NOT_FOUND,
        InputsError::Store(StoreError::Full { .. }) => StatusCode::INSUFFICIENT_STORAGE,
        InputsError::Store(error) if error.is_transient() => StatusCode::SERVICE_UNAVAILABLE,
        InputsError::Shutdown | InputsError::NotLeader => StatusCode::SERVICE_UNAVAILABLE,
        InputsError::Store(_) | InputsError::Codec(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The role that allows it, and as little else as possible.
fn role(verb: &str) -> &'static str {
    match verb {
        "get" => "provost-viewer",
        _ => "provost-proofrequest-editor",
    }
}

impl From<BytesRejection> for HttpError {
    fn from(rejection: BytesRejection) -> Self {
        let status = rejection.status();
        let message = if status == StatusCode::PAYLOAD_TOO_LARGE {
            format!(
                "the body is too large: a program may have {} MiB, a stdin {} MiB",
                super::MAX_PROGRAM_BYTES >> 20,
                super::MAX_STDIN_BYTES >> 20
            )
        } else {
            format!("the body could not be read: {rejection}")
        };
        Self::Body { status, message }
    }
}

#[derive(Serialize)]
struct Answer {
    reason: &'static str,
    message: String,
}

impl IntoResponse for HttpError {
    fn into_response(self) -> Response {
        let answer = Answer {
            reason: self.reason(),
            message: self.to_string(),
        };
        (self.status(), Json(answer)).into_response()
    }
}

pub(super) async fn not_found() -> HttpError {
    HttpError::NoRoute
}

pub(super) async fn method_not_allowed() -> HttpError {
    HttpError::Method
}
