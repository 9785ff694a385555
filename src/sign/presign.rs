//! The request that a presigned GET or PUT makes.

use std::time::Duration;

use super::disposition::content_disposition;
use super::error::SignError;
use super::request::Method;

/// A GET or PUT to be signed.
///
/// ```
/// use std::time::Duration;
/// use lablink_storage::sign::Presign;
///
/// let download = Presign::get(Duration::from_secs(600)).with_download_as("board.png");
/// let upload = Presign::put(Duration::from_secs(600))
///     .with_header("Content-Type", "image/png")
///     .with_header("If-None-Match", "*");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presign {
    pub(super) method: Method,
    pub(super) expires_in: Duration,
    headers: Vec<(String, String)>,
    download_as: Option<String>,
    response_content_type: Option<String>,
}

impl Presign {
    /// A request to read, that lives so long.
    pub fn get(expires_in: Duration) -> Self {
        Self::new(Method::Get, expires_in)
    }

    /// A request to write, that lives so long.
    pub fn put(expires_in: Duration) -> Self {
        Self::new(Method::Put, expires_in)
    }

    fn new(method: Method, expires_in: Duration) -> Self {
        Self {
            method,
            expires_in,
            headers: Vec::new(),
            download_as: None,
            response_content_type: None,
        }
    }

    /// Adds a header that has to be sent with exactly this value.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Has the answer to a GET saved under this file name (see [`content_disposition`]).
    #[must_use]
    pub fn with_download_as(mut self, file_name: impl Into<String>) -> Self {
        self.download_as = Some(file_name.into());
        self
    }

    /// Has a GET answered with this content type.
    #[must_use]
    pub fn with_response_content_type(mut self, content_type: impl Into<String>) -> Self {
        self.response_content_type = Some(content_type.into());
        self
    }

    pub(super) fn has_headers(&self) -> bool {
        !self.headers.is_empty()
    }

    /// The headers as they are signed and sent: names in lower case, sorted, once each; values trimmed.
    pub(super) fn checked_headers(&self) -> Result<Vec<(String, String)>, SignError> {
        let invalid = |reason| Err(SignError::argument("headers", reason));
        let mut headers = Vec::with_capacity(self.headers.len());
        for (name, value) in &self.headers {
            let name_byte = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
            if name.is_empty() || !name.bytes().all(name_byte) || name.eq_ignore_ascii_case("host")
            {
                return invalid("a header's name is 'host' or has characters that it cannot have");
            }
            // S3 signs runs of spaces as one: do not sign what may not be what is sent.
            let value = value.trim_matches(' ');
            if value.is_empty() || !is_header_value(value) || value.contains("  ") {
                return invalid("a header's value must be printable ASCII without double spaces");
            }
            headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
        headers.sort_unstable();
        if headers.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return invalid("a header is given twice");
        }
        Ok(headers)
    }

    /// The query parameters that change the answer's headers, sorted by name.
    pub(super) fn response_query(&self) -> Result<Vec<(&'static str, String)>, SignError> {
        let mut query = Vec::new();
        if self.method != Method::Get
            && (self.download_as.is_some() || self.response_content_type.is_some())
        {
            return Err(SignError::argument(
                "download_as",
                "only the answer to a GET can be saved",
            ));
        }
        if let Some(name) = &self.download_as {
            query.push((DISPOSITION, content_disposition(name)?));
        }
        if let Some(content_type) = &self.response_content_type {
            if content_type.is_empty() || !is_header_value(content_type) {
                return Err(SignError::argument(
                    "response_content_type",
                    "must be a content type like image/png",
                ));
            }
            query.push((CONTENT_TYPE, content_type.clone()));
        }
        Ok(query)
    }
}

pub(super) const DISPOSITION: &str = "response-content-disposition";
pub(super) const CONTENT_TYPE: &str = "response-content-type";

fn is_header_value(value: &str) -> bool {
    value.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

/// Host and path of an absolute URL, as they are written.
pub(super) struct Target<'a> {
    pub(super) host: &'a str,
    pub(super) path: &'a str,
}

impl<'a> Target<'a> {
    pub(super) fn parse(url: &'a str) -> Result<Self, SignError> {
        let rest = url
            .strip_prefix("https://")
            .or_else(|| url.strip_prefix("http://"));
        let clean = url
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !b"?#@\\\"".contains(&byte));
        rest.filter(|_| clean)
            .and_then(|rest| {
                let (host, path) = rest.split_at(rest.find('/')?);
                (!host.is_empty()).then_some(Self { host, path })
            })
            .ok_or(SignError::argument(
                "url",
                "must be an absolute http(s) URL with a path and no query",
            ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_signed_as_they_are_sent() {
        let put = || Presign::put(Duration::from_secs(1));
        let headers = put()
            .with_header("If-None-Match", "*")
            .with_header("Content-Type", " image/png ")
            .checked_headers()
            .expect("valid");
        assert_eq!(
            headers,
            [
                ("content-type".to_owned(), "image/png".to_owned()),
                ("if-none-match".to_owned(), "*".to_owned()),
            ]
        );
        for (name, value) in [
            ("", "x"),
            ("a b", "x"),
            ("a:b", "x"),
            ("Host", "x"),
            ("a", ""),
            ("a", "x\r\ny: z"),
            ("a", "é"),
            ("a", "x  y"),
        ] {
            assert!(
                put().with_header(name, value).checked_headers().is_err(),
                "{name}: {value}"
            );
        }
        assert!(
            put()
                .with_header("a", "x")
                .with_header("A", "y")
                .checked_headers()
                .is_err()
        );
    }

    #[test]
    fn only_plain_absolute_urls_are_signed() {
        let target = Target::parse("http://127.0.0.1:7480/lab/a%20b.png").expect("valid");
        assert_eq!(
            (target.host, target.path),
            ("127.0.0.1:7480", "/lab/a%20b.png")
        );
        for url in [
            "",
            "/uploads/a",
            "memory://lablink/a",
            "https://host",
            "https:///a",
            "https://h/a?b",
            "https://h/a#b",
            "https://u@h/a",
            "https://h/ü",
            "https://h/a b",
            "https://h/a\n",
        ] {
            assert!(Target::parse(url).is_err(), "{url}");
        }
    }
}
