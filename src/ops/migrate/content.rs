//! The kind of an object, by its bytes.

use std::borrow::Cow;

use crate::backend::ObjectInfo;
use crate::error::Error;
use crate::format::ImageFormat;
use crate::key::{InvalidKey, ObjectKey};
use crate::optimize::OptimizeError;

/// The kind of an object's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    Image(ImageFormat),
    /// Something else, by its name where it is known.
    Other(Option<&'static str>),
}

impl Content {
    /// `bytes` are the object's, or begin it.
    pub(super) fn of(bytes: &[u8]) -> Self {
        match ImageFormat::sniff(bytes) {
            Ok(format) => Self::Image(format),
            Err(unknown) => Self::Other(unknown.name),
        }
    }

    /// The content type that it is to have; never one under which a browser would run it.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Image(format) => format.mime_type(),
            Self::Other(name) => {
                let known = ImageFormat::ALL.into_iter();
                let format = { known }.find(|format| Some(format.name()) == name);
                format.map_or("application/octet-stream", ImageFormat::mime_type)
            }
        }
    }

    /// Returns the reason why it is left out unless all files are wanted.
    pub(super) fn reason(self) -> Option<Cow<'static, str>> {
        match self {
            Self::Image(_) => None,
            Self::Other(Some(name)) => {
                Some(format!("{name}, not an image that is accepted").into())
            }
            Self::Other(None) => Some("not an image".into()),
        }
    }

    /// The key under which files give it its type: their names decide it.
    pub(super) fn named(self, key: ObjectKey) -> Result<ObjectKey, InvalidKey> {
        let Self::Image(format) = self else {
            return Ok(key);
        };
        let named = key.extension().and_then(ImageFormat::from_extension);
        let stem = match (named, key.as_str().rsplit_once('.')) {
            (Some(named), _) if named == format => return Ok(key),
            (Some(_), Some((stem, _))) => stem,
            // The part behind the dot is not an image's extension: it stays.
            _ => key.as_str(),
        };
        ObjectKey::parse(format!("{stem}.{}", format.extension()))
    }
}

/// Returns whether the source calls it an image.
pub(super) fn is_called_an_image(info: &ObjectInfo) -> bool {
    let by_name = info.key.extension().and_then(ImageFormat::from_extension);
    let by_type = info.content_type.as_deref();
    by_name.is_some() || by_type.is_some_and(|mime| mime.starts_with("image/"))
}

/// It is called an image and is not one, and nothing proves that these are its bytes.
pub(super) fn unproven(kind: Content) -> Error {
    let what = match kind {
        Content::Other(Some(name)) => name,
        _ => "something else",
    };
    OptimizeError::InvalidImage {
        reason: format!("the source has {what} under an image's name or type"),
    }
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_from_the_bytes() {
        for (name, expected) in [
            ("a.jpg", "a.jpg"),
            ("a.JPEG", "a.JPEG"),
            ("a.png", "a.jpg"),
            ("folder.d/a", "folder.d/a.jpg"),
            ("IMG 1.2024", "IMG 1.2024.jpg"),
        ] {
            let key = ObjectKey::parse(name).expect("a key");
            let named = Content::Image(ImageFormat::Jpeg).named(key).expect("a key");
            assert_eq!(named.as_str(), expected);
        }
    }

    #[test]
    fn nothing_gets_a_type_that_runs() {
        for name in ["HTML", "SVG", "PDF"] {
            assert_eq!(
                Content::Other(Some(name)).content_type(),
                "application/octet-stream"
            );
        }
    }
}
