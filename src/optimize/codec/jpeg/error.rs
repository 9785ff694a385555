//! Why a JPEG file was not decoded.

use std::fmt;

/// A JPEG file that this decoder does not decode.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// A valid kind of JPEG that this decoder does not take; the kind's name.
    Unsupported(&'static str),
    /// The file breaks the rules of its format.
    Damaged(&'static str),
    /// The file ends before its image does.
    Truncated,
    /// The image is over a limit.
    #[non_exhaustive]
    LimitExceeded {
        /// What is limited, with its unit.
        what: &'static str,
        /// What the image has, or would need.
        value: u64,
        /// What is allowed.
        limit: u64,
    },
    /// The caller's time ran out while decoding.
    Deadline,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsupported(what) => write!(f, "unsupported: {what}"),
            Self::Damaged(what) => write!(f, "damaged JPEG: {what}"),
            Self::Truncated => f.write_str("truncated JPEG: the file ends before its image does"),
            Self::LimitExceeded { what, value, limit } => {
                write!(
                    f,
                    "JPEG over the limit: {what} is {value}, at most {limit} allowed"
                )
            }
            Self::Deadline => f.write_str("JPEG decoding ran out of time"),
        }
    }
}

impl std::error::Error for Error {}
