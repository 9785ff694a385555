//! Why an image was not optimized.

use crate::format::Unrecognized;

/// An image, or an option, that the optimizer refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OptimizeError {
    /// The bytes are no image, or a damaged one.
    #[error("invalid image: {reason}")]
    #[non_exhaustive]
    InvalidImage {
        /// What is wrong with it.
        reason: String,
    },
    /// The bytes are in a format that is not accepted.
    #[error("unsupported image format: {name}")]
    #[non_exhaustive]
    UnsupportedFormat {
        /// The format's name, or `"unknown"`.
        name: &'static str,
    },
    /// The image is over a limit.
    #[error("image over the limit: {what} is {value}, at most {limit} allowed")]
    #[non_exhaustive]
    LimitExceeded {
        /// What is limited, with its unit: `"pixels"`, `"bytes"`, `"JPEG scans"`, …
        what: &'static str,
        /// What the image has, or would need.
        value: u64,
        /// What is allowed.
        limit: u64,
    },
    /// An option is outside its range.
    #[error("invalid option {name}: {reason}")]
    #[non_exhaustive]
    InvalidOption {
        /// The option's name.
        name: &'static str,
        /// What is wrong with it, and its range.
        reason: String,
    },
}

impl OptimizeError {
    pub(super) fn invalid(reason: impl Into<String>) -> Self {
        Self::InvalidImage {
            reason: reason.into(),
        }
    }
}

impl From<Unrecognized> for OptimizeError {
    fn from(unrecognized: Unrecognized) -> Self {
        if unrecognized.is_empty {
            return Self::invalid("the file is empty");
        }
        Self::UnsupportedFormat {
            name: unrecognized.name.unwrap_or("unknown"),
        }
    }
}
