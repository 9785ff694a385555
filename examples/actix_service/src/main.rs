//! A small image service on actix-web: upload, delete, direct uploads, and stored images.
//!
//! ```text
//! cd examples/actix_service
//! TOKEN=… LABLINK_STORAGE_SECRET=… cargo run --release
//! curl -F file=@../photo.jpg -H 'Authorization: Bearer …' http://127.0.0.1:3000/images
//! curl -o out.jpg http://127.0.0.1:3000/uploads/components/….jpg
//! curl -X DELETE -H 'Authorization: Bearer …' http://127.0.0.1:3000/images/components/….jpg
//! ```
//!
//! It listens on `127.0.0.1:3000`, or on the address in `LISTEN`, and lets those in who know `TOKEN`. The
//! store is the environment's. With a bucket, browsers ask `upload-url`, send their photograph there, and give
//! its key to `promote`.

#[cfg(test)]
mod tests;

use std::fmt;

use actix_multipart::Multipart;
use actix_web::body::{BodyStream, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{self, BytesMut, Data, Json, Path, ServiceConfig};
use actix_web::{App, HttpResponse, HttpServer, ResponseError, error};
use futures_util::{TryStreamExt, stream};
use lablink_storage::{
    Error, ErrorKind, ImageStore, ObjectKey, PresignPostOptions, StoredImage, UploadOptions,
};
use serde::Deserialize;
use serde_json::json;

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = ImageStore::from_env()?;
    let address = std::env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    // Ctrl-C and SIGTERM let the requests under way finish.
    HttpServer::new(move || App::new().configure(service(store.clone())))
        .bind(&address)?
        .run()
        .await?;
    Ok(())
}

/// The routes, for an application of one's own or a test.
fn service(store: ImageStore) -> impl FnOnce(&mut ServiceConfig) {
    move |routes| {
        let guarded = |scope: &str| web::scope(scope).wrap(from_fn(token_required));
        routes
            .app_data(Data::new(store))
            .route("/uploads/{key:.*}", web::get().to(serve))
            .service(
                guarded("/images")
                    .route("", web::post().to(upload))
                    .route("/{key:.*}", web::delete().to(remove)),
            )
            .service(
                guarded("/api/s3")
                    .route("/upload-url", web::post().to(upload_url))
                    .route("/promote", web::post().to(promote)),
            );
    }
}

/// Without a token in the environment nobody is let in.
async fn token_required<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, actix_web::Error> {
    let sent = request.headers().get(header::AUTHORIZATION);
    match (sent, std::env::var("TOKEN")) {
        (Some(sent), Ok(token)) if *sent == *format!("Bearer {token}") => next.call(request).await,
        _ => Err(error::ErrorUnauthorized("please log in")),
    }
}

async fn upload(store: Data<ImageStore>, mut form: Multipart) -> Result<HttpResponse, Failure> {
    let most = store.config().optimize().limits.max_bytes as usize;
    while let Some(mut field) = form.try_next().await.map_err(not_a_form)? {
        if field.name() != Some("file") {
            continue;
        }
        let options = field
            .content_disposition()
            .and_then(|disposition| disposition.get_filename())
            .map_or_else(UploadOptions::default, |name| {
                UploadOptions::default().with_filename(name)
            });
        let mut bytes = BytesMut::new();
        while let Some(chunk) = field.try_next().await.map_err(not_a_form)? {
            if bytes.len() + chunk.len() > most {
                return Err(Failure::new(
                    ErrorKind::LimitExceeded,
                    "the file is too large",
                ));
            }
            bytes.extend_from_slice(&chunk);
        }
        let image = store.upload(bytes.freeze(), options).await?;
        return Ok(HttpResponse::Created().json(image));
    }
    let message = "send the image in a field named \"file\"";
    Err(Failure::new(ErrorKind::InvalidArgument, message))
}

async fn remove(store: Data<ImageStore>, key: Path<String>) -> Result<HttpResponse, Failure> {
    store.delete(&store.public_key(&key)?).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// A stored image of local files, a piece at a time. On S3 the bucket or its CDN does this.
async fn serve(store: Data<ImageStore>, key: Path<String>) -> Result<HttpResponse, Failure> {
    let key = store.public_key(&key).map_err(|_| not_found())?;
    let image = store.get_stream(&key, None).await?;
    let mut answer = HttpResponse::Ok();
    for (name, value) in [
        (header::CONTENT_TYPE, &image.info.content_type),
        (header::CACHE_CONTROL, &image.info.cache_control),
        (header::ETAG, &image.info.e_tag),
    ] {
        if let Some(value) = value {
            answer.insert_header((name, value.as_str()));
        }
    }
    answer.insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"));
    let pieces = stream::unfold(image, async |mut image| {
        let piece = image.next().await?;
        Some((piece, image))
    });
    Ok(answer.body(BodyStream::new(Box::pin(pieces))))
}

#[derive(Deserialize)]
struct Wanted {
    filename: String,
    content_type: Option<String>,
}

async fn upload_url(
    store: Data<ImageStore>,
    wanted: Json<Wanted>,
) -> Result<HttpResponse, Failure> {
    let mut options = PresignPostOptions::default();
    if let Some(content_type) = &wanted.content_type {
        options = options.with_content_type(content_type);
    }
    let post = store.presigned_post(&wanted.filename, options).await?;
    Ok(HttpResponse::Ok().json(post))
}

#[derive(Deserialize)]
struct Sent {
    key: String,
}

async fn promote(store: Data<ImageStore>, sent: Json<Sent>) -> Result<Json<StoredImage>, Failure> {
    let key = ObjectKey::parse(&sent.key).map_err(Error::from)?;
    Ok(Json(store.promote(&key).await?))
}

/// An error as the client sees it: what is the service's fault stands in the log, where the store has
/// written it.
#[derive(Debug)]
struct Failure {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
}

impl Failure {
    fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hint: None,
        }
    }
}

fn not_found() -> Failure {
    Failure::new(ErrorKind::NotFound, "this image does not exist")
}

fn not_a_form(error: impl fmt::Display) -> Failure {
    Failure::new(ErrorKind::InvalidArgument, error.to_string())
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        if error.kind().http_status() >= 500 {
            return Self::new(error.kind(), "the image store has a problem");
        }
        Self {
            kind: error.kind(),
            message: error.to_string(),
            hint: error.hint().map(|hint| hint.to_string()),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl ResponseError for Failure {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.kind.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::build(self.status_code()).json(json!({
            "error": self.kind.as_str(),
            "message": self.message,
            "hint": self.hint,
        }))
    }
}
