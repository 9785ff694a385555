//! Small HTTP requests to the services that hand out credentials.

use std::path::Path;
use std::time::SystemTime;

use bytes::BytesMut;
use chrono::DateTime;
use serde::Deserialize;

use crate::causes;
use crate::secret::Secret;
use crate::sign::Credentials;

/// Largest answer, and largest token file, that is read.
const MAX_BYTES: usize = 64 << 10;

/// Sends a request and reads the answer of a success.
pub(super) async fn fetch(request: reqwest::RequestBuilder) -> Result<BytesMut, String> {
    let failed = |error: reqwest::Error| causes::words(&error.without_url());
    let mut response = request.send().await.map_err(failed)?;
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if body.len() + chunk.len() > MAX_BYTES {
            return Err("the answer is too long".to_owned());
        }
        body.extend_from_slice(&chunk);
    }
    let status = response.status();
    if status.is_success() {
        return Ok(body);
    }
    let code = super::super::answer::element(&String::from_utf8_lossy(&body), "Code");
    let code = code.filter(|code| code.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    Err(match code {
        Some(code) => format!("it answered {}, {code}", status.as_u16()),
        None => format!("it answered {}", status.as_u16()),
    })
}

/// Reads a small file that holds a token.
pub(super) async fn token_file(path: &Path) -> Result<Secret, String> {
    let text = text_file(path)
        .await
        .map_err(|error| format!("the token file {} cannot be read: {error}", path.display()))?;
    let token = text.trim();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(format!("the token file {} holds no token", path.display()));
    }
    Ok(Secret::new(token))
}

pub(super) async fn text_file(path: &Path) -> std::io::Result<zeroize::Zeroizing<String>> {
    use std::io::Read;
    let path = path.to_owned();
    let read = tokio::task::spawn_blocking(move || {
        let mut text = zeroize::Zeroizing::new(String::new());
        let file = std::fs::File::open(path)?;
        file.take(4 * MAX_BYTES as u64).read_to_string(&mut text)?;
        Ok(text)
    });
    read.await
        .unwrap_or_else(|error| Err(std::io::Error::other(error)))
}

/// The answer of the container endpoints and of IMDS.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct JsonKeys {
    code: Option<String>,
    access_key_id: Option<String>,
    secret_access_key: Option<Secret>,
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
    let parts = [&access_key_id, secret_access_key.expose(), token];
    if !parts
        .iter()
        .all(|part| part.bytes().all(|byte| byte.is_ascii_graphic()))
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
