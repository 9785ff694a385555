//! Originals: files as they came in, kept beside the images that were made of them and never public.

use super::objects::Object;
use super::options::PresignGetOptions;
use super::reference::KeyOrUrl;
use super::{ImageStore, Inner, traced};
use crate::backend::{Backend, ObjectInfo, PutOptions};
use crate::error::{Error, Result};
use crate::format::ImageFormat;
use crate::key::{InvalidKey, ObjectKey};
use crate::kind::ErrorKind;
use crate::sign::PresignedRequest;

/// Bytes that show the format of a file.
const BEGINNING: u64 = 4 << 10;

/// An original is not to be kept on the way to whoever may see it.
pub(crate) const CACHE_CONTROL: &str = "private, no-store";

impl Inner {
    /// Returns how an original is written.
    pub(super) fn original_options(&self, content_type: &'static str) -> PutOptions {
        PutOptions {
            content_type: content_type.into(),
            cache_control: CACHE_CONTROL.to_owned(),
            create: self.config.create_only(),
        }
    }

    /// Removes the original of an image. Whoever may not, and keeps none, cannot have kept one.
    pub(super) async fn delete_original(&self, backend: &Backend, key: &ObjectKey) -> Result<()> {
        let Some(original) = key.original() else {
            return Ok(());
        };
        match backend.delete(&original).await {
            Err(error)
                if error.kind() == ErrorKind::AccessDenied && !self.config.keep_original() =>
            {
                tracing::debug!(%error, "may not remove originals, and keeps none");
                Ok(())
            }
            removed => Ok(removed?),
        }
    }
}

impl ImageStore {
    /// Fetches the original of an image, byte for byte as it came in, with the position where it was taken and
    /// all else that a camera writes into it. An image has one where it was stored with
    /// [`keep_original`](crate::ConfigBuilder::with_keep_original).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use lablink_storage::ImageStore;
    ///
    /// let store = ImageStore::builder().memory().with_keep_original(true).build()?;
    /// # let photo = std::fs::read("examples/photo.jpg")?;
    /// let image = store.upload(photo.clone(), ()).await?;
    /// let original = store.original(&image.key).await?;
    /// assert_eq!(original.bytes, photo);
    /// assert_eq!(Some(original.info.key), image.original);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `NotFound` where none was kept; `InvalidKey` for a key that no upload has; else as
    /// [`get`](Self::get).
    pub async fn original(&self, key: impl Into<KeyOrUrl<'_>>) -> Result<Object> {
        let span = tracing::info_span!(
            "original",
            key = tracing::field::Empty,
            bytes = tracing::field::Empty
        );
        traced(span, async {
            let original = self.original_key(key)?;
            let most = self.inner.config.optimize().limits.max_bytes;
            let (mut info, bytes) = self.inner.backend.get(&original, most).await?;
            tracing::Span::current().record("bytes", bytes.len());
            describe(&mut info, &bytes);
            Ok(Object { info, bytes })
        })
        .await
    }

    /// Signs a GET of an original that works until it expires, on S3. Browsers always save it and never show it; its
    /// name is `download_as`, or else the image's id.
    ///
    /// ```no_run
    /// # async fn example(store: lablink_storage::ImageStore) -> lablink_storage::Result<()> {
    /// use lablink_storage::PresignGetOptions;
    ///
    /// let key = "components/6f9619ff-8b86-4d01-b42d-00cf4fc964ff.jpg";
    /// let options = PresignGetOptions::default().with_download_as("board.jpg");
    /// let request = store.presigned_original(key, options).await?;
    /// println!("{}", request.url);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `NotFound` where none was kept; `InvalidKey` for a key that no upload has; `NotSupported` off S3, where
    /// no route serves originals: let a view of your own answer with [`original`](Self::original); else as
    /// [`presigned_get`](Self::presigned_get).
    pub async fn presigned_original(
        &self,
        key: impl Into<KeyOrUrl<'_>>,
        mut options: PresignGetOptions,
    ) -> Result<PresignedRequest> {
        let span = tracing::info_span!("presigned_original", key = tracing::field::Empty);
        traced(span, async {
            let original = self.original_key(key)?;
            if self.inner.config.s3().is_none() {
                return Err(Error::NotSupported {
                    what: "a presigned original",
                    remedy: "answer with store.original(key) in a view of your own, which asks who may have it",
                });
            }
            let (mut info, bytes) = self
                .inner
                .backend
                .get_range(&original, 0..BEGINNING)
                .await?;
            let format = describe(&mut info, &bytes);
            let extension = format.map_or("bin", ImageFormat::extension);
            let name = options.download_as.take();
            options.download_as =
                Some(name.unwrap_or_else(|| format!("{}.{extension}", original.file_name())));
            self.signed_get(&original, options).await
        })
        .await
    }

    /// Returns the key of an image's original.
    pub(crate) fn original_key<'a>(&self, key: impl Into<KeyOrUrl<'a>>) -> Result<ObjectKey> {
        let key = self.key_of(key)?;
        let public = self.public_key(key.as_str())?;
        public.original().ok_or_else(|| {
            InvalidKey::new(
                key.as_str(),
                "only the keys that uploads get have originals",
            )
            .into()
        })
    }
}

/// Sets the type of an original, by its bytes, and that it is private: files have no room for either.
fn describe(info: &mut ObjectInfo, bytes: &[u8]) -> Option<ImageFormat> {
    let format = ImageFormat::sniff(bytes).ok();
    let content_type = format.map_or("application/octet-stream", ImageFormat::mime_type);
    info.content_type = Some(content_type.to_owned());
    info.cache_control = Some(CACHE_CONTROL.to_owned());
    format
}
