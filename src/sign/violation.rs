//! Reasons to refuse a form or a signed request.

/// The part of a policy that a form or request breaks. Its message names the condition and never a signature,
/// token or secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyViolation {
    /// The signature does not belong to this policy, key or header, or to these credentials.
    #[error("the signature does not match")]
    Signature,
    /// The policy has expired.
    #[error("the policy has expired")]
    Expired,
    /// A condition of the policy does not hold.
    #[error("policy condition failed: {condition}")]
    #[non_exhaustive]
    Condition {
        /// The condition, as it stands in the policy.
        condition: String,
    },
    /// The form has a field that the policy does not mention.
    #[error("extra input field that the policy does not list: {field:?}")]
    #[non_exhaustive]
    Unlisted {
        /// The field's name, cut to its first 100 characters.
        field: String,
    },
    /// The form lacks a field that every form has.
    #[error("missing field: {field}")]
    #[non_exhaustive]
    Missing {
        /// The field's name.
        field: &'static str,
    },
    /// The file is smaller or larger than the policy allows.
    #[error(
        "policy condition failed: content-length-range: the file has {size} bytes, {min} to {max} are allowed"
    )]
    #[non_exhaustive]
    Size {
        /// Bytes of the file.
        size: u64,
        /// The fewest allowed.
        min: u64,
        /// The most allowed.
        max: u64,
    },
    /// The form or its policy cannot be read.
    #[error("malformed form: {reason}")]
    #[non_exhaustive]
    Malformed {
        /// The problem.
        reason: &'static str,
    },
}

impl PolicyViolation {
    pub(super) fn malformed(reason: &'static str) -> Self {
        Self::Malformed { reason }
    }
}
