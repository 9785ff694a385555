//! Stored objects: fetching, looking, listing.

use std::ops::Range;
use std::time::Instant;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt, TryStreamExt};
use tracing::Instrument;

use super::reference::KeyOrUrl;
use super::{ImageStore, failed, milliseconds, traced};
use crate::backend::ObjectInfo;
use crate::error::{Error, Result};
use crate::key::InvalidKey;
use crate::kind::ErrorKind;
use crate::variant::variant_name;

/// A stored object: what is known about it, and its bytes.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Object {
    /// Its properties.
    pub info: ObjectInfo,
    /// Its bytes, or the range of them that was asked for.
    pub bytes: Bytes,
}

impl ImageStore {
    /// Fetches an object.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use lablink_storage::{ErrorKind, ImageStore, UploadOptions};
    ///
    /// let store = ImageStore::builder().memory().build()?;
    /// # let photo = std::fs::read("examples/photo.jpg")?;
    /// let image = store.upload(photo, UploadOptions::default()).await?;
    /// let object = store.get(&image.key).await?;
    /// assert_eq!(object.info.content_type.as_deref(), Some("image/jpeg"));
    /// assert_eq!(object.bytes.len() as u64, image.size);
    ///
    /// store.delete(&image.key).await?;
    /// assert_eq!(store.get(&image.key).await.unwrap_err().kind(), ErrorKind::NotFound);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `NotFound`; `LimitExceeded` for an object larger than the store's `max_bytes`, which bounds what a
    /// store reads as well as what it takes: raise it where results may be larger than sources, as large
    /// PNG files may; and the kinds of the backend.
    pub async fn get(&self, key: impl Into<KeyOrUrl<'_>>) -> Result<Object> {
        let span = tracing::info_span!(
            "get",
            key = tracing::field::Empty,
            bytes = tracing::field::Empty
        );
        traced(span, async {
            let key = self.key_of(key)?;
            let most = self.inner.config.optimize().limits.max_bytes;
            let (info, bytes) = self.inner.backend.get(&key, most).await?;
            tracing::Span::current().record("bytes", bytes.len());
            Ok(Object { info, bytes })
        })
        .await
    }

    /// Fetches a range of an object's bytes; an end beyond the object is its end.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use lablink_storage::{ErrorKind, ImageStore, UploadOptions};
    ///
    /// let store = ImageStore::builder().memory().build()?;
    /// # let photo = std::fs::read("examples/photo.jpg")?;
    /// let image = store.upload(photo, UploadOptions::default()).await?;
    /// let start = store.get_range(&image.key, 0..3).await?;
    /// assert_eq!(start.bytes[..], [0xff, 0xd8, 0xff]);
    /// assert_eq!(start.info.size, image.size); // of the whole object
    ///
    /// let beyond = store.get_range(&image.key, image.size..image.size + 1).await;
    /// assert_eq!(beyond.unwrap_err().kind(), ErrorKind::InvalidArgument);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for a range that is empty or begins beyond the object; else as
    /// [`get`](Self::get).
    pub async fn get_range(
        &self,
        key: impl Into<KeyOrUrl<'_>>,
        range: Range<u64>,
    ) -> Result<Object> {
        let span = tracing::info_span!(
            "get_range",
            key = tracing::field::Empty,
            ?range,
            bytes = tracing::field::Empty
        );
        traced(span, async {
            let key = self.key_of(key)?;
            let (info, bytes) = self.inner.backend.get_range(&key, range).await?;
            tracing::Span::current().record("bytes", bytes.len());
            Ok(Object { info, bytes })
        })
        .await
    }

    /// Looks at an object without fetching it.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use lablink_storage::{ImageStore, UploadOptions};
    ///
    /// let store = ImageStore::builder().memory().build()?;
    /// # let photo = std::fs::read("examples/photo.jpg")?;
    /// let image = store.upload(photo, UploadOptions::default()).await?;
    /// let info = store.head(&image.key).await?;
    /// assert_eq!(info.size, image.size);
    /// assert_eq!(info.cache_control.as_deref(), Some("public, max-age=31536000, immutable"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `NotFound`, and the kinds of the backend.
    pub async fn head(&self, key: impl Into<KeyOrUrl<'_>>) -> Result<ObjectInfo> {
        let span = tracing::info_span!("head", key = tracing::field::Empty);
        traced(span, async {
            let key = self.key_of(key)?;
            Ok(self.inner.backend.head(&key).await?)
        })
        .await
    }

    /// Returns whether an object exists under the key.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use lablink_storage::{ImageStore, ObjectKey, UploadOptions};
    ///
    /// let store = ImageStore::builder().memory().build()?;
    /// # let photo = std::fs::read("examples/photo.jpg")?;
    /// let image = store.upload(photo, UploadOptions::default()).await?;
    /// assert!(store.exists(&image.key).await?);
    /// assert!(!store.exists(&ObjectKey::parse("components/board.png")?).await?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The kinds of the backend. Without the permission to list the bucket, S3 answers 403 for an object
    /// that is not there, and so this is `AccessDenied`.
    pub async fn exists(&self, key: impl Into<KeyOrUrl<'_>>) -> Result<bool> {
        let span = tracing::info_span!("exists", key = tracing::field::Empty);
        traced(span, async {
            let key = self.key_of(key)?;
            match self.inner.backend.head(&key).await {
                Ok(_) => Ok(true),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
                Err(error) => Err(error.into()),
            }
        })
        .await
    }

    /// Lists what lies under the store's prefix, or under a longer one, page by page as it is read.
    /// Variants are marked as such, pending uploads and originals are left out. The content type is absent where the
    /// server's listing has none.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use futures_util::TryStreamExt;
    /// use lablink_storage::{ErrorKind, ImageStore, ObjectInfo, OptimizeOptions, UploadOptions, Variant};
    ///
    /// let store = ImageStore::builder()
    ///     .memory()
    ///     .with_variant(Variant::new("thumb", OptimizeOptions::default().with_max_size(320, 320))?)
    ///     .build()?;
    /// # let photo = std::fs::read("examples/photo.jpg")?;
    /// let image = store.upload(photo, UploadOptions::default()).await?;
    /// let listed: Vec<ObjectInfo> = store.list(None).try_collect().await?;
    /// let images: Vec<_> = listed.iter().filter(|info| info.variant.is_none()).collect();
    /// assert_eq!((listed.len(), images.len()), (2, 1)); // the image and its thumbnail
    /// assert_eq!(images[0].key, image.key);
    ///
    /// let elsewhere = store.list(Some("backups")).try_next().await;
    /// assert_eq!(elsewhere.unwrap_err().kind(), ErrorKind::InvalidKey);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The call itself does not fail; an item of the stream may: an error of the backend, or one `InvalidKey`
    /// for a prefix that is not the store's own.
    pub fn list(&self, prefix: Option<&str>) -> BoxStream<'static, Result<ObjectInfo>> {
        let own = self.inner.prefix();
        let prefix = match prefix {
            None => own.to_owned(),
            Some(prefix) => {
                let prefix = prefix.trim_end_matches('/');
                let inside = prefix == own || self.public_key(prefix).is_ok();
                if !inside {
                    let error = InvalidKey::new(prefix, "it is not under the store's prefix");
                    return stream::once(async { Err(error.into()) }).boxed();
                }
                prefix.to_owned()
            }
        };
        let listed = self
            .inner
            .backend
            .list(&prefix)
            .filter_map(|item| async {
                match item {
                    Ok(info) if info.key.is_pending() || info.key.is_original() => None,
                    Ok(mut info) => {
                        info.variant = variant_name(&info.key).map(str::to_owned);
                        Some(Ok(info))
                    }
                    Err(error) => Some(Err(Error::from(error))),
                }
            })
            .boxed();
        told(tracing::info_span!("list", prefix), listed)
    }

    /// The same as a `Vec`, for stores whose listing fits into memory.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> lablink_storage::Result<()> {
    /// let store = lablink_storage::ImageStore::builder().memory().build()?;
    /// assert!(store.list_all(None).await?.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`list`](Self::list).
    pub async fn list_all(&self, prefix: Option<&str>) -> Result<Vec<ObjectInfo>> {
        self.list(prefix).try_collect().await
    }
}

/// Tells how a listing ended, how many objects it had and how long it took, once it is read to its end.
fn told(
    span: tracing::Span,
    listed: BoxStream<'static, Result<ObjectInfo>>,
) -> BoxStream<'static, Result<ObjectInfo>> {
    let state = Some((listed, 0_u64, Instant::now()));
    stream::unfold(state, move |state| {
        let next = async {
            let (mut listed, objects, started) = state?;
            match listed.next().await {
                Some(Ok(info)) => Some((Ok(info), Some((listed, objects + 1, started)))),
                Some(Err(error)) => {
                    failed(&error, started);
                    Some((Err(error), None))
                }
                None => {
                    let milliseconds = milliseconds(started);
                    tracing::info!(milliseconds, objects, "done");
                    None
                }
            }
        };
        next.instrument(span.clone())
    })
    .boxed()
}
