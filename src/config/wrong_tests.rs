//! Errors name the setting and the remedy, and never the value of a secret.

use std::time::Duration;

use super::env::names;
use super::tests::{private_key, vars};
use super::*;
use crate::optimize::OptimizeOptions;

const BUCKET: (&str, &str) = ("AWS_S3_BUCKET", "lab");
const ID: (&str, &str) = ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE");
const SECRET: (&str, &str) = ("AWS_SECRET_ACCESS_KEY", "s3cr3t");

/// A variable, values that it cannot have, and what it needs beside it to matter.
type Row<'a> = (&'a str, &'a [&'a str], &'a [(&'a str, &'a str)]);

/// Returns the setting that refuses these variables, and checks the error's form.
fn refused(pairs: &[(&str, &str)]) -> &'static str {
    let error = vars(pairs).expect_err("refused");
    assert!(error.to_string().starts_with(error.setting()), "{error}");
    assert!(error.hint().len() > 10, "{error}: {}", error.hint());
    assert!(!format!("{error} {error:?} {}", error.hint()).contains("s3cr3t"));
    error.setting()
}

#[test]
fn a_value_that_cannot_be_is_named_by_its_variable() {
    let signed = [ID, SECRET];
    let role = ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/lab");
    let cdn = ("CLOUDFRONT_DOMAIN", "d111111abcdef8.cloudfront.net");
    let pair = ("CLOUDFRONT_KEY_PAIR_ID", "K2JCJMDEHXQW5F");
    let (pem, _) = private_key();
    let table: &[Row] = &[
        (
            "AWS_S3_BUCKET",
            &[
                "s3://lab/x",
                "arn:aws:s3:::lab",
                "lab--use1-az4--x-s3",
                "a b",
                "lab\n",
                "../lab",
                "lab/images",
            ],
            &signed,
        ),
        (
            "AWS_REGION",
            &["Frankfurt!", "eu central", "eu-central-1\n"],
            &[BUCKET],
        ),
        ("AWS_DEFAULT_REGION", &["a/b"], &[BUCKET]),
        (
            "AWS_ACCESS_KEY_ID",
            &["AKIA EXAMPLE", "AKIA\n", "Größe", "s3cr3t/s3cr3t"],
            &[BUCKET, SECRET],
        ),
        (
            "AWS_SECRET_ACCESS_KEY",
            &["s3cr3t\n", "s3cr3t\u{7f}"],
            &[BUCKET, ID],
        ),
        (
            "AWS_SESSION_TOKEN",
            &["s3cr3t\r\nx: y"],
            &[BUCKET, ID, SECRET],
        ),
        (
            "AWS_ENDPOINT_URL_S3",
            &[
                "ftp://x",
                "minio:9000",
                "http://",
                "http://u:s3cr3t@minio:9000",
                "http://minio/?a=b",
            ],
            &[BUCKET],
        ),
        ("AWS_ENDPOINT_URL", &["minio:9000"], &[BUCKET]),
        (
            "AWS_S3_ADDRESSING_STYLE",
            &["host", "virtual path"],
            &[BUCKET],
        ),
        ("AWS_S3_USE_ACCELERATE", &["maybe", "2"], &[BUCKET]),
        ("AWS_USE_DUALSTACK_ENDPOINT", &["maybe"], &[BUCKET]),
        ("AWS_EC2_METADATA_DISABLED", &["maybe"], &[]),
        (
            "AWS_EC2_METADATA_SERVICE_ENDPOINT",
            &["169.254.169.254", "file:///x"],
            &[BUCKET],
        ),
        (
            "AWS_ENDPOINT_URL_STS",
            &["sts.example.org"],
            &[BUCKET, role],
        ),
        (
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            &["/v2/credentials"],
            &[BUCKET],
        ),
        (
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
            &["http://169.254.170.2/x", "/a b", "/a\r\nx: y"],
            &[BUCKET],
        ),
        (
            "AWS_CONTAINER_AUTHORIZATION_TOKEN",
            &["s3cr3t\r\nx: y"],
            &[BUCKET],
        ),
        (
            "CLOUDFRONT_DOMAIN",
            &[
                "http://d1.cloudfront.net",
                "a b",
                "d1.cloudfront.net?x",
                "ftp://d1.cloudfront.net",
            ],
            &[],
        ),
        (
            "CLOUDFRONT_DISTRIBUTION_ID",
            &["d1.cloudfront.net", "E1/../x", "E1\n"],
            &[BUCKET, cdn],
        ),
        (
            "AWS_ENDPOINT_URL_CLOUDFRONT",
            &["cloudfront.example.org", "ftp://x"],
            &[BUCKET, cdn, ("CLOUDFRONT_DISTRIBUTION_ID", "E1")],
        ),
        (
            "CLOUDFRONT_KEY_PAIR_ID",
            &["K1\n", "K-1", "a/b"],
            &[cdn, ("CLOUDFRONT_PRIVATE_KEY", &pem)],
        ),
        (
            "CLOUDFRONT_PRIVATE_KEY",
            &[
                "s3cr3t",
                "-----BEGIN PRIVATE KEY-----\ns3cr3t\n-----END PRIVATE KEY-----",
                "-----BEGIN PUBLIC KEY-----\ns3cr3t\n-----END PUBLIC KEY-----",
                "-----BEGIN ENCRYPTED PRIVATE KEY-----\ns3cr3t\n-----END ENCRYPTED PRIVATE KEY-----",
            ],
            &[cdn, pair],
        ),
        (
            "CLOUDFRONT_PRIVATE_KEY_PATH",
            &["/nonexistent/key.pem", "/", "/dev/null", "Cargo.toml"],
            &[cdn, pair],
        ),
        (
            "LABLINK_STORAGE_PREFIX",
            &[
                "/components",
                "pending",
                "pending/x",
                "originals",
                "originals/x",
                "a//b",
                "../a",
                "a\\b",
                "a\nb",
            ],
            &[],
        ),
        ("LABLINK_STORAGE_DIR", &["a\0b"], &[]),
        (
            "LABLINK_STORAGE_BASE_URL",
            &[
                "uploads",
                "ftp://x/y",
                "/uploads?x",
                "/a b",
                "https://u:s3cr3t@example.org/x",
            ],
            &[],
        ),
        (
            "LABLINK_STORAGE_SECRET",
            &["s3cr3t", "s3cr3t s3cr3t s3cr3t s3cr3t s3"],
            &[],
        ),
        ("LABLINK_STORAGE_REQUIRE_S3", &["maybe", "true "], &[]),
        ("LABLINK_STORAGE_MEMORY", &["maybe"], &[]),
        ("LABLINK_STORAGE_FSYNC", &["maybe"], &[]),
        ("LABLINK_STORAGE_KEEP_ORIGINAL", &["perhaps"], &[]),
        ("LABLINK_STORAGE_CREATE_ONLY", &["never"], &[]),
        (
            "LABLINK_STORAGE_OPTIMIZE",
            &[
                "1600",
                "{\"max_width\": 1600",
                "{\"max_widht\": 1600}",
                "{\"max_width\": \"wide\"}",
                "{\"quality\": 256}",
                "{\"quality\": 0}",
                "{\"background\": \"white\"}",
                "{\"limits\": {\"max_megabytes\": 1}}",
            ],
            &[],
        ),
        (
            "LABLINK_STORAGE_VARIANTS",
            &[
                "[]",
                "{\"Thumb 1\": {}}",
                "{\"thumb\": {\"size\": 1}}",
                "{\"thumb\": {\"max_width\": 0}}",
                "{\"thumb\": {}, \"thumb\": {}}",
            ],
            &[],
        ),
        (
            "LABLINK_STORAGE_LIMITS",
            &["{\"max_megabytes\": 1}", "{\"max_duration\": -1}", "10"],
            &[],
        ),
        ("LABLINK_STORAGE_CACHE_CONTROL", &["no-store\n"], &[]),
        (
            "LABLINK_STORAGE_DEADLINE",
            &["soon", "0", "-1", "NaN", "1e9"],
            &[],
        ),
        (
            "LABLINK_STORAGE_MAX_DECODES",
            &["0", "four", "1.5", "-1"],
            &[],
        ),
        ("LABLINK_STORAGE_DECODE_WAIT", &["ten", "1e9"], &[]),
        ("LABLINK_STORAGE_MAX_UPLOAD_BYTES", &["0", "10 MB"], &[]),
        ("LABLINK_STORAGE_DIRECT_UPLOAD", &["get"], &[BUCKET]),
        ("LABLINK_STORAGE_STORAGE_CLASS", &["STANDARD IA"], &[BUCKET]),
        ("LABLINK_STORAGE_SSE_KMS_KEY_ID", &["a\nb"], &[BUCKET]),
        (
            "LABLINK_STORAGE_PUBLIC_ENDPOINT",
            &["images.example.org", "https://images.example.org/lab"],
            &[BUCKET, ("AWS_ENDPOINT_URL", "http://minio:9000")],
        ),
        (
            "LABLINK_STORAGE_FORMER_URLS",
            &["d1.cloudfront.net", "https://a.example.org,uploads"],
            &[],
        ),
        (
            "LABLINK_STORAGE_FETCH_HOSTS",
            &["https://photos.example.org", "a.example,b/c", "*.*"],
            &[],
        ),
        ("LABLINK_STORAGE_INSPECTOR", &["inspect", ":inspect"], &[]),
        ("AWS_CA_BUNDLE", &["/nonexistent/ca.pem", "/"], &[BUCKET]),
        ("SSL_CERT_FILE", &["/nonexistent/ca.pem"], &[BUCKET]),
    ];
    for (name, values, others) in table {
        for value in *values {
            let pairs = [&[(*name, *value)], *others].concat();
            assert_eq!(refused(&pairs), *name, "{name}={value:?}");
        }
    }
    // What is left can be any text: a name or a path that is looked up when it is needed.
    let free = [
        "AWS_PROFILE",
        "AWS_DEFAULT_PROFILE",
        "AWS_SHARED_CREDENTIALS_FILE",
        "AWS_CONFIG_FILE",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_ROLE_ARN",
        "AWS_ROLE_SESSION_NAME",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    ];
    for name in names() {
        let told = table.iter().any(|(other, _, _)| *other == name);
        assert!(told != free.contains(&name), "{name} is in neither or both");
    }
}

#[test]
fn settings_that_do_not_go_together_are_named() {
    let cdn = ("CLOUDFRONT_DOMAIN", "d111111abcdef8.cloudfront.net");
    let pair = ("CLOUDFRONT_KEY_PAIR_ID", "K2JCJMDEHXQW5F");
    let key = ("CLOUDFRONT_PRIVATE_KEY", "s3cr3t");
    let distribution = ("CLOUDFRONT_DISTRIBUTION_ID", "EDFDVBD6EXAMPLE");
    let endpoint = ("AWS_ENDPOINT_URL", "http://minio:9000");
    for (pairs, setting) in [
        (
            &[("LABLINK_STORAGE_REQUIRE_S3", "true")][..],
            "AWS_S3_BUCKET",
        ),
        (
            &[
                ("LABLINK_STORAGE_REQUIRE_S3", "true"),
                ("LABLINK_STORAGE_DIR", "/srv/images"),
            ],
            "AWS_S3_BUCKET",
        ),
        (
            &[
                BUCKET,
                ("LABLINK_STORAGE_REQUIRE_S3", "true"),
                ("LABLINK_STORAGE_MEMORY", "true"),
            ],
            "LABLINK_STORAGE_MEMORY",
        ),
        (
            &[
                BUCKET,
                (
                    "LABLINK_STORAGE_PUBLIC_ENDPOINT",
                    "https://images.example.org",
                ),
            ],
            "LABLINK_STORAGE_PUBLIC_ENDPOINT",
        ),
        (&[BUCKET, ID], "AWS_SECRET_ACCESS_KEY"),
        (&[BUCKET, SECRET], "AWS_ACCESS_KEY_ID"),
        (
            &[
                ("AWS_S3_BUCKET", "lab.images"),
                ("AWS_S3_USE_ACCELERATE", "1"),
            ],
            "AWS_S3_USE_ACCELERATE",
        ),
        (
            &[BUCKET, endpoint, ("AWS_S3_USE_ACCELERATE", "1")],
            "AWS_S3_USE_ACCELERATE",
        ),
        (
            &[BUCKET, endpoint, ("AWS_USE_DUALSTACK_ENDPOINT", "1")],
            "AWS_USE_DUALSTACK_ENDPOINT",
        ),
        (&[cdn, pair], "CLOUDFRONT_PRIVATE_KEY"),
        (&[cdn, key], "CLOUDFRONT_KEY_PAIR_ID"),
        (&[pair, key], "CLOUDFRONT_DOMAIN"),
        (&[BUCKET, distribution], "CLOUDFRONT_DOMAIN"),
    ] {
        assert_eq!(refused(pairs), setting, "{pairs:?}");
    }
}

/// Variables that a compose file or a shell sets to nothing are not set.
#[test]
fn an_empty_variable_is_an_unset_one() {
    let set = [BUCKET, ID, SECRET, ("LABLINK_STORAGE_PREFIX", "photos")];
    for set in [&set[..], &[]] {
        let mut with_empty = set.to_vec();
        for name in names() {
            if !set.iter().any(|(other, _)| *other == name) {
                with_empty.push((name, ""));
            }
        }
        let (with, without) = (vars(&with_empty), vars(set));
        assert_eq!(
            format!("{:?}", with.expect("valid")),
            format!("{:?}", without.expect("valid"))
        );
    }
}

#[test]
fn builder_settings_are_named_as_the_builder_names_them() {
    let base = || {
        Config::builder()
            .s3("lab")
            .with_credentials("AKIA", "s3cr3t", None::<&str>)
    };
    for (builder, setting) in [
        (base().with_region("a b"), "region"),
        (base().with_cache_control("x\ny"), "cache_control"),
        (base().with_storage_class("STANDARD IA"), "storage_class"),
        (base().with_sse_kms_key_id("a\u{7f}"), "sse_kms_key_id"),
        (base().with_prefix("a\\b"), "prefix"),
        (base().with_deadline(Duration::ZERO), "deadline"),
        (base().with_max_decodes(0), "max_decodes"),
        (
            base().with_credentials("AKIA", "s3cr3t\n", None::<&str>),
            "secret_access_key",
        ),
        (
            Config::builder()
                .s3("lab")
                .with_credentials("", "s3cr3t", None::<&str>),
            "access_key_id",
        ),
        (
            Config::builder()
                .s3("lab")
                .with_credentials("AKIA", "", None::<&str>),
            "secret_access_key",
        ),
        (base().with_max_upload_bytes(0), "max_upload_bytes"),
        (base().with_ca_bundle("/nonexistent"), "ca_bundle"),
        (base().with_former_urls(["uploads"]), "former_urls"),
        (base().with_endpoint_url("minio:9000"), "endpoint_url"),
        (
            base().with_optimize(OptimizeOptions::default().with_quality(0)),
            "optimize",
        ),
        (Config::builder().memory().with_secret("short"), "secret"),
        (Config::builder().local(""), "directory"),
    ] {
        assert_eq!(builder.build().expect_err(setting).setting(), setting);
    }
}

/// An unknown option is named, with those that there are, and in its variant.
#[test]
fn options_in_json_are_named_where_they_are_wrong() {
    for (pair, words) in [
        (
            ("LABLINK_STORAGE_OPTIMIZE", "{\"max_widht\": 1}"),
            &["max_widht", "max_width"][..],
        ),
        (
            ("LABLINK_STORAGE_VARIANTS", "{\"thumb\": {\"size\": 1}}"),
            &["thumb", "size"],
        ),
        (
            ("LABLINK_STORAGE_LIMITS", "{\"max_megabytes\": 1}"),
            &["max_megabytes", "max_bytes"],
        ),
    ] {
        let error = vars(&[pair]).expect_err("refused").to_string();
        for word in words {
            assert!(error.contains(word), "{error}");
        }
    }
}
