//! Versions of images, in a bucket that keeps them: what was deleted comes back, or goes for good.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::delete::others_of_id;
use super::purge::PurgeFailure;
use super::reference::KeyOrUrl;
use super::write::AT_ONCE;
use super::{ImageStore, traced};
use crate::backend::{Backend, ObjectInfo, ObjectVersion, Operation, PutOptions, StorageError};
use crate::error::{Error, Result};
use crate::key::{ObjectKey, TOMBSTONE};
use crate::kind::ErrorKind;
use crate::variant::{variant_name, variants_of};

/// By how much what went with an image may seem to have gone before it: a server's clocks differ, and whole seconds
/// are told.
const WITH_IT: Duration = Duration::from_secs(2);

/// All versions of each key, the newest first.
type Versions = BTreeMap<ObjectKey, Vec<ObjectVersion>>;

impl ImageStore {
    /// Lists the versions of an object, the newest first, in a bucket with versioning. A deletion is one of them.
    ///
    /// ```no_run
    /// # async fn example(store: lablink_storage::ImageStore, key: lablink_storage::ObjectKey) -> lablink_storage::Result<()> {
    /// for version in store.versions(&key).await? {
    ///     println!("{} {} bytes, deleted: {}", version.version, version.size, version.is_deleted);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `NotSupported` where no versions are kept: on other backends than S3, and without versioning; and the kinds
    /// of the backend. An object that never was has no versions.
    pub async fn versions(&self, key: impl Into<KeyOrUrl<'_>>) -> Result<Vec<ObjectVersion>> {
        let span = tracing::info_span!("versions", key = tracing::field::Empty);
        traced(span, async {
            let key = self.key_of(key)?;
            let backend = self.inner.backend.until(self.inner.backend.deadline());
            backend.check_versions().await?;
            Ok(versions_of(&backend, &key).await?)
        })
        .await
    }

    /// Brings a deleted image back with its variants and its original, as they were before the deletion; or, with
    /// `version`, puts this version of it in the place of the present one. Versions are copied over, and none is
    /// removed.
    ///
    /// ```no_run
    /// # async fn example(store: lablink_storage::ImageStore, key: lablink_storage::ObjectKey) -> lablink_storage::Result<()> {
    /// store.delete(&key).await?;
    /// let info = store.restore(&key, None).await?;
    /// println!("{} is back, {} bytes", info.key, info.size);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `NotSupported` where no versions are kept; `AlreadyExists` for an image that is there, without a version;
    /// `NotFound` where no such version is left; and the kinds of the backend. A restoration that fails can be
    /// repeated.
    pub async fn restore(
        &self,
        key: impl Into<KeyOrUrl<'_>>,
        version: Option<&str>,
    ) -> Result<ObjectInfo> {
        Ok(self.restore_purging(key, version).await?.0)
    }

    /// The same, with what became of the purge.
    pub(crate) async fn restore_purging(
        &self,
        key: impl Into<KeyOrUrl<'_>>,
        version: Option<&str>,
    ) -> Result<(ObjectInfo, Option<PurgeFailure>)> {
        let span = tracing::info_span!("restore", key = tracing::field::Empty, version);
        traced(span, async {
            let key = self.key_of(key)?;
            let backend = self.inner.backend.until(self.inner.backend.deadline());
            backend.check_versions().await?;
            let own = versions_of(&backend, &key).await?;
            let is_there = own.first().is_some_and(|latest| !latest.is_deleted);
            let chosen = match version {
                None if is_there => {
                    return Err(
                        refused(ErrorKind::AlreadyExists, &key, "the image is there")
                            .with_hint("name the version to put in its place")
                            .into(),
                    );
                }
                None => own.iter().find(|version| !version.is_deleted),
                Some(id) => own.iter().find(|own| own.version == id && !own.is_deleted),
            };
            let none = || refused(ErrorKind::NotFound, &key, "no such version is left");
            let chosen = chosen.ok_or_else(none)?;
            // As a deletion takes them along, they come back first: variants count beside a main object alone.
            let mut parts = self.parts(&backend, &key).await?;
            let deleted = own.first().filter(|latest| latest.is_deleted);
            parts.retain(|_, versions| {
                let latest = versions.first().filter(|latest| latest.is_deleted);
                let pair = latest.zip(deleted);
                pair.is_some_and(|(part, image)| {
                    part.last_modified + WITH_IT >= image.last_modified
                })
            });
            let lost = parts.iter().filter_map(|(part, versions)| {
                let last = versions.iter().find(|version| !version.is_deleted)?;
                Some(self.copy_over(&backend, part, &last.version, true))
            });
            let lost: Vec<_> = lost.collect();
            stream::iter(lost)
                .buffer_unordered(AT_ONCE)
                .try_collect::<Vec<()>>()
                .await?;
            // Before the image is there: beside its tombstone a sweep would finish the deletion.
            if let Some(tombstone) = key.tombstone(self.inner.prefix()) {
                backend.delete(&tombstone).await?;
            }
            self.copy_over(&backend, &key, &chosen.version, version.is_none())
                .await?;
            let info = backend.head(&key).await?;
            let variants = parts.keys().filter(|part| !part.is_original());
            Ok((info, self.purge(variants.chain([&*key])).await))
        })
        .await
    }

    /// Removes an image for good: as [`delete`](Self::delete), and then every version of it, of its variants, of
    /// its original and of the direct upload that it came from. Nothing brings it back.
    ///
    /// ```no_run
    /// # async fn example(store: lablink_storage::ImageStore, key: lablink_storage::ObjectKey) -> lablink_storage::Result<()> {
    /// store.erase(&key).await?;
    /// assert!(store.versions(&key).await?.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `NotSupported` where no versions are kept, before anything is removed: there [`delete`](Self::delete) does
    /// all; and the kinds of the backend. One that fails can be repeated.
    pub async fn erase(&self, key: impl Into<KeyOrUrl<'_>>) -> Result<()> {
        self.erase_purging(key).await.map(drop)
    }

    /// The same, with what became of the purge.
    pub(crate) async fn erase_purging(
        &self,
        key: impl Into<KeyOrUrl<'_>>,
    ) -> Result<Option<PurgeFailure>> {
        let span = tracing::info_span!("erase", key = tracing::field::Empty);
        traced(span, async {
            let key = self.key_of(key)?.into_owned();
            let backend = self.inner.backend.until(self.inner.backend.deadline());
            backend.check_versions().await?;
            let others = others_of_id(&backend, &key).await?;
            let purge = self.delete_purging(&key).await?;
            let mut all = self.parts(&backend, &key).await?;
            if others.is_empty() {
                all.extend(self.uploads(&backend, &key).await?);
            }
            // What may be another's as well stays, as after a deletion.
            all.retain(|part, _| {
                let is_theirs =
                    |other: &ObjectKey| part.is_original() || self.may_be_of(part, other);
                !others.iter().any(is_theirs)
            });
            let own = versions_of(&backend, &key).await?;
            all.insert(key, own);
            let all = all.iter().flat_map(|(key, versions)| {
                versions.iter().map(move |version| (key, &version.version))
            });
            let removals: Vec<_> = all
                .map(|(key, version)| backend.delete_version(key, version))
                .collect();
            stream::iter(removals)
                .buffer_unordered(AT_ONCE)
                .try_collect::<Vec<()>>()
                .await?;
            Ok(purge)
        })
        .await
    }

    /// The versions of an image's variants and of its original.
    async fn parts(&self, backend: &Backend, key: &ObjectKey) -> Result<Versions> {
        let mut parts = Versions::new();
        let Some(folder) = variants_of(key) else {
            return Ok(parts);
        };
        let is_variant = |part: &ObjectKey| variant_name(part).is_some();
        for (part, version) in backend.versions(&folder, is_variant).await? {
            parts.entry(part).or_default().push(version);
        }
        let all: Vec<ObjectKey> = parts.keys().cloned().collect();
        for part in all {
            if !self.is_variant_of(backend, &part, key).await? {
                parts.remove(&part);
            }
        }
        if let Some(original) = key.original() {
            let versions = versions_of(backend, &original).await?;
            parts.insert(original, versions);
        }
        Ok(parts)
    }

    /// The versions of what lay among the pending uploads under an image's id: the file as it came, with all that
    /// promoting took out of it. The tombstone that is there stays, as after a deletion.
    async fn uploads(&self, backend: &Backend, key: &ObjectKey) -> Result<Versions> {
        let mut uploads = Versions::new();
        let tombstone = key.tombstone(self.inner.prefix());
        let stem = tombstone
            .as_ref()
            .and_then(|tombstone| tombstone.as_str().strip_suffix(TOMBSTONE));
        let Some(stem) = stem else {
            return Ok(uploads);
        };
        for (upload, version) in backend.versions(stem, |_| true).await? {
            if tombstone.as_ref() != Some(&upload) || !version.is_latest {
                uploads.entry(upload).or_default().push(version);
            }
        }
        Ok(uploads)
    }

    /// Writes a version of an object again, as its newest.
    async fn copy_over(
        &self,
        backend: &Backend,
        key: &ObjectKey,
        version: &str,
        create: bool,
    ) -> Result<()> {
        let most = self.inner.config.optimize().limits.max_bytes;
        let (info, bytes) = backend.get_version(key, version, most).await?;
        let cache_control = info.cache_control;
        let options = PutOptions {
            content_type: info
                .content_type
                .unwrap_or_else(|| "application/octet-stream".to_owned())
                .into(),
            cache_control: cache_control
                .unwrap_or_else(|| self.inner.config.cache_control().to_owned()),
            create: create && self.inner.config.create_only(),
        };
        match backend.put(key, bytes, &options).await {
            // Another restoration was quicker.
            Err(error) if options.create && error.kind() == ErrorKind::AlreadyExists => Ok(()),
            outcome => outcome.map(drop).map_err(Error::from),
        }
    }
}

/// The versions of one object.
async fn versions_of(
    backend: &Backend,
    key: &ObjectKey,
) -> Result<Vec<ObjectVersion>, StorageError> {
    let found = backend.versions(key.as_str(), |found| found == key).await?;
    Ok(found.into_iter().map(|(_, version)| version).collect())
}

fn refused(kind: ErrorKind, key: &ObjectKey, problem: &str) -> StorageError {
    StorageError::new(kind, Operation::Versions, problem).with_key(Some(key))
}
