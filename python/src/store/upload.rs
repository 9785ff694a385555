//! New images.

use lablink_storage as core;
use pyo3::prelude::*;

use super::ImageStore;
use crate::asynchronous::answer_or_undo;
use crate::error::guard;
use crate::options::{context as given_context, optimize_options, optional_text, text};
use crate::runtime::runtime;
use crate::{input, results};

/// Removes an image of which its caller never learned.
fn undo_upload(store: core::ImageStore) -> impl FnOnce(core::StoredImage) + Send + 'static {
    move |image| take_back(store, image.key)
}

fn take_back(store: core::ImageStore, key: core::ObjectKey) {
    if let Ok(runtime) = runtime() {
        runtime.spawn(async move { store.delete(&key).await });
    }
}

#[pymethods]
impl ImageStore {
    /// Checks, optimizes and stores an image under a new key. Nothing is ever overwritten.
    ///
    /// Args:
    ///     file: bytes, bytearray, memoryview, a path object, or a binary file object (a werkzeug
    ///         FileStorage too), which is read from where it stands, put back there and left open.
    ///     filename: the name at the user's, for logs and the inspector; key and type come from the bytes.
    ///     optimize: how to optimize this one image; what it does not name stays as the store has it. See OptimizeOptions.
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
    ///     filename: the name for logs and the inspector; by default the one that the URL ends with.
    ///     optimize: how to optimize this one image; what it does not name stays as the store has it. See OptimizeOptions.
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

    /// Removes an image whose caller was cancelled when it was there already. Nobody waits for it.
    fn _take_back(&self, py: Python<'_>, key: &Bound<'_, PyAny>) -> PyResult<()> {
        guard(|| {
            take_back(self.client(py)?.clone(), self.key(py, key)?);
            Ok(())
        })
    }
}
