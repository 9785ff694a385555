//! Earlier versions of an image.

use pyo3::prelude::*;

use super::ImageStore;
use crate::asynchronous::answer;
use crate::error::guard;
use crate::options::optional_text;
use crate::results;

#[pymethods]
impl ImageStore {
    /// Returns the versions of an object, the newest first, in a bucket with versioning.
    ///
    /// Args:
    ///     key: key or public URL.
    ///
    /// Returns:
    ///     A list of ObjectVersion; a deletion is one of them.
    ///
    /// Raises:
    ///     NotSupportedError: no versions are kept.
    ///
    /// Example:
    ///     >>> from lablink_storage import ImageStore
    ///     >>> store = ImageStore.memory()
    ///     >>> store.versions("components/board.jpg")
    ///     Traceback (most recent call last):
    ///     lablink_storage._exceptions.NotSupportedError: ...
    #[pyo3(signature = (key))]
    fn versions<'py>(
        &self,
        py: Python<'py>,
        key: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        guard(|| {
            let (client, key) = (self.client(py)?.clone(), self.key(py, key)?);
            answer(
                py,
                async move { client.versions(&key).await },
                |py, versions| results::object_versions(py, &versions),
            )
        })
    }

    /// Brings a deleted image back with its variants and its original, in a bucket with versioning.
    ///
    /// Args:
    ///     key: key or public URL.
    ///     version: the version to put in the place of the present one.
    ///
    /// Returns:
    ///     ObjectInfo.
    ///
    /// Raises:
    ///     NotSupportedError: no versions are kept.
    ///     AlreadyExistsError: the image is there, and no version was named.
    ///     NotFoundError: no such version is left.
    ///
    /// Example:
    ///     >>> from lablink_storage import ImageStore
    ///     >>> store = ImageStore.memory()
    ///     >>> store.restore("components/board.jpg")
    ///     Traceback (most recent call last):
    ///     lablink_storage._exceptions.NotSupportedError: ...
    #[pyo3(signature = (key, version=None))]
    fn restore<'py>(
        &self,
        py: Python<'py>,
        key: &Bound<'py, PyAny>,
        version: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        guard(|| {
            let (client, key) = (self.client(py)?.clone(), self.key(py, key)?);
            let version = optional_text("version", version)?;
            answer(
                py,
                async move { client.restore(&key, version.as_deref()).await },
                |py, info| results::object_info(py, &info),
            )
        })
    }

    /// Removes an image for good: every version of it, of its variants and of its original.
    ///
    /// Args:
    ///     key: key or public URL.
    ///
    /// Raises:
    ///     NotSupportedError: no versions are kept; delete does all there.
    ///
    /// Example:
    ///     >>> from lablink_storage import ImageStore
    ///     >>> store = ImageStore.memory()
    ///     >>> store.erase("components/board.jpg")
    ///     Traceback (most recent call last):
    ///     lablink_storage._exceptions.NotSupportedError: ...
    #[pyo3(signature = (key))]
    fn erase<'py>(&self, py: Python<'py>, key: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        guard(|| {
            let (client, key) = (self.client(py)?.clone(), self.key(py, key)?);
            answer(py, async move { client.erase(&key).await }, |py, ()| {
                Ok(py.None().into_bound(py))
            })
        })
    }
}
