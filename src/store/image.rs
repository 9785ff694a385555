//! The store's answers.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use crate::format::ImageFormat;
use crate::key::ObjectKey;
use crate::optimize::{OptimizedImage, SourceInfo};

/// One of a few, so that serde is not to borrow it from what it reads.
type MimeType = &'static str;

/// An image that has been stored, with all that an application keeps of it.
///
/// Serializes to JSON and back, as a database keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StoredImage {
    /// Its key: `<prefix>/<uuid>.<ext>`.
    pub key: ObjectKey,
    /// Its public URL; `delete_url` takes it back.
    pub url: String,
    /// The MIME type of what is stored.
    #[serde(deserialize_with = "content_type")]
    pub content_type: MimeType,
    /// Bytes stored, variants not counted.
    pub size: u64,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// The entity tag that the backend gave it.
    pub e_tag: Option<String>,
    /// SHA-256 of the stored bytes, in lower-case hexadecimal.
    pub sha256: String,
    /// A [ThumbHash](https://evanw.github.io/thumbhash/) of it, in standard base64.
    pub placeholder: String,
    /// A difference hash of it, 64 bits in hexadecimal: of pictures that look the same, few bits differ.
    #[serde(default)]
    pub dhash: String,
    /// The variants stored beside it, by name.
    pub variants: BTreeMap<String, StoredVariant>,
    /// The image that came in.
    pub source: SourceInfo,
    /// The key of its original, where one is kept: see [`ImageStore::original`](crate::ImageStore::original).
    pub original: Option<ObjectKey>,
}

/// A named version of a stored image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StoredVariant {
    /// Its key: `<prefix>/<uuid>/<name>.<ext>`.
    pub key: ObjectKey,
    /// Its public URL.
    pub url: String,
    /// The MIME type of what is stored.
    #[serde(deserialize_with = "content_type")]
    pub content_type: MimeType,
    /// Bytes stored.
    pub size: u64,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// The entity tag that the backend gave it.
    pub e_tag: Option<String>,
}

impl StoredVariant {
    pub(super) fn new(
        key: ObjectKey,
        url: String,
        image: &OptimizedImage,
        e_tag: Option<String>,
    ) -> Self {
        Self {
            key,
            url,
            content_type: image.content_type(),
            size: image.data.len() as u64,
            width: image.width,
            height: image.height,
            e_tag,
        }
    }
}

/// A file that came with a presigned POST, stored as its policy says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ReceivedPost {
    /// The key it lies under.
    pub key: ObjectKey,
    /// The HTTP status that the form asked for: 200, 201 or 204.
    pub status: u16,
    /// The entity tag that the backend gave it.
    pub e_tag: Option<String>,
    /// Bytes stored.
    pub size: u64,
}

/// The state of the store, in words that can be shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Status {
    /// True if images go to S3.
    pub enabled: bool,
    /// True if the backend answered.
    pub accessible: bool,
    /// `"s3"`, `"local"`, `"memory"` or `"custom"`.
    pub backend: &'static str,
    /// The bucket, on S3.
    pub bucket: Option<String>,
    /// Its region, on S3.
    pub region: Option<String>,
    /// One sentence for a person.
    pub message: String,
    /// The error, if there was one.
    pub error: Option<String>,
    /// The remedy.
    pub hint: Option<String>,
}

/// The findings of a sweep.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SweepReport {
    /// Pending uploads old enough to go, with their bytes.
    pub found: Vec<SweptObject>,
    /// Number of them, and of the markers of deleted images, that were removed; 0 in a dry run.
    pub removed: usize,
    /// Unfinished writes of the local backend that are old enough to go; removed unless it was a dry run.
    pub staging_files: usize,
    /// The objects that could not be removed, with the reasons.
    pub failures: Vec<(ObjectKey, String)>,
    /// The error that ended the sweep early, after it had removed something.
    pub stopped: Option<String>,
}

/// One object that a sweep found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SweptObject {
    /// Its key.
    pub key: ObjectKey,
    /// Its bytes.
    pub size: u64,
}

/// The type of a format, which is what is stored.
fn content_type<'de, D: Deserializer<'de>>(deserializer: D) -> Result<&'static str, D::Error> {
    ImageFormat::deserialize(deserializer).map(ImageFormat::mime_type)
}
