//! A store described in code.

use std::fmt;
#[cfg(feature = "fetch")]
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use object_store::ObjectStore;
use uuid::Uuid;

use super::ensure::Ensuring;
use super::inspect::Inspector;
use super::purge::Purger;
use super::signer::Signers;
use super::sources::Sources;
use super::work::WorkPool;
use super::{ImageStore, Inner};
use crate::backend::Backend;
use crate::causes::one_line;
use crate::config::{
    BackendConfig, Config, ConfigBuilder, CredentialsProvider, DirectUpload, RetryPreset,
};
use crate::error::Result;
#[cfg(feature = "fetch")]
use crate::fetch::{Fetcher, Network};
use crate::optimize::{Limits, OptimizeOptions};
use crate::secret::Secret;
use crate::url::Addressing;
use crate::variant::Variant;

/// Describes an [`ImageStore`] in code; every setting is that of [`ConfigBuilder`].
///
/// ```
/// use lablink_storage::{ImageStore, OptimizeOptions, Variant};
///
/// let store = ImageStore::builder()
///     .s3("lab-images")
///     .with_region("eu-central-1")
///     .with_credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI", None::<&str>)
///     .with_variant(Variant::new("thumb", OptimizeOptions::default().with_max_size(320, 320))?)
///     .build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Default)]
#[must_use]
pub struct ImageStoreBuilder {
    config: ConfigBuilder,
    object_store: Option<Arc<dyn ObjectStore>>,
    sources: Sources,
    inspector: Option<Arc<dyn Inspector>>,
}

/// Settings that are `ConfigBuilder`'s own.
macro_rules! settings {
    ($($name:ident($($argument:ident: $type:ty),*);)*) => {$(
        #[doc = concat!("See [`ConfigBuilder::", stringify!($name), "`].")]
        pub fn $name(mut self, $($argument: $type),*) -> Self {
            self.config = self.config.$name($($argument),*);
            self
        }
    )*};
}

impl ImageStoreBuilder {
    settings! {
        s3(bucket: impl Into<String>);
        local(directory: impl AsRef<Path>);
        memory();
        with_region(region: impl Into<String>);
        with_endpoint_url(endpoint: impl Into<String>);
        with_public_endpoint(endpoint: impl Into<String>);
        with_ca_bundle(path: impl AsRef<Path>);
        with_require_s3(require_s3: bool);
        with_direct_upload(direct_upload: DirectUpload);
        with_addressing(addressing: Addressing);
        with_accelerate(accelerate: bool);
        with_dual_stack(dual_stack: bool);
        with_credentials(access_key_id: impl Into<String>, secret_access_key: impl Into<Secret>, session_token: Option<impl Into<Secret>>);
        with_credentials_provider(provider: impl CredentialsProvider + 'static);
        with_sse_kms_key_id(key_id: impl Into<String>);
        with_storage_class(class: impl Into<String>);
        with_create_only(create_only: bool);
        with_cache_control(cache_control: impl Into<String>);
        with_prefix(prefix: impl Into<String>);
        with_cloudfront_domain(domain: impl Into<String>);
        with_cloudfront_key(key_pair_id: impl Into<String>, private_key: impl Into<Secret>);
        with_cloudfront_key_path(key_pair_id: impl Into<String>, path: impl AsRef<Path>);
        with_cloudfront_distribution_id(id: impl Into<String>);
        with_base_url(base_url: impl Into<String>);
        with_secret(secret: impl Into<Secret>);
        with_fsync(fsync: bool);
        with_retry(retry: RetryPreset);
        with_deadline(deadline: Duration);
        with_max_decodes(max_decodes: usize);
        with_decode_wait(wait: Duration);
        with_max_upload_bytes(bytes: u64);
        with_optimize(options: OptimizeOptions);
        with_limits(limits: Limits);
        with_variants(variants: impl IntoIterator<Item = Variant>);
        with_variant(variant: Variant);
        with_keep_original(keep_original: bool);
    }

    /// Stores in an object store that the caller brings. Its URLs begin with
    /// [`with_base_url`](Self::with_base_url), where one is set.
    pub fn object_store(mut self, store: Arc<dyn ObjectStore>) -> Self {
        self.config = self.config.custom();
        self.object_store = Some(store);
        self
    }

    /// See [`ConfigBuilder::with_former_urls`].
    pub fn with_former_urls<T: Into<String>>(mut self, urls: impl IntoIterator<Item = T>) -> Self {
        self.config = self.config.with_former_urls(urls);
        self
    }

    /// See [`ConfigBuilder::with_fetch_hosts`].
    pub fn with_fetch_hosts<T: Into<String>>(mut self, hosts: impl IntoIterator<Item = T>) -> Self {
        self.config = self.config.with_fetch_hosts(hosts);
        self
    }

    /// Resolves the names of URLs by `lookup`, and connects to what `connect` makes of a public address: for
    /// tests.
    #[cfg(feature = "fetch")]
    #[doc(hidden)]
    pub fn with_network(
        mut self,
        lookup: impl Fn(&str) -> std::io::Result<Vec<IpAddr>> + Send + Sync + 'static,
        connect: impl Fn(IpAddr) -> SocketAddr + Send + Sync + 'static,
    ) -> Self {
        self.sources = self.sources.with_network(Network::new(lookup, connect));
        self
    }

    /// Lets an inspector look at every new image before anything of it is written. Direct uploads to final keys,
    /// which it would not see, are `NotSupported` then.
    pub fn with_inspector(mut self, inspector: impl Inspector + 'static) -> Self {
        self.inspector = Some(Arc::new(inspector));
        self
    }

    /// Takes the time from `now` instead of the system's clock: for tests.
    pub fn with_clock(mut self, now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.sources = self.sources.with_clock(now);
        self
    }

    /// Takes the UUIDs of keys from `id` instead of the random number generator: for tests.
    pub fn with_ids(mut self, id: impl Fn() -> Uuid + Send + Sync + 'static) -> Self {
        self.sources = self.sources.with_ids(id);
        self
    }

    /// Checks the settings together and opens the store. Nothing is asked of a server yet.
    ///
    /// ```
    /// use lablink_storage::{ErrorKind, ImageStore};
    ///
    /// let store = ImageStore::builder().memory().with_prefix("boards").build()?;
    /// assert_eq!(store.config().prefix(), "boards");
    ///
    /// let error = ImageStore::builder().memory().with_secret("too short").build().unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Configuration);
    /// assert_eq!(error.hint().as_deref(), Some("make one with: openssl rand -hex 32"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Configuration`, naming the setting and the remedy.
    pub fn build(self) -> Result<ImageStore> {
        let config = self.config.build()?;
        // The last word counts: .object_store(…).memory() is a memory store.
        let object_store = self
            .object_store
            .filter(|_| matches!(config.backend(), BackendConfig::Custom));
        open(config, object_store, self.sources, self.inspector)
    }
}

impl From<ConfigBuilder> for ImageStoreBuilder {
    /// Refines a configuration that began with the environment.
    fn from(config: ConfigBuilder) -> Self {
        Self {
            config,
            ..Self::default()
        }
    }
}

impl fmt::Debug for ImageStoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImageStoreBuilder")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// Opens the backend that the configuration names.
pub(super) fn open(
    config: Config,
    object_store: Option<Arc<dyn ObjectStore>>,
    sources: Sources,
    inspector: Option<Arc<dyn Inspector>>,
) -> Result<ImageStore> {
    let backend = match object_store {
        Some(store) => Backend::custom(store, &config),
        None => Backend::open(&config)?,
    };
    if let Some(warning) = config.warning() {
        tracing::warn!("{}", one_line(&warning));
    }
    let work = WorkPool::new(config.max_decodes(), config.decode_wait());
    let signers = Signers::new(&config)?;
    let inner = Inner {
        ensuring: Ensuring::new(config.max_decodes()),
        purger: Purger::default(),
        #[cfg(feature = "fetch")]
        fetcher: Fetcher::new(sources.network.clone()),
        config,
        backend,
        signers,
        work,
        sources,
        inspector,
    };
    Ok(ImageStore {
        inner: Arc::new(inner),
    })
}
