//! What is told about each operation: one span with what it was about, how it ended and how long it took,
//! and of each exchange with the storage the bytes and tries. What must never be told: secrets.rs.

#![cfg(feature = "s3")]

use std::time::Duration;

use crate::common::faulty::{Fault, Faulty};
use crate::common::images;
use crate::common::logs::Logs;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use futures_util::TryStreamExt;
use lablink_storage::{
    ErrorKind, ImageStore, ObjectInfo, OptimizeOptions, PresignGetOptions, PresignPostOptions,
    SignedCookiesOptions, SignedUrlOptions, UploadOptions, Variant,
};

/// The line that tells how the operation of a span ended.
#[track_caller]
fn ending(logs: &Logs, span: &str) -> String {
    let logged = logs.text();
    let begins = format!(" {span}{{");
    let alone = format!(" {span}: ");
    let ends = |line: &&str| line.contains(": done ") || line.contains(": failed ");
    let mut lines = logged.lines().filter(ends);
    let line = lines.rfind(|line| line.contains(&begins) || line.contains(&alone));
    line.unwrap_or_else(|| panic!("nothing tells of {span}:\n{logged}"))
        .to_owned()
}

#[track_caller]
fn tells(line: &str, words: &[&str]) {
    for word in words {
        assert!(line.contains(word), "{word} is not in: {line}");
    }
}

fn cloudfront_key() -> String {
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("a key");
    let der = key.to_pkcs8v1().expect("DER");
    let body = base64::engine::general_purpose::STANDARD.encode(der.as_ref());
    format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n")
}

#[tokio::test]
async fn every_operation_tells_its_key_bytes_and_time() {
    let store = ImageStore::builder()
        .memory()
        .with_secret("0123456789abcdef0123456789abcdef")
        .with_cloudfront_domain("cdn.example.org")
        .with_cloudfront_key("K2JCJMDEHXQW5F", cloudfront_key())
        .build()
        .expect("a store");
    let photo = images::jpeg(64, 48);
    let logs = Logs::capture();

    let options = UploadOptions::default().with_filename("board.jpg");
    let image = store.upload(photo.clone(), options).await.expect("stored");
    let key = format!("key={}", image.key);
    let quoted = format!("key=\"{}\"", image.key);
    let (sent, stored) = (
        format!("bytes={}", photo.len()),
        format!("bytes={}", image.size),
    );
    tells(
        &ending(&logs, "upload"),
        &["INFO", &quoted, &sent, "board.jpg", "milliseconds="],
    );
    store.get(&image.key).await.expect("there");
    tells(&ending(&logs, "get"), &[&key, &stored, "milliseconds="]);
    store.get_range(&image.key, 2..9).await.expect("there");
    tells(
        &ending(&logs, "get_range"),
        &[&key, "2..9", "bytes=7", "milliseconds="],
    );
    store.head(&image.key).await.expect("there");
    tells(&ending(&logs, "head"), &[&key, "milliseconds="]);
    assert!(store.exists(&image.key).await.expect("answered"));
    tells(&ending(&logs, "exists"), &[&key, "milliseconds="]);
    let listed: Vec<ObjectInfo> = store.list(None).try_collect().await.expect("listed");
    let objects = format!("objects={}", listed.len());
    tells(
        &ending(&logs, "list"),
        &["prefix=\"components\"", &objects, "milliseconds="],
    );

    let get = store
        .presigned_get(&image.key, PresignGetOptions::default())
        .await;
    tells(&ending(&logs, "presigned_get"), &[&key, "milliseconds="]);
    let url = get.expect("signed").url;
    let (_, query) = url.split_once('?').expect("a query");
    store.verify_get(&image.key, query).expect("signed");
    tells(&ending(&logs, "verify_get"), &[&key, "milliseconds="]);
    store
        .signed_url(&image.key, SignedUrlOptions::default())
        .expect("signed");
    tells(&ending(&logs, "signed_url"), &[&key, "milliseconds="]);
    store
        .signed_cookies(SignedCookiesOptions::default())
        .expect("signed");
    tells(&ending(&logs, "signed_cookies"), &["milliseconds="]);

    let post = store
        .presigned_post("a.jpg", PresignPostOptions::default())
        .await;
    let post = post.expect("signed");
    let pending = format!("key=\"{}\"", post.key);
    tells(
        &ending(&logs, "presigned_post"),
        &[&pending, "milliseconds="],
    );
    store
        .receive_post(post.fields.clone(), photo.clone())
        .await
        .expect("received");
    tells(
        &ending(&logs, "receive_post"),
        &[&pending, &sent, "milliseconds="],
    );
    store.promote(&post.key).await.expect("promoted");
    let unquoted = format!("key={}", post.key);
    tells(
        &ending(&logs, "promote"),
        &[&unquoted, &sent, "milliseconds="],
    );
    store.sweep(Duration::ZERO, true).await.expect("swept");
    tells(&ending(&logs, "sweep"), &["dry_run=true", "milliseconds="]);
    store.status().await;
    tells(&ending(&logs, "status"), &["milliseconds="]);
    store.delete(&image.key).await.expect("removed");
    tells(&ending(&logs, "delete"), &[&key, "milliseconds="]);

    // That something is not there is an answer; what was refused is told with its kind.
    assert!(!store.exists(&image.key).await.expect("answered"));
    tells(&ending(&logs, "exists"), &["INFO", "done"]);
    let error = store.get(&image.key).await.expect_err("gone");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    tells(
        &ending(&logs, "get"),
        &["WARN", "failed", &key, "kind=not_found"],
    );
    let put = store.presigned_put("a.jpg", Default::default()).await;
    put.expect_err("not in memory");
    tells(
        &ending(&logs, "presigned_put"),
        &["WARN", "kind=not_supported"],
    );
}

#[tokio::test]
async fn each_exchange_tells_its_tries_and_bytes() {
    let server = Faulty::start(|request, before| {
        (request.is("PUT") && before < 2).then(|| Fault::error(503, "SlowDown"))
    })
    .await;
    let store = ImageStore::builder()
        .s3("lab")
        .with_endpoint_url(server.url())
        .with_credentials("AKIAIOSFODNN7EXAMPLE", "secret", None::<&str>)
        .build()
        .expect("a store");
    let logs = Logs::capture();
    let image = store
        .upload(images::jpeg(64, 48), UploadOptions::default())
        .await
        .expect("the third try");
    store.get(&image.key).await.expect("there");
    let listed: Vec<ObjectInfo> = store.list(None).try_collect().await.expect("listed");
    assert_eq!(listed.len(), 1);

    let logged = logs.text();
    let told = |operation: &str| -> Vec<&str> {
        let word = format!("operation=\"{operation}\"");
        let lines = logged.lines().filter(|line| line.contains("DEBUG"));
        lines.filter(|line| line.contains(&word)).collect()
    };
    let (key, bytes) = (
        format!("key=\"{}\"", image.key),
        format!("bytes={}", image.size),
    );
    let [put] = told("put")[..] else {
        panic!("{logged}")
    };
    tells(put, &["upload{", &key, &bytes, "tries=3", "elapsed="]);
    let [get] = told("get")[..] else {
        panic!("{logged}")
    };
    tells(get, &["get{", &key, &bytes, "tries=1", "elapsed="]);
    // One page, one request, one line, however many objects it has.
    let [list] = told("list")[..] else {
        panic!("{logged}")
    };
    tells(list, &["list{", "tries=1", "elapsed="]);
}

/// The warnings and errors of the log.
fn complaints(logs: &Logs) -> Vec<String> {
    let text = logs.text();
    let lines = text.lines().map(str::trim_start);
    let told = lines.filter(|line| line.contains(" WARN ") || line.contains(" ERROR "));
    told.map(str::to_owned).collect()
}

#[tokio::test]
async fn a_failed_upload_tells_its_cause_in_one_line() {
    // Nobody listens there: the listener is gone when its port is known.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
    let port = closed.local_addr().expect("an address").port();
    drop(closed);
    let small = OptimizeOptions::default().with_max_size(20, 20);
    let store = ImageStore::builder()
        .s3("lab")
        .with_endpoint_url(format!("http://127.0.0.1:{port}"))
        .with_credentials("AKIAIOSFODNN7EXAMPLE", "secret", None::<&str>)
        .with_variant(Variant::new("small", small).expect("a name"))
        .with_deadline(Duration::from_secs(2))
        .build()
        .expect("a store");
    let logs = Logs::capture();
    let photo = images::jpeg(64, 48);
    let upload = store.upload(photo, UploadOptions::default()).await;
    let error = upload.expect_err("nobody listens");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let causes = error.causes();
    assert!(causes.len() > 1, "{causes:?}");
    let refused = causes.iter().any(|cause| cause.contains("refused"));
    assert!(refused, "{causes:?}");
    // As any error's chain.
    let mut chain = std::iter::successors(std::error::Error::source(&error), |error| {
        std::error::Error::source(*error)
    });
    assert!(chain.any(|error| error.to_string().contains("refused")));
    let complaints = complaints(&logs);
    let [line] = &complaints[..] else {
        panic!("{complaints:#?}")
    };
    tells(line, &["upload{", "kind=unavailable", "cause=", "refused"]);
}

#[cfg(unix)]
#[tokio::test]
async fn a_path_writes_no_line_of_its_own() {
    let directory = tempfile::tempdir().expect("a directory");
    let forged = directory
        .path()
        .join("uploads\n2026-11-26 ERROR forged: \x1b[31m");
    std::fs::write(&forged, "no directory").expect("written");
    let store = ImageStore::builder()
        .local(&forged)
        .build()
        .expect("a store");
    let logs = Logs::capture();
    let upload = store.upload(
        images::jpeg(64, 48),
        UploadOptions::default().with_filename("a\nERROR b"),
    );
    let error = upload.await.expect_err("a file is not a directory");
    assert_eq!(error.kind(), ErrorKind::Configuration);
    store.status().await;
    assert!(!logs.text().contains('\x1b'), "{}", logs.text());
    let forged = |line: &&str| line.starts_with("2026-11-26 ERROR") || line.starts_with("ERROR b");
    assert_eq!(logs.text().lines().find(forged), None);
    assert_eq!(complaints(&logs).len(), 2, "{}", logs.text());
}
