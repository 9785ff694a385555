//! Servers that refuse: each refusal in its kind, with its code, and a hint that says what to do.

use super::{SECRET, TOKEN, config, key, open, upload, within};
use crate::common::faulty::{Fault, Faulty};
use futures_util::TryStreamExt;
use lablink_storage::{Error, ErrorKind, ObjectInfo};

#[tokio::test]
async fn redirects_are_not_followed() {
    let other = Faulty::start(|_, _| None).await;
    let location = format!("{}/lab/x", other.url());
    for status in [301, 302, 307, 308] {
        let location = location.clone();
        let server = Faulty::start(move |_, _| {
            Some(Fault::Status(
                status,
                "",
                vec![("location", location.clone())],
            ))
        })
        .await;
        let store = open(config(&server));
        let a = key("components/a.png");
        for error in [
            within(5, upload(&store))
                .await
                .map(drop)
                .expect_err("redirected"),
            within(5, store.get(&a))
                .await
                .map(drop)
                .expect_err("redirected"),
            within(5, store.delete(&a)).await.expect_err("redirected"),
        ] {
            assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
            assert!(error.to_string().contains("127.0.0.1"), "{error}");
            assert!(
                error
                    .hint()
                    .expect("a hint")
                    .contains("AWS_ENDPOINT_URL_S3")
            );
        }
    }
    assert_eq!(other.connections(), 0);
}

#[tokio::test]
async fn the_bucket_s_region_is_told() {
    let region = || vec![("x-amz-bucket-region", "eu-west-1".to_owned())];
    let server = Faulty::start(move |request, _| {
        let code = if request.is("HEAD") {
            ""
        } else {
            "PermanentRedirect"
        };
        Some(Fault::Status(301, code, region()))
    })
    .await;
    let store = open(config(&server));
    for error in [
        upload(&store).await.map(drop).expect_err("elsewhere"),
        store
            .head(&key("components/a.png"))
            .await
            .map(drop)
            .expect_err("elsewhere"),
    ] {
        assert_eq!(error.kind(), ErrorKind::NoSuchBucket, "{error}");
        let hint = error.hint().expect("a hint");
        assert!(
            hint.contains("eu-west-1") && hint.contains("AWS_REGION"),
            "{hint}"
        );
    }
    let status = store.status().await;
    assert!(status.hint.expect("a hint").contains("eu-west-1"));
}

#[tokio::test]
async fn a_wrong_clock_is_told_with_the_seconds() {
    // A date an hour ago, and one an hour from now.
    for (hours, direction) in [(-1_i64, "ahead"), (1, "behind")] {
        let date = chrono::DateTime::<chrono::Utc>::from(std::time::SystemTime::now())
            + chrono::TimeDelta::hours(hours);
        let date = date.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let server = Faulty::start(move |request, _| {
            let code = if request.is("HEAD") {
                ""
            } else {
                "RequestTimeTooSkewed"
            };
            Some(Fault::Status(403, code, vec![("date", date.clone())]))
        })
        .await;
        let store = open(config(&server));
        for error in [
            upload(&store).await.map(drop).expect_err("skewed"),
            store
                .exists(&key("components/a.png"))
                .await
                .map(drop)
                .expect_err("skewed"),
        ] {
            assert_eq!(error.kind(), ErrorKind::Credentials, "{error}");
            let hint = error.hint().expect("a hint");
            let told =
                (3595..3606).any(|seconds| hint.contains(&format!("{seconds} s {direction}")));
            assert!(told, "{hint}");
        }
    }
}

#[tokio::test]
async fn what_is_forbidden_is_told_by_action_and_resource() {
    let server = Faulty::start(|request, _| {
        let code = if request.is("HEAD") {
            ""
        } else {
            "AccessDenied"
        };
        Some(Fault::error(403, code))
    })
    .await;
    let store = open(config(&server));
    let a = key("components/a.png");
    let listed: Result<Vec<ObjectInfo>, Error> = store.list(None).try_collect().await;
    let put = upload(&store).await.map(drop);
    for (outcome, action, resource) in [
        (put, "s3:PutObject", "arn:aws:s3:::lab/components/"),
        (
            store.get(&a).await.map(drop),
            "s3:GetObject",
            "arn:aws:s3:::lab/components/a.png",
        ),
        (
            store.head(&a).await.map(drop),
            "s3:GetObject",
            "arn:aws:s3:::lab/components/a.png",
        ),
        (
            store.delete(&a).await,
            "s3:DeleteObject",
            "arn:aws:s3:::lab/components/a.png",
        ),
        (listed.map(drop), "s3:ListBucket", "arn:aws:s3:::lab"),
    ] {
        let error = outcome.expect_err(action);
        assert_eq!(error.kind(), ErrorKind::AccessDenied, "{error}");
        assert_eq!(error.code(), Some("AccessDenied"));
        let hint = error.hint().expect("a hint");
        assert!(hint.contains(action) && hint.contains(resource), "{hint}");
    }
}

/// S3 says AccessDenied, too, where it is the bucket's key that may not be used.
#[tokio::test]
async fn what_is_forbidden_by_the_key_is_told_by_its_actions() {
    let server = Faulty::start(|request, _| {
        let action = match request.method.as_str() {
            "PUT" => "kms:GenerateDataKey",
            "GET" => "kms:Decrypt",
            _ => return Some(Fault::error(403, "")),
        };
        let words = format!(
            "<Error><Code>AccessDenied</Code><Message>User: arn:aws:iam::123456789012:user/lab is not \
             authorized to perform: {action} on resource: \
             arn:aws:kms:us-east-1:123456789012:key/1234abcd because no identity-based policy allows the \
             {action} action</Message></Error>"
        );
        Some(Fault::Answer(403, Vec::new(), words.into_bytes()))
    })
    .await;
    let store = open(config(&server).with_sse_kms_key_id("1234abcd"));
    let a = key("components/a.png");
    for (outcome, action) in [
        (upload(&store).await.map(drop), "kms:GenerateDataKey"),
        (store.get(&a).await.map(drop), "kms:Decrypt"),
        (store.head(&a).await.map(drop), "kms:Decrypt"),
    ] {
        let error = outcome.expect_err(action);
        assert_eq!(error.kind(), ErrorKind::AccessDenied, "{error}");
        let hint = error.hint().expect("a hint");
        assert!(hint.contains(action) && hint.contains("KMS key"), "{hint}");
        assert!(!hint.contains("s3:"), "{hint}");
    }
}

#[tokio::test]
async fn head_says_what_get_says() {
    for (status, code, kind) in [
        (403, "SignatureDoesNotMatch", ErrorKind::Credentials),
        (403, "InvalidAccessKeyId", ErrorKind::Credentials),
        (400, "ExpiredToken", ErrorKind::Credentials),
        (404, "NoSuchBucket", ErrorKind::NoSuchBucket),
        (404, "NoSuchKey", ErrorKind::NotFound),
    ] {
        let server = Faulty::start(move |request, _| {
            Some(Fault::error(
                status,
                if request.is("HEAD") { "" } else { code },
            ))
        })
        .await;
        let store = open(config(&server));
        let error = store.head(&key("components/a.png")).await.expect_err(code);
        assert_eq!((error.kind(), error.code()), (kind, Some(code)), "{error}");
        let there = store.exists(&key("components/a.png")).await;
        assert_eq!(there.is_ok(), kind == ErrorKind::NotFound, "{code}");
    }
    // Once the bucket has answered, one request tells that an object is not there.
    let server = Faulty::start(|_, _| None).await;
    server.store("/lab/components/a.png", "a");
    let store = open(config(&server));
    assert!(store.exists(&key("components/a.png")).await.expect("asked"));
    assert!(!store.exists(&key("components/b.png")).await.expect("asked"));
    assert_eq!(server.requests().len(), 2);
}

/// Some servers know nothing of create-only writes: the hint names the setting, and with it they work.
#[tokio::test]
async fn servers_that_refuse_if_none_match_can_be_used() {
    let server = Faulty::start(|request, _| {
        let conditional = request.header("if-none-match").is_some();
        conditional.then(|| Fault::error(501, "NotImplemented"))
    })
    .await;
    let error = within(5, upload(&open(config(&server)))).await;
    let error = error.expect_err("create-only");
    assert_eq!(error.kind(), ErrorKind::NotSupported, "{error}");
    let hint = error.hint().expect("a hint");
    assert!(hint.contains("LABLINK_STORAGE_CREATE_ONLY=false"), "{hint}");
    assert!(server.objects().is_empty());

    let store = open(config(&server).with_create_only(false));
    let key = within(5, upload(&store)).await.expect("uploaded");
    let objects = server.objects();
    assert_eq!(objects.keys().collect::<Vec<_>>(), [&format!("/lab/{key}")]);
    let put = store.presigned_put("a.jpg", Default::default()).await;
    let put = put.expect("signed");
    let names: Vec<&str> = put.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert!(!names.contains(&"if-none-match"), "{names:?}");
}

/// Who is far away or throttled is told what helps; a server that is not AWS cannot be accelerated.
#[tokio::test]
async fn acceleration_is_proposed_where_it_can_be_had() {
    let server = Faulty::start(|_, _| Some(Fault::error(503, "SlowDown"))).await;
    let error = within(5, upload(&open(config(&server)))).await;
    let hint = error.expect_err("overloaded").hint().expect("a hint");
    assert!(
        hint.contains("within the deadline") && hint.contains("batch"),
        "{hint}"
    );
    assert!(!hint.contains("ACCELERATE"), "{hint}");
}

#[tokio::test]
async fn servers_that_answer_nonsense_are_an_internal_error() {
    let page = b"<html>\xff\x00 It works!</html>".to_vec();
    let server = Faulty::start(move |request, _| match request.method.as_str() {
        "GET" => Some(Fault::Answer(200, Vec::new(), page.clone())),
        _ => Some(Fault::Answer(418, Vec::new(), page.clone())),
    })
    .await;
    let store = open(config(&server));
    let error = within(5, upload(&store)).await.expect_err("nonsense");
    assert_eq!(error.kind(), ErrorKind::Internal, "{error}");
    let listed: Result<Vec<ObjectInfo>, Error> = within(5, store.list(None).try_collect()).await;
    assert!(matches!(
        listed.expect_err("nonsense").kind(),
        ErrorKind::Internal | ErrorKind::Unavailable
    ));
}

#[tokio::test]
async fn secrets_that_the_server_repeats_are_not_repeated_by_us() {
    let server = Faulty::start(|request, _| {
        let signed = request.header("authorization").unwrap_or_default();
        let signature = signed.rsplit("Signature=").next().unwrap_or_default();
        let words = format!(
            "<Error><Code>InvalidToken</Code><Message>The token {TOKEN} with signature {signature} is \
             malformed</Message><Token-0>{TOKEN}</Token-0><StringToSign>{signature}</StringToSign></Error>"
        );
        Some(Fault::Answer(400, Vec::new(), words.into_bytes()))
    })
    .await;
    let store = open(config(&server));
    let error = upload(&store).await.expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::Credentials);
    let mut shown = format!("{error} {error:?} {:?} {store:?}", error.hint());
    let mut source = std::error::Error::source(&error);
    while let Some(inner) = source {
        shown.push_str(&format!(" {inner} {inner:?}"));
        source = inner.source();
    }
    let request = server.requests().pop().expect("a request");
    let signed = request.header("authorization").expect("signed");
    let signature = signed.rsplit("Signature=").next().expect("a signature");
    assert_eq!(request.header("x-amz-security-token"), Some(TOKEN));
    for secret in [TOKEN, SECRET, signature] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert!(shown.contains("malformed"), "{shown}");
}
