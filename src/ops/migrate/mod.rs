//! Images from one place to another, without loss.

mod content;
mod copy;
mod from_urls;
mod obstacle;
mod old_urls;
mod optimize;
mod place;
mod report;
mod spellings;
mod url_map;

pub use from_urls::{UrlFailure, UrlMigrated, UrlOptions, UrlReport, migrate_urls};
pub use place::Place;
pub use report::{MigrateFailure, MigrateOptions, MigrateReport, Migrated};
pub use url_map::{UrlMap, UrlMapFormat};

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, future};
use tokio::sync::Semaphore;

use crate::backend::{ObjectInfo, StorageError, Unnamable};
use crate::error::{Error, Result};
use crate::kind::ErrorKind;
use copy::Copier;
use place::PassedOver;
use report::Tally;
use url_map::UrlMapWriter;

/// Copies every object of `source` to `target`, or optimizes it on the way, and tells `each` as it goes.
///
/// Keys keep what follows the place's prefix; optimized images get new ones, the same in every run over the
/// same bytes. What is read is compared with the listing, and every object is read back and
/// compared by size and SHA-256. Nothing is deleted at the source and nothing overwritten at the target.
/// After an interruption, run it again: what is there already is compared and left alone, and only what is
/// missing is copied. The memory in use does not grow with the number of objects.
///
/// An object has the content type of its bytes; in a directory, where the name decides, it gets the
/// extension. Files that are not images are left out unless [`all_files`](MigrateOptions::all_files) asks for them, and
/// so are pending uploads and hidden files (`.DS_Store`). The URL map has the old URLs in every spelling.
///
/// Originals go to where the target keeps those of its images, after the images themselves, and stay private.
/// With `optimize`, an image that has one is made of it, and keeps it under its new key.
///
/// With `optimize`, source and target may be the same place: its images are optimized where they are, under
/// new keys, and the old objects stay until a sweep finds that nobody uses them.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> lablink_storage::Result<()> {
/// use lablink_storage::{ImageStore, UploadOptions};
/// use lablink_storage::ops::{MigrateOptions, Place, migrate};
///
/// let old = ImageStore::builder().memory().build()?;
/// # let photo = std::fs::read("examples/photo.jpg").expect("the example photo");
/// let image = old.upload(photo, UploadOptions::default()).await?;
/// let new = ImageStore::builder().memory().build()?;
///
/// let (source, target) = (Place::of_store(old), Place::of_store(new.clone()));
/// let report = migrate(&source, &target, &MigrateOptions::default(), |_| {}).await?;
/// assert_eq!((report.copied, report.failed), (1, 0));
/// assert!(new.exists(&image.key).await?);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// `InvalidArgument` where one place lies in the other, or where the target lies outside its store's prefix
/// and [`outside_prefix`](MigrateOptions::outside_prefix) does not allow it; the kinds of the backend where the source cannot
/// be listed or where the target takes no objects (credentials, rights, no bucket, a full disk), at the
/// first one; `InvalidArgument` where the URL map cannot be written. An object that cannot be copied for
/// reasons of its own is not an error: it is in the report, and so is one whose key can be none of this crate's.
pub async fn migrate(
    source: &Place,
    target: &Place,
    options: &MigrateOptions,
    mut each: impl FnMut(&Migrated),
) -> Result<MigrateReport> {
    check(source, target, options)?;
    let mut map = match &options.url_map {
        Some(map) if !options.dry_run => Some(UrlMapWriter::create(map)?),
        _ => None,
    };
    let copier = Arc::new(Copier::new(source, target, options));
    let memory = Arc::new(Semaphore::new(copy::MEMORY_KIB as usize));
    let mut tally = Tally::default();
    let concurrency = options.concurrency.clamp(1, 64);
    let missed = Arc::new(Missed::default());
    let mut done = listed(source, options, &missed)
        .map(|listed| {
            let (copier, memory) = (Arc::clone(&copier), Arc::clone(&memory));
            async move {
                match listed {
                    Ok(info) => copier.take(info, &memory).await,
                    Err(error) => Err(error),
                }
            }
        })
        .buffer_unordered(concurrency);
    while let Some(migrated) = done.next().await.transpose()? {
        if let Some(map) = &mut map {
            for (old, new) in migrated.urls() {
                map.row(old, new)?;
            }
        }
        each(&migrated);
        tally.add(migrated);
    }
    source
        .passed_over(|passed_over| match passed_over {
            PassedOver::Unnamable(name) => tally.unnamable(name),
            PassedOver::Link(name) => tally.link(name),
        })
        .await;
    tally.passed_over(missed.passed_over.take());
    tally.originals_unlisted(missed.originals.load(Ordering::Relaxed));
    if let Some(map) = map {
        map.finish()?;
    }
    drop(done);
    Ok(tally.finish(options.dry_run, copier.retyped()))
}

/// What the listings do not have.
#[derive(Default)]
struct Missed {
    passed_over: Unnamable,
    /// True if the originals may not be listed.
    originals: AtomicBool,
}

/// What is to be moved: the images, and after them their originals, which optimizing takes along itself.
fn listed(
    source: &Place,
    options: &MigrateOptions,
    missed: &Arc<Missed>,
) -> BoxStream<'static, Result<ObjectInfo>> {
    let backend = source.store().backend();
    // Whoever keeps originals must be able to take them along.
    let keeps = source.store().config().keep_original();
    let images = if source.directory_root().is_some() {
        // A walk of its own finds more of what is passed over there.
        backend.list(source.prefix())
    } else {
        backend.list_noting(source.prefix(), &missed.passed_over)
    };
    let apart = source
        .originals_prefix()
        .filter(|_| !options.optimize)
        .map(|prefix| {
            let missed = Arc::clone(missed);
            backend
                .list_noting(&prefix, &missed.passed_over)
                .take_while(move |info| future::ready(keeps || may_be_seen(info, &missed)))
        });
    images
        .chain(stream::iter(apart).flatten())
        .map(|info| info.map_err(Error::from))
        .boxed()
}

/// Not everyone who may list the images may list the originals; then there are none for them.
fn may_be_seen(info: &Result<ObjectInfo, StorageError>, missed: &Missed) -> bool {
    match info {
        Err(error) if error.kind() == ErrorKind::AccessDenied => {
            tracing::warn!(%error, "the originals may not be listed, and are left where they are");
            missed.originals.store(true, Ordering::Relaxed);
            false
        }
        _ => true,
    }
}

fn check(source: &Place, target: &Place, options: &MigrateOptions) -> Result<()> {
    let refused = |reason| {
        let name = "target";
        Err(Error::InvalidArgument { name, reason })
    };
    if let Some(consequence) = target.outside_prefix()
        && !options.outside_prefix
    {
        return refused(consequence);
    }
    let in_place = options.optimize && source.is(target);
    if source.overlaps(target) && !in_place {
        return refused("source and target overlap".to_owned());
    }
    Ok(())
}
