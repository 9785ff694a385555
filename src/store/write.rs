//! Writes and removes the objects of an image together.
//!
//! An image is its main object; variants and the original count only beside it. What is written is written in
//! stages:
//!
//! 1. the variants and the original, at the same time;
//! 2. the main object;
//! 3. where others may write the same image, a look at each of the former: one that failed may have removed it
//!    meanwhile. It puts it back if it sees the main object, and this call looks after its main object is
//!    there: whichever comes second repairs it;
//! 4. for a promotion, a look at the image's tombstone.
//!
//! A deletion ([`ImageStore::delete`]) goes the other way round: it leaves the tombstone
//! (`pending/<prefix>/<uuid>.gone`, of one byte), then removes the main object, then the original and every variant
//! that it finds, and empties the tombstone. Of two images that have the same id in two formats it takes one, and
//! leaves what both have.
//!
//! The tombstone decides between a promotion and a deletion at the same time. If it is written before the
//! promotion looks for it, the promotion finds it and removes all that it and its likes wrote; if it is
//! written afterwards, everything the promotion wrote is there before the deletion begins to remove. Either
//! way nothing is left, whoever is told what. It stays until no form that was signed before the deletion is
//! valid any more, so that a form used again cannot put other bytes under an old URL.
//!
//! A call that fails takes back what it wrote, and what it may have written because only the answer was lost.
//! Where others may write the same image, all of it stays once its main object is there: another may have
//! answered that it is stored. It is whole then, and writing it again succeeds.
//!
//! A process that dies leaves staging files, variants or an original without a main object, a pending object, or a whole
//! image: one beside its tombstone, whose deletion died, or one beside its pending object, whose promotion
//! did. A sweep finds all but the last without knowing which images are in use. That one is whole, and goes
//! when it is deleted, or when a sweep is told what is in use.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream;
use tokio::sync::oneshot;
use tracing::Instrument;

use super::image::{StoredImage, StoredVariant};
use super::upload::Prepared;
use super::{ImageStore, Inner};
use crate::backend::{Backend, Deadline, Operation, PutOptions, StorageError};
use crate::error::{Error, Result};
use crate::key::ObjectKey;
use crate::kind::ErrorKind;
use crate::optimize::OptimizedImage;
use crate::variant::key_beside;

/// Objects of one image that are written, or removed, at once.
pub(super) const AT_ONCE: usize = 8;

/// The meaning of an object that exists already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Existing {
    /// A new upload has a new key: this would be somebody else's object.
    Refuse,
    /// Another caller may be writing the same image: fine where the bytes are the same.
    #[cfg_attr(not(feature = "ops"), allow(dead_code))]
    Same,
    /// The same for a promotion of this pending upload, unless its image was deleted.
    Promoted(ObjectKey),
}

impl ImageStore {
    /// Stores what was prepared. The writes belong to a task of their own: a caller that goes away cannot
    /// stop them half way, and what they wrote for nobody is removed.
    pub(super) async fn place(
        &self,
        key: ObjectKey,
        prepared: Prepared,
        existing: Existing,
        deadline: Deadline,
    ) -> Result<StoredImage> {
        let writing = Writing::new(Arc::clone(&self.inner), key, prepared, existing)?;
        let (answer, answered) = oneshot::channel();
        let (learn, learned) = oneshot::channel();
        tokio::spawn(writing.run(deadline, answer, learned).in_current_span());
        let answer = answered
            .await
            .map_err(|_| Error::internal("the writing task ended without an answer"))?;
        learn.send(()).ok();
        answer
    }
}

/// An object of the image.
struct Part {
    key: ObjectKey,
    bytes: Bytes,
    options: PutOptions,
}

impl Part {
    fn new(inner: &Inner, key: ObjectKey, image: &OptimizedImage) -> Self {
        Self {
            key,
            bytes: image.data.clone(),
            options: inner.put_options(image.format),
        }
    }
}

/// A part that lies in the store now.
struct Placed {
    e_tag: Option<String>,
    /// True if this call wrote it, false if it was there already with the same bytes.
    created: bool,
}

/// The parts that a failed call has to take back: what it wrote, and what may have arrived all the same.
#[derive(Default)]
struct Rollback<'a>(Vec<&'a Part>);

impl<'a> Rollback<'a> {
    fn note(&mut self, part: &'a Part, outcome: &Result<Placed>) {
        let written = match outcome {
            Ok(placed) => placed.created,
            Err(error) => may_have_arrived(error.kind()),
        };
        if written {
            self.0.push(part);
        }
    }
}

/// Returns whether a put that ended so may have stored its object although its answer was lost.
fn may_have_arrived(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Timeout | ErrorKind::Unavailable | ErrorKind::Internal
    )
}

struct Writing {
    inner: Arc<Inner>,
    existing: Existing,
    prepared: Prepared,
    main: Part,
    /// The variants, and after them the original where it is kept.
    beside: Vec<Part>,
    original: Option<ObjectKey>,
}

impl Writing {
    fn new(
        inner: Arc<Inner>,
        key: ObjectKey,
        prepared: Prepared,
        existing: Existing,
    ) -> Result<Self> {
        let made = prepared.variants.iter();
        let beside = made.map(|(name, image)| {
            let at = key_beside(&key, name, Some(image.format.extension()))?;
            Ok(Part::new(&inner, at, image))
        });
        let mut beside = beside.collect::<Result<Vec<_>>>()?;
        let mut original = None;
        if let Some(bytes) = &prepared.original {
            let key = key
                .original()
                .ok_or(Error::internal("an upload's key has no original"))?;
            beside.push(Part {
                key: key.clone(),
                bytes: bytes.clone(),
                options: inner.original_options(prepared.main.source.format.mime_type()),
            });
            original = Some(key);
        }
        Ok(Self {
            beside,
            original,
            main: Part::new(&inner, key, &prepared.main),
            inner,
            existing,
            prepared,
        })
    }

    /// A caller may go away while the answer lies there: until it says that it has `learned`, it knows nothing.
    async fn run(
        self,
        deadline: Deadline,
        answer: oneshot::Sender<Result<StoredImage>>,
        learned: oneshot::Receiver<()>,
    ) {
        let mut rollback = Rollback::default();
        // The last of the deadline is for taking back what a write that fails has left.
        let backend = self.inner.backend.until(deadline.reserve());
        match self.write(&backend, &mut rollback, &answer).await {
            Ok(image) => {
                let is_known = answer.send(Ok(image)).is_ok() && learned.await.is_ok();
                // It is whole, but nobody will ever learn its key.
                if !is_known && self.existing == Existing::Refuse {
                    warn_of(&self.take_back(rollback).await);
                }
            }
            Err(error) => {
                let mut taking_back = pin!(self.take_back(rollback));
                match tokio::time::timeout(deadline.remaining(), &mut taking_back).await {
                    Ok(left) => {
                        if !left.is_empty() {
                            let left = tracing::field::debug(&left);
                            tracing::Span::current().record("left", left);
                        }
                        answer.send(Err(error)).ok();
                    }
                    // It goes on, but nobody waits for it.
                    Err(_) => {
                        answer.send(Err(error)).ok();
                        warn_of(&taking_back.await);
                    }
                }
            }
        }
    }

    async fn write<'a>(
        &'a self,
        backend: &Backend,
        rollback: &mut Rollback<'a>,
        answer: &oneshot::Sender<Result<StoredImage>>,
    ) -> Result<StoredImage> {
        // Every write that was begun is waited for: one that is given up may arrive after it was removed.
        let puts = self.beside.iter().map(|part| self.put(backend, part));
        let mut beside = self.each_noted(puts.collect(), rollback).await?;
        if answer.is_closed() {
            return Err(Error::internal("the caller went away"));
        }
        let outcome = self.put(backend, &self.main).await;
        rollback.note(&self.main, &outcome);
        let main = outcome?;
        if self.existing != Existing::Refuse {
            let placed = self.beside.iter().zip(beside);
            let looks = placed.map(|(part, placed)| self.keep(backend, part, placed));
            beside = self.each_noted(looks.collect(), rollback).await?;
        }
        if let Existing::Promoted(pending) = &self.existing
            && self.inner.is_gone(backend, &self.main.key).await?
        {
            return Err(gone(pending));
        }
        Ok(self.stored(main, beside))
    }

    /// Waits for what is done for each object beside the main one, a few at once.
    async fn each_noted<'a>(
        &'a self,
        calls: Vec<impl Future<Output = Result<Placed>>>,
        rollback: &mut Rollback<'a>,
    ) -> Result<Vec<Placed>> {
        let outcomes: Vec<_> = stream::iter(calls).buffered(AT_ONCE).collect().await;
        for (part, outcome) in self.beside.iter().zip(&outcomes) {
            rollback.note(part, outcome);
        }
        outcomes.into_iter().collect()
    }

    /// Looks whether an object is still there, and puts it back if it is not.
    async fn keep(&self, backend: &Backend, part: &Part, placed: Placed) -> Result<Placed> {
        if is_there(backend, &part.key).await? {
            return Ok(placed);
        }
        match backend
            .put(&part.key, part.bytes.clone(), &part.options)
            .await
        {
            Ok(outcome) => Ok(Placed {
                e_tag: outcome.e_tag,
                created: true,
            }),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(placed),
            Err(error) => Err(error.into()),
        }
    }

    async fn put(&self, backend: &Backend, part: &Part) -> Result<Placed> {
        match backend
            .put(&part.key, part.bytes.clone(), &part.options)
            .await
        {
            Ok(outcome) => Ok(Placed {
                e_tag: outcome.e_tag,
                created: true,
            }),
            Err(error)
                if self.existing != Existing::Refuse
                    && error.kind() == ErrorKind::AlreadyExists =>
            {
                // ETags are not content hashes everywhere (SSE-KMS, file systems): compare the bytes.
                match backend.get(&part.key, part.bytes.len() as u64).await {
                    Ok((info, bytes)) if bytes == part.bytes => Ok(Placed {
                        e_tag: info.e_tag,
                        created: false,
                    }),
                    // It was there and is gone: a promotion that failed has taken it back.
                    Err(absent) if absent.kind() == ErrorKind::NotFound => {
                        let outcome = backend
                            .put(&part.key, part.bytes.clone(), &part.options)
                            .await?;
                        Ok(Placed {
                            e_tag: outcome.e_tag,
                            created: true,
                        })
                    }
                    _ => Err(error.into()),
                }
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Removes what this call wrote and answers with what could not be removed; best effort, because the
    /// call has failed already.
    async fn take_back(&self, rollback: Rollback<'_>) -> Vec<ObjectKey> {
        let backend = &self.inner.backend;
        let is_main = |part: &&Part| part.key == self.main.key;
        let (main, beside): (Vec<_>, Vec<_>) = rollback.0.into_iter().partition(is_main);
        if self.existing == Existing::Refuse {
            return remove(backend, main.into_iter().chain(beside)).await;
        }
        if self.is_deleted().await {
            let everything = std::iter::once(&self.main).chain(&self.beside);
            return remove(backend, everything).await;
        }
        // Somebody else may count on all of it. Without an answer nothing is known, and a sweep finds the rest.
        if !matches!(is_there(backend, &self.main.key).await, Ok(false)) {
            return Vec::new();
        }
        let left = remove(backend, beside.iter().copied()).await;
        if matches!(is_there(backend, &self.main.key).await, Ok(false)) {
            return left;
        }
        // It came while these were removed.
        for part in beside {
            if let Err(error) = self.put(backend, part).await {
                tracing::warn!(key = %part.key, %error, "could not put a part of an image back");
            }
        }
        if self.is_deleted().await {
            return remove(backend, self.beside.iter()).await;
        }
        Vec::new()
    }

    async fn is_deleted(&self) -> bool {
        let looked = match &self.existing {
            Existing::Promoted(_) => {
                self.inner
                    .is_gone(&self.inner.backend, &self.main.key)
                    .await
            }
            _ => Ok(false),
        };
        looked.unwrap_or(false)
    }

    fn stored(&self, main: Placed, placed: Vec<Placed>) -> StoredImage {
        let urls = self.inner.config.urls();
        let Prepared {
            main: image,
            variants,
            sha256,
            ..
        } = &self.prepared;
        let parts = self.beside.iter().zip(placed);
        let variants: BTreeMap<_, _> = variants
            .iter()
            .zip(parts)
            .map(|((name, image), (part, placed))| {
                let url = urls.public_url(&part.key);
                let variant = StoredVariant::new(part.key.clone(), url, image, placed.e_tag);
                (name.clone(), variant)
            })
            .collect();
        StoredImage {
            url: urls.public_url(&self.main.key),
            key: self.main.key.clone(),
            content_type: image.content_type(),
            size: image.data.len() as u64,
            width: image.width,
            height: image.height,
            e_tag: main.e_tag,
            sha256: sha256.clone(),
            placeholder: image.placeholder.clone(),
            dhash: image.dhash.clone(),
            variants,
            source: image.source.clone(),
            original: self.original.clone(),
        }
    }
}

/// Returns whether an object is there. Without the permission to list, S3 says `AccessDenied` of one that is
/// not.
pub(super) async fn is_there(backend: &Backend, key: &ObjectKey) -> Result<bool> {
    match backend.head(key).await {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::AccessDenied) => {
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

/// Removes the main object first: what is left of an image is then what lies beside it, which a sweep finds.
async fn remove(backend: &Backend, parts: impl Iterator<Item = &Part>) -> Vec<ObjectKey> {
    let mut left = Vec::new();
    for part in parts {
        if backend.delete(&part.key).await.is_err() {
            left.push(part.key.clone());
        }
    }
    left
}

fn warn_of(left: &[ObjectKey]) {
    if !left.is_empty() {
        tracing::warn!(?left, "could not remove what an upload left");
    }
}

/// A pending upload whose image was deleted.
pub(super) fn gone(pending: &ObjectKey) -> Error {
    StorageError::new(
        ErrorKind::NotFound,
        Operation::Get,
        "its image has been deleted",
    )
    .with_key(Some(pending))
    .with_hint("ask for a new form: the image of this one was deleted")
    .into()
}
