//! What S3 does, as far as a store of images asks for it.

use std::sync::Mutex;

use super::{Object, REQUEST_ID, Request, State, error_body, locked};

pub(super) type Answer = (u16, Vec<(&'static str, String)>, Vec<u8>);

/// What S3 answers: it names every request, and what answers in its stead does not.
pub(super) fn answer(request: &Request, state: &Mutex<State>) -> Answer {
    let (status, mut headers, body) = act(request, state);
    headers.push(("x-amz-request-id", REQUEST_ID.to_owned()));
    (status, headers, body)
}

/// What S3 does, as far as a store of images asks for it.
fn act(request: &Request, state: &Mutex<State>) -> Answer {
    let mut state = locked(state);
    let path = request.path.clone();
    let key = path
        .trim_start_matches('/')
        .split_once('/')
        .map(|(_, key)| key);
    let refuse = |status, code| (status, Vec::new(), error_body(code).into_bytes());
    match (request.method.as_str(), key) {
        ("GET", None | Some("")) => (200, Vec::new(), listing(&path, &request.query, &state)),
        ("PUT", Some(_)) => {
            if request.header("if-none-match") == Some("*") && state.objects.contains_key(&path) {
                return refuse(412, "PreconditionFailed");
            }
            let header = |name| request.header(name).unwrap_or_default().to_owned();
            let object = Object {
                bytes: request.body.clone(),
                content_type: header("content-type"),
                cache_control: header("cache-control"),
            };
            let e_tag = e_tag(&object);
            state.objects.insert(path, object);
            (200, vec![("etag", e_tag)], Vec::new())
        }
        ("DELETE", Some(_)) => {
            state.objects.remove(&path);
            (204, Vec::new(), Vec::new())
        }
        ("GET" | "HEAD", Some(_)) => match state.objects.get(&path) {
            Some(object) => read(request, object),
            None => refuse(404, "NoSuchKey"),
        },
        // CloudFront's own interface.
        ("POST", Some(key)) if key.ends_with("/invalidation") => {
            (201, Vec::new(), b"<Invalidation/>".to_vec())
        }
        _ => refuse(405, "MethodNotAllowed"),
    }
}

fn read(request: &Request, object: &Object) -> Answer {
    let mut headers = vec![
        ("etag", e_tag(object)),
        ("content-type", object.content_type.clone()),
        ("cache-control", object.cache_control.clone()),
        ("last-modified", "Wed, 21 Oct 2015 07:28:00 GMT".to_owned()),
    ];
    let total = object.bytes.len();
    let range = request
        .header("range")
        .and_then(|range| range.strip_prefix("bytes="));
    let Some((start, end)) = range.and_then(|range| range.split_once('-')) else {
        return (200, headers, object.bytes.clone());
    };
    let start: usize = start.parse().unwrap_or(0);
    let end = end.parse().map_or(total, |end: usize| end + 1).min(total);
    if start >= end {
        return (416, Vec::new(), error_body("InvalidRange").into_bytes());
    }
    headers.push((
        "content-range",
        format!("bytes {start}-{}/{total}", end - 1),
    ));
    (206, headers, object.bytes[start..end].to_vec())
}

fn e_tag(object: &Object) -> String {
    let sum = object
        .bytes
        .iter()
        .fold(0_u64, |sum, byte| sum.wrapping_mul(31) + u64::from(*byte));
    format!("\"{sum:016x}\"")
}

fn listing(bucket: &str, query: &str, state: &State) -> Vec<u8> {
    let prefix = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("prefix="));
    let prefix = prefix.unwrap_or_default().replace("%2F", "/");
    let under = format!("{}/{prefix}", bucket.trim_end_matches('/'));
    let mut xml = "<ListBucketResult><IsTruncated>false</IsTruncated>".to_owned();
    for (path, object) in state
        .objects
        .iter()
        .filter(|(path, _)| path.starts_with(&under))
    {
        let key = path
            .trim_start_matches('/')
            .split_once('/')
            .map_or("", |(_, key)| key);
        xml.push_str(&format!(
            "<Contents><Key>{key}</Key><LastModified>2015-10-21T07:28:00.000Z</LastModified>\
             <ETag>{}</ETag><Size>{}</Size></Contents>",
            e_tag(object).replace('"', "&quot;"),
            object.bytes.len()
        ));
    }
    xml.push_str("</ListBucketResult>");
    xml.into_bytes()
}
