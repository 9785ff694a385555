//! AWS's published examples.

use std::time::{Duration, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::sign::SignError;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn credentials() -> Credentials {
    Credentials::new("AKIAIOSFODNN7EXAMPLE", SECRET)
}

fn signer() -> SigV4 {
    SigV4::new(credentials(), "us-east-1").expect("valid")
}

fn key(text: &str) -> ObjectKey {
    ObjectKey::parse(text).expect(text)
}

/// <https://docs.aws.amazon.com/general/latest/gr/signature-v4-examples.html>: the derived key, seen
/// through what it signs, since the key itself is not to be had.
#[test]
fn the_signing_key_is_derived_as_published() {
    let derived = signing_key(
        "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        "20120215",
        "us-east-1",
        "iam",
    )
    .expect("derived");
    let published: Vec<u8> = (0..64)
        .step_by(2)
        .map(|at| {
            u8::from_str_radix(
                &"f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d"[at..at + 2],
                16,
            )
            .expect("hex")
        })
        .collect();
    let published = hash::hmac_key(&published);
    assert_eq!(
        hash::hmac_hex(&derived, b"text"),
        hash::hmac_hex(&published, b"text")
    );
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>
#[test]
fn canonical_requests_are_signed_as_published() {
    let host = "host:examplebucket.s3.amazonaws.com";
    let date = "x-amz-date:20130524T000000Z";
    let welcome = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072";
    let names = "host;x-amz-content-sha256;x-amz-date";
    for (canonical, signature) in [
        (
            format!(
                "GET\n/test.txt\n\n{host}\nrange:bytes=0-9\nx-amz-content-sha256:{EMPTY}\n{date}\n\nhost;range;x-amz-content-sha256;x-amz-date\n{EMPTY}"
            ),
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        (
            format!(
                "PUT\n/test%24file.text\n\ndate:Fri, 24 May 2013 00:00:00 GMT\n{host}\nx-amz-content-sha256:{welcome}\n{date}\nx-amz-storage-class:REDUCED_REDUNDANCY\n\ndate;{names};x-amz-storage-class\n{welcome}"
            ),
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        ),
        (
            format!(
                "GET\n/\nlifecycle=\n{host}\nx-amz-content-sha256:{EMPTY}\n{date}\n\n{names}\n{EMPTY}"
            ),
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        ),
        (
            format!(
                "GET\n/\nmax-keys=2&prefix=J\n{host}\nx-amz-content-sha256:{EMPTY}\n{date}\n\n{names}\n{EMPTY}"
            ),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ] {
        let signer = signer();
        let text = string_to_sign("20130524T000000Z", &signer.scope("20130524"), &canonical);
        let derived = signer.signing_key(20_130_524, "20130524").expect("derived");
        assert_eq!(
            hash::hmac_hex(&derived, text.as_bytes()),
            signature,
            "{canonical}"
        );
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>
#[test]
fn a_get_is_presigned_as_published() {
    let request = signer()
        .presign(
            &Presign::get(Duration::from_secs(86_400)),
            &key("test.txt"),
            "https://examplebucket.s3.amazonaws.com/test.txt",
            at(1_369_353_600),
        )
        .expect("valid");
    assert_eq!(
        request.url,
        "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256\
         &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
         &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
         &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    );
    assert_eq!(request.expires_at, at(1_369_353_600 + 86_400));
    assert!(request.headers.is_empty());
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-post-example.html>
#[test]
fn a_policy_is_signed_as_published() {
    let policy = concat!(
        "{ \"expiration\": \"2015-12-30T12:00:00.000Z\",\r\n  \"conditions\": [\r\n",
        "    {\"bucket\": \"sigv4examplebucket\"},\r\n",
        "    [\"starts-with\", \"$key\", \"user/user1/\"],\r\n",
        "    {\"acl\": \"public-read\"},\r\n",
        "    {\"success_action_redirect\": \"http://sigv4examplebucket.s3.amazonaws.com/successful_upload.html\"},\r\n",
        "    [\"starts-with\", \"$Content-Type\", \"image/\"],\r\n",
        "    {\"x-amz-meta-uuid\": \"14365123651274\"},\r\n",
        "    {\"x-amz-server-side-encryption\": \"AES256\"},\r\n",
        "    [\"starts-with\", \"$x-amz-meta-tag\", \"\"],\r\n\r\n",
        "    {\"x-amz-credential\": \"AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request\"},\r\n",
        "    {\"x-amz-algorithm\": \"AWS4-HMAC-SHA256\"},\r\n",
        "    {\"x-amz-date\": \"20151229T000000Z\" }\r\n  ]\r\n}",
    );
    let signature = "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e";
    let document = STANDARD.encode(policy);
    assert!(signer().verifies(&document, "20151229", signature));
    assert!(!signer().verifies(&document, "20151230", signature));
    assert!(!signer().verifies(&document, "20151229", &signature.replace('8', "9")));
    assert!(!signer().verifies(&document, "20151229", ""));
}

#[test]
fn the_kept_key_changes_with_the_day() {
    let get = Presign::get(Duration::from_secs(60));
    let url = "https://examplebucket.s3.amazonaws.com/test.txt";
    let signer_of_both_days = signer();
    for day in [1_369_353_600, 1_369_353_600 + 86_400, 1_369_353_600] {
        let kept = signer_of_both_days
            .presign(&get, &key("test.txt"), url, at(day))
            .expect("valid");
        let fresh = signer()
            .presign(&get, &key("test.txt"), url, at(day))
            .expect("valid");
        assert_eq!(kept.url, fresh.url);
    }
}

#[test]
fn what_is_signed_ends_with_the_credentials() {
    let now = at(1_369_353_600);
    let ending = |seconds: u64| {
        let credentials = credentials()
            .with_session_token("t")
            .with_expires_at(at(1_369_353_600 + seconds));
        SigV4::new(credentials, "us-east-1").expect("valid")
    };
    let policy = PostPolicy::new("a", Duration::from_secs(60));
    for (end, expires_in) in [(59, 59), (60, 60), (61, 60)] {
        let signer = ending(end);
        let get = signer
            .presign(
                &Presign::get(Duration::from_secs(60)),
                &key("a"),
                "https://h/a",
                now,
            )
            .expect("valid");
        let post = signer
            .presign_post(&policy, &key("a"), "https://h/", "https://h/a", now)
            .expect("valid");
        assert_eq!(get.expires_at, at(1_369_353_600 + expires_in));
        assert_eq!(post.expires_at, at(1_369_353_600 + expires_in));
    }
}

#[test]
fn nothing_secret_is_in_debug() {
    let credentials =
        Credentials::new("AKIAIOSFODNN7EXAMPLE", SECRET).with_session_token("s3ss10n-t0ken");
    let signer = SigV4::new(credentials, "us-east-1").expect("valid");
    let now = at(1_369_353_600);
    let get = signer
        .presign(
            &Presign::get(Duration::from_secs(60)),
            &key("a"),
            "https://h/a",
            now,
        )
        .expect("valid");
    let post = signer
        .presign_post(
            &PostPolicy::new("a", Duration::from_secs(60)),
            &key("a"),
            "https://h/",
            "https://h/a",
            now,
        )
        .expect("valid");
    let shown = format!("{signer:?} {signer:#?} {get:?} {post:?}");
    let signature = |text: &str| text[text.len() - 64..].to_owned();
    let mut secrets = vec![
        SECRET.to_owned(),
        "s3ss10n-t0ken".to_owned(),
        signature(&get.url),
    ];
    secrets.extend(
        post.fields
            .iter()
            .filter(|(name, _)| ["policy", "x-amz-signature"].contains(&name.as_str()))
            .map(|(_, value)| value.clone()),
    );
    assert_eq!(secrets.len(), 5);
    for secret in secrets {
        assert!(!shown.contains(&secret), "{secret} in {shown}");
    }
}

/// Secrets are of a type that is wiped on drop.
#[test]
fn secrets_are_of_a_type_that_wipes_itself() {
    fn wiped<T: zeroize::ZeroizeOnDrop>(_: &T) {}
    let credentials = credentials().with_session_token("t");
    wiped(&credentials.secret_access_key);
    wiped(credentials.session_token.as_ref().expect("a token"));
}

#[test]
fn nothing_is_signed_with_parts_that_break_a_signature() {
    for (credentials, region, name) in [
        (Credentials::new("", SECRET), "us-east-1", "access_key_id"),
        (
            Credentials::new("AKIA/x", SECRET),
            "us-east-1",
            "access_key_id",
        ),
        (
            Credentials::new("AKIA\n", SECRET),
            "us-east-1",
            "access_key_id",
        ),
        (
            Credentials::new("AKIA", ""),
            "us-east-1",
            "secret_access_key",
        ),
        (
            Credentials::new("AKIA", SECRET).with_session_token(""),
            "us-east-1",
            "session_token",
        ),
        (
            Credentials::new("AKIA", SECRET).with_session_token("a\nb"),
            "us-east-1",
            "session_token",
        ),
        (Credentials::new("AKIA", SECRET), "", "region"),
        (Credentials::new("AKIA", SECRET), "us/east", "region"),
    ] {
        let error = SigV4::new(credentials, region).expect_err(name);
        assert!(
            matches!(error, SignError::InvalidArgument { name: n, .. } if n == name),
            "{error}"
        );
        assert!(!error.to_string().contains(SECRET));
    }
    let presign =
        |request: &Presign, url: &str| signer().presign(request, &key("a"), url, at(1_369_353_600));
    let get = |seconds| Presign::get(Duration::from_secs(seconds));
    for (request, url) in [
        (get(0), "https://h/a"),
        (get(604_801), "https://h/a"),
        (get(60), "/uploads/a"),
        (get(60), "memory://lablink/a"),
        (get(60).with_header("Host", "evil"), "https://h/a"),
        (get(60).with_download_as(""), "https://h/a"),
        (get(60).with_response_content_type("a\r\nb"), "https://h/a"),
        (
            Presign::put(Duration::from_secs(60)).with_download_as("a"),
            "https://h/a",
        ),
    ] {
        assert!(presign(&request, url).is_err(), "{request:?} {url}");
    }
}
