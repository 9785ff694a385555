//! One photo in: optimized, stored with its variants and its original, and never half there.

use std::sync::Arc;

use super::image::StoredImage;
use super::inspect::{Circumstances, Inspection};
use super::options::UploadOptions;
use super::write::Existing;
use super::{ImageStore, traced};
use crate::error::{Error, Result};
use crate::format::ImageFormat;
use crate::key::ObjectKey;
use crate::optimize::{
    OptimizeError, OptimizeOptions, OptimizedImage, optimize_inspected, optimize_with_variants,
};
use crate::sign::sha256_hex;
use bytes::Bytes;

/// An image and its variants, optimized and not yet stored.
pub(super) struct Prepared {
    pub(super) main: OptimizedImage,
    pub(super) variants: Vec<(String, OptimizedImage)>,
    pub(super) sha256: String,
    /// What came in, where it is to be kept.
    pub(super) original: Option<Bytes>,
}

impl ImageStore {
    /// Optimizes an image, stores it with its variants under a new key and answers with all that there
    /// is to know about it. With [`keep_original`](crate::ConfigBuilder::with_keep_original), what came in is
    /// kept beside them.
    ///
    /// `options` are [`UploadOptions`], or `()` for the store's own.
    ///
    /// Nothing is overwritten, and nothing is left behind by an upload that fails or whose caller goes
    /// away before it is done.
    ///
    /// # Errors
    ///
    /// `InvalidImage`, `UnsupportedFormat` or `LimitExceeded` for a file that cannot be stored as an image;
    /// `Rejected` by the store's inspector; `Unavailable` when the server, or the turn to decode, was not available in time; `Timeout`; and the
    /// kinds of the backend.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn example(bytes: Vec<u8>) -> lablink_storage::Result<()> {
    /// use lablink_storage::{ImageStore, UploadOptions};
    ///
    /// let store = ImageStore::from_env()?;
    /// let image = store.upload(bytes, UploadOptions::default().with_filename("board.png")).await?;
    /// println!("{} ({} x {})", image.url, image.width, image.height);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn upload(
        &self,
        bytes: impl Into<Bytes>,
        options: impl Into<UploadOptions>,
    ) -> Result<StoredImage> {
        let (bytes, options) = (bytes.into(), options.into());
        let span = tracing::info_span!(
            "upload",
            bytes = bytes.len(),
            filename = options.filename.as_deref().map(shortened),
            key = tracing::field::Empty,
            left = tracing::field::Empty,
        );
        traced(span, async {
            let circumstances = Circumstances {
                filename: options.filename,
                context: options.context,
            };
            let optimize = options.optimize.as_ref();
            let prepared = self.prepare(bytes, optimize, circumstances).await?;
            let key = ObjectKey::for_upload(
                self.inner.prefix(),
                self.inner.sources.new_id(),
                prepared.main.format,
            )?;
            tracing::Span::current().record("key", key.as_str());
            let deadline = self.inner.backend.deadline();
            self.place(key, prepared, Existing::Refuse, deadline).await
        })
        .await
    }

    /// Optimizes and stores under an id that the caller derives from what came in, so that the same call
    /// twice makes one image. With `unless_same`, an image that optimizing leaves as it is is not stored
    /// again. `bytes` are kept as its original, whatever the configuration, where they were one before.
    #[cfg(feature = "ops")]
    pub(crate) async fn upload_as(
        &self,
        prefix: &str,
        id: uuid::Uuid,
        bytes: Bytes,
        unless_same: bool,
        is_original: bool,
    ) -> Result<Option<StoredImage>> {
        let span = tracing::info_span!("upload_as", bytes = bytes.len(), %id, left = tracing::field::Empty);
        traced(span, async {
            let mut prepared = self
                .prepare(bytes.clone(), None, Circumstances::default())
                .await?;
            if unless_same && prepared.main.data == bytes {
                return Ok(None);
            }
            if is_original {
                prepared.original = Some(bytes);
            }
            let key = ObjectKey::for_upload(prefix, id, prepared.main.format)?;
            let deadline = self.inner.backend.deadline();
            let placed = self.place(key, prepared, Existing::Same, deadline);
            placed.await.map(Some)
        })
        .await
    }

    /// Optimizes off the async threads, when it is this caller's turn.
    pub(super) async fn prepare(
        &self,
        bytes: Bytes,
        optimize: Option<&OptimizeOptions>,
        circumstances: Circumstances,
    ) -> Result<Prepared> {
        let inner = Arc::clone(&self.inner);
        let options = optimize
            .cloned()
            .unwrap_or_else(|| inner.config.optimize().clone());
        // A file that is too large, or not an image at all, is refused without waiting for a turn.
        if bytes.len() as u64 > options.limits.max_bytes {
            return Err(OptimizeError::LimitExceeded {
                what: "bytes",
                value: bytes.len() as u64,
                limit: options.limits.max_bytes,
            }
            .into());
        }
        ImageFormat::sniff(&bytes).map_err(OptimizeError::from)?;
        let inspector = self.inner.inspector()?;
        let (work, with_picture) = (self.inner.work.clone(), inspector.is_some());
        let made = work.run({
            let bytes = bytes.clone();
            move || {
                let variants = inner.config.variants().iter();
                let variants = variants.filter(|variant| !variant.is_lazy());
                let wanted: Vec<OptimizeOptions> = variants
                    .clone()
                    .map(|variant| variant.options_beside(options.format))
                    .collect();
                let (mut main, made, picture) = if with_picture {
                    optimize_inspected(&bytes, &options, &wanted)?
                } else {
                    let (main, made) = optimize_with_variants(&bytes, &options, &wanted)?;
                    (main, made, None)
                };
                main.source.sha256 = sha256_hex(&bytes);
                let sha256 = sha256_hex(&main.data);
                let names = variants.map(|variant| variant.name().to_owned());
                let variants = names.zip(made).collect();
                Ok::<_, Error>((
                    Prepared {
                        variants,
                        main,
                        sha256,
                        original: inner.config.keep_original().then_some(bytes),
                    },
                    picture,
                ))
            }
        });
        let (prepared, picture) = made.await??;
        if let (Some(inspector), Some(picture)) = (inspector, picture) {
            let inspection = Inspection {
                data: bytes,
                picture,
                source: prepared.main.source.clone(),
                dhash: prepared.main.dhash.clone(),
                filename: circumstances.filename,
                context: circumstances.context,
            };
            self.inner.inspect(&*inspector, &inspection).await?;
        }
        Ok(prepared)
    }
}

/// A name from outside, short enough for a span.
fn shortened(name: &str) -> String {
    name.chars().take(100).collect()
}
