//! New variants for images that were stored long ago.

mod images;
mod one;
mod options;
mod report;

#[cfg(feature = "cli")]
pub(crate) use images::count_images;
pub use options::{RegenerateOptions, Shard};
pub use report::{RegenerateFailure, RegenerateReport, Regenerated};

use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::{StreamExt, future};
use tokio::sync::Semaphore;

use crate::error::{Error, Result};
use crate::key::ObjectKey;
use crate::kind::ErrorKind;
use crate::store::ImageStore;
use crate::variant::Variant;
use one::Worker;

/// Images in a row to which access is denied: then it is denied to all of them, as far as can be told.
const REFUSALS: usize = 5;

/// Makes the variants that the configuration has and images lack: sizes are added long after the upload.
///
/// A listing alone decides what is missing: an image that lacks nothing costs no request. What is made comes
/// from the original where one was kept, else from the main image. Nothing is overwritten, unless
/// [`all`](RegenerateOptions::all) or [`main`](RegenerateOptions::main) asks for it. An image that cannot be read
/// is named in the report and does not stop the rest; a failure that every other would meet does, and so do five
/// images in a row to which access is denied. After an interruption, run it again: it makes what is still missing,
/// and with `all` or `main` it starts over. The memory in use does not grow with the number of images, and several
/// machines share the work by [shards](Shard) without talking to each other.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # if cfg!(not(feature = "local")) {
/// #     return Ok(());
/// # }
/// use lablink_storage::{ImageStore, OptimizeOptions, Variant};
/// use lablink_storage::ops::{RegenerateOptions, regenerate};
///
/// # let directory = std::env::temp_dir().join(format!("regenerate-{}", std::process::id()));
/// let before = ImageStore::builder().local(&directory).build()?;
/// # let photo = std::fs::read("examples/photo.jpg")?;
/// let image = before.upload(photo, ()).await?;
///
/// let thumb = Variant::new("thumb", OptimizeOptions::default().with_max_size(320, 320))?;
/// let now = ImageStore::builder().local(&directory).with_variant(thumb).build()?;
/// let report = regenerate(&now, &RegenerateOptions::default()).await?;
/// assert_eq!((report.made, report.failed), (1, 0));
/// assert!(now.exists(now.variant_url(&image.key, "thumb")?).await?);
/// # std::fs::remove_dir_all(&directory)?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// `InvalidArgument` for a variant that is not configured, and for pruning without any unless it is forced;
/// `InvalidKey` for a prefix that is not the store's. What fails later is in the report.
pub async fn regenerate(
    store: &ImageStore,
    options: &RegenerateOptions,
) -> Result<RegenerateReport> {
    regenerate_each(store, options, |_| {}).await
}

/// As [`regenerate`], and tells `each` of every image as it goes.
///
/// # Errors
///
/// As [`regenerate`].
pub async fn regenerate_each(
    store: &ImageStore,
    options: &RegenerateOptions,
    mut each: impl FnMut(&Regenerated),
) -> Result<RegenerateReport> {
    let variants = selected(store, options)?;
    let images = images::images(store, options)?;
    let decodes = store.config().max_decodes();
    let concurrency = options.concurrency.unwrap_or(2 * decodes).clamp(1, 64);
    let worker = Worker {
        store,
        options,
        variants,
        turns: Semaphore::new(decodes),
    };
    let stopped = AtomicBool::new(false);
    let goes_on = || !stopped.load(Ordering::Relaxed) && !options.stop.load(Ordering::Relaxed);
    let whole = store.public_folder();
    let mut report = RegenerateReport {
        dry_run: options.dry_run,
        ..RegenerateReport::default()
    };
    let mut done = images
        .take_while(|_| future::ready(goes_on()))
        .map(|found| {
            let worker = &worker;
            async move { Ok::<_, Error>(worker.run(found?).await) }
        })
        .buffer_unordered(concurrency);
    let mut refused = 0;
    while let Some(one) = done.next().await {
        let path = |key: &ObjectKey| store.public_path(key);
        let ended = match one {
            Ok((one, None)) => {
                each(&one);
                report.add(&one, path, &whole);
                refused = match &one.failure {
                    Some(failure) if failure.kind == ErrorKind::AccessDenied => refused + 1,
                    // Nothing was asked for it.
                    None if one.is_complete() => refused,
                    _ => 0,
                };
                let failure = one.failure.filter(|_| refused >= REFUSALS);
                failure.map(|failure| (failure.message, failure.hint))
            }
            Ok((one, Some(error))) => {
                report.count(&one, path, &whole);
                Some((error.to_string(), error.hint()))
            }
            Err(error) => Some((error.to_string(), error.hint())),
        };
        if let Some((reason, hint)) = ended {
            stopped.store(true, Ordering::Relaxed);
            report.stop(reason, hint);
        }
    }
    // What was replaced before it stopped, too.
    if store.purges() && !report.invalidate.is_empty() {
        report.purge_failure = store.purge_paths(report.invalidate.clone()).await;
        report.purged = report.purge_failure.is_none();
    }
    if !goes_on() {
        report
            .stopped
            .get_or_insert_with(|| "it was told to stop".to_owned());
    }
    Ok(report)
}

/// The variants to make.
fn selected(store: &ImageStore, options: &RegenerateOptions) -> Result<Vec<Variant>> {
    let configured = store.config().variants();
    if options.prune && configured.is_empty() && !options.force {
        return Err(Error::InvalidArgument {
            name: "prune",
            reason: "no variant is configured, so every one there is would be removed".to_owned(),
        });
    }
    if options.variants.is_empty() {
        let eager = configured.iter().filter(|variant| !variant.is_lazy());
        return Ok(eager.cloned().collect());
    }
    let named = options.variants.iter();
    named.map(|name| store.variant(name).cloned()).collect()
}
