//! Direct uploads that were never promoted do not stay for ever.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::{Stream, StreamExt, future};

use super::image::{SweepReport, SweptObject};
use super::{ImageStore, traced};
use crate::backend::ObjectInfo;
use crate::error::{Error, Result};
use crate::key::{ObjectKey, PENDING, TOMBSTONE, TOMBSTONE_DAYS};

/// Removals under way at once.
const CONCURRENCY: usize = 8;

/// The age from which the marker of a deleted image may go.
const MARKER_AGE: Duration = Duration::from_secs(TOMBSTONE_DAYS as u64 * 86_400);

/// The kind of an object under the pending prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// A direct upload that was not promoted.
    Upload,
    /// The marker of a deleted image.
    Marker,
}

impl ImageStore {
    /// Finds the pending uploads that were not promoted within `older_than`, and the local backend's
    /// unfinished writes of that age, and removes them unless it is a dry run. The markers that deletions
    /// leave go with them after 8 days.
    ///
    /// An object that cannot be removed is reported and does not stop the others.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    /// use lablink_storage::{ImageStore, PresignPostOptions};
    ///
    /// let store = ImageStore::builder()
    ///     .memory()
    ///     .with_secret("0123456789abcdef0123456789abcdef")
    ///     .build()?;
    /// let post = store.presigned_post("board.jpg", PresignPostOptions::default()).await?;
    /// store.receive_post(post.fields, "never promoted").await?;
    ///
    /// let dry = store.sweep(Duration::ZERO, true).await?;
    /// assert_eq!((dry.found.len(), dry.removed), (1, 0));
    /// assert_eq!(store.sweep(Duration::ZERO, false).await?.removed, 1);
    /// assert!(store.sweep(Duration::ZERO, false).await?.found.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The kinds of the backend, where the listing fails before anything was removed. Afterwards, the
    /// report says what was removed and [what stopped it](SweepReport::stopped).
    pub async fn sweep(&self, older_than: Duration, dry_run: bool) -> Result<SweepReport> {
        let span = tracing::info_span!("sweep", ?older_than, dry_run);
        traced(span, async {
            let mut report = SweepReport::default();
            let pending = self
                .sweep_pending(older_than, dry_run, |what, object, removed| {
                    match removed {
                        Ok(false) => {}
                        Ok(true) => report.removed += 1,
                        Err(error) => report
                            .failures
                            .push((object.key.clone(), error.to_string())),
                    }
                    if what == Waiting::Upload {
                        report.found.push(object);
                    }
                })
                .await;
            let swept = match pending {
                Ok(true) => {
                    let files = &mut report.staging_files;
                    let backend = &self.inner.backend;
                    let swept = backend.sweep_staging(older_than, dry_run, files).await;
                    swept.map_err(Error::from)
                }
                Ok(false) => Ok(()),
                Err(error) => Err(error),
            };
            match swept {
                Err(error) if report.removed == 0 && report.staging_files == 0 => Err(error),
                Err(error) => {
                    report.stopped = Some(error.to_string());
                    Ok(report)
                }
                Ok(()) => Ok(report),
            }
        })
        .await
    }

    /// Tells `each` of what waits under the pending prefix for too long, and removes it unless it is a dry
    /// run: whether it was removed, or why it could not be. It stops at a failure that every other object
    /// would meet, and answers whether it came to its end.
    ///
    /// Only what a direct upload of this prefix can have written is looked at.
    pub(crate) async fn sweep_pending(
        &self,
        older_than: Duration,
        dry_run: bool,
        mut each: impl FnMut(Waiting, SweptObject, Result<bool>),
    ) -> Result<bool> {
        let prefix = match self.inner.prefix() {
            "" => PENDING.to_owned(),
            prefix => format!("{PENDING}/{prefix}"),
        };
        let now = self.inner.sources.now();
        let listed = self.inner.backend.list(&prefix);
        let found = listed.filter_map(|info| {
            let found = info.map_err(Error::from).map(|info| {
                let age = now.duration_since(info.last_modified).unwrap_or_default();
                let (what, enough) = if info.key.extension() == Some(TOMBSTONE) {
                    (Waiting::Marker, MARKER_AGE)
                } else {
                    (Waiting::Upload, older_than)
                };
                let ours = is_directly_under(&info.key, &prefix);
                (ours && age >= enough).then_some((what, info))
            });
            future::ready(found.transpose())
        });
        let remove = |_, key: ObjectKey| async move {
            if !dry_run {
                self.inner.backend.delete(&key).await?;
            }
            Ok(!dry_run)
        };
        remove_each(found, remove, &mut each).await
    }
}

/// Returns whether the key is `<prefix>/<uuid>.<extension>`.
fn is_directly_under(key: &ObjectKey, prefix: &str) -> bool {
    let folder = key.as_str().rsplit_once('/').map(|(folder, _)| folder);
    folder == Some(prefix) && key.uuid().is_some()
}

/// Runs `remove`, which answers whether the object is gone, for everything that is found, a few at once, and
/// tells `each` what came of it. Whether it came to its end.
///
/// If the listing fails, or a removal for a reason that every other would meet, no further removal begins;
/// those under way are finished and reported.
///
/// # Errors
///
/// The listing's.
pub(crate) async fn remove_each<K: Copy, F: Future<Output = Result<bool>>>(
    found: impl Stream<Item = Result<(K, ObjectInfo)>>,
    remove: impl Fn(K, ObjectKey) -> F,
    mut each: impl FnMut(K, SweptObject, Result<bool>),
) -> Result<bool> {
    let stopped = &AtomicBool::new(false);
    let removals = found
        .take_while(|_| future::ready(!stopped.load(Ordering::Relaxed)))
        .map(|info| {
            let removal = info.map(|(kind, info)| (kind, remove(kind, info.key.clone()), info));
            async move {
                let (kind, removal, info) = removal?;
                let object = SweptObject {
                    key: info.key,
                    size: info.size,
                };
                Ok((kind, object, removal.await))
            }
        });
    let mut outcomes = std::pin::pin!(removals.buffer_unordered(CONCURRENCY));
    let mut failure = None;
    while let Some(outcome) = outcomes.next().await {
        match outcome {
            Ok((kind, object, removed)) => {
                if removed.as_ref().is_err_and(Error::concerns_every_object) {
                    stopped.store(true, Ordering::Relaxed);
                }
                each(kind, object, removed);
            }
            Err(error) => failure = Some(error),
        }
    }
    failure.map_or(Ok(!stopped.load(Ordering::Relaxed)), Err)
}
