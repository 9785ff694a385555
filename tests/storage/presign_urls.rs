//! Presigned GET and PUT requests, before a real S3 server and before the local and memory backends.

#![cfg(feature = "store")]

use std::time::{Duration, SystemTime};

use crate::common::images;
use lablink_storage::{
    DirectUpload, ErrorKind, ImageStore, ImageStoreBuilder, ObjectKey, PresignGetOptions,
    PresignPutOptions, UploadOptions,
};

const SECRET: &str = "a secret of at least 32 characters for gets";
const HOURS: Duration = Duration::from_secs(2 * 3600);
const DISPOSITION: &str = "attachment; filename=\"M_ller.jpg\"; filename*=UTF-8''M%C3%BCller.jpg";

fn past(builder: ImageStoreBuilder) -> ImageStore {
    builder
        .with_clock(|| SystemTime::now() - HOURS)
        .build()
        .expect("a store")
}

fn download() -> PresignGetOptions {
    PresignGetOptions::default()
        .with_download_as("Müller.jpg")
        .with_response_content_type("application/octet-stream")
}

/// What somebody who was given a URL may try to make of it.
type Change = fn(&str, &ObjectKey) -> String;

/// Every one of them has to be refused. The second argument is another image's key.
const CHANGES: [(&str, Change); 8] = [
    ("a tampered signature", |url, _| flip_last(url)),
    ("a cut signature", |url, _| url[..url.len() - 1].to_owned()),
    ("no signature", |url, _| {
        url[..url.rfind('&').expect("a query")].to_owned()
    }),
    ("another key", |url, other| {
        let (path, query) = url.split_once('?').expect("a query");
        let (folder, _) = path.rsplit_once('/').expect("a path");
        format!("{folder}/{}?{query}", other.file_name())
    }),
    ("a longer life", |url, _| {
        url.replacen("-Expires=", "-Expires=9", 1)
    }),
    ("another file name", |url, _| url.replace("M_ller", "setup")),
    ("another content type", |url, _| {
        url.replace("octet-stream", "xhtml%2Bxml")
    }),
    ("an answer header that was not signed", |url, _| {
        format!("{url}&response-cache-control=no-store")
    }),
];

fn flip_last(url: &str) -> String {
    let (rest, last) = url.split_at(url.len() - 1);
    format!("{rest}{}", if last == "0" { '1' } else { '0' })
}

/// What the route of an application does with a signed URL.
fn open(store: &ImageStore, url: &str) -> lablink_storage::Result<Option<String>> {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let key = store.key_from_url(path)?;
    let headers = store.verify_get(&key, query)?;
    Ok(headers.and_then(|headers| headers.content_disposition))
}

async fn gets_without_s3(builder: impl Fn() -> ImageStoreBuilder) {
    let store = builder().with_secret(SECRET).build().expect("a store");
    let upload = async || {
        store
            .upload(images::jpeg(64, 48), UploadOptions::default())
            .await
            .expect("an image")
            .key
    };
    let (key, other) = (upload().await, upload().await);
    let request = store.presigned_get(&key, download()).await.expect("signed");
    assert_eq!(
        open(&store, &request.url).expect("signed"),
        Some(DISPOSITION.to_owned())
    );
    assert_eq!(open(&store, &store.public_url(&key)).expect("public"), None);
    for (name, change) in CHANGES {
        let changed = change(&request.url, &other);
        assert_ne!(changed, request.url);
        let error = open(&store, &changed).expect_err(name);
        assert_eq!(error.kind(), ErrorKind::PolicyViolation, "{name}: {error}");
    }
    let expired = past(builder().with_secret(SECRET))
        .presigned_get(&key, download())
        .await
        .expect("signed");
    let error = open(&store, &expired.url).expect_err("expired");
    assert!(error.to_string().contains("expired"), "{error}");
    let another = builder()
        .with_secret("another secret of at least 32 characters")
        .build()
        .expect("a store");
    let forged = another
        .presigned_get(&key, download())
        .await
        .expect("signed");
    assert!(open(&store, &forged.url).is_err());

    let error = store
        .presigned_put("a.jpg", PresignPutOptions::default())
        .await
        .expect_err("no PUT");
    assert_eq!(error.kind(), ErrorKind::NotSupported);
    let pending = ObjectKey::parse(format!("pending/{key}")).expect("valid");
    let error = store.presigned_get(&pending, download()).await;
    let error = error.expect_err("nobody has looked at it");
    assert_eq!(error.kind(), ErrorKind::InvalidKey);
    let unsigned = builder().build().expect("a store");
    let error = unsigned
        .presigned_put("a.jpg", PresignPutOptions::default())
        .await
        .expect_err("no PUT");
    assert!(
        error
            .hint()
            .is_some_and(|hint| hint.contains("presigned_post")),
        "{error:?}"
    );
    let error = unsigned
        .presigned_get(&key, download())
        .await
        .expect_err("no secret");
    assert_eq!(error.kind(), ErrorKind::NotSupported);
}

#[cfg(feature = "local")]
#[tokio::test]
async fn gets_of_local_files() {
    let directory = tempfile::tempdir().expect("a directory");
    gets_without_s3(|| ImageStore::builder().local(directory.path())).await;
}

#[tokio::test]
async fn gets_in_memory() {
    gets_without_s3(|| ImageStore::builder().memory()).await;
}

#[tokio::test]
async fn expiries_that_s3_refuses_are_refused_by_all() {
    let memory = ImageStore::builder()
        .memory()
        .with_secret(SECRET)
        .build()
        .expect("a store");
    let s3 = ImageStore::builder()
        .s3("lab")
        .with_credentials("AKIAIOSFODNN7EXAMPLE", "secret", None::<&str>)
        .build()
        .expect("a store");
    let key = ObjectKey::parse("components/a.jpg").expect("valid");
    for store in [memory, s3] {
        for (seconds, fits) in [(0, false), (1, true), (604_800, true), (604_801, false)] {
            let expires_in = Duration::from_secs(seconds);
            let get = store
                .presigned_get(
                    &key,
                    PresignGetOptions::default().with_expires_in(expires_in),
                )
                .await;
            assert_eq!(get.is_ok(), fits, "{seconds}");
            if let Err(error) = get {
                assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
            }
        }
    }
}

#[cfg(feature = "s3")]
mod on_s3 {
    use crate::common::s3::{Handle, Keys, Reply, Server};
    use lablink_storage::PresignedRequest;

    use super::*;

    async fn send(bucket: &Handle, request: &PresignedRequest, body: Vec<u8>) -> Reply {
        send_as(
            bucket,
            request.method.as_str(),
            &request.url,
            &request.headers,
            body,
        )
        .await
    }

    async fn send_as(
        bucket: &Handle,
        method: &str,
        url: &str,
        headers: &[(String, String)],
        body: Vec<u8>,
    ) -> Reply {
        let headers: Vec<(&str, &str)> = headers
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .collect();
        bucket
            .server
            .anonymous_with(method, url, &headers, body)
            .await
    }

    async fn gets(bucket: &Handle, keys: &Keys) {
        let store = bucket.store_as(keys).build().expect("a store");
        let upload = async || {
            store
                .upload(images::jpeg(64, 48), UploadOptions::default())
                .await
                .expect("an image")
                .key
        };
        let (key, other) = (upload().await, upload().await);
        assert_eq!(
            bucket
                .server
                .anonymous("GET", &store.public_url(&key))
                .await
                .status,
            403,
            "the bucket is private"
        );

        let plain = store
            .presigned_get(&key, PresignGetOptions::default())
            .await
            .expect("signed");
        let reply = send(bucket, &plain, Vec::new()).await.ok();
        assert_eq!(reply.header("content-type"), "image/jpeg");
        let request = store.presigned_get(&key, download()).await.expect("signed");
        let reply = send(bucket, &request, Vec::new()).await.ok();
        assert_eq!(reply.header("content-disposition"), DISPOSITION);
        assert_eq!(reply.header("content-type"), "application/octet-stream");

        for (name, change) in CHANGES {
            let changed = change(&request.url, &other);
            assert_ne!(changed, request.url);
            let reply = send_as(bucket, "GET", &changed, &[], Vec::new()).await;
            assert!(
                [400, 403].contains(&reply.status),
                "{name}: {} {}",
                reply.status,
                reply.text()
            );
        }
        for method in ["PUT", "DELETE"] {
            let reply = send_as(bucket, method, &request.url, &[], Vec::new()).await;
            assert_eq!(reply.status, 403, "{method}: {}", reply.text());
        }
        let expired = past(bucket.store_as(keys))
            .presigned_get(&key, download())
            .await
            .expect("signed");
        assert_eq!(send(bucket, &expired, Vec::new()).await.status, 403);
        send(bucket, &plain, Vec::new()).await.ok();
    }

    async fn puts(bucket: &Handle, keys: &Keys) {
        let store = bucket.store_as(keys).build().expect("a store");
        let sign = async || {
            store
                .presigned_put("board.jpg", PresignPutOptions::default())
                .await
                .expect("signed")
        };
        let photo = || images::jpeg(64, 48);
        let request = sign().await;
        assert!(request.key.is_pending());
        send(bucket, &request, photo()).await.ok();
        let again = send(bucket, &request, photo()).await;
        assert_eq!(again.status, 412, "create-only: {}", again.text());
        let image = store.promote(&request.key).await.expect("an image");
        assert_eq!(image.content_type, "image/jpeg");

        let without = |request: &PresignedRequest, name: &str| {
            let mut headers = request.headers.clone();
            headers.retain(|(other, _)| other != name);
            assert!(headers.len() < request.headers.len(), "{name} is signed");
            headers
        };
        for name in ["content-type", "cache-control", "if-none-match"] {
            let request = sign().await;
            let reply = send_as(
                bucket,
                "PUT",
                &request.url,
                &without(&request, name),
                photo(),
            )
            .await;
            assert_eq!(reply.status, 403, "without {name}: {}", reply.text());
            let mut headers = without(&request, name);
            headers.push((name.to_owned(), "text/html".to_owned()));
            let reply = send_as(bucket, "PUT", &request.url, &headers, photo()).await;
            assert_eq!(reply.status, 403, "another {name}: {}", reply.text());
        }
        let other = sign().await.key;
        for (name, change) in CHANGES
            .into_iter()
            .filter(|(name, _)| !name.contains("another file") && !name.contains("another content"))
        {
            let request = sign().await;
            let changed = change(&request.url, &other);
            let reply = send_as(bucket, "PUT", &changed, &request.headers, photo()).await;
            assert!(
                [400, 403].contains(&reply.status),
                "{name}: {} {}",
                reply.status,
                reply.text()
            );
            assert_eq!(
                store.promote(&request.key).await.expect_err(name).kind(),
                ErrorKind::NotFound
            );
        }
        let expired = past(bucket.store_as(keys))
            .presigned_put("board.jpg", PresignPutOptions::default())
            .await
            .expect("signed");
        assert_eq!(send(bucket, &expired, photo()).await.status, 403);
    }

    #[tokio::test]
    async fn with_a_users_keys() {
        let Some(server) = Server::from_env() else {
            return;
        };
        let bucket = server.bucket().await;
        gets(&bucket, &server.keys).await;
        puts(&bucket, &server.keys).await;
    }

    #[tokio::test]
    async fn with_a_session_token() {
        let Some(server) = Server::from_env() else {
            return;
        };
        let bucket = server.bucket().await;
        let keys = server.assume_role().await;
        gets(&bucket, &keys).await;
        puts(&bucket, &keys).await;

        let store = bucket.store_as(&keys).build().expect("a store");
        let key = ObjectKey::parse("components/a.jpg").expect("valid");
        let request = store
            .presigned_get(&key, PresignGetOptions::default())
            .await
            .expect("signed");
        let other = request
            .url
            .replacen("X-Amz-Security-Token=", "X-Amz-Security-Token=A", 1);
        assert_ne!(other, request.url);
        let reply = send_as(&bucket, "GET", &other, &[], Vec::new()).await;
        assert!([400, 403].contains(&reply.status), "{}", reply.text());
    }
}

/// A server without POST Object bounds a direct upload by its signed length.
#[cfg(feature = "s3")]
#[tokio::test]
async fn a_put_of_a_signed_length_takes_that_length_alone() {
    let Some(server) = crate::common::s3::Server::from_env() else {
        return;
    };
    let bucket = server.bucket().await;
    let builder = bucket
        .store()
        .with_direct_upload(DirectUpload::Put)
        .with_max_upload_bytes(1 << 20);
    let store = builder.build().expect("a store");
    assert_eq!(store.direct_upload(), DirectUpload::Put);
    let photo = images::jpeg(64, 48);
    let options = PresignPutOptions::default().with_content_length(photo.len() as u64);
    let put = store
        .presigned_put("board.jpg", options)
        .await
        .expect("signed");
    let headers: Vec<(&str, &str)> = put
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        // What a client sends is what it counts itself.
        .filter(|(name, _)| *name != "content-length")
        .collect();
    let length = put
        .headers
        .iter()
        .find(|(name, _)| name == "content-length");
    assert_eq!(
        length.map(|(_, value)| value),
        Some(&photo.len().to_string())
    );

    for wrong in [[&photo[..], b"more"].concat(), photo[1..].to_vec()] {
        let answer = server
            .anonymous_with("PUT", &put.url, &headers, wrong)
            .await;
        assert_eq!(answer.status, 403, "{}", answer.text());
    }
    server
        .anonymous_with("PUT", &put.url, &headers, photo)
        .await
        .ok();
    let image = store.promote(&put.key).await.expect("an image");
    assert_eq!(Some(image.url), put.file_url);

    for (length, kind) in [
        (0, ErrorKind::InvalidArgument),
        ((1 << 20) + 1, ErrorKind::LimitExceeded),
    ] {
        let options = PresignPutOptions::default().with_content_length(length);
        let error = store
            .presigned_put("a.jpg", options)
            .await
            .expect_err("refused");
        assert_eq!(error.kind(), kind);
    }
}
