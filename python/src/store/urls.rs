//! From keys to URLs and back, without a request.

use pyo3::prelude::*;

use super::ImageStore;
use crate::error::{guard, storage};
use crate::options::{key, text};

#[pymethods]
impl ImageStore {
    /// The URL under which anyone can fetch an image, if the bucket allows it. Nothing is asked.
    ///
    /// Args:
    ///     key: key or public URL.
    ///
    /// Raises:
    ///     InvalidKeyError, ForeignUrlError: no key, or a URL that is not this store's.
    ///
    /// Example:
    ///     >>> from lablink_storage import ImageStore
    ///     >>> ImageStore.memory().public_url("components/board.jpg")
    ///     'memory://lablink/components/board.jpg'
    #[pyo3(signature = (key))]
    fn public_url(&self, py: Python<'_>, key: &Bound<'_, PyAny>) -> PyResult<String> {
        guard(|| Ok(self.client(py)?.public_url(&self.key(py, key)?)))
    }

    /// The public URL of one of the store's variants of an image. Nothing is asked.
    ///
    /// Args:
    ///     key: key or public URL of the image.
    ///     name: the variant's name.
    ///
    /// Raises:
    ///     InvalidArgumentError: the store has no variant of that name.
    ///
    /// Example:
    ///     >>> from lablink_storage import ImageStore
    ///     >>> store = ImageStore.memory(variants={"thumb": {"max_width": 320}})
    ///     >>> image = store.upload(photo)
    ///     >>> store.variant_url(image.key, "thumb") == image.variants["thumb"].url
    ///     True
    #[pyo3(signature = (key, name))]
    fn variant_url(
        &self,
        py: Python<'_>,
        key: &Bound<'_, PyAny>,
        name: &Bound<'_, PyAny>,
    ) -> PyResult<String> {
        guard(|| {
            let (key, name) = (self.key(py, key)?, text("name", name)?);
            self.client(py)?.variant_url(&key, &name).map_err(storage)
        })
    }

    /// The key that a public URL of this store stands for. It never guesses.
    ///
    /// Args:
    ///     url: public URL.
    ///
    /// Raises:
    ///     ForeignUrlError: any other URL.
    ///     InvalidArgumentError: it is not UTF-8.
    ///
    /// Example:
    ///     >>> from lablink_storage import ImageStore
    ///     >>> store = ImageStore.memory()
    ///     >>> store.key_from_url("memory://lablink/components/board.jpg")
    ///     'components/board.jpg'
    #[pyo3(signature = (url))]
    fn key_from_url(&self, py: Python<'_>, url: &Bound<'_, PyAny>) -> PyResult<String> {
        guard(|| {
            let url = text("url", url)?;
            let key = self.client(py)?.key_from_url(&url).map_err(storage)?;
            Ok(key.as_str().to_owned())
        })
    }

    /// The key that may be served under a public path: below the prefix, and no pending upload or original.
    ///
    /// Args:
    ///     path: the path below the base URL, decoded.
    ///
    /// Raises:
    ///     InvalidKeyError: any other.
    ///
    /// Example:
    ///     >>> from lablink_storage import ImageStore
    ///     >>> ImageStore.memory().public_key("components/board.jpg")
    ///     'components/board.jpg'
    #[pyo3(signature = (path))]
    fn public_key(&self, py: Python<'_>, path: &Bound<'_, PyAny>) -> PyResult<String> {
        guard(|| {
            let path = key(path)?;
            let key = self.client(py)?.public_key(&path).map_err(storage)?;
            Ok(key.as_str().to_owned())
        })
    }
}
