//! Why a URL is not this store's, or an address makes no sense.

use crate::key::InvalidKey;

/// A URL that does not name an object of this store, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a URL of this store: {url:?}: {reason}")]
#[non_exhaustive]
pub struct ForeignUrl {
    /// The URL's first 100 characters, without userinfo, query and fragment: those may carry secrets.
    pub url: String,
    /// What is foreign about it.
    pub reason: &'static str,
}

impl ForeignUrl {
    pub(super) fn new(url: &str, reason: &'static str) -> Self {
        let shown = url.split(['?', '#']).next().unwrap_or_default();
        let shown = match shown.rsplit_once('@') {
            Some((_, rest)) => format!("…@{rest}"),
            None => shown.to_owned(),
        };
        Self {
            url: shown.chars().take(100).collect(),
            reason,
        }
    }
}

/// A setting that URLs cannot be built from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid {setting}: {reason}")]
#[non_exhaustive]
pub struct InvalidAddress {
    /// The setting: `"bucket"`, `"region"`, `"endpoint"`, `"addressing"`, `"accelerate"`,
    /// `"dual_stack"`, `"base_url"`, `"cloudfront_domain"` or `"prefix"`.
    pub setting: &'static str,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl InvalidAddress {
    pub(super) fn new(setting: &'static str, reason: &'static str) -> Self {
        Self { setting, reason }
    }
}

/// What was given where a key or a URL may be given, and is neither.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidReference {
    /// It has the form of a URL, and is not this store's.
    #[error(transparent)]
    Url(#[from] ForeignUrl),
    /// It has the form of a key, and is not a valid one.
    #[error(transparent)]
    Key(#[from] InvalidKey),
}
