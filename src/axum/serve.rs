//! Stored images, as S3 would serve them.

use std::borrow::Cow;

use ::axum::body::Body;
use ::axum::extract::{Request, State};
use ::axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use ::axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;

use super::answer::{refusal, secure};
use super::conditions::{Verdict, http_date, judge, opaque};
use super::{ErrorResponse, Routes, Shared};
use crate::backend::ObjectInfo;
use crate::error::{Error, Result};
use crate::format::ImageFormat;
use crate::kind::ErrorKind;
use crate::sign::ResponseHeaders;
use crate::store::replaced;

/// Answers a GET or HEAD of a stored image.
pub(super) async fn serve(State(routes): Shared, request: Request) -> Response {
    match answer(&routes, request.method(), request.uri(), request.headers()).await {
        Ok(response) => response,
        Err(error) => match error.kind() {
            // A link out of the directory, or a file that this process may not read: the log says so.
            ErrorKind::AccessDenied | ErrorKind::NotFound | ErrorKind::InvalidKey => not_found(),
            _ => ErrorResponse::from(error).into_response(),
        },
    }
}

/// A path without its escapes. axum's own decoding takes bytes that are no text for a bad request.
pub(super) fn decoded(path: &str) -> Option<Cow<'_, str>> {
    percent_decode_str(path).decode_utf8().ok()
}

pub(super) fn not_found() -> Response {
    refusal(404, "not_found", "this image does not exist", None)
}

async fn answer(
    routes: &Routes,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Response> {
    let store = &routes.store;
    let path = uri
        .path()
        .strip_prefix(routes.place.mount_point())
        .unwrap_or_default();
    let path = path.strip_prefix('/').unwrap_or_default();
    let Some(path) = decoded(path) else {
        return Ok(not_found());
    };
    let key = store.public_key(&path)?;
    let signed = match uri.query() {
        Some(query) => store.verify_get(&key, query)?,
        None => None,
    };
    let info = store.head(&key).await?;
    let content_type = info.content_type.as_deref().unwrap_or_default();
    if ImageFormat::from_mime_type(content_type).is_none() {
        return Ok(not_found());
    }
    let verdict = judge(method, headers, &info);
    let (status, range) = match verdict {
        Verdict::Failed => {
            let words = "the image has changed";
            return Ok(refusal(412, "precondition_failed", words, None));
        }
        Verdict::Beyond => return Ok(beyond(info.size)),
        Verdict::NotModified => (StatusCode::NOT_MODIFIED, None),
        Verdict::Whole => (StatusCode::OK, None),
        Verdict::Part(range) => (StatusCode::PARTIAL_CONTENT, Some(range)),
    };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    describe(response.headers_mut(), &info, signed)?;
    if status == StatusCode::NOT_MODIFIED {
        response.headers_mut().remove(header::CONTENT_TYPE);
        return Ok(response);
    }
    let length = range
        .as_ref()
        .map_or(info.size, |range| range.end - range.start);
    if let Some(range) = &range {
        let value = format!("bytes {}-{}/{}", range.start, range.end - 1, info.size);
        set(response.headers_mut(), header::CONTENT_RANGE, &value)?;
    }
    if *method != Method::HEAD {
        let object = store.get_stream(&key, range).await?;
        if object.info.e_tag != info.e_tag {
            return Err(replaced(&key));
        }
        *response.body_mut() = Body::from_stream(object);
    }
    set(
        response.headers_mut(),
        header::CONTENT_LENGTH,
        &length.to_string(),
    )?;
    Ok(response)
}

/// The headers of an image, and those that a signed request asks for.
fn describe(
    headers: &mut HeaderMap,
    info: &ObjectInfo,
    signed: Option<ResponseHeaders>,
) -> Result<()> {
    let signed = signed.unwrap_or_default();
    let content_type = signed
        .content_type
        .as_deref()
        .or(info.content_type.as_deref());
    set(
        headers,
        header::CONTENT_TYPE,
        content_type.unwrap_or_default(),
    )?;
    if let Some(disposition) = &signed.content_disposition {
        set(headers, header::CONTENT_DISPOSITION, disposition)?;
    }
    let cache_control = info.cache_control.as_deref().unwrap_or("no-cache");
    set(headers, header::CACHE_CONTROL, cache_control)?;
    set(headers, header::ACCEPT_RANGES, "bytes")?;
    set(
        headers,
        header::LAST_MODIFIED,
        &http_date(info.last_modified),
    )?;
    if let Some(tag) = info.e_tag.as_deref() {
        set(headers, header::ETAG, &format!("\"{}\"", opaque(tag)))?;
    }
    secure(headers);
    Ok(())
}

fn beyond(size: u64) -> Response {
    let words = "the range is not within the image";
    let mut response = refusal(416, "invalid_argument", words, None);
    if let Ok(value) = HeaderValue::from_str(&format!("bytes */{size}")) {
        response.headers_mut().insert(header::CONTENT_RANGE, value);
    }
    response
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) -> Result<()> {
    let value = HeaderValue::from_str(value)
        .map_err(|_| Error::internal("an object's description is no header"))?;
    headers.insert(name, value);
    Ok(())
}
