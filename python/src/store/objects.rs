//! Images and what is known about them: store, fetch, list, remove, name.

use std::time::Duration;

use lablink_storage as core;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes};

use super::ImageStore;
use crate::asynchronous::{answer, answer_or_undo};
use crate::error::{guard, storage};
use crate::listing::ObjectIterator;
use crate::options::{
    context as given_context, duration, key, number, optimize_options, optional_text, text,
};
use crate::runtime::{runtime, wait};
use crate::{input, results};

fn bytes_of(py: Python<'_>, object: core::Object) -> PyResult<Bound<'_, PyAny>> {
    Ok(PyBytes::new(py, &object.bytes).into_any())
}

/// Removes an image of which its caller never learned.
fn undo_upload(store: core::ImageStore) -> impl FnOnce(core::StoredImage) + Send + 'static {
    move |image| {
        if let Ok(runtime) = runtime() {
            runtime.spawn(async move { store.delete(&image.key).await });
        }
    }
}

#[pymethods]
impl ImageStore {
    /// Checks, optimizes and stores an image under a new key. Nothing is ever overwritten.
    ///
    /// Args:
    ///     file: bytes, bytearray, memoryview, a path object, or a binary file object (a werkzeug
    ///         FileStorage too), which is read from where it stands, put back there and left open.
    ///     filename: the name at the user's, for logs and errors; key and type come from the bytes.
    ///     optimize: how to optimize this one image instead of as the store does; see OptimizeOptions.
    ///     context: a word on this image for the store's inspector, of what JSON has.
    ///
    /// Returns:
    ///     StoredImage.
    ///
    /// Raises:
    ///     UnsupportedFormatError, LimitExceededError, InvalidImageError: the image was refused.
    ///     RejectedError: the store's inspector rejected it.
    ///     StorageError: another kind of it, where storing failed. Nothing is half stored.
    ///
    /// Example:
    ///     >>> from lablink_storage import ImageStore
    ///     >>> image = ImageStore.memory().upload(photo, filename="board.png")
    ///     >>> image.key.endswith(".jpg"), image.content_type
    ///     (True, 'image/jpeg')
    #[pyo3(signature = (file, filename=None, *, optimize=None, context=None))]
    fn upload<'py>(
        &self,
        py: Python<'py>,
        file: &Bound<'py, PyAny>,
        filename: Option<&Bound<'py, PyAny>>,
        optimize: Option<&Bound<'py, PyAny>>,
        context: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        guard(|| {
            let mut options = core::UploadOptions::default();
            options.context = given_context(context)?;
            let mut most = self.max_bytes();
            if let Some(optimize) = optimize {
                // What is not said stays as the store's own.
                let own = self.config.optimize().clone();
                let optimize = optimize_options("optimize", optimize, own)?;
                most = optimize.limits.max_bytes;
                options = options.with_optimize(optimize);
            }
            let filename = optional_text("filename", filename)?;
            if let Some(name) = filename.or_else(|| input::name_of(file)) {
                options = options.with_filename(name);
            }
            let bytes = input::read(file, most)?;
            let client = self.client(py)?.clone();
            // Held until the GIL is back, so that a buffer of Python's is given back under it.
            let held = bytes.clone();
            let undo = undo_upload(client.clone());
            answer_or_undo(
                py,
                async move { client.upload(bytes, options).await },
                move |py, image| {
                    drop(held);
                    results::stored_image(py, &image)
                },
                undo,
            )
        })
    }

    /// Fetches an image from a URL and stores it as upload does. Off unless hosts are allowed (fetch_hosts);
    /// only public addresses are asked, and every redirect is checked like the URL itself.
    ///
    /// Args:
    ///     url: an http or https URL.
    ///     filename: the name for logs and errors; by default the one that the URL ends with.
    ///     optimize: how to optimize this one image instead of as the store does; see OptimizeOptions.
    ///     context: a word on this image for the store's inspector, of what JSON has.
    ///
    /// Returns:
    ///     StoredImage.
    ///
    /// Raises:
    ///     NotSupportedError: no host is allowed.
    ///     PolicyViolationError: this URL may not be fetched.
    ///     UnavailableError, StorageTimeoutError: the other server is the cause.
    ///     UnsupportedFormatError, LimitExceededError, InvalidImageError: the image was refused.
    ///     RejectedError: the store's inspector rejected it.
    ///
    /// Example:
    ///     >>> from lablink_storage import ImageStore
    ///     >>> store = ImageStore.memory(fetch_hosts=["*"])
    ///     >>> store.upload_from_url("http://169.254.169.254/latest/meta-data/")
    ///     Traceback (most recent call last):
    ///     lablink_storage._exceptions.PolicyViolationError: the URL may not be fetched
    #[pyo3(signature = (url, filename=None, *, optimize=None, context=None))]
    fn upload_from_url<'py>(
        &self,
        py: Python<'py>,
        url: &Bound<'py, PyAny>,
        filename: Option<&Bound<'py, PyAny>>,
        optimize: Option<&Bound<'py, PyAny>>,
        context: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        guard(|| {
            let url = text("url", url)?;
            let mut options = core::UploadOptions::default();
            options.filename = optional_text("filename", filename)?;
            options.context = given_context(context)?;
            if let Some(optimize) = optimize {
                let own = self.config.optimize().clone();
                options = options.with_optimize(optimize_options("optimize", optimize, own)?);
            }
            let client = self.client(py)?.clone();
            let undo = undo_upload(client.clone());
            answer_or_undo(
                py,
                async move { client.upload_from_url(&url, options).await },
                |py, image| results::stored_image(py, &image),
                undo,
            )
        })
    }

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
    #[pyo3(signature = (key))]
    fn erase<'py>(&self, py: Python<'py>, key: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        guard(|| {
            let (client, key) = (self.client(py)?.clone(), self.key(py, key)?);
            answer(py, async move { client.erase(&key).await }, |py, ()| {
                Ok(py.None().into_bound(py))
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

    /// Removes an image and its variants. Removing what is not there is fine.
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
    fn _check(&self, py: Python<'_>) -> PyResult<()> {
        guard(|| {
            let client = self.client(py)?;
            wait(py, client.check())?.map_err(storage)
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
