//! Where credentials come from, against servers in this process: each source is used, and without any
//! the answer comes in time and says where was looked.
#![cfg(feature = "s3")]

mod files;
mod provider;

use std::path::Path;
use std::time::{Duration, Instant};

use crate::common::faulty::{Fault, Faulty, Request};
use lablink_storage::{
    Config, Error, ErrorKind, ImageStore, ObjectKey, PresignGetOptions, PresignPostOptions,
    PresignPutOptions,
};

fn open(vars: &[(&str, &str)]) -> ImageStore {
    let mut all = vec![("AWS_S3_BUCKET", "lab"), ("AWS_REGION", "eu-central-1")];
    all.extend(vars);
    let owned = all
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    ImageStore::from_config(Config::from_vars(owned).expect("valid")).expect("opened")
}

fn key() -> ObjectKey {
    ObjectKey::parse("components/a.png").expect("valid")
}

/// A metadata service with one role, whose keys end `lasts` seconds from now.
fn metadata(lasts: i64) -> impl Fn(&Request, usize) -> Option<Fault> {
    move |request, _| {
        let answer = |text: String| Some(Fault::Answer(200, Vec::new(), text.into_bytes()));
        let roles = "/latest/meta-data/iam/security-credentials/";
        match (request.method.as_str(), request.path.as_str()) {
            ("PUT", "/latest/api/token") => answer("METADATATOKEN".to_owned()),
            _ if request.header("x-aws-ec2-metadata-token") != Some("METADATATOKEN") => {
                Some(Fault::error(401, ""))
            }
            ("GET", path) if path == roles => answer("lab-role".to_owned()),
            ("GET", path) if path.strip_prefix(roles) == Some("lab-role") => {
                answer(json_keys("ASIAROLE", "ROLETOKEN", lasts))
            }
            _ => Some(Fault::error(404, "")),
        }
    }
}

fn json_keys(id: &str, token: &str, lasts: i64) -> String {
    let end = chrono::DateTime::<chrono::Utc>::from(std::time::SystemTime::now());
    let end = (end + chrono::TimeDelta::seconds(lasts)).format("%Y-%m-%dT%H:%M:%SZ");
    format!(
        r#"{{"Code": "Success", "AccessKeyId": "{id}", "SecretAccessKey": "s3cr3t",
            "Token": "{token}", "Expiration": "{end}"}}"#
    )
}

/// Who signed the requests that an S3 server got, and with which token.
fn signers(server: &Faulty) -> Vec<(String, Option<String>)> {
    let requests = server.requests().into_iter();
    let signer = |request: Request| {
        let signed = request.header("authorization")?.to_owned();
        let (_, id) = signed.split_once("Credential=")?;
        let token = request.header("x-amz-security-token").map(str::to_owned);
        Some((id.split('/').next()?.to_owned(), token))
    };
    requests.filter_map(signer).collect()
}

async fn exists(store: &ImageStore) -> Result<bool, Error> {
    store.exists(&key()).await
}

#[tokio::test]
async fn without_any_source_the_answer_comes_in_time_and_says_where_was_looked() {
    let photo = {
        let mut jpeg = Vec::new();
        let encoder = jpeg_encoder::Encoder::new(&mut jpeg, 90);
        let encoded = encoder.encode(&[128; 3 * 64], 8, 8, jpeg_encoder::ColorType::Rgb);
        encoded.expect("pixels fit");
        jpeg
    };
    // One that accepts and stays silent, one that nobody listens on, and one that knows no role.
    let silent = Faulty::start(|_, _| Some(Fault::Silent)).await;
    let closed = Faulty::start(|_, _| None).await.url();
    let empty = Faulty::start(|_, _| Some(Fault::error(404, ""))).await;
    let s3 = Faulty::start(|_, _| None).await;
    for endpoint in [silent.url(), closed, empty.url()] {
        for first in ["status", "upload"] {
            let store = open(&[
                ("AWS_ENDPOINT_URL_S3", &s3.url()),
                ("AWS_EC2_METADATA_SERVICE_ENDPOINT", &endpoint),
            ]);
            let started = Instant::now();
            let (problem, hint) = if first == "status" {
                let status = store.status().await;
                assert!(status.enabled && !status.accessible);
                (status.error.expect("an error"), status.hint)
            } else {
                let upload = store.upload(photo.clone(), ()).await;
                let error = upload.map(drop).expect_err("nobody signs");
                assert_eq!(error.kind(), ErrorKind::Credentials, "{error}");
                (error.to_string(), error.hint())
            };
            let elapsed = started.elapsed();
            assert!(elapsed < Duration::from_secs(5), "{first} took {elapsed:?}");
            for source in [
                "AWS_ACCESS_KEY_ID (not set)",
                "shared credentials file",
                "web identity",
                "container",
                "EC2 role",
            ] {
                assert!(problem.contains(source), "{problem}");
            }
            assert!(hint.expect("a hint").contains("attach a role"));
        }
    }
    assert!(s3.requests().is_empty());

    let store = open(&[
        ("AWS_ENDPOINT_URL_S3", &s3.url()),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", &silent.url()),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ]);
    let asked = silent.connections();
    let error = exists(&store).await.expect_err("nobody signs");
    assert!(
        error.to_string().contains("AWS_EC2_METADATA_DISABLED"),
        "{error}"
    );
    assert_eq!(silent.connections(), asked);
}

#[tokio::test]
async fn an_instance_role_signs_and_is_fetched_once() {
    let s3 = Faulty::start(|_, _| None).await;
    let imds = Faulty::start(metadata(3600)).await;
    let store = open(&[
        ("AWS_ENDPOINT_URL_S3", &s3.url()),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", &imds.url()),
    ]);
    s3.store("/lab/components/a.png", "a");
    let all = futures_util::future::join_all((0..8).map(|_| exists(&store))).await;
    assert!(all.into_iter().all(|there| there.expect("asked")));
    assert_eq!(imds.requests().len(), 3);
    let role = ("ASIAROLE".to_owned(), Some("ROLETOKEN".to_owned()));
    assert!(signers(&s3).iter().all(|signer| *signer == role));

    // What they sign ends with them, however long it was asked for.
    let day = Duration::from_secs(24 * 3600);
    let get = PresignGetOptions::default().with_expires_in(day);
    let get = store.presigned_get(&key(), get).await.expect("signed");
    let put = PresignPutOptions::default().with_expires_in(day);
    let put = store.presigned_put("a.jpg", put).await.expect("signed");
    let post = PresignPostOptions::default().with_expires_in(day);
    let post = store.presigned_post("a.jpg", post).await.expect("signed");
    for end in [get.expires_at, put.expires_at, post.expires_at] {
        let left = end.duration_since(std::time::SystemTime::now());
        let left = left.expect("in the future").as_secs();
        assert!((3000..=3600).contains(&left), "{left} s");
    }
    // And no longer than was asked for.
    let minute = PresignGetOptions::default().with_expires_in(Duration::from_secs(60));
    let short = store.presigned_get(&key(), minute).await.expect("signed");
    assert!(short.expires_at < get.expires_at);
}

#[tokio::test]
async fn credentials_are_renewed_before_they_end_and_kept_while_that_fails() {
    let s3 = Faulty::start(|_, _| None).await;
    s3.store("/lab/components/a.png", "a");
    // Four minutes are within the margin: every use asks again, and the second time nobody answers.
    let serve = metadata(240);
    let imds = Faulty::start(move |request, before| match before {
        0 => serve(request, before),
        _ => Some(Fault::error(500, "")),
    })
    .await;
    let store = open(&[
        ("AWS_ENDPOINT_URL_S3", &s3.url()),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", &imds.url()),
    ]);
    assert!(exists(&store).await.expect("fetched"));
    assert!(exists(&store).await.expect("kept"));
    let asked = imds.requests().len();
    assert_eq!(asked, 3 + 5, "a passing fault is asked again a few times");
    // A failure holds a moment: the next use does not ask again.
    assert!(exists(&store).await.expect("kept"));
    assert_eq!(imds.requests().len(), asked);
}

/// One passing fault of a source does no harm: a token service is throttled and restarted like any other.
#[tokio::test]
async fn a_passing_fault_of_a_source_is_tried_again() {
    let s3 = Faulty::start(|_, _| None).await;
    for fault in [
        Fault::error(503, "Throttling"),
        Fault::error(429, ""),
        Fault::error(500, ""),
        Fault::error(400, "ThrottlingException"),
        Fault::ResetBeforeAnswer,
    ] {
        for source in ["role", "container"] {
            let serve = metadata(3600);
            let fault = fault.clone();
            let service =
                Faulty::start(
                    move |request, before| match (request.path.as_str(), before) {
                        (_, 0) => Some(fault.clone()),
                        ("/v1", _) => {
                            let body = json_keys("ASIATASK", "t", 3600).into_bytes();
                            Some(Fault::Answer(200, Vec::new(), body))
                        }
                        _ => serve(request, before),
                    },
                )
                .await;
            let uri = format!("{}/v1", service.url());
            let url = service.url();
            let place = match source {
                "role" => ("AWS_EC2_METADATA_SERVICE_ENDPOINT", url.as_str()),
                _ => ("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri.as_str()),
            };
            let store = open(&[("AWS_ENDPOINT_URL_S3", &s3.url()), place]);
            let there = exists(&store).await;
            assert!(!there.unwrap_or_else(|error| panic!("{source}: {error}")));
        }
    }
    // One that stays is told as what it is, and another try may find keys.
    let service = Faulty::start(|_, _| Some(Fault::error(503, ""))).await;
    let uri = format!("{}/v1", service.url());
    let store = open(&[
        ("AWS_ENDPOINT_URL_S3", &s3.url()),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &uri),
    ]);
    let error = exists(&store).await.expect_err("overloaded");
    assert_eq!(error.kind(), ErrorKind::Credentials, "{error}");
    assert!(error.is_retryable(), "{error}");
}

/// A token may come with its scheme.
#[tokio::test]
async fn a_container_s_token_is_sent_as_it_stands() {
    let s3 = Faulty::start(|_, _| None).await;
    let agent = Faulty::start(|request, _| {
        let good = request.header("authorization") == Some("Basic abcd");
        let body = json_keys("ASIATASK", "t", 3600).into_bytes();
        Some(if good {
            Fault::Answer(200, Vec::new(), body)
        } else {
            Fault::error(403, "")
        })
    })
    .await;
    let store = open(&[
        ("AWS_ENDPOINT_URL_S3", &s3.url()),
        (
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            &format!("{}/v1", agent.url()),
        ),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "Basic abcd"),
    ]);
    assert!(!exists(&store).await.expect("asked"));
}

/// A session that the server ended before its time is left, and the next one used.
#[tokio::test]
async fn ended_credentials_are_dropped() {
    for code in ["ExpiredToken", "InvalidToken"] {
        let s3 = Faulty::start(move |request, _| {
            let ended = request.header("x-amz-security-token") == Some("OLD");
            let code = if request.is("HEAD") { "" } else { code };
            ended.then(|| Fault::error(400, code))
        })
        .await;
        s3.store("/lab/components/a.png", "a");
        let agent = Faulty::start(|_, before| {
            let token = if before == 0 { "OLD" } else { "NEW" };
            let body = json_keys("ASIATASK", token, 36_000).into_bytes();
            Some(Fault::Answer(200, Vec::new(), body))
        })
        .await;
        let uri = format!("{}/v1", agent.url());
        let store = open(&[
            ("AWS_ENDPOINT_URL_S3", &s3.url()),
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &uri),
        ]);
        // They have been in use for a while: those that were fetched just now are not fetched again.
        assert!(exists(&store).await.is_err());
        tokio::time::sleep(Duration::from_millis(3100)).await;
        assert!(exists(&store).await.expect("with the new ones"), "{code}");
        assert_eq!(agent.requests().len(), 2);
    }
}

#[tokio::test]
async fn a_container_s_endpoint_signs() {
    let s3 = Faulty::start(|_, _| None).await;
    let agent = Faulty::start(|request, _| {
        let good = request.header("authorization") == Some("CONTAINERTOKEN");
        let body = json_keys("ASIATASK", "TASKTOKEN", 3600).into_bytes();
        Some(if good {
            Fault::Answer(200, Vec::new(), body)
        } else {
            Fault::error(403, "")
        })
    })
    .await;
    let directory = tempfile::tempdir().expect("a directory");
    let token = directory.path().join("token");
    std::fs::write(&token, "CONTAINERTOKEN\n").expect("written");
    let uri = format!("{}/v1/credentials", agent.url());
    let s3_url = s3.url();
    for vars in [
        [("AWS_CONTAINER_AUTHORIZATION_TOKEN", "CONTAINERTOKEN")],
        [("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", text(&token))],
    ] {
        let mut all = vec![
            ("AWS_ENDPOINT_URL_S3", s3_url.as_str()),
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri.as_str()),
        ];
        all.extend(vars);
        assert!(!exists(&open(&all)).await.expect("asked"));
    }
    let task = ("ASIATASK".to_owned(), Some("TASKTOKEN".to_owned()));
    assert!(signers(&s3).iter().all(|signer| *signer == task));
    assert_eq!(agent.requests()[0].path, "/v1/credentials");
}

#[tokio::test]
async fn a_web_identity_s_role_signs() {
    let s3 = Faulty::start(|_, _| None).await;
    // The form of the example on
    // https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
    let sts = Faulty::start(|_, _| {
        let body =
            "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>
            <SessionToken>AQoDYXdzEE0a8ANXXXXXXXXNO1ewxE5TijQyp+IEXAMPLE</SessionToken>
            <SecretAccessKey>wJalrXUtnFEMI/K7MDENG/bPxRfiCYzEXAMPLEKEY</SecretAccessKey>
            <Expiration>2099-10-24T23:00:23Z</Expiration>
            <AccessKeyId>ASgeIAIOSFODNN7EXAMPLE</AccessKeyId></Credentials>
            </AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>";
        Some(Fault::Answer(200, Vec::new(), body.as_bytes().to_vec()))
    })
    .await;
    let directory = tempfile::tempdir().expect("a directory");
    let token = directory.path().join("token");
    std::fs::write(&token, "eyJhbGciOi.J9+/=\n").expect("written");
    let store = open(&[
        ("AWS_ENDPOINT_URL_S3", &s3.url()),
        ("AWS_ENDPOINT_URL_STS", &sts.url()),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", text(&token)),
        ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/lab"),
    ]);
    assert!(!exists(&store).await.expect("asked"));
    assert_eq!(signers(&s3)[0].0, "ASgeIAIOSFODNN7EXAMPLE");
    let asked = &sts.requests()[0];
    let form: Vec<(String, String)> = url::form_urlencoded::parse(&asked.body)
        .into_owned()
        .collect();
    let field = |name: &str| {
        let field = form.iter().find(|(field, _)| field == name);
        field.map(|(_, value)| value.as_str())
    };
    assert_eq!(field("Action"), Some("AssumeRoleWithWebIdentity"));
    assert_eq!(field("RoleArn"), Some("arn:aws:iam::123456789012:role/lab"));
    assert_eq!(field("WebIdentityToken"), Some("eyJhbGciOi.J9+/="));
    assert!(asked.query.is_empty());
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}
