//! `doctor` before a CloudFront distribution, healthy and in every way in which one is set up wrongly.

use serde_json::Value;

use crate::common::faulty::{Fault, Faulty};
use crate::common::images;
use crate::common::s3::{Bucket, Keys, Server};
use crate::distribution::{Distribution, KeyGroup, Origin, key_pair};
use crate::shell::{Done, Shell};

const KEY_ID: &str = "K2JCJMDEHXQW5F";

async fn bucket() -> Option<(Server, Bucket)> {
    let server = Server::from_env()?;
    let bucket = server.bucket().await;
    Some((server, bucket))
}

/// The bucket's owner behind the domain of a distribution.
fn shell(server: &Server, bucket: &Bucket, distribution: &Distribution) -> Shell {
    let shell = Shell::s3(server, &bucket.name, &server.keys)
        .with("CLOUDFRONT_DOMAIN", &distribution.domain);
    let certificate = shell.write("ca.pem", distribution.certificate.as_bytes());
    shell.with("SSL_CERT_FILE", &certificate.display().to_string())
}

fn signing(shell: Shell, id: &str, key: &str) -> Shell {
    shell
        .with("CLOUDFRONT_KEY_PAIR_ID", id)
        .with("CLOUDFRONT_PRIVATE_KEY", key)
}

/// One check of a diagnosis, which took less than the ten seconds that a person waits.
#[track_caller]
fn check(done: &Done, name: &str) -> Value {
    assert!(done.took.as_secs() < 10, "{:?}", done.took);
    let report = done.json();
    let checks = report["checks"].as_array().expect("checks");
    let found = checks.iter().find(|check| check["name"] == name);
    found.unwrap_or_else(|| panic!("{report:#}")).clone()
}

#[track_caller]
fn first_failure(done: &Done, said: &str, remedy: &str) {
    assert_eq!(done.code, 1, "{}\n{}", done.out, done.err);
    let report = done.json();
    let checks = report["checks"].as_array().expect("checks");
    let first = checks.iter().find(|check| check["status"] == "failure");
    let first = first.expect("a failure");
    assert_eq!(first["name"], "cloudfront", "{report:#}");
    assert_eq!(check(done, "public_url")["status"], "ok", "{report:#}");
    let message = first["message"].as_str().unwrap_or_default();
    let hint = first["hint"].as_str().unwrap_or_default();
    assert!(message.contains(said), "{message:?} does not say {said:?}");
    assert!(hint.contains(remedy), "{hint:?} does not say {remedy:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_bucket_behind_a_distribution_is_healthy() {
    let Some((server, bucket)) = bucket().await else {
        return;
    };
    let origin = Origin::Bucket(Box::new((*bucket).clone()), server.keys.clone());
    let distribution = Distribution::serve("localhost", origin, None).await;
    let shell = shell(&server, &bucket, &distribution);
    let healthy = shell.run(&["doctor", "--json"]);
    assert_eq!(healthy.code, 0, "{}\n{}", healthy.out, healthy.err);
    assert_eq!(check(&healthy, "cloudfront")["status"], "ok");
    assert_eq!(check(&healthy, "public_url")["status"], "ok");
    assert!(bucket.keys().await.is_empty(), "the probes are removed");

    bucket.publish("components").await;
    let open = shell.run(&["doctor", "--json"]);
    let public = check(&open, "public_url");
    assert_eq!((open.code, &public["status"]), (0, &"warning".into()));
    let hint = public["hint"].as_str().expect("a hint");
    assert!(hint.contains("cloudfront.amazonaws.com"), "{hint}");
}

/// With the distribution's id set, the right to purge is tried, and `rm` says what the CDN still has.
#[tokio::test(flavor = "multi_thread")]
async fn a_purge_is_tried_and_its_failure_told() {
    let Some((server, bucket)) = bucket().await else {
        return;
    };
    let origin = Origin::Bucket(Box::new((*bucket).clone()), server.keys.clone());
    let distribution = Distribution::serve("localhost", origin, None).await;
    let takes = Faulty::start(|_, _| None).await;
    let refuses = Faulty::start(|_, _| Some(Fault::error(403, "AccessDenied"))).await;
    let shell = shell(&server, &bucket, &distribution);
    let healthy = shell.run(&["doctor", "--json"]).json().to_string();
    assert!(!healthy.contains("purge"), "{healthy}");

    let shell = shell
        .with("CLOUDFRONT_DISTRIBUTION_ID", "EDFDVBD6EXAMPLE")
        .with("AWS_ENDPOINT_URL_CLOUDFRONT", &takes.url());
    let healthy = shell.run(&["doctor", "--json"]);
    assert_eq!(check(&healthy, "purge")["status"], "ok", "{}", healthy.out);
    assert_eq!(takes.requests().len(), 1);
    let put = |shell: &Shell| {
        let photo = shell.write("photo.jpg", &images::jpeg(24, 16));
        let stored = shell.run(&["put", "--json", &photo.display().to_string()]);
        let key = stored.ok().json()["images"][0]["key"].clone();
        key.as_str().expect("a key").to_owned()
    };
    let key = put(&shell);
    let removed = shell.run(&["rm", "--json", &key]).ok().json();
    assert!(removed.get("not_purged").is_none(), "{removed:#}");
    assert_eq!(takes.requests().len(), 2);

    let shell = shell.with("AWS_ENDPOINT_URL_CLOUDFRONT", &refuses.url());
    let sick = shell.run(&["doctor", "--json"]);
    let purge = check(&sick, "purge");
    assert_eq!((sick.code, &purge["status"]), (1, &"failure".into()));
    let right = "cloudfront:CreateInvalidation";
    assert!(purge["hint"].to_string().contains(right), "{purge:#}");
    let key = put(&shell);
    let done = shell.run(&["rm", "--json", &key]).ok();
    let removed = done.json();
    assert_eq!(removed["removed"][0], key.as_str());
    assert_eq!(removed["not_purged"][0]["key"], key.as_str());
    assert!(
        done.err.contains("not purged") && done.err.contains(right),
        "{}",
        done.err
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_distribution_is_named() {
    let Some((server, bucket)) = bucket().await else {
        return;
    };
    let other = server.bucket().await;
    let own = |keys| Origin::Bucket(Box::new((*bucket).clone()), keys);
    let cases = [
        // The distribution asks, but the bucket does not let it read.
        (
            own(server.other.clone()),
            "403 AccessDenied",
            "origin access control",
        ),
        (
            own(server.other.clone()),
            "403 AccessDenied",
            "cloudfront.amazonaws.com",
        ),
        // Its origin is another bucket, in which the image is not.
        (
            Origin::Bucket(Box::new((*other).clone()), server.keys.clone()),
            "404 NoSuchKey",
            bucket.name.as_str(),
        ),
        (Origin::Unreachable, "502", "does not reach its origin"),
        (Origin::Refused, "403", "a domain of the distribution"),
        (
            Origin::Page,
            "does not answer with the image",
            "custom error pages",
        ),
    ];
    for (origin, said, remedy) in cases {
        let distribution = Distribution::serve("localhost", origin, None).await;
        let done = shell(&server, &bucket, &distribution).run(&["doctor", "--json"]);
        first_failure(&done, said, remedy);
    }

    let elsewhere = Distribution::serve("elsewhere.example.org", Origin::Page, None).await;
    let done = shell(&server, &bucket, &elsewhere).run(&["doctor", "--json"]);
    first_failure(
        &done,
        "certificate",
        "attach a certificate for CLOUDFRONT_DOMAIN",
    );

    // Bound and let go: nothing listens there.
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
    let port = free.expect("an address").port();
    let down =
        shell(&server, &bucket, &elsewhere).with("CLOUDFRONT_DOMAIN", &format!("localhost:{port}"));
    first_failure(
        &down.run(&["doctor", "--json"]),
        "refused",
        "correct CLOUDFRONT_DOMAIN",
    );
    let nowhere = down.with("CLOUDFRONT_DOMAIN", "no-such-distribution.invalid");
    first_failure(
        &nowhere.run(&["doctor", "--json"]),
        "dns",
        "correct CLOUDFRONT_DOMAIN",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_distribution_for_signed_urls() {
    let Some((server, bucket)) = bucket().await else {
        return;
    };
    let directory = Shell::new();
    let (key, public_key) = key_pair(&directory.path(""));
    let group = KeyGroup {
        id: KEY_ID.to_owned(),
        public_key,
    };
    let origin = Origin::Bucket(Box::new((*bucket).clone()), server.keys.clone());
    let restricted = Distribution::serve("localhost", origin.clone(), Some(group.clone())).await;
    let run = |shell: Shell| shell.run(&["doctor", "--json"]);

    let without = run(shell(&server, &bucket, &restricted));
    first_failure(&without, "403 MissingKey", "CLOUDFRONT_KEY_PAIR_ID");

    let right = run(signing(shell(&server, &bucket, &restricted), KEY_ID, &key));
    assert_eq!(right.code, 0, "{}\n{}", right.out, right.err);
    let message = check(&right, "cloudfront")["message"].to_string();
    assert!(message.contains("signed URLs only"), "{message}");

    let unknown = run(signing(
        shell(&server, &bucket, &restricted),
        "K0000000000000",
        &key,
    ));
    first_failure(&unknown, "403 InvalidKey", "CLOUDFRONT_KEY_PAIR_ID");

    let (another, _) = key_pair(&directory.path(""));
    let wrong = run(signing(
        shell(&server, &bucket, &restricted),
        KEY_ID,
        &another,
    ));
    first_failure(&wrong, "refuses a signed URL", "private key");
    assert!(
        !wrong.out.contains("Signature="),
        "no signed query is repeated"
    );

    // The signature is right, and the bucket still does not let the distribution read.
    let unread = Origin::Bucket(Box::new((*bucket).clone()), server.other.clone());
    let unread = Distribution::serve("localhost", unread, Some(group)).await;
    let unread = run(signing(shell(&server, &bucket, &unread), KEY_ID, &key));
    first_failure(&unread, "403 AccessDenied", "origin access control");

    let open = Distribution::serve("localhost", origin, None).await;
    let open = run(signing(shell(&server, &bucket, &open), KEY_ID, &key));
    let cloudfront = check(&open, "cloudfront");
    assert_eq!((open.code, &cloudfront["status"]), (0, &"warning".into()));
}

/// A distribution before the whole bucket, instead of before the prefix of the images.
#[tokio::test(flavor = "multi_thread")]
async fn originals_that_the_distribution_serves() {
    let Some((server, bucket)) = bucket().await else {
        return;
    };
    let doctor = async |keys: &Keys| {
        let origin = Origin::Bucket(Box::new((*bucket).clone()), keys.clone());
        let distribution = Distribution::serve("localhost", origin, None).await;
        let shell = shell(&server, &bucket, &distribution);
        let done = shell
            .with("LABLINK_STORAGE_KEEP_ORIGINAL", "true")
            .run(&["doctor", "--json"]);
        (done, distribution.domain)
    };
    let (open, domain) = doctor(&server.keys).await;
    let originals = check(&open, "originals_private");
    assert_eq!((open.code, &originals["status"]), (1, &"failure".into()));
    let message = originals["message"].as_str().expect("a message");
    let place = format!("at https://{domain}/originals/");
    assert!(message.contains(&place), "{message}");

    let policy = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow",
        "Principal":{{"AWS":["arn:aws:iam:::user/other"]}},"Action":["s3:GetObject"],
        "Resource":["arn:aws:s3:::{}/components/*"]}}]}}"#,
        bucket.name
    );
    bucket.send("PUT", "?policy", policy).await.ok();
    let (healthy, _) = doctor(&server.other).await;
    assert_eq!(healthy.code, 0, "{}", healthy.out);
    assert_eq!(check(&healthy, "originals_private")["status"], "ok");
    assert!(bucket.keys().await.is_empty(), "the probes are removed");
}
