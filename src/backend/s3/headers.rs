//! Reading the headers of successful answers, which servers and proxies write with more freedom than
//! object_store takes.

use chrono::{DateTime, NaiveDateTime, Utc};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG, LAST_MODIFIED, TRANSFER_ENCODING};
use http::response::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};
use md5::{Digest, Md5};

use crate::sign::hex;

/// Facts of an answer that object_store does not pass on; they are among the extensions of its results.
#[derive(Debug, Clone, Default)]
pub(in crate::backend) struct Told {
    /// The MD5 of the bytes, where the entity tag is one.
    pub(in crate::backend) md5: Option<String>,
    /// True if the size of the object is known.
    pub(in crate::backend) sized: bool,
}

/// Returns whether this may be the answer of an S3 server: anything else that answers 200 (a console, a page
/// for every path, a captive portal) is not to be believed.
pub(super) fn is_of_s3(method: &Method, parts: &Parts) -> bool {
    let is_page = parts.headers.get(CONTENT_TYPE).is_some_and(|value| {
        value
            .as_bytes()
            .to_ascii_lowercase()
            .starts_with(b"text/html")
    });
    let is_read = matches!(*method, Method::GET | Method::HEAD);
    let about_an_object = [ETAG, LAST_MODIFIED]
        .iter()
        .any(|name| parts.headers.contains_key(name));
    (about_an_object || !is_read) && (!is_page || has_amazon_header(&parts.headers))
}

pub(super) fn has_amazon_header(headers: &HeaderMap) -> bool {
    headers
        .keys()
        .any(|name| name.as_str().starts_with("x-amz-"))
}

/// Puts the headers into the form that object_store reads, and tells what that hides.
pub(super) fn complete(method: &Method, headers: &mut HeaderMap) -> Told {
    // One value that is not text would fail the whole answer.
    let not_text =
        |(name, value): (&HeaderName, &HeaderValue)| value.to_str().is_err().then(|| name.clone());
    let not_text: Vec<HeaderName> = headers.iter().filter_map(not_text).collect();
    for name in not_text {
        headers.remove(name);
    }
    if let Some(given) = headers.remove(LAST_MODIFIED)
        && let Some(at) = given.to_str().ok().and_then(date)
        && let Ok(value) = HeaderValue::from_str(&at.to_rfc2822())
    {
        headers.insert(LAST_MODIFIED, value);
    }
    let told = Told {
        md5: md5_of(headers),
        sized: length(headers).is_some(),
    };
    if *method == Method::PUT && !headers.contains_key(ETAG) {
        headers.insert(ETAG, HeaderValue::from_static(""));
    }
    if !told.sized {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(0));
    }
    told
}

/// The length that the answer names.
pub(super) fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Returns whether the end of the body is marked, so that one that breaks off is noticed.
pub(super) fn is_framed(parts: &Parts) -> bool {
    length(&parts.headers).is_some()
        || parts.headers.contains_key(TRANSFER_ENCODING)
        || parts.version >= Version::HTTP_2
}

/// The entity tag, where it is the MD5 of the bytes: not for those encrypted with a key of KMS or of the
/// customer's, and not for those uploaded in parts.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html>
fn md5_of(headers: &HeaderMap) -> Option<String> {
    let value = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let by_kms =
        value("x-amz-server-side-encryption").is_some_and(|how| how.starts_with("aws:kms"));
    if by_kms || value("x-amz-server-side-encryption-customer-algorithm").is_some() {
        return None;
    }
    let tag = value("etag")?.trim_matches('"').to_ascii_lowercase();
    let is_md5 = tag.len() == 32 && tag.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_md5.then_some(tag)
}

pub(in crate::backend) fn md5_hex(bytes: &[u8]) -> String {
    hex(&Md5::digest(bytes))
}

/// A date as HTTP has it (RFC 9110 section 5.6.7, the obsolete forms too), or as ISO 8601 does.
pub(super) fn date(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    let zoned = DateTime::parse_from_rfc2822(text).or_else(|_| DateTime::parse_from_rfc3339(text));
    if let Ok(at) = zoned {
        return Some(at.to_utc());
    }
    let obsolete = [
        "%A, %d-%b-%y %H:%M:%S GMT",
        "%a %b %e %H:%M:%S %Y",
        "%Y-%m-%dT%H:%M:%S%.f",
    ];
    let at = obsolete
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())?;
    Some(at.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The three forms of RFC 9110 section 5.6.7, and what gateways write.
    #[test]
    fn dates_are_read_in_every_form() {
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "1994-11-06T08:49:37Z",
            "1994-11-06T08:49:37.000",
        ] {
            assert_eq!(date(text).expect(text).timestamp(), 784_111_777, "{text}");
        }
        assert_eq!(date("yesterday"), None);
    }

    /// RFC 1321 appendix A.5.
    #[test]
    fn md5_is_md5() {
        assert_eq!(md5_hex(b"abc"), "900150983cd24fb0d6963f7d28e17f72");
    }

    #[test]
    fn entity_tags_are_md5_where_they_can_be() {
        let tag = |extra: &[(&'static str, &'static str)], tag: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(ETAG, HeaderValue::from_static(tag));
            for (name, value) in extra {
                headers.insert(*name, HeaderValue::from_static(value));
            }
            md5_of(&headers).is_some()
        };
        let md5 = "\"900150983cd24fb0d6963f7d28e17f72\"";
        assert!(tag(&[], md5) && tag(&[("x-amz-server-side-encryption", "AES256")], md5));
        assert!(!tag(&[("x-amz-server-side-encryption", "aws:kms")], md5));
        assert!(!tag(&[], "\"900150983cd24fb0d6963f7d28e17f72-2\""));
        assert!(!tag(&[], "\"a\""));
    }
}
