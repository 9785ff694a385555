//! One error for the whole crate: each room has its own, this one gathers them.

use std::time::Duration;

use crate::config::ConfigError;
use crate::format::Unrecognized;
use crate::key::InvalidKey;
use crate::kind::ErrorKind;
use crate::optimize::OptimizeError;
use crate::sign::{PolicyViolation, SignError};
use crate::url::{ForeignUrl, InvalidAddress, InvalidReference};
use crate::variant::InvalidVariant;

/// A result whose error is this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Any error of this crate, with its [`kind`](Self::kind) to match on and a [`hint`](Self::hint) that
/// says what to do.
///
/// No message, hint or `Debug` output ever holds a secret, a token or a signed query.
///
/// ```
/// use lablink_storage::{Error, ErrorKind, ObjectKey};
///
/// let error: Error = ObjectKey::parse("../etc/passwd").unwrap_err().into();
/// assert_eq!(error.kind(), ErrorKind::InvalidKey);
/// assert!(!error.is_retryable());
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The configuration is wrong or incomplete.
    #[error(transparent)]
    Configuration(#[from] ConfigError),
    /// A key breaks a rule, or is not one that the call takes.
    #[error(transparent)]
    InvalidKey(#[from] InvalidKey),
    /// A URL that does not lead into this store.
    #[error(transparent)]
    ForeignUrl(#[from] ForeignUrl),
    /// An image that was refused.
    #[error(transparent)]
    Optimize(#[from] OptimizeError),
    /// A request that could not be signed.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// A direct upload that its policy does not allow.
    #[error(transparent)]
    PolicyViolation(#[from] PolicyViolation),
    /// The backend failed, or refused.
    #[cfg(feature = "store")]
    #[error(transparent)]
    Storage(#[from] crate::backend::StorageError),
    /// An image that could not be fetched from its URL.
    #[cfg(feature = "fetch")]
    #[error(transparent)]
    Fetch(#[from] crate::fetch::FetchError),
    /// An inspector rejected the image.
    #[error("the image was rejected: {reason}")]
    #[non_exhaustive]
    Rejected {
        /// The inspector's words.
        reason: String,
    },
    /// The inspector failed, and so nobody knows whether the image may be published.
    #[error("the image could not be inspected")]
    #[non_exhaustive]
    InspectionFailed {
        /// The cause.
        #[source]
        problem: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The inspector did not answer in time.
    #[error("the image was not inspected within {allowed:?}")]
    #[non_exhaustive]
    InspectionTimeout {
        /// The time it had.
        allowed: Duration,
    },
    /// An argument is outside its range.
    #[error("invalid argument {name}: {reason}")]
    #[non_exhaustive]
    InvalidArgument {
        /// The argument.
        name: &'static str,
        /// The problem.
        reason: String,
    },
    /// The store cannot do this as it is configured.
    #[error("{what} is not supported here")]
    #[non_exhaustive]
    NotSupported {
        /// The request.
        what: &'static str,
        /// The way to make it work.
        remedy: &'static str,
    },
    /// Too many images are being decoded.
    #[error("no turn to decode within {waited:?}: {running} images are being worked on")]
    #[non_exhaustive]
    Busy {
        /// Most decodes that run at once.
        running: usize,
        /// Time that the caller waited.
        waited: Duration,
    },
    /// A failure that several callers share.
    #[cfg(feature = "store")]
    #[error(transparent)]
    Shared(std::sync::Arc<Error>),
    /// Something that should not happen.
    #[error("internal error: {reason}")]
    #[non_exhaustive]
    Internal {
        /// The event.
        reason: &'static str,
    },
}

impl Error {
    #[cfg(feature = "store")]
    pub(crate) fn internal(reason: &'static str) -> Self {
        Self::Internal { reason }
    }

    /// Returns whether every other object would meet the same failure: loops over many objects stop at the
    /// first one.
    #[cfg(feature = "store")]
    pub(crate) fn concerns_every_object(&self) -> bool {
        match self {
            Self::Storage(error) => error.concerns_every_object(),
            Self::Shared(error) => error.concerns_every_object(),
            _ => false,
        }
    }

    /// Returns the kind of error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Configuration(_) => ErrorKind::Configuration,
            Self::InvalidKey(_) => ErrorKind::InvalidKey,
            Self::ForeignUrl(_) => ErrorKind::ForeignUrl,
            Self::Optimize(error) => match error {
                OptimizeError::InvalidImage { .. } => ErrorKind::InvalidImage,
                OptimizeError::UnsupportedFormat { .. } => ErrorKind::UnsupportedFormat,
                OptimizeError::LimitExceeded { .. } => ErrorKind::LimitExceeded,
                OptimizeError::InvalidOption { .. } => ErrorKind::InvalidArgument,
            },
            Self::Sign(error) => match error {
                SignError::InvalidArgument { .. } => ErrorKind::InvalidArgument,
                SignError::InvalidSecret { .. } => ErrorKind::Configuration,
                SignError::Crypto => ErrorKind::Internal,
            },
            Self::PolicyViolation(_) => ErrorKind::PolicyViolation,
            #[cfg(feature = "store")]
            Self::Storage(error) => error.kind(),
            #[cfg(feature = "store")]
            Self::Shared(error) => error.kind(),
            #[cfg(feature = "fetch")]
            Self::Fetch(error) => error.kind(),
            Self::Rejected { .. } => ErrorKind::Rejected,
            Self::InspectionFailed { .. } => ErrorKind::Unavailable,
            Self::InspectionTimeout { .. } => ErrorKind::Timeout,
            Self::InvalidArgument { .. } => ErrorKind::InvalidArgument,
            Self::NotSupported { .. } => ErrorKind::NotSupported,
            Self::Busy { .. } => ErrorKind::Unavailable,
            Self::Internal { .. } => ErrorKind::Internal,
        }
    }

    /// Returns what to do about it, in one sentence.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Configuration(error) => return Some(error.hint()),
            Self::InvalidKey(_) => {
                "use a key that this store gave out: 1 to 1024 bytes, segments joined by '/'"
            }
            Self::ForeignUrl(_) => {
                "use a URL that this store gave out; add an address that the store had before to LABLINK_STORAGE_FORMER_URLS"
            }
            Self::Optimize(error) => optimize_hint(error),
            Self::Sign(error) => match error {
                SignError::InvalidArgument { .. } => "correct the argument",
                SignError::InvalidSecret { .. } => {
                    "give the secret or private key that belongs here"
                }
                SignError::Crypto => "try again; if it fails again, use another key",
            },
            Self::PolicyViolation(_) => {
                "ask for a new form and send the file as it says, the file field last"
            }
            #[cfg(feature = "store")]
            Self::Storage(error) => return error.hint(),
            #[cfg(feature = "store")]
            Self::Shared(error) => return error.hint(),
            #[cfg(feature = "fetch")]
            Self::Fetch(error) => error.hint(),
            Self::Rejected { .. } => "send another image",
            Self::InspectionFailed { .. } | Self::InspectionTimeout { .. } => {
                "try again shortly; nothing was stored, because an inspector has to agree first"
            }
            Self::InvalidArgument { .. } => "correct the argument",
            Self::NotSupported { remedy, .. } => remedy,
            Self::Busy { .. } => {
                "try again shortly; LABLINK_STORAGE_MAX_DECODES allows more decodes at once"
            }
            Self::Internal { .. } => "see the log",
        };
        Some(hint.to_owned())
    }

    /// Returns the causes, outermost first, each as one line without control characters: the messages of
    /// [`source`](std::error::Error::source) and of the sources behind it.
    ///
    /// ```no_run
    /// # async fn example(store: lablink_storage::ImageStore, key: lablink_storage::ObjectKey) {
    /// if let Err(error) = store.head(&key).await {
    ///     eprintln!("{error}: {}", error.causes().join(": "));
    ///     // head of components/a.jpg in bucket lab: the server cannot be reached: … Connection refused
    /// }
    /// # }
    /// ```
    pub fn causes(&self) -> Vec<String> {
        let source = std::error::Error::source(self);
        source.map(crate::causes::chain).unwrap_or_default()
    }

    /// Returns whether the same call may succeed later without any change.
    pub fn is_retryable(&self) -> bool {
        match self {
            #[cfg(feature = "store")]
            Self::Storage(error) => error.is_retryable(),
            #[cfg(feature = "store")]
            Self::Shared(error) => error.is_retryable(),
            #[cfg(feature = "fetch")]
            Self::Fetch(error) => error.is_retryable(),
            _ => matches!(self.kind(), ErrorKind::Unavailable | ErrorKind::Timeout),
        }
    }

    /// The error code that the server gave, such as `SlowDown`.
    pub fn code(&self) -> Option<&str> {
        match self {
            #[cfg(feature = "store")]
            Self::Storage(error) => error.code(),
            #[cfg(feature = "store")]
            Self::Shared(error) => error.code(),
            _ => None,
        }
    }

    /// The id that the server gave the request, for its operator's log.
    pub fn request_id(&self) -> Option<&str> {
        match self {
            #[cfg(feature = "store")]
            Self::Storage(error) => error.request_id(),
            #[cfg(feature = "store")]
            Self::Shared(error) => error.request_id(),
            _ => None,
        }
    }
}

fn optimize_hint(error: &OptimizeError) -> &'static str {
    match error {
        OptimizeError::InvalidImage { .. } => {
            "send the whole file, as the camera or program wrote it"
        }
        OptimizeError::UnsupportedFormat { name: "HEIC" } => {
            "convert to JPEG; an iPhone takes JPEG photos with Settings, Camera, Formats, Most Compatible"
        }
        OptimizeError::UnsupportedFormat {
            name: "AVIF" | "TIFF" | "BMP",
        } => "convert to JPEG; JPEG, PNG, WebP and GIF are accepted",
        OptimizeError::UnsupportedFormat { name } if name.contains("JPEG") => {
            "convert to a baseline or progressive JPEG of 8 bits: open it in an image program and \
             export it anew as JPEG"
        }
        OptimizeError::UnsupportedFormat { .. } => "send a JPEG, PNG, WebP or GIF",
        OptimizeError::LimitExceeded { .. } => "send a smaller image",
        OptimizeError::InvalidOption { .. } => "correct the option",
    }
}

impl From<InvalidVariant> for Error {
    fn from(error: InvalidVariant) -> Self {
        Self::InvalidArgument {
            name: "variant",
            reason: error.to_string(),
        }
    }
}

impl From<InvalidAddress> for Error {
    fn from(error: InvalidAddress) -> Self {
        Self::InvalidArgument {
            name: "address",
            reason: error.to_string(),
        }
    }
}

impl From<Unrecognized> for Error {
    fn from(error: Unrecognized) -> Self {
        OptimizeError::from(error).into()
    }
}

impl From<InvalidReference> for Error {
    fn from(error: InvalidReference) -> Self {
        match error {
            InvalidReference::Url(error) => error.into(),
            InvalidReference::Key(error) => error.into(),
        }
    }
}
