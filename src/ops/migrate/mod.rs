//! Images from one place to another, without loss.

mod copy;
mod place;
mod report;
mod url_map;

pub use place::Place;
pub use report::{MigrateFailure, MigrateOptions, MigrateReport, Migrated};
pub use url_map::{UrlMap, UrlMapFormat};

use std::sync::Arc;

use futures_util::StreamExt;
use tokio::sync::Semaphore;

use crate::error::{Error, Result};
use copy::Copier;
use report::Tally;
use url_map::UrlMapWriter;

/// Copies every object of `source` to `target`, or optimizes it on the way, and tells `each` as it goes.
///
/// Keys keep what follows the place's prefix; optimized images get new ones, the same in every run over the
/// same bytes. Every object is read back and compared by size and SHA-256. Nothing is deleted at the
/// source and nothing overwritten at the target. After an interruption, run it again: what is there
/// already is compared and left alone, and only what is missing is copied. The memory in use does not
/// grow with the number of objects.
///
/// Pending uploads and hidden files (`.DS_Store`) are left out.
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
/// `InvalidArgument` where one place lies in the other; the kinds of the backend where the source cannot
/// be listed or where the target takes no objects (credentials, rights, no bucket, a full disk), at the
/// first one; `InvalidArgument` where the URL map cannot be written. An object that cannot be copied for
/// reasons of its own is no error: it is in the report.
pub async fn migrate(
    source: &Place,
    target: &Place,
    options: &MigrateOptions,
    mut each: impl FnMut(&Migrated),
) -> Result<MigrateReport> {
    if source.overlaps(target) {
        return Err(Error::InvalidArgument {
            name: "target",
            reason: "source and target lie in one another".to_owned(),
        });
    }
    let mut map = match &options.url_map {
        Some(map) if !options.dry_run => Some(UrlMapWriter::create(map)?),
        _ => None,
    };
    let copier = Arc::new(Copier::new(source, target, options));
    let memory = Arc::new(Semaphore::new(copy::MEMORY_KIB as usize));
    let mut tally = Tally::default();
    let concurrency = options.concurrency.clamp(1, 64);
    let mut done = source
        .store()
        .backend()
        .list(source.prefix())
        .map(|listed| {
            let (copier, memory) = (Arc::clone(&copier), Arc::clone(&memory));
            async move {
                match listed {
                    Ok(info) => copier.take(info, &memory).await,
                    Err(error) => Err(Error::from(error)),
                }
            }
        })
        .buffer_unordered(concurrency);
    while let Some(migrated) = done.next().await.transpose()? {
        if let (Some(map), Some((old, new))) = (&mut map, migrated.urls()) {
            map.row(old, new)?;
        }
        each(&migrated);
        tally.add(migrated);
    }
    source.unnamable(|name| tally.unnamable(name));
    if let Some(map) = map {
        map.finish()?;
    }
    drop(done);
    Ok(tally.finish(options.dry_run, copier.retyped()))
}
