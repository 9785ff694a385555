//! The reasons for which an image could not be fetched.

use std::time::Duration;

use crate::kind::ErrorKind;

/// The reason for which an image could not be fetched from a URL. Neither its message nor what is behind it has the URL's
/// query, and one that is not allowed is told in one wording, whatever the reason: what lies behind a
/// private address is nobody's business.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The URL, or one that it redirects to, is not one that may be asked.
    #[error("the URL may not be fetched")]
    NotAllowed,
    /// The server refused, or did not answer as one that has an image.
    #[error("the image cannot be fetched from {host}: the server answered {status}")]
    #[non_exhaustive]
    Status {
        /// The host.
        host: String,
        /// The HTTP status.
        status: u16,
    },
    /// The host has no address, or the connection failed.
    #[error("the image cannot be fetched from {host}")]
    #[non_exhaustive]
    Unreachable {
        /// The host.
        host: String,
        /// The cause.
        #[source]
        problem: Box<dyn std::error::Error + Send + Sync>,
    },
    /// There were more redirects than are followed.
    #[error("the image cannot be fetched: more than {most} redirects")]
    #[non_exhaustive]
    Redirects {
        /// Most that are followed.
        most: usize,
    },
    /// No HTTPS client can be made on this machine.
    #[error("no HTTPS client can be made")]
    #[non_exhaustive]
    NoClient {
        /// The cause.
        #[source]
        problem: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It was not all there in time.
    #[error("the image was not fetched within {allowed:?}")]
    #[non_exhaustive]
    Timeout {
        /// The time it had.
        allowed: Duration,
    },
}

impl FetchError {
    pub(crate) fn kind(&self) -> ErrorKind {
        match self {
            Self::NotAllowed => ErrorKind::PolicyViolation,
            Self::Timeout { .. } => ErrorKind::Timeout,
            Self::NoClient { .. } => ErrorKind::Configuration,
            _ => ErrorKind::Unavailable,
        }
    }

    /// What the server refused once it refuses again.
    pub(crate) fn is_retryable(&self) -> bool {
        match self {
            Self::NotAllowed | Self::Redirects { .. } | Self::NoClient { .. } => false,
            Self::Status { status, .. } => matches!(status, 408 | 425 | 429 | 500..),
            Self::Unreachable { .. } | Self::Timeout { .. } => true,
        }
    }

    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::NotAllowed => {
                "use the http(s) URL of an image on a public host that LABLINK_STORAGE_FETCH_HOSTS allows"
            }
            Self::Status { .. } | Self::Redirects { .. } => {
                "open the URL in a private browser window: it has to show the image itself"
            }
            Self::NoClient { .. } => {
                "install the CA certificates (on Debian: apt-get install ca-certificates)"
            }
            Self::Unreachable { .. } | Self::Timeout { .. } => {
                "try again later, or upload the file itself"
            }
        }
    }
}
