//! Errors of URLs and addresses.

use std::fmt;

use crate::key::InvalidKey;

/// A URL that does not name an object of this store, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a URL of this store: {url:?}: {reason}")]
#[non_exhaustive]
pub struct ForeignUrl {
    /// The URL's first 100 characters, without userinfo, query and fragment: those may carry secrets.
    pub url: String,
    /// The reason why it is foreign.
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
    /// The setting.
    pub setting: AddressSetting,
    /// The problem.
    pub reason: &'static str,
    /// The value to use instead, where it is clear.
    pub instead: Option<String>,
}

impl InvalidAddress {
    pub(super) fn new(setting: AddressSetting, reason: &'static str) -> Self {
        Self {
            setting,
            reason,
            instead: None,
        }
    }
}

/// A setting that addresses are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AddressSetting {
    /// The bucket's name.
    Bucket,
    /// Its region.
    Region,
    /// The S3-compatible server.
    EndpointUrl,
    /// That server as browsers reach it.
    PublicEndpoint,
    /// The place of the bucket's name: in the host or in the path.
    Addressing,
    /// Transfer acceleration.
    Accelerate,
    /// Dual-stack hosts.
    DualStack,
    /// The local base URL.
    BaseUrl,
    /// The CloudFront domain.
    CloudFrontDomain,
    /// The base URLs that the store once had.
    FormerUrls,
    /// The key prefix.
    Prefix,
}

impl AddressSetting {
    /// The setting as code names it: `"bucket"`, `"endpoint_url"`, …
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bucket => "bucket",
            Self::Region => "region",
            Self::EndpointUrl => "endpoint_url",
            Self::PublicEndpoint => "public_endpoint",
            Self::Addressing => "addressing",
            Self::Accelerate => "accelerate",
            Self::DualStack => "dual_stack",
            Self::BaseUrl => "base_url",
            Self::CloudFrontDomain => "cloudfront_domain",
            Self::FormerUrls => "former_urls",
            Self::Prefix => "prefix",
        }
    }
}

impl fmt::Display for AddressSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text in the place of a key or a URL that is neither.
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
