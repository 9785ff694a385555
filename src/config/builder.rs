//! The settings as they were given, by the environment, by code or by both, before they are checked.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::credentials::{CredentialsChain, CredentialsProvider, SharedProvider};
use super::{DirectUpload, RetryPreset};
use crate::optimize::{Limits, OptimizeOptions};
use crate::secret::Secret;
use crate::url::Addressing;
use crate::variant::Variant;

/// A value and what it is called where it was given.
#[derive(Debug, Clone, Copy)]
pub(super) struct Given<T> {
    pub(super) value: T,
    pub(super) name: &'static str,
}

impl<T> Given<T> {
    pub(super) fn map<U>(self, f: impl FnOnce(T) -> U) -> Given<U> {
        Given {
            value: f(self.value),
            name: self.name,
        }
    }
}

/// Which backend, with what it cannot be without.
#[derive(Debug, Clone)]
pub(super) enum BackendChoice {
    S3(String),
    Local,
    Memory,
    Custom,
}

/// Describes a [`Config`](super::Config) in code, on top of the environment or without it.
///
/// Nothing is checked before [`build`](Self::build). A store on S3 without keys looks for them where
/// every AWS SDK does, in the process's environment first.
///
/// ```
/// use lablink_storage::{Config, RetryPreset};
///
/// let config = Config::builder()
///     .s3("lab-images")
///     .with_region("eu-central-1")
///     .with_credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI", None::<&str>)
///     .with_retry(RetryPreset::Batch)
///     .build()?;
/// assert_eq!(config.s3().map(|s3| s3.region()), Some("eu-central-1"));
/// # Ok::<(), lablink_storage::ConfigError>(())
/// ```
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct ConfigBuilder {
    pub(super) kind: Option<Given<BackendChoice>>,
    pub(super) directory: Option<Given<String>>,
    pub(super) base_url: Option<Given<String>>,
    pub(super) former_urls: Option<Given<Vec<String>>>,
    pub(super) secret: Option<Given<Secret>>,
    pub(super) fsync: bool,
    pub(super) region: Option<Given<String>>,
    pub(super) endpoint_url: Option<Given<String>>,
    pub(super) public_endpoint: Option<Given<String>>,
    pub(super) ca_bundle: Option<Given<String>>,
    pub(super) direct_upload: DirectUpload,
    pub(super) addressing: Option<Given<Addressing>>,
    pub(super) accelerate: Option<Given<bool>>,
    pub(super) dual_stack: Option<Given<bool>>,
    pub(super) access_key_id: Option<Given<String>>,
    pub(super) secret_access_key: Option<Given<Secret>>,
    pub(super) session_token: Option<Given<Secret>>,
    pub(super) chain: Option<CredentialsChain>,
    pub(super) provider: Option<SharedProvider>,
    pub(super) sse_kms_key_id: Option<Given<String>>,
    pub(super) storage_class: Option<Given<String>>,
    pub(super) overwrite: bool,
    pub(super) cache_control: Option<Given<String>>,
    pub(super) prefix: Option<Given<String>>,
    pub(super) cloudfront_domain: Option<Given<String>>,
    pub(super) cloudfront_key_pair_id: Option<Given<String>>,
    pub(super) cloudfront_private_key: Option<Given<Secret>>,
    pub(super) cloudfront_private_key_path: Option<Given<String>>,
    pub(super) cloudfront_distribution_id: Option<Given<String>>,
    pub(super) cloudfront_endpoint: Option<Given<String>>,
    pub(super) retry: RetryPreset,
    pub(super) deadline: Option<Given<Duration>>,
    pub(super) max_decodes: Option<Given<u64>>,
    pub(super) decode_wait: Option<Given<Duration>>,
    pub(super) max_upload_bytes: Option<Given<u64>>,
    pub(super) optimize: Option<Given<OptimizeOptions>>,
    pub(super) limits: Option<Limits>,
    pub(super) variants: Option<Given<Vec<Variant>>>,
    pub(super) keep_original: bool,
    pub(super) fetch_hosts: Option<Given<Vec<String>>>,
    pub(super) inspector: Option<Given<String>>,
    pub(super) require_s3: bool,
}

fn given<T>(name: &'static str, value: impl Into<T>) -> Option<Given<T>> {
    Some(Given {
        value: value.into(),
        name,
    })
}

impl ConfigBuilder {
    /// Stores in an S3 bucket.
    pub fn s3(mut self, bucket: impl Into<String>) -> Self {
        self.kind = given("bucket", BackendChoice::S3(bucket.into()));
        self
    }

    /// Stores in a directory, which is made when the first object is written.
    pub fn local(mut self, directory: impl AsRef<Path>) -> Self {
        self.kind = given("directory", BackendChoice::Local);
        // Keys are UTF-8 and so is every path made from them.
        self.directory = given("directory", directory.as_ref().to_string_lossy());
        self
    }

    /// Stores in memory, for tests and trials: gone with the store.
    pub fn memory(mut self) -> Self {
        self.kind = given("memory", BackendChoice::Memory);
        self
    }

    /// Stores in an object store that the caller brings.
    pub fn custom(mut self) -> Self {
        self.kind = given("object_store", BackendChoice::Custom);
        self
    }

    /// Sets the bucket's region. Default `us-east-1`.
    pub fn with_region(mut self, region: impl Into<String>) -> Self {
        self.region = given("region", region);
        self
    }

    /// Names an S3-compatible server, `https://` or `http://`. Default AWS.
    pub fn with_endpoint_url(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoint_url = given("endpoint_url", endpoint);
        self
    }

    /// Names that server as browsers reach it, where its own address is an internal one: public and
    /// presigned URLs use it. Default the endpoint.
    pub fn with_public_endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.public_endpoint = given("public_endpoint", endpoint);
        self
    }

    /// Trusts the certificates (PEM) in this file beside the system's, for a server with a certificate of
    /// a private authority. Default what `AWS_CA_BUNDLE` or `SSL_CERT_FILE` names.
    pub fn with_ca_bundle(mut self, path: impl AsRef<Path>) -> Self {
        self.ca_bundle = given("ca_bundle", path.as_ref().to_string_lossy());
        self
    }

    /// Sets how browsers upload to S3. Default [`DirectUpload::Post`].
    pub fn with_direct_upload(mut self, direct_upload: DirectUpload) -> Self {
        self.direct_upload = direct_upload;
        self
    }

    /// Sets whether the bucket stands in the host or in the path.
    pub fn with_addressing(mut self, addressing: Addressing) -> Self {
        self.addressing = given("addressing", addressing);
        self
    }

    /// Uses AWS transfer acceleration, which the bucket must have enabled.
    pub fn with_accelerate(mut self, accelerate: bool) -> Self {
        self.accelerate = given("accelerate", accelerate);
        self
    }

    /// Uses AWS's dual-stack hosts, which answer on IPv6 too.
    pub fn with_dual_stack(mut self, dual_stack: bool) -> Self {
        self.dual_stack = given("dual_stack", dual_stack);
        self
    }

    /// Sets the keys that sign, with the token of a session where there is one.
    pub fn with_credentials(
        mut self,
        access_key_id: impl Into<String>,
        secret_access_key: impl Into<Secret>,
        session_token: Option<impl Into<Secret>>,
    ) -> Self {
        self.access_key_id = given("access_key_id", access_key_id);
        self.secret_access_key = given("secret_access_key", secret_access_key);
        self.session_token = session_token.and_then(|token| given("session_token", token));
        self
    }

    /// Asks the application's own source for the keys that sign, and no other.
    pub fn with_credentials_provider(
        mut self,
        provider: impl CredentialsProvider + 'static,
    ) -> Self {
        self.provider = Some(SharedProvider(Arc::new(provider)));
        self
    }

    /// Has S3 encrypt with this KMS key (SSE-KMS).
    pub fn with_sse_kms_key_id(mut self, key_id: impl Into<String>) -> Self {
        self.sse_kms_key_id = given("sse_kms_key_id", key_id);
        self
    }

    /// Sets the storage class of what is written, as S3 spells it: `STANDARD_IA`, …
    pub fn with_storage_class(mut self, class: impl Into<String>) -> Self {
        self.storage_class = given("storage_class", class);
        self
    }

    /// Sets whether writes refuse to overwrite (`If-None-Match: *`). Default true; false is for servers that
    /// refuse the header.
    pub fn with_create_only(mut self, create_only: bool) -> Self {
        self.overwrite = !create_only;
        self
    }

    /// Sets `Cache-Control` of what is written. Default `public, max-age=31536000, immutable`.
    pub fn with_cache_control(mut self, cache_control: impl Into<String>) -> Self {
        self.cache_control = given("cache_control", cache_control);
        self
    }

    /// Sets the key prefix. Default `components`; it may be empty.
    pub fn with_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = given("prefix", prefix);
        self
    }

    /// Hands out public URLs on this host, a bare domain or an `https` URL.
    pub fn with_cloudfront_domain(mut self, domain: impl Into<String>) -> Self {
        self.cloudfront_domain = given("cloudfront_domain", domain);
        self
    }

    /// Signs CloudFront URLs and cookies with the private key (PEM) of this public key's id.
    pub fn with_cloudfront_key(
        mut self,
        key_pair_id: impl Into<String>,
        private_key: impl Into<Secret>,
    ) -> Self {
        self.cloudfront_key_pair_id = given("cloudfront_key_pair_id", key_pair_id);
        self.cloudfront_private_key = given("cloudfront_private_key", private_key);
        self.cloudfront_private_key_path = None;
        self
    }

    /// Signs CloudFront URLs and cookies with the private key in this PEM file.
    pub fn with_cloudfront_key_path(
        mut self,
        key_pair_id: impl Into<String>,
        path: impl AsRef<Path>,
    ) -> Self {
        self.cloudfront_key_pair_id = given("cloudfront_key_pair_id", key_pair_id);
        self.cloudfront_private_key = None;
        self.cloudfront_private_key_path = given(
            "cloudfront_private_key_path",
            path.as_ref().to_string_lossy(),
        );
        self
    }

    /// Has this CloudFront distribution forget what is deleted, restored or made anew. Its domain has to be set,
    /// too.
    pub fn with_cloudfront_distribution_id(mut self, id: impl Into<String>) -> Self {
        self.cloudfront_distribution_id = given("cloudfront_distribution_id", id);
        self
    }

    /// Sets the public base URL of the local backend, or of an object store that the caller brings: a
    /// path or an `http(s)` URL. Default `/uploads` for local files.
    pub fn with_base_url(mut self, base_url: impl Into<String>) -> Self {
        self.base_url = given("base_url", base_url);
        self
    }

    /// Names base URLs that the store once had: a former CloudFront domain, base URL or bucket's address.
    /// URLs below them are the store's own still, the key being what follows; none is ever made of them.
    pub fn with_former_urls<T: Into<String>>(mut self, urls: impl IntoIterator<Item = T>) -> Self {
        let urls: Vec<String> = urls.into_iter().map(Into::into).collect();
        self.former_urls = given("former_urls", urls);
        self
    }

    /// Sets the secret, 32 bytes at least, that local and memory stores sign requests with.
    pub fn with_secret(mut self, secret: impl Into<Secret>) -> Self {
        self.secret = given("secret", secret);
        self
    }

    /// Sets whether local writes are flushed to the disk before they count as done. Default false.
    pub fn with_fsync(mut self, fsync: bool) -> Self {
        self.fsync = fsync;
        self
    }

    /// Sets how long an operation may take and how often it is tried.
    pub fn with_retry(mut self, retry: RetryPreset) -> Self {
        self.retry = retry;
        self
    }

    /// Sets another deadline than the preset's for every operation, however many requests it takes: 100 ms
    /// to 1 h. Uploads and promotions keep the last sixth of it for removing what they wrote, should they
    /// fail; their waiting for a turn and decoding have bounds of their own:
    /// [`with_decode_wait`](Self::with_decode_wait) and [`Limits::max_duration`](crate::Limits::max_duration).
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = given("deadline", deadline);
        self
    }

    /// Sets how many images are decoded at once, 1 to 1024. Default the number of cores, 4 at most.
    pub fn with_max_decodes(mut self, max_decodes: usize) -> Self {
        self.max_decodes = given("max_decodes", max_decodes as u64);
        self
    }

    /// Sets how long a caller waits for its turn to decode, up to 1 h. Default 10 s.
    pub fn with_decode_wait(mut self, wait: Duration) -> Self {
        self.decode_wait = given("decode_wait", wait);
        self
    }

    /// Sets the largest direct upload, in bytes, unless a presigned request names another. Default 10 MiB.
    pub fn with_max_upload_bytes(mut self, bytes: u64) -> Self {
        self.max_upload_bytes = given("max_upload_bytes", bytes);
        self
    }

    /// Sets how uploads are optimized. Limits other than the default ones are taken along; to return to
    /// the default ones, use [`with_limits`](Self::with_limits).
    pub fn with_optimize(mut self, options: OptimizeOptions) -> Self {
        if options.limits != Limits::default() {
            self.limits = Some(options.limits.clone());
        }
        self.optimize = given("optimize", options);
        self
    }

    /// Sets what a file may cost.
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = Some(limits);
        self
    }

    /// Sets the versions that are written beside every image.
    pub fn with_variants(mut self, variants: impl IntoIterator<Item = Variant>) -> Self {
        let variants: Vec<Variant> = variants.into_iter().collect();
        self.variants = given("variants", variants);
        self
    }

    /// Adds a version that is written beside every image.
    pub fn with_variant(mut self, variant: Variant) -> Self {
        let mut variants = self
            .variants
            .take()
            .map_or_else(Vec::new, |given| given.value);
        variants.push(variant);
        self.with_variants(variants)
    }

    /// Keeps what comes in, byte for byte, beside what is made of it: under `originals/`, never public.
    /// Default false, because an original has the position where it was taken.
    pub fn with_keep_original(mut self, keep_original: bool) -> Self {
        self.keep_original = keep_original;
        self
    }

    /// Names the hosts that `upload_from_url` may ask: exact names, `*.example.org` for all below one, `*` for any
    /// public host; with a port where it is another than 80 and 443. Default none.
    pub fn with_fetch_hosts<T: Into<String>>(mut self, hosts: impl IntoIterator<Item = T>) -> Self {
        let hosts: Vec<String> = hosts.into_iter().map(Into::into).collect();
        self.fetch_hosts = given("fetch_hosts", hosts);
        self
    }

    /// Sets whether [`build`](Self::build) fails where no backend was chosen, instead of storing locally.
    pub fn with_require_s3(mut self, require_s3: bool) -> Self {
        self.require_s3 = require_s3;
        self
    }
}
