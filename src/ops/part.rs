//! Which image an object belongs to.

use crate::key::{ORIGINALS, ObjectKey};
use crate::variant::variant_name;

/// The part of an upload that an object is. Each holds `<prefix>/<uuid>`, which all of an image have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part<'k> {
    Main(&'k str),
    Variant(&'k str),
    Original(&'k str),
}

impl<'k> Part<'k> {
    /// `None` for an object that does not belong to an upload, such as a file migrated under its own name.
    pub(super) fn of(key: &'k ObjectKey) -> Option<Self> {
        let text = key.as_str();
        if variant_name(key).is_some() {
            let (folder, _) = text.rsplit_once('/')?;
            return Some(Self::Variant(folder));
        }
        key.uuid()?;
        if key.is_under(ORIGINALS) {
            let inner = text.strip_prefix(ORIGINALS)?.strip_prefix('/')?;
            return key.extension().is_none().then_some(Self::Original(inner));
        }
        let (stem, _) = text.rsplit_once('.')?;
        (!key.is_pending()).then_some(Self::Main(stem))
    }

    pub(super) fn image(self) -> &'k str {
        match self {
            Self::Main(image) | Self::Variant(image) | Self::Original(image) => image,
        }
    }

    pub(super) fn is_main(self) -> bool {
        matches!(self, Self::Main(_))
    }
}
