//! Finds unused objects: pending uploads that were never promoted, leftovers of crashes, and images that the
//! database no longer names.

mod options;
mod survey;
mod used;

pub use options::SweepOptions;
pub use used::UsedUrls;

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use futures_util::{StreamExt, future};
use serde::Serialize;

use super::part::Part;
use crate::error::{Error, Result};
use crate::format::ImageFormat;
use crate::key::{ORIGINALS, ObjectKey};
use crate::kind::ErrorKind;
use crate::store::{ImageStore, PurgeFailure, SweptObject, Waiting, remove_each};
use crate::variant::variant_name;
use survey::Survey;
use used::fingerprint;

/// Time after which the remains of a deleted image count as left behind.
const GONE_FOR: Duration = Duration::from_secs(86_400);

/// Most images whose remains are purged one by one; beyond that all of the prefix is.
const MAX_PURGED: usize = 1000;

/// Most failures that are listed one by one; the rest is counted.
const DETAILS: usize = 1000;

/// The reason why an object is no longer needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SweptAs {
    /// A direct upload that was not promoted in time.
    Pending,
    /// The marker of an image that was deleted long ago.
    Marker,
    /// A variant or an original whose image is gone, or an image whose deletion was cut off.
    Remains,
    /// An image, or a part of one, that is not among the used URLs.
    Orphan,
}

/// One object that a sweep found, and its outcome.
#[derive(Debug)]
#[non_exhaustive]
pub struct Swept {
    /// The reason why it is no longer needed.
    pub kind: SweptAs,
    /// The object.
    pub object: SweptObject,
    /// True if it was removed, which happens only with `delete`.
    pub removed: bool,
    /// The error that kept it from being removed.
    pub failure: Option<Error>,
}

/// The numbers of objects found and removed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Sweep {
    /// Pending uploads that were not promoted in time.
    pub pending: u64,
    /// Markers of images that were deleted more than 8 days ago.
    pub markers: u64,
    /// Unfinished writes of the local backend.
    pub staging_files: usize,
    /// Variants and originals whose image is gone, and images whose deletion was cut off.
    pub remains: u64,
    /// Images, and their parts, that are not used.
    pub orphans: u64,
    /// Bytes of all of them, unfinished writes not counted.
    pub bytes: u64,
    /// Objects under the store's prefix that were looked at.
    pub looked_at: u64,
    /// Objects that were removed; none unless removal was asked for.
    pub removed: u64,
    /// Objects that could not be removed.
    pub failed: u64,
    /// The first thousand that could not be removed, and why.
    pub failures: Vec<(ObjectKey, String)>,
    /// Lines of the list of used URLs that name no key of this store.
    pub foreign_urls: u64,
    /// Doubts about the list of used URLs. With any of them nothing is removed, unless it is forced.
    pub doubts: Vec<String>,
    /// The reason why CloudFront was not told to forget what was removed. Images are purged one by one, and a failure of
    /// that is in the log.
    pub purge_failure: Option<PurgeFailure>,
    /// The error that ended the sweep early. Objects removed before are counted.
    pub stopped: Option<String>,
    /// The remedy for that.
    pub hint: Option<String>,
}

impl Sweep {
    /// Returns whether the sweep came to its end and removed all that it should.
    pub fn is_complete(&self) -> bool {
        self.stopped.is_none() && self.failed == 0
    }

    fn add(&mut self, swept: &Swept) {
        let count = match swept.kind {
            SweptAs::Pending => &mut self.pending,
            SweptAs::Marker => &mut self.markers,
            SweptAs::Remains => &mut self.remains,
            SweptAs::Orphan => &mut self.orphans,
        };
        *count += 1;
        self.bytes += swept.object.size;
        self.removed += u64::from(swept.removed);
        if let Some(error) = &swept.failure {
            self.failed += 1;
            if self.failures.len() < DETAILS {
                let failure = (swept.object.key.clone(), error.to_string());
                self.failures.push(failure);
            }
        }
    }
}

/// Finds unused objects, and removes them if the options say so. `each` is called with every object
/// as it goes.
///
/// Originals, and variants that are configured, whose image has been gone for a day are found without a list, and so
/// are images whose deletion was cut off: removing one finishes it, variants and all. Orphans are images
/// older than [`older_than`](SweepOptions::older_than), so that an upload whose row is just being written
/// is not one. What is kept is decided generously: any end of a used URL's path that is a key counts,
/// whatever the host. Of each image 8 bytes are kept in memory, and of each used URL a few times as much.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> lablink_storage::Result<()> {
/// use lablink_storage::ImageStore;
/// use lablink_storage::ops::{SweepOptions, sweep};
///
/// let store = ImageStore::builder().memory().build()?;
/// let found = sweep(&store, &SweepOptions::default(), |_| {}).await?;
/// assert_eq!((found.pending, found.removed), (0, 0));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// `InvalidArgument`, with nothing removed, where the list of used URLs is in doubt; and the kinds of the
/// backend, where a listing fails before anything was removed. What fails later is in the answer, with all
/// that was removed.
pub async fn sweep(
    store: &ImageStore,
    options: &SweepOptions,
    mut each: impl FnMut(&Swept),
) -> Result<Sweep> {
    let survey = Survey::of(store, options).await?;
    let mut sweep = Sweep {
        looked_at: survey.objects,
        foreign_urls: options.used.as_ref().map_or(0, |used| used.foreign),
        doubts: survey.doubts(options),
        ..Sweep::default()
    };
    if options.delete && !options.force && !sweep.doubts.is_empty() {
        return Err(Error::InvalidArgument {
            name: "used",
            reason: format!("{}; nothing was removed", sweep.doubts.join("; ")),
        });
    }
    let sweeper = Sweeper {
        store,
        options,
        survey,
    };
    let (mut files, mut remains) = (0, BTreeSet::new());
    let ended = sweeper
        .run(&mut files, |swept| {
            if swept.kind == SweptAs::Remains && swept.removed && remains.len() <= MAX_PURGED {
                remains.extend(paths_of(store, &swept.object.key));
            }
            each(&swept);
            sweep.add(&swept);
        })
        .await;
    sweep.staging_files = files;
    // Of what a deletion did not come to: the CDN may have it still, and the image with it.
    if !remains.is_empty() && store.purges() {
        let paths = match remains.len() {
            0..=MAX_PURGED => remains.into_iter().collect(),
            _ => vec![store.public_folder()],
        };
        sweep.purge_failure = store.purge_paths(paths).await;
    }
    if let Err(error) = ended {
        sweep.hint = error.hint();
        sweep.stopped = Some(error.to_string());
    }
    Ok(sweep)
}

struct Sweeper<'a> {
    store: &'a ImageStore,
    options: &'a SweepOptions,
    survey: Survey,
}

/// Which objects one turn over the listing takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// Variants and originals, and what belongs to no image.
    Parts,
    /// Images, once nothing else is left of them.
    Images,
}

impl Sweeper<'_> {
    async fn run(&self, files: &mut usize, mut each: impl FnMut(Swept)) -> Result<()> {
        let (older_than, dry_run) = (self.options.older_than, !self.options.delete);
        let pending = |what, object, removed| {
            let kind = match what {
                Waiting::Upload => SweptAs::Pending,
                Waiting::Marker => SweptAs::Marker,
            };
            each(swept(kind, object, removed));
        };
        // A failure that every other object would meet has been reported by then.
        if !self
            .store
            .sweep_pending(older_than, dry_run, pending)
            .await?
        {
            return Ok(());
        }
        let backend = self.store.backend();
        backend.sweep_staging(older_than, dry_run, files).await?;
        if self.options.used.is_some() || !self.survey.without_image.is_empty() {
            for prefix in [own_prefix(self.store), originals_prefix(self.store)] {
                if !self.turn(&prefix, Turn::Parts, &mut each).await? {
                    return Ok(());
                }
            }
        }
        if self.options.used.is_some() || !self.survey.cut_off.is_empty() {
            self.turn(&own_prefix(self.store), Turn::Images, &mut each)
                .await?;
        }
        Ok(())
    }

    async fn turn(&self, prefix: &str, turn: Turn, each: &mut impl FnMut(Swept)) -> Result<bool> {
        let now = SystemTime::now();
        let found = self.store.backend().list(prefix).filter_map(|info| {
            let found = info.map_err(Error::from).map(|info| {
                let belongs = prefix.starts_with(ORIGINALS) || !is_apart(&info.key);
                let age = now.duration_since(info.last_modified).unwrap_or_default();
                let kind = self.judged(turn, &info.key, age)?;
                belongs.then_some((kind, info))
            });
            future::ready(found.transpose())
        });
        let remove = |kind, key: ObjectKey| async move {
            match (self.options.delete, kind) {
                (false, _) => Ok(false),
                (true, SweptAs::Remains) if turn == Turn::Parts => self.remove_remains(&key).await,
                (true, _) => self.remove_orphan(&key).await,
            }
        };
        remove_each(found, remove, |kind, object, removed| {
            each(swept(kind, object, removed));
        })
        .await
    }

    /// Returns why the object is not needed, if it is not and this is its turn.
    fn judged(&self, turn: Turn, key: &ObjectKey, age: Duration) -> Option<SweptAs> {
        let (part, used) = (Part::of(key), self.options.used.as_ref());
        if used.is_some_and(|used| used.has(key)) {
            return None;
        }
        let gone = |part: Part<'_>| {
            let image = fingerprint(part.image());
            if part.is_main() {
                return self.survey.cut_off.contains(&image);
            }
            let long_ago = age >= self.options.older_than.max(GONE_FOR);
            long_ago && self.survey.without_image.contains(&image) && is_made_here(self.store, key)
        };
        let kind = if part.is_some_and(gone) {
            SweptAs::Remains
        } else {
            used?;
            (age >= self.options.older_than).then_some(SweptAs::Orphan)?
        };
        let its_turn = if part.is_some_and(Part::is_main) {
            Turn::Images
        } else {
            Turn::Parts
        };
        (turn == its_turn).then_some(kind)
    }

    /// Removes a variant or an original unless its image is there after all: it may have come back.
    async fn remove_remains(&self, key: &ObjectKey) -> Result<bool> {
        let backend = self.store.backend();
        let image = Part::of(key).map(Part::image);
        for format in ImageFormat::ALL {
            let main =
                image.map(|image| ObjectKey::parse(format!("{image}.{}", format.extension())));
            match backend
                .head(&main.transpose()?.unwrap_or_else(|| key.clone()))
                .await
            {
                Ok(_) => return Ok(false),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error.into()),
            }
        }
        backend.delete(key).await?;
        Ok(true)
    }

    async fn remove_orphan(&self, key: &ObjectKey) -> Result<bool> {
        if Part::of(key).is_some_and(Part::is_main) {
            // With all that a deletion does: variants that came meanwhile, the marker.
            self.store.delete(key).await?;
        } else {
            self.store.backend().delete(key).await?;
        }
        Ok(true)
    }
}

/// The path in a CDN of what lies beside an image, and of the image; `None` for what is never public.
fn paths_of(store: &ImageStore, key: &ObjectKey) -> Option<String> {
    let Some(Part::Variant(image)) = Part::of(key) else {
        return None;
    };
    let image = ObjectKey::parse(image).ok()?;
    Some(format!("{}*", store.public_path(&image)))
}

fn swept(kind: SweptAs, object: SweptObject, removed: Result<bool>) -> Swept {
    let (removed, failure) = match removed {
        Ok(removed) => (removed, None),
        Err(error) => (false, Some(error)),
    };
    Swept {
        kind,
        object,
        removed,
        failure,
    }
}

/// Returns whether an object beside an image has a name that this store gives: an original's, or that of a variant
/// that is configured. Other files that lie so were there before the store, and are somebody's.
fn is_made_here(store: &ImageStore, key: &ObjectKey) -> bool {
    match variant_name(key) {
        Some(name) => {
            let mut variants = store.config().variants().iter();
            let format = key.extension().and_then(ImageFormat::from_extension);
            format.is_some() && variants.any(|variant| variant.name() == name)
        }
        None => key.is_original(),
    }
}

fn own_prefix(store: &ImageStore) -> String {
    store.config().prefix().to_owned()
}

fn originals_prefix(store: &ImageStore) -> String {
    match store.config().prefix() {
        "" => ORIGINALS.to_owned(),
        prefix => format!("{ORIGINALS}/{prefix}"),
    }
}

/// Returns whether the key is private, although a listing without a prefix has it.
fn is_apart(key: &ObjectKey) -> bool {
    key.is_pending() || key.is_under(ORIGINALS)
}
