//! The HTTP layer under object_store: one client that follows no redirect, bounds every try, believes
//! S3 servers only, and notes what they answer.

use std::io;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt;
use http::{HeaderMap, Method, StatusCode};
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
    HttpResponseBody, HttpService,
};

use super::listing;
use super::xml::Unreadable;
use super::{answer, headers};
use crate::backend::call::{Broken, Call, CallFailure, Problem};
use crate::backend::error::{Operation, StorageError};
use crate::config::CaBundle;
use crate::kind::ErrorKind;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);

/// Longest wait of one try for the beginning of the answer, with nothing to send.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(12);

/// Longest wait of one try for the next bytes of an answer.
const STALL_TIMEOUT: Duration = Duration::from_secs(6);

/// The slowest upload, in bytes a second, that one try waits for.
const SLOWEST: u64 = 64 << 10;

/// Largest page of a listing that is read: 1000 keys of 1024 bytes, each byte written as an entity.
const MAX_PAGE: u64 = 16 << 20;

/// Largest error answer that is read.
const MAX_ERROR_BODY: u64 = 64 << 10;

/// Longest wait for the rest of an error answer.
const ERROR_BODY_TIMEOUT: Duration = Duration::from_secs(3);

/// Number of times that bytes are requested again because they do not match their entity tag.
const MAX_DAMAGED: u32 = 3;

/// A client for `https`, or, where the machine has no CA certificates, for `http` alone if that is all
/// that is needed. It never follows a redirect: reqwest would repeat `x-amz-security-token` to any host.
pub(super) fn client(
    needs_tls: bool,
    authority: Option<&CaBundle>,
) -> Result<reqwest::Client, StorageError> {
    let trusted = crate::backend::trusted(authority)?;
    let builder = || {
        let builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .user_agent(concat!("lablink-storage/", env!("CARGO_PKG_VERSION")));
        if no_proxy_at_all() {
            builder.no_proxy()
        } else {
            builder
        }
    };
    let client = match builder().tls_certs_merge(trusted).build() {
        Err(_) if !needs_tls => builder().tls_certs_only([]).build(),
        client => client,
    };
    client.map_err(|error| {
        StorageError::new(
            ErrorKind::Configuration,
            Operation::Open,
            "no HTTPS client could be created",
        )
        .with_hint("install the CA certificates (on Debian: apt-get install ca-certificates)")
        .with_source(Problem::of(&error))
    })
}

/// Returns whether `NO_PROXY` is for every host; reqwest takes its `*` for names, and not for addresses.
fn no_proxy_at_all() -> bool {
    ["NO_PROXY", "no_proxy"]
        .iter()
        .filter_map(|name| std::env::var(name).ok())
        .any(|hosts| hosts.split(',').any(|host| host.trim() == "*"))
}

/// Hands the one client to object_store.
#[derive(Debug)]
pub(super) struct Connector {
    pub(super) client: reqwest::Client,
    /// Time that an operation may take: each try has a part of it.
    pub(super) deadline: Duration,
}

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(Noting {
            client: self.client.clone(),
            // So that a silent server leaves time for another try.
            answer: ANSWER_TIMEOUT.min(self.deadline / 2),
            stall: STALL_TIMEOUT.min(self.deadline / 5),
        }))
    }
}

/// Sends requests and notes what comes of them on the current [`Call`].
#[derive(Debug)]
struct Noting {
    client: reqwest::Client,
    answer: Duration,
    stall: Duration,
}

#[async_trait]
impl HttpService for Noting {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        Call::note(Call::sent);
        let token = secret_header(request.headers(), "x-amz-security-token");
        let signature = secret_header(request.headers(), "authorization");
        let method = request.method().clone();
        let is_listing = request
            .uri()
            .query()
            .is_some_and(|query| query.contains("list-type=2"));
        let length = request.body().content_length() as u64;
        let patience = self.answer + Duration::from_secs(length / SLOWEST);

        let answered = match tokio::time::timeout(patience, self.client.call(request)).await {
            Ok(answered) => answered.map_err(repeatable),
            Err(_) => Err(silent(patience)),
        };
        let response = match answered {
            Ok(response) if is_failure(&response) => {
                let secrets = [token.as_deref(), signature.as_deref()];
                let secrets: Vec<&str> = secrets.into_iter().flatten().collect();
                return Ok(noted(response, &secrets).await);
            }
            Ok(response) if is_listing => self.page(response).await,
            Ok(response) => self.object(&method, response).await,
            Err(error) => Err(error),
        };
        response.inspect_err(|error| {
            let how = match error.kind() {
                HttpErrorKind::Unknown if is_of_tls(error) => Broken::NoTls,
                HttpErrorKind::Connect => Broken::Unreachable,
                HttpErrorKind::Decode => return,
                _ if is_silence(error) => Broken::Silent,
                _ => Broken::Off,
            };
            let problem = Problem::of(error);
            Call::note(|call| match call.failure() {
                Some(_) => {}
                None => call.failed(CallFailure::Transport { how, problem }),
            });
        })
    }
}

impl Noting {
    /// Reads a page of a listing, and hands it on beside the answer.
    async fn page(&self, response: HttpResponse) -> Result<HttpResponse, HttpError> {
        let (mut parts, body) = response.into_parts();
        let body = whole(body, 0, MAX_PAGE, self.stall).await?;
        match listing::read(&body) {
            Ok(page) => {
                Call::note(|call| call.succeeded(parts.status.as_u16()));
                parts.extensions.insert(page);
                let empty = Bytes::from_static(b"<ListBucketResult/>");
                Ok(HttpResponse::from_parts(parts, empty.into()))
            }
            Err(Unreadable::Foreign) => Err(foreign()),
            Err(Unreadable::Broken) => Err(broken("the listing is incomplete")),
        }
    }

    /// Puts an answer about an object into the form that object_store reads. A body that the caller has
    /// room for is read to its end here, where a try that stalls or breaks off is one to repeat.
    async fn object(
        &self,
        method: &Method,
        response: HttpResponse,
    ) -> Result<HttpResponse, HttpError> {
        let (mut parts, mut body) = response.into_parts();
        if !headers::is_of_s3(method, &parts) {
            return Err(foreign());
        }
        let is_framed = headers::is_framed(&parts);
        let told = headers::complete(method, &mut parts.headers);
        let call = Call::current();
        let most = call.as_ref().map_or(0, |call| call.most());
        let named = headers::length(&parts.headers).filter(|_| told.sized);
        if *method == Method::GET && most > 0 && named.is_none_or(|length| length <= most) {
            let expected = named.unwrap_or(0);
            let bytes = whole(body, expected, most + 1, self.stall).await?;
            let is_all = parts.status == StatusCode::OK && bytes.len() as u64 <= most;
            let proof = told.md5.as_deref().filter(|_| is_all);
            match (proof, &call) {
                (Some(md5), Some(call))
                    if !call.takes_any_e_tag() && headers::md5_hex(&bytes) != md5 =>
                {
                    return Err(damaged(call));
                }
                (None, _) if !is_framed => return Err(broken("the body's end is not marked")),
                _ => {}
            }
            parts
                .headers
                .insert(http::header::CONTENT_LENGTH, bytes.len().into());
            body = bytes.into();
        }
        Call::note(|call| call.succeeded(parts.status.as_u16()));
        parts.extensions.insert(told);
        Ok(HttpResponse::from_parts(parts, body))
    }
}

/// Every request may be repeated although it may have arrived, where object_store would not: reading and
/// removing as they are; a create-only put, because if the first arrived the second is refused and the
/// bytes tell whose it was; another put, because it writes the same bytes again.
fn repeatable(error: HttpError) -> HttpError {
    match error.kind() {
        // No certificate becomes valid by asking again, and no plain server speaks TLS.
        HttpErrorKind::Connect if is_of_tls(&error) => error_of(HttpErrorKind::Unknown, error),
        HttpErrorKind::Connect => error,
        HttpErrorKind::Timeout => error_of(
            HttpErrorKind::Request,
            io::Error::new(io::ErrorKind::TimedOut, error),
        ),
        _ => error_of(HttpErrorKind::Request, error),
    }
}

fn error_of(
    kind: HttpErrorKind,
    error: impl std::error::Error + Send + Sync + 'static,
) -> HttpError {
    HttpError::new(kind, error)
}

fn is_of_tls(error: &HttpError) -> bool {
    io_kind(error) == Some(io::ErrorKind::InvalidData)
}

fn is_silence(error: &HttpError) -> bool {
    io_kind(error) == Some(io::ErrorKind::TimedOut)
}

/// The kind of the I/O error behind this one.
fn io_kind(error: &HttpError) -> Option<io::ErrorKind> {
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        if let Some(mut error) = inner.downcast_ref::<io::Error>() {
            // The client wraps one in another, whose `source` passes over it.
            while let Some(inner) = error.get_ref().and_then(|inner| inner.downcast_ref()) {
                error = inner;
            }
            return Some(error.kind());
        }
        source = inner.source();
    }
    None
}

fn silent(patience: Duration) -> HttpError {
    let problem = format!("no answer within {patience:?}");
    error_of(
        HttpErrorKind::Request,
        io::Error::new(io::ErrorKind::TimedOut, problem),
    )
}

fn broken(problem: &'static str) -> HttpError {
    error_of(HttpErrorKind::Request, io::Error::other(problem))
}

/// Nothing that waiting would change.
fn foreign() -> HttpError {
    Call::note(|call| call.failed(CallFailure::Foreign));
    error_of(
        HttpErrorKind::Decode,
        Problem::new("the answer is not that of an S3 server"),
    )
}

fn damaged(call: &Call) -> HttpError {
    let again = call.damaged() < MAX_DAMAGED;
    let kind = if again {
        HttpErrorKind::Request
    } else {
        HttpErrorKind::Decode
    };
    error_of(
        kind,
        Problem::new("the bytes are not those of the entity tag"),
    )
}

fn is_failure(response: &HttpResponse) -> bool {
    let status = response.status();
    status.is_redirection() && status != StatusCode::NOT_MODIFIED
        || status.is_client_error()
        || status.is_server_error()
}

fn secret_header(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?;
    // Of an Authorization header the signature is the secret; the rest is said in the open.
    let secret = value
        .rsplit_once("Signature=")
        .map_or(value, |(_, signature)| signature);
    Some(secret.to_owned())
}

/// Reads the error answer, notes it and passes it on.
async fn noted(response: HttpResponse, secrets: &[&str]) -> HttpResponse {
    let (mut parts, body) = response.into_parts();
    let body = first_bytes(body).await;
    let answer = answer::read(parts.status.as_u16(), &parts.headers, &body, secrets);
    // S3 did not get the bytes in time: AWS's own SDKs ask again, object_store does for this status.
    if answer.code.as_deref() == Some("RequestTimeout") {
        parts.status = StatusCode::REQUEST_TIMEOUT;
    }
    Call::note(|call| call.failed(CallFailure::Answer(answer)));
    HttpResponse::from_parts(parts, HttpResponseBody::from(body))
}

/// Reads at most `most` bytes of a body, as long as it does not stall.
async fn read_into(
    read: &mut BytesMut,
    body: HttpResponseBody,
    most: u64,
    stall: Duration,
) -> Result<(), HttpError> {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let mut chunks = body.bytes_stream();
    while read.len() < most {
        let next = tokio::time::timeout(stall, chunks.try_next()).await;
        let Some(chunk) = next.map_err(|_| silent(stall))?.map_err(repeatable)? else {
            break;
        };
        let room = most - read.len();
        read.extend_from_slice(&chunk[..chunk.len().min(room)]);
    }
    Ok(())
}

async fn whole(
    body: HttpResponseBody,
    expected: u64,
    most: u64,
    stall: Duration,
) -> Result<Bytes, HttpError> {
    let mut read = BytesMut::with_capacity(usize::try_from(expected).unwrap_or(0));
    read_into(&mut read, body, most, stall).await?;
    Ok(read.freeze())
}

/// Reads the beginning of an error answer's body, within bounds of size and time. One that breaks off still has
/// a status.
async fn first_bytes(body: HttpResponseBody) -> Bytes {
    let mut read = BytesMut::new();
    let reading = read_into(&mut read, body, MAX_ERROR_BODY, ERROR_BODY_TIMEOUT);
    let _ = tokio::time::timeout(ERROR_BODY_TIMEOUT, reading).await;
    // object_store wants text; what is cut off or foreign must not become another failure.
    match String::from_utf8_lossy(&read) {
        std::borrow::Cow::Borrowed(_) => read.freeze(),
        std::borrow::Cow::Owned(text) => Bytes::from(text),
    }
}
