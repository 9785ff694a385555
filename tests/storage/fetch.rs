//! Uploads from a URL, from servers that answer well and from servers that do not.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use lablink_storage::ops::{UrlMap, UrlMigrated, UrlOptions, migrate_urls};
use lablink_storage::{ErrorKind, ImageStore, ImageStoreBuilder, Limits};

use crate::common::images;

pub(crate) const PUBLIC: &str = "93.184.216.34";

/// An HTTP server on this machine: `answer` makes the whole answer out of the request line's target.
pub(crate) struct Site {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    /// The last request, headers and all.
    last: Arc<std::sync::Mutex<String>>,
}

impl Site {
    pub(crate) fn open(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        let (connections, answer) = (Arc::new(AtomicUsize::new(0)), Arc::new(answer));
        let last = Arc::new(std::sync::Mutex::new(String::new()));
        let (count, noted) = (Arc::clone(&connections), Arc::clone(&last));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                count.fetch_add(1, Ordering::SeqCst);
                let (answer, noted) = (Arc::clone(&answer), Arc::clone(&noted));
                std::thread::spawn(move || {
                    let (mut head, mut byte) = (Vec::new(), [0]);
                    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
                        head.push(byte[0]);
                    }
                    let head = String::from_utf8_lossy(&head).into_owned();
                    let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
                    *noted.lock().expect("noted") = head;
                    let _ = stream.write_all(&answer(&target));
                });
            }
        });
        Self {
            address,
            connections,
            last,
        }
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

pub(crate) fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// A store that resolves every name to a public address, and connects to the site instead.
fn store_at(site: &Site) -> ImageStoreBuilder {
    let address = site.address;
    ImageStore::builder()
        .memory()
        .with_fetch_hosts(["*"])
        .with_network(
            |_| Ok(vec![PUBLIC.parse().expect("an address")]),
            move |_| address,
        )
}

#[tokio::test]
async fn an_image_behind_redirects_is_stored() {
    let photo = std::fs::read("examples/photo.jpg").expect("the photograph");
    let served = photo.clone();
    let site = Site::open(move |target| match target {
        "/Foto%201.jpg?size=large" => answer("301 Moved", "location: /b\r\n", b""),
        "/b" => answer("302 Found", "location: //other.example/c#here\r\n", b""),
        "/c" => answer("303 See Other", "location: d\r\n", b""),
        "/d" => answer("307 Again", "location: http://third.example/e\r\n", b""),
        "/e" => answer("308 There", "location: ?f\r\nset-cookie: a=b\r\n", b""),
        // The type is what the bytes say.
        "/e?f" => answer("200 OK", "content-type: text/html\r\n", &served),
        _ => answer("404 Not Found", "", b""),
    });
    let store = store_at(&site).build().expect("a store");
    let url = " http://photos.example/Foto%201.jpg?size=large#top\n";
    let image = store.upload_from_url(url, ()).await.expect("stored");
    assert_eq!(image.content_type, "image/jpeg");
    assert_eq!(image.source.size, photo.len() as u64);
    assert!(store.exists(&image.key).await.expect("asked"));
    let head = site.last.lock().expect("noted").to_ascii_lowercase();
    assert!(head.contains("host: third.example"), "{head}");
    for unwanted in ["referer", "cookie", "accept-encoding", "authorization"] {
        assert!(!head.contains(unwanted), "{head}");
    }
}

#[tokio::test]
async fn a_sixth_redirect_is_not_followed() {
    let site = Site::open(|target| {
        let next = target.len();
        answer(
            "302 Found",
            &format!("location: /{}\r\n", "x".repeat(next)),
            b"",
        )
    });
    let store = store_at(&site).build().expect("a store");
    let error = store
        .upload_from_url("http://photos.example/", ())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(!error.is_retryable());
    assert_eq!(site.connections(), 6);
}

#[tokio::test]
async fn without_hosts_it_is_not_supported_and_others_are_not_asked() {
    let site = Site::open(|_| answer("200 OK", "", b""));
    let url = "http://photos.example/a.jpg";
    let none: [&str; 0] = [];
    let store = store_at(&site)
        .with_fetch_hosts(none)
        .build()
        .expect("a store");
    let error = store.upload_from_url(url, ()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotSupported);
    assert!(
        error
            .hint()
            .expect("a hint")
            .contains("LABLINK_STORAGE_FETCH_HOSTS")
    );
    let store = store_at(&site)
        .with_fetch_hosts(["other.example"])
        .build()
        .expect("a store");
    let error = store.upload_from_url(url, ()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PolicyViolation);
    assert_eq!(site.connections(), 0);
}

#[tokio::test]
async fn what_is_no_image_or_too_large_is_refused_as_an_upload_is() {
    let large = images::jpeg(64, 64).repeat(100);
    let length = large.len();
    let site = Site::open(
        move |target| match target.split('?').next().unwrap_or_default() {
            "/html" => answer(
                "200 OK",
                "content-type: image/jpeg\r\n",
                b"<!doctype html><html></html>",
            ),
            "/large" => answer("200 OK", "", &large),
            "/unknown-length" => {
                let mut whole = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".to_vec();
                whole.extend_from_slice(&large);
                whole
            }
            "/cut" => answer("200 OK", "", &large)[..200].to_vec(),
            "/gone" => answer("410 Gone", "", b"secret words"),
            "/busy" => answer("503 Busy", "", b""),
            _ => answer("200 OK", "", b""),
        },
    );
    let limits = Limits::default().with_max_bytes(length as u64 - 1);
    let store = store_at(&site)
        .with_limits(limits)
        .build()
        .expect("a store");
    for (path, kind, retryable) in [
        ("html", ErrorKind::UnsupportedFormat, false),
        ("large", ErrorKind::LimitExceeded, false),
        ("unknown-length", ErrorKind::LimitExceeded, false),
        ("cut", ErrorKind::LimitExceeded, false),
        ("gone", ErrorKind::Unavailable, false),
        ("busy", ErrorKind::Unavailable, true),
        ("empty", ErrorKind::InvalidImage, false),
    ] {
        let url = format!("http://photos.example/{path}?token=hidden");
        let error = store.upload_from_url(&url, ()).await.expect_err(path);
        assert_eq!(
            (error.kind(), error.is_retryable()),
            (kind, retryable),
            "{path}: {error}"
        );
        let told = format!("{error} {error:?} {:?} {:?}", error.hint(), error.causes());
        assert!(
            !told.contains("hidden") && !told.contains("secret words"),
            "{told}"
        );
    }
    assert!(store.list_all(None).await.expect("listed").is_empty());
}

/// A body that never ends, one byte after another, and a name server that is silent.
#[tokio::test(flavor = "multi_thread")]
async fn time_is_bounded() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            std::thread::spawn(move || {
                let head = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n";
                let _ = stream.read(&mut [0; 4096]);
                let mut alive = stream.write_all(head).is_ok();
                while alive {
                    std::thread::sleep(Duration::from_millis(20));
                    alive = stream.write_all(&[0xff]).is_ok();
                }
            });
        }
    });
    let dripping = ImageStore::builder()
        .memory()
        .with_fetch_hosts(["*"])
        .with_deadline(Duration::from_millis(500));
    let silent = dripping_store(address);
    let started = Instant::now();
    let error = silent
        .upload_from_url("http://photos.example/", ())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    let nameless = dripping.with_network(
        |_| {
            std::thread::sleep(Duration::from_millis(1500));
            Ok(Vec::new())
        },
        move |_| address,
    );
    let store = nameless.build().expect("a store");
    let error = store
        .upload_from_url("http://photos.example/", ())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert!(started.elapsed() < Duration::from_secs(4));
}

fn dripping_store(address: SocketAddr) -> ImageStore {
    let store = ImageStore::builder()
        .memory()
        .with_fetch_hosts(["*"])
        .with_deadline(Duration::from_millis(500))
        .with_network(
            |_| Ok(vec![PUBLIC.parse().expect("an address")]),
            move |_| address,
        );
    store.build().expect("a store")
}

/// Images in another format than JPEG were not found by the next run, and fetched and made once more.
#[cfg(feature = "avif")]
#[tokio::test]
async fn a_column_of_urls_becomes_avif_once() {
    let photo = images::jpeg(32, 24);
    let site = Site::open(move |_| answer("200 OK", "", &photo));
    let avif = lablink_storage::OutputFormat::Avif;
    let optimize = crate::common::patient().with_format(avif);
    let store = store_at(&site).with_optimize(optimize);
    let store = store.build().expect("a store");
    let column = "http://photos.example/a.jpg\nhttp://photos.example/b.jpg\n";
    let options = UrlOptions::default();
    for (stored, present) in [(2, 0), (0, 2)] {
        let report = migrate_urls(&store, column.as_bytes(), &options, |_| {}).await;
        let report = report.expect("a report");
        assert_eq!(
            (report.stored, report.present),
            (stored, present),
            "{report:?}"
        );
    }
    assert_eq!(site.connections(), 2);
}

/// A column of URLs: good, repeated, the store's own, refused, broken. Run again, nothing is fetched twice.
#[tokio::test]
async fn a_column_of_urls_becomes_images_with_a_map() {
    let photo = images::jpeg(64, 48);
    let site = Site::open(move |target| match target {
        "/a.jpg" | "/b.jpg?v=1" => answer("200 OK", "", &photo),
        _ => answer("404 Not Found", "", b""),
    });
    let store = store_at(&site).build().expect("a store");
    let own = store
        .upload(images::jpeg(32, 32), ())
        .await
        .expect("stored")
        .url;
    let column = format!(
        "http://photos.example/a.jpg\n\n\"http://photos.example/b.jpg?v=1\"\r\n{own}\n\
         http://photos.example/missing.jpg?signature=hidden\nhttp://127.0.0.1/a.jpg\nnot a url\n"
    );
    let directory = tempfile::tempdir().expect("a directory");
    let map = directory.path().join("map.csv");
    let options = UrlOptions::default().with_url_map(UrlMap::csv(&map));

    let dry = UrlOptions::default().with_dry_run(true);
    let report = migrate_urls(&store, column.as_bytes(), &dry, |_| {})
        .await
        .expect("a report");
    assert_eq!(
        (report.stored, report.own, report.failed),
        (3, 1, 2),
        "{report:?}"
    );
    assert_eq!(site.connections(), 0, "a dry run fetches nothing");

    let mut urls = HashMap::new();
    let report = migrate_urls(&store, column.as_bytes(), &options, |migrated| {
        if let UrlMigrated::Stored { url, new_url, .. } = migrated {
            urls.insert(url.clone(), new_url.clone().expect("a new URL"));
        }
    });
    let report = report.await.expect("a report");
    assert_eq!(
        (report.stored, report.own, report.failed),
        (2, 1, 3),
        "{report:?}"
    );
    let kinds: Vec<ErrorKind> = report.failures.iter().map(|failure| failure.kind).collect();
    assert_eq!(
        kinds
            .iter()
            .filter(|kind| **kind == ErrorKind::PolicyViolation)
            .count(),
        2,
        "{kinds:?}"
    );
    assert!(
        !serde_json::to_string(&report)
            .expect("JSON")
            .contains("hidden")
    );
    for new in urls.values() {
        assert!(store.exists(new.as_str()).await.expect("asked"));
    }
    let written = std::fs::read_to_string(&map).expect("the map");
    for (old, new) in &urls {
        assert!(written.contains(&format!("{old},{new}\r\n")), "{written}");
    }

    let fetched = site.connections();
    let report = migrate_urls(&store, column.as_bytes(), &options, |_| {})
        .await
        .expect("a report");
    assert_eq!((report.stored, report.present), (0, 2), "{report:?}");
    // Only the one that was missing is asked for again.
    assert_eq!(site.connections(), fetched + 1);
    assert_eq!(
        std::fs::read_to_string(&map)
            .expect("the map")
            .lines()
            .count(),
        3
    );
}
