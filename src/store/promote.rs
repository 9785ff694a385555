//! Promotion: from an unverified direct upload to an image of the store.

use std::time::Instant;

use futures_util::future::join;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::format::ImageFormat;
use crate::key::{InvalidKey, ObjectKey};
use crate::optimize::OptimizeError;

use super::image::StoredImage;
use super::inspect::Circumstances;
use super::options::PromoteOptions;
use super::presign::promoted_format;
use super::write::{Existing, gone};
use super::{ImageStore, traced};

impl ImageStore {
    /// Verifies a direct upload and makes it an image of the store: reads it within the limits, optimizes
    /// it, stores it with its variants under a key that keeps the pending key's UUID and extension, and
    /// removes the pending object. The format is the one that the pending key promises, even where this
    /// store's own options have another.
    ///
    /// Two callers at once make one image, and both get it. Once it is done, the pending object is gone:
    /// `NotFound`. So it is once the image was deleted, even if the form is used again and another file
    /// lies there: what was deleted does not come back under the old URL. A promotion that fails removes
    /// what it wrote and leaves the pending object, for another try or for the sweep.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use lablink_storage::{ErrorKind, ImageStore, PresignPostOptions};
    ///
    /// let store = ImageStore::builder()
    ///     .memory()
    ///     .with_secret("0123456789abcdef0123456789abcdef")
    ///     .build()?;
    /// # let photo = std::fs::read("examples/photo.jpg")?;
    /// let post = store.presigned_post("board.jpg", PresignPostOptions::default()).await?;
    /// store.receive_post(post.fields, photo).await?; // on S3 the browser sends it to the bucket
    ///
    /// let image = store.promote(&post.key).await?;
    /// assert_eq!(image.url, post.file_url);
    /// assert_eq!(store.promote(&post.key).await.unwrap_err().kind(), ErrorKind::NotFound);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `InvalidKey` for a key that is not pending in this store; `NotFound`; `Rejected`; `InvalidImage`,
    /// `UnsupportedFormat` or `LimitExceeded` for an upload that is not an acceptable image; `AlreadyExists` where the
    /// image was promoted before with other options; and the kinds of the backend.
    pub async fn promote(&self, key: &ObjectKey) -> Result<StoredImage> {
        self.promote_with(key, PromoteOptions::default()).await
    }

    /// As [`promote`](Self::promote), with a word for the store's inspector.
    ///
    /// # Errors
    ///
    /// As [`promote`](Self::promote).
    pub async fn promote_with(
        &self,
        key: &ObjectKey,
        options: PromoteOptions,
    ) -> Result<StoredImage> {
        let span = tracing::info_span!("promote", %key, bytes = tracing::field::Empty, left = tracing::field::Empty);
        traced(span, async {
            let (id, declared) = self.pending_upload(key)?;
            let most = self.inner.config.optimize().limits.max_bytes;
            // Reading, storing and removing share one deadline; waiting for a turn and decoding have theirs.
            let deadline = self.inner.backend.deadline();
            let backend = self.inner.backend.until(deadline);
            // Another file may lie there now: the form is used again after its image was deleted.
            let declared_key = ObjectKey::for_upload(self.inner.prefix(), id, declared)?;
            let deleted = self.inner.is_gone(&backend, &declared_key);
            let (deleted, read) = join(deleted, backend.get(key, most)).await;
            if deleted? {
                return Err(gone(key));
            }
            let (_, bytes) = read?;
            let decoding = Instant::now();
            tracing::Span::current().record("bytes", bytes.len());
            if bytes.is_empty() {
                return Err(OptimizeError::InvalidImage {
                    reason: "the file is empty".into(),
                }
                .into());
            }
            let optimize = self.inner.config.optimize();
            let format = promoted_format(optimize.format, declared);
            let optimize = optimize.clone().in_format(format);
            let circumstances = Circumstances {
                filename: None,
                context: options.context,
            };
            let prepared = self.prepare(bytes, Some(&optimize), circumstances).await?;
            let promoted = ObjectKey::for_upload(self.inner.prefix(), id, prepared.main.format)?;
            let deadline = deadline.extended(decoding.elapsed());
            let image = self
                .place(
                    promoted,
                    prepared,
                    Existing::Promoted(key.clone()),
                    deadline,
                )
                .await?;
            // The image is there; a pending object that stays is one that the sweep will find.
            if let Err(error) = self.inner.backend.until(deadline).delete(key).await {
                tracing::warn!(%error, "could not remove the pending object");
            }
            Ok(image)
        })
        .await
    }

    /// The id of a pending key, and the format that its form promised.
    fn pending_upload(&self, key: &ObjectKey) -> Result<(Uuid, ImageFormat)> {
        let refuse = |reason| Error::from(InvalidKey::new(key.as_str(), reason));
        let Some(promoted) = key.promoted() else {
            return Err(refuse("it is not the key of a pending upload"));
        };
        let id = promoted
            .uuid()
            .ok_or_else(|| refuse("its name is not the UUID of a pending upload"))?;
        let format = promoted
            .extension()
            .and_then(ImageFormat::from_extension)
            .ok_or_else(|| refuse("its extension is not that of an accepted format"))?;
        // Exactly the key that a presigned request names, and not one that only looks like it.
        if *key == ObjectKey::for_pending(self.inner.prefix(), id, format)? {
            Ok((id, format))
        } else {
            Err(refuse("it is not a pending upload of this store's prefix"))
        }
    }
}
