//! Conditional requests and ranges, as [RFC 9110](https://www.rfc-editor.org/rfc/rfc9110#section-13.2.2) has
//! them.

use std::ops::Range;
use std::time::SystemTime;

use ::axum::http::{HeaderMap, HeaderName, Method, header};
use chrono::{DateTime, Utc};

use crate::backend::ObjectInfo;

/// What a request that names conditions is to get.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The whole object.
    Whole,
    /// These of its bytes.
    Part(Range<u64>),
    /// Nothing: the client has it.
    NotModified,
    /// A refusal: it is another object by now.
    Failed,
    /// A refusal: the range begins beyond its end.
    Beyond,
}

pub(super) fn judge(method: &Method, headers: &HeaderMap, info: &ObjectInfo) -> Verdict {
    let own = info.e_tag.as_deref().map(opaque);
    let modified = seconds(info.last_modified);
    let unmet = match tags(headers, header::IF_MATCH) {
        Some(tags) => !tags.iter().any(|tag| tag.is_own(own, true)),
        None => date(headers, header::IF_UNMODIFIED_SINCE).is_some_and(|since| modified > since),
    };
    if unmet {
        return Verdict::Failed;
    }
    let known = match tags(headers, header::IF_NONE_MATCH) {
        Some(tags) => tags.iter().any(|tag| tag.is_own(own, false)),
        None => date(headers, header::IF_MODIFIED_SINCE).is_some_and(|since| modified <= since),
    };
    if known {
        return Verdict::NotModified;
    }
    if method != Method::GET || !is_same(headers, own, modified) {
        return Verdict::Whole;
    }
    match range(headers, info.size) {
        None => Verdict::Whole,
        Some(Asked::From(first, end)) if first < info.size => {
            Verdict::Part(first..end.min(info.size))
        }
        Some(Asked::From(..)) => Verdict::Beyond,
        Some(Asked::Last(0)) => Verdict::Beyond,
        Some(Asked::Last(count)) => Verdict::Part(info.size - count..info.size),
    }
}

/// `If-Range`: the range counts only for the object that the client has the rest of.
fn is_same(headers: &HeaderMap, own: Option<&str>, modified: i64) -> bool {
    if !headers.contains_key(header::IF_RANGE) {
        return true;
    }
    if let Some(at) = date(headers, header::IF_RANGE) {
        return at == modified;
    }
    match tags(headers, header::IF_RANGE).as_deref() {
        Some([tag]) => tag.is_own(own, true),
        _ => false,
    }
}

enum Asked {
    From(u64, u64),
    Last(u64),
}

/// The one range that is asked for. What is malformed, of another unit, or several ranges is ignored; so is
/// a suffix of more than there is. The answer is the whole.
fn range(headers: &HeaderMap, size: u64) -> Option<Asked> {
    let mut values = headers.get_all(header::RANGE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let (unit, asked) = value.to_str().ok()?.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (first, last) = asked.trim().split_once('-')?;
    let number = |digits: &str| {
        let whole = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
        whole.then(|| digits.parse().unwrap_or(u64::MAX))
    };
    if first.is_empty() {
        let count: u64 = number(last)?;
        return (count <= size).then_some(Asked::Last(count));
    }
    let first = number(first)?;
    if last.is_empty() {
        return Some(Asked::From(first, u64::MAX));
    }
    let last = number(last)?;
    (first <= last).then_some(Asked::From(first, last.saturating_add(1)))
}

enum Tag {
    Any,
    Of { weak: bool, opaque: String },
}

impl Tag {
    fn is_own(&self, own: Option<&str>, strongly: bool) -> bool {
        match self {
            Self::Any => true,
            Self::Of { weak, opaque } => !(strongly && *weak) && own == Some(opaque),
        }
    }
}

/// The entity tags of a header, where there is one.
fn tags(headers: &HeaderMap, name: HeaderName) -> Option<Vec<Tag>> {
    let mut values = headers.get_all(name).iter().peekable();
    values.peek()?;
    let mut tags = Vec::new();
    for value in values {
        let mut rest = value.to_str().unwrap_or_default().trim();
        if rest == "*" {
            tags.push(Tag::Any);
        }
        // A comma may stand within a tag.
        while let Some((before, after)) = rest.split_once('"') {
            let Some((opaque, after)) = after.split_once('"') else {
                break;
            };
            let weak = before.ends_with("W/");
            tags.push(Tag::Of {
                weak,
                opaque: opaque.to_owned(),
            });
            rest = after;
        }
    }
    Some(tags)
}

/// The tag without its quotes. Those of backends may be weak, or have none.
pub(super) fn opaque(tag: &str) -> &str {
    tag.trim_start_matches("W/").trim_matches('"')
}

fn date(headers: &HeaderMap, name: HeaderName) -> Option<i64> {
    let value = headers.get(name)?.to_str().ok()?;
    Some(DateTime::parse_from_rfc2822(value.trim()).ok()?.timestamp())
}

/// HTTP's dates have no fractions.
fn seconds(time: SystemTime) -> i64 {
    DateTime::<Utc>::from(time).timestamp()
}

pub(super) fn http_date(time: SystemTime) -> String {
    DateTime::<Utc>::from(time)
        .format("%a, %d %b %Y %H:%M:%S GMT")
        .to_string()
}
