//! Direct uploads: received from a form, and promoted.

use lablink_storage as core;
use lablink_storage::ObjectKey;
use pyo3::prelude::*;
use pyo3::types::PyMapping;

use super::ImageStore;
use crate::asynchronous::answer;
use crate::error::{guard, storage};
use crate::options::text;
use crate::{input, options, results};

#[pymethods]
impl ImageStore {
    /// Takes a form that presigned_post gave out, on a local or memory store: the very policy that S3
    /// would enforce.
    ///
    /// Args:
    ///     fields: the form's fields: a mapping, or pairs in their order.
    ///     file: the form's file, as upload takes it.
    ///
    /// Returns:
    ///     ReceivedPost.
    ///
    /// Raises:
    ///     PolicyViolationError: the message says which condition failed.
    ///     NotSupportedError: the store is on S3, or has no secret.
    ///
    /// Example:
    ///     >>> from lablink_storage import ImageStore
    ///     >>> store = ImageStore.memory(secret="0123456789abcdef0123456789abcdef")
    ///     >>> post = store.presigned_post("board.jpg")
    ///     >>> received = store.receive_post(post.fields, photo)
    ///     >>> received.status, received.key == post.key
    ///     (201, True)
    #[pyo3(signature = (fields, file))]
    fn receive_post<'py>(
        &self,
        py: Python<'py>,
        fields: &Bound<'py, PyAny>,
        file: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        guard(|| {
            let fields = post_fields(fields)?;
            let bytes = input::read(file, self.max_bytes())?;
            let client = self.client(py)?.clone();
            let held = bytes.clone();
            let work = async move { client.receive_post(fields, bytes).await };
            answer(py, work, move |py, received| {
                drop(held);
                results::received_post(py, &received)
            })
        })
    }

    /// Checks the fields of a form that presigned_post gave out, before its file is read.
    ///
    /// Args:
    ///     fields: the form's fields without the file, as receive_post takes them.
    ///
    /// Returns:
    ///     int: how many bytes the file may have.
    ///
    /// Raises:
    ///     PolicyViolationError, NotSupportedError: as receive_post.
    ///
    /// Example:
    ///     >>> from lablink_storage import ImageStore
    ///     >>> store = ImageStore.memory(secret="0123456789abcdef0123456789abcdef")
    ///     >>> store.verify_post(store.presigned_post("board.jpg", max_bytes=5000).fields)
    ///     5000
    #[pyo3(signature = (fields))]
    fn verify_post(&self, py: Python<'_>, fields: &Bound<'_, PyAny>) -> PyResult<u64> {
        guard(|| {
            let fields = post_fields(fields)?;
            let client = self.client(py)?;
            py.detach(|| client.verify_post(&fields)).map_err(storage)
        })
    }

    /// Checks the query of a GET that presigned_get gave out, on a local or memory store.
    ///
    /// Args:
    ///     key: key or public URL.
    ///     query: the request's query string.
    ///
    /// Returns:
    ///     GetOverrides: the headers that the answer is to have; None where the query is not signed.
    ///
    /// Raises:
    ///     PolicyViolationError: forged, altered or expired.
    ///
    /// Example:
    ///     >>> from urllib.parse import urlsplit
    ///     >>> from lablink_storage import ImageStore
    ///     >>> store = ImageStore.memory(secret="0123456789abcdef0123456789abcdef")
    ///     >>> image = store.upload(photo)
    ///     >>> request = store.presigned_get(image.key, response_content_type="image/png")
    ///     >>> store.verify_get(image.key, urlsplit(request.url).query).content_type
    ///     'image/png'
    #[pyo3(signature = (key, query))]
    fn verify_get<'py>(
        &self,
        py: Python<'py>,
        key: &Bound<'py, PyAny>,
        query: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        guard(|| {
            let (key, query) = (self.key(py, key)?, text("query", query)?);
            let overrides = self.client(py)?.verify_get(&key, &query).map_err(storage)?;
            overrides
                .map(|overrides| results::get_overrides(py, &overrides))
                .transpose()
        })
    }

    /// Verifies a direct upload and makes it an image of the store: optimized, with its variants, under a
    /// key that keeps the pending key's UUID. The pending object is removed.
    ///
    /// Args:
    ///     key: the pending key that presigned_post or presigned_put named.
    ///     context: a word on this image for the store's inspector, of what JSON has.
    ///
    /// Returns:
    ///     StoredImage, as upload.
    ///
    /// Raises:
    ///     InvalidKeyError: not a pending key of this store.
    ///     NotFoundError: nothing was uploaded, or it was promoted before.
    ///     InvalidImageError: the upload is not an acceptable image; it is left for the sweep.
    ///     RejectedError: the store's inspector rejected it; it is left for the sweep.
    ///
    /// Example:
    ///     >>> from lablink_storage import ImageStore
    ///     >>> store = ImageStore.memory(secret="0123456789abcdef0123456789abcdef")
    ///     >>> post = store.presigned_post("board.jpg")
    ///     >>> received = store.receive_post(post.fields, photo)
    ///     >>> store.promote(post.key).url == post.file_url
    ///     True
    #[pyo3(signature = (key, *, context=None))]
    fn promote<'py>(
        &self,
        py: Python<'py>,
        key: &Bound<'py, PyAny>,
        context: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        guard(|| {
            let key: ObjectKey = options::key(key)?
                .parse()
                .map_err(|error: core::InvalidKey| storage(error.into()))?;
            let mut options = core::PromoteOptions::default();
            options.context = options::context(context)?;
            let client = self.client(py)?.clone();
            let work = async move { client.promote_with(&key, options).await };
            answer(py, work, |py, image| results::stored_image(py, &image))
        })
    }
}

fn post_fields(fields: &Bound<'_, PyAny>) -> PyResult<Vec<(String, String)>> {
    let pairs = match fields.cast::<PyMapping>() {
        Ok(mapping) => mapping.items()?.into_any(),
        Err(_) => fields.clone(),
    };
    pairs
        .try_iter()?
        .map(|pair| {
            let (name, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = pair?.extract()?;
            Ok((text("fields", &name)?, text("fields", &value)?))
        })
        .collect()
}
