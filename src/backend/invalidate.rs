//! Paths that a CDN in front of the backend is to forget.

use super::Backend;
use super::deadline::StorageResult;
#[cfg(feature = "s3")]
use super::{Medium, Operation};
use crate::config::Distribution;

/// Paths in one invalidation: as many may be under way at once
/// (<https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-limits.html>).
pub(crate) const MAX_PATHS: usize = 3000;

impl Backend {
    /// Has a distribution forget at most [`MAX_PATHS`] paths. With the same `reference` it happens once.
    ///
    /// # Errors
    ///
    /// `AccessDenied` without the right; `Configuration` for a distribution that is not there; `Unavailable` where
    /// too much is under way already.
    #[cfg_attr(not(feature = "s3"), allow(unused_variables))]
    pub(crate) async fn invalidate(
        &self,
        distribution: &Distribution,
        paths: &[String],
        reference: &str,
    ) -> StorageResult<()> {
        #[cfg(feature = "s3")]
        if let Medium::S3(s3) = &self.inner.kind {
            let call = self.call();
            let context = self.context(Operation::Invalidate, None);
            let send = || s3.invalidate(distribution, paths, reference);
            return self.renewing(&call, context, send).await;
        }
        Ok(())
    }
}
