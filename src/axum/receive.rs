//! Takes the forms that the store signed, on local files.

use std::time::Duration;

use ::axum::body::{Body, BodyDataStream};
use ::axum::extract::{Request, State};
use ::axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use ::axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::time::timeout;

use super::answer::secure;
use super::conditions::opaque;
use super::form::{Fields, Form, FormReader, MAX_FIELDS, not_a_form};
use super::{ErrorResponse, Shared};
use crate::kind::ErrorKind;
use crate::store::ImageStore;

/// Bytes of a request that was refused for its length that are still taken from the client.
const MAX_DISCARDED: u64 = 64 * 1024 * 1024;

/// How long a client may send nothing.
const PATIENCE: Duration = Duration::from_secs(60);

/// Answers a POST that a presigned form describes. The fields are checked before the file is read.
pub(super) async fn receive(State(routes): Shared, request: Request) -> Response {
    match take(&routes.store, request).await {
        Ok(response) => response,
        Err(refused) => refused.into_response(),
    }
}

async fn take(store: &ImageStore, request: Request) -> Result<Response, ErrorResponse> {
    let (parts, body) = request.into_parts();
    let length = length(&parts.headers);
    let boundary = match boundary(&parts.headers) {
        Ok(boundary) => boundary,
        Err(refused) => {
            discard(body, length).await;
            return Err(refused);
        }
    };
    let most = store.config().optimize().limits.max_bytes;
    let mut body = Incoming {
        chunks: body.into_data_stream(),
        left: most + MAX_FIELDS as u64,
    };
    let form = match read(store, &mut body, length, &boundary, most).await {
        Ok(form) => form,
        Err(refused) => {
            body.discard(length).await;
            return Err(refused);
        }
    };
    let received = store.receive_post(form.fields, form.file).await?;
    let status = StatusCode::from_u16(received.status).unwrap_or(StatusCode::NO_CONTENT);
    let mut response = status.into_response();
    secure(response.headers_mut());
    let tag = received.e_tag.map(|tag| format!("\"{}\"", opaque(&tag)));
    if let Some(Ok(tag)) = tag.map(|tag| HeaderValue::from_str(&tag)) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    Ok(response)
}

async fn read(
    store: &ImageStore,
    body: &mut Incoming,
    length: Option<u64>,
    boundary: &str,
    most: u64,
) -> Result<Form, ErrorResponse> {
    if length.is_some_and(|length| length > body.left) {
        return Err(over_the_limit(body.left));
    }
    let mut reader = FormReader::new(boundary)?;
    let mut max_bytes = |fields: &Fields| {
        // The file may come before the fields that allow it: they are checked when they are there.
        match fields
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("policy"))
        {
            true => Ok(store.verify_post(fields)?.min(most)),
            false => Ok(most),
        }
    };
    while let Some(chunk) = body.next().await? {
        reader.push(&chunk, &mut max_bytes)?;
    }
    reader.finish()
}

/// A body of which no more than the limit is taken.
struct Incoming {
    chunks: BodyDataStream,
    left: u64,
}

impl Incoming {
    async fn next(&mut self) -> Result<Option<Bytes>, ErrorResponse> {
        let chunk = match timeout(PATIENCE, self.chunks.next()).await {
            Ok(Some(Ok(chunk))) => chunk,
            Ok(None) => return Ok(None),
            // The client has gone, or has stopped: nobody reads the answer.
            Ok(Some(Err(_))) | Err(_) => return Err(not_a_form()),
        };
        self.left = self.left.checked_sub(chunk.len() as u64).ok_or_else(|| {
            ErrorResponse::new(ErrorKind::LimitExceeded, "the request is too long")
        })?;
        Ok(Some(chunk))
    }

    async fn discard(self, length: Option<u64>) {
        let most = length.unwrap_or(self.left);
        drain(self.chunks, most).await;
    }
}

/// Takes what the client still sends and drops it: browsers send all before they look at the answer, and see
/// only a broken connection where the server closes it meanwhile.
pub(super) async fn discard(body: Body, length: Option<u64>) {
    drain(body.into_data_stream(), length.unwrap_or(MAX_FIELDS as u64)).await;
}

async fn drain(mut chunks: BodyDataStream, most: u64) {
    let mut left = most.min(MAX_DISCARDED);
    while left > 0
        && let Ok(Some(Ok(chunk))) = timeout(PATIENCE, chunks.next()).await
    {
        left = left.saturating_sub(chunk.len() as u64);
    }
}

fn over_the_limit(most: u64) -> ErrorResponse {
    let message = format!("the request is over the limit of {most} bytes");
    ErrorResponse::new(ErrorKind::LimitExceeded, message)
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}

/// The boundary that the content type names.
fn boundary(headers: &HeaderMap) -> Result<String, ErrorResponse> {
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let (kind, parameters) = match content_type.map(|value| value.split_once(';')) {
        Some(Some((kind, parameters))) => (kind, parameters),
        Some(None) => (content_type.unwrap_or_default(), ""),
        None => ("", ""),
    };
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        let message = "the request is not a multipart form";
        return Err(ErrorResponse::new(ErrorKind::UnsupportedFormat, message)
            .with_hint("send it as multipart/form-data"));
    }
    super::form::parameter(parameters, "boundary").ok_or_else(not_a_form)
}
