//! The seam between storing and signing.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use super::Backend;
use super::error::{Operation, StorageError};
use crate::sign::SigV4;

/// A signer of requests that somebody else will send.
///
/// Asynchronous because a role's credentials may have to be fetched first. What is signed lasts no
/// longer than they do: see `SigV4::credentials().expires_at`.
#[async_trait]
pub(crate) trait Presigner: fmt::Debug + Send + Sync {
    /// The signer that has the current credentials. It keeps the day's signing key, and is the same
    /// one until they are renewed.
    ///
    /// # Errors
    ///
    /// `Credentials`, saying which sources were tried; `NotSupported` where nobody could check a
    /// signature.
    async fn signer(&self) -> Result<Arc<SigV4>, StorageError>;
}

#[async_trait]
impl Presigner for Backend {
    async fn signer(&self) -> Result<Arc<SigV4>, StorageError> {
        match &self.inner.kind {
            #[cfg(feature = "s3")]
            super::Medium::S3(s3) => s3.signer().await.map_err(|failure| {
                StorageError::from_credentials(failure, Operation::Sign)
                    .with_bucket(Some(s3.bucket()))
            }),
            _ => Err(StorageError::not_supported(
                Operation::Sign,
                &format!(
                    "the {} backend has no AWS credentials to sign with",
                    self.name()
                ),
                "use a store on S3 for this",
            )),
        }
    }
}

#[cfg(feature = "ops")]
impl Backend {
    /// Returns the source of the present credentials, and when they expire.
    ///
    /// # Errors
    ///
    /// As [`Presigner::signer`].
    pub(crate) async fn credentials_origin(
        &self,
    ) -> Result<(&'static str, Option<std::time::SystemTime>), StorageError> {
        match &self.inner.kind {
            super::Medium::S3(s3) => s3.credentials_origin().await.map_err(|failure| {
                StorageError::from_credentials(failure, Operation::Sign)
                    .with_bucket(Some(s3.bucket()))
            }),
            _ => Err(StorageError::not_supported(
                Operation::Sign,
                "there are no credentials",
                "use a store on S3 for this",
            )),
        }
    }
}
