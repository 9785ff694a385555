//! Removing an image, with what lies beside it.

use std::collections::BTreeSet;

use futures_util::future::{join, try_join_all};
use futures_util::stream::{self, StreamExt};

use super::purge::PurgeFailure;
use super::reference::KeyOrUrl;
use super::write::{AT_ONCE, is_there};
use super::{ImageStore, traced};
use crate::backend::Backend;
use crate::error::Result;
use crate::format::ImageFormat;
use crate::key::ObjectKey;
use crate::kind::ErrorKind;
use crate::variant::{Variant, image_beside, variant_name, variants_of};

impl ImageStore {
    /// Removes an object and, where it is an upload's, its variants and its original. Removing what is not there
    /// is fine.
    ///
    /// The image goes first and what lies beside it after it. A removal that fails can be repeated; otherwise a
    /// sweep finishes it, image and all, a day later.
    ///
    /// An upload may have come by a form that is still valid. So that the form, used again, brings no other
    /// picture under the old URL, an empty `pending/<prefix>/<uuid>.gone` stays: [`promote`](Self::promote)
    /// answers `NotFound` to that upload. A sweep removes it after 8 days, when no form is valid any more.
    ///
    /// Where [`CLOUDFRONT_DISTRIBUTION_ID`](crate::ConfigBuilder::with_cloudfront_distribution_id) is set, the
    /// distribution forgets the image and its variants. If it does not take that order, a warning in the log says
    /// so: the deletion is done.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use lablink_storage::{ImageStore, OptimizeOptions, UploadOptions, Variant};
    ///
    /// let store = ImageStore::builder()
    ///     .memory()
    ///     .with_variant(Variant::new("thumb", OptimizeOptions::default().with_max_size(320, 320))?)
    ///     .build()?;
    /// # let photo = std::fs::read("examples/photo.jpg")?;
    /// let image = store.upload(photo, UploadOptions::default()).await?;
    /// store.delete(&image.key).await?;
    /// assert!(!store.exists(&image.variants["thumb"].key).await?);
    /// store.delete(&image.key).await?; // nothing is left to remove
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The kinds of the backend.
    pub async fn delete(&self, key: impl Into<KeyOrUrl<'_>>) -> Result<()> {
        self.delete_purging(key).await.map(drop)
    }

    /// The same, with what became of the purge.
    pub(crate) async fn delete_purging(
        &self,
        key: impl Into<KeyOrUrl<'_>>,
    ) -> Result<Option<PurgeFailure>> {
        let span = tracing::info_span!("delete", key = tracing::field::Empty);
        traced(span, async {
            let backend = self.inner.backend.until(self.inner.backend.deadline());
            let key = self.key_of(key)?;
            let others = others_of_id(&backend, &key).await?;
            if others.is_empty() {
                self.inner.bury(&backend, &key).await?;
            }
            backend.delete(&key).await?;
            let mut gone = vec![key.clone().into_owned()];
            let removed = self.remove_beside(&backend, &key, &others, &mut gone);
            let removed = removed.await;
            // What is gone is gone, whatever failed afterwards.
            let purged = self.purge(&gone);
            if removed.is_err() || !others.is_empty() {
                let purged = purged.await;
                return removed.map(|()| purged);
            }
            Ok(join(purged, self.inner.close_grave(&backend, &key)).await.0)
        })
        .await
    }

    /// Removes what lies beside an image that is gone: its variants, which are noted in `gone`, and the original.
    /// Where `others` have the same id, what may be theirs as well stays.
    async fn remove_beside(
        &self,
        backend: &Backend,
        key: &ObjectKey,
        others: &[ObjectKey],
        gone: &mut Vec<ObjectKey>,
    ) -> Result<()> {
        let mut variants = self.variants_beside(backend, key).await?;
        variants.retain(|variant| !others.iter().any(|other| self.may_be_of(variant, other)));
        gone.extend(variants.iter().cloned());
        let removals = variants.iter().map(|variant| backend.delete(variant));
        let removals: Vec<_> = removals.collect();
        let removals = stream::iter(removals).buffer_unordered(AT_ONCE).collect();
        let original = async {
            match others {
                [] => self.inner.delete_original(backend, key).await,
                _ => Ok(()),
            }
        };
        let (removed, original): (Vec<_>, _) = join(removals, original).await;
        removed.into_iter().collect::<Result<(), _>>()?;
        original
    }

    /// Returns whether a variant is one of this image, by its format or by the configuration.
    pub(super) fn may_be_of(&self, variant: &ObjectKey, image: &ObjectKey) -> bool {
        let variants = self.inner.config.variants();
        let is_configured =
            |configured: &Variant| configured.key(image).is_ok_and(|own| own == *variant);
        image_beside(variant).as_ref() == Some(image) || variants.iter().any(is_configured)
    }

    /// Removes the image that a public URL of this store stands for, as [`delete`](Self::delete) does.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use lablink_storage::{ErrorKind, ImageStore, UploadOptions};
    ///
    /// let store = ImageStore::builder().memory().build()?;
    /// # let photo = std::fs::read("examples/photo.jpg")?;
    /// let image = store.upload(photo, UploadOptions::default()).await?;
    /// store.delete_url(&image.url).await?;
    /// assert!(!store.exists(&image.key).await?);
    ///
    /// let error = store.delete_url("https://example.com/components/board.png").await.unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::ForeignUrl);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `ForeignUrl` for a URL that is not this store's, and the kinds of the backend.
    pub async fn delete_url(&self, url: &str) -> Result<()> {
        self.delete(&self.key_from_url(url)?).await
    }

    /// The variants that lie beside an upload, those of an earlier configuration too.
    async fn variants_beside(
        &self,
        backend: &Backend,
        key: &ObjectKey,
    ) -> Result<BTreeSet<ObjectKey>> {
        let mut found = BTreeSet::new();
        let Some(folder) = variants_of(key) else {
            return Ok(found);
        };
        for variant in self.inner.config.variants() {
            found.insert(variant.key(key)?);
        }
        let mut listed = backend.list(folder.trim_end_matches('/'));
        while let Some(item) = listed.next().await {
            match item {
                Ok(info) => {
                    if self.is_variant_of(backend, &info.key, key).await? {
                        found.insert(info.key);
                    }
                }
                // Not everyone who may delete may list: then those of the configuration have to do.
                Err(error) if error.kind() == ErrorKind::AccessDenied => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(found)
    }

    /// Returns whether an object under an image's id is a variant of this image. In another format than the
    /// image it is, unless it is not configured and an image of that format has the same id.
    pub(super) async fn is_variant_of(
        &self,
        backend: &Backend,
        object: &ObjectKey,
        image: &ObjectKey,
    ) -> Result<bool> {
        if variant_name(object).is_none() {
            return Ok(false);
        }
        let Some(other) = image_beside(object).filter(|other| other != image) else {
            return Ok(true);
        };
        let is_own = |variant: &Variant| variant.key(image).is_ok_and(|own| own == *object);
        Ok(self.inner.config.variants().iter().any(is_own) || !is_there(backend, &other).await?)
    }
}

/// The images that have the same id in another format: a migration that was repeated with another one makes them. The
/// marker of a deletion and the original stand for all of them.
pub(super) async fn others_of_id(backend: &Backend, key: &ObjectKey) -> Result<Vec<ObjectKey>> {
    let Some(folder) = variants_of(key) else {
        return Ok(Vec::new());
    };
    let stem = folder.trim_end_matches('/');
    let others = ImageFormat::ALL
        .map(|format| ObjectKey::parse(format!("{stem}.{}", format.extension())))
        .into_iter()
        .collect::<Result<Vec<_>, _>>()?;
    let others: Vec<_> = others.into_iter().filter(|other| other != key).collect();
    let there = others.iter().map(|other| is_there(backend, other));
    let there = try_join_all(there).await?;
    let found = others.into_iter().zip(there);
    Ok(found
        .filter(|&(_, is_there)| is_there)
        .map(|(other, _)| other)
        .collect())
}
