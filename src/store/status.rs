//! Does it work? Answered in a sentence, never with an error.

use super::image::Status;
use super::{ImageStore, traced};
use crate::error::{Error, Result};

impl ImageStore {
    /// Asks the backend for one bounded read, as [`status`](Self::status) does, and fails as it fails.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> lablink_storage::Result<()> {
    /// let store = lablink_storage::ImageStore::builder().memory().build()?;
    /// store.check().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The kinds of the backend, after 5 seconds at most.
    pub async fn check(&self) -> Result<()> {
        traced(tracing::info_span!("status"), async {
            Ok(self.inner.backend.health(self.inner.prefix()).await?)
        })
        .await
    }

    /// Tells whether the backend answers, with one bounded read: nothing is created or written. It takes
    /// at most 5 seconds.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> lablink_storage::Result<()> {
    /// let store = lablink_storage::ImageStore::builder().memory().build()?;
    /// let status = store.status().await;
    /// assert!(!status.enabled && status.accessible);
    /// assert_eq!(status.message, "S3 integration is not configured");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn status(&self) -> Status {
        self.status_after(self.check().await.err().as_ref())
    }

    /// The status where a [`check`](Self::check) ended so.
    pub(crate) fn status_after(&self, error: Option<&Error>) -> Status {
        let s3 = self.inner.config.s3();
        let message = match (s3.is_some(), error.is_none()) {
            (true, true) => "S3 is configured and accessible",
            (true, false) => "S3 is configured but not accessible",
            (false, true) => "S3 integration is not configured",
            (false, false) => "S3 integration is not configured, and the store does not answer",
        };
        Status {
            enabled: s3.is_some(),
            accessible: error.is_none(),
            backend: self.inner.backend.name(),
            bucket: s3.map(|s3| s3.bucket().to_owned()),
            region: s3.map(|s3| s3.region().to_owned()),
            message: message.to_owned(),
            hint: error.and_then(Error::hint),
            error: error.map(ToString::to_string),
        }
    }
}
