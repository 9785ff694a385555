use std::time::{Duration, UNIX_EPOCH};

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING,
    EcdsaKeyPair, KeyPair, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm,
};

use super::*;

const URL: &str = "https://d111111abcdef8.cloudfront.net/components/a.jpg";

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn pem(label: &str, der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    let lines: Vec<&str> = body
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).expect("ASCII"))
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}

fn signer(pem: &str) -> Result<CloudFrontSigner, SignError> {
    CloudFrontSigner::new("K2JCJMDEHXQW5F", &pem.into())
}

/// A fresh key in each of its PEM forms, with what verifies its signatures.
struct TestKey {
    pems: Vec<String>,
    public: Vec<u8>,
    algorithm: &'static dyn VerificationAlgorithm,
}

fn rsa() -> TestKey {
    let key = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key");
    let pkcs8 = AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&key).expect("DER");
    // RFC 5208: 26 bytes of version, algorithm and an octet string's header come before PKCS#1.
    TestKey {
        pems: vec![
            pem("PRIVATE KEY", pkcs8.as_ref()),
            pem("RSA PRIVATE KEY", &pkcs8.as_ref()[26..]),
        ],
        public: key.public_key().as_ref().to_vec(),
        algorithm: &RSA_PKCS1_2048_8192_SHA256,
    }
}

fn ecdsa() -> TestKey {
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("a key");
    let pkcs8 = key.to_pkcs8v1().expect("DER");
    let sec1 = AsDer::<aws_lc_rs::encoding::EcPrivateKeyRfc5915Der<'_>>::as_der(&key.private_key())
        .expect("DER");
    let parameters = pem("EC PARAMETERS", &[6, 8, 42, 134, 72, 206, 61, 3, 1, 7]);
    TestKey {
        pems: vec![
            pem("PRIVATE KEY", pkcs8.as_ref()),
            pem("EC PRIVATE KEY", sec1.as_ref()),
            parameters + &pem("EC PRIVATE KEY", sec1.as_ref()),
        ],
        public: key.public_key().as_ref().to_vec(),
        algorithm: &ECDSA_P256_SHA256_ASN1,
    }
}

fn decode(text: &str) -> Vec<u8> {
    STANDARD
        .decode(text.replace('-', "+").replace('_', "=").replace('~', "/"))
        .expect("base64")
}

/// The expected policies are those of CloudFront's developer guide, without white space.
#[test]
fn each_key_form_signs_canned_and_custom_policies() {
    let canned = format!(
        r#"{{"Statement":[{{"Resource":"{URL}","Condition":{{"DateLessThan":{{"AWS:EpochTime":1767290400}}}}}}]}}"#
    );
    let custom = concat!(
        r#"{"Statement":[{"Resource":"https://d111111abcdef8.cloudfront.net/*","Condition":{"DateLessThan":{"AWS:EpochTime":1767290400},"#,
        r#""IpAddress":{"AWS:SourceIp":"192.0.2.0/24"},"DateGreaterThan":{"AWS:EpochTime":1767200400}}}]}"#
    );
    for key in [rsa(), ecdsa()] {
        let public = UnparsedPublicKey::new(key.algorithm, &key.public);
        for form in key
            .pems
            .iter()
            .cloned()
            .chain(key.pems.iter().map(|pem| pem.replace('\n', "\\n")))
            .chain(key.pems.iter().map(|pem| pem.replace('\n', "\r\n")))
        {
            let signer = signer(&form).expect("a key");
            let url = signer
                .signed_url(URL, &CloudFrontPolicy::canned(URL, at(1_767_290_400)))
                .expect("valid");
            let rest = url
                .strip_prefix(&format!("{URL}?Expires=1767290400&Signature="))
                .expect(&url);
            let signature = rest
                .strip_suffix("&Key-Pair-Id=K2JCJMDEHXQW5F&Hash-Algorithm=SHA256")
                .expect(rest);
            public
                .verify(canned.as_bytes(), &decode(signature))
                .expect("a valid signature");

            let policy = CloudFrontPolicy::custom(
                "https://d111111abcdef8.cloudfront.net/*",
                at(1_767_290_400),
            )
            .with_starts_at(at(1_767_200_400))
            .with_source_ip("192.0.2.0/24");
            let cookies = signer.signed_cookies(&policy).expect("valid");
            let names: Vec<&str> = cookies
                .cookies
                .iter()
                .map(|(name, _)| name.as_str())
                .collect();
            assert_eq!(
                names,
                [
                    "CloudFront-Policy",
                    "CloudFront-Signature",
                    "CloudFront-Key-Pair-Id",
                    "CloudFront-Hash-Algorithm"
                ]
            );
            assert_eq!(decode(&cookies.cookies[0].1), custom.as_bytes());
            public
                .verify(custom.as_bytes(), &decode(&cookies.cookies[1].1))
                .expect("a valid signature");
            let url = signer
                .signed_url(&format!("{URL}?size=2"), &policy)
                .expect("valid");
            assert!(url.starts_with(&format!("{URL}?size=2&Policy=")), "{url}");
        }
    }
}

#[test]
fn a_wrong_key_is_said_to_be_wrong() {
    let rsa4096 = RsaKeyPair::generate(KeySize::Rsa4096).expect("a key");
    let rsa4096 = AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&rsa4096).expect("DER");
    let p384 = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_ASN1_SIGNING).expect("a key");
    let p384 = p384.to_pkcs8v1().expect("DER");
    let good = ecdsa().pems.swap_remove(0);
    for (text, word) in [
        (String::new(), "PEM"),
        ("hunter2".to_owned(), "PEM"),
        (pem("PUBLIC KEY", b"x"), "public"),
        (pem("CERTIFICATE", b"x"), "public"),
        (pem("ENCRYPTED PRIVATE KEY", b"x"), "openssl pkey"),
        ("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----".to_owned(), "openssl pkey"),
        (pem("OPENSSH PRIVATE KEY", b"x"), "ssh-keygen"),
        (pem("PRIVATE KEY", b"hunter2"), "P-256"),
        (pem("RSA PRIVATE KEY", b"hunter2"), "RSA"),
        (pem("EC PRIVATE KEY", b"hunter2"), "P-256"),
        (pem("PRIVATE KEY", p384.as_ref()), "P-256"),
        (pem("PRIVATE KEY", rsa4096.as_ref()), "4096"),
        (good.replace("-----END", "----END"), "no end"),
        (good.replace('M', "*"), "base64"),
    ] {
        let error = signer(&text).expect_err(word);
        let shown = format!("{error} {error:?}");
        assert!(shown.contains(word) && !shown.contains("hunter2"), "{shown} for {text}");
    }
    assert!(matches!(
        CloudFrontSigner::new("K&x", &good.as_str().into()),
        Err(SignError::InvalidArgument {
            name: "key_pair_id",
            ..
        })
    ));
}

#[test]
fn policies_that_make_no_sense_are_refused() {
    let signer = signer(&ecdsa().pems[0]).expect("a key");
    let later = at(1_767_290_400);
    let canned = |url: &str| CloudFrontPolicy::canned(url, later);
    for (url, policy, name) in [
        (
            URL,
            canned("https://d111111abcdef8.cloudfront.net/other.jpg"),
            "url",
        ),
        ("/a.jpg", canned("/a.jpg"), "url"),
        ("https://h/a\".jpg", canned("https://h/a\".jpg"), "url"),
        ("https://h/a b.jpg", canned("https://h/a b.jpg"), "url"),
        ("https://h/ü.jpg", canned("https://h/ü.jpg"), "url"),
        (
            "https://h/a?Expires=1",
            canned("https://h/a?Expires=1"),
            "url",
        ),
        ("https://h/a#x", canned("https://h/a#x"), "url"),
        (
            URL,
            CloudFrontPolicy::custom("https://h/\",", later),
            "resource",
        ),
        (URL, canned(URL).with_source_ip("2001:db8::1"), "source_ip"),
        (URL, canned(URL).with_source_ip("192.0.2.0/33"), "source_ip"),
        (URL, canned(URL).with_source_ip("\"}"), "source_ip"),
        (URL, canned(URL).with_starts_at(later), "starts_at"),
        (
            URL,
            CloudFrontPolicy::canned(URL, UNIX_EPOCH - Duration::from_secs(1)),
            "expires_at",
        ),
    ] {
        let error = signer.signed_url(url, &policy).expect_err(name);
        assert!(
            matches!(error, SignError::InvalidArgument { name: n, .. } if n == name),
            "{error}"
        );
    }
    let in_a_century = CloudFrontPolicy::canned(URL, at(4_923_000_000));
    assert!(signer.signed_url(URL, &in_a_century).is_ok());
}

#[test]
fn debug_shows_no_key_and_no_signature() {
    let key = rsa();
    let signer = signer(&key.pems[0]).expect("a key");
    let cookies = signer
        .signed_cookies(&CloudFrontPolicy::canned(URL, at(1_767_290_400)))
        .expect("valid");
    let shown = format!("{signer:?} {cookies:?}");
    assert!(shown.contains("RSA") && shown.contains("CloudFront-Signature"));
    assert!(
        !shown.contains(&cookies.cookies[1].1) && !shown.contains(&key.pems[0][40..80]),
        "{shown}"
    );
}
