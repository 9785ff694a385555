//! Requests for clients without credentials.

use std::time::Duration;

use lablink_storage as core;
use pyo3::prelude::*;

use super::ImageStore;
use crate::asynchronous::answer;
use crate::error::{guard, storage};
use crate::options::{duration, number, optional_text, text};
use crate::results;

#[pymethods]
impl ImageStore {
    /// Signs a GET for a client without credentials.
    ///
    /// Args:
    ///     key: key or public URL.
    ///     expires_in: seconds or a timedelta, 1 s to 7 days.
    ///     download_as: makes browsers save the image under this name.
    ///     response_content_type: content type of the answer instead of the stored one.
    ///
    /// Returns:
    ///     PresignedRequest.
    ///
    /// Raises:
    ///     InvalidArgumentError: the duration is outside its range.
    ///     NotSupportedError: a local or memory store without a secret.
    ///
    /// Example:
    ///     >>> from lablink_storage import ImageStore
    ///     >>> store = ImageStore.memory(secret="0123456789abcdef0123456789abcdef")
    ///     >>> image = store.upload(photo)
    ///     >>> request = store.presigned_get(image.key, expires_in=600, download_as="board.jpg")
    ///     >>> request.method, request.url.startswith(image.url + "?")
    ///     ('GET', True)
    #[pyo3(
        signature = (key, expires_in=None, download_as=None, response_content_type=None),
        text_signature = "($self, key, expires_in=3600, download_as=None, response_content_type=None)"
    )]
    fn presigned_get<'py>(
        &self,
        py: Python<'py>,
        key: &Bound<'py, PyAny>,
        expires_in: Option<&Bound<'py, PyAny>>,
        download_as: Option<&Bound<'py, PyAny>>,
        response_content_type: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        guard(|| {
            let mut options = core::PresignGetOptions::default();
            if let Some(expires_in) = expires(expires_in)? {
                options = options.with_expires_in(expires_in);
            }
            if let Some(name) = optional_text("download_as", download_as)? {
                options = options.with_download_as(name);
            }
            let content_type = optional_text("response_content_type", response_content_type)?;
            if let Some(content_type) = content_type {
                options = options.with_response_content_type(content_type);
            }
            let (client, key) = (self.client(py)?.clone(), self.key(py, key)?);
            let work = async move { client.presigned_get(&key, options).await };
            answer(py, work, |py, request| {
                results::presigned_request(py, &request)
            })
        })
    }

    /// Signs a GET of an original for a client without credentials, on S3. Browsers save it and never show it.
    ///
    /// Args:
    ///     key: key or public URL of the image.
    ///     expires_in: seconds or a timedelta, 1 s to 7 days.
    ///     download_as: the name to save it under. Default the image's id.
    ///
    /// Returns:
    ///     PresignedRequest.
    ///
    /// Raises:
    ///     NotFoundError: none was kept.
    ///     NotSupportedError: a local or memory store, whose originals no route serves.
    ///
    /// Example:
    ///     >>> from lablink_storage import ImageStore
    ///     >>> store = ImageStore.from_env(keep_original=True)
    ///     >>> image = store.upload(photo)
    ///     >>> request = store.presigned_original(image.key, expires_in=600, download_as="board.jpg")
    ///     >>> "/originals/components/" in request.url
    ///     True
    #[pyo3(
        signature = (key, expires_in=None, download_as=None),
        text_signature = "($self, key, expires_in=3600, download_as=None)"
    )]
    fn presigned_original<'py>(
        &self,
        py: Python<'py>,
        key: &Bound<'py, PyAny>,
        expires_in: Option<&Bound<'py, PyAny>>,
        download_as: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        guard(|| {
            let mut options = core::PresignGetOptions::default();
            if let Some(expires_in) = expires(expires_in)? {
                options = options.with_expires_in(expires_in);
            }
            if let Some(name) = optional_text("download_as", download_as)? {
                options = options.with_download_as(name);
            }
            let (client, key) = (self.client(py)?.clone(), self.key(py, key)?);
            let work = async move { client.presigned_original(&key, options).await };
            answer(py, work, |py, request| {
                results::presigned_request(py, &request)
            })
        })
    }

    /// Signs a PUT to a new key for a client without credentials.
    ///
    /// Args:
    ///     filename: the name at the user's; its extension is the default of the type.
    ///     content_type: the type that has to be sent; one of the accepted raster types.
    ///     expires_in: seconds or a timedelta, 1 s to 7 days.
    ///     pending: whether it lands under a pending key, to be promoted.
    ///     content_length: the exact length of the file, which is signed; without it the upload has no
    ///         bound.
    ///
    /// Returns:
    ///     PresignedRequest; its headers have to be sent. Its file_url is the URL after promote.
    ///
    /// Raises:
    ///     UnsupportedFormatError or InvalidArgumentError: a type that the store does not accept.
    ///     LimitExceededError: a length over the store's max_upload_bytes.
    ///     NotSupportedError: a local or memory store.
    ///
    /// Example:
    ///     >>> from lablink_storage import ImageStore
    ///     >>> store = ImageStore.s3("lab-images", access_key_id="AKIDEXAMPLE",
    ///     ...                       secret_access_key="example")
    ///     >>> request = store.presigned_put("board.png")
    ///     >>> request.method, request.headers["content-type"]
    ///     ('PUT', 'image/png')
    #[pyo3(
        signature = (filename, content_type=None, expires_in=None, pending=true, content_length=None),
        text_signature = "($self, filename, content_type=None, expires_in=3600, pending=True, \
                          content_length=None)"
    )]
    fn presigned_put<'py>(
        &self,
        py: Python<'py>,
        filename: &Bound<'py, PyAny>,
        content_type: Option<&Bound<'py, PyAny>>,
        expires_in: Option<&Bound<'py, PyAny>>,
        pending: bool,
        content_length: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        guard(|| {
            let filename = text("filename", filename)?;
            let mut options = core::PresignPutOptions::default().with_pending(pending);
            if let Some(length) = content_length {
                options = options.with_content_length(number("content_length", length)?);
            }
            if let Some(expires_in) = expires(expires_in)? {
                options = options.with_expires_in(expires_in);
            }
            if let Some(content_type) = optional_text("content_type", content_type)? {
                options = options.with_content_type(content_type);
            }
            let client = self.client(py)?.clone();
            let work = async move { client.presigned_put(&filename, options).await };
            answer(py, work, |py, request| {
                results::presigned_request(py, &request)
            })
        })
    }

    /// Signs a form with which a client without credentials uploads one file to a new key.
    ///
    /// Args:
    ///     filename: the name at the user's; its extension is the default of the type.
    ///     content_type: the type that has to be sent; one of the accepted raster types.
    ///     max_bytes: largest file. Default the store's max_upload_bytes.
    ///     expires_in: seconds or a timedelta, 1 s to 7 days. Until then the form can be used again.
    ///     pending: whether it lands under a pending key, to be promoted. False names a final key at once:
    ///         the form can overwrite it until it expires, and nobody looks at the bytes.
    ///
    /// Returns:
    ///     PresignedPost.
    ///
    /// Raises:
    ///     UnsupportedFormatError or InvalidArgumentError: a type that the store does not accept.
    ///     NotSupportedError: a local or memory store without a secret.
    ///
    /// Example:
    ///     >>> from lablink_storage import ImageStore
    ///     >>> store = ImageStore.memory(secret="0123456789abcdef0123456789abcdef")
    ///     >>> post = store.presigned_post("board.png")
    ///     >>> post.key.startswith("pending/components/"), post.fields["Content-Type"]
    ///     (True, 'image/png')
    #[pyo3(
        signature = (filename, content_type=None, max_bytes=None, expires_in=None, pending=true),
        text_signature = "($self, filename, content_type=None, max_bytes=None, \
                          expires_in=3600, pending=True)"
    )]
    fn presigned_post<'py>(
        &self,
        py: Python<'py>,
        filename: &Bound<'py, PyAny>,
        content_type: Option<&Bound<'py, PyAny>>,
        max_bytes: Option<&Bound<'py, PyAny>>,
        expires_in: Option<&Bound<'py, PyAny>>,
        pending: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        guard(|| {
            let filename = text("filename", filename)?;
            let mut options = core::PresignPostOptions::default().with_pending(pending);
            if let Some(max_bytes) = max_bytes {
                options = options.with_max_bytes(number("max_bytes", max_bytes)?);
            }
            if let Some(expires_in) = expires(expires_in)? {
                options = options.with_expires_in(expires_in);
            }
            if let Some(content_type) = optional_text("content_type", content_type)? {
                options = options.with_content_type(content_type);
            }
            let client = self.client(py)?.clone();
            let work = async move { client.presigned_post(&filename, options).await };
            answer(py, work, |py, post| results::presigned_post(py, &post))
        })
    }

    /// A CloudFront URL that holds for a while.
    ///
    /// Args:
    ///     key: key or public URL.
    ///     expires_in: seconds or a timedelta; CloudFront has no upper bound.
    ///     starts_in: from how long after now it holds, seconds or a timedelta.
    ///     ip_range: client addresses that may use it, in CIDR notation.
    ///
    /// Returns:
    ///     PresignedRequest.
    ///
    /// Raises:
    ///     NotSupportedError: no CloudFront domain or key is configured.
    ///
    /// Example:
    ///     >>> from lablink_storage import ImageStore
    ///     >>> store = ImageStore.s3("lab-images", cloudfront_domain="images.lab.example",
    ///     ...                       cloudfront_key_pair_id="K2JCJMDEHXQW5F",
    ///     ...                       cloudfront_private_key=private_key)
    ///     >>> store.signed_url("components/board.jpg", expires_in=600).url
    ///     'https://images.lab.example/components/board.jpg?Expires=...&Signature=...'
    #[pyo3(
        signature = (key, expires_in=None, starts_in=None, ip_range=None),
        text_signature = "($self, key, expires_in=3600, starts_in=None, ip_range=None)"
    )]
    fn signed_url<'py>(
        &self,
        py: Python<'py>,
        key: &Bound<'py, PyAny>,
        expires_in: Option<&Bound<'py, PyAny>>,
        starts_in: Option<&Bound<'py, PyAny>>,
        ip_range: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        guard(|| {
            let options = access(expires_in, starts_in, ip_range)?;
            let (client, key) = (self.client(py)?, self.key(py, key)?);
            let request = py
                .detach(|| client.signed_url(&key, options))
                .map_err(storage)?;
            results::presigned_request(py, &request)
        })
    }

    /// CloudFront cookies that open many images for a while.
    ///
    /// Args:
    ///     path: what they open, with * and ? as wildcards. Default the store's prefix.
    ///     expires_in, starts_in, ip_range: as signed_url.
    ///
    /// Returns:
    ///     SignedCookies.
    ///
    /// Raises:
    ///     NotSupportedError: no CloudFront domain or key is configured.
    ///
    /// Example:
    ///     >>> from lablink_storage import ImageStore
    ///     >>> store = ImageStore.s3("lab-images", cloudfront_domain="images.lab.example",
    ///     ...                       cloudfront_key_pair_id="K2JCJMDEHXQW5F",
    ///     ...                       cloudfront_private_key=private_key)
    ///     >>> "CloudFront-Policy" in store.signed_cookies().cookies
    ///     True
    #[pyo3(
        signature = (path=None, expires_in=None, starts_in=None, ip_range=None),
        text_signature = "($self, path=None, expires_in=3600, starts_in=None, ip_range=None)"
    )]
    fn signed_cookies<'py>(
        &self,
        py: Python<'py>,
        path: Option<&Bound<'py, PyAny>>,
        expires_in: Option<&Bound<'py, PyAny>>,
        starts_in: Option<&Bound<'py, PyAny>>,
        ip_range: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        guard(|| {
            let access = access(expires_in, starts_in, ip_range)?;
            let mut options = core::SignedCookiesOptions::default().with_access(access);
            if let Some(path) = optional_text("path", path)? {
                options = options.with_path(path);
            }
            let client = self.client(py)?;
            let cookies = py
                .detach(|| client.signed_cookies(options))
                .map_err(storage)?;
            results::signed_cookies(py, &cookies)
        })
    }
}

fn expires(value: Option<&Bound<'_, PyAny>>) -> PyResult<Option<Duration>> {
    value.map(|value| duration("expires_in", value)).transpose()
}

fn access(
    expires_in: Option<&Bound<'_, PyAny>>,
    starts_in: Option<&Bound<'_, PyAny>>,
    ip_range: Option<&Bound<'_, PyAny>>,
) -> PyResult<core::SignedUrlOptions> {
    let mut options = core::SignedUrlOptions::default();
    if let Some(expires_in) = expires(expires_in)? {
        options = options.with_expires_in(expires_in);
    }
    if let Some(starts_in) = starts_in {
        options = options.with_starts_in(duration("starts_in", starts_in)?);
    }
    if let Some(ip_range) = optional_text("ip_range", ip_range)? {
        options = options.with_ip_range(ip_range);
    }
    Ok(options)
}
