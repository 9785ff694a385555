//! Lazy variants: made when somebody asks for them, and once.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use tokio::sync::{Semaphore, SemaphorePermit};
use tracing::Instrument;

use super::image::StoredVariant;
use super::reference::KeyOrUrl;
use super::remake::Remake;
use super::write::is_there;
use super::{ImageStore, traced};
use crate::backend::{Operation, StorageError};
use crate::error::{Error, Result};
use crate::key::ObjectKey;
use crate::kind::ErrorKind;
use crate::variant::Variant;

/// How long the failure of a variant is answered again without trying.
const REMEMBERED_FOR: Duration = Duration::from_secs(60);

/// Most failures that are remembered.
const REMEMBERED: usize = 1024;

type Ensured = Result<StoredVariant, Arc<Error>>;

/// The variants that are being made, and those that could not be.
pub(super) struct Ensuring {
    making: Mutex<HashMap<ObjectKey, Shared<BoxFuture<'static, Ensured>>>>,
    failures: Mutex<HashMap<ObjectKey, (Instant, Arc<Error>)>>,
    /// Turns for whoever asks over a route: at most half of what decodes at once.
    turns: Semaphore,
    size: usize,
}

impl Ensuring {
    pub(super) fn new(max_decodes: usize) -> Self {
        let size = (max_decodes / 2).max(1);
        Self {
            making: Mutex::default(),
            failures: Mutex::default(),
            turns: Semaphore::new(size),
            size,
        }
    }

    fn turn(&self) -> Result<SemaphorePermit<'_>> {
        self.turns.try_acquire().map_err(|_| Error::Busy {
            running: self.size,
            waited: Duration::ZERO,
        })
    }

    fn remembered(&self, variant: &ObjectKey) -> Option<Arc<Error>> {
        let failures = lock(&self.failures);
        let (when, error) = failures.get(variant)?;
        (when.elapsed() < REMEMBERED_FOR).then(|| Arc::clone(error))
    }

    /// Remembers a failure that would come again. What is not there now may be there in a moment.
    fn remember(&self, variant: &ObjectKey, error: &Arc<Error>) {
        if error.is_retryable() || error.kind() == ErrorKind::NotFound {
            return;
        }
        let mut failures = lock(&self.failures);
        if failures.len() >= REMEMBERED {
            failures.retain(|_, (when, _)| when.elapsed() < REMEMBERED_FOR);
        }
        if failures.len() >= REMEMBERED {
            let oldest = failures.iter().min_by_key(|(_, (when, _))| *when);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                failures.remove(&oldest);
            }
        }
        failures.insert(variant.clone(), (Instant::now(), Arc::clone(error)));
    }
}

impl fmt::Debug for Ensuring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ensuring")
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ImageStore {
    /// Makes a variant of a stored image unless it is there, and returns it. It is for
    /// [lazy](Variant::with_lazy) variants, which uploads do not write, and works for all.
    ///
    /// Callers in one process share one decode. Of several processes the first that writes wins, and the
    /// others return what it wrote. The image is looked up again afterwards: of one that was deleted
    /// meanwhile nothing stays.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use lablink_storage::{ImageStore, OptimizeOptions, Variant};
    ///
    /// let poster = Variant::new("poster", OptimizeOptions::default().with_max_size(640, 640))?;
    /// let store = ImageStore::builder().memory().with_variant(poster.with_lazy(true)).build()?;
    /// # let photo = std::fs::read("examples/photo.jpg")?;
    /// let image = store.upload(photo, ()).await?;
    /// assert!(image.variants.is_empty());
    ///
    /// let poster = store.ensure_variant(&image.key, "poster").await?;
    /// assert_eq!((poster.width, poster.height), (640, 480));
    /// assert_eq!(poster.url, store.variant_url(&image.key, "poster")?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for a name that is not configured; `InvalidKey` for a key that no upload has;
    /// `NotFound` for an image that is not there; else as [`upload`](Self::upload).
    pub async fn ensure_variant(
        &self,
        key: impl Into<KeyOrUrl<'_>>,
        name: &str,
    ) -> Result<StoredVariant> {
        let span = tracing::info_span!(
            "ensure_variant",
            key = tracing::field::Empty,
            variant = name
        );
        traced(span, async {
            let key = self.key_of(key)?;
            let variant = self.variant(name)?;
            self.public_key(key.as_str())?;
            let at = variant.key(&key)?;
            self.ensured(&key, variant, at, false).await
        })
        .await
    }

    /// Makes a variant for a route that anybody may ask, and returns its public URL to redirect to. `path` is
    /// the image's key as it stands in the request.
    ///
    /// At most half of the store's decodes serve such requests at once, and a failure is remembered for a
    /// minute.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use lablink_storage::{ErrorKind, ImageStore, OptimizeOptions, Variant};
    ///
    /// let poster = Variant::new("poster", OptimizeOptions::default().with_max_size(640, 640))?;
    /// let store = ImageStore::builder().memory().with_variant(poster.with_lazy(true)).build()?;
    /// # let photo = std::fs::read("examples/photo.jpg")?;
    /// let image = store.upload(photo, ()).await?;
    /// let url = store.serve_variant(image.key.as_str(), "poster").await?;
    /// assert_eq!(url, store.variant_url(&image.key, "poster")?);
    ///
    /// let unknown = store.serve_variant(image.key.as_str(), "huge").await;
    /// assert_eq!(unknown.unwrap_err().kind(), ErrorKind::NotFound);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `NotFound` for whatever is not a configured variant of a public image that is there; `Unavailable` where
    /// too many are being made, to be answered with 503 and `Retry-After`; else as
    /// [`ensure_variant`](Self::ensure_variant).
    pub async fn serve_variant(&self, path: &str, name: &str) -> Result<String> {
        let span =
            tracing::info_span!("serve_variant", key = tracing::field::Empty, variant = name);
        traced(span, async {
            let unknown = || Error::from(not_there(None));
            let key = self.public_key(path).map_err(|_| unknown())?;
            tracing::Span::current().record("key", key.as_str());
            let variant = self.variant(name).map_err(|_| unknown())?;
            let at = variant.key(&key).map_err(|_| unknown())?;
            if let Some(error) = self.inner.ensuring.remembered(&at) {
                return Err(Error::Shared(error));
            }
            if is_there(&self.inner.backend, &at).await? {
                return Ok(self.public_url(&at));
            }
            let made = self.ensured(&key, variant, at, true).await?;
            Ok(made.url)
        })
        .await
    }

    async fn ensured(
        &self,
        key: &ObjectKey,
        variant: &Variant,
        at: ObjectKey,
        is_limited: bool,
    ) -> Result<StoredVariant> {
        let (making, began) = self.making(key, variant, &at, is_limited);
        let made = match making.await {
            // A page began, for which there was no turn; an application waits for its own.
            Err(error) if !began && !is_limited && matches!(*error, Error::Busy { .. }) => {
                self.making(key, variant, &at, is_limited).0.await
            }
            made => made,
        };
        made.map_err(Error::Shared)
    }

    /// Joins whoever makes the variant already, or begins, and returns whether it was this call that did.
    fn making(
        &self,
        key: &ObjectKey,
        variant: &Variant,
        at: &ObjectKey,
        is_limited: bool,
    ) -> (Shared<BoxFuture<'static, Ensured>>, bool) {
        let mut making = lock(&self.inner.ensuring.making);
        if let Some(made) = making.get(at) {
            return (made.clone(), false);
        }
        let work = self
            .clone()
            .make_variant(key.clone(), variant.clone(), at.clone(), is_limited);
        // A task of its own: whoever began may go away, and the others still wait.
        let task = tokio::spawn(work.in_current_span());
        let made = async {
            task.await.unwrap_or_else(|_| {
                let reason = "the making of a variant ended without an answer";
                Err(Arc::new(Error::internal(reason)))
            })
        };
        let made = made.boxed().shared();
        making.insert(at.clone(), made.clone());
        (made, true)
    }

    async fn make_variant(
        self,
        key: ObjectKey,
        variant: Variant,
        at: ObjectKey,
        is_limited: bool,
    ) -> Ensured {
        let outcome = self.made_variant(key, variant, &at, is_limited).await;
        let outcome = outcome.map_err(Arc::new);
        let ensuring = &self.inner.ensuring;
        if let Err(error) = &outcome {
            ensuring.remember(&at, error);
        }
        lock(&ensuring.making).remove(&at);
        outcome
    }

    async fn made_variant(
        &self,
        key: ObjectKey,
        variant: Variant,
        at: &ObjectKey,
        is_limited: bool,
    ) -> Result<StoredVariant> {
        if let Some(there) = self.stored_variant(at).await? {
            return Ok(there);
        }
        let _turn = match is_limited {
            true => Some(self.inner.ensuring.turn()?),
            false => None,
        };
        let remake = Remake {
            key,
            variants: vec![variant],
            main: false,
            replace: false,
        };
        let made = self.remake(remake).await?.variants.pop();
        let made = made.ok_or(Error::internal("no variant was made"))?;
        if made.written {
            let url = self.public_url(at);
            return Ok(StoredVariant::new(at.clone(), url, &made.image, made.e_tag));
        }
        let there = self.stored_variant(at).await?;
        there.ok_or_else(|| not_there(Some(at)).into())
    }

    /// Reads a variant that is there already.
    async fn stored_variant(&self, at: &ObjectKey) -> Result<Option<StoredVariant>> {
        let most = self.inner.config.optimize().limits.max_bytes;
        let (info, bytes) = match self.inner.backend.get(at, most).await {
            Ok(found) => found,
            // Without the permission to list, S3 says `AccessDenied` of one that is not there.
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::AccessDenied) => {
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        let (format, width, height) = crate::optimize::dimensions(&bytes)?;
        Ok(Some(StoredVariant {
            key: at.clone(),
            url: self.public_url(at),
            content_type: format.mime_type(),
            size: info.size,
            width,
            height,
            e_tag: info.e_tag,
        }))
    }
}

fn not_there(key: Option<&ObjectKey>) -> StorageError {
    StorageError::new(
        ErrorKind::NotFound,
        Operation::Get,
        "there is no such image, or no such variant of it",
    )
    .with_key(key)
}
