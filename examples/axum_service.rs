//! A small image service: upload, fetch, delete, status.
//!
//! ```text
//! cargo run --release --example axum_service
//! curl -F file=@examples/photo.jpg http://127.0.0.1:3000/images
//! curl -o out.jpg http://127.0.0.1:3000/images/components/….jpg
//! curl -X DELETE http://127.0.0.1:3000/images/components/….jpg
//! curl http://127.0.0.1:3000/status
//! ```
//!
//! It listens on `127.0.0.1:3000`, or on the address in `LISTEN`. The store is the environment's.
//! SIGTERM and Ctrl-C let the requests under way finish.

use std::error::Error as StdError;
use std::net::SocketAddr;
use std::process::ExitCode;

use axum::extract::multipart::MultipartError;
use axum::extract::{DefaultBodyLimit, Multipart, Path, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use lablink_storage::{Error, ErrorKind, ImageStore, ObjectKey, UploadOptions};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt().init();
    let store = match ImageStore::from_env() {
        Ok(store) => store,
        Err(error) => {
            eprintln!("{error}");
            if let Some(hint) = error.hint() {
                eprintln!("  what to do: {hint}");
            }
            return ExitCode::FAILURE;
        }
    };
    match serve(store).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(store: ImageStore) -> Result<(), Box<dyn StdError>> {
    let address = match std::env::var("LISTEN") {
        Ok(address) => address.parse().map_err(|_| {
            format!("LISTEN is {address:?}, which is not an address like 127.0.0.1:3000")
        })?,
        Err(_) => SocketAddr::from(([127, 0, 0, 1], 3000)),
    };
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| format!("cannot listen on {address}: {error}"))?;
    let stop = stop_signal()?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, router(store))
        .with_graceful_shutdown(stop)
        .await?;
    Ok(())
}

fn router(store: ImageStore) -> Router {
    // The body may be a little larger than the image: multipart has headers of its own.
    let limit = store.config().optimize().limits.max_bytes as usize + 64 * 1024;
    Router::new()
        .route("/images", post(upload))
        .route("/images/{*key}", get(fetch).delete(remove))
        .route("/status", get(status))
        .layer(DefaultBodyLimit::max(limit))
        .with_state(store)
}

async fn upload(
    State(store): State<ImageStore>,
    mut form: Multipart,
) -> Result<impl IntoResponse, Failure> {
    while let Some(field) = form.next_field().await? {
        if field.name() != Some("file") {
            continue;
        }
        let options = match field.file_name() {
            Some(name) => UploadOptions::default().with_filename(name),
            None => UploadOptions::default(),
        };
        let image = store.upload(field.bytes().await?, options).await?;
        return Ok((StatusCode::CREATED, Json(image)));
    }
    Err(Failure::Request(
        StatusCode::BAD_REQUEST,
        "send the image in a field named \"file\"".into(),
    ))
}

async fn fetch(
    State(store): State<ImageStore>,
    Path(key): Path<String>,
) -> Result<Response, Failure> {
    let object = store.get(&public(&store, &key)?).await?;
    let content_type = object
        .info
        .content_type
        .unwrap_or_else(|| "application/octet-stream".into());
    let headers: [(HeaderName, String); 3] = [
        (header::CONTENT_TYPE, content_type),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".into()),
        (
            header::CACHE_CONTROL,
            object.info.cache_control.unwrap_or_default(),
        ),
    ];
    Ok((headers, object.bytes).into_response())
}

async fn remove(
    State(store): State<ImageStore>,
    Path(key): Path<String>,
) -> Result<StatusCode, Failure> {
    store.delete(&public(&store, &key)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn status(State(store): State<ImageStore>) -> impl IntoResponse {
    let status = store.status().await;
    let code = if status.accessible {
        StatusCode::OK
    } else {
        StatusCode::INTERNAL_SERVER_ERROR
    };
    (code, Json(status))
}

/// Only what has a public URL may be reached from outside: nothing pending, nothing beside the prefix.
fn public(store: &ImageStore, key: &str) -> Result<ObjectKey, Error> {
    let key = ObjectKey::parse(key)?;
    store.key_from_url(&store.public_url(&key))
}

/// What a client gets instead of an answer.
enum Failure {
    Store(Error),
    Request(StatusCode, String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl From<MultipartError> for Failure {
    fn from(error: MultipartError) -> Self {
        Self::Request(error.status(), error.body_text())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (status, kind, message, hint) = match self {
            Self::Request(status, message) => {
                let kind = match status {
                    StatusCode::PAYLOAD_TOO_LARGE => ErrorKind::LimitExceeded,
                    _ => ErrorKind::InvalidArgument,
                };
                (status, kind, message, None)
            }
            Self::Store(error) => {
                let kind = error.kind();
                let status =
                    StatusCode::from_u16(kind.http_status()).unwrap_or(StatusCode::BAD_GATEWAY);
                if status.is_server_error() {
                    // Bucket names and ARNs are for the log, not for clients.
                    tracing::error!(%kind, %error, hint = error.hint(), "request failed");
                    (status, kind, "the image store has a problem".into(), None)
                } else {
                    (status, kind, error.to_string(), error.hint())
                }
            }
        };
        let body = serde_json::json!({ "error": kind.as_str(), "message": message, "hint": hint });
        (status, Json(body)).into_response()
    }
}

/// Ctrl-C, or what a service manager sends, heard from now on; requests under way are finished.
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
