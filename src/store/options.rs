//! Options of the operations.

use std::time::Duration;

use crate::optimize::OptimizeOptions;

/// Options of one upload.
///
/// ```
/// use lablink_storage::UploadOptions;
///
/// let options = UploadOptions::default().with_filename("board.png");
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct UploadOptions {
    /// The file's name on the user's machine. It appears in spans, and the inspector sees it; key, extension and
    /// content type always come from the bytes.
    pub filename: Option<String>,
    /// Options for this one image, instead of the store's own.
    pub optimize: Option<OptimizeOptions>,
    /// The caller's word on this image for the store's [`Inspector`](crate::Inspector), such as who sends it.
    pub context: Option<serde_json::Value>,
}

/// Options of one promotion.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct PromoteOptions {
    /// The caller's word on this image for the store's [`Inspector`](crate::Inspector), such as who sends it.
    pub context: Option<serde_json::Value>,
}

impl PromoteOptions {
    /// Sets the word for the store's inspector.
    #[must_use]
    pub fn with_context(mut self, context: impl Into<serde_json::Value>) -> Self {
        self.context = Some(context.into());
        self
    }
}

/// The store's own options.
impl From<()> for UploadOptions {
    fn from((): ()) -> Self {
        Self::default()
    }
}

impl UploadOptions {
    /// Sets the file's name on the user's machine.
    #[must_use]
    pub fn with_filename(mut self, filename: impl Into<String>) -> Self {
        self.filename = Some(filename.into());
        self
    }

    /// Sets the word for the store's inspector.
    #[must_use]
    pub fn with_context(mut self, context: impl Into<serde_json::Value>) -> Self {
        self.context = Some(context.into());
        self
    }

    /// Optimizes this one image in another way than the store's.
    #[must_use]
    pub fn with_optimize(mut self, optimize: OptimizeOptions) -> Self {
        self.optimize = Some(optimize);
        self
    }
}

/// Default time until a signed request expires: one hour.
const DEFAULT_EXPIRY: Duration = Duration::from_secs(3600);

/// Options of a presigned GET.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PresignGetOptions {
    /// Time until it expires: 1 s to 7 days, one hour by default.
    pub expires_in: Duration,
    /// Makes browsers save the image under this name instead of showing it.
    pub download_as: Option<String>,
    /// The content type of the answer, instead of the stored one.
    pub response_content_type: Option<String>,
}

impl Default for PresignGetOptions {
    fn default() -> Self {
        Self {
            expires_in: DEFAULT_EXPIRY,
            download_as: None,
            response_content_type: None,
        }
    }
}

impl PresignGetOptions {
    /// Sets how long it holds.
    #[must_use]
    pub fn with_expires_in(mut self, expires_in: Duration) -> Self {
        self.expires_in = expires_in;
        self
    }

    /// Makes browsers save the image under `filename`.
    #[must_use]
    pub fn with_download_as(mut self, filename: impl Into<String>) -> Self {
        self.download_as = Some(filename.into());
        self
    }

    /// Sets the content type of the answer.
    #[must_use]
    pub fn with_response_content_type(mut self, content_type: impl Into<String>) -> Self {
        self.response_content_type = Some(content_type.into());
        self
    }
}

/// Options of a presigned PUT.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PresignPutOptions {
    /// The content type that the upload has to send; by default what its file name says.
    pub content_type: Option<String>,
    /// The exact length of the file, in bytes. It is signed: without it the upload has no bound.
    pub content_length: Option<u64>,
    /// Time until it expires: 1 s to 7 days, one hour by default.
    pub expires_in: Duration,
    /// True for a pending key, to be promoted. On by default.
    pub pending: bool,
}

impl Default for PresignPutOptions {
    fn default() -> Self {
        Self {
            content_type: None,
            content_length: None,
            expires_in: DEFAULT_EXPIRY,
            pending: true,
        }
    }
}

impl PresignPutOptions {
    /// Sets the exact length of the file, in bytes.
    #[must_use]
    pub fn with_content_length(mut self, content_length: u64) -> Self {
        self.content_length = Some(content_length);
        self
    }

    /// Sets the content type that the upload has to send.
    #[must_use]
    pub fn with_content_type(mut self, content_type: impl Into<String>) -> Self {
        self.content_type = Some(content_type.into());
        self
    }

    /// Sets how long it holds.
    #[must_use]
    pub fn with_expires_in(mut self, expires_in: Duration) -> Self {
        self.expires_in = expires_in;
        self
    }

    /// Sets whether the upload lands under a pending key.
    #[must_use]
    pub fn with_pending(mut self, pending: bool) -> Self {
        self.pending = pending;
        self
    }
}

/// Options of a presigned POST.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PresignPostOptions {
    /// The content type that the upload has to send; by default what its file name says.
    pub content_type: Option<String>,
    /// Largest file, in bytes; by default the store's
    /// [`max_upload_bytes`](crate::ConfigBuilder::with_max_upload_bytes).
    pub max_bytes: Option<u64>,
    /// Time until it expires: 1 s to 7 days, one hour by default. Until then it can be used again.
    pub expires_in: Duration,
    /// True for a pending key, to be promoted. On by default. Off, the form can overwrite its final key until
    /// it expires, and nobody looks at the bytes.
    pub pending: bool,
}

impl Default for PresignPostOptions {
    fn default() -> Self {
        Self {
            content_type: None,
            max_bytes: None,
            expires_in: DEFAULT_EXPIRY,
            pending: true,
        }
    }
}

impl PresignPostOptions {
    /// Sets the content type that the upload has to send.
    #[must_use]
    pub fn with_content_type(mut self, content_type: impl Into<String>) -> Self {
        self.content_type = Some(content_type.into());
        self
    }

    /// Sets the largest file, in bytes.
    #[must_use]
    pub fn with_max_bytes(mut self, max_bytes: u64) -> Self {
        self.max_bytes = Some(max_bytes);
        self
    }

    /// Sets how long it holds.
    #[must_use]
    pub fn with_expires_in(mut self, expires_in: Duration) -> Self {
        self.expires_in = expires_in;
        self
    }

    /// Sets whether the upload lands under a pending key.
    #[must_use]
    pub fn with_pending(mut self, pending: bool) -> Self {
        self.pending = pending;
        self
    }
}

/// Options of a CloudFront signed URL.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SignedUrlOptions {
    /// Time until it expires; CloudFront has no upper bound. One hour by default.
    pub expires_in: Duration,
    /// From how long after now it holds; at once by default.
    pub starts_in: Option<Duration>,
    /// The client addresses that may use it, in CIDR notation.
    pub ip_range: Option<String>,
}

impl Default for SignedUrlOptions {
    fn default() -> Self {
        Self {
            expires_in: DEFAULT_EXPIRY,
            starts_in: None,
            ip_range: None,
        }
    }
}

impl SignedUrlOptions {
    /// Sets how long it holds.
    #[must_use]
    pub fn with_expires_in(mut self, expires_in: Duration) -> Self {
        self.expires_in = expires_in;
        self
    }

    /// Sets from how long after now it holds.
    #[must_use]
    pub fn with_starts_in(mut self, starts_in: Duration) -> Self {
        self.starts_in = Some(starts_in);
        self
    }

    /// Restricts it to client addresses, in CIDR notation.
    #[must_use]
    pub fn with_ip_range(mut self, cidr: impl Into<String>) -> Self {
        self.ip_range = Some(cidr.into());
        self
    }
}

/// Options of CloudFront signed cookies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SignedCookiesOptions {
    /// The path that they open, with `*` and `?` as wildcards; `/<prefix>/*` by default.
    pub path: Option<String>,
    /// Time, start and addresses.
    pub access: SignedUrlOptions,
}

impl SignedCookiesOptions {
    /// Sets the path that they open.
    #[must_use]
    pub fn with_path(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Sets how long, from when and for whom.
    #[must_use]
    pub fn with_access(mut self, access: SignedUrlOptions) -> Self {
        self.access = access;
        self
    }
}
