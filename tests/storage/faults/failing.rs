//! Servers and connections that fail: in time, in the right kind, and no object is half there.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::{ACCESS_KEY, SECRET, config, count, is_put, key, open, photo, upload, within};
use crate::common::faulty::{Fault, Faulty, Request};
use futures_util::TryStreamExt;
use lablink_storage::{
    Config, Error, ErrorKind, ImageStore, ObjectInfo, OptimizeOptions, RetryPreset, Variant,
};

#[tokio::test]
async fn overload_that_passes_is_waited_for() {
    let server = Faulty::start(|request, before| {
        (is_put(request) && before < 2).then(|| Fault::error(503, "SlowDown"))
    })
    .await;
    let key = within(5, upload(&open(config(&server))))
        .await
        .expect("uploaded");
    assert_eq!(count(&server, "PUT"), 3);
    let objects = server.objects();
    assert_eq!(objects.keys().collect::<Vec<_>>(), [&format!("/lab/{key}")]);
    assert!(objects.values().all(|bytes| bytes.ends_with(b"\xff\xd9")));
    let request = server.requests().into_iter().find(is_put).expect("a put");
    assert_eq!(request.header("if-none-match"), Some("*"));
    assert_eq!(request.header("content-type"), Some("image/jpeg"));
    let cache = "public, max-age=31536000, immutable";
    assert_eq!(request.header("cache-control"), Some(cache));
    assert!(!request.headers.keys().any(|name| name.contains("acl")));
}

#[tokio::test]
async fn overload_that_stays_is_unavailable() {
    let server =
        Faulty::start(|request, _| is_put(request).then(|| Fault::error(503, "SlowDown"))).await;
    let error = within(5, upload(&open(config(&server))))
        .await
        .expect_err("overloaded");
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.is_retryable());
    assert_eq!(error.code(), Some("SlowDown"));
    assert_eq!(error.request_id(), Some("4442587FB7D0A2F9"));
    assert!(count(&server, "PUT") > 2);
    assert!(server.objects().is_empty());
}

/// An overload of 5 s and a restart of 10 s are survived within 30 s, at a fifth of the time; a batch job
/// has six times as long for it.
#[tokio::test]
async fn tries_are_spread_over_the_deadline() {
    for (preset, seconds) in [(RetryPreset::WebRequest, 30), (RetryPreset::Batch, 180)] {
        let preset = Config::builder().s3("lab").with_retry(preset).build();
        let told = preset.expect("valid").deadline();
        assert_eq!(told, Duration::from_secs(seconds));
    }
    for fault in [Fault::error(503, "SlowDown"), Fault::ResetBeforeAnswer] {
        let begun = std::sync::OnceLock::new();
        let server = Faulty::start(move |request, _| {
            let begun = begun.get_or_init(std::time::Instant::now);
            let down = is_put(request) && begun.elapsed() < Duration::from_secs(2);
            down.then(|| fault.clone())
        })
        .await;
        let config = config(&server).with_deadline(Duration::from_secs(6));
        within(6, upload(&open(config))).await.expect("uploaded");
        assert_eq!(server.objects().len(), 1);
        assert!(
            count(&server, "PUT") < 30,
            "it is not asked without a pause"
        );
    }
}

/// A body that stalls is given up in time for a second try, and so is a server that stays silent.
#[tokio::test]
async fn what_stalls_once_is_asked_for_again() {
    for fault in [Fault::Stalled, Fault::Silent] {
        let server = Faulty::start(move |request, before| {
            (request.is("GET") && before == 0).then(|| fault.clone())
        })
        .await;
        let bytes = vec![7; 100_000];
        server.store("/lab/components/a.png", bytes.clone());
        let store = open(config(&server));
        let object = within(5, store.get(&key("components/a.png"))).await;
        assert_eq!(object.expect("the second time").bytes, bytes);
        let listed: Vec<ObjectInfo> = within(5, store.list(None).try_collect())
            .await
            .expect("listed");
        assert_eq!(listed.len(), 1);
    }
}

#[tokio::test]
async fn a_reset_in_the_middle_of_a_put_is_tried_again() {
    let server = Faulty::start(|request, before| {
        (is_put(request) && before == 0).then_some(Fault::ResetInBody)
    })
    .await;
    within(5, upload(&open(config(&server))))
        .await
        .expect("uploaded");
    assert_eq!(server.objects().len(), 1);

    let server = Faulty::start(|request, _| is_put(request).then_some(Fault::ResetInBody)).await;
    let error = within(5, upload(&open(config(&server))))
        .await
        .expect_err("always reset");
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.is_retryable() && server.objects().is_empty());
}

#[tokio::test]
async fn an_answer_that_is_lost_does_not_make_our_own_write_a_conflict() {
    let lose_first = |request: &Request, before: usize| {
        (is_put(request) && before == 0).then_some(Fault::ResetBeforeAnswer)
    };
    let server = Faulty::start(lose_first).await;
    let key = within(5, upload(&open(config(&server))))
        .await
        .expect("it is ours");
    assert_eq!(count(&server, "PUT"), 2);
    assert_eq!(server.objects().len(), 1);

    // The same with somebody else's object under the key: that is a conflict, and is left alone.
    let id = key.uuid().expect("a UUID");
    let server = Faulty::start(lose_first).await;
    server.store(&format!("/lab/{key}"), "theirs");
    let builder = lablink_storage::ImageStoreBuilder::from(config(&server));
    let store = builder.with_ids(move || id).build().expect("opened");
    let error = within(5, upload(&store)).await.expect_err("taken");
    assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
    assert!(!error.is_retryable());
    assert_eq!(server.objects()[&format!("/lab/{key}")], b"theirs");
}

/// Another write of the key in flight, and bytes that S3 waited for in vain: every SDK of AWS asks again.
#[tokio::test]
async fn a_put_that_s3_wants_repeated_is_repeated() {
    for (status, code) in [(409, "ConditionalRequestConflict"), (400, "RequestTimeout")] {
        let server = Faulty::start(move |request, before| {
            (is_put(request) && before == 0).then(|| Fault::error(status, code))
        })
        .await;
        within(5, upload(&open(config(&server)))).await.expect(code);
        assert_eq!(count(&server, "PUT"), 2, "{code}");
    }
}

#[tokio::test]
async fn an_upload_that_fails_half_way_takes_its_variants_back() {
    let server = Faulty::start(|request, _| {
        let main = is_put(request) && !request.path.contains("/thumb.");
        main.then(|| Fault::error(403, "AccessDenied"))
    })
    .await;
    let thumb = OptimizeOptions::default().with_max_size(16, 16);
    let thumb = Variant::new("thumb", thumb).expect("a name");
    let store = open(config(&server).with_variant(thumb));
    let error = within(5, upload(&store)).await.expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::AccessDenied, "{error}");
    assert_eq!(count(&server, "PUT"), 2);
    assert!(server.objects().is_empty());
}

#[tokio::test]
async fn bodies_that_break_off_are_never_handed_out() {
    let server = Faulty::start(|request, before| {
        (request.is("GET") && before == 0).then_some(Fault::Truncated)
    })
    .await;
    let bytes: Vec<u8> = (0..100_000_u32).map(|index| index as u8).collect();
    server.store("/lab/components/a.png", bytes.clone());
    let store = open(config(&server));
    let object = within(5, store.get(&key("components/a.png"))).await;
    assert_eq!(object.expect("the rest was fetched").bytes, bytes);

    let server = Faulty::start(|request, _| request.is("GET").then_some(Fault::Truncated)).await;
    server.store("/lab/components/a.png", bytes);
    let store = open(config(&server));
    let error = within(5, store.get(&key("components/a.png"))).await;
    let error = error.map(drop).expect_err("never whole");
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
}

#[tokio::test]
async fn slow_and_silent_servers_are_not_waited_for_longer_than_the_deadline() {
    for fault in [Fault::Slow, Fault::Silent] {
        let server = Faulty::start(move |_, _| Some(fault.clone())).await;
        server.store("/lab/components/a.png", vec![0; 1000]);
        let store = open(config(&server).with_deadline(Duration::from_secs(2)));
        let a = key("components/a.png");
        let error = within(2, store.get(&a))
            .await
            .map(drop)
            .expect_err("too slow");
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        assert!(error.is_retryable());
    }
    let server = Faulty::start(|_, _| Some(Fault::Silent)).await;
    let store = open(config(&server).with_deadline(Duration::from_secs(2)));
    // A second more for the optimizing, which has bounds of its own.
    let error = within(3, upload(&store)).await.expect_err("silent");
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    let listed: Result<Vec<ObjectInfo>, Error> = within(2, store.list(None).try_collect()).await;
    assert_eq!(listed.expect_err("silent").kind(), ErrorKind::Timeout);
    let store = open(config(&server).with_deadline(Duration::from_secs(30)));
    let status = within(5, store.status()).await;
    assert!(!status.accessible && status.error.is_some());
}

/// What an upload has written is taken back within the same deadline, and a server that does not answer to
/// that either is not waited for, however many variants there are.
#[tokio::test]
async fn taking_back_is_within_the_deadline_too() {
    for deletes in [true, false] {
        let server = Faulty::start(move |request, _| {
            let main = is_put(request) && !request.path.contains("/size-");
            let silent = main || !deletes && request.is("DELETE");
            silent.then_some(Fault::Silent)
        })
        .await;
        let variants = [16, 24, 32, 40].map(|side| {
            let options = OptimizeOptions::default().with_max_size(side, side);
            Variant::new(format!("size-{side}"), options).expect("a name")
        });
        let config = config(&server).with_deadline(Duration::from_secs(3));
        let store = open(config.with_variants(variants));
        let error = within(4, upload(&store)).await.expect_err("silent");
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        assert!(count(&server, "PUT") >= 5, "the last is tried again");
        if deletes {
            assert!(server.objects().is_empty(), "all four are taken back");
        }
    }
}

#[tokio::test]
async fn nobody_there_is_unavailable() {
    let url = Faulty::start(|_, _| None).await.url();
    tokio::task::yield_now().await;
    let builder = Config::builder()
        .s3("lab")
        .with_endpoint_url(&url)
        .with_credentials(ACCESS_KEY, SECRET, None::<&str>)
        .with_deadline(Duration::from_secs(5));
    let error = within(5, upload(&open(builder))).await.expect_err("closed");
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.hint().expect("a hint").contains(&url));
}

#[tokio::test]
async fn deleting_survives_a_lost_answer() {
    let server = Faulty::start(|request, before| {
        (request.is("DELETE") && before == 0).then_some(Fault::ResetBeforeAnswer)
    })
    .await;
    let store = open(config(&server));
    let key = upload(&store).await.expect("uploaded");
    within(5, store.delete(&key)).await.expect("deleted");
    let left: Vec<String> = server.objects().into_keys().collect();
    assert!(left.len() == 1 && left[0].ends_with(".gone"), "{left:?}");
}

/// An answer to HEAD does not tell a missing object from a missing bucket, and the answer that would tell is lost.
#[tokio::test]
async fn an_absence_that_nothing_explains_is_none() {
    let server = Faulty::start(|request, _| match request.is("HEAD") {
        true => Some(Fault::error(404, "")),
        false => Some(Fault::Silent),
    })
    .await;
    let store = open(config(&server).with_deadline(Duration::from_secs(1)));
    let key = key("components/6f9619ff-8b86-4d01-b42d-00cf4fc964ff.jpg");
    let error = within(2, store.exists(&key))
        .await
        .expect_err("nobody knows");
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
}

#[tokio::test]
async fn more_than_a_caller_can_use_is_not_read() {
    let server = Faulty::start(|_, _| None).await;
    let limit = usize::try_from(lablink_storage::Limits::default().max_bytes).expect("it fits");
    server.store("/lab/components/a.png", vec![0; limit + 1]);
    // A busy machine takes its time over so many bytes.
    let store = open(config(&server).with_deadline(Duration::from_secs(30)));
    let error = store.get(&key("components/a.png")).await;
    let error = error.map(drop).expect_err("too large");
    assert_eq!(error.kind(), ErrorKind::LimitExceeded, "{error}");
}

#[tokio::test]
async fn a_missing_ca_store_is_an_error_and_no_panic() {
    const CHILD: &str = "LABLINK_STORAGE_NO_CA_TEST";
    let Some(variable) = std::env::var_os(CHILD) else {
        for variable in ["SSL_CERT_DIR", "SSL_CERT_FILE", "AWS_CA_BUNDLE"] {
            let status = crate::common::alone(
                module_path!(),
                "a_missing_ca_store_is_an_error_and_no_panic",
            )
            .env_remove("SSL_CERT_FILE")
            .env_remove("AWS_CA_BUNDLE")
            .env(CHILD, variable)
            .env(variable, "/nonexistent")
            .status();
            assert!(status.expect("started").success(), "{variable}");
        }
        return;
    };
    let variable = variable.to_str().expect("text");
    let aws = Config::builder()
        .s3("lab")
        .with_credentials(ACCESS_KEY, SECRET, None::<&str>)
        .build();
    if variable != "SSL_CERT_DIR" {
        // A file that is named and cannot be read is a wrong setting.
        let error = Error::from(aws.expect_err("no such file"));
        assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
        assert!(error.to_string().contains(variable), "{error}");
        return;
    }
    let error = ImageStore::from_config(aws.expect("valid")).expect_err("no certificates");
    assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
    assert!(error.hint().expect("a hint").contains("ca-certificates"));
    // Plain HTTP needs none.
    let server = Faulty::start(|_, _| None).await;
    upload(&open(config(&server))).await.expect("uploaded");
}

/// So many steps take a second each, and what is `silent` never answers. The deadline leaves two seconds for that,
/// and for a busy machine.
async fn late(
    steps: u64,
    silent: impl Fn(&Request) -> bool + Send + Sync + 'static,
) -> (Faulty, ImageStore) {
    let server = Faulty::start(move |request, _| {
        Some(match silent(request) {
            false => Fault::Late(Duration::from_secs(1)),
            true => Fault::Silent,
        })
    })
    .await;
    let deadline = Duration::from_secs(steps + 2);
    let thumb = Variant::new("thumb", OptimizeOptions::default()).expect("a name");
    let store = open(config(&server).with_deadline(deadline).with_variant(thumb));
    (server, store)
}

#[tokio::test]
async fn operations_of_several_requests_have_one_deadline() {
    // A look at other formats, the tombstone, the image; nothing after that.
    let deleted = AtomicBool::new(false);
    let after = move |request: &Request| deleted.fetch_or(request.is("DELETE"), Ordering::Relaxed);
    let (server, store) = late(3, after).await;
    let image = key("components/6f9619ff-8b86-4d01-b42d-00cf4fc964ff.jpg");
    for name in ["/thumb.jpg", ".jpg"] {
        let stem = image.as_str().trim_end_matches(".jpg");
        server.store(&format!("/lab/{stem}{name}"), photo());
    }
    let error = within(5, store.delete(&image))
        .await
        .expect_err("four requests");
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert_eq!(
        count(&server, "DELETE"),
        1,
        "the image; its variants were not waited for"
    );

    // A look at the tombstone, the image; nothing after that.
    let after = |request: &Request| !request.is("HEAD") && !request.path.ends_with(".jpg");
    let (server, store) = late(2, after).await;
    let pending = key("pending/components/6f9619ff-8b86-4d01-b42d-00cf4fc964ff.jpg");
    server.store(&format!("/lab/{pending}"), photo());
    let error = within(4, store.promote(&pending))
        .await
        .expect_err("too many requests");
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
}

/// A plain server is addressed as `https`: the cause is named, and no second try can help.
#[tokio::test]
async fn a_server_that_speaks_no_tls_is_called_that() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("bound");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            // What is not read before the end would reset the connection.
            let Ok(1..) = stream.read(&mut [0; 4096]).await else {
                continue;
            };
            stream
                .write_all(
                    b"HTTP/1.1 400 Bad Request

",
                )
                .await
                .ok();
        }
    });
    let store = Config::builder()
        .s3("lab")
        .with_endpoint_url(format!("https://{address}"))
        .with_credentials(ACCESS_KEY, SECRET, None::<&str>);
    let error = within(5, upload(&open(store))).await.expect_err("no TLS");
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("no TLS connection"), "{error}");
    let hint = error.hint().expect("a hint");
    assert!(
        hint.contains("https") && hint.contains("AWS_CA_BUNDLE"),
        "{hint}"
    );
}
