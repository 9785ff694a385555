//! Images and what is known about them: fetch, list, remove.

use std::time::Duration;

use lablink_storage as core;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes};

use super::ImageStore;
use crate::asynchronous::answer;
use crate::error::guard;
use crate::listing::ObjectIterator;
use crate::options::{duration, key, number};
use crate::results;

fn bytes_of(py: Python<'_>, object: core::Object) -> PyResult<Bound<'_, PyAny>> {
    Ok(PyBytes::new(py, &object.bytes).into_any())
}

#[pymethods]
impl ImageStore {
    /// The bytes of an object.
    ///
    /// Args:
    ///     key: key or public URL.
    ///
    /// Raises:
    ///     NotFoundError: there is none.
    ///     LimitExceededError: it is larger than the store's input limit.
    ///
    /// Example:
    ///     >>> from lablink_storage import ImageStore
    ///     >>> store = ImageStore.memory()
    ///     >>> image = store.upload(photo)
    ///     >>> len(store.get(image.key)) == image.size
    ///     True
    #[pyo3(signature = (key))]
    fn get<'py>(&self, py: Python<'py>, key: &Bound<'_, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        guard(|| {
            let (client, key) = (self.client(py)?.clone(), self.key(py, key)?);
            answer(py, async move { client.get(&key).await }, bytes_of)
        })
    }

    /// Returns the original of an image, byte for byte as it came in, where the store keeps them
    /// (keep_original=True).
    ///
    /// Args:
    ///     key: key or public URL of the image.
    ///
    /// Raises:
    ///     NotFoundError: none was kept.
    ///     InvalidKeyError: a key that no upload has.
    ///
    /// Example:
    ///     >>> from lablink_storage import ImageStore
    ///     >>> store = ImageStore.memory(keep_original=True)
    ///     >>> store.original(store.upload(photo).key) == photo
    ///     True
    #[pyo3(signature = (key))]
    fn original<'py>(
        &self,
        py: Python<'py>,
        key: &Bound<'_, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        guard(|| {
            let (client, key) = (self.client(py)?.clone(), self.key(py, key)?);
            answer(py, async move { client.original(&key).await }, bytes_of)
        })
    }

    /// A range of the bytes of an object.
    ///
    /// Args:
    ///     key: key or public URL.
    ///     start: the first byte's offset.
    ///     end: the offset after the last byte; beyond the object's end it is its end.
    ///
    /// Raises:
    ///     InvalidArgumentError: the range is empty or begins beyond the object.
    ///     NotFoundError: there is no such object.
    ///
    /// Example:
    ///     >>> from lablink_storage import ImageStore
    ///     >>> store = ImageStore.memory()
    ///     >>> image = store.upload(photo)
    ///     >>> store.get_range(image.key, 0, 3)
    ///     b'\xff\xd8\xff'
    #[pyo3(signature = (key, start, end))]
    fn get_range<'py>(
        &self,
        py: Python<'py>,
        key: &Bound<'_, PyAny>,
        start: &Bound<'py, PyAny>,
        end: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        guard(|| {
            let (client, key) = (self.client(py)?.clone(), self.key(py, key)?);
            let range = number("start", start)?..number("end", end)?;
            answer(
                py,
                async move { client.get_range(&key, range).await },
                bytes_of,
            )
        })
    }

    /// Returns an object's ObjectInfo without fetching the object.
    ///
    /// Args:
    ///     key: key or public URL.
    ///
    /// Raises:
    ///     NotFoundError: there is none.
    ///
    /// Example:
    ///     >>> from lablink_storage import ImageStore
    ///     >>> store = ImageStore.memory()
    ///     >>> image = store.upload(photo)
    ///     >>> info = store.head(image.key)
    ///     >>> info.content_type, info.size == image.size
    ///     ('image/jpeg', True)
    #[pyo3(signature = (key))]
    fn head<'py>(&self, py: Python<'py>, key: &Bound<'_, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        guard(|| {
            let (client, key) = (self.client(py)?.clone(), self.key(py, key)?);
            answer(py, async move { client.head(&key).await }, |py, info| {
                results::object_info(py, &info)
            })
        })
    }

    /// Returns whether an object exists under a key or public URL.
    ///
    /// Args:
    ///     key: key or public URL.
    ///
    /// Raises:
    ///     InvalidKeyError, ForeignUrlError: no key, or a URL that is not this store's.
    ///     StorageError: another kind of it, where the backend did not say.
    ///
    /// Example:
    ///     >>> from lablink_storage import ImageStore
    ///     >>> store = ImageStore.memory()
    ///     >>> image = store.upload(photo)
    ///     >>> store.exists(image.key), store.exists(image.url)
    ///     (True, True)
    ///     >>> store.exists("components/other.jpg")
    ///     False
    #[pyo3(signature = (key))]
    fn exists<'py>(&self, py: Python<'py>, key: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        guard(|| {
            let (client, key) = (self.client(py)?.clone(), self.key(py, key)?);
            answer(py, async move { client.exists(&key).await }, |py, found| {
                Ok(PyBool::new(py, found).to_owned().into_any())
            })
        })
    }

    /// Iterates over what lies under the store's prefix, page by page as it is read.
    ///
    /// Args:
    ///     prefix: a longer prefix to look under.
    ///
    /// Returns:
    ///     An iterator of ObjectInfo; variants have their name in .variant, pending uploads are left out.
    ///     Errors of the backend are raised while iterating.
    ///
    /// Example:
    ///     >>> from lablink_storage import ImageStore
    ///     >>> store = ImageStore.memory()
    ///     >>> image = store.upload(photo)
    ///     >>> [info.key == image.key for info in store.list()]
    ///     [True]
    #[pyo3(signature = (prefix=None))]
    fn list(&self, py: Python<'_>, prefix: Option<&Bound<'_, PyAny>>) -> PyResult<ObjectIterator> {
        guard(|| {
            let prefix = prefix.map(key).transpose()?;
            Ok(ObjectIterator::new(
                self.client(py)?.list(prefix.as_deref()),
            ))
        })
    }

    /// Removes an image, its variants and its original. Removing what is not there is fine.
    ///
    /// Args:
    ///     key: key or public URL.
    ///
    /// Raises:
    ///     ForeignUrlError: a URL that is not this store's.
    ///
    /// Example:
    ///     >>> from lablink_storage import ImageStore
    ///     >>> store = ImageStore.memory()
    ///     >>> image = store.upload(photo)
    ///     >>> store.delete(image.url)
    ///     >>> store.exists(image.key)
    ///     False
    #[pyo3(signature = (key))]
    fn delete<'py>(&self, py: Python<'py>, key: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        guard(|| {
            let (client, key) = (self.client(py)?.clone(), self.key(py, key)?);
            answer(py, async move { client.delete(&key).await }, |py, ()| {
                Ok(py.None().into_bound(py))
            })
        })
    }

    /// Finds direct uploads that were never promoted, and leftovers of a crash.
    ///
    /// Args:
    ///     older_than: their least age, seconds or a timedelta.
    ///     dry_run: False removes them.
    ///
    /// Returns:
    ///     SweepReport: what could not be removed is in its failures.
    ///
    /// Raises:
    ///     InvalidArgumentError: no duration.
    ///     StorageError: another kind of it, where the backend could not be listed.
    ///
    /// Example:
    ///     >>> from lablink_storage import ImageStore
    ///     >>> store = ImageStore.memory(secret="0123456789abcdef0123456789abcdef")
    ///     >>> post = store.presigned_post("board.jpg")
    ///     >>> received = store.receive_post(post.fields, photo)
    ///     >>> len(store.sweep(older_than=0).found)
    ///     1
    ///     >>> store.sweep(older_than=0, dry_run=False).removed
    ///     1
    #[pyo3(
        signature = (older_than=None, dry_run=true),
        text_signature = "($self, older_than=86400, dry_run=True)"
    )]
    fn sweep<'py>(
        &self,
        py: Python<'py>,
        older_than: Option<&Bound<'py, PyAny>>,
        dry_run: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        guard(|| {
            let older_than = match older_than {
                Some(older_than) => duration("older_than", older_than)?,
                None => Duration::from_secs(24 * 3600),
            };
            let client = self.client(py)?.clone();
            let work = async move { client.sweep(older_than, dry_run).await };
            answer(py, work, |py, report| results::sweep_report(py, &report))
        })
    }

    /// Raises the error that status only reports, within the same 5 seconds.
    fn _check<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        guard(|| {
            let client = self.client(py)?.clone();
            let work = async move { client.check().await };
            answer(py, work, |py, ()| Ok(py.None().into_bound(py)))
        })
    }

    /// Returns whether the backend answers, within 5 seconds. Nothing is written.
    ///
    /// Returns:
    ///     Status: what went wrong and what to do about it are in its error and hint.
    ///
    /// Raises:
    ///     InternalError: a defect of this package's. What the backend does is never raised.
    ///
    /// Example:
    ///     >>> from lablink_storage import ImageStore
    ///     >>> status = ImageStore.memory().status()
    ///     >>> status.backend, status.accessible
    ///     ('memory', True)
    fn status<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        guard(|| {
            let client = self.client(py)?.clone();
            let work = async move { Ok(client.status().await) };
            answer(py, work, |py, status| results::status(py, &status))
        })
    }
}
