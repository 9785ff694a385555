//! Errors of signing.

/// An argument or a secret that nothing can be signed with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// An argument is outside its range.
    #[error("invalid {name}: {reason}")]
    #[non_exhaustive]
    InvalidArgument {
        /// The argument's name, as in the Rust and Python interfaces.
        name: &'static str,
        /// The problem and the range. Never the value.
        reason: &'static str,
    },
    /// A private key or shared secret cannot be used.
    #[error("invalid {what}: {reason}")]
    #[non_exhaustive]
    InvalidSecret {
        /// `"CloudFront private key"` or `"HMAC secret"`.
        what: &'static str,
        /// The problem, and what is needed.
        reason: String,
    },
    /// The cryptographic library refused to sign.
    #[error("the signature could not be computed")]
    Crypto,
}

impl SignError {
    pub(super) fn argument(name: &'static str, reason: &'static str) -> Self {
        Self::InvalidArgument { name, reason }
    }
}
