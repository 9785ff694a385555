//! Small HTTP requests to the services that hand out credentials.

use std::path::Path;
use std::time::{Duration, SystemTime};

use bytes::BytesMut;
use chrono::DateTime;
use serde::Deserialize;

use super::SourceFailure;
use crate::causes;
use crate::secret::Secret;
use crate::sign::Credentials;

/// Largest answer, and largest token file, that is read.
const MAX_BYTES: usize = 64 << 10;

/// Pauses between tries, in milliseconds.
const PAUSES: [u64; 4] = [100, 200, 400, 800];

/// Sends a request and reads the answer of a success. What passes (too many requests, an error of the
/// server's, a connection that breaks off) is tried again a few times; the search has a deadline.
pub(super) async fn fetch(request: reqwest::RequestBuilder) -> Result<BytesMut, SourceFailure> {
    for pause in PAUSES {
        let Some(again) = request.try_clone() else {
            break;
        };
        match fetch_once(again).await {
            Err(trouble) if trouble.passing => {
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
            outcome => return outcome,
        }
    }
    fetch_once(request).await
}

async fn fetch_once(request: reqwest::RequestBuilder) -> Result<BytesMut, SourceFailure> {
    let failed = |error: reqwest::Error| SourceFailure {
        // Nobody listens where nothing is set up, and what was silent once stays so.
        passing: !error.is_connect() && !error.is_timeout() && !error.is_builder(),
        problem: causes::words(&error.without_url()),
        unnamed: false,
    };
    let mut response = request.send().await.map_err(failed)?;
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if body.len() + chunk.len() > MAX_BYTES {
            return Err("the answer is too long".into());
        }
        body.extend_from_slice(&chunk);
    }
    let status = response.status();
    if status.is_success() {
        return Ok(body);
    }
    let code = crate::backend::s3::answer::element(&String::from_utf8_lossy(&body), "Code");
    let code = code.filter(|code| code.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    let throttled = code
        .as_deref()
        .is_some_and(|code| code.starts_with("Throttl"));
    Err(SourceFailure {
        passing: status.is_server_error() || status.as_u16() == 429 || throttled,
        problem: match code {
            Some(code) => format!("it answered {}, {code}", status.as_u16()),
            None => format!("it answered {}", status.as_u16()),
        },
        unnamed: false,
    })
}

/// Reads a small file that holds a token.
pub(super) async fn token_file(path: &Path) -> Result<Secret, String> {
    let text = text_file(path)
        .await
        .map_err(|error| format!("the token file {} cannot be read: {error}", path.display()))?;
    let token = text.trim();
    // A scheme may stand before it.
    if token.is_empty()
        || !token
            .bytes()
            .all(|byte| byte.is_ascii_graphic() || byte == b' ')
    {
        return Err(format!("the token file {} holds no token", path.display()));
    }
    Ok(Secret::new(token))
}

/// Reads a small file. What is not UTF-8 in it, such as a comment in an old encoding, is replaced.
pub(super) async fn text_file(path: &Path) -> std::io::Result<zeroize::Zeroizing<String>> {
    use std::io::Read;
    let path = path.to_owned();
    let read = tokio::task::spawn_blocking(move || {
        let mut bytes = zeroize::Zeroizing::new(Vec::new());
        let file = std::fs::File::open(path)?;
        file.take(4 * MAX_BYTES as u64).read_to_end(&mut bytes)?;
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        Ok(zeroize::Zeroizing::new(
            String::from_utf8_lossy(text).into_owned(),
        ))
    });
    read.await
        .unwrap_or_else(|error| Err(std::io::Error::other(error)))
}

/// The answer of the container endpoints, of IMDS and of `credential_process`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct JsonKeys {
    code: Option<String>,
    access_key_id: Option<String>,
    secret_access_key: Option<Secret>,
    #[serde(alias = "SessionToken")]
    token: Option<Secret>,
    expiration: Option<String>,
}

pub(super) fn json_keys(body: &[u8]) -> Result<Credentials, String> {
    // serde's own words may quote the answer.
    let parsed = serde_json::from_slice::<JsonKeys>(body);
    let parsed = parsed.map_err(|_| "its answer is not the JSON it should be".to_owned())?;
    if let Some(code) = parsed.code.filter(|code| code != "Success") {
        let code: String = code
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .take(40)
            .collect();
        return Err(format!("it answered {code}"));
    }
    match (parsed.access_key_id, parsed.secret_access_key) {
        (Some(id), Some(secret)) => keys(id, secret, parsed.token, parsed.expiration.as_deref()),
        _ => Err("its answer has no keys".to_owned()),
    }
}

/// Keys from an answer, refused where they could not stand in a header.
pub(super) fn keys(
    access_key_id: String,
    secret_access_key: Secret,
    session_token: Option<Secret>,
    expiration: Option<&str>,
) -> Result<Credentials, String> {
    let session_token = session_token.filter(|token| !token.expose().is_empty());
    let token = session_token.as_ref().map_or("", Secret::expose);
    // The secret goes into no header: an umlaut or a space in it does no harm.
    let secret = secret_access_key.expose();
    let in_headers = [&access_key_id, token];
    if !in_headers
        .iter()
        .all(|part| part.bytes().all(|byte| byte.is_ascii_graphic()))
        || secret
            .chars()
            .any(|letter| letter.is_control() || letter == '\u{fffd}')
    {
        return Err("its keys have characters that keys do not have".to_owned());
    }
    let expires_at = match expiration {
        None => None,
        Some(text) => match DateTime::parse_from_rfc3339(text) {
            Ok(end) => Some(SystemTime::from(end)),
            Err(_) => return Err("its answer has no valid expiration".to_owned()),
        },
    };
    let mut keys = Credentials::new(access_key_id, secret_access_key);
    keys.session_token = session_token;
    keys.expires_at = expires_at;
    Ok(keys)
}
