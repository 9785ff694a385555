//! The shared files: profiles, and what stands in them.

use super::{exists, metadata, open, signers, text};
use crate::common::faulty::Faulty;
use lablink_storage::ErrorKind;

/// What nobody named and cannot be used is passed over, as every SDK of AWS does; what was named is not.
#[tokio::test]
async fn files_that_nobody_named_do_not_end_the_search() {
    let s3 = Faulty::start(|_, _| None).await;
    let imds = Faulty::start(metadata(3600)).await;
    let home = tempfile::tempdir().expect("a directory");
    let file = home.path().join(".aws/credentials");
    std::fs::create_dir(home.path().join(".aws")).expect("made");
    let (s3_url, imds_url) = (s3.url(), imds.url());
    let vars = [
        ("AWS_ENDPOINT_URL_S3", s3_url.as_str()),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", imds_url.as_str()),
        ("HOME", text(home.path())),
    ];
    let signer = async |more: &[(&'static str, &str)]| {
        let outcome = exists(&open(&[&vars[..], more].concat())).await;
        outcome.map(|_| signers(&s3).pop().expect("signed").0)
    };
    for content in [
        "",
        "[default]\nregion = eu-central-1\n",
        "[work]\naws_access_key_id = A\n",
    ] {
        std::fs::write(&file, content).expect("written");
        assert_eq!(
            signer(&[]).await.expect("passed over"),
            "ASIAROLE",
            "{content:?}"
        );
        for named in [
            ("AWS_PROFILE", "default"),
            ("AWS_SHARED_CREDENTIALS_FILE", text(&file)),
        ] {
            if content.contains("[default]") {
                signer(&[named]).await.expect_err("named");
            }
        }
    }
    std::fs::remove_file(&file).expect("removed");
    std::fs::create_dir(&file).expect("made");
    assert_eq!(signer(&[]).await.expect("passed over"), "ASIAROLE");
    signer(&[("AWS_SHARED_CREDENTIALS_FILE", text(&file))])
        .await
        .expect_err("named");
    let config = home.path().join(".aws/config");
    let keys = "[default]\naws_access_key_id = AKIACONFIG\naws_secret_access_key = s\n";
    std::fs::write(&config, keys).expect("written");
    assert_eq!(signer(&[]).await.expect("in the other file"), "AKIACONFIG");
    std::fs::remove_file(&config).expect("removed");
    std::fs::remove_dir(&file).expect("removed");
    signer(&[("AWS_SHARED_CREDENTIALS_FILE", text(&file))])
        .await
        .expect_err("named, and not there");

    // A byte order mark, CRLF, an umlaut in a secret, and a comment in an old encoding.
    let keys = b"\xef\xbb\xbf[default]\r\n# gr\xfc\xdfe\r\naws_access_key_id = AKIAMARK\r\n\
        aws_secret_access_key = s\xc3\xa4 c\r\n[work]\r\naws_access_key_id = AKIAWORK\r\n\
        aws_secret_access_key = s\r\n";
    std::fs::write(&file, keys).expect("written");
    assert_eq!(signer(&[]).await.expect("read"), "AKIAMARK");
    let work = [("AWS_DEFAULT_PROFILE", "work")];
    assert_eq!(signer(&work).await.expect("read"), "AKIAWORK");
    let both = [("AWS_DEFAULT_PROFILE", "work"), ("AWS_PROFILE", "default")];
    assert_eq!(signer(&both).await.expect("read"), "AKIAMARK");
}

#[cfg(unix)]
#[tokio::test]
async fn a_profile_s_process_prints_keys() {
    let s3 = Faulty::start(|_, _| None).await;
    let home = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(home.path().join(".aws")).expect("made");
    let tool = home.path().join("print keys");
    std::fs::write(
        &tool,
        "{\"Version\": 1, \"AccessKeyId\": \"ASIATOOL\", \
        \"SecretAccessKey\": \"s\", \"SessionToken\": \"TOOLTOKEN\"}",
    )
    .expect("written");
    let config = format!(
        "[profile tool]\ncredential_process = cat \"{}\"\n[profile bad]\ncredential_process = false\n",
        text(&tool)
    );
    std::fs::write(home.path().join(".aws/config"), config).expect("written");
    let s3_url = s3.url();
    let store = |profile| {
        open(&[
            ("AWS_ENDPOINT_URL_S3", &s3_url),
            ("HOME", text(home.path())),
            ("AWS_PROFILE", profile),
        ])
    };
    exists(&store("tool")).await.expect("asked");
    let tool = ("ASIATOOL".to_owned(), Some("TOOLTOKEN".to_owned()));
    assert_eq!(signers(&s3).pop(), Some(tool));
    let error = exists(&store("bad")).await.expect_err("it fails");
    assert_eq!(error.kind(), ErrorKind::Credentials);
    assert!(error.to_string().contains("exit code 1"), "{error}");
}

#[tokio::test]
async fn a_profile_signs_and_comes_first() {
    let s3 = Faulty::start(|_, _| None).await;
    let imds = Faulty::start(metadata(3600)).await;
    let home = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(home.path().join(".aws")).expect("made");
    let file = "[default]\naws_access_key_id = AKIADEFAULT\naws_secret_access_key = s\n\
                [work]\naws_access_key_id = AKIAWORK\naws_secret_access_key = s\n";
    std::fs::write(home.path().join(".aws/credentials"), file).expect("written");
    let s3_url = s3.url();
    let imds_url = imds.url();
    let vars = [
        ("AWS_ENDPOINT_URL_S3", s3_url.as_str()),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", imds_url.as_str()),
        ("HOME", text(home.path())),
    ];
    exists(&open(&vars)).await.expect("asked");
    exists(&open(&[&vars[..], &[("AWS_PROFILE", "work")]].concat()))
        .await
        .expect("asked");
    let ids: Vec<String> = signers(&s3).into_iter().map(|(id, _)| id).collect();
    assert_eq!(
        (ids.first(), ids.last()),
        (Some(&"AKIADEFAULT".into()), Some(&"AKIAWORK".into()))
    );
    assert!(imds.requests().is_empty());

    // One that was asked for by name and is not there is not replaced by another identity.
    let store = open(&[&vars[..], &[("AWS_PROFILE", "home")]].concat());
    let error = exists(&store).await.expect_err("no such profile");
    assert_eq!(error.kind(), ErrorKind::Credentials);
    assert!(error.to_string().contains("\"home\""), "{error}");
    assert!(imds.requests().is_empty());
}
