//! The HTTP layer under object_store: one client that follows no redirect, bounds every try, and notes
//! what servers answer.

use std::io;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt;
use http::{HeaderMap, Method};
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
    HttpResponseBody, HttpService,
};

use super::super::call::{Call, Failure, Problem};
use super::super::error::{Operation, StorageError};
use super::answer;
use crate::config::CaBundle;
use crate::kind::ErrorKind;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);

/// How long one try waits for the beginning of the answer, with nothing to send.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(12);

/// The slowest upload, in bytes a second, that one try waits for.
const SLOWEST: u64 = 64 << 10;

/// Largest error answer that is read.
const MAX_ERROR_BODY: usize = 64 << 10;

/// How long the rest of an error answer is waited for.
const ERROR_BODY_TIMEOUT: Duration = Duration::from_secs(3);

/// A client for `https`, or, where the machine has no CA certificates, for `http` alone if that is all
/// that is needed. It never follows a redirect: reqwest would repeat `x-amz-security-token` to any host.
pub(super) fn client(
    needs_tls: bool,
    authority: Option<&CaBundle>,
) -> Result<reqwest::Client, StorageError> {
    let certificates = authority.map(certificates).transpose()?.unwrap_or_default();
    let builder = || {
        reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .user_agent(concat!("lablink-storage/", env!("CARGO_PKG_VERSION")))
    };
    let client = match builder().tls_certs_merge(certificates.clone()).build() {
        Err(_) if !needs_tls => builder().tls_certs_only([]).build(),
        // With certificates of its own it can do without the machine's.
        Err(_) if !certificates.is_empty() => builder().tls_certs_only(certificates).build(),
        client => client,
    };
    client.map_err(|error| {
        StorageError::new(
            ErrorKind::Configuration,
            Operation::Open,
            "no HTTPS client can be made",
        )
        .with_hint("install the CA certificates (on Debian: apt-get install ca-certificates)")
        .with_source(Problem::of(&error))
    })
}

/// The certificates of a private authority.
fn certificates(authority: &CaBundle) -> Result<Vec<reqwest::Certificate>, StorageError> {
    let found = reqwest::Certificate::from_pem_bundle(&authority.pem).unwrap_or_default();
    if found.is_empty() {
        let setting = authority.setting;
        return Err(StorageError::new(
            ErrorKind::Configuration,
            Operation::Open,
            format!("the file that {setting} names has no certificate in PEM"),
        )
        .with_hint(format!(
            "set {setting} to a PEM file of certificates, or unset it"
        )));
    }
    Ok(found)
}

/// Hands the one client to object_store.
#[derive(Debug)]
pub(super) struct Connector(pub(super) reqwest::Client);

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(Noting(self.0.clone())))
    }
}

/// Sends requests and notes what comes of them on the current [`Call`].
#[derive(Debug)]
struct Noting(reqwest::Client);

#[async_trait]
impl HttpService for Noting {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        Call::note(Call::sent);
        let token = secret_header(request.headers(), "x-amz-security-token");
        let signature = secret_header(request.headers(), "authorization");
        let repeatable = is_repeatable(&request);
        let length = request.body().content_length() as u64;
        let patience = ANSWER_TIMEOUT + Duration::from_secs(length / SLOWEST);

        let answered = tokio::time::timeout(patience, self.0.call(request)).await;
        let answered = answered.unwrap_or_else(|_| {
            let silent = io::Error::new(
                io::ErrorKind::TimedOut,
                format!("no answer within {patience:?}"),
            );
            Err(HttpError::new(HttpErrorKind::Timeout, silent))
        });
        match answered {
            Ok(response) if is_failure(&response) => {
                let secrets = [token.as_deref(), signature.as_deref()];
                let secrets: Vec<&str> = secrets.into_iter().flatten().collect();
                Ok(noted(response, &secrets).await)
            }
            Ok(response) => {
                if has_opaque_e_tag(response.headers()) {
                    Call::note(Call::found_opaque_e_tag);
                }
                Ok(response)
            }
            Err(error) => {
                let timed_out = error.kind() == HttpErrorKind::Timeout;
                let problem = Problem::of(&error);
                Call::note(|call| call.failed(Failure::Transport { timed_out, problem }));
                Err(match error.kind() {
                    HttpErrorKind::Interrupted | HttpErrorKind::Timeout if repeatable => {
                        HttpError::new(HttpErrorKind::Request, error)
                    }
                    _ => error,
                })
            }
        }
    }
}

/// Whether a request may be repeated although it may have arrived, where object_store would not: a
/// removal always, and a create-only put, because if the first arrived the second is refused and the
/// bytes tell whose it was.
fn is_repeatable(request: &HttpRequest) -> bool {
    match *request.method() {
        Method::DELETE => true,
        Method::PUT => request.headers().contains_key(http::header::IF_NONE_MATCH),
        _ => false,
    }
}

fn is_failure(response: &HttpResponse) -> bool {
    let status = response.status();
    status.is_redirection() && status != http::StatusCode::NOT_MODIFIED
        || status.is_client_error()
        || status.is_server_error()
}

/// Whether the entity tag is no MD5 although it may look like one
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html>).
fn has_opaque_e_tag(headers: &HeaderMap) -> bool {
    let encrypted = headers.get("x-amz-server-side-encryption");
    encrypted.is_some_and(|by| by != "AES256")
        || headers.contains_key("x-amz-server-side-encryption-customer-algorithm")
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
    let (parts, body) = response.into_parts();
    let body = first_bytes(body).await;
    let answer = answer::read(parts.status.as_u16(), &parts.headers, &body, secrets);
    Call::note(|call| call.failed(Failure::Answer(answer)));
    HttpResponse::from_parts(parts, HttpResponseBody::from(body))
}

/// What comes of a body within bounds of size and time. An answer that breaks off still has a status.
async fn first_bytes(body: HttpResponseBody) -> Bytes {
    let mut read = BytesMut::new();
    let mut chunks = body.bytes_stream();
    let reading = async {
        while let Ok(Some(chunk)) = chunks.try_next().await {
            let room = MAX_ERROR_BODY - read.len();
            read.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if read.len() == MAX_ERROR_BODY {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(ERROR_BODY_TIMEOUT, reading).await;
    // object_store wants text; what is cut off or foreign must not become another failure.
    match String::from_utf8_lossy(&read) {
        std::borrow::Cow::Borrowed(_) => read.freeze(),
        std::borrow::Cow::Owned(text) => Bytes::from(text),
    }
}
