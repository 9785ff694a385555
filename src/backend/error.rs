//! The error of a backend.

use std::error::Error;
use std::fmt;

use crate::key::ObjectKey;
use crate::kind::ErrorKind;

/// The operation that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
// Local files alone are swept, and S3 alone has versions.
#[cfg_attr(not(all(feature = "local", feature = "s3")), allow(dead_code))]
pub(crate) enum Operation {
    Open,
    Put,
    Get,
    GetVersion,
    Head,
    Delete,
    DeleteVersion,
    List,
    Health,
    Sign,
    Sweep,
    Versions,
    Invalidate,
}

impl Operation {
    /// Returns whether it concerns an object that is there already.
    pub(crate) const fn is_of_an_object(self) -> bool {
        use Operation::*;
        matches!(self, Get | GetVersion | Head | Delete | DeleteVersion)
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Put => "put",
            Self::Get | Self::GetVersion => "get",
            Self::Head => "head",
            Self::Delete | Self::DeleteVersion => "delete",
            Self::List => "list",
            Self::Health => "status",
            Self::Sign => "sign",
            Self::Sweep => "sweep",
            Self::Versions => "versions",
            Self::Invalidate => "invalidation",
        }
    }
}

/// A backend's failure: its kind, what was being done to which object, and what the server said.
///
/// No secret, token or signed query is in it, in its source or in the `Debug` of either.
pub struct StorageError(Box<Details>);

struct Details {
    kind: ErrorKind,
    operation: Operation,
    bucket: Option<String>,
    key: Option<ObjectKey>,
    problem: String,
    code: Option<String>,
    request_id: Option<String>,
    tries: u32,
    hint: Option<String>,
    of_disk: bool,
    retryable: bool,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl StorageError {
    pub(crate) fn new(kind: ErrorKind, operation: Operation, problem: impl Into<String>) -> Self {
        Self(Box::new(Details {
            kind,
            operation,
            bucket: None,
            key: None,
            problem: problem.into(),
            code: None,
            request_id: None,
            tries: 0,
            hint: None,
            of_disk: false,
            retryable: matches!(kind, ErrorKind::Unavailable | ErrorKind::Timeout),
            source: None,
        }))
    }

    pub(crate) fn not_supported(operation: Operation, problem: &str, remedy: &str) -> Self {
        Self::new(ErrorKind::NotSupported, operation, problem).with_hint(remedy)
    }

    #[cfg(feature = "s3")]
    pub(super) fn from_credentials(
        failure: super::s3::CredentialsFailure,
        operation: Operation,
    ) -> Self {
        Self::new(ErrorKind::Credentials, operation, failure.to_string())
            .retryable(failure.is_passing())
            .with_hint(failure.hint())
    }

    pub(crate) fn with_key(mut self, key: Option<&ObjectKey>) -> Self {
        self.0.key = key.cloned();
        self
    }

    pub(crate) fn with_bucket(mut self, bucket: Option<&str>) -> Self {
        self.0.bucket = bucket.map(str::to_owned);
        self
    }

    pub(crate) fn with_answer(
        mut self,
        code: Option<String>,
        request_id: Option<String>,
        tries: u32,
    ) -> Self {
        self.0.code = code;
        self.0.request_id = request_id;
        self.0.tries = tries;
        self
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Sets whether a later try may succeed, where the kind does not tell.
    #[cfg(feature = "s3")]
    pub(super) fn retryable(mut self, retryable: bool) -> Self {
        self.0.retryable |= retryable;
        self
    }

    /// Sets whether the disk itself failed, whatever was written.
    pub(super) fn of_disk(mut self, of_disk: bool) -> Self {
        self.0.of_disk = of_disk;
        self
    }

    pub(crate) fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Returns whether every other object would meet the same failure until something is repaired: loops over
    /// many objects stop at the first one.
    pub(crate) fn concerns_every_object(&self) -> bool {
        match self.0.kind {
            ErrorKind::Credentials
            | ErrorKind::AccessDenied
            | ErrorKind::NoSuchBucket
            | ErrorKind::Configuration => true,
            // Nobody answered although it was tried again and again.
            ErrorKind::Unavailable => self.0.code.is_none(),
            _ => self.0.of_disk,
        }
    }

    /// Returns the kind of error.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns the operation: `"put"`, `"get"`, `"head"`, `"delete"`, `"list"`, `"status"`, `"sign"`, `"sweep"`,
    /// `"versions"`, `"invalidation"` or `"open"`.
    pub fn operation(&self) -> &'static str {
        self.0.operation.as_str()
    }

    /// The object's key, where it was about one.
    pub fn key(&self) -> Option<&ObjectKey> {
        self.0.key.as_ref()
    }

    /// The bucket, on S3.
    pub fn bucket(&self) -> Option<&str> {
        self.0.bucket.as_deref()
    }

    /// The error code that the server gave, such as `SlowDown`.
    pub fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    /// The id that the server gave the request, for its operator's log.
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// Returns the number of requests that were sent.
    pub fn tries(&self) -> u32 {
        self.0.tries
    }

    /// Returns what to do about it, in one sentence.
    pub fn hint(&self) -> Option<String> {
        self.0.hint.clone().or_else(|| {
            let general = match self.0.kind {
                ErrorKind::NotFound => "check the key: the object does not exist, or no longer",
                ErrorKind::AlreadyExists => {
                    "choose another key: what is stored is never overwritten"
                }
                ErrorKind::LimitExceeded => {
                    "read it in ranges, or raise max_bytes in LABLINK_STORAGE_LIMITS"
                }
                ErrorKind::Unavailable => {
                    "try again later; LABLINK_STORAGE_DEADLINE lets a batch job wait longer"
                }
                ErrorKind::Timeout => {
                    "try again; for slow links or large batches raise LABLINK_STORAGE_DEADLINE"
                }
                ErrorKind::Internal => "see the error's source in the log",
                _ => return None,
            };
            Some(general.to_owned())
        })
    }

    /// Returns whether the same call may succeed later without any change.
    pub fn is_retryable(&self) -> bool {
        self.0.retryable
    }
}

impl fmt::Display for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let details = &self.0;
        let (doing, whose) = match details.operation {
            Operation::Sign => ("signing", "for"),
            Operation::Health => ("status", "of"),
            Operation::Invalidate => ("invalidation in CloudFront", "for"),
            operation => (operation.as_str(), "in"),
        };
        f.write_str(doing)?;
        if let Some(key) = &details.key {
            write!(f, " of {key}")?;
        }
        if let Some(bucket) = &details.bucket {
            write!(f, " {whose} bucket {bucket}")?;
        }
        write!(f, ": {}", details.problem)?;
        match (&details.code, &details.request_id) {
            (Some(code), Some(id)) => write!(f, " ({code}, request {id})"),
            (Some(code), None) => write!(f, " ({code})"),
            (None, Some(id)) => write!(f, " (request {id})"),
            (None, None) => Ok(()),
        }
    }
}

impl fmt::Debug for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let details = &self.0;
        f.debug_struct("StorageError")
            .field("kind", &details.kind)
            .field("operation", &details.operation)
            .field("bucket", &details.bucket)
            .field("key", &details.key)
            .field("problem", &details.problem)
            .field("code", &details.code)
            .field("request_id", &details.request_id)
            .field("tries", &details.tries)
            .field("source", &details.source)
            .finish_non_exhaustive()
    }
}

impl Error for StorageError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let source = self.0.source.as_deref()?;
        Some(source)
    }
}
