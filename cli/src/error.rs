//! What can go wrong, and the exit code that says so.

use std::process::ExitCode;

use thiserror::Error;

/// The request failed, or something outside of the cluster did (a file, a missing program).
pub(crate) const EXIT_FAILED: u8 = 1;
/// The command line makes no sense. clap uses the same code for its own complaints.
pub(crate) const EXIT_USAGE: u8 = 2;
/// The API server or the operator behind it does not answer.
pub(crate) const EXIT_UNREACHABLE: u8 = 3;
/// The object that was asked for does not exist.
pub(crate) const EXIT_NOT_FOUND: u8 = 4;
/// The proof does not verify.
pub(crate) const EXIT_VERIFICATION: u8 = 5;
/// `--timeout` passed first.
pub(crate) const EXIT_TIMEOUT: u8 = 6;
/// Stopped by SIGINT: 128 + 2, as a shell reports it.
pub(crate) const EXIT_INTERRUPTED: u8 = 130;

/// The table of exit codes, printed below `--help`.
pub(crate) const EXIT_CODE_HELP: &str = "\
Exit codes:
  0    done
  1    the request failed; the class and the message are printed
  2    the command line is wrong
  3    the cluster cannot be reached
  4    no such proof
  5    the proof does not verify
  6    --timeout passed
  130  interrupted (the proof itself goes on: `kubectl proof cancel NAME` ends it)";

/// An error that ends the command.
#[derive(Debug, Error)]
pub(crate) enum CliError {
    /// A flag or a value is wrong: the text names it and says what would be right.
    #[error("{0}")]
    Usage(String),
    /// The proof ended without success, or the API refused the request.
    #[error("{reason}: {message}")]
    Failed {
        /// CamelCase class: a failure class of the proof, or a reason of the API.
        reason: String,
        /// What happened, for a reader.
        message: String,
    },
    /// No answer from the API server, or none from the operator through it.
    #[error("cannot reach the cluster: {0}")]
    Unreachable(String),
    /// The named object is not there.
    #[error("{0}")]
    NotFound(String),
    /// The time given by `--timeout` is over.
    #[error("timed out after {after}: {what}")]
    Timeout {
        /// The time that was given, as the user reads it.
        after: String,
        /// What was being waited for and where it stands.
        what: String,
    },
    /// The user pressed Ctrl-C.
    #[error("interrupted{0}")]
    Interrupted(String),
    /// A local file could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// The path as the user gave it.
        path: String,
        /// The system's complaint.
        source: std::io::Error,
    },
    /// A program that this command runs is not installed.
    #[error("{0}")]
    MissingProgram(String),
}

impl CliError {
    /// A failure with its class.
    pub(crate) fn failed(reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Failed {
            reason: reason.into(),
            message: message.into(),
        }
    }

    /// A complaint about the command line.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::Usage(message.into())
    }

    /// A complaint about a local file.
    pub(crate) fn file(path: impl AsRef<std::path::Path>, source: std::io::Error) -> Self {
        Self::File {
            path: path.as_ref().display().to_string(),
            source,
        }
    }

    /// The number that the process ends with.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Usage(_) => EXIT_USAGE,
            Self::Failed { .. } | Self::File { .. } | Self::MissingProgram(_) => EXIT_FAILED,
            Self::Unreachable(_) => EXIT_UNREACHABLE,
            Self::NotFound(_) => EXIT_NOT_FOUND,
            Self::Timeout { .. } => EXIT_TIMEOUT,
            Self::Interrupted(_) => EXIT_INTERRUPTED,
        }
    }

    /// The same as the type that `main` returns.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code())
    }
}

impl From<kube::Error> for CliError {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => from_status(&status),
            kube::Error::HyperError(e) => Self::Unreachable(chain(&e)),
            kube::Error::Service(e) => Self::Unreachable(chain(e.as_ref())),
            kube::Error::ReadEvents(e) => Self::Unreachable(chain(&e)),
            kube::Error::Auth(e) => Self::failed("Unauthorized", chain(&e)),
            kube::Error::InferConfig(e) => Self::usage(chain(&e)),
            kube::Error::InferKubeconfig(e) => Self::usage(chain(&e)),
            kube::Error::SerdeError(e) => Self::failed(
                "UnexpectedAnswer",
                format!(
                    "the answer of the API server does not parse: {e}: is it of another version than this `kubectl proof`?"
                ),
            ),
            other => Self::failed("ClientError", chain(&other)),
        }
    }
}

/// What the API server said, as an error of ours.
fn from_status(status: &kube::core::Status) -> CliError {
    let message = if status.message.is_empty() {
        "no message".to_owned()
    } else {
        status.message.clone()
    };
    if status.code == 404 {
        // "404 page not found" has no details: the kind itself is unknown to the server.
        let known = status.details.as_ref().is_some_and(|d| !d.name.is_empty());
        return CliError::NotFound(if known {
            message
        } else {
            format!(
                "{message}: is Provost installed in this cluster? (`kubectl get crd proofrequests.provost.dev`)"
            )
        });
    }
    let reason = if status.reason.is_empty() {
        format!("Http{}", status.code)
    } else {
        status.reason.clone()
    };
    CliError::failed(reason, message)
}

/// An error and its causes on one line, without repeating what an outer one already says.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    fn api(code: u16, reason: &str, message: &str) -> CliError {
        CliError::from(kube::Error::Api(Box::new(Status {
            code,
            reason: reason.into(),
            message: message.into(),
            ..Status::default()
        })))
    }

    #[test]
    fn every_error_has_its_documented_code() {
        let cases = [
            (CliError::usage("x"), 2),
            (CliError::failed("ProgramFault", "x"), 1),
            (CliError::Unreachable("x".into()), 3),
            (CliError::NotFound("x".into()), 4),
            (
                CliError::Timeout {
                    after: "1s".into(),
                    what: "x".into(),
                },
                6,
            ),
            (CliError::Interrupted(String::new()), 130),
            (CliError::file("x", std::io::Error::other("y")), 1),
            (CliError::MissingProgram("x".into()), 1),
        ];
        for (error, code) in cases {
            assert_eq!(error.code(), code, "{error}");
            assert!(
                EXIT_CODE_HELP.contains(&format!("\n  {code} ")),
                "{code} is documented"
            );
        }
        assert!(EXIT_CODE_HELP.contains(&format!("\n  {EXIT_VERIFICATION} ")));
    }

    #[test]
    fn answers_of_the_api_server_become_classes() {
        assert_eq!(api(404, "NotFound", "no").code(), EXIT_NOT_FOUND);
        assert_eq!(api(403, "Forbidden", "no").to_string(), "Forbidden: no");
        assert_eq!(
            api(422, "Invalid", "spec.mode: x").to_string(),
            "Invalid: spec.mode: x"
        );
        assert_eq!(api(500, "", "").to_string(), "Http500: no message");
    }

    #[test]
    fn an_unknown_kind_asks_whether_provost_is_installed() {
        assert!(
            api(404, "NotFound", "404 page not found")
                .to_string()
                .contains("is Provost installed")
        );
    }

    #[test]
    fn causes_are_told_once() {
        let inner = std::io::Error::other("connection refused");
        let outer = CliError::File {
            path: "x".into(),
            source: inner,
        };
        assert_eq!(chain(&outer), "x: connection refused");
    }
}
