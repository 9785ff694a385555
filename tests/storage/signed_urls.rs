//! CloudFront's signed URLs and cookies, as a store gives them. The signatures of all forms are compared with
//! botocore's in tests/signing.

#![cfg(feature = "store")]

use std::time::{Duration, SystemTime};

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair,
    UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lablink_storage::{
    Error, ErrorKind, ImageStore, ObjectKey, SignedCookiesOptions, SignedUrlOptions,
};

const KEY: &str = "components/6f9619ff-8b86-4d01-b42d-00cf4fc964ff.jpg";
const NOW: u64 = 1_767_225_600;

/// A store behind CloudFront at a fixed time, and the public half of its key.
fn store() -> (ImageStore, Vec<u8>) {
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("a key");
    let body = STANDARD.encode(key.to_pkcs8v1().expect("DER").as_ref());
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
    let store = ImageStore::builder()
        .memory()
        .with_cloudfront_domain("cdn.example.org")
        .with_cloudfront_key("K2JCJMDEHXQW5F", pem)
        .with_clock(|| SystemTime::UNIX_EPOCH + Duration::from_secs(NOW))
        .build()
        .expect("a store");
    (store, key.public_key().as_ref().to_vec())
}

fn key(key: &str) -> ObjectKey {
    ObjectKey::parse(key).expect("valid")
}

fn value<'a>(pairs: &'a [(String, String)], name: &str) -> &'a str {
    let pair = pairs.iter().find(|(other, _)| other == name);
    &pair.unwrap_or_else(|| panic!("no {name} in {pairs:?}")).1
}

/// What CloudFront's alphabet for URLs stands for.
fn decode(text: &str) -> Vec<u8> {
    let base64 = text.replace('-', "+").replace('_', "=").replace('~', "/");
    STANDARD.decode(base64).expect("base64")
}

/// A canned policy, in the form that CloudFront rebuilds from the URL:
/// <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-creating-signed-url-canned-policy.html>
#[test]
fn a_url_is_signed_for_itself_until_it_expires() {
    let (store, public) = store();
    let lives = Duration::from_secs(400 * 24 * 3600); // no upper bound, unlike S3's
    let options = SignedUrlOptions::default().with_expires_in(lives);
    let signed = store.signed_url(&key(KEY), options).expect("signed");
    let end = NOW + lives.as_secs();
    assert_eq!(
        signed.expires_at,
        SystemTime::UNIX_EPOCH + Duration::from_secs(end)
    );

    let (url, query) = signed.url.split_once('?').expect("a query");
    assert_eq!(url, format!("https://cdn.example.org/{KEY}"));
    let query: Vec<(String, String)> = query
        .split('&')
        .map(|pair| pair.split_once('=').expect("a value"))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    assert_eq!(value(&query, "Expires"), end.to_string());
    assert_eq!(value(&query, "Key-Pair-Id"), "K2JCJMDEHXQW5F");
    assert_eq!(value(&query, "Hash-Algorithm"), "SHA256");
    let policy = format!(
        r#"{{"Statement":[{{"Resource":"{url}","Condition":{{"DateLessThan":{{"AWS:EpochTime":{end}}}}}}}]}}"#
    );
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &public)
        .verify(policy.as_bytes(), &decode(value(&query, "Signature")))
        .expect("the signature of the policy");
}

#[test]
fn cookies_open_the_prefix_or_what_was_asked_for() {
    let (store, public) = store();
    let access = SignedUrlOptions::default().with_ip_range("192.0.2.0/24");
    for (options, resource) in [
        (
            SignedCookiesOptions::default(),
            "https://cdn.example.org/components/*",
        ),
        (
            SignedCookiesOptions::default()
                .with_path("components/one/*")
                .with_access(access),
            "https://cdn.example.org/components/one/*",
        ),
    ] {
        let signed = store.signed_cookies(options).expect("signed");
        assert_eq!(signed.resource, resource);
        let policy = decode(value(&signed.cookies, "CloudFront-Policy"));
        let text = String::from_utf8_lossy(&policy);
        assert!(text.contains(resource), "{text}");
        assert_eq!(text.contains("192.0.2.0/24"), resource.contains("/one/"));
        let signature = decode(value(&signed.cookies, "CloudFront-Signature"));
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &public)
            .verify(&policy, &signature)
            .expect("the signature of the policy");
    }
}

#[test]
fn what_cannot_be_signed_is_refused() {
    let (store, _) = store();
    let refused = |key_text: &str, options: SignedUrlOptions| -> Error {
        store
            .signed_url(&key(key_text), options)
            .expect_err("refused")
    };
    let options = SignedUrlOptions::default;
    for outside in [&format!("pending/{KEY}"), "other/a.jpg", "component/a.jpg"] {
        let error = refused(outside, options());
        assert_eq!(error.kind(), ErrorKind::InvalidKey, "{outside}: {error}");
    }
    for wrong in [
        options().with_expires_in(Duration::ZERO),
        options().with_expires_in(Duration::MAX),
        options().with_starts_in(Duration::MAX),
        options()
            .with_expires_in(Duration::from_secs(60))
            .with_starts_in(Duration::from_secs(60)),
        options().with_ip_range("192.0.2.0/33"),
        options().with_ip_range("everywhere"),
    ] {
        let error = refused(KEY, wrong.clone());
        assert_eq!(
            error.kind(),
            ErrorKind::InvalidArgument,
            "{wrong:?}: {error}"
        );
        let cookies = SignedCookiesOptions::default().with_access(wrong);
        let error = store.signed_cookies(cookies).expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
    }

    let plain = ImageStore::builder().memory().build().expect("a store");
    let error = plain.signed_url(&key(KEY), options()).expect_err("no CDN");
    assert_eq!(error.kind(), ErrorKind::NotSupported);
    assert!(error.hint().expect("a hint").contains("CLOUDFRONT_DOMAIN"));
}
