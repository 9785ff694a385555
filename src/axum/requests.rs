//! What a page asks for: the status, a form for a direct upload, and its promotion.

use std::sync::Arc;

use ::axum::body::{Body, to_bytes};
use ::axum::extract::{Request, State};
use ::axum::http::{StatusCode, header};
use ::axum::response::{IntoResponse, Response};
use ::axum::routing::{get, post};
use ::axum::{Json, Router};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::answer::not_allowed;
use super::{ErrorResponse, Routes, Shared};
use crate::config::DirectUpload;
use crate::kind::ErrorKind;
use crate::store::{PresignPostOptions, PresignPutOptions, StoredImage};

/// Bytes that the JSON body of a request may have.
const MAX_JSON: usize = 64 * 1024;

/// Numbers of bytes that every side can hold.
const MAX_SIZE: u64 = 1 << 63;

pub(super) fn routes(path: impl Fn(&str) -> String) -> Router<Arc<Routes>> {
    Router::new()
        .route(&path("status"), get(status).fallback(not_allowed))
        .route(&path("upload-url"), post(upload_url).fallback(not_allowed))
        .route(&path("promote"), post(promote).fallback(not_allowed))
}

async fn status(State(routes): Shared) -> Response {
    let status = routes.store.status().await;
    let (code, body) = if !status.enabled {
        (
            StatusCode::OK,
            json!({ "enabled": false, "message": status.message }),
        )
    } else if status.accessible {
        let body = json!({
            "enabled": true,
            "bucket": status.bucket,
            "region": status.region,
            "message": status.message,
        });
        (StatusCode::OK, body)
    } else {
        // The cause may name buckets and roles: it goes to the log, which the store has written already.
        let body = json!({
            "enabled": true,
            "error": "the bucket did not answer as it should; the log says why",
            "message": status.message,
        });
        (StatusCode::INTERNAL_SERVER_ERROR, body)
    };
    (code, Json(body)).into_response()
}

/// A form or a PUT, in one shape.
#[derive(Serialize)]
struct Upload<T> {
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fields: Option<Map<String, Value>>,
    #[serde(flatten)]
    request: T,
}

async fn upload_url(State(routes): Shared, request: Request) -> Result<Response, ErrorResponse> {
    let (parts, body) = request.into_parts();
    let body = json_object(&parts.headers, body).await?;
    let filename = text(&body, "filename")?;
    let content_type = content_type(&body)?;
    let size = size(&body)?;
    let store = &routes.store;
    if store.direct_upload() == DirectUpload::Put {
        let size = size.ok_or_else(|| {
            ErrorResponse::new(ErrorKind::InvalidArgument, "size is missing")
                .with_hint("send the file's size in bytes, as file.size has it")
        })?;
        let mut options = PresignPutOptions::default().with_content_length(size);
        options.content_type = content_type;
        let request = store.presigned_put(filename, options).await?;
        let fields = Some(Map::new());
        return Ok(Json(Upload {
            method: None,
            headers: None,
            fields,
            request,
        })
        .into_response());
    }
    let options = PresignPostOptions {
        content_type,
        ..PresignPostOptions::default()
    };
    let mut request = store.presigned_post(filename, options).await?;
    request.url = routes
        .place
        .absolute(&request.url, &parts.uri, &parts.headers);
    let (method, headers) = (Some("POST"), Some(Map::new()));
    Ok(Json(Upload {
        method,
        headers,
        fields: None,
        request,
    })
    .into_response())
}

async fn promote(
    State(routes): Shared,
    request: Request,
) -> Result<Json<StoredImage>, ErrorResponse> {
    let (parts, body) = request.into_parts();
    let body = json_object(&parts.headers, body).await?;
    let key = crate::key::ObjectKey::parse(text(&body, "key")?).map_err(crate::Error::from)?;
    Ok(Json(routes.store.promote(&key).await?))
}

async fn json_object(
    headers: &::axum::http::HeaderMap,
    body: Body,
) -> Result<Map<String, Value>, ErrorResponse> {
    let over = || {
        let message = format!("the body is over the limit of {MAX_JSON} bytes");
        ErrorResponse::new(ErrorKind::LimitExceeded, message)
    };
    let length = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok());
    let length: Option<u64> = length.and_then(|length| length.parse().ok());
    if length.is_some_and(|length| length > MAX_JSON as u64) {
        super::receive::discard(body, length).await;
        return Err(over());
    }
    let body = to_bytes(body, MAX_JSON).await.map_err(|_| over())?;
    match serde_json::from_slice(&body) {
        Ok(Value::Object(object)) => Ok(object),
        _ => Err(invalid(
            "the body is not a JSON object",
            "send application/json",
        )),
    }
}

fn text<'a>(body: &'a Map<String, Value>, name: &str) -> Result<&'a str, ErrorResponse> {
    let value = body
        .get(name)
        .and_then(Value::as_str)
        .filter(|value| !value.is_empty());
    value.ok_or_else(|| {
        let message = format!("{name} must be a string that is not empty");
        invalid(&message, &format!("send '{name}'"))
    })
}

fn content_type(body: &Map<String, Value>) -> Result<Option<String>, ErrorResponse> {
    match body.get("content_type") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(value)) => Ok(Some(value.clone())),
        Some(_) => Err(invalid(
            "content_type must be a string",
            "send what file.type says",
        )),
    }
}

fn size(body: &Map<String, Value>) -> Result<Option<u64>, ErrorResponse> {
    match body.get("size") {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_u64() {
            Some(size) if (1..MAX_SIZE).contains(&size) => Ok(Some(size)),
            _ => {
                let message = "size must be a number of bytes, at least 1";
                Err(invalid(message, "send what file.size says"))
            }
        },
    }
}

fn invalid(message: &str, hint: &str) -> ErrorResponse {
    ErrorResponse::new(ErrorKind::InvalidArgument, message).with_hint(hint)
}
