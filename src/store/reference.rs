//! Arguments that are a key or a URL.

use std::borrow::Cow;
use std::fmt;

use super::ImageStore;
use crate::error::{Error, Result};
use crate::key::{InvalidKey, ObjectKey};

/// A key, or a URL of the store: an [`ObjectKey`], or text that is either. Text that has a scheme or begins
/// with `/` is a URL.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> lablink_storage::Result<()> {
/// use lablink_storage::{ImageStore, ObjectKey};
///
/// let store = ImageStore::builder().memory().build()?;
/// let key = ObjectKey::parse("components/board.jpg")?;
/// assert!(!store.exists(&key).await?);
/// assert!(!store.exists("components/board.jpg").await?);
/// assert!(!store.exists(store.public_url(&key)).await?);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct KeyOrUrl<'a>(Given<'a>);

#[derive(Clone)]
enum Given<'a> {
    Key(Cow<'a, ObjectKey>),
    Text(Cow<'a, str>),
}

impl ImageStore {
    /// The key that is meant, noted in the span of what is being done.
    pub(super) fn key_of<'a>(&self, given: impl Into<KeyOrUrl<'a>>) -> Result<Cow<'a, ObjectKey>> {
        let key = match given.into().0 {
            Given::Key(key) => key,
            Given::Text(text) => Cow::Owned(self.resolve(&text)?),
        };
        if key.is_original() {
            return Err(no_image_key(&key));
        }
        tracing::Span::current().record("key", tracing::field::display(&key));
        Ok(key)
    }
}

/// An original has no key of its own to the outside: it is found by its image's.
pub(super) fn no_image_key(key: &ObjectKey) -> Error {
    InvalidKey::new(
        key.as_str(),
        "it is the key of an original, which is asked for by its image's key",
    )
    .into()
}

impl<'a> From<&'a ObjectKey> for KeyOrUrl<'a> {
    fn from(key: &'a ObjectKey) -> Self {
        Self(Given::Key(Cow::Borrowed(key)))
    }
}

impl<'a> From<&'a &ObjectKey> for KeyOrUrl<'a> {
    fn from(key: &'a &ObjectKey) -> Self {
        Self::from(*key)
    }
}

impl From<ObjectKey> for KeyOrUrl<'_> {
    fn from(key: ObjectKey) -> Self {
        Self(Given::Key(Cow::Owned(key)))
    }
}

impl<'a> From<&'a str> for KeyOrUrl<'a> {
    fn from(text: &'a str) -> Self {
        Self(Given::Text(Cow::Borrowed(text)))
    }
}

impl<'a> From<&'a String> for KeyOrUrl<'a> {
    fn from(text: &'a String) -> Self {
        Self(Given::Text(Cow::Borrowed(text)))
    }
}

impl From<String> for KeyOrUrl<'_> {
    fn from(text: String) -> Self {
        Self(Given::Text(Cow::Owned(text)))
    }
}

/// Without the query of a URL, which may be signed.
impl fmt::Debug for KeyOrUrl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Given::Key(key) => fmt::Debug::fmt(key, f),
            Given::Text(text) => {
                fmt::Debug::fmt(text.split(['?', '#']).next().unwrap_or_default(), f)
            }
        }
    }
}
