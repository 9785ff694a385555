//! Named versions of an image, and how their keys follow from its own.

use crate::format::ImageFormat;
use crate::key::{InvalidKey, ObjectKey};
use crate::optimize::{OptimizeError, OptimizeOptions, OutputFormat};

/// Longest name of a variant, in bytes.
const MAX_NAME: usize = 32;

/// A version of every image that a store writes beside it: a name, and how it is made.
///
/// ```
/// use lablink_storage::{OptimizeOptions, Variant};
///
/// let thumb = Variant::new("thumb", OptimizeOptions::default().with_max_size(320, 320))?;
/// assert_eq!(thumb.name(), "thumb");
/// assert!(Variant::new("Thumb 1", OptimizeOptions::default()).is_err());
/// # Ok::<(), lablink_storage::InvalidVariant>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Variant {
    name: String,
    options: OptimizeOptions,
    format: Option<OutputFormat>,
    lazy: bool,
}

/// A name that no variant can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid variant name {name:?}: 1 to 32 of a-z, 0-9 and '-' are allowed")]
#[non_exhaustive]
pub struct InvalidVariant {
    /// The value given, cut to its first 100 characters.
    pub name: String,
}

impl Variant {
    /// Checks the name: 1 to 32 of `a-z`, `0-9` and `-`. The format in `options` is not used: a variant
    /// has its image's, or the one that [`with_format`](Self::with_format) sets.
    ///
    /// ```
    /// use lablink_storage::{OptimizeOptions, Variant};
    ///
    /// let thumb = Variant::new("thumb", OptimizeOptions::default().with_max_size(320, 320))?;
    /// assert_eq!(thumb.name(), "thumb");
    ///
    /// let error = Variant::new("Thumb 1", OptimizeOptions::default()).unwrap_err();
    /// assert_eq!(error.name, "Thumb 1");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`InvalidVariant`].
    pub fn new(name: impl Into<String>, options: OptimizeOptions) -> Result<Self, InvalidVariant> {
        let name = name.into();
        if is_name(&name) {
            Ok(Self {
                name,
                options,
                format: None,
                lazy: false,
            })
        } else {
            Err(InvalidVariant {
                name: name.chars().take(100).collect(),
            })
        }
    }

    /// Gives it a format of its own, so that one upload serves browsers that know the newer formats and
    /// those that do not. A store refuses [`OutputFormat::Auto`] here: the key of a variant has its
    /// format, and is known without the picture.
    ///
    /// ```
    /// use lablink_storage::{ObjectKey, OptimizeOptions, OutputFormat, Variant};
    ///
    /// let card = Variant::new("card", OptimizeOptions::default())?.with_format(OutputFormat::WebP);
    /// let key = ObjectKey::parse("components/6f9619ff-8b86-4d01-b42d-00cf4fc964ff.jpg")?;
    /// assert_eq!(
    ///     card.key(&key)?.as_str(),
    ///     "components/6f9619ff-8b86-4d01-b42d-00cf4fc964ff/card.webp",
    /// );
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_format(mut self, format: OutputFormat) -> Self {
        self.format = Some(format);
        self
    }

    /// Returns the format of its own, if it has one.
    pub fn format(&self) -> Option<OutputFormat> {
        self.format
    }

    /// Leaves it to be made when somebody asks for it, by
    /// [`ImageStore::ensure_variant`](crate::ImageStore::ensure_variant): uploads do not write it. Off by
    /// default.
    #[must_use]
    pub fn with_lazy(mut self, lazy: bool) -> Self {
        self.lazy = lazy;
        self
    }

    /// Returns whether it is made only when somebody asks for it.
    pub fn is_lazy(&self) -> bool {
        self.lazy
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns its options.
    pub fn options(&self) -> &OptimizeOptions {
        &self.options
    }

    /// Returns its options for an image of this format.
    #[cfg_attr(not(feature = "store"), allow(dead_code))]
    pub(crate) fn options_beside(&self, image: OutputFormat) -> OptimizeOptions {
        self.options.clone().in_format(self.format.unwrap_or(image))
    }

    /// Checks its options, and that its format is one.
    #[cfg_attr(not(feature = "store"), allow(dead_code))]
    pub(crate) fn validate(&self) -> Result<(), OptimizeError> {
        if self.format == Some(OutputFormat::Auto) {
            return Err(OptimizeError::InvalidOption {
                name: "format",
                reason:
                    "a variant's is one that its key can tell: name it, or leave it out for the \
                         image's own"
                        .into(),
            });
        }
        // A format that comes from its image is checked with it.
        self.options_beside(OutputFormat::Jpeg).validate()
    }

    /// Returns its key for the image at `parent`: `<prefix>/<uuid>/<name>.<ext>`.
    ///
    /// Pure: it says where the variant is if there is one.
    ///
    /// # Errors
    ///
    /// [`InvalidKey`] where `parent` has no variants, as [`variant_key`] says.
    pub fn key(&self, parent: &ObjectKey) -> Result<ObjectKey, InvalidKey> {
        let own = self.format.and_then(OutputFormat::fixed);
        key_beside(parent, &self.name, own.map(ImageFormat::extension))
    }
}

fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(allowed)
}

/// The key of the variant `name`, in the format of its image at `parent`: `<prefix>/<uuid>/<name>.<ext>`.
///
/// Pure: it says where the variant is if there is one.
///
/// ```
/// use lablink_storage::{ObjectKey, variant_key};
///
/// let key = ObjectKey::parse("components/6f9619ff-8b86-4d01-b42d-00cf4fc964ff.jpg")?;
/// assert_eq!(
///     variant_key(&key, "thumb")?.as_str(),
///     "components/6f9619ff-8b86-4d01-b42d-00cf4fc964ff/thumb.jpg",
/// );
/// # Ok::<(), lablink_storage::InvalidKey>(())
/// ```
///
/// # Errors
///
/// [`InvalidKey`] where `name` is not a variant's name, or `parent` has no variants: its stem is not the
/// UUID that an upload gets, it has no extension, or it is still pending.
pub fn variant_key(parent: &ObjectKey, name: &str) -> Result<ObjectKey, InvalidKey> {
    key_beside(parent, name, None)
}

/// The key of a variant with an extension of its `own`, or that of its image.
pub(crate) fn key_beside(
    parent: &ObjectKey,
    name: &str,
    own: Option<&str>,
) -> Result<ObjectKey, InvalidKey> {
    let invalid = |reason| InvalidKey::new(parent.as_str(), reason);
    if !is_name(name) {
        return Err(invalid(
            "the variant's name is not 1 to 32 of a-z, 0-9 and '-'",
        ));
    }
    let (folder, extension) = variants_of(parent)
        .zip(parent.extension())
        .ok_or_else(|| invalid("only the keys of uploads have variants"))?;
    let extension = own.unwrap_or(extension);
    ObjectKey::parse(format!("{folder}{name}.{extension}"))
}

/// `<prefix>/<uuid>/`, which every variant of `parent` begins with and nothing else does; `None` where
/// `parent` is not an upload's key and so may have no variants.
pub fn variants_of(parent: &ObjectKey) -> Option<String> {
    if parent.is_pending() {
        return None;
    }
    parent.uuid()?;
    let (folder, _) = parent.as_str().rsplit_once('.')?;
    Some(format!("{folder}/"))
}

/// The name of the variant at `key`, if it has the form of a variant's key.
///
/// ```
/// use lablink_storage::{ObjectKey, variant_name};
///
/// let key = ObjectKey::parse("components/6f9619ff-8b86-4d01-b42d-00cf4fc964ff/thumb.webp")?;
/// assert_eq!(variant_name(&key), Some("thumb"));
/// # Ok::<(), lablink_storage::InvalidKey>(())
/// ```
pub fn variant_name(key: &ObjectKey) -> Option<&str> {
    let (_, file_name) = key.as_str().rsplit_once('/')?;
    let (name, _) = file_name.rsplit_once('.')?;
    if !is_name(name) {
        return None;
    }
    image_beside(key).map(|_| name)
}

/// The image of a variant, if both have the same format. An image of another format may be its own as well:
/// a variant's key tells the id and not more.
pub(crate) fn image_beside(variant: &ObjectKey) -> Option<ObjectKey> {
    let (folder, _) = variant.as_str().rsplit_once('/')?;
    let parent = ObjectKey::parse(format!("{folder}.{}", variant.extension()?)).ok()?;
    variants_of(&parent).map(|_| parent)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff";

    fn key(text: &str) -> ObjectKey {
        ObjectKey::parse(text).expect(text)
    }

    #[test]
    fn names_are_checked() {
        let options = OptimizeOptions::default;
        for name in ["a", "thumb", "2x", "a-b", &"a".repeat(32)] {
            assert!(Variant::new(name, options()).is_ok(), "{name}");
        }
        for name in ["", "Thumb", "a_b", "a.b", "a/b", "..", "é", &"a".repeat(33)] {
            assert!(Variant::new(name, options()).is_err(), "{name}");
            assert!(variant_key(&key(&format!("p/{ID}.jpg")), name).is_err());
        }
    }

    #[test]
    fn a_variant_leads_back_to_its_image() {
        for parent in [format!("components/{ID}.webp"), format!("{ID}.jpg")] {
            let parent = key(&parent);
            let variant = variant_key(&parent, "thumb").expect("an upload's key");
            assert_eq!(variant.extension(), parent.extension());
            assert!(
                variant
                    .as_str()
                    .starts_with(&variants_of(&parent).expect("has variants"))
            );
            assert_eq!(variant_name(&variant), Some("thumb"));
            assert_eq!(image_beside(&variant), Some(parent));
        }
    }

    #[test]
    fn only_uploads_have_variants() {
        for text in [
            "components/board.jpg".to_owned(),
            "components/board".to_owned(),
            format!("components/{ID}"),
            format!("components/{}.jpg", ID.to_uppercase()),
            format!("components/{ID}/thumb.jpg"),
            format!("pending/components/{ID}.jpg"),
        ] {
            assert_eq!(variants_of(&key(&text)), None, "{text}");
            assert!(variant_key(&key(&text), "thumb").is_err(), "{text}");
        }
        for text in [
            format!("components/{ID}.jpg"),
            format!("components/{ID}/a_b.jpg"),
            format!("components/{ID}/thumb"),
            format!("components/{ID}/thumb/x.jpg"),
            "components/board/thumb.jpg".to_owned(),
            format!("pending/components/{ID}/thumb.jpg"),
        ] {
            assert_eq!(variant_name(&key(&text)), None, "{text}");
        }
    }
}
