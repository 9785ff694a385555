//! One image, optimized on its way or where it is.

use bytes::Bytes;

use super::content::{Content, is_called_an_image, unproven};
use super::copy::{Copier, CopyError, MAX_OBJECT, at_target};
use super::old_urls::OldUrls;
use super::report::Migrated;
use crate::backend::ObjectInfo;
use crate::error::Error;
use crate::format::ImageFormat;
use crate::key::ObjectKey;
use crate::kind::ErrorKind;
use crate::optimize::OutputFormat;
use crate::sign::sha256_hex;

impl Copier {
    pub(super) async fn optimize(&self, info: ObjectInfo) -> Result<Migrated, CopyError> {
        let key = info.key.clone();
        let read = self.source.store().backend();
        let read = read.get_listed(&info, MAX_OBJECT).await?;
        let kind = Content::of(&read.bytes);
        if let Some(reason) = kind.reason() {
            if !read.proven && is_called_an_image(&read.info) {
                return Err(unproven(kind).into());
            }
            return Ok(Migrated::LeftOut { key, reason });
        }
        let urls = OldUrls::of(self, &key).await?;
        let store = self.target.store();
        let id = image_id(self.source.relative(&key), &read.bytes);
        for format in formats(store.config().optimize().format) {
            let new_key = ObjectKey::for_upload(self.target.image_prefix(), id, format)?;
            // The main object is written last and at once: where it is, all of the image is.
            if self.there(&new_key).await?.is_some() {
                return Ok(urls.present(key, store.public_url(&new_key)));
            }
        }
        if self.options.dry_run {
            return Ok(urls.copied(key, read.bytes.len() as u64, None));
        }
        let prefix = self.target.image_prefix();
        let original = self.original_of(&key).await?;
        let is_original = original.is_some();
        let bytes = original.unwrap_or(read.bytes);
        let uploaded = store.upload_as(prefix, id, bytes, self.in_place, is_original);
        let uploaded = uploaded.await;
        let uploaded = uploaded.map_err(|error| match error {
            Error::Storage(error) => at_target(error),
            other => CopyError::Object(other),
        })?;
        let Some(image) = uploaded else {
            let same = store.public_url(&key);
            return Ok(urls.present(key, same));
        };
        let back = store.backend().get(&image.key, MAX_OBJECT).await;
        let (_, back) = back.map_err(at_target)?;
        if back.len() as u64 != image.size || sha256_hex(&back) != image.sha256 {
            // Without its main object it counts as not made, and the next run makes all of it.
            return Err(self.take_back(&image.key).await.into());
        }
        Ok(urls.copied(key, image.size, Some(image.url)))
    }

    /// Reads the original of an image, where one was kept: what is made of it is better, and it goes along.
    async fn original_of(&self, key: &ObjectKey) -> Result<Option<Bytes>, CopyError> {
        let Some(original) = key.original() else {
            return Ok(None);
        };
        match self
            .source
            .store()
            .backend()
            .get(&original, MAX_OBJECT)
            .await
        {
            Ok((_, bytes)) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            // Whoever has never kept any has no rights to them, as a rule.
            Err(error)
                if error.kind() == ErrorKind::AccessDenied
                    && !self.source.store().config().keep_original() =>
            {
                tracing::warn!(%error, "its original, if there is one, may not be read");
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// The formats that an image may be stored in.
pub(super) fn formats(output: OutputFormat) -> Vec<ImageFormat> {
    match output.fixed() {
        Some(format) => vec![format],
        None => vec![ImageFormat::Jpeg, ImageFormat::WebP],
    }
}

/// The same image under the same name has the same id in every run, so that none is made twice; changed
/// bytes have another.
fn image_id(relative: &str, bytes: &[u8]) -> uuid::Uuid {
    derived_id(&format!("{relative}\n{}", sha256_hex(bytes)))
}

/// The id that follows from `seed`: UUID version 8 (RFC 9562 section 5.8).
pub(super) fn derived_id(seed: &str) -> uuid::Uuid {
    let seed = format!("lablink-storage migrate\n{seed}");
    let mut id = [0; 16];
    for (byte, pair) in id
        .iter_mut()
        .zip(sha256_hex(seed.as_bytes()).as_bytes().chunks(2))
    {
        let digit = |letter: u8| char::from(letter).to_digit(16).unwrap_or(0) as u8;
        *byte = digit(pair[0]) << 4 | digit(pair[1]);
    }
    uuid::Builder::from_custom_bytes(id).into_uuid()
}

/// Returns whether a key has an id that [`derived_id`] gives.
pub(super) fn is_made_here(key: &ObjectKey) -> bool {
    key.uuid().is_some_and(|id| id.get_version_num() == 8)
}
