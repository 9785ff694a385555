//! The place of a store's objects, as the configuration has it.

/// The place of a store's objects.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Location {
    /// A bucket on AWS, or on any S3-compatible server.
    S3(S3Location),
    /// A directory, served by the application.
    Local {
        /// A path (`/uploads`) or an `http`/`https` URL.
        base_url: String,
    },
    /// Memory: URLs are `memory://lablink/<key>`, and nothing fetches them.
    Memory,
    /// An object store that the caller brought: URLs are `object://lablink/<key>`, unless a CDN is named.
    Custom,
}

/// A bucket and how it is addressed.
///
/// ```
/// use lablink_storage::{Addressing, S3Location};
///
/// let bucket = S3Location::new("lab", "us-east-1")
///     .with_endpoint("http://127.0.0.1:9000")
///     .with_addressing(Addressing::Path);
/// assert_eq!(bucket.region, "us-east-1");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct S3Location {
    /// The bucket's name.
    pub bucket: String,
    /// Its region.
    pub region: String,
    /// An S3-compatible server, `http://` or `https://`; AWS where there is none.
    pub endpoint: Option<String>,
    /// That server as browsers reach it, `http://` or `https://`, where it has another address for them.
    pub public_endpoint: Option<String>,
    /// The place of the bucket's name: in the host or in the path.
    pub addressing: Addressing,
    /// AWS transfer acceleration; the bucket must have it enabled.
    pub accelerate: bool,
    /// AWS's dual-stack (IPv4 and IPv6) hosts.
    pub dual_stack: bool,
}

impl S3Location {
    /// A bucket on AWS, addressed as suits its name.
    pub fn new(bucket: impl Into<String>, region: impl Into<String>) -> Self {
        Self {
            bucket: bucket.into(),
            region: region.into(),
            endpoint: None,
            public_endpoint: None,
            addressing: Addressing::Auto,
            accelerate: false,
            dual_stack: false,
        }
    }

    /// Names an S3-compatible server.
    #[must_use]
    pub fn with_endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoint = Some(endpoint.into());
        self
    }

    /// Names that server as browsers reach it.
    #[must_use]
    pub fn with_public_endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.public_endpoint = Some(endpoint.into());
        self
    }

    /// Sets whether the bucket stands in the host or in the path.
    #[must_use]
    pub fn with_addressing(mut self, addressing: Addressing) -> Self {
        self.addressing = addressing;
        self
    }

    /// Asks for transfer acceleration.
    #[must_use]
    pub fn with_accelerate(mut self, accelerate: bool) -> Self {
        self.accelerate = accelerate;
        self
    }

    /// Asks for dual-stack hosts.
    #[must_use]
    pub fn with_dual_stack(mut self, dual_stack: bool) -> Self {
        self.dual_stack = dual_stack;
        self
    }
}

/// The place of the bucket's name in an S3 URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Addressing {
    /// In the host on AWS unless the name has a dot (TLS certificates cover one label), in the path on
    /// a custom endpoint.
    #[default]
    Auto,
    /// In the host: `https://bucket.s3.region.amazonaws.com/key`.
    Virtual,
    /// In the path: `https://s3.region.amazonaws.com/bucket/key`.
    Path,
}
