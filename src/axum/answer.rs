//! Errors as JSON: `{"error": kind, "message": …, "hint": …}` with the status of the kind.

use ::axum::Json;
use ::axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use ::axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::error::Error;
use crate::kind::ErrorKind;

/// An error as the routes answer it, for handlers of the application's own.
///
/// What is the service's fault and not the client's gets general words: bucket names, roles and addresses
/// stand in the log, where the store has written them.
///
/// ```
/// use axum::{Json, extract::State};
/// use lablink_storage::axum::ErrorResponse;
/// use lablink_storage::{ImageStore, StoredImage};
///
/// async fn add(State(store): State<ImageStore>, photo: bytes::Bytes) -> Result<Json<StoredImage>, ErrorResponse> {
///     Ok(Json(store.upload(photo, ()).await?))
/// }
/// ```
#[derive(Debug)]
pub struct ErrorResponse(Refusal);

#[derive(Debug)]
enum Refusal {
    Store(Error),
    Request(ErrorKind, String, Option<String>),
}

impl ErrorResponse {
    /// A request that is refused before the store sees it.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Refusal::Request(kind, message.into(), None))
    }

    /// Says what to do about it.
    #[must_use]
    pub fn with_hint(mut self, words: impl Into<String>) -> Self {
        if let Refusal::Request(_, _, hint) = &mut self.0 {
            *hint = Some(words.into());
        }
        self
    }
}

impl From<Error> for ErrorResponse {
    fn from(error: Error) -> Self {
        Self(Refusal::Store(error))
    }
}

impl IntoResponse for ErrorResponse {
    fn into_response(self) -> Response {
        let (kind, message, hint, retryable) = match self.0 {
            Refusal::Request(kind, message, hint) => (kind, message, hint, false),
            Refusal::Store(error) => {
                let (message, hint) = told(&error);
                (error.kind(), message, hint, error.is_retryable())
            }
        };
        let status = kind.http_status();
        let (message, hint) = if status < 500 {
            (message, hint)
        } else {
            let (general, remedy) = if retryable || matches!(status, 503 | 504) {
                (
                    "the image store is busy or out of reach",
                    "try again in a moment",
                )
            } else {
                (
                    "the image store has a problem",
                    "an administrator finds the cause in the log",
                )
            };
            let own_words = kind == ErrorKind::NotSupported;
            let message = if own_words {
                message
            } else {
                general.to_owned()
            };
            (message, Some(remedy.to_owned()))
        };
        let mut response = refusal(status, kind.as_str(), &message, hint.as_deref());
        if status == 503 {
            let headers = response.headers_mut();
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// What a client reads of an error that it can do something about: its own names, not those of the bucket and
/// of settings. The store has logged the whole.
fn told(error: &Error) -> (String, Option<String>) {
    let words = match error.kind() {
        ErrorKind::NotFound => (
            "there is no such image or upload, or no longer",
            "send the file again",
        ),
        ErrorKind::AlreadyExists => (
            "there is another image in its place already",
            "ask for a new form and send the file again",
        ),
        ErrorKind::ForeignUrl => {
            let hint = "use the URL of an image as this service gave it out";
            return (error.to_string(), Some(hint.to_owned()));
        }
        _ => return (error.to_string(), error.hint()),
    };
    (words.0.to_owned(), Some(words.1.to_owned()))
}

/// A JSON answer that says what is wrong.
pub(super) fn refusal(status: u16, kind: &str, message: &str, hint: Option<&str>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = json!({ "error": kind, "message": message, "hint": hint });
    let mut response = (status, Json(body)).into_response();
    secure(response.headers_mut());
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The answer to a method that the address does not take; axum adds which ones it takes.
pub(super) async fn not_allowed() -> Response {
    let problem = "this address does not take that method";
    refusal(405, "invalid_argument", problem, None)
}

/// Whatever the bytes are, no browser is to guess their type or run them.
pub(super) fn secure(headers: &mut HeaderMap) {
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; sandbox"),
    );
}
