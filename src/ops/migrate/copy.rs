//! One object: fetched, put, read back and compared.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use tokio::sync::Semaphore;

use super::place::Place;
use super::report::{MigrateFailure, MigrateOptions, Migrated};
use crate::backend::{ObjectInfo, PutOptions, StorageError};
use crate::error::{Error, Result};
use crate::format::ImageFormat;
use crate::key::{ObjectKey, percent_encode_path};
use crate::kind::ErrorKind;
use crate::optimize::OutputFormat;
use crate::sign::sha256_hex;
use crate::variant::variant_parent;

/// Largest object that is moved. An image store has none that are larger.
const MAX_OBJECT: u64 = 128 << 20;

/// Memory for objects under way, in KiB: at least one of the largest, read twice.
pub(super) const MEMORY_KIB: u32 = 256 << 10;

pub(super) struct Copier {
    source: Place,
    target: Place,
    options: MigrateOptions,
    retyped: AtomicU64,
}

/// Why an object could not be moved.
enum Trouble {
    /// This one; others may go.
    Object(Error),
    /// None can be: the target takes no objects as it is.
    Target(Error),
}

impl<E> From<E> for Trouble
where
    Error: From<E>,
{
    fn from(error: E) -> Self {
        Self::Object(error.into())
    }
}

fn at_target(error: StorageError) -> Trouble {
    if error.concerns_every_object() {
        Trouble::Target(error.into())
    } else {
        Trouble::Object(error.into())
    }
}

/// An object at the target.
enum Placed {
    New(u64),
    Present,
}

impl Copier {
    pub(super) fn new(source: &Place, target: &Place, options: &MigrateOptions) -> Self {
        Self {
            source: source.clone(),
            target: target.clone(),
            options: options.clone(),
            retyped: AtomicU64::new(0),
        }
    }

    /// How many objects have another content type at the target than they had.
    pub(super) fn retyped(&self) -> u64 {
        self.retyped.load(Ordering::Relaxed)
    }

    /// Moves one object when there is memory for it.
    ///
    /// # Errors
    ///
    /// What would keep every other object away from the target, too.
    pub(super) async fn take(&self, info: ObjectInfo, memory: &Semaphore) -> Result<Migrated> {
        let key = info.key.clone();
        if let Some(reason) = self.left_out(&info) {
            return Ok(Migrated::LeftOut { key, reason });
        }
        // Twice: as it is fetched, and as it is read back.
        let share =
            u32::try_from(info.size >> 9).map_or(MEMORY_KIB, |kib| kib.clamp(1, MEMORY_KIB));
        let _share = memory.acquire_many(share).await;
        let outcome = if info.size > MAX_OBJECT {
            Err(Trouble::Object(Error::InvalidArgument {
                name: "object",
                reason: format!(
                    "{} bytes are more than the {MAX_OBJECT} that are moved",
                    info.size
                ),
            }))
        } else if self.options.optimize {
            self.optimize(info).await
        } else {
            self.copy(info).await
        };
        match outcome {
            Ok(migrated) => Ok(migrated),
            Err(Trouble::Object(error)) => Ok(Migrated::Failed(MigrateFailure::new(key, &error))),
            Err(Trouble::Target(error)) => Err(error),
        }
    }

    fn left_out(&self, info: &ObjectInfo) -> Option<&'static str> {
        if info.key.is_pending() {
            Some("a pending upload, which nobody has verified")
        } else if self
            .source
            .relative(&info.key)
            .split('/')
            .any(|segment| segment.starts_with('.'))
        {
            Some("a hidden file")
        } else if self.options.optimize && variant_parent(&info.key).is_some() {
            Some("a variant, which is made anew")
        } else {
            None
        }
    }

    fn old_url(&self, key: &ObjectKey) -> String {
        match &self.options.old_base_url {
            Some(base) => {
                let relative = percent_encode_path(self.source.relative(key));
                format!("{}/{relative}", base.trim_end_matches('/'))
            }
            None => self.source.store().public_url(key),
        }
    }

    async fn copy(&self, info: ObjectInfo) -> Result<Migrated, Trouble> {
        let key = info.key;
        let target_key = self.target.key(self.source.relative(&key))?;
        let old_url = self.old_url(&key);
        let new_url = self.target.store().public_url(&target_key);
        let there = self.there(&target_key).await?;
        if let Some(there) = &there {
            if there.size != info.size {
                return Err(other_object(&target_key).into());
            }
            if self.options.quick || self.options.dry_run {
                return Ok(Migrated::Present {
                    key,
                    old_url,
                    new_url,
                });
            }
        } else if self.options.dry_run {
            let (bytes, new_url) = (info.size, Some(new_url));
            return Ok(Migrated::Copied {
                key,
                bytes,
                old_url,
                new_url,
            });
        }
        let (found, bytes) = self.source.store().backend().get(&key, MAX_OBJECT).await?;
        match self.put(&target_key, bytes, found, there.is_some()).await? {
            Placed::Present => Ok(Migrated::Present {
                key,
                old_url,
                new_url,
            }),
            Placed::New(bytes) => {
                let new_url = Some(new_url);
                Ok(Migrated::Copied {
                    key,
                    bytes,
                    old_url,
                    new_url,
                })
            }
        }
    }

    async fn there(&self, key: &ObjectKey) -> Result<Option<ObjectInfo>, Trouble> {
        match self.target.store().backend().head(key).await {
            Ok(info) => Ok(Some(info)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(at_target(error)),
        }
    }

    async fn put(
        &self,
        key: &ObjectKey,
        bytes: Bytes,
        found: ObjectInfo,
        mut present: bool,
    ) -> Result<Placed, Trouble> {
        let backend = self.target.store().backend();
        if !present {
            let default = || self.target.store().config().cache_control().to_owned();
            let options = PutOptions {
                content_type: found
                    .content_type
                    .clone()
                    .map_or("application/octet-stream".into(), Into::into),
                cache_control: found.cache_control.unwrap_or_else(default),
                create: true,
            };
            match backend.put(key, bytes.clone(), &options).await {
                Ok(_) => {}
                // Another run of the same migration may have been quicker.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => present = true,
                Err(error) => return Err(at_target(error)),
            }
        }
        let (stored, back) = backend.get(key, MAX_OBJECT).await.map_err(at_target)?;
        if back.len() != bytes.len() || sha256_hex(&back) != sha256_hex(&bytes) {
            return Err(Trouble::Object(if present {
                other_object(key)
            } else {
                damaged(key)
            }));
        }
        if found.content_type.is_some() && stored.content_type != found.content_type {
            // Files have the type that their names say, and no other.
            self.retyped.fetch_add(1, Ordering::Relaxed);
        }
        Ok(if present {
            Placed::Present
        } else {
            Placed::New(back.len() as u64)
        })
    }

    async fn optimize(&self, info: ObjectInfo) -> Result<Migrated, Trouble> {
        let key = info.key;
        let old_url = self.old_url(&key);
        let (_, bytes) = self.source.store().backend().get(&key, MAX_OBJECT).await?;
        let store = self.target.store();
        let id = image_id(self.source.relative(&key), &bytes);
        for format in formats(store.config().optimize().format) {
            let new_key = ObjectKey::for_upload(self.target.image_prefix(), id, format)?;
            // The main object is written last and at once: where it is, all of the image is.
            if self.there(&new_key).await?.is_some() {
                let new_url = store.public_url(&new_key);
                return Ok(Migrated::Present {
                    key,
                    old_url,
                    new_url,
                });
            }
        }
        if self.options.dry_run {
            ImageFormat::sniff(&bytes).map_err(crate::optimize::OptimizeError::from)?;
            let bytes = bytes.len() as u64;
            return Ok(Migrated::Copied {
                key,
                bytes,
                old_url,
                new_url: None,
            });
        }
        let uploaded = store.upload_as(self.target.image_prefix(), id, bytes).await;
        let image = uploaded.map_err(|error| match error {
            Error::Storage(error) => at_target(error),
            other => Trouble::Object(other),
        })?;
        let back = store.backend().get(&image.key, MAX_OBJECT).await;
        let (_, back) = back.map_err(at_target)?;
        if back.len() as u64 != image.size || sha256_hex(&back) != image.sha256 {
            return Err(damaged(&image.key).into());
        }
        Ok(Migrated::Copied {
            key,
            bytes: image.size,
            old_url,
            new_url: Some(image.url),
        })
    }
}

/// The formats that an image may be stored in.
fn formats(output: OutputFormat) -> Vec<ImageFormat> {
    match output {
        OutputFormat::WebP => vec![ImageFormat::WebP],
        OutputFormat::Png => vec![ImageFormat::Png],
        OutputFormat::Auto => vec![ImageFormat::Jpeg, ImageFormat::WebP],
        _ => vec![ImageFormat::Jpeg],
    }
}

/// The same image under the same name has the same id in every run, so that none is made twice; changed
/// bytes have another. UUID version 8 (RFC 9562 section 5.8).
fn image_id(relative: &str, bytes: &[u8]) -> uuid::Uuid {
    let seed = format!("lablink-storage migrate\n{relative}\n{}", sha256_hex(bytes));
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

fn other_object(key: &ObjectKey) -> Error {
    Error::InvalidArgument {
        name: "target",
        reason: format!("another object lies at {key} already; nothing is overwritten"),
    }
}

fn damaged(key: &ObjectKey) -> Error {
    tracing::error!(%key, "an object does not read back as it was written");
    Error::internal("the object does not read back as it was written")
}
