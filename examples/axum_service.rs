//! A small image service: upload, delete, and the routes of direct uploads and stored images.
//!
//! ```text
//! LABLINK_STORAGE_SECRET=… cargo run --release --features axum --example axum_service
//! curl -F file=@examples/photo.jpg -H 'Authorization: Bearer …' http://127.0.0.1:3000/images
//! curl -o out.jpg http://127.0.0.1:3000/uploads/components/….jpg
//! curl -X DELETE -H 'Authorization: Bearer …' http://127.0.0.1:3000/images/components/….jpg
//! curl -H 'Authorization: Bearer …' http://127.0.0.1:3000/api/s3/status
//! ```
//!
//! It listens on `127.0.0.1:3000`, or on the address in `LISTEN`, and lets those in who know `TOKEN`. The
//! store is the environment's. SIGTERM and Ctrl-C let the requests under way finish.

use std::error::Error as StdError;

use axum::extract::multipart::MultipartError;
use axum::extract::{DefaultBodyLimit, Multipart, Path, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, post};
use axum::{Json, Router};
use lablink_storage::axum::{ErrorResponse, RouterOptions, router};
use lablink_storage::{ErrorKind, ImageStore, StoredImage, UploadOptions};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> Result<(), Box<dyn StdError>> {
    tracing_subscriber::fmt().init();
    let store = ImageStore::from_env()?;
    let address = std::env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(&address)
        .await
        .map_err(|error| format!("cannot listen on {address}: {error}"))?;
    let (mut terminate, mut interrupt) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, service(store))
        .with_graceful_shutdown(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        })
        .await?;
    Ok(())
}

fn service(store: ImageStore) -> Router {
    // The body may be a little larger than the image: multipart has headers of its own.
    let limit = store.config().optimize().limits.max_bytes as usize + 64 * 1024;
    let guard = from_fn(token_required);
    Router::new()
        .route("/images", post(upload))
        .route("/images/{*key}", delete(remove))
        .layer(DefaultBodyLimit::max(limit))
        .route_layer(guard.clone())
        .with_state(store.clone())
        .merge(router(store, RouterOptions::default().with_guard(guard)))
}

/// Without a token in the environment nobody is let in.
async fn token_required(request: Request, next: Next) -> Response {
    let sent = request.headers().get(header::AUTHORIZATION);
    match (sent, std::env::var("TOKEN")) {
        (Some(sent), Ok(token)) if *sent == *format!("Bearer {token}") => next.run(request).await,
        _ => StatusCode::UNAUTHORIZED.into_response(),
    }
}

async fn upload(
    State(store): State<ImageStore>,
    mut form: Multipart,
) -> Result<(StatusCode, Json<StoredImage>), ErrorResponse> {
    while let Some(field) = form.next_field().await.map_err(refused)? {
        if field.name() == Some("file") {
            let name = field.file_name().unwrap_or_default().to_owned();
            let bytes = field.bytes().await.map_err(refused)?;
            let options = UploadOptions::default().with_filename(name);
            return Ok((
                StatusCode::CREATED,
                Json(store.upload(bytes, options).await?),
            ));
        }
    }
    let message = "send the image in a field named \"file\"";
    Err(ErrorResponse::new(ErrorKind::InvalidArgument, message))
}

async fn remove(
    State(store): State<ImageStore>,
    Path(key): Path<String>,
) -> Result<StatusCode, ErrorResponse> {
    store.delete(&store.public_key(&key)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn refused(error: MultipartError) -> ErrorResponse {
    let kind = match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ErrorKind::LimitExceeded,
        _ => ErrorKind::InvalidArgument,
    };
    ErrorResponse::new(kind, error.body_text())
}
