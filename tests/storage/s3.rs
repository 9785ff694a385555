//! The store against a real S3 server: what it sends, what it makes of refusals, and what it never tells.
#![cfg(feature = "s3")]

use crate::common::images;
use crate::common::logs::Logs;
use crate::common::s3::{Bucket, Keys, Server};
use futures_util::StreamExt;
use lablink_storage::{Error, ErrorKind, ImageStore, OptimizeOptions, UploadOptions, Variant};

/// A photograph as a phone writes it: on its side, with its camera's name in it. From the corpus where
/// there is one.
fn photo() -> Vec<u8> {
    match crate::common::corpus() {
        Some(corpus) => std::fs::read(corpus.join("bench/phone8_420_q94_o3.jpg"))
            .expect("a photo of the corpus"),
        None => images::jpeg_with_exif(1600, 1200, Some(6)),
    }
}

async fn upload(store: &ImageStore) -> lablink_storage::Result<lablink_storage::StoredImage> {
    store
        .upload(images::jpeg(60, 40), UploadOptions::default())
        .await
}

#[tokio::test]
async fn a_photo_becomes_public_and_goes_again() {
    let Some(server) = Server::from_env() else {
        return;
    };
    let bucket = server.bucket().await;
    let thumb =
        Variant::new("thumb", OptimizeOptions::default().with_max_size(160, 160)).expect("valid");
    let store = bucket
        .store()
        .with_optimize(crate::common::patient())
        .with_variant(thumb)
        .build()
        .expect("valid");

    let image = store
        .upload(
            photo(),
            UploadOptions::default().with_filename("IMG_0001.JPG"),
        )
        .await
        .expect("stored");
    assert_eq!(
        image.url,
        format!("{}/{}/{}", server.endpoint, bucket.name, image.key)
    );

    // What S3 says of it, asked without our help.
    let head = bucket
        .send("HEAD", &format!("/{}", image.key), "")
        .await
        .ok();
    assert_eq!(head.header("content-type"), "image/jpeg");
    assert_eq!(
        head.header("cache-control"),
        "public, max-age=31536000, immutable"
    );
    assert_eq!(head.header("content-length"), image.size.to_string());
    assert_eq!(
        head.header("etag").trim_matches('"'),
        image.e_tag.as_deref().expect("S3 gives one")
    );

    let urls = [image.url.clone(), image.variants["thumb"].url.clone()];
    for url in &urls {
        assert_eq!(
            server.anonymous("GET", url).await.status,
            403,
            "private until the policy says otherwise"
        );
    }
    bucket.publish("components").await;
    for url in &urls {
        let reply = server.anonymous("GET", url).await.ok();
        assert_eq!(reply.header("content-type"), "image/jpeg");
        assert_eq!(
            reply.header("cache-control"),
            "public, max-age=31536000, immutable"
        );
        assert_eq!(
            reply.body,
            store
                .get(&store.key_from_url(url).expect("its own"))
                .await
                .expect("there")
                .bytes
        );
    }

    store.delete_url(&image.url).await.expect("removed");
    for url in &urls {
        assert_eq!(server.anonymous("GET", url).await.status, 404);
    }
    let id = image.key.stem();
    assert_eq!(
        bucket.keys().await,
        [format!("pending%2Fcomponents%2F{id}.gone")]
    );
}

#[tokio::test]
async fn no_acl_is_sent_and_the_settings_are() {
    let Some(server) = Server::from_env() else {
        return;
    };
    let bucket = server.bucket().await;
    let store = bucket
        .store()
        .with_cache_control("private, max-age=60")
        .with_storage_class("STANDARD")
        .build()
        .expect("valid");
    let image = upload(&store).await.expect("stored");
    let head = bucket
        .send("HEAD", &format!("/{}", image.key), "")
        .await
        .ok();
    assert_eq!(head.header("cache-control"), "private, max-age=60");

    // Without an ACL header the object's owner alone has a grant.
    let acl = bucket
        .send("GET", &format!("/{}?acl", image.key), "")
        .await
        .ok()
        .text();
    assert_eq!(acl.matches("<Grant>").count(), 1, "{acl}");
    assert!(!acl.contains("AllUsers"), "{acl}");
}

#[tokio::test]
async fn temporary_credentials_work_and_their_token_counts() {
    let Some(server) = Server::from_env() else {
        return;
    };
    let bucket = server.bucket().await;
    let keys = server.assume_role().await;
    let store = bucket.store_as(&keys).build().expect("valid");
    let image = upload(&store).await.expect("the role may");
    assert!(store.exists(&image.key).await.expect("answered"));
    store.delete(&image.key).await.expect("removed");

    // Ceph's word for every wrong signature, where it checks tokens.
    let tokenless = Keys {
        token: None,
        ..keys
    };
    let tokenless = bucket.store_as(&tokenless).build().expect("valid");
    let refused = upload(&tokenless).await.expect_err("refused").kind();
    assert!(
        [ErrorKind::AccessDenied, ErrorKind::Credentials].contains(&refused),
        "{refused:?}"
    );
}

/// What one operation on a store answers with.
async fn every_operation(
    store: &ImageStore,
    image: &lablink_storage::StoredImage,
) -> Vec<(&'static str, Error)> {
    let mut errors = Vec::new();
    errors.push((
        "upload",
        upload(store).await.expect_err("upload is refused"),
    ));
    errors.push((
        "get",
        store.get(&image.key).await.expect_err("get is refused"),
    ));
    errors.push((
        "head",
        store.head(&image.key).await.expect_err("head is refused"),
    ));
    errors.push((
        "delete",
        store
            .delete(&image.key)
            .await
            .expect_err("delete is refused"),
    ));
    let first = store.list(None).next().await.expect("an answer");
    errors.push(("list", first.expect_err("list is refused")));
    errors
}

/// A bucket with an image in it, and a store that asks for it with these keys.
async fn refused_with(
    keys: impl FnOnce(&Server) -> Keys,
) -> Option<(Bucket, Vec<(&'static str, Error)>)> {
    let server = Server::from_env()?.plain();
    let bucket = server.bucket().await;
    let image = upload(&bucket.store().build().expect("valid"))
        .await
        .expect("stored");
    let store = bucket.store_as(&keys(&server)).build().expect("valid");
    let errors = every_operation(&store, &image).await;
    assert_eq!(bucket.keys().await.len(), 1, "nothing came, nothing went");

    let status = store.status().await;
    assert!(status.enabled && !status.accessible, "{status:?}");
    assert_eq!(status.message, "S3 is configured but not accessible");
    assert!(
        status.error.is_some() && status.hint.is_some(),
        "{status:?}"
    );
    Some((bucket, errors))
}

#[tokio::test]
async fn a_wrong_secret_is_named() {
    let wrong = |server: &Server| Keys {
        secret: "wrong-secret-never-to-be-told".into(),
        ..server.keys.clone()
    };
    let Some((_bucket, errors)) = refused_with(wrong).await else {
        return;
    };
    for (operation, error) in errors {
        assert!(!error.is_retryable(), "{operation}");
        let hint = error.hint().unwrap_or_default();
        assert!(
            !format!("{error} {error:?} {hint}").contains("never-to-be-told"),
            "{operation}"
        );
        assert_eq!(
            error.kind(),
            ErrorKind::Credentials,
            "{operation}: {error:?}"
        );
        assert_eq!(error.code(), Some("SignatureDoesNotMatch"), "{operation}");
        assert!(
            hint.contains("AWS_SECRET_ACCESS_KEY"),
            "{operation}: {hint}"
        );
        assert!(
            error.request_id().is_some_and(|id| id.starts_with("tx")),
            "{operation}: {error:?}"
        );
    }
}

#[tokio::test]
async fn an_unknown_key_is_named() {
    let unknown = |server: &Server| Keys {
        access: "NOSUCHACCESSKEY00001".into(),
        ..server.keys.clone()
    };
    let Some((_bucket, errors)) = refused_with(unknown).await else {
        return;
    };
    for (operation, error) in errors {
        let hint = error.hint().unwrap_or_default();
        assert_eq!(
            error.kind(),
            ErrorKind::Credentials,
            "{operation}: {error:?}"
        );
        assert_eq!(error.code(), Some("InvalidAccessKeyId"), "{operation}");
        assert!(hint.contains("AWS_ACCESS_KEY_ID"), "{operation}: {hint}");
    }
}

#[tokio::test]
async fn a_forbidden_bucket_says_what_to_allow() {
    let other = |server: &Server| server.other.clone();
    let Some((bucket, errors)) = refused_with(other).await else {
        return;
    };
    let object = format!("arn:aws:s3:::{}/components/", bucket.name);
    for (operation, error) in errors {
        assert_eq!(
            error.kind(),
            ErrorKind::AccessDenied,
            "{operation}: {error:?}"
        );
        let hint = error.hint().unwrap_or_default();
        let wanted = match operation {
            "upload" => format!("s3:PutObject on {object}"),
            "get" | "head" => format!("s3:GetObject on {object}"),
            "delete" => format!("s3:DeleteObject on {object}"),
            _ => format!("s3:ListBucket on arn:aws:s3:::{}", bucket.name),
        };
        assert!(hint.contains(&wanted), "{operation}: {hint}");
    }
}

#[tokio::test]
async fn a_missing_bucket_is_named() {
    let Some(server) = Server::from_env() else {
        return;
    };
    let bucket = server.bucket().await;
    let image = upload(&bucket.store().build().expect("valid"))
        .await
        .expect("stored");
    let missing = ImageStore::builder()
        .s3("lablink-no-such-bucket")
        .with_endpoint_url(&server.endpoint)
        .with_credentials(
            &server.keys.access,
            server.keys.secret.as_str(),
            None::<&str>,
        )
        .build()
        .expect("valid");
    for (operation, error) in [
        ("upload", upload(&missing).await.expect_err("no bucket")),
        ("get", missing.get(&image.key).await.expect_err("no bucket")),
        (
            "delete",
            missing.delete(&image.key).await.expect_err("no bucket"),
        ),
        (
            "list",
            missing
                .list(None)
                .next()
                .await
                .expect("an answer")
                .expect_err("no bucket"),
        ),
    ] {
        assert_eq!(
            error.kind(),
            ErrorKind::NoSuchBucket,
            "{operation}: {error:?}"
        );
        assert_eq!(error.code(), Some("NoSuchBucket"), "{operation}");
        let hint = error.hint().unwrap_or_default();
        assert!(
            hint.contains("AWS_S3_BUCKET") && hint.contains("lablink-no-such-bucket"),
            "{operation}: {hint}"
        );
    }
    let status = missing.status().await;
    assert!(status.enabled && !status.accessible, "{status:?}");
    assert!(
        status
            .hint
            .is_some_and(|hint| hint.contains("AWS_S3_BUCKET"))
    );
}

#[tokio::test]
async fn a_bucket_that_may_be_written_but_not_listed_still_serves() {
    // The least that an uploader needs: no right to list. Then S3 answers 403 for what is not there.
    let Some(server) = Server::from_env() else {
        return;
    };
    let bucket = server.bucket().await;
    let policy = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":["arn:aws:iam:::user/other"]}},"Action":["s3:PutObject","s3:GetObject","s3:DeleteObject"],"Resource":["arn:aws:s3:::{}/components/*"]}}]}}"#,
        bucket.name
    );
    bucket.send("PUT", "?policy", policy).await.ok();
    let thumb =
        Variant::new("thumb", OptimizeOptions::default().with_max_size(20, 20)).expect("valid");
    let store = bucket
        .store_as(&server.other)
        .with_variant(thumb)
        .build()
        .expect("valid");
    let image = upload(&store).await.expect("may put");
    assert_eq!(
        store.get(&image.key).await.expect("may get").bytes.len() as u64,
        image.size
    );
    let listed = store
        .list(None)
        .next()
        .await
        .expect("an answer")
        .expect_err("may not list");
    assert_eq!(listed.kind(), ErrorKind::AccessDenied);
    store
        .delete(&image.key)
        .await
        .expect("may delete, and knows its variants without listing");
    assert_eq!(bucket.keys().await, [""; 0]);
}

#[tokio::test]
async fn logs_tell_what_happened_and_no_secret() {
    let Some(server) = Server::from_env() else {
        return;
    };
    let bucket = server.bucket().await;
    let session = server.assume_role().await;
    let logs = Logs::capture();

    let store = bucket.store_as(&session).build().expect("valid");
    let image = upload(&store).await.expect("stored");
    store.get(&image.key).await.expect("there");
    let signed = store
        .presigned_get(&image.key, Default::default())
        .await
        .expect("signed");
    let post = store
        .presigned_post("a.jpg", Default::default())
        .await
        .expect("signed");
    store.delete(&image.key).await.expect("removed");
    let wrong = Keys {
        secret: "wrong-secret-never-to-be-told".into(),
        ..session.clone()
    };
    let failing = bucket.store_as(&wrong).build().expect("valid");
    let error = upload(&failing).await.expect_err("refused");

    let told = format!(
        "{}\n{store:?}\n{failing:?}\n{error}\n{error:?}\n{signed:?}\n{post:?}",
        logs.text()
    );
    for expected in ["upload", "get", "delete", image.key.as_str()] {
        assert!(told.contains(expected), "{expected} is not in the log");
    }
    let signature = |text: &str| text.split("X-Amz-Signature=").nth(1).map(str::to_owned);
    let policy = post
        .fields
        .iter()
        .find(|(name, _)| name == "x-amz-signature")
        .map(|(_, value)| value.clone());
    let token = session.token.clone().expect("a session has one");
    for secret in [session.secret, token, wrong.secret]
        .into_iter()
        .chain(signature(&signed.url))
        .chain(policy)
    {
        assert!(!told.contains(&secret), "a secret is told");
    }
}
