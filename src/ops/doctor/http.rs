//! Unsigned requests, as anybody could make them.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::Method;

use crate::backend::trusted;
use crate::config::Config;

/// Most bytes of an answer that are read.
const MAX_BODY: usize = 64 << 10;

/// A client that knows no credentials and follows no redirect.
#[derive(Debug)]
pub(super) struct Http {
    client: reqwest::Client,
    deadline: Duration,
}

/// The answer of a server.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    headers: http::HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The `<Code>` of an S3 error document.
    pub(super) fn code(&self) -> Option<&str> {
        let text = std::str::from_utf8(&self.body).ok()?;
        let (_, rest) = text.split_once("<Code>")?;
        let (code, _) = rest.split_once("</Code>")?;
        let word = |byte: u8| byte.is_ascii_alphanumeric();
        (code.len() <= 64 && code.bytes().all(word)).then_some(code)
    }

    /// Status and code, for a message.
    pub(super) fn summary(&self) -> String {
        match self.code() {
            Some(code) => format!("{} {code}", self.status),
            None => self.status.to_string(),
        }
    }
}

impl Http {
    /// Every request ends within `deadline`.
    pub(super) fn new(deadline: Duration, config: &Config) -> Result<Self, String> {
        let authority = config.s3().and_then(|bucket| bucket.ca_bundle.as_ref());
        let trusted = trusted(authority).map_err(|error| error.to_string())?;
        let client = reqwest::Client::builder()
            .tls_certs_merge(trusted)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(deadline)
            .user_agent(concat!("lablink-storage/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| crate::causes::words(&error))?;
        Ok(Self { client, deadline })
    }

    pub(super) async fn send(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Answer, String> {
        let mut request = self.client.request(method, url).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let exchange = async {
            let mut response = request.send().await?;
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            let mut read = BytesMut::new();
            while let Some(chunk) = response.chunk().await? {
                let room = MAX_BODY - read.len();
                read.extend_from_slice(&chunk[..chunk.len().min(room)]);
                if chunk.len() >= room {
                    break;
                }
            }
            Ok::<_, reqwest::Error>(Answer {
                status,
                headers,
                body: read.freeze(),
            })
        };
        match tokio::time::timeout(self.deadline, exchange).await {
            Ok(outcome) => outcome.map_err(|error| crate::causes::words(&error.without_url())),
            Err(_) => Err(format!("no answer within {} s", self.deadline.as_secs())),
        }
    }

    pub(super) async fn get(&self, url: &str) -> Result<Answer, String> {
        self.send(Method::GET, url, &[], Bytes::new()).await
    }
}

/// Returns the hint for a server that cannot be reached; `setting` is the setting that names it.
pub(super) fn connection_hint(problem: &str, setting: &str) -> String {
    let lower = problem.to_ascii_lowercase();
    if lower.contains("certificate") || lower.contains("tls") {
        format!(
            "the server's certificate is not trusted here: install its CA, or correct {setting}"
        )
    } else if lower.contains("dns") || lower.contains("resolve") {
        format!("the host name is not known: correct {setting}, or repair the DNS resolver")
    } else if lower.contains("refused") {
        format!("nothing listens there: start the server, or correct {setting}")
    } else {
        format!("check {setting}, and that no firewall or proxy is in the way")
    }
}

/// A form as browsers send it (RFC 7578), the file last. The boundary is in none of the values, for they
/// are a policy's.
pub(super) fn multipart(
    fields: &[(String, String)],
    content_type: &str,
    file: &[u8],
) -> (String, Bytes) {
    let boundary = format!("----lablink-{}", uuid::Uuid::new_v4().simple());
    let mut body = Vec::new();
    for (name, value) in fields {
        body.extend_from_slice(
            format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
            )
            .as_bytes(),
        );
    }
    body.extend_from_slice(
        format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"probe.png\"\r\n\
             Content-Type: {content_type}\r\n\r\n"
        )
        .as_bytes(),
    );
    body.extend_from_slice(file);
    body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    (
        format!("multipart/form-data; boundary={boundary}"),
        body.into(),
    )
}
