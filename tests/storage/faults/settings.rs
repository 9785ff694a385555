//! What a bucket is configured to keep images with goes along with every write, and with nothing else.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lablink_storage::{ConfigBuilder, ObjectKey};

use super::{config, is_put, open, photo, upload};
use crate::common::faulty::{Faulty, Request};

const KEY_ID: &str = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab";

/// As <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html> names them.
const HEADERS: [(&str, &str); 3] = [
    ("x-amz-server-side-encryption", "aws:kms"),
    ("x-amz-server-side-encryption-aws-kms-key-id", KEY_ID),
    ("x-amz-storage-class", "STANDARD_IA"),
];

fn kept_so(server: &Faulty) -> ConfigBuilder {
    config(server)
        .with_sse_kms_key_id(KEY_ID)
        .with_storage_class("STANDARD_IA")
}

#[track_caller]
fn assert_signed(request: &Request) {
    let signed = request.header("authorization").expect("signed");
    for (name, value) in HEADERS {
        assert_eq!(request.header(name), Some(value), "{:?}", request.headers);
        assert!(signed.contains(&format!(";{name}")), "{signed}");
    }
}

#[tokio::test]
async fn images_are_written_with_the_key_and_the_storage_class() {
    let server = Faulty::start(|_, _| None).await;
    let store = open(kept_so(&server));
    let key = upload(&store).await.expect("uploaded");
    let post = store.presigned_post("a.jpg", Default::default()).await;
    let pending = post.expect("signed").key;
    server.store(&format!("/lab/{pending}"), photo());
    store.promote(&pending).await.expect("promoted");
    store.get(&key).await.expect("there");
    store.head(&key).await.expect("there");
    store.delete(&key).await.expect("deleted");

    let (writes, others): (Vec<_>, Vec<_>) = server.requests().into_iter().partition(is_put);
    // The upload, the promotion, and what a deletion leaves, when it begins and when it ends.
    assert_eq!(writes.len(), 4);
    writes.iter().for_each(assert_signed);
    // S3 answers 400 to reads that say how to encrypt.
    assert!(others.len() >= 4);
    for request in others {
        for (name, _) in HEADERS {
            assert_eq!(request.header(name), None, "{:?}", request.headers);
        }
    }
}

#[tokio::test]
async fn whoever_uploads_directly_has_to_say_the_same() {
    let server = Faulty::start(|_, _| None).await;
    let store = open(kept_so(&server));
    let put = store.presigned_put("a.jpg", Default::default()).await;
    let put = put.expect("signed");
    let (_, query) = put.url.split_once("X-Amz-SignedHeaders=").expect("named");
    let signed: Vec<&str> = query
        .split('&')
        .next()
        .unwrap_or_default()
        .split("%3B")
        .collect();

    let post = store.presigned_post("a.jpg", Default::default()).await;
    let fields = post.expect("signed").fields;
    let policy = fields.iter().find(|(name, _)| name == "policy");
    let policy = STANDARD
        .decode(&policy.expect("a policy").1)
        .expect("base64");
    let policy: serde_json::Value = serde_json::from_slice(&policy).expect("JSON");
    let conditions = policy["conditions"].as_array().expect("conditions");

    for (name, value) in HEADERS {
        let said = (name.to_owned(), value.to_owned());
        assert!(put.headers.contains(&said), "{:?}", put.headers);
        assert!(signed.contains(&name), "{signed:?}");
        assert!(fields.contains(&said), "{fields:?}");
        assert!(
            conditions.contains(&serde_json::json!({ name: value }))
                || conditions.contains(&serde_json::json!(["eq", format!("${name}"), value])),
            "{policy}"
        );
    }
}

#[tokio::test]
async fn nothing_is_said_where_nothing_is_configured() {
    let server = Faulty::start(|_, _| None).await;
    let store = open(config(&server));
    let _: ObjectKey = upload(&store).await.expect("uploaded");
    let put = store.presigned_put("a.jpg", Default::default()).await;
    let post = store.presigned_post("a.jpg", Default::default()).await;
    let sent = server.requests().into_iter().find(is_put).expect("a put");
    let names = sent.headers.into_iter();
    let names = names
        .chain(put.expect("signed").headers)
        .chain(post.expect("signed").fields)
        .map(|(name, _)| name);
    for name in names {
        assert!(!HEADERS.iter().any(|(other, _)| *other == name), "{name}");
    }
}
