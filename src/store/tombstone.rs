//! The marker that a deletion leaves, so that no direct upload brings another image under its key.

use bytes::Bytes;

use super::Inner;
use super::write::is_there;
use crate::backend::{Backend, PutOptions};
use crate::error::Result;
use crate::key::ObjectKey;
use crate::kind::ErrorKind;

impl Inner {
    /// Leaves the tombstone of an image, where it may have come from a direct upload: its key says no more
    /// than that. A store without the right to write pending uploads cannot have signed one.
    ///
    /// It has one byte until the deletion is done: of a deletion that was cut off, a sweep removes the rest. An image
    /// that comes back later, out of a backup, is beside an empty one and stays.
    pub(super) async fn bury(&self, backend: &Backend, key: &ObjectKey) -> Result<()> {
        self.put_tombstone(backend, key, Bytes::from_static(b"1"))
            .await
    }

    /// Notes that the deletion is done. Without that note a sweep looks once more, and finds nothing.
    pub(super) async fn close_grave(&self, backend: &Backend, key: &ObjectKey) {
        if let Err(error) = self.put_tombstone(backend, key, Bytes::new()).await {
            tracing::debug!(%error, "could not note the end of a deletion");
        }
    }

    async fn put_tombstone(&self, backend: &Backend, key: &ObjectKey, body: Bytes) -> Result<()> {
        let Some(tombstone) = key.tombstone(self.prefix()) else {
            return Ok(());
        };
        let options = PutOptions {
            content_type: "application/octet-stream".into(),
            cache_control: "private, no-store".to_owned(),
            create: false,
        };
        match backend.put(&tombstone, body, &options).await {
            Err(error) if error.kind() != ErrorKind::AccessDenied => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Returns whether the image with this key was deleted while a form for it may still be valid.
    pub(super) async fn is_gone(&self, backend: &Backend, key: &ObjectKey) -> Result<bool> {
        let Some(tombstone) = key.tombstone(self.prefix()) else {
            return Ok(false);
        };
        // Whoever promotes has read its neighbour, the pending upload: one that is there would be told.
        is_there(backend, &tombstone).await
    }
}
