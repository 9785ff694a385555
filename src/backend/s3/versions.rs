//! Versions of objects in a bucket that keeps them.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html>

use object_store::Error;

use super::S3;
use super::headers::date;
use super::xml::walk;
use crate::backend::call::{Call, CallFailure, Problem};
use crate::backend::versions::ObjectVersion;
use crate::key::{ObjectKey, percent_encode_path};

/// One page of a listing of versions.
#[derive(Debug, Default)]
pub(in crate::backend) struct VersionPage {
    /// Keys with their versions, the newest first.
    pub(in crate::backend) versions: Vec<(ObjectKey, ObjectVersion)>,
    /// The beginning of the next page: a key and a version.
    pub(in crate::backend) next: Option<(String, String)>,
}

impl S3 {
    /// Whether the bucket keeps versions, or has kept some.
    pub(in crate::backend) async fn keeps_versions(&self) -> Result<bool, Error> {
        let answer = self.send("GET", "", &[("versioning", "")]).await?;
        let mut status = None;
        walk(&answer, b"VersioningConfiguration", |path, text| {
            if path == [b"Status"] {
                status = Some(text.trim_ascii().to_vec());
            }
        })
        .map_err(|_| foreign())?;
        Ok(status.is_some_and(|status| status == b"Enabled" || status == b"Suspended"))
    }

    /// Lists versions of the keys that begin with `prefix`.
    pub(in crate::backend) async fn version_page(
        &self,
        prefix: &str,
        from: Option<&(String, String)>,
    ) -> Result<VersionPage, Error> {
        let mut query = vec![("versions", ""), ("prefix", prefix)];
        if let Some((key, version)) = from {
            query.push(("key-marker", key));
            query.push(("version-id-marker", version));
        }
        read(&self.send("GET", "", &query).await?)
    }

    /// Removes one version for good.
    pub(in crate::backend) async fn delete_version(
        &self,
        key: &ObjectKey,
        version: &str,
    ) -> Result<(), Error> {
        let path = percent_encode_path(key.as_str());
        let sent = self.send("DELETE", &path, &[("versionId", version)]).await;
        sent.map(drop)
    }
}

fn read(xml: &[u8]) -> Result<VersionPage, Error> {
    let mut page = VersionPage::default();
    let (mut key, mut entry) = (None, ObjectVersion::default());
    let (mut is_truncated, mut next_key, mut next_version) = (false, None, None);
    walk(xml, b"ListVersionsResult", |path, text| {
        let words = || String::from_utf8(text.to_vec()).ok();
        match path {
            [b"IsTruncated"] => is_truncated = text.trim_ascii() == b"true",
            [b"NextKeyMarker"] => next_key = words(),
            [b"NextVersionIdMarker"] => next_version = words(),
            [b"Version" | b"DeleteMarker", b"Key"] => {
                key = words().and_then(|key| ObjectKey::parse(key).ok());
            }
            [_, b"VersionId"] => entry.version = words().unwrap_or_default(),
            [_, b"IsLatest"] => entry.is_latest = text.trim_ascii() == b"true",
            [b"Version", b"Size"] => {
                entry.size = words()
                    .and_then(|size| size.trim().parse().ok())
                    .unwrap_or(0)
            }
            [b"Version", b"ETag"] => {
                entry.e_tag = words().map(|tag| tag.trim_matches('"').to_owned())
            }
            [_, b"LastModified"] => {
                let moment = words().and_then(|text| date(&text));
                entry.last_modified = moment.unwrap_or_default().into();
            }
            [kind @ (b"Version" | b"DeleteMarker")] => {
                let mut entry = std::mem::take(&mut entry);
                entry.is_deleted = *kind == b"DeleteMarker";
                // A key that no image can have is nobody's concern here.
                page.versions.extend(key.take().map(|key| (key, entry)));
            }
            _ => {}
        }
    })
    .map_err(|_| foreign())?;
    if is_truncated {
        let (Some(key), Some(version)) = (next_key, next_version) else {
            return Err(foreign());
        };
        page.next = Some((key, version));
    }
    Ok(page)
}

fn foreign() -> Error {
    Call::note(|call| call.failed(CallFailure::Foreign));
    Error::Generic {
        store: "S3",
        source: Box::new(Problem::new("the answer is not that of an S3 server")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_delete_markers_are_read_in_their_order() {
        let xml = br#"<?xml version="1.0" encoding="UTF-8"?>
<ListVersionsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>lab</Name>
<IsTruncated>true</IsTruncated><NextKeyMarker>a/b&amp;c.jpg</NextKeyMarker><NextVersionIdMarker>v0</NextVersionIdMarker>
<DeleteMarker><Key>a/b.jpg</Key><VersionId>v2</VersionId><IsLatest>true</IsLatest>
<LastModified>2026-11-26T10:00:00.000Z</LastModified><Owner><ID>x</ID></Owner></DeleteMarker>
<Version><Key>a/b.jpg</Key><VersionId>v1</VersionId><IsLatest>false</IsLatest>
<LastModified>2026-11-25T10:00:00.000Z</LastModified><ETag>&quot;abc&quot;</ETag><Size>42</Size></Version>
<Version><Key>a//b.jpg</Key><VersionId>v1</VersionId><Size>1</Size></Version>
</ListVersionsResult>"#;
        let page = read(xml).expect("a page");
        assert_eq!(page.next, Some(("a/b&c.jpg".to_owned(), "v0".to_owned())));
        let [(key, marker), (_, version)] = &page.versions[..] else {
            panic!("{page:?}");
        };
        assert_eq!(key.as_str(), "a/b.jpg");
        assert!(marker.is_deleted && marker.is_latest && marker.version == "v2");
        assert!(!version.is_deleted && !version.is_latest);
        assert_eq!((version.size, version.e_tag.as_deref()), (42, Some("abc")));
        // A blank belongs to the key: it is another object's.
        let blank = String::from_utf8_lossy(xml).replace("<Key>a/b.jpg<", "<Key>a/b.jpg <");
        let page = read(blank.as_bytes()).expect("a page");
        assert!(page.versions.iter().all(|(other, _)| other != key));
        for foreign in [&b""[..], b"<html></html>", b"<ListVersionsResult>", b"{}"] {
            assert!(read(foreign).is_err());
        }
    }
}
