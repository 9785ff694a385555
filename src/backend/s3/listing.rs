//! Reading the pages of a listing (ListObjectsV2).
//!
//! object_store fails a whole page over one key that it cannot hold, over a date in another form, and
//! takes any XML without an object for an empty bucket. The HTTP layer reads pages with this instead.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>

use std::time::SystemTime;

use chrono::{DateTime, Utc};
use object_store::ObjectMeta;
use object_store::path::Path;

use super::headers::date;
use super::xml::{Unreadable, walk};
use crate::key::ObjectKey;

/// One page of a listing.
#[derive(Debug, Clone, Default)]
pub(in crate::backend) struct Page {
    pub(in crate::backend) objects: Vec<ObjectMeta>,
    /// Keys that were skipped because no key of this crate can be like them.
    pub(in crate::backend) passed_over: Vec<String>,
    /// Token of the next page; `None` after the last.
    pub(in crate::backend) next: Option<String>,
}

/// Reads one page.
pub(super) fn read(xml: &[u8]) -> Result<Page, Unreadable> {
    let mut page = Page::default();
    let mut entry = Entry::default();
    let mut is_truncated = false;
    walk(xml, b"ListBucketResult", |path, text| {
        let words = || String::from_utf8(text.to_vec()).ok();
        match path {
            [b"IsTruncated"] => is_truncated = text.trim_ascii() == b"true",
            [b"NextContinuationToken"] => page.next = words(),
            [b"Contents"] => page.take(std::mem::take(&mut entry)),
            [b"Contents", b"Key"] => entry.key = Some(text.to_vec()),
            [b"Contents", b"Size"] => entry.size = number(text),
            [b"Contents", b"ETag"] => entry.e_tag = words(),
            [b"Contents", b"LastModified"] => entry.last_modified = instant(text),
            _ => {}
        }
    })?;
    // A listing that stops without saying where it goes on is not the whole of it.
    match (is_truncated, &page.next) {
        (true, None) => Err(Unreadable::Broken),
        _ => Ok(page),
    }
}

#[derive(Default)]
struct Entry {
    key: Option<Vec<u8>>,
    size: Option<u64>,
    e_tag: Option<String>,
    last_modified: Option<DateTime<Utc>>,
}

impl Page {
    fn take(&mut self, entry: Entry) {
        let name = entry.key.unwrap_or_default();
        // The consoles' folders: no objects of anybody's, and nothing strange.
        if name.ends_with(b"/") && entry.size.unwrap_or(0) == 0 {
            return;
        }
        let key = std::str::from_utf8(&name).ok();
        let key = key.and_then(|key| ObjectKey::parse(key).ok());
        let location = key.and_then(|key| Path::parse(key.as_str()).ok());
        match (location, entry.size) {
            (Some(location), Some(size)) => self.objects.push(ObjectMeta {
                location,
                // Of an unknown age it counts as new: a sweep removes what is old.
                last_modified: entry
                    .last_modified
                    .unwrap_or_else(|| SystemTime::now().into()),
                size,
                e_tag: entry.e_tag,
                version: None,
            }),
            _ => self
                .passed_over
                .push(String::from_utf8_lossy(&name).into_owned()),
        }
    }
}

fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.trim().parse().ok()
}

fn instant(text: &[u8]) -> Option<DateTime<Utc>> {
    date(std::str::from_utf8(text).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(contents: &str) -> Page {
        let xml = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult \
             xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>lab</Name>{contents}</ListBucketResult>"
        );
        read(xml.as_bytes()).expect("a page")
    }

    fn object(key: &str) -> String {
        format!(
            "<Contents><Key>{key}</Key><LastModified>2009-10-12T17:50:30.000Z</LastModified>\
             <ETag>&quot;fba9dede5f27731c9771645a39863328&quot;</ETag><Size>434234</Size></Contents>"
        )
    }

    #[test]
    fn objects_are_read() {
        let page = page(&format!(
            "<IsTruncated>true</IsTruncated>{}<NextContinuationToken>1ueGcxLPRx1Tr/X&amp;=</NextContinuationToken>",
            object("a/&#x4e;ähe &lt;1&gt;.jpg")
        ));
        assert_eq!(page.next.as_deref(), Some("1ueGcxLPRx1Tr/X&="));
        let [object] = page.objects.as_slice() else {
            panic!("{page:?}");
        };
        assert_eq!(object.location.as_ref(), "a/Nähe <1>.jpg");
        assert_eq!(object.size, 434_234);
        let e_tag = "\"fba9dede5f27731c9771645a39863328\"";
        assert_eq!(object.e_tag.as_deref(), Some(e_tag));
        assert_eq!(
            object.last_modified.to_rfc3339(),
            "2009-10-12T17:50:30+00:00"
        );
    }

    #[test]
    fn keys_that_cannot_be_ours_are_passed_over_and_named() {
        let strange = [
            "a//b.jpg",
            "a/./b.jpg",
            "a/../b.jpg",
            "/a.jpg",
            "a&#x1;.jpg",
            "a\tb.jpg",
            "a#1",
            "data/",
        ];
        let all: String = strange.iter().map(|key| object(key)).collect();
        let folder = object("folder/").replace("434234", "0");
        let page = page(&format!("{all}{folder}{}", object("good.jpg")));
        assert_eq!(
            page.passed_over,
            strange.map(|key| key.replace("&#x1;", "\u{1}"))
        );
        assert_eq!(page.objects.len(), 1);
    }

    /// A sweep took such objects for old ones, and uploads that had just come for left behind.
    #[test]
    fn dates_that_are_not_read_do_not_fail_the_page_and_count_as_now() {
        let dated = object("a.jpg");
        let began = DateTime::<Utc>::from(SystemTime::now());
        for odd in [
            dated.replace("2009-10-12T17:50:30.000Z", "yesterday"),
            dated.replace("<LastModified>2009-10-12T17:50:30.000Z</LastModified>", ""),
        ] {
            let page = page(&odd);
            let [object] = page.objects.as_slice() else {
                panic!("{page:?}");
            };
            assert!(object.last_modified >= began, "{odd}");
        }
    }

    #[test]
    fn what_is_no_page_is_told_from_half_a_page() {
        for foreign in [
            "",
            "{}",
            "<!doctype html><html></html>",
            "<Error><Code>X</Code></Error>",
            "\0",
        ] {
            assert_eq!(
                read(foreign.as_bytes()).err(),
                Some(Unreadable::Foreign),
                "{foreign}"
            );
        }
        let whole = format!("<ListBucketResult>{}</ListBucketResult>", object("a.jpg"));
        assert!(read(whole.as_bytes()).is_ok() && read(b"<ListBucketResult/>").is_ok());
        for length in 18..whole.len() {
            assert_eq!(
                read(&whole.as_bytes()[..length]).err(),
                Some(Unreadable::Broken),
                "{length}"
            );
        }
        let endless = "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>";
        assert_eq!(read(endless.as_bytes()).err(), Some(Unreadable::Broken));
    }
}
