//! Object keys: the one name an image has on every backend.
//!
//! [`ObjectKey`] validates once, so that a key which one backend could hold and another could not
//! never comes into being. The percent-encoder for every URL of this crate lives here too, because a
//! key and its encoded form have to agree everywhere.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::format::ImageFormat;

/// First segment of the keys of direct uploads that have not been verified yet.
pub(crate) const PENDING: &str = "pending";

/// First segment of the keys of originals, which are kept beside what was made of them.
pub(crate) const ORIGINALS: &str = "originals";

/// Extension of what a deletion leaves among the pending uploads, so that nothing is promoted to the key
/// that was deleted.
#[cfg(feature = "store")]
pub(crate) const TOMBSTONE: &str = "gone";

/// Days for which it stays: longer than any upload form for its key can hold.
#[cfg(feature = "store")]
pub(crate) const TOMBSTONE_DAYS: u32 = 8;

/// Longest key that S3 takes, in bytes of UTF-8
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html>).
const MAX_KEY_BYTES: usize = 1024;

/// Longest segment that common file systems take, in bytes (`NAME_MAX`).
const MAX_SEGMENT_BYTES: usize = 255;

/// The validated name of a stored object.
///
/// # Invariants
///
/// - 1 to 1024 bytes of UTF-8, in segments joined by `/`
/// - no empty, `.` or `..` segment, so no leading, trailing or doubled `/`
/// - no control character and no backslash
/// - no segment over 255 bytes, and none that ends in `#` and digits (the local backend stages its
///   writes under such names)
///
/// Every backend takes every key that meets them.
///
/// ```
/// use lablink_storage::ObjectKey;
///
/// let key: ObjectKey = "components/board.png".parse()?;
/// assert_eq!(key.extension(), Some("png"));
/// assert!("components/../secret".parse::<ObjectKey>().is_err());
/// # Ok::<(), lablink_storage::InvalidKey>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey(Box<str>);

/// A string that cannot be an [`ObjectKey`], and which rule it breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid object key {key:?}: {reason}")]
#[non_exhaustive]
pub struct InvalidKey {
    /// The value given, cut to its first 100 characters.
    pub key: String,
    /// The rule that it breaks.
    pub reason: &'static str,
}

impl InvalidKey {
    pub(crate) fn new(key: &str, reason: &'static str) -> Self {
        Self {
            key: key.chars().take(100).collect(),
            reason,
        }
    }
}

impl ObjectKey {
    /// Validates `key`.
    ///
    /// ```
    /// use lablink_storage::ObjectKey;
    ///
    /// assert_eq!(ObjectKey::parse("components/board.png")?.file_name(), "board.png");
    ///
    /// let error = ObjectKey::parse("components/../secret").unwrap_err();
    /// println!("{error}"); // invalid object key "components/../secret": …
    /// # assert!(error.to_string().starts_with("invalid object key \"components/../secret\": "));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`InvalidKey`] with the rule that it breaks.
    pub fn parse(key: impl Into<String>) -> Result<Self, InvalidKey> {
        let key = key.into();
        match broken_rule(&key) {
            Some(reason) => Err(InvalidKey::new(&key, reason)),
            None => Ok(Self(key.into_boxed_str())),
        }
    }

    /// `<prefix>/<id>.<extension>`: the key of a new upload. An empty prefix is left out.
    ///
    /// ```
    /// use lablink_storage::{ImageFormat, ObjectKey};
    /// use uuid::Uuid;
    ///
    /// let id = Uuid::parse_str("6f9619ff-8b86-4d01-b42d-00cf4fc964ff")?; // as a rule Uuid::new_v4()
    /// let key = ObjectKey::for_upload("components", id, ImageFormat::Jpeg)?;
    /// assert_eq!(key.as_str(), "components/6f9619ff-8b86-4d01-b42d-00cf4fc964ff.jpg");
    /// assert!(ObjectKey::for_upload("/components", id, ImageFormat::Jpeg).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`InvalidKey`] when the prefix does not make a valid key.
    pub fn for_upload(prefix: &str, id: Uuid, format: ImageFormat) -> Result<Self, InvalidKey> {
        Self::parse(join(&[prefix, &format!("{id}.{}", format.extension())]))
    }

    /// `pending/<prefix>/<id>.<extension>`: the key of a direct upload until it is promoted.
    ///
    /// ```
    /// use lablink_storage::{ImageFormat, ObjectKey};
    /// use uuid::Uuid;
    ///
    /// let id = Uuid::parse_str("6f9619ff-8b86-4d01-b42d-00cf4fc964ff")?; // as a rule Uuid::new_v4()
    /// let key = ObjectKey::for_pending("components", id, ImageFormat::Jpeg)?;
    /// assert_eq!(key.as_str(), "pending/components/6f9619ff-8b86-4d01-b42d-00cf4fc964ff.jpg");
    /// assert!(key.is_pending());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`InvalidKey`] when the prefix does not make a valid key.
    pub fn for_pending(prefix: &str, id: Uuid, format: ImageFormat) -> Result<Self, InvalidKey> {
        Self::parse(join(&[
            PENDING,
            prefix,
            &format!("{id}.{}", format.extension()),
        ]))
    }

    /// The key as it was given: UTF-8, not percent-encoded.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last segment.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// The last segment up to its last dot, or all of it where there is no dot.
    pub fn stem(&self) -> &str {
        let name = self.file_name();
        name.rsplit_once('.').map_or(name, |(stem, _)| stem)
    }

    /// Returns the part behind the last dot of the last segment.
    pub fn extension(&self) -> Option<&str> {
        self.file_name()
            .rsplit_once('.')
            .map(|(_, extension)| extension)
    }

    /// The UUID that the stem is, in the hyphenated lower-case form that uploads get.
    pub fn uuid(&self) -> Option<Uuid> {
        let id = Uuid::try_parse(self.stem()).ok()?;
        (id.hyphenated().to_string() == self.stem()).then_some(id)
    }

    /// Returns whether the key lies under `prefix` (whole segments; every key lies under the empty prefix).
    pub fn is_under(&self, prefix: &str) -> bool {
        prefix.is_empty()
            || self
                .0
                .strip_prefix(prefix)
                .is_some_and(|rest| rest.starts_with('/'))
    }

    /// Returns whether this is the key of a direct upload that has not been promoted.
    pub fn is_pending(&self) -> bool {
        self.is_under(PENDING)
    }

    /// Returns whether this is the key of an original: a file as it came in, kept beside the image that was made
    /// of it and never public.
    pub fn is_original(&self) -> bool {
        self.is_under(ORIGINALS)
    }

    /// `originals/<prefix>/<uuid>`: where the original of the image with this key is kept; `None` for a key
    /// that no upload has.
    #[cfg(feature = "store")]
    pub(crate) fn original(&self) -> Option<Self> {
        if self.is_pending() || self.is_original() {
            return None;
        }
        self.uuid()?;
        let (stem, _) = self.0.rsplit_once('.')?;
        Self::parse(join(&[ORIGINALS, stem])).ok()
    }

    /// A pending key without its `pending/`; `None` for any other key.
    #[cfg(feature = "store")]
    pub(crate) fn promoted(&self) -> Option<Self> {
        let rest = self.0.strip_prefix(PENDING)?.strip_prefix('/')?;
        Some(Self(rest.into()))
    }

    /// The key of the tombstone that the deletion of this image leaves; `None` for a key that is not
    /// `<prefix>/<uuid>.<extension>`.
    #[cfg(feature = "store")]
    pub(crate) fn tombstone(&self, prefix: &str) -> Option<Self> {
        let id = self.uuid()?.hyphenated().to_string();
        let folder = self.0.strip_suffix(self.file_name())?.trim_end_matches('/');
        let tombstone = || join(&[PENDING, prefix, &format!("{id}.{TOMBSTONE}")]);
        (folder == prefix).then(|| Self::parse(tombstone()).ok())?
    }

    /// The key with every byte outside `A-Za-z0-9-_.~/` as `%XX`: its form in every URL.
    pub fn percent_encoded(&self) -> String {
        percent_encode_path(&self.0)
    }
}

fn join(segments: &[&str]) -> String {
    let kept: Vec<&str> = segments
        .iter()
        .copied()
        .filter(|segment| !segment.is_empty())
        .collect();
    kept.join("/")
}

fn broken_rule(key: &str) -> Option<&'static str> {
    if key.is_empty() {
        return Some("it is empty");
    }
    if key.len() > MAX_KEY_BYTES {
        return Some("it is longer than 1024 bytes");
    }
    if key.chars().any(char::is_control) {
        return Some("it has a control character");
    }
    if key.contains('\\') {
        return Some("it has a backslash");
    }
    key.split('/').find_map(|segment| match segment {
        "" => Some("it has an empty segment (a leading, trailing or doubled '/')"),
        "." | ".." => Some("it has a '.' or '..' segment"),
        _ if segment.len() > MAX_SEGMENT_BYTES => Some("it has a segment longer than 255 bytes"),
        _ if ends_like_staging(segment) => Some("it has a segment ending in '#' and digits"),
        _ => None,
    })
}

/// object_store's local file system names unfinished writes `<file>#<number>`.
fn ends_like_staging(segment: &str) -> bool {
    segment
        .rsplit_once('#')
        .is_some_and(|(_, tail)| !tail.is_empty() && tail.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Returns whether a byte stands for itself in every URL part (RFC 3986 section 2.3).
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~')
}

/// Percent-encodes a path: unreserved characters and `/` stay, everything else becomes `%XX`.
pub(crate) fn percent_encode_path(text: &str) -> String {
    percent_encode(text, |byte| is_unreserved(byte) || byte == b'/')
}

/// Percent-encodes a query value or a single segment: `/` is encoded too.
#[allow(dead_code)]
pub(crate) fn percent_encode_component(text: &str) -> String {
    percent_encode(text, is_unreserved)
}

fn percent_encode(text: &str, stays: impl Fn(u8) -> bool) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if stays(byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push(char::from(HEX[usize::from(byte >> 4)]));
            encoded.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    encoded
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl AsRef<str> for ObjectKey {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl FromStr for ObjectKey {
    type Err = InvalidKey;

    fn from_str(key: &str) -> Result<Self, InvalidKey> {
        Self::parse(key)
    }
}

impl serde::Serialize for ObjectKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for ObjectKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl TryFrom<String> for ObjectKey {
    type Error = InvalidKey;

    fn try_from(key: String) -> Result<Self, InvalidKey> {
        Self::parse(key)
    }
}

impl TryFrom<&str> for ObjectKey {
    type Error = InvalidKey;

    fn try_from(key: &str) -> Result<Self, InvalidKey> {
        Self::parse(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_named() {
        let long_segment = "a".repeat(256);
        let long_key = vec!["a".repeat(200); 6].join("/");
        for (key, word) in [
            ("", "empty"),
            ("/a", "empty segment"),
            ("a/", "empty segment"),
            ("a//b", "empty segment"),
            ("a/./b", "'.'"),
            ("..", "'.'"),
            ("a\\b", "backslash"),
            ("a\nb", "control"),
            ("a\u{85}b", "control"),
            ("a#12/b", "digits"),
            ("a#1", "digits"),
            (long_segment.as_str(), "255"),
            (long_key.as_str(), "1024"),
        ] {
            let error = ObjectKey::parse(key).expect_err(key);
            assert!(error.reason.contains(word), "{key:?}: {}", error.reason);
        }
        for key in [
            "a",
            "a/b.c",
            "ü/é.jpg",
            "a#b",
            "a#",
            "a b+c%20",
            "...",
            ".hidden",
        ] {
            assert_eq!(ObjectKey::parse(key).expect(key).as_str(), key);
        }
    }

    #[test]
    fn encoding_keeps_only_unreserved_characters_and_slashes() {
        let key = ObjectKey::parse("a b/ü+~-_.%&'").expect("valid");
        assert_eq!(key.percent_encoded(), "a%20b/%C3%BC%2B~-_.%25%26%27");
    }

    #[test]
    fn uuid_only_in_the_form_uploads_have() {
        let key = |text: &str| ObjectKey::parse(text).expect(text);
        let id = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff";
        assert!(key(&format!("p/{id}.jpg")).uuid().is_some());
        assert!(
            key(&format!("p/{}.jpg", id.to_uppercase()))
                .uuid()
                .is_none()
        );
        assert!(
            key(&format!("p/{}.jpg", id.replace('-', "")))
                .uuid()
                .is_none()
        );
        assert!(key("p/board.jpg").uuid().is_none());
    }

    #[cfg(feature = "store")]
    #[test]
    fn only_uploads_have_originals() {
        let id = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff";
        let original = |text: String| ObjectKey::parse(text).expect("valid").original();
        let kept = original(format!("a/b/{id}.webp")).expect("an upload's key");
        assert_eq!(kept.as_str(), format!("originals/a/b/{id}"));
        assert!(kept.is_original() && kept.original().is_none());
        for text in [
            "components/board.jpg".to_owned(),
            format!("components/{id}"),
            format!("components/{id}/thumb.jpg"),
            format!("pending/components/{id}.jpg"),
        ] {
            assert_eq!(original(text.clone()), None, "{text}");
        }
    }

    #[test]
    fn prefixes_are_whole_segments() {
        let key = ObjectKey::parse("components/a.jpg").expect("valid");
        assert!(key.is_under("components") && key.is_under(""));
        assert!(!key.is_under("comp") && !key.is_under("components/a.jpg"));
        assert!(
            !ObjectKey::parse("pendings/a.jpg")
                .expect("valid")
                .is_pending()
        );
    }
}
