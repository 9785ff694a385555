//! Variants, and main images, of images that were stored long ago.
//!
//! An image may be deleted while something is made of it. A deletion takes the main object first, so whoever
//! has written a variant looks at the main object afterwards, and takes the variant back if it is gone. Whoever
//! has written a main object anew looks for a tombstone that was not there before.

use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use futures_util::future::join_all;
use tracing::Instrument;

use super::presign::promoted_format;
use super::{ImageStore, Inner};
use crate::backend::{Backend, Operation, StorageError};
use crate::error::{Error, Result};
use crate::format::ImageFormat;
use crate::key::{InvalidKey, ObjectKey};
use crate::kind::ErrorKind;
use crate::optimize::{OptimizeOptions, OptimizedImage, OutputFormat, optimize_with_variants};
use crate::variant::Variant;

/// Objects to make of an image that is there.
#[derive(Debug, Clone)]
pub(crate) struct Remake {
    /// The key of its main object.
    pub(crate) key: ObjectKey,
    /// The variants to make.
    pub(crate) variants: Vec<Variant>,
    /// True to make the main object anew, where there is an original to make it of.
    pub(crate) main: bool,
    /// True to replace variants that are there.
    pub(crate) replace: bool,
}

/// An object that was made.
#[derive(Debug)]
pub(crate) struct Remade {
    pub(crate) key: ObjectKey,
    pub(crate) image: OptimizedImage,
    pub(crate) e_tag: Option<String>,
    /// False where another was there first.
    pub(crate) written: bool,
}

/// The objects that were made of an image.
#[derive(Debug, Default)]
pub(crate) struct Remaking {
    pub(crate) variants: Vec<Remade>,
    #[cfg_attr(not(feature = "ops"), allow(dead_code))]
    pub(crate) main: Option<Remade>,
}

impl ImageStore {
    /// Makes what is asked for from the original, or else from the main object.
    ///
    /// # Errors
    ///
    /// `NotFound` where the image is not there, or is deleted meanwhile: then nothing stays of what was made.
    pub(crate) async fn remake(&self, order: Remake) -> Result<Remaking> {
        // Before anything is read: a deletion that comes later leaves another tombstone.
        let backend = self.inner.backend.until(self.inner.backend.deadline());
        let buried = match order.main {
            true => self.inner.buried(&backend, &order.key).await?,
            false => None,
        };
        let (bytes, is_original) = self.source_of(&backend, &order.key).await?;
        let main = order.main && is_original;
        if !main && order.variants.is_empty() {
            return Ok(Remaking::default());
        }
        let made = self.remade(&order, bytes, main).await?;
        let writing = Rewriting {
            inner: Arc::clone(&self.inner),
            order,
            buried,
        };
        // A task of its own: a caller that goes away cannot stop it between the writing and the look afterwards.
        let task = tokio::spawn(writing.run(made).in_current_span());
        let outcome = task.await;
        outcome.map_err(|_| Error::internal("the writing task ended without an answer"))?
    }

    /// Reads the original where one was kept, else the main object.
    async fn source_of(&self, backend: &Backend, key: &ObjectKey) -> Result<(Bytes, bool)> {
        let config = &self.inner.config;
        let most = config.optimize().limits.max_bytes;
        let original = key
            .original()
            .ok_or_else(|| InvalidKey::new(key.as_str(), "it is not the key of an upload"))?;
        match backend.get(&original, most).await {
            Ok((_, bytes)) => return Ok((bytes, true)),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            // Whoever keeps none has no rights to them, as a rule.
            Err(error) if error.kind() == ErrorKind::AccessDenied && !config.keep_original() => {}
            Err(error) => return Err(error.into()),
        }
        let (_, bytes) = backend.get(key, most).await?;
        Ok((bytes, false))
    }

    /// The pixels, when it is this caller's turn.
    async fn remade(&self, order: &Remake, bytes: Bytes, main: bool) -> Result<Made> {
        let format = stored_format(&order.key)?;
        let own = self.inner.config.optimize().clone().in_format(format);
        let keys = order.variants.iter();
        let keys = keys.map(|variant| variant.key(&order.key));
        let keys: Vec<ObjectKey> = keys.collect::<Result<_, _>>()?;
        let wanted = order.variants.iter();
        let mut wanted: Vec<OptimizeOptions> = wanted
            .map(|variant| variant.options_beside(format))
            .collect();
        let (variants, main) = self
            .inner
            .work
            .run(move || {
                if main {
                    let (main, variants) = optimize_with_variants(&bytes, &own, &wanted)?;
                    return Ok::<_, Error>((variants, Some(main)));
                }
                // The first leads: what a file may cost and how it is read is the store's to say.
                let mut first = wanted.remove(0);
                first.limits = own.limits;
                first.animation = own.animation;
                first.accept_truncated = own.accept_truncated;
                first.max_damage = own.max_damage;
                let (first, mut variants) = optimize_with_variants(&bytes, &first, &wanted)?;
                variants.insert(0, first);
                Ok((variants, None))
            })
            .await??;
        Ok(Made {
            variants: keys.into_iter().zip(variants).collect(),
            main,
        })
    }
}

/// The format that an image keeps, by its key.
fn stored_format(key: &ObjectKey) -> Result<OutputFormat> {
    let format = key.extension().and_then(ImageFormat::from_extension);
    let is_written = |format: &ImageFormat| {
        matches!(
            format,
            ImageFormat::Jpeg | ImageFormat::Png | ImageFormat::WebP | ImageFormat::Avif
        )
    };
    let format = format.filter(is_written);
    let format =
        format.ok_or_else(|| InvalidKey::new(key.as_str(), "nothing is stored in this format"))?;
    Ok(promoted_format(OutputFormat::Auto, format))
}

struct Made {
    variants: Vec<(ObjectKey, OptimizedImage)>,
    main: Option<OptimizedImage>,
}

struct Rewriting {
    inner: Arc<Inner>,
    order: Remake,
    /// When the image was deleted before, if it was.
    buried: Option<SystemTime>,
}

impl Inner {
    /// When the image was deleted, if that is known.
    async fn buried(&self, backend: &Backend, key: &ObjectKey) -> Result<Option<SystemTime>> {
        let Some(tombstone) = key.tombstone(self.prefix()) else {
            return Ok(None);
        };
        match backend.head(&tombstone).await {
            Ok(info) => Ok(Some(info.last_modified)),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::AccessDenied) => {
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }
}

impl Rewriting {
    async fn run(self, made: Made) -> Result<Remaking> {
        let deadline = self.inner.backend.deadline();
        // The last of it is for taking back what was made of an image that is gone.
        let backend = self.inner.backend.until(deadline.reserve());
        let puts = made.variants.into_iter();
        let puts = puts.map(|(key, image)| self.put(&backend, key, image, self.order.replace));
        let outcomes = join_all(puts).await;
        let written = outcomes.iter().filter_map(|put| put.as_ref().ok());
        let written: Vec<ObjectKey> = written
            .filter(|put| put.written)
            .map(|put| put.key.clone())
            .collect();
        let taken_back = |error: Error| async {
            let backend = self.inner.backend.until(deadline);
            for key in &written {
                if let Err(left) = backend.delete(key).await {
                    tracing::warn!(%key, error = %left, "could not remove a variant of a deleted image");
                }
            }
            error
        };
        match backend.head(&self.order.key).await {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(taken_back(self.gone()).await);
            }
            // It may well be there, and these variants in the place of others: a sweep finds what is left over.
            Err(error) => return Err(error.into()),
        }
        let variants = outcomes.into_iter().collect::<Result<Vec<_>>>()?;
        let Some(image) = made.main else {
            return Ok(Remaking {
                variants,
                main: None,
            });
        };
        let main = self
            .put(&backend, self.order.key.clone(), image, true)
            .await?;
        // One that has gone meanwhile, or cannot be read, tells of no deletion.
        let buried = self.inner.buried(&backend, &self.order.key).await?;
        if buried.is_some() && buried != self.buried {
            let backend = self.inner.backend.until(deadline);
            backend.delete(&self.order.key).await?;
            return Err(taken_back(self.gone()).await);
        }
        Ok(Remaking {
            variants,
            main: Some(main),
        })
    }

    async fn put(
        &self,
        backend: &Backend,
        key: ObjectKey,
        image: OptimizedImage,
        replace: bool,
    ) -> Result<Remade> {
        let mut options = self.inner.put_options(image.format);
        options.create &= !replace;
        let (e_tag, written) = match backend.put(&key, image.data.clone(), &options).await {
            Ok(put) => (put.e_tag, true),
            // Nothing is asked of the server but to write where another is to be replaced.
            Err(error) if options.create && error.kind() == ErrorKind::AlreadyExists => {
                (None, false)
            }
            Err(error) => return Err(error.into()),
        };
        Ok(Remade {
            key,
            image,
            e_tag,
            written,
        })
    }

    fn gone(&self) -> Error {
        StorageError::new(
            ErrorKind::NotFound,
            Operation::Get,
            "the image has been deleted",
        )
        .with_key(Some(&self.order.key))
        .into()
    }
}
