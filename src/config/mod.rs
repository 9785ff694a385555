//! From the environment, or values given in code, to one validated [`Config`].

mod address;
mod bounds;
mod build;
mod builder;
mod cloudfront;
mod credentials;
#[cfg(test)]
mod endpoint_tests;
mod env;
mod error;
mod fetch_hosts;
mod options;
mod pem;
mod table;
#[cfg(test)]
mod tests;
mod validate;
#[cfg(test)]
mod wrong_tests;

pub use builder::ConfigBuilder;
pub use cloudfront::CloudFrontConfig;
#[cfg(feature = "store")]
pub(crate) use cloudfront::Distribution;
pub use credentials::{
    CredentialsChain, CredentialsProvider, CredentialsSource, Providing, SharedProvider,
    StaticCredentials,
};
pub use error::ConfigError;
pub(crate) use fetch_hosts::FetchHosts;
pub use table::{Reach, Setting, SettingKind, SettingValue};

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::optimize::OptimizeOptions;
use crate::secret::Secret;
use crate::url::{S3Location, Urls};
use crate::variant::Variant;

/// The configuration of a store, checked once.
///
/// # Examples
///
/// ```
/// use lablink_storage::Config;
///
/// let vars = [("LABLINK_STORAGE_FSYNC", "true"), ("LABLINK_STORAGE_PREFIX", "")];
/// let config = Config::from_vars(vars.map(|(name, value)| (name.to_owned(), value.to_owned())))?;
/// assert_eq!(config.prefix(), "components");
/// assert!(config.s3().is_none());
/// assert!(config.warning().is_some_and(|text| text.contains("AWS_S3_BUCKET")));
/// # Ok::<(), lablink_storage::ConfigError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Config {
    pub(crate) backend: BackendConfig,
    pub(crate) urls: Urls,
    pub(crate) prefix: String,
    pub(crate) cache_control: String,
    pub(crate) create_only: bool,
    pub(crate) cloudfront: Option<CloudFrontConfig>,
    pub(crate) retry: RetryPreset,
    pub(crate) deadline: Duration,
    pub(crate) max_decodes: usize,
    pub(crate) decode_wait: Duration,
    pub(crate) max_upload_bytes: u64,
    pub(crate) optimize: OptimizeOptions,
    pub(crate) variants: Vec<Variant>,
    pub(crate) keep_original: bool,
    #[cfg_attr(
        not(feature = "fetch"),
        expect(dead_code, reason = "for upload_from_url")
    )]
    pub(crate) fetch_hosts: FetchHosts,
    pub(crate) inspector: Option<String>,
    pub(crate) fell_back: bool,
}

/// The backend, with the settings that it alone has.
#[derive(Debug, Clone)]
#[non_exhaustive]
// There is one of it in a store.
#[allow(clippy::large_enum_variant)]
pub enum BackendConfig {
    /// An S3 bucket.
    S3(S3Config),
    /// A directory.
    Local(LocalConfig),
    /// Memory.
    Memory {
        /// The secret that signed requests are made with.
        secret: Option<Secret>,
        /// The base URL under which the application serves the images, if it does.
        base_url: Option<String>,
    },
    /// An object store that the caller brings.
    Custom,
}

/// An S3 bucket, how it is reached and how it is written.
#[derive(Debug, Clone)]
pub struct S3Config {
    pub(crate) location: S3Location,
    pub(crate) credentials: CredentialsSource,
    pub(crate) sse_kms_key_id: Option<String>,
    pub(crate) storage_class: Option<String>,
    pub(crate) direct_upload: DirectUpload,
    #[cfg_attr(
        not(feature = "s3"),
        expect(dead_code, reason = "for the client of S3")
    )]
    pub(crate) ca_bundle: Option<CaBundle>,
}

impl S3Config {
    /// The bucket's name.
    pub fn bucket(&self) -> &str {
        &self.location.bucket
    }

    /// The bucket's region.
    pub fn region(&self) -> &str {
        &self.location.region
    }

    /// The S3-compatible server; AWS where there is none.
    pub fn endpoint(&self) -> Option<&str> {
        self.location.endpoint.as_deref()
    }

    /// Returns how the bucket is addressed.
    pub fn location(&self) -> &S3Location {
        &self.location
    }

    /// Returns where its credentials come from.
    pub fn credentials(&self) -> &CredentialsSource {
        &self.credentials
    }

    /// The KMS key that S3 encrypts with.
    pub fn sse_kms_key_id(&self) -> Option<&str> {
        self.sse_kms_key_id.as_deref()
    }

    /// The headers, and form fields, that say how S3 has to keep what is written.
    #[cfg(feature = "store")]
    pub(crate) fn write_headers(&self) -> Vec<(&'static str, &str)> {
        let mut headers = Vec::new();
        if let Some(key_id) = self.sse_kms_key_id() {
            headers.push(("x-amz-server-side-encryption", "aws:kms"));
            headers.push(("x-amz-server-side-encryption-aws-kms-key-id", key_id));
        }
        if let Some(class) = self.storage_class() {
            headers.push(("x-amz-storage-class", class));
        }
        headers
    }

    /// The storage class of what is written.
    pub fn storage_class(&self) -> Option<&str> {
        self.storage_class.as_deref()
    }
}

/// The certificates of a private authority, PEM, and the setting that named their file.
#[derive(Debug, Clone)]
#[cfg_attr(not(feature = "s3"), allow(dead_code))]
pub(crate) struct CaBundle {
    pub(crate) setting: &'static str,
    pub(crate) pem: Vec<u8>,
}

/// The way in which browsers upload straight to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum DirectUpload {
    /// By a form, whose policy bounds the size: `presigned_post`.
    #[default]
    Post,
    /// By PUT with a signed length, for servers without POST Object (Cloudflare R2, Backblaze B2):
    /// `presigned_put`.
    Put,
}

impl DirectUpload {
    /// `"post"` or `"put"`, as the setting has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Post => "post",
            Self::Put => "put",
        }
    }
}

/// A directory, how it is served and how it is written.
#[derive(Debug, Clone)]
pub struct LocalConfig {
    pub(crate) directory: PathBuf,
    pub(crate) base_url: String,
    pub(crate) secret: Option<Secret>,
    pub(crate) fsync: bool,
}

impl LocalConfig {
    /// The directory, as it was given.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The public base URL: a path or an `http(s)` URL.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The secret that signed requests are made with.
    pub fn secret(&self) -> Option<&Secret> {
        self.secret.as_ref()
    }

    /// Returns whether a write is flushed to the disk before it counts as done.
    pub fn fsync(&self) -> bool {
        self.fsync
    }
}

/// The time that an operation may take in all, its retries included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum RetryPreset {
    /// For callers that wait for the answer: 30 s.
    #[default]
    WebRequest,
    /// A migration or a nightly job: 180 s.
    Batch,
}

impl RetryPreset {
    /// The deadline of one operation.
    pub const fn deadline(self) -> Duration {
        match self {
            Self::WebRequest => Duration::from_secs(30),
            Self::Batch => Duration::from_secs(180),
        }
    }
}

impl Config {
    /// Reads a snapshot of the process's environment.
    ///
    /// ```
    /// use lablink_storage::Config;
    ///
    /// match Config::from_env() {
    ///     Ok(config) => println!("images go to {:?}", config.backend()),
    ///     Err(error) => eprintln!("{error}\n  what to do: {}", error.hint()),
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variable, what is wrong with it and what to do.
    pub fn from_env() -> Result<Self, ConfigError> {
        ConfigBuilder::from_env()?.build()
    }

    /// Reads variables from any map; an empty value counts as unset.
    ///
    /// ```
    /// use lablink_storage::{Config, S3Config};
    ///
    /// let vars = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
    ///     pairs.iter().map(|&(name, value)| (name.into(), value.into())).collect()
    /// };
    /// let config = Config::from_vars(vars(&[("AWS_S3_BUCKET", "lab-images")]))?;
    /// assert_eq!(config.s3().map(S3Config::region), Some("us-east-1"));
    ///
    /// let error = Config::from_vars(vars(&[("LABLINK_STORAGE_SECRET", "too short")])).unwrap_err();
    /// assert_eq!(error.to_string(), "LABLINK_STORAGE_SECRET is shorter than 32 bytes");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`from_env`](Self::from_env).
    pub fn from_vars(
        vars: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        ConfigBuilder::from_vars(vars)?.build()
    }

    /// Describes a configuration in code.
    pub fn builder() -> ConfigBuilder {
        ConfigBuilder::default()
    }

    /// Returns the backend.
    pub fn backend(&self) -> &BackendConfig {
        &self.backend
    }

    /// The bucket, if objects are kept on S3.
    pub fn s3(&self) -> Option<&S3Config> {
        match &self.backend {
            BackendConfig::S3(s3) => Some(s3),
            _ => None,
        }
    }

    /// The directory, if objects are kept in one.
    pub fn local(&self) -> Option<&LocalConfig> {
        match &self.backend {
            BackendConfig::Local(local) => Some(local),
            _ => None,
        }
    }

    /// The secret that local and memory stores sign requests with.
    pub fn secret(&self) -> Option<&Secret> {
        match &self.backend {
            BackendConfig::Local(local) => local.secret.as_ref(),
            BackendConfig::Memory { secret, .. } => secret.as_ref(),
            _ => None,
        }
    }

    /// The base URL under which the application serves what a local store, or one in memory, has.
    pub fn base_url(&self) -> Option<&str> {
        match &self.backend {
            BackendConfig::Local(local) => Some(local.base_url()),
            BackendConfig::Memory { base_url, .. } => base_url.as_deref(),
            _ => None,
        }
    }

    /// Returns the URLs of the keys.
    pub fn urls(&self) -> &Urls {
        &self.urls
    }

    /// The key prefix; may be empty.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// `Cache-Control` of what is written.
    pub fn cache_control(&self) -> &str {
        &self.cache_control
    }

    /// Returns whether writing refuses to overwrite.
    pub fn create_only(&self) -> bool {
        self.create_only
    }

    /// The CDN in front of the store.
    pub fn cloudfront(&self) -> Option<&CloudFrontConfig> {
        self.cloudfront.as_ref()
    }

    /// Returns the preset for time and retries.
    pub fn retry(&self) -> RetryPreset {
        self.retry
    }

    /// Returns the time that one operation may take in all.
    pub fn deadline(&self) -> Duration {
        self.deadline
    }

    /// Returns the number of images decoded at once.
    pub fn max_decodes(&self) -> usize {
        self.max_decodes
    }

    /// Returns the time that a caller waits for its turn to decode.
    pub fn decode_wait(&self) -> Duration {
        self.decode_wait
    }

    /// Bytes that a direct upload may have, unless its presigned request says otherwise.
    pub fn max_upload_bytes(&self) -> u64 {
        self.max_upload_bytes
    }

    /// Returns how browsers upload straight to the store; by a form wherever that is not S3.
    pub fn direct_upload(&self) -> DirectUpload {
        self.s3().map(|s3| s3.direct_upload).unwrap_or_default()
    }

    /// Returns how uploads are optimized.
    pub fn optimize(&self) -> &OptimizeOptions {
        &self.optimize
    }

    /// The versions that are written beside every image.
    pub fn variants(&self) -> &[Variant] {
        &self.variants
    }

    /// Returns whether what comes in is kept beside what is made of it.
    pub fn keep_original(&self) -> bool {
        self.keep_original
    }

    /// Returns the Python callable that inspects images, as `module:callable`. A store that has no inspector
    /// refuses to publish while one is named.
    pub fn inspector(&self) -> Option<&str> {
        self.inspector.as_deref()
    }

    /// Returns the warning for the opening of a store for which nobody chose a backend, so that images go to
    /// local files.
    pub fn warning(&self) -> Option<String> {
        let directory = self.local()?.directory.display();
        self.fell_back.then(|| {
            format!(
                "AWS_S3_BUCKET is not set: images are stored in local files under {directory}; \
                 set AWS_S3_BUCKET, or LABLINK_STORAGE_REQUIRE_S3=true to make this an error"
            )
        })
    }
}
