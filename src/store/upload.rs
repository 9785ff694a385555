//! One photo in: optimized, stored with its variants, and never half there.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tracing::Instrument;

use super::image::{StoredImage, StoredVariant};
use super::options::UploadOptions;
use super::{ImageStore, Inner, traced};
use crate::error::{Error, Result};
use crate::format::ImageFormat;
use crate::key::ObjectKey;
use crate::kind::ErrorKind;
use crate::optimize::{OptimizeError, OptimizeOptions, OptimizedImage, optimize_with_variants};
use crate::variant::variant_key;

/// An image and its variants, optimized and not yet stored.
pub(super) struct Prepared {
    pub(super) main: OptimizedImage,
    pub(super) variants: Vec<(String, OptimizedImage)>,
    pub(super) sha256: String,
}

/// Where the parts of an image go: variants first, the main object last.
struct Part {
    key: ObjectKey,
    bytes: Bytes,
    format: ImageFormat,
}

impl Part {
    fn new(key: ObjectKey, image: &OptimizedImage) -> Self {
        Self {
            key,
            bytes: image.data.clone(),
            format: image.format,
        }
    }
}

/// A part that lies in the store now.
struct Placed {
    e_tag: Option<String>,
    /// Whether this call wrote it, or it was there already with the same bytes.
    created: bool,
}

impl ImageStore {
    /// Optimizes an image, stores it with its variants under a new key and answers with all that there
    /// is to know about it.
    ///
    /// Nothing is overwritten, and nothing is left behind by an upload that fails or whose caller goes
    /// away before it is done.
    ///
    /// # Errors
    ///
    /// `InvalidImage`, `UnsupportedFormat` or `LimitExceeded` for what cannot be stored as an image;
    /// `Unavailable` when the server, or the turn to decode, was not to be had in time; `Timeout`; and the
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
        options: UploadOptions,
    ) -> Result<StoredImage> {
        let bytes = bytes.into();
        let span = tracing::info_span!(
            "upload",
            bytes = bytes.len(),
            filename = options.filename.as_deref().map(shortened),
            key = tracing::field::Empty,
        );
        traced(span, async {
            let optimize = options.optimize.as_ref();
            let prepared = self.prepare(bytes, optimize).await?;
            let key = ObjectKey::for_upload(
                self.inner.prefix(),
                self.inner.sources.new_id(),
                prepared.main.format,
            )?;
            tracing::Span::current().record("key", key.as_str());
            let deadline = self.inner.config.deadline();
            self.place(key, prepared, Existing::Refuse, deadline).await
        })
        .await
    }

    /// Optimizes and stores under an id that the caller derives from what came in, so that the same call
    /// twice makes one image. With `unless_same`, an image that optimizing leaves as it is is not stored
    /// again.
    pub(crate) async fn upload_as(
        &self,
        prefix: &str,
        id: uuid::Uuid,
        bytes: Bytes,
        unless_same: bool,
    ) -> Result<Option<StoredImage>> {
        let span = tracing::info_span!("upload_as", bytes = bytes.len(), %id);
        traced(span, async {
            let prepared = self.prepare(bytes.clone(), None).await?;
            if unless_same && prepared.main.data == bytes {
                return Ok(None);
            }
            let key = ObjectKey::for_upload(prefix, id, prepared.main.format)?;
            let deadline = self.inner.config.deadline();
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
    ) -> Result<Prepared> {
        let inner = Arc::clone(&self.inner);
        let options = optimize
            .cloned()
            .unwrap_or_else(|| inner.config.optimize().clone());
        // What is too large or no image at all is refused without waiting for a turn.
        if bytes.len() as u64 > options.limits.max_bytes {
            return Err(OptimizeError::LimitExceeded {
                what: "bytes",
                value: bytes.len() as u64,
                limit: options.limits.max_bytes,
            }
            .into());
        }
        ImageFormat::sniff(&bytes).map_err(OptimizeError::from)?;
        let work = self.inner.work.clone();
        work.run(move || {
            let variants = inner.config.variants();
            let wanted: Vec<OptimizeOptions> = variants
                .iter()
                .map(|variant| variant.options().clone().with_format(options.format))
                .collect();
            let (main, made) = optimize_with_variants(&bytes, &options, &wanted)?;
            let sha256 = crate::sign::sha256_hex(&main.data);
            let names = variants.iter().map(|variant| variant.name().to_owned());
            Ok(Prepared {
                variants: names.zip(made).collect(),
                main,
                sha256,
            })
        })
        .await?
    }

    /// Stores what was prepared. The writes belong to a task of their own: a caller that goes away cannot
    /// stop them half way, and what they wrote for nobody is removed.
    pub(super) async fn place(
        &self,
        key: ObjectKey,
        prepared: Prepared,
        existing: Existing,
        deadline: Duration,
    ) -> Result<StoredImage> {
        let inner = Arc::clone(&self.inner);
        let (answer, answered) = oneshot::channel();
        tokio::spawn(
            async move {
                let outcome = write(&inner, key, prepared, existing, deadline, &answer).await;
                if let Err(Ok(image)) = answer.send(outcome) {
                    // Whole, but nobody will ever learn its key.
                    if existing == Existing::Refuse {
                        let variants = image.variants.into_values().map(|variant| variant.key);
                        remove(&inner, std::iter::once(image.key).chain(variants)).await;
                    }
                }
            }
            .in_current_span(),
        );
        answered
            .await
            .map_err(|_| Error::internal("the writing task ended without an answer"))?
    }
}

/// What it means that an object is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Existing {
    /// A new upload has a new key: this would be somebody else's object.
    Refuse,
    /// Another caller may be promoting the same upload: fine where the bytes are the same.
    Same,
}

async fn write(
    inner: &Arc<Inner>,
    key: ObjectKey,
    prepared: Prepared,
    existing: Existing,
    deadline: Duration,
    answer: &oneshot::Sender<Result<StoredImage>>,
) -> Result<StoredImage> {
    let mut parts = Vec::with_capacity(prepared.variants.len() + 1);
    for (name, image) in &prepared.variants {
        parts.push(Part::new(variant_key(&key, name)?, image));
    }
    parts.push(Part::new(key.clone(), &prepared.main));

    let mut placed = Vec::with_capacity(parts.len());
    // The last of the deadline is for taking back what a write that fails has left.
    let (end, limit) = (Instant::now() + deadline, deadline * 5 / 6);
    let placing = place_parts(inner, &parts, &mut placed, existing, answer);
    let outcome = tokio::time::timeout(limit, placing).await;
    if let Err(error) = outcome.unwrap_or(Err(Error::Timeout {
        operation: "upload",
        after: limit,
    })) {
        let (inner, failure) = (Arc::clone(inner), error.kind());
        let taking_back = tokio::spawn(
            async move { take_back(&inner, &parts, &placed, existing, failure).await }
                .in_current_span(),
        );
        // What takes longer goes on, but nobody waits for it.
        let _ = tokio::time::timeout_at(end, taking_back).await;
        return Err(error);
    }

    let mut e_tags = placed.into_iter().map(|placed| placed.e_tag);
    let mut variants = BTreeMap::new();
    for ((name, image), (part, e_tag)) in prepared
        .variants
        .into_iter()
        .zip(parts.into_iter().zip(&mut e_tags))
    {
        let url = inner.config.urls().public_url(&part.key);
        variants.insert(name, StoredVariant::new(part.key, url, &image, e_tag));
    }
    let main = prepared.main;
    Ok(StoredImage {
        url: inner.config.urls().public_url(&key),
        key,
        content_type: main.content_type(),
        size: main.data.len() as u64,
        width: main.width,
        height: main.height,
        e_tag: e_tags.next().flatten(),
        sha256: prepared.sha256,
        placeholder: main.placeholder,
        variants,
        source: main.source,
    })
}

async fn place_parts(
    inner: &Inner,
    parts: &[Part],
    placed: &mut Vec<Placed>,
    existing: Existing,
    answer: &oneshot::Sender<Result<StoredImage>>,
) -> Result<()> {
    for part in parts {
        if answer.is_closed() {
            return Err(Error::internal("the caller went away"));
        }
        placed.push(place_part(inner, part, existing).await?);
    }
    // Another promotion that failed may have removed a variant which this one found in place. It puts its
    // variants back if it sees the main object; this one looks again once its main object is there.
    // Whichever comes second mends it.
    for (part, earlier) in parts.iter().zip(placed.iter_mut()) {
        if !earlier.created {
            *earlier = place_part(inner, part, existing).await?;
        }
    }
    Ok(())
}

async fn place_part(inner: &Inner, part: &Part, existing: Existing) -> Result<Placed> {
    let options = inner.put_options(part.format);
    match inner
        .backend
        .put(&part.key, part.bytes.clone(), &options)
        .await
    {
        Ok(outcome) => Ok(Placed {
            e_tag: outcome.e_tag,
            created: true,
        }),
        Err(error) if existing == Existing::Same && error.kind() == ErrorKind::AlreadyExists => {
            // ETags are no content hashes everywhere (SSE-KMS, file systems): compare the bytes.
            match inner.backend.get(&part.key, part.bytes.len() as u64).await {
                Ok((info, bytes)) if bytes == part.bytes => Ok(Placed {
                    e_tag: info.e_tag,
                    created: false,
                }),
                _ => Err(error.into()),
            }
        }
        Err(error) => Err(error.into()),
    }
}

/// Removes what this call wrote; best effort, because the call has failed already.
async fn take_back(
    inner: &Inner,
    parts: &[Part],
    placed: &[Placed],
    existing: Existing,
    failure: ErrorKind,
) {
    let mine = || {
        parts
            .iter()
            .zip(placed)
            .filter(|(_, placed)| placed.created)
            .map(|(part, _)| part)
    };
    // The put that failed may have arrived all the same. Under a new key it can only be this call's,
    // unless it was refused because somebody else's object lies there.
    let uncertain = parts
        .get(placed.len())
        .filter(|_| existing == Existing::Refuse && failure != ErrorKind::AlreadyExists);
    remove(
        inner,
        mine().chain(uncertain).rev().map(|part| part.key.clone()),
    )
    .await;

    let Some(main) = parts.last() else { return };
    if existing == Existing::Same && inner.backend.head(&main.key).await.is_ok() {
        // Somebody else's promotion of the same bytes went through and counts on these.
        for part in mine().filter(|part| part.key != main.key) {
            if let Err(error) = place_part(inner, part, existing).await {
                tracing::warn!(key = %part.key, %error, "could not put a variant back");
            }
        }
    }
}

async fn remove(inner: &Inner, keys: impl Iterator<Item = ObjectKey>) {
    for key in keys {
        if let Err(error) = inner.backend.delete(&key).await {
            tracing::warn!(%key, %error, "could not remove what an upload left");
        }
    }
}

/// A name from outside, short enough for a span.
fn shortened(name: &str) -> String {
    name.chars().take(100).collect()
}
