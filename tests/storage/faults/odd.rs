//! Servers that are odd, and what is no server at all: what is whole is taken, what is not is never a
//! success.

use std::time::Duration;

use futures_util::TryStreamExt;
use lablink_storage::{Error, ErrorKind, ObjectInfo};

use super::{SECRET, config, count, is_put, key, open, upload, within};
use crate::common::faulty::{Fault, Faulty};

/// RFC 1321 appendix A.5: the MD5 of `abc`.
const MD5_OF_ABC: &str = "\"900150983cd24fb0d6963f7d28e17f72\"";

/// A console, a single-page application, a captive portal: 200 and HTML for every path, with and without
/// an entity tag.
#[tokio::test]
async fn a_web_page_is_no_bucket() {
    for headers in [
        vec![],
        vec![
            ("etag", "\"5f-1\"".to_owned()),
            ("last-modified", "Wed, 21 Oct 2015 07:28:00 GMT".to_owned()),
        ],
    ] {
        let mut headers: Vec<(&'static str, String)> = headers;
        headers.push(("content-type", "text/html; charset=utf-8".to_owned()));
        let page = b"<!doctype html><html><head><title>Console</title></head></html>".to_vec();
        let server =
            Faulty::start(move |_, _| Some(Fault::Answer(200, headers.clone(), page.clone())))
                .await;
        let store = open(config(&server));
        let a = key("components/a.png");
        let status = within(5, store.status()).await;
        assert!(!status.accessible, "{status:?}");
        assert!(status.hint.expect("a hint").contains(&server.url()));
        let listed: Result<Vec<ObjectInfo>, Error> =
            within(5, store.list(None).try_collect()).await;
        for (what, error) in [
            ("list", listed.map(drop)),
            ("exists", within(5, store.exists(&a)).await.map(drop)),
            ("get", within(5, store.get(&a)).await.map(drop)),
            ("delete", within(5, store.delete(&a)).await),
            ("upload", within(5, upload(&store)).await.map(drop)),
            (
                "sweep",
                within(5, store.sweep(Duration::ZERO, false))
                    .await
                    .map(drop),
            ),
        ] {
            let error = error.expect_err(what);
            assert_eq!(error.kind(), ErrorKind::Internal, "{what}: {error}");
            assert!(
                error.to_string().contains("not from an S3 server"),
                "{what}: {error}"
            );
        }
    }
}

/// Gateways and proxies leave headers out, change them, and send bodies in chunks.
#[tokio::test]
async fn what_proxies_leave_out_is_not_missed() {
    for (method, changes) in [
        ("PUT", vec![("etag", None)]),
        ("GET", vec![("content-length", None)]),
        (
            "GET",
            vec![("last-modified", Some("2026-01-02T03:04:05Z".to_owned()))],
        ),
        ("GET", vec![("last-modified", Some("yesterday".to_owned()))]),
        ("HEAD", vec![("content-length", None)]),
        ("GET", vec![("etag", None)]),
        ("HEAD", vec![("content-length", None), ("etag", None)]),
    ] {
        let told = format!("{method} {changes:?}");
        let server = Faulty::start(move |request, _| {
            request.is(method).then(|| Fault::Headers(changes.clone()))
        })
        .await;
        let store = open(config(&server));
        let key = within(5, upload(&store)).await.expect(&told);
        let stored = server.objects().into_values().next().expect("stored");
        let object = within(5, store.get(&key)).await.expect(&told);
        assert_eq!(object.bytes, stored, "{told}");
        let info = within(5, store.head(&key)).await.expect(&told);
        assert_eq!(info.size, stored.len() as u64, "{told}");
        if told.contains("2026") {
            let at = object
                .info
                .last_modified
                .duration_since(std::time::SystemTime::UNIX_EPOCH);
            assert_eq!(at.expect("after").as_secs(), 1_767_323_045);
        }
        assert!(within(5, store.exists(&key)).await.expect(&told), "{told}");
    }
}

/// Bytes that are not those of the entity tag are asked for again, and never handed out.
#[tokio::test]
async fn damaged_bytes_are_never_handed_out() {
    for damaged in [1, usize::MAX] {
        let server = Faulty::start(move |request, before| {
            let tag = if before < damaged {
                MD5_OF_ABC
            } else {
                "\"x\""
            };
            request
                .is("GET")
                .then(|| Fault::Headers(vec![("etag", Some(tag.to_owned()))]))
        })
        .await;
        server.store("/lab/components/a.png", "abd");
        let store = open(config(&server));
        let got = within(5, store.get(&key("components/a.png"))).await;
        match damaged {
            1 => assert_eq!(got.expect("the second time").bytes, "abd"),
            _ => {
                let error = got.map(drop).expect_err("damaged");
                assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
                assert_eq!(count(&server, "GET"), 3, "and it is not fetched for ever");
            }
        }
    }
    // Encrypted with a key of KMS, the tag is no MD5 of anything that one sees.
    let server = Faulty::start(|request, _| {
        let headers = vec![
            ("etag", Some(MD5_OF_ABC.to_owned())),
            ("x-amz-server-side-encryption", Some("aws:kms".to_owned())),
        ];
        request.is("GET").then_some(Fault::Headers(headers))
    })
    .await;
    server.store("/lab/components/a.png", "abd");
    let object = open(config(&server)).get(&key("components/a.png")).await;
    assert_eq!(object.expect("taken").bytes, "abd");
}

/// A success that wrote, or removed, nothing.
#[tokio::test]
async fn a_success_of_nothing_is_none() {
    let empty = || Fault::Answer(200, Vec::new(), Vec::new());
    for tag in [None, Some(MD5_OF_ABC)] {
        let server = Faulty::start(move |request, _| {
            let tag = tag.map(|tag| ("etag", tag.to_owned()));
            is_put(request).then(|| Fault::Answer(200, tag.into_iter().collect(), Vec::new()))
        })
        .await;
        let error = within(5, upload(&open(config(&server))))
            .await
            .expect_err("not there");
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    }
    let server = Faulty::start(move |request, _| request.is("DELETE").then(empty)).await;
    server.store("/lab/components/a.png", "a");
    let error = within(5, open(config(&server)).delete(&key("components/a.png"))).await;
    assert_eq!(
        error.expect_err("still there").kind(),
        ErrorKind::Unavailable
    );
    // A proxy that does not find its server knows of no object.
    let server =
        Faulty::start(|_, _| Some(Fault::Answer(404, Vec::new(), b"<html>404</html>".to_vec())))
            .await;
    let store = open(config(&server));
    let a = key("components/a.png");
    for error in [
        within(5, store.exists(&a))
            .await
            .map(drop)
            .expect_err("nobody knows"),
        within(5, store.get(&a))
            .await
            .map(drop)
            .expect_err("nobody knows"),
        within(5, store.delete(&a)).await.expect_err("nobody knows"),
    ] {
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    }
}

#[tokio::test]
async fn listings_pass_over_strange_keys_and_believe_whole_pages_only() {
    let page = |contents: &str| {
        let xml = format!("<ListBucketResult>{contents}</ListBucketResult>").into_bytes();
        Fault::Answer(200, Vec::new(), xml)
    };
    let object = |key: &str| format!("<Contents><Key>{key}</Key><Size>1</Size></Contents>");
    let all = [
        object("components//a.jpg"),
        object("components/./a.jpg"),
        object("components/&#x1;.jpg"),
        object("components/good.jpg"),
    ]
    .concat();
    let more = |token: &str| {
        format!(
            "<IsTruncated>true</IsTruncated><NextContinuationToken>{token}</NextContinuationToken>"
        )
    };
    for (contents, whole) in [
        (all.clone(), true),
        ("<IsTruncated>true</IsTruncated>".to_owned() + &all, false),
        (more("again") + &all, false),
    ] {
        let answer = page(&contents);
        let server = Faulty::start(move |_, _| Some(answer.clone())).await;
        let store = open(config(&server));
        let listed: Result<Vec<ObjectInfo>, Error> =
            within(5, store.list(None).try_collect()).await;
        match whole {
            true => {
                let listed = listed.expect("listed");
                let keys: Vec<&str> = listed.iter().map(|info| info.key.as_str()).collect();
                assert_eq!(keys, ["components/good.jpg"]);
                assert!(within(5, store.status()).await.accessible);
            }
            false => drop(listed.expect_err("not the whole of it")),
        }
    }
}

/// The hint is about what is wrong: a quota, an archive, a proxy's limit.
#[tokio::test]
async fn refusals_that_no_permission_changes() {
    for (method, fault, words) in [
        ("PUT", Fault::error(403, "QuotaExceeded"), "quota"),
        (
            "PUT",
            Fault::Answer(413, Vec::new(), b"<html>413</html>".to_vec()),
            "client_max_body_size",
        ),
        ("PUT", Fault::error(400, "EntityTooLarge"), "smaller"),
        ("GET", Fault::error(403, "InvalidObjectState"), "restore"),
    ] {
        let server =
            Faulty::start(move |request, _| request.is(method).then(|| fault.clone())).await;
        server.store("/lab/components/a.png", "a");
        let store = open(config(&server));
        let error = match method {
            "PUT" => within(5, upload(&store)).await.map(drop).expect_err(words),
            _ => within(5, store.get(&key("components/a.png")))
                .await
                .map(drop)
                .expect_err(words),
        };
        let hint = error.hint().expect("a hint");
        assert!(
            hint.contains(words) && !hint.contains("s3:"),
            "{error}: {hint}"
        );
        assert_ne!(error.kind(), ErrorKind::AccessDenied, "{error}");
        assert!(!hint.contains(SECRET) && !error.is_retryable());
    }
}
