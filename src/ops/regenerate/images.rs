//! Images with what lies beside them, as a listing tells of both.
//!
//! S3 lists in the order of the keys' bytes, and `<uuid>.jpg` comes right before `<uuid>/thumb.jpg`: what belongs
//! together comes together, and nothing has to be kept. A directory is listed in no order, and so may a store of
//! the caller's own: there the folder of each image is listed by itself, which for files costs no request.

use std::collections::VecDeque;

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};

use super::options::{RegenerateOptions, Shard};
use crate::backend::{Backend, ObjectInfo};
use crate::error::{Error, Result};
use crate::format::ImageFormat;
use crate::key::{InvalidKey, ObjectKey};
use crate::ops::lines::shown;
use crate::ops::part::Part;
use crate::store::ImageStore;
use crate::variant::{image_beside, variant_name, variants_of};

/// Objects beside one image that are remembered. Nobody has as many variants.
const MAX_BESIDE: usize = 1000;

/// An image and the variants that a listing has of it.
#[derive(Debug, Clone)]
pub(super) struct Image {
    pub(super) key: ObjectKey,
    pub(super) beside: Vec<ObjectKey>,
}

/// One that was listed, or a line that names none and why.
pub(super) type Found = std::result::Result<Image, (String, Error)>;

/// The images that the options name. An error ends it.
pub(super) fn images(
    store: &ImageStore,
    options: &RegenerateOptions,
) -> Result<BoxStream<'static, Result<Found>>> {
    if let Some(keys) = &options.keys {
        return Ok(named(store.clone(), keys.clone(), options.shard));
    }
    let prefix = prefix(store, options)?;
    let backend = store.backend().clone();
    let groups = Groups {
        ordered: backend.name() != "local",
        listed: backend.list(&prefix),
        backend,
        shard: options.shard,
        last: None,
        stem: String::new(),
        mains: Vec::new(),
        beside: Vec::new(),
        ready: VecDeque::new(),
        ready_beside: Vec::new(),
    };
    let images = stream::unfold(Some(groups), |groups| async {
        let mut groups = groups?;
        match groups.next().await {
            Ok(Some(image)) => Some((Ok(Ok(image)), Some(groups))),
            Ok(None) => None,
            Err(error) => Some((Err(error), None)),
        }
    });
    Ok(images.boxed())
}

/// The prefix to look under.
fn prefix(store: &ImageStore, options: &RegenerateOptions) -> Result<String> {
    let own = store.config().prefix();
    let Some(prefix) = &options.prefix else {
        return Ok(own.to_owned());
    };
    let prefix = prefix.trim_end_matches('/');
    if prefix != own {
        store.public_key(prefix)?;
    }
    Ok(prefix.to_owned())
}

/// Counts the images that a run would look at.
#[cfg(feature = "cli")]
pub(crate) async fn count_images(store: &ImageStore, options: &RegenerateOptions) -> Result<u64> {
    if let Some(keys) = &options.keys {
        return Ok(keys.len() as u64);
    }
    let mut listed = store.backend().list(&prefix(store, options)?);
    let mut count = 0;
    while let Some(info) = listed.next().await.transpose()? {
        let main = Part::of(&info.key).filter(|part| part.is_main());
        count += u64::from(main.is_some_and(|part| wanted(options.shard, part.image())));
    }
    Ok(count)
}

fn wanted(shard: Option<Shard>, stem: &str) -> bool {
    shard.is_none_or(|shard| shard.has(stem))
}

fn named(
    store: ImageStore,
    keys: Vec<String>,
    shard: Option<Shard>,
) -> BoxStream<'static, Result<Found>> {
    let each = move |line: String| {
        let store = store.clone();
        async move {
            let line = line.trim().to_owned();
            if line.is_empty() {
                return None;
            }
            let key = match main_key(&store, &line).await {
                Ok(key) => key,
                Err(error) => return Some(Ok(Err((shown(&store, &line), error)))),
            };
            let part = Part::of(&key).map(Part::image);
            if !part.is_some_and(|stem| wanted(shard, stem)) {
                return None;
            }
            Some(beside(store.backend(), key).await.map(Ok))
        }
    };
    stream::iter(keys).filter_map(each).boxed()
}

/// The image that a line names: by its own key or URL, or by that of a variant.
async fn main_key(store: &ImageStore, line: &str) -> Result<ObjectKey> {
    let key = store.resolve(line)?;
    let key = match variant_name(&key) {
        Some(_) => image_of(store, &key).await?,
        None => key,
    };
    store.public_key(key.as_str())?;
    if variants_of(&key).is_none() {
        let reason = "it has no variants: only the keys that uploads get have";
        return Err(InvalidKey::new(key.as_str(), reason).into());
    }
    Ok(key)
}

/// The image that a variant is of: the one in the same format, else any with its id.
async fn image_of(store: &ImageStore, variant: &ObjectKey) -> Result<ObjectKey> {
    let invalid = || InvalidKey::new(variant.as_str(), "it is not the key of a variant");
    let same = image_beside(variant).ok_or_else(invalid)?;
    let (stem, _) = same.as_str().rsplit_once('.').ok_or_else(invalid)?;
    let others = ImageFormat::ALL.map(|format| format!("{stem}.{}", format.extension()));
    for other in std::iter::once(same.as_str()).chain(others.iter().map(String::as_str)) {
        let other = ObjectKey::parse(other)?;
        if store.exists(&other).await? {
            return Ok(other);
        }
    }
    Ok(same)
}

/// An image with what its own folder has.
async fn beside(backend: &Backend, key: ObjectKey) -> Result<Image> {
    let folder = variants_of(&key).unwrap_or_default();
    let mut listed = backend.list(folder.trim_end_matches('/'));
    let mut beside = Vec::new();
    while let Some(info) = listed.next().await.transpose()? {
        if variant_name(&info.key).is_some() && beside.len() < MAX_BESIDE {
            beside.push(info.key);
        }
    }
    Ok(Image { key, beside })
}

/// Puts together what a listing has of one image.
struct Groups {
    backend: Backend,
    listed: BoxStream<'static, std::result::Result<ObjectInfo, crate::backend::StorageError>>,
    shard: Option<Shard>,
    /// True while the listing comes in the order of the keys.
    ordered: bool,
    last: Option<ObjectKey>,
    /// `<prefix>/<uuid>` of what is being put together.
    stem: String,
    mains: Vec<ObjectKey>,
    beside: Vec<ObjectKey>,
    ready: VecDeque<ObjectKey>,
    ready_beside: Vec<ObjectKey>,
}

impl Groups {
    async fn next(&mut self) -> Result<Option<Image>> {
        loop {
            if let Some(key) = self.ready.pop_front() {
                if self.ordered {
                    let beside = self.ready_beside.clone();
                    return Ok(Some(Image { key, beside }));
                }
                return Ok(Some(beside(&self.backend, key).await?));
            }
            match self.listed.next().await.transpose()? {
                Some(info) => self.take(info.key),
                None if self.mains.is_empty() => return Ok(None),
                None => self.flush(String::new()),
            }
        }
    }

    fn take(&mut self, key: ObjectKey) {
        self.ordered &= self.last.as_ref().is_none_or(|last| *last <= key);
        let Some(part) = Part::of(&key) else { return };
        let stem = part.image();
        if !wanted(self.shard, stem) || key.is_original() {
            return;
        }
        if stem != self.stem {
            self.flush(stem.to_owned());
        }
        if part.is_main() {
            self.mains.push(key.clone());
        } else if self.beside.len() < MAX_BESIDE {
            self.beside.push(key.clone());
        }
        self.last = Some(key);
    }

    /// Begins with the next image; of the one before, all has come that will.
    fn flush(&mut self, stem: String) {
        self.stem = stem;
        self.ready = self.mains.drain(..).collect();
        self.ready_beside = std::mem::take(&mut self.beside);
    }
}
