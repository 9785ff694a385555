//! Versions of objects, on backends that keep them.

use std::time::SystemTime;

use bytes::Bytes;

use super::Backend;
#[cfg(feature = "s3")]
use super::Medium;
use super::deadline::StorageResult;
use super::error::{Operation, StorageError};
use super::object::ObjectInfo;
use crate::key::ObjectKey;

/// A version of an object, in a bucket that keeps them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectVersion {
    /// Its id, for [`restore`](crate::ImageStore::restore).
    pub version: String,
    /// True for the newest.
    pub is_latest: bool,
    /// True for the mark of a deletion, which has no bytes.
    pub is_deleted: bool,
    /// Its bytes.
    pub size: u64,
    /// The entity tag, without quotes.
    pub e_tag: Option<String>,
    /// Time of its writing.
    pub last_modified: SystemTime,
}

impl Default for ObjectVersion {
    fn default() -> Self {
        Self {
            version: String::new(),
            is_latest: false,
            is_deleted: false,
            size: 0,
            e_tag: None,
            last_modified: SystemTime::UNIX_EPOCH,
        }
    }
}

impl Backend {
    /// Fails where no versions are kept.
    ///
    /// # Errors
    ///
    /// `NotSupported` on other backends than S3, and where versioning was never turned on.
    pub(crate) async fn check_versions(&self) -> StorageResult<()> {
        #[cfg(feature = "s3")]
        if let Medium::S3(s3) = &self.inner.kind {
            let call = self.call();
            let context = self.context(Operation::Versions, None);
            let keeps = self
                .renewing(&call, context, || s3.keeps_versions())
                .await?;
            if keeps {
                return Ok(());
            }
        }
        Err(StorageError::not_supported(
            Operation::Versions,
            "no versions are kept here",
            "turn versioning on for the bucket: lablink-storage setup --versioning",
        )
        .with_bucket(self.bucket()))
    }

    /// Lists all versions of the keys that begin with `prefix` and that `wanted` takes, the newest of each key
    /// first.
    #[cfg_attr(not(feature = "s3"), allow(unused_mut, unused_variables))]
    pub(crate) async fn versions(
        &self,
        prefix: &str,
        wanted: impl Fn(&ObjectKey) -> bool,
    ) -> StorageResult<Vec<(ObjectKey, ObjectVersion)>> {
        let mut found = Vec::new();
        #[cfg(feature = "s3")]
        if let Medium::S3(s3) = &self.inner.kind {
            let mut from = None;
            loop {
                let call = self.call();
                let context = self.context(Operation::Versions, None);
                let page = self
                    .renewing(&call, context, || s3.version_page(prefix, from.as_ref()))
                    .await?;
                found.extend(page.versions.into_iter().filter(|(key, _)| wanted(key)));
                // A listing that does not get on would have no end.
                if page.next.is_none() || page.next == from {
                    break;
                }
                from = page.next;
            }
        }
        Ok(found)
    }

    /// Reads a version of at most `most` bytes.
    pub(crate) async fn get_version(
        &self,
        key: &ObjectKey,
        version: &str,
        most: u64,
    ) -> StorageResult<(ObjectInfo, Bytes)> {
        let call = self.call().reading(most);
        self.read_version(key, Some(version), None, call).await
    }

    /// Removes a version for good.
    #[cfg_attr(not(feature = "s3"), allow(unused_variables))]
    pub(crate) async fn delete_version(&self, key: &ObjectKey, version: &str) -> StorageResult<()> {
        #[cfg(feature = "s3")]
        if let Medium::S3(s3) = &self.inner.kind {
            let call = self.call();
            let context = self.context(Operation::DeleteVersion, Some(key));
            self.renewing(&call, context, || s3.delete_version(key, version))
                .await?;
            // S3 says 204. Whoever says something else may have removed nothing.
            if call.status() != 204 {
                let backend = self.until(call.deadline());
                let left = backend.versions(key.as_str(), |found| found == key).await?;
                if left.iter().any(|(_, left)| left.version == version) {
                    return Err(self.still_there(Operation::DeleteVersion, key));
                }
            }
            return Ok(());
        }
        self.check_versions().await
    }
}
