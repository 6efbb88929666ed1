//! What went wrong with a request, in a few words for people.

use std::error::Error;
use std::io;

use aws_sdk_s3::error::SdkError;

/// Why a request got no answer: its innermost cause, without the names of types around it.
pub(super) fn why<E: Error + 'static, R: std::fmt::Debug + 'static>(
    error: &SdkError<E, R>,
) -> String {
    match error {
        SdkError::TimeoutError(_) => "timed out".to_owned(),
        SdkError::DispatchFailure(failure) if failure.is_timeout() => "timed out".to_owned(),
        SdkError::DispatchFailure(failure) => failure
            .as_connector_error()
            .map_or_else(|| innermost(error), |error| innermost(error)),
        error => innermost(error),
    }
}

/// The innermost cause of an error.
pub(super) fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    loop {
        if let Some(io) = cause.downcast_ref::<io::Error>() {
            match io.kind() {
                io::ErrorKind::ConnectionRefused => return "connection refused".to_owned(),
                io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
                    return "the connection broke".to_owned();
                }
                io::ErrorKind::TimedOut => return "timed out".to_owned(),
                io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
                    return "no way to its address".to_owned();
                }
                _ => {}
            }
        }
        match cause.source() {
            Some(inner) => cause = inner,
            None => return plain(&cause.to_string()),
        }
    }
}

/// An error's text without the number that the operating system has for it.
fn plain(text: &str) -> String {
    let text = text.split(" (os error").next().unwrap_or(text);
    let mut letters = text.chars();
    let first = letters.next().map(|c| c.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outer {{ noise }}")]
    struct Outer(#[source] io::Error);

    #[test]
    fn only_the_cause_is_told() {
        let refused = Outer(io::Error::from_raw_os_error(111));
        assert_eq!(innermost(&refused), "connection refused");
        let other = Outer(io::Error::from_raw_os_error(2));
        assert_eq!(innermost(&other), "no such file or directory");
    }
}
