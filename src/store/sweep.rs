//! Direct uploads that were never promoted do not stay for ever.

use std::time::Duration;

use futures_util::StreamExt;

use super::image::{SweepReport, SweptObject};
use super::{ImageStore, traced};
use crate::error::Result;
use crate::key::{PENDING, TOMBSTONE};

/// How long the tombstone of a deleted image stays: longer than any form for its key is valid.
const TOMBSTONE_AGE: Duration = Duration::from_secs(8 * 86_400);

impl ImageStore {
    /// Finds the pending uploads that nobody promoted within `older_than`, and the local backend's
    /// unfinished writes of that age, and removes them unless it is a dry run.
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
    /// The kinds of the backend, where the listing fails.
    pub async fn sweep(&self, older_than: Duration, dry_run: bool) -> Result<SweepReport> {
        let span = tracing::info_span!("sweep", ?older_than, dry_run);
        traced(span, async {
            let prefix = match self.inner.prefix() {
                "" => PENDING.to_owned(),
                prefix => format!("{PENDING}/{prefix}"),
            };
            let now = self.inner.sources.now();
            let mut report = SweepReport::default();
            let mut listed = self.inner.backend.list(&prefix);
            while let Some(info) = listed.next().await.transpose()? {
                let is_tombstone = info.key.extension() == Some(TOMBSTONE);
                let enough = if is_tombstone {
                    TOMBSTONE_AGE
                } else {
                    older_than
                };
                if now.duration_since(info.last_modified).unwrap_or_default() < enough {
                    continue;
                }
                if !dry_run {
                    match self.inner.backend.delete(&info.key).await {
                        Ok(()) => report.removed += 1,
                        Err(error) => report.failures.push((info.key.clone(), error.to_string())),
                    }
                }
                report.found.push(SweptObject {
                    key: info.key,
                    size: info.size,
                });
            }
            report.staging_files = self
                .inner
                .backend
                .sweep_staging(older_than, dry_run)
                .await?;
            Ok(report)
        })
        .await
    }
}
