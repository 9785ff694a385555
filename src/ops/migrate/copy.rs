//! One object: fetched, looked at, put, read back and compared.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use tokio::sync::Semaphore;

use super::content::{Content, is_called_an_image, unproven};
use super::obstacle::{self, SourceFolders};
use super::old_urls::OldUrls;
use super::optimize::is_made_here;
use super::place::Place;
use super::report::{MigrateFailure, MigrateOptions, Migrated};
use crate::backend::{ObjectInfo, PutOptions, StorageError};
use crate::error::{Error, Result};
use crate::format::ImageFormat;
use crate::key::{InvalidKey, ObjectKey};
use crate::kind::ErrorKind;
use crate::sign::sha256_hex;
use crate::store::ORIGINAL_CACHE_CONTROL;
use crate::variant::{image_beside, variant_name};

/// Largest object that is moved. An image store has none that are larger.
pub(super) const MAX_OBJECT: u64 = 128 << 20;

/// Memory for objects under way, in KiB: at least one of the largest, read twice.
pub(super) const MEMORY_KIB: u32 = 256 << 10;

/// Bytes of an object that show its format.
const BEGINNING: u64 = 4 << 10;

pub(super) struct Copier {
    pub(super) source: Place,
    pub(super) target: Place,
    pub(super) options: MigrateOptions,
    /// True if both are one place, whose images are optimized where they are.
    pub(super) in_place: bool,
    folders: SourceFolders,
    retyped: AtomicU64,
}

/// The reason why an object could not be moved.
pub(super) enum CopyError {
    /// This one; others may go.
    Object(Error),
    /// None can be: the target takes no objects as it is.
    Target(Error),
}

impl<E> From<E> for CopyError
where
    Error: From<E>,
{
    fn from(error: E) -> Self {
        Self::Object(error.into())
    }
}

pub(super) fn at_target(error: StorageError) -> CopyError {
    if error.concerns_every_object() {
        CopyError::Target(error.into())
    } else {
        CopyError::Object(error.into())
    }
}

impl Copier {
    pub(super) fn new(source: &Place, target: &Place, options: &MigrateOptions) -> Self {
        Self {
            source: source.clone(),
            target: target.clone(),
            options: options.clone(),
            in_place: source.overlaps(target),
            folders: SourceFolders::default(),
            retyped: AtomicU64::new(0),
        }
    }

    /// Returns the number of objects whose content type at the target differs from the one they had.
    pub(super) fn retyped(&self) -> u64 {
        self.retyped.load(Ordering::Relaxed)
    }

    /// Moves one object when there is memory for it.
    ///
    /// # Errors
    ///
    /// Fails with what would keep every other object away from the target, too.
    pub(super) async fn take(&self, info: ObjectInfo, memory: &Semaphore) -> Result<Migrated> {
        let key = info.key.clone();
        match self.left_out(&key).await {
            Ok(None) => {}
            Ok(Some(reason)) => {
                let reason = reason.into();
                return Ok(Migrated::LeftOut { key, reason });
            }
            // What it is cannot be told: neither is it lost without a word, nor made into an image of its own.
            Err(error) => return Ok(Migrated::Failed(MigrateFailure::new(key, &error))),
        }
        // Twice: as it is fetched, and as it is read back.
        let share =
            u32::try_from(info.size >> 9).map_or(MEMORY_KIB, |kib| kib.clamp(1, MEMORY_KIB));
        let _share = memory.acquire_many(share).await;
        let is_original = key.is_original();
        let outcome = if info.size > MAX_OBJECT {
            Err(CopyError::Object(Error::InvalidArgument {
                name: "object",
                reason: format!(
                    "{} bytes are more than the {MAX_OBJECT} that are moved",
                    info.size
                ),
            }))
        } else if is_original {
            self.copy_original(info).await
        } else if self.options.optimize {
            self.optimize(info).await
        } else {
            self.copy(info).await
        };
        match outcome {
            Ok(migrated) => Ok(migrated),
            Err(CopyError::Object(error)) => Ok(Migrated::Failed(MigrateFailure::new(key, &error))),
            Err(CopyError::Target(error)) => Err(error),
        }
    }

    async fn left_out(&self, key: &ObjectKey) -> Result<Option<&'static str>> {
        let relative = self.source.relative(key);
        Ok(if key.is_pending() {
            Some("a pending upload, which nobody has verified")
        } else if relative.split('/').any(|segment| segment.starts_with('.')) {
            Some("a hidden file")
        } else if self.options.optimize && key.is_original() {
            Some("an original, which goes with its image")
        } else if self.options.optimize && self.is_variant(key).await? {
            Some("a variant, which is made anew")
        } else if self.in_place && is_made_here(key) {
            Some("made by migrate --optimize already")
        } else {
            None
        })
    }

    /// Returns whether an object is a variant of an image that is moved, too. Its key does not tell: other
    /// applications name their folders by ids as well, and nothing would be made of what lies there.
    async fn is_variant(&self, key: &ObjectKey) -> Result<bool> {
        let Some(image) = image_beside(key).filter(|_| variant_name(key).is_some()) else {
            return Ok(false);
        };
        // Of the images that this run makes where they are, the variants come first.
        if self.in_place && is_made_here(&image) {
            return Ok(true);
        }
        for main in possible_mains(&image)? {
            if main.is_under(self.source.prefix()) && self.is_at_source(&main).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn is_at_source(&self, key: &ObjectKey) -> Result<bool> {
        match self.source.store().backend().head(key).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    async fn copy(&self, info: ObjectInfo) -> Result<Migrated, CopyError> {
        if self.options.dry_run || self.options.quick {
            let kind = Content::of(&self.beginning(&info).await?);
            if let Some(migrated) = self.compared(&info, kind).await? {
                return Ok(migrated);
            }
        }
        let read = self.source.store().backend();
        let read = read.get_listed(&info, MAX_OBJECT).await?;
        let kind = Content::of(&read.bytes);
        if let Some(left_out) = self.no_image(&info, kind) {
            if !read.proven && is_called_an_image(&read.info) {
                return Err(unproven(kind).into());
            }
            return Ok(left_out);
        }
        let target_key = self.target_key(&info.key, kind)?;
        let urls = OldUrls::of(self, &info.key).await?;
        let new_url = self.target.store().public_url(&target_key);
        let length = read.bytes.len() as u64;
        let is_new = self.put(&target_key, read.bytes, &read.info, kind).await?;
        Ok(if is_new {
            urls.copied(info.key, length, Some(new_url))
        } else {
            urls.present(info.key, new_url)
        })
    }

    /// Copies an original to where the target keeps those of its images: never under a public prefix.
    async fn copy_original(&self, mut info: ObjectInfo) -> Result<Migrated, CopyError> {
        let key = info.key.clone();
        let target_key = self
            .target
            .original_key(self.source.relative_original(&key))?;
        let there = self.there(&target_key).await?;
        if there.as_ref().is_some_and(|there| there.size != info.size) {
            return Err(other_object(&target_key).into());
        }
        let bytes = info.size;
        let decided = self.options.dry_run || (self.options.quick && there.is_some());
        let is_new = if decided {
            there.is_none()
        } else {
            let read = self.source.store().backend();
            let read = read.get_listed(&info, MAX_OBJECT).await?;
            let kind = Content::of(&read.bytes);
            info.cache_control = Some(ORIGINAL_CACHE_CONTROL.to_owned());
            info.content_type = None;
            self.put(&target_key, read.bytes, &info, kind).await?
        };
        Ok(Migrated::Original { key, bytes, is_new })
    }

    /// Returns the outcome where it is clear without reading all of the object, which it always is in a dry
    /// run.
    async fn compared(
        &self,
        info: &ObjectInfo,
        kind: Content,
    ) -> Result<Option<Migrated>, CopyError> {
        if let Some(left_out) = self.no_image(info, kind) {
            return Ok(Some(left_out));
        }
        let target_key = self.target_key(&info.key, kind)?;
        let there = self.there(&target_key).await?;
        if there.as_ref().is_some_and(|there| there.size != info.size) {
            return Err(other_object(&target_key).into());
        }
        if there.is_none() && !self.options.dry_run {
            return Ok(None);
        }
        if there.is_none() {
            self.look_for_obstacles(&info.key, &target_key).await?;
        }
        let urls = OldUrls::of(self, &info.key).await?;
        let new_url = self.target.store().public_url(&target_key);
        let key = info.key.clone();
        Ok(Some(match there {
            Some(_) => urls.present(key, new_url),
            None => urls.copied(key, info.size, Some(new_url)),
        }))
    }

    fn no_image(&self, info: &ObjectInfo, kind: Content) -> Option<Migrated> {
        if self.options.all_files {
            return None;
        }
        let key = info.key.clone();
        kind.reason()
            .map(|reason| Migrated::LeftOut { key, reason })
    }

    /// The key at the target; in files, which have the type that their names say, with the extension that
    /// the bytes want.
    fn target_key(&self, key: &ObjectKey, kind: Content) -> Result<ObjectKey, CopyError> {
        let key = self.target.key(self.source.relative(key))?;
        Ok(match self.target.directory_root() {
            Some(_) => kind.named(key)?,
            None => key,
        })
    }

    async fn beginning(&self, info: &ObjectInfo) -> Result<Bytes, CopyError> {
        if info.size == 0 {
            return Ok(Bytes::new());
        }
        let backend = self.source.store().backend();
        let (_, bytes) = backend.get_range(&info.key, 0..BEGINNING).await?;
        Ok(bytes)
    }

    async fn look_for_obstacles(
        &self,
        key: &ObjectKey,
        target: &ObjectKey,
    ) -> Result<(), CopyError> {
        let Some(root) = self.target.directory_root() else {
            return Ok(());
        };
        if let Some(obstacle) = obstacle::in_directory(&root, target) {
            return Err(obstacle.into());
        }
        if self.source.directory_root().is_none() {
            let found = self.folders.obstacle(&self.source, key, &root);
            if let Some(obstacle) = found.await? {
                return Err(obstacle.into());
            }
        }
        Ok(())
    }

    pub(super) async fn there(&self, key: &ObjectKey) -> Result<Option<ObjectInfo>, CopyError> {
        match self.target.store().backend().head(key).await {
            Ok(info) => Ok(Some(info)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(at_target(error)),
        }
    }

    /// Puts the object unless it is there, and compares what lies there then. Whether it was put.
    async fn put(
        &self,
        key: &ObjectKey,
        bytes: Bytes,
        found: &ObjectInfo,
        kind: Content,
    ) -> Result<bool, CopyError> {
        let store = self.target.store();
        let there = self.there(key).await?;
        let mut is_new = there.is_none();
        if is_new {
            if kind.reason().is_none() && variant_name(key).is_none() && !key.is_original() {
                store.inspect_copy(&bytes, Some(key.as_str())).await?;
            }
            let cache_control = found.cache_control.clone();
            let options = PutOptions {
                content_type: kind.content_type().into(),
                cache_control: cache_control
                    .unwrap_or_else(|| store.config().cache_control().to_owned()),
                create: true,
            };
            match store.backend().put(key, bytes.clone(), &options).await {
                Ok(_) => {}
                // Another run of the same migration may have been quicker.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => is_new = false,
                Err(error) => return Err(at_target(error)),
            }
        } else if there.is_some_and(|there| there.size != bytes.len() as u64) {
            return Err(other_object(key).into());
        }
        let back = match store.backend().get(key, MAX_OBJECT).await {
            Ok((_, back)) => back,
            Err(error) if error.kind() == ErrorKind::NotFound && !is_new => {
                let root = self.target.directory_root();
                let obstacle = root.and_then(|root| obstacle::in_directory(&root, key));
                return Err(obstacle.unwrap_or_else(|| error.into()).into());
            }
            Err(error) => return Err(at_target(error)),
        };
        if back.len() != bytes.len() || sha256_hex(&back) != sha256_hex(&bytes) {
            return Err(CopyError::Object(if is_new {
                self.take_back(key).await
            } else {
                other_object(key)
            }));
        }
        let had = found.content_type.as_deref();
        if had.is_some_and(|had| had != kind.content_type()) {
            self.retyped.fetch_add(1, Ordering::Relaxed);
        }
        Ok(is_new)
    }

    /// Removes what does not read back as this run wrote it: it would be public, and in the way of the next run.
    pub(super) async fn take_back(&self, key: &ObjectKey) -> Error {
        tracing::error!(%key, "an object does not read back as it was written");
        match self.target.store().backend().delete(key).await {
            Ok(()) => Error::internal(
                "the object did not read back as it was written, and was removed again",
            ),
            Err(error) => {
                tracing::error!(%key, %error, "could not remove it");
                Error::internal(
                    "the object does not read back as it was written, and could not be removed",
                )
            }
        }
    }
}

/// The keys that an image of this id may have: the likeliest first, whose format is that of `image`.
fn possible_mains(image: &ObjectKey) -> Result<Vec<ObjectKey>, InvalidKey> {
    let (stem, own) = image.as_str().rsplit_once('.').unwrap_or_default();
    let mut extensions: Vec<&str> = ImageFormat::ALL.map(ImageFormat::extension).to_vec();
    // Names that others give: `jpeg`, `JPG`, `tif`.
    extensions.push("jpeg");
    extensions.extend(ImageFormat::from_extension(own).map(|_| own));
    extensions.sort_by_key(|extension| *extension != own);
    extensions.dedup();
    let keys = extensions.into_iter();
    keys.map(|extension| ObjectKey::parse(format!("{stem}.{extension}")))
        .collect()
}

fn other_object(key: &ObjectKey) -> Error {
    Error::InvalidArgument {
        name: "target",
        reason: format!("another object lies at {key} already; nothing is overwritten"),
    }
}
