//! The kinds of errors, each one word that a caller can match on.

use std::fmt;

/// The kind of an error, the same on every backend and in every language.
///
/// Its `Display` and [`as_str`](ErrorKind::as_str) are the snake_case code that leaves in JSON, logs and
/// Python's `StorageError.code`.
///
/// ```
/// use lablink_storage::ErrorKind;
///
/// assert_eq!(ErrorKind::AlreadyExists.to_string(), "already_exists");
/// assert_eq!(ErrorKind::AlreadyExists.http_status(), 409);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// The configuration is wrong or incomplete.
    Configuration,
    /// An argument is outside its range.
    InvalidArgument,
    /// A key breaks a rule of [`ObjectKey`](crate::ObjectKey), or is not one this call takes.
    InvalidKey,
    /// A URL that does not lead into this store.
    ForeignUrl,
    /// Bytes that are not an image, or a damaged one.
    InvalidImage,
    /// An image, or an upload, over a limit.
    LimitExceeded,
    /// An image in a format that is not accepted.
    UnsupportedFormat,
    /// A direct upload that its policy does not allow, or a URL that may not be fetched.
    PolicyViolation,
    /// An image that an inspector rejected.
    Rejected,
    /// There is no such object.
    NotFound,
    /// There is such an object already, and it is not overwritten.
    AlreadyExists,
    /// The backend cannot do this, or not as it is configured.
    NotSupported,
    /// No credentials, or ones that the server does not take.
    Credentials,
    /// The credentials do not allow this call.
    AccessDenied,
    /// The bucket is not there, or in another region.
    NoSuchBucket,
    /// Throttled, overloaded or unreachable; a later try may succeed.
    Unavailable,
    /// It was not done within its deadline.
    Timeout,
    /// Anything else: a server's answer that makes no sense, a failing disk.
    Internal,
}

impl ErrorKind {
    /// Every kind.
    pub const ALL: [Self; 18] = [
        Self::Configuration,
        Self::InvalidArgument,
        Self::InvalidKey,
        Self::ForeignUrl,
        Self::InvalidImage,
        Self::LimitExceeded,
        Self::UnsupportedFormat,
        Self::PolicyViolation,
        Self::Rejected,
        Self::NotFound,
        Self::AlreadyExists,
        Self::NotSupported,
        Self::Credentials,
        Self::AccessDenied,
        Self::NoSuchBucket,
        Self::Unavailable,
        Self::Timeout,
        Self::Internal,
    ];

    /// The snake_case code.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::InvalidArgument => "invalid_argument",
            Self::InvalidKey => "invalid_key",
            Self::ForeignUrl => "foreign_url",
            Self::InvalidImage => "invalid_image",
            Self::LimitExceeded => "limit_exceeded",
            Self::UnsupportedFormat => "unsupported_format",
            Self::PolicyViolation => "policy_violation",
            Self::Rejected => "rejected",
            Self::NotFound => "not_found",
            Self::AlreadyExists => "already_exists",
            Self::NotSupported => "not_supported",
            Self::Credentials => "credentials",
            Self::AccessDenied => "access_denied",
            Self::NoSuchBucket => "no_such_bucket",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::Internal => "internal",
        }
    }

    /// The HTTP status with which a web service answers its own client.
    pub const fn http_status(self) -> u16 {
        match self {
            Self::InvalidArgument | Self::InvalidKey | Self::ForeignUrl | Self::InvalidImage => 400,
            Self::PolicyViolation => 403,
            Self::NotFound => 404,
            Self::AlreadyExists => 409,
            Self::LimitExceeded => 413,
            Self::UnsupportedFormat => 415,
            Self::Rejected => 422,
            Self::Configuration => 500,
            Self::NotSupported => 501,
            Self::Credentials | Self::AccessDenied | Self::NoSuchBucket | Self::Internal => 502,
            Self::Unavailable => 503,
            Self::Timeout => 504,
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::ErrorKind;

    #[test]
    fn codes_are_the_snake_case_of_the_names() {
        for kind in ErrorKind::ALL {
            let mut code = String::new();
            for letter in format!("{kind:?}").chars() {
                if letter.is_ascii_uppercase() && !code.is_empty() {
                    code.push('_');
                }
                code.push(letter.to_ascii_lowercase());
            }
            assert_eq!(kind.to_string(), code);
            assert_eq!(serde_json::json!(kind), code);
        }
    }

    /// What services answer with is promised to their clients: another status is a break.
    #[test]
    fn every_kind_has_the_status_that_is_promised() {
        let promised = [
            (ErrorKind::Configuration, 500),
            (ErrorKind::InvalidArgument, 400),
            (ErrorKind::InvalidKey, 400),
            (ErrorKind::ForeignUrl, 400),
            (ErrorKind::InvalidImage, 400),
            (ErrorKind::LimitExceeded, 413),
            (ErrorKind::UnsupportedFormat, 415),
            (ErrorKind::PolicyViolation, 403),
            (ErrorKind::Rejected, 422),
            (ErrorKind::NotFound, 404),
            (ErrorKind::AlreadyExists, 409),
            (ErrorKind::NotSupported, 501),
            (ErrorKind::Credentials, 502),
            (ErrorKind::AccessDenied, 502),
            (ErrorKind::NoSuchBucket, 502),
            (ErrorKind::Unavailable, 503),
            (ErrorKind::Timeout, 504),
            (ErrorKind::Internal, 502),
        ];
        assert_eq!(promised.map(|(kind, _)| kind), ErrorKind::ALL);
        for (kind, status) in promised {
            assert_eq!(kind.http_status(), status, "{kind}");
        }
    }
}
