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
    /// than that. Whoever may not write among the pending uploads cannot have let anybody else do so.
    pub(super) async fn bury(&self, backend: &Backend, key: &ObjectKey) -> Result<()> {
        let Some(tombstone) = key.tombstone(self.prefix()) else {
            return Ok(());
        };
        let options = PutOptions {
            content_type: "application/octet-stream".into(),
            cache_control: "private, no-store".to_owned(),
            create: false,
        };
        match backend.put(&tombstone, Bytes::new(), &options).await {
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
