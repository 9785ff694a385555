//! [`ImageStore`]: the only room that knows both pixels and storage.

mod builder;
mod delete;
mod ensure;
#[cfg(feature = "fetch")]
mod from_url;
mod image;
mod inspect;
mod markup;
mod objects;
mod options;
mod originals;
#[cfg(feature = "image")]
mod pixels;
mod presign;
mod promote;
mod purge;
mod receive;
mod reference;
mod remake;
mod signer;
mod sources;
mod status;
mod stream;
mod sweep;
mod tombstone;
mod upload;
mod versions;
mod work;
mod write;

pub use builder::ImageStoreBuilder;
pub use image::{ReceivedPost, Status, StoredImage, StoredVariant, SweepReport, SweptObject};
#[cfg(feature = "ops")]
pub use inspect::LoadInspector;
pub use inspect::{InspectError, Inspecting, Inspection, Inspector};
pub use objects::Object;
pub use options::{
    PresignGetOptions, PresignPostOptions, PresignPutOptions, PromoteOptions, SignedCookiesOptions,
    SignedUrlOptions, UploadOptions,
};
#[cfg(feature = "ops")]
pub(crate) use originals::CACHE_CONTROL as ORIGINAL_CACHE_CONTROL;
pub use purge::PurgeFailure;
pub use reference::KeyOrUrl;
#[cfg(feature = "ops")]
pub(crate) use remake::{Remake, Remaking};
pub use stream::ObjectStream;
#[cfg(feature = "axum")]
pub(crate) use stream::replaced;
#[cfg(feature = "ops")]
pub(crate) use sweep::{Waiting, remove_each};

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use tracing::{Instrument, Span};

use crate::backend::{Backend, PutOptions};
use crate::causes::one_line;
use crate::config::{Config, DirectUpload};
use crate::error::{Error, Result};
use crate::format::ImageFormat;
use crate::key::{InvalidKey, ObjectKey};
use crate::variant::Variant;
use ensure::Ensuring;
use purge::Purger;
use signer::{RequestSigner, Signers};
use sources::Sources;
use work::WorkPool;

/// A store of an application's images.
///
/// It is cheap to clone and safe to share between tasks. Every operation is bounded in time, and none leaves an
/// object half stored.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> lablink_storage::Result<()> {
/// use lablink_storage::{ImageStore, UploadOptions};
///
/// let store = ImageStore::builder().memory().build()?;
/// # let photo = std::fs::read("examples/photo.jpg").expect("the example photo");
/// let image = store.upload(photo, UploadOptions::default()).await?;
/// assert_eq!(image.content_type, "image/jpeg");
///
/// let object = store.get(&image.key).await?;
/// assert_eq!(object.bytes.len() as u64, image.size);
///
/// store.delete_url(&image.url).await?;
/// assert!(!store.exists(&image.key).await?);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ImageStore {
    inner: Arc<Inner>,
}

struct Inner {
    config: Config,
    backend: Backend,
    signers: Signers,
    work: WorkPool,
    sources: Sources,
    ensuring: Ensuring,
    purger: Purger,
    inspector: Option<Arc<dyn Inspector>>,
    #[cfg(feature = "fetch")]
    fetcher: crate::fetch::Fetcher,
}

impl Inner {
    fn prefix(&self) -> &str {
        self.config.prefix()
    }

    async fn request_signer(&self) -> Result<RequestSigner> {
        self.signers.for_requests(&self.backend).await
    }

    /// Returns the properties to write an object of this format with: create-only unless the configuration says
    /// otherwise.
    fn put_options(&self, format: ImageFormat) -> PutOptions {
        PutOptions {
            content_type: format.mime_type().into(),
            cache_control: self.config.cache_control().to_owned(),
            create: self.config.create_only(),
        }
    }
}

impl ImageStore {
    /// Opens a store as the process's environment describes it; see the [configuration
    /// table](crate#configuration).
    ///
    /// ```
    /// use lablink_storage::ImageStore;
    ///
    /// match ImageStore::from_env() {
    ///     Ok(store) => println!("keys begin with {:?}", store.config().prefix()),
    ///     Err(error) => eprintln!("{error}\n  what to do: {}", error.hint().unwrap_or_default()),
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// `Configuration`, naming the variable and the remedy.
    pub fn from_env() -> Result<Self> {
        Self::from_config(Config::from_env()?)
    }

    /// Opens a store as `config` describes it.
    ///
    /// ```
    /// use lablink_storage::{Config, ErrorKind, ImageStore, ObjectKey};
    ///
    /// let store = ImageStore::from_config(Config::builder().memory().with_prefix("boards").build()?)?;
    /// let key = ObjectKey::parse("boards/a.png")?;
    /// assert_eq!(store.public_url(&key), "memory://lablink/boards/a.png");
    ///
    /// // An object store of the caller's own is given to the builder.
    /// let error = ImageStore::from_config(Config::builder().custom().build()?).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Configuration);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Configuration` where the backend cannot be made from it: a directory that cannot be created, a
    /// feature that this build lacks.
    pub fn from_config(config: Config) -> Result<Self> {
        builder::open(config, None, Sources::default(), None)
    }

    /// As [`from_config`](Self::from_config), with an inspector, for faces that have a configuration already.
    #[doc(hidden)]
    pub fn from_config_inspected(
        config: Config,
        inspector: Option<Arc<dyn Inspector>>,
    ) -> Result<Self> {
        builder::open(config, None, Sources::default(), inspector)
    }

    /// Describes a store in code.
    pub fn builder() -> ImageStoreBuilder {
        ImageStoreBuilder::default()
    }

    /// Returns the validated configuration.
    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// Returns how browsers upload straight to this store: [`DirectUpload::Put`] says to hand out
    /// [`presigned_put`](Self::presigned_put), because the server takes no forms. By a form wherever the store
    /// is not on S3.
    pub fn direct_upload(&self) -> DirectUpload {
        self.inner.config.direct_upload()
    }

    /// Returns the URL under which anyone can fetch the image, if the bucket allows it. No request is sent.
    ///
    /// A pending key never appears in a public URL: what comes out for it is the URL that the image will
    /// have once it is promoted.
    pub fn public_url(&self, key: &ObjectKey) -> String {
        self.inner.config.urls().public_url(key)
    }

    /// Returns the public URL of a variant. No request is sent.
    ///
    /// ```
    /// use lablink_storage::{ErrorKind, ImageStore, ObjectKey, OptimizeOptions, Variant};
    ///
    /// let store = ImageStore::builder()
    ///     .memory()
    ///     .with_variant(Variant::new("thumb", OptimizeOptions::default().with_max_size(320, 320))?)
    ///     .build()?;
    /// let key = ObjectKey::parse("components/6f9619ff-8b86-4d01-b42d-00cf4fc964ff.jpg")?;
    /// assert_eq!(
    ///     store.variant_url(&key, "thumb")?,
    ///     "memory://lablink/components/6f9619ff-8b86-4d01-b42d-00cf4fc964ff/thumb.jpg",
    /// );
    /// assert_eq!(store.variant_url(&key, "large").unwrap_err().kind(), ErrorKind::InvalidArgument);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for a name that is not among the store's variants; `InvalidKey` for a key that
    /// cannot have variants.
    pub fn variant_url(&self, key: &ObjectKey, name: &str) -> Result<String> {
        Ok(self.public_url(&self.variant(name)?.key(key)?))
    }

    /// The configured variant of this name.
    pub(crate) fn variant(&self, name: &str) -> Result<&Variant> {
        let variants = self.inner.config.variants();
        let found = variants.iter().find(|variant| variant.name() == name);
        found.ok_or_else(|| {
            let known: Vec<&str> = variants.iter().map(Variant::name).collect();
            Error::InvalidArgument {
                name: "variant",
                reason: format!(
                    "{:?} is not one of the store's variants ({})",
                    name.chars().take(40).collect::<String>(),
                    known.join(", ")
                ),
            }
        })
    }

    /// Returns the key that a public URL of this store stands for: the inverse of [`public_url`](Self::public_url)
    /// for every form in which the store may be addressed.
    ///
    /// ```
    /// use lablink_storage::{ErrorKind, ImageStore};
    ///
    /// let store = ImageStore::builder().memory().with_cloudfront_domain("cdn.example.org").build()?;
    /// let key = store.key_from_url("https://cdn.example.org/components/board%201.png?v=2")?;
    /// assert_eq!(key.as_str(), "components/board 1.png");
    ///
    /// let error = store.key_from_url("https://example.com/components/board.png").unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::ForeignUrl);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `ForeignUrl` for every other URL.
    pub fn key_from_url(&self, url: &str) -> Result<ObjectKey> {
        Ok(self.inner.config.urls().key_from_url(url)?)
    }

    /// Returns the key that a key or a URL stands for: a text with a scheme, or one that begins with `/`, is a
    /// URL.
    ///
    /// ```
    /// use lablink_storage::{ErrorKind, ImageStore};
    ///
    /// let store = ImageStore::builder().memory().build()?;
    /// let key = store.resolve("components/board.png")?;
    /// assert_eq!(store.resolve("memory://lablink/components/board.png")?, key);
    ///
    /// assert_eq!(store.resolve("/etc/passwd").unwrap_err().kind(), ErrorKind::ForeignUrl);
    /// assert_eq!(store.resolve("components/../a.png").unwrap_err().kind(), ErrorKind::InvalidKey);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `ForeignUrl` or `InvalidKey`, the latter for the key of an original too.
    pub fn resolve(&self, key_or_url: &str) -> Result<ObjectKey> {
        let key = self.inner.config.urls().parse_key_or_url(key_or_url)?;
        if key.is_original() {
            return Err(reference::no_image_key(&key));
        }
        Ok(key)
    }

    /// Returns the key that may be served under a public path: one below the store's prefix, that is neither a pending
    /// upload nor an original.
    ///
    /// ```
    /// use lablink_storage::{ErrorKind, ImageStore};
    ///
    /// let store = ImageStore::builder().memory().build()?;
    /// assert_eq!(store.public_key("components/board.jpg")?.as_str(), "components/board.jpg");
    /// for path in ["pending/components/board.jpg", "backups/board.jpg", "components/../secret"] {
    ///     assert_eq!(store.public_key(path).unwrap_err().kind(), ErrorKind::InvalidKey);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `InvalidKey` for any other.
    pub fn public_key(&self, path: &str) -> Result<ObjectKey> {
        let key = ObjectKey::parse(path)?;
        if key.is_under(self.inner.prefix()) && !key.is_pending() && !key.is_original() {
            return Ok(key);
        }
        Err(InvalidKey::new(path, "it is not a public key of this store").into())
    }

    #[cfg(feature = "ops")]
    pub(crate) fn backend(&self) -> &Backend {
        &self.inner.backend
    }

    #[cfg(feature = "ops")]
    pub(crate) fn urls(&self) -> &crate::url::Urls {
        self.inner.config.urls()
    }
}

impl fmt::Debug for ImageStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImageStore")
            .field("config", &self.inner.config)
            .finish_non_exhaustive()
    }
}

/// Runs an operation in its span and tells how it ended and how long it took.
async fn traced<T>(span: Span, operation: impl Future<Output = Result<T>>) -> Result<T> {
    let started = Instant::now();
    async {
        let outcome = operation.await;
        tell(&outcome, started);
        outcome
    }
    .instrument(span)
    .await
}

/// The same for what waits for nothing.
fn traced_at_once<T>(span: Span, operation: impl FnOnce() -> Result<T>) -> Result<T> {
    let started = Instant::now();
    span.in_scope(|| {
        let outcome = operation();
        tell(&outcome, started);
        outcome
    })
}

fn tell<T>(outcome: &Result<T>, started: Instant) {
    match outcome {
        Ok(_) => {
            let milliseconds = milliseconds(started);
            tracing::info!(milliseconds, "done");
        }
        Err(error) => failed(error, started),
    }
}

fn failed(error: &Error, started: Instant) {
    let milliseconds = milliseconds(started);
    let causes = error.causes().join(": ");
    let cause = (!causes.is_empty()).then_some(tracing::field::display(causes));
    let words = error.to_string();
    let error_words = one_line(&words);
    // Whoever answers a client shows it general words for these: the remedy stands here.
    let hint = error.hint().filter(|_| error.kind().http_status() >= 500);
    tracing::warn!(milliseconds, kind = %error.kind(), error = %error_words, cause, hint, "failed");
}

fn milliseconds(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX)
}
