//! Properties of objects, as backends report and take them.

use std::borrow::Cow;
use std::time::SystemTime;

use crate::key::ObjectKey;

/// A stored object, without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectInfo {
    /// Its key.
    pub key: ObjectKey,
    /// Bytes of the whole object.
    pub size: u64,
    /// Its MIME type; absent in listings of servers that do not tell.
    pub content_type: Option<String>,
    /// Its `Cache-Control`; absent in listings of servers that do not tell.
    pub cache_control: Option<String>,
    /// The entity tag, without quotes: it changes when the bytes do.
    pub e_tag: Option<String>,
    /// Time of the last write.
    pub last_modified: SystemTime,
    /// The name of the variant that this is, where it is one.
    pub variant: Option<String>,
}

/// Properties of an object to be written.
#[derive(Debug, Clone)]
pub(crate) struct PutOptions {
    /// Its MIME type.
    pub(crate) content_type: Cow<'static, str>,
    /// Its `Cache-Control`.
    pub(crate) cache_control: String,
    /// Refuse to overwrite.
    pub(crate) create: bool,
}

/// Outcome of writing an object.
#[derive(Debug, Clone)]
pub(crate) struct PutOutcome {
    /// The entity tag, without quotes.
    pub(crate) e_tag: Option<String>,
}

/// Entity tags are compared and stored without the quotes that HTTP puts around them.
pub(super) fn bare_e_tag(e_tag: Option<String>) -> Option<String> {
    e_tag.map(
        |tag| match tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')) {
            Some(bare) => bare.to_owned(),
            None => tag,
        },
    )
}
