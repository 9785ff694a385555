//! Reading error answers: the code, the words, the request's id, and what the headers add.

use std::time::SystemTime;

use http::HeaderMap;
use http::header::{DATE, HeaderName, LOCATION};

use crate::backend::call::Answer;

/// Longest part of an answer that is repeated in an error, in characters.
const MAX_WORDS: usize = 300;

/// Reads an error answer. `secrets` are values that the request carried and the server may repeat.
pub(super) fn read(status: u16, headers: &HeaderMap, body: &[u8], secrets: &[&str]) -> Answer {
    let body = String::from_utf8_lossy(body);
    let header = |name: &HeaderName| Some(headers.get(name)?.to_str().ok()?.to_owned());
    let named = |name: &'static str| header(&HeaderName::from_static(name));
    let element = |name| element(&body, name).map(|words| harmless(&words, secrets));
    let code = element("Code");
    Answer {
        status,
        of_s3: code.is_some() || super::headers::has_amazon_header(headers),
        code,
        message: element("Message"),
        request_id: named("x-amz-request-id")
            .map(|id| harmless(&id, secrets))
            .or_else(|| element("RequestId")),
        region: named("x-amz-bucket-region")
            .or_else(|| element("Region"))
            .filter(|region| is_region(region)),
        redirect_host: header(&LOCATION)
            .and_then(|location| {
                url::Url::parse(&location)
                    .ok()?
                    .host_str()
                    .map(str::to_owned)
            })
            .map(|host| harmless(&host, secrets)),
        clock_ahead: header(&DATE).and_then(|date| seconds_ahead(&date)),
    }
}

/// The text of the first element of this name, entities decoded. Error answers are flat, so nothing
/// more of XML is needed to read one.
pub(super) fn element(xml: &str, name: &str) -> Option<String> {
    let start = xml.find(&format!("<{name}>"))? + name.len() + 2;
    let end = start + xml.get(start..)?.find(&format!("</{name}>"))?;
    let text = xml.get(start..end)?.trim();
    if text.is_empty() {
        return None;
    }
    // The ampersand last: what it makes is not to be decoded again.
    let text = text
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&apos;", "'")
        .replace("&amp;", "&");
    Some(text)
}

/// A server's words, fit for a message: bounded, on one line, and without what must not be seen.
fn harmless(words: &str, secrets: &[&str]) -> String {
    let mut words: String = words
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect();
    for secret in secrets.iter().filter(|secret| secret.len() > 3) {
        words = words.replace(secret, "…");
    }
    words.chars().take(MAX_WORDS).collect()
}

fn is_region(region: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    (1..=64).contains(&region.len()) && region.bytes().all(plain)
}

/// Seconds that this machine's clock is ahead of a `Date` header's (RFC 9110 section 5.6.7).
fn seconds_ahead(date: &str) -> Option<i64> {
    let theirs = super::headers::date(date)?.timestamp();
    let ours = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .ok()?
        .as_secs();
    Some(i64::try_from(ours).ok()? - theirs)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#RESTErrorResponses>.
    const EXAMPLE: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<Error>
  <Code>NoSuchKey</Code>
  <Message>The resource you requested does not exist</Message>
  <Resource>/mybucket/myfoto.jpg</Resource>
  <RequestId>4442587FB7D0A2F9</RequestId>
</Error>"#;

    #[test]
    fn the_published_example_is_read() {
        let answer = read(404, &HeaderMap::new(), EXAMPLE.as_bytes(), &[]);
        assert_eq!(answer.code.as_deref(), Some("NoSuchKey"));
        assert_eq!(answer.request_id.as_deref(), Some("4442587FB7D0A2F9"));
        let words = answer.message.expect("a message");
        assert_eq!(words, "The resource you requested does not exist");
    }

    #[test]
    fn what_the_request_carried_is_not_repeated() {
        let body =
            "<Error><Code>InvalidToken</Code><Message>bad TOKEN12345 &amp;lt;\n</Message></Error>";
        let answer = read(400, &HeaderMap::new(), body.as_bytes(), &["TOKEN12345"]);
        assert_eq!(answer.message.as_deref(), Some("bad … &lt;"));
        let long = format!("<Message>{}</Message>", "x".repeat(100_000));
        let answer = read(400, &HeaderMap::new(), long.as_bytes(), &[]);
        assert!(answer.message.expect("a message").len() <= MAX_WORDS);
    }

    #[test]
    fn broken_answers_are_answers_without_a_code() {
        for body in [
            &b""[..],
            b"<Code>",
            b"<Code></Code>",
            b"\xff\xfe<Code>",
            b"</Code><Code>",
        ] {
            let answer = read(500, &HeaderMap::new(), body, &[]);
            assert_eq!((answer.status, answer.code), (500, None));
        }
    }

    #[test]
    fn headers_tell_the_region_and_the_clock() {
        let mut headers = HeaderMap::new();
        let mut set = |name, value| headers.insert(HeaderName::from_static(name), value);
        set(
            "x-amz-bucket-region",
            http::HeaderValue::from_static("eu-west-1"),
        );
        let past = http::HeaderValue::from_static("Wed, 21 Oct 2015 07:28:00 GMT");
        set("date", past);
        let answer = read(301, &headers, b"", &[]);
        assert_eq!(answer.region.as_deref(), Some("eu-west-1"));
        assert!(answer.clock_ahead.expect("a date") > 300_000_000);
    }
}
