use std::time::Duration;

use super::*;
use crate::key::ObjectKey;
use crate::optimize::{Animation, Fit, Gravity, Limits, OutputFormat};
use crate::url::Addressing;

pub(super) fn vars(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let owned = pairs
        .iter()
        .map(|&(name, value)| (name.to_owned(), value.to_owned()));
    Config::from_vars(owned)
}

/// A private key that CloudFront would take, in PEM, and a part of it that no other text has.
pub(super) fn private_key() -> (String, String) {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
    use base64::Engine as _;
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("a key");
    let der = key.to_pkcs8v1().expect("DER");
    let body = base64::engine::general_purpose::STANDARD.encode(der.as_ref());
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----");
    (pem, body[60..120].to_owned())
}

fn public(config: &Config) -> String {
    let key = ObjectKey::parse("components/a.jpg").expect("valid");
    config.urls().public_url(&key)
}

#[test]
fn nothing_set_is_local_files_and_a_loud_word_about_it() {
    for pairs in [&[][..], &[("AWS_S3_BUCKET", ""), ("AWS_REGION", "")][..]] {
        let config = vars(pairs).expect("valid");
        let local = config.local().expect("local");
        assert_eq!(local.directory(), Path::new("./uploads"));
        assert_eq!(local.base_url(), "/uploads");
        assert_eq!(config.prefix(), "components");
        assert_eq!(
            config.cache_control(),
            "public, max-age=31536000, immutable"
        );
        assert_eq!(config.deadline(), Duration::from_secs(30));
        assert!(config.create_only() && config.secret().is_none());
        assert!(config.warning().expect("loud").contains("AWS_S3_BUCKET"));
        assert_eq!(public(&config), "/uploads/components/a.jpg");
    }
    let chosen = Config::builder().local("/srv/images").build();
    assert_eq!(chosen.expect("valid").warning(), None);
    let chosen = vars(&[("LABLINK_STORAGE_DIR", "/srv/images")]);
    assert_eq!(chosen.expect("valid").warning(), None);
}

#[test]
fn variables_fall_back_as_the_table_says() {
    let bucket = ("AWS_S3_BUCKET", "lab");
    let keys = [
        ("AWS_ACCESS_KEY_ID", "AKIA"),
        ("AWS_SECRET_ACCESS_KEY", "s"),
    ];
    let with = |extra: &[(&str, &str)]| {
        let mut pairs = vec![bucket, keys[0], keys[1]];
        pairs.extend(extra);
        vars(&pairs).expect("valid")
    };
    let region = |config: &Config| config.s3().expect("s3").region().to_owned();
    assert_eq!(region(&with(&[])), "us-east-1");
    let default = ("AWS_DEFAULT_REGION", "eu-west-1");
    assert_eq!(region(&with(&[default])), "eu-west-1");
    assert_eq!(region(&with(&[default, ("AWS_REGION", "")])), "eu-west-1");
    let both = with(&[default, ("AWS_REGION", "eu-central-1")]);
    assert_eq!(
        public(&both),
        "https://lab.s3.eu-central-1.amazonaws.com/components/a.jpg"
    );

    let general = ("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
    let special = ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:2");
    let endpoint = |config: &Config| config.s3().expect("s3").endpoint().map(str::to_owned);
    assert_eq!(endpoint(&with(&[general])).as_deref(), Some(general.1));
    let both = with(&[general, special]);
    assert_eq!(public(&both), "http://127.0.0.1:2/lab/components/a.jpg");

    let path = with(&[("AWS_S3_ADDRESSING_STYLE", "path")]);
    assert_eq!(
        public(&path),
        "https://s3.us-east-1.amazonaws.com/lab/components/a.jpg"
    );
    let dual = with(&[("AWS_USE_DUALSTACK_ENDPOINT", "True")]);
    assert_eq!(
        public(&dual),
        "https://lab.s3.dualstack.us-east-1.amazonaws.com/components/a.jpg"
    );
    let fast = with(&[("AWS_S3_USE_ACCELERATE", "1")]);
    assert_eq!(
        public(&fast),
        "https://lab.s3-accelerate.amazonaws.com/components/a.jpg"
    );
    let cdn = with(&[("CLOUDFRONT_DOMAIN", "https://d1.cloudfront.net/")]);
    assert_eq!(public(&cdn), "https://d1.cloudfront.net/components/a.jpg");

    // An empty token is no token, not an empty one.
    let CredentialsSource::Static(found) = with(&[("AWS_SESSION_TOKEN", "")])
        .s3()
        .expect("s3")
        .credentials()
        .clone()
    else {
        panic!("static credentials");
    };
    assert_eq!(found.access_key_id, "AKIA");
    assert!(found.session_token.is_none());
}

#[test]
fn code_refines_the_environment() {
    let vars = [
        ("AWS_S3_BUCKET", "lab"),
        ("LABLINK_STORAGE_REQUIRE_S3", "1"),
    ];
    let owned = vars.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let builder = ConfigBuilder::from_vars(owned).expect("valid");
    let config = builder
        .clone()
        .with_prefix("photos/")
        .with_addressing(Addressing::Path)
        .build();
    let config = config.expect("valid");
    assert_eq!((config.prefix(), config.warning()), ("photos", None));
    assert!(builder.memory().build().expect("valid").s3().is_none());
}

#[test]
fn a_distribution_to_purge_from_is_known_by_its_id() {
    let domain = ("CLOUDFRONT_DOMAIN", "d1.cloudfront.net");
    let without = vars(&[("AWS_S3_BUCKET", "lab"), domain]).expect("valid");
    let id = |config: &Config| {
        let cdn = config.cloudfront()?;
        cdn.distribution_id().map(str::to_owned)
    };
    assert_eq!(id(&without), None);
    let read = vars(&[
        ("AWS_S3_BUCKET", "lab"),
        domain,
        ("CLOUDFRONT_DISTRIBUTION_ID", "EDFDVBD6EXAMPLE"),
    ]);
    let builder = Config::builder().s3("lab").with_cloudfront_domain(domain.1);
    let built = builder.with_cloudfront_distribution_id("EDFDVBD6EXAMPLE");
    for config in [read.expect("valid"), built.build().expect("valid")] {
        assert_eq!(id(&config).as_deref(), Some("EDFDVBD6EXAMPLE"));
    }
}

#[test]
fn debug_shows_no_secret() {
    let (pem, inside) = private_key();
    let config = vars(&[
        ("AWS_S3_BUCKET", "lab"),
        ("AWS_ACCESS_KEY_ID", "AKIA"),
        ("AWS_SECRET_ACCESS_KEY", "s3cr3t"),
        ("AWS_SESSION_TOKEN", "s3cr3t"),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "s3cr3t"),
        ("CLOUDFRONT_DOMAIN", "d1.cloudfront.net"),
        ("CLOUDFRONT_KEY_PAIR_ID", "K1"),
        // As in a variable that cannot hold line breaks.
        ("CLOUDFRONT_PRIVATE_KEY", &pem.replace('\n', "\\n")),
        (
            "LABLINK_STORAGE_SECRET",
            "s3cr3ts3cr3ts3cr3ts3cr3ts3cr3ts3cr3t",
        ),
    ])
    .expect("valid");
    let shown = format!("{config:?}");
    assert!(!shown.contains("s3cr3t") && !shown.contains(&inside));
    let key = config.cloudfront().and_then(CloudFrontConfig::private_key);
    assert_eq!(key.expect("a key").expose(), pem);
}

/// AWS takes what it is given: a secret is only signed with.
#[test]
fn secrets_are_any_text() {
    for secret in ["pass word", "Gr\u{fc}\u{df}e", "a+/=b"] {
        let config = vars(&[
            ("AWS_S3_BUCKET", "lab"),
            ("AWS_ACCESS_KEY_ID", "AKIA"),
            ("AWS_SECRET_ACCESS_KEY", secret),
        ]);
        let config = config.expect(secret);
        let CredentialsSource::Static(found) = config.s3().expect("s3").credentials() else {
            panic!("static credentials");
        };
        assert_eq!(found.secret_access_key().expose(), secret);
    }
}

#[test]
fn options_come_from_json() {
    let config = vars(&[
        (
            "LABLINK_STORAGE_OPTIMIZE",
            r##"{"max_width": 1600, "format": "webp", "gravity": "northeast", "background": "#0080ff",
                 "lossless": true, "animation": "reject", "limits": {"max_bytes": 5, "max_duration": 2.5}}"##,
        ),
        (
            "LABLINK_STORAGE_VARIANTS",
            r#"{"wide": {"max_width": 800}, "thumb": {"max_width": 320, "fit": "cover", "background": [1, 2, 3],
                "gravity": [0.25, 1]}}"#,
        ),
        ("LABLINK_STORAGE_DEADLINE", "12.5"),
        ("LABLINK_STORAGE_MAX_DECODES", "2"),
        ("LABLINK_STORAGE_DECODE_WAIT", "3"),
        ("LABLINK_STORAGE_MAX_UPLOAD_BYTES", "7"),
        ("LABLINK_STORAGE_CREATE_ONLY", "false"),
        ("LABLINK_STORAGE_CACHE_CONTROL", "no-store"),
        ("LABLINK_STORAGE_FSYNC", "true"),
    ]);
    let config = config.expect("valid");
    let options = config.optimize();
    assert_eq!((options.max_width, options.max_height), (1600, 1200));
    assert_eq!(options.format, OutputFormat::WebP);
    assert_eq!(options.gravity, Gravity::NorthEast);
    assert_eq!(options.background, [0, 128, 255]);
    assert_eq!(options.animation, Animation::Reject);
    assert_eq!(options.limits.max_bytes, 5);
    assert_eq!(options.limits.max_duration, Duration::from_millis(2500));
    let variants: Vec<_> = config.variants().iter().map(Variant::name).collect();
    assert_eq!(variants, ["wide", "thumb"]);
    let thumb = config.variants()[1].options();
    assert_eq!((thumb.fit, thumb.background), (Fit::Cover, [1, 2, 3]));
    assert_eq!(thumb.gravity, Gravity::Point(0.25, 1.0));
    assert_eq!(config.deadline(), Duration::from_millis(12_500));
    assert_eq!(config.decode_wait(), Duration::from_secs(3));
    assert_eq!((config.max_decodes(), config.max_upload_bytes()), (2, 7));
    assert!(!config.create_only() && config.local().expect("local").fsync());
    assert_eq!(config.cache_control(), "no-store");
}

/// Code comes before the environment, and an object replaces another one whole.
#[test]
fn code_replaces_options_of_the_environment() {
    let vars = [
        (
            "LABLINK_STORAGE_OPTIMIZE",
            r#"{"max_width": 1600, "quality": 70}"#,
        ),
        ("LABLINK_STORAGE_VARIANTS", r#"{"thumb": {}}"#),
        ("LABLINK_STORAGE_LIMITS", r#"{"max_bytes": 5}"#),
    ];
    let owned = vars.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let builder = ConfigBuilder::from_vars(owned).expect("valid").memory();
    let found = builder.clone().build().expect("valid");
    assert_eq!(
        (found.optimize().quality, found.optimize().limits.max_bytes),
        (70, 5)
    );

    let options = OptimizeOptions::default().with_max_size(800, 800);
    let limits = Limits::default().with_max_bytes(9);
    let other = Variant::new("card", OptimizeOptions::default()).expect("a name");
    let builder = builder
        .with_variants([other])
        .with_optimize(options.clone());
    let found = builder.clone().build().expect("valid");
    assert_eq!(
        (found.optimize().max_width, found.optimize().quality),
        (800, 85)
    );
    assert_eq!(found.optimize().limits.max_bytes, 5);
    assert_eq!(found.variants().len(), 1);
    assert_eq!(found.variants()[0].name(), "card");
    for builder in [
        builder.clone().with_limits(limits.clone()),
        builder.with_optimize(options.with_limits(limits)),
    ] {
        let found = builder.build().expect("valid");
        assert_eq!(found.optimize().limits.max_bytes, 9);
    }
}

#[test]
fn memory_can_be_asked_for() {
    let memory = ("LABLINK_STORAGE_MEMORY", "true");
    let config = vars(&[memory, ("AWS_S3_BUCKET", "lab")]).expect("valid");
    assert!(matches!(config.backend(), BackendConfig::Memory { .. }));
    assert_eq!(config.warning(), None);
    assert_eq!(config.base_url(), Some("/uploads"));
    let elsewhere = vars(&[memory, ("LABLINK_STORAGE_BASE_URL", "/lab")]).expect("valid");
    assert_eq!(elsewhere.base_url(), Some("/lab"));
    let by_hand = Config::builder().memory().build().expect("valid");
    assert_eq!(by_hand.base_url(), None);
    let config = vars(&[
        ("LABLINK_STORAGE_MEMORY", "false"),
        ("AWS_S3_BUCKET", "lab"),
    ]);
    assert!(config.expect("valid").s3().is_some());
}

/// Browsers are sent to the public endpoint, the store itself goes to the other one.
#[test]
fn a_server_may_have_two_names() {
    let config = vars(&[
        ("AWS_S3_BUCKET", "lab"),
        ("AWS_ENDPOINT_URL_S3", "http://minio:9000"),
        (
            "LABLINK_STORAGE_PUBLIC_ENDPOINT",
            "https://images.example.org",
        ),
        ("LABLINK_STORAGE_DIRECT_UPLOAD", "put"),
    ]);
    let config = config.expect("valid");
    let url = public(&config);
    assert_eq!(url, "https://images.example.org/lab/components/a.jpg");
    let urls = config.urls();
    assert_eq!(urls.server_url(), "http://minio:9000/lab");
    assert_eq!(urls.bucket_url(), "https://images.example.org/lab");
    let key = urls.key_from_url(&url).expect("its own");
    let inside = urls.key_from_url("http://minio:9000/lab/components/a.jpg");
    assert_eq!(inside.expect("its own"), key);
    assert_eq!(config.direct_upload(), DirectUpload::Put);
    let local = vars(&[("LABLINK_STORAGE_DIRECT_UPLOAD", "put")]).expect("valid");
    assert_eq!(local.direct_upload(), DirectUpload::Post);
}

#[test]
fn addresses_that_the_store_once_had_are_its_own_still() {
    let config = vars(&[
        ("AWS_S3_BUCKET", "lab"),
        ("AWS_REGION", "eu-central-1"),
        (
            "LABLINK_STORAGE_FORMER_URLS",
            "/uploads, https://d1.cloudfront.net,https://lab.s3.eu-west-1.amazonaws.com/,/",
        ),
    ]);
    let config = config.expect("valid");
    let key = ObjectKey::parse("components/a.jpg").expect("valid");
    for url in [
        "https://lab.s3.eu-central-1.amazonaws.com/components/a.jpg",
        "/uploads/components/a.jpg",
        "https://d1.cloudfront.net/components/a.jpg?v=2",
        "http://d1.cloudfront.net/components/a.jpg",
        "https://lab.s3.eu-west-1.amazonaws.com/components/a.jpg",
        "/components/a.jpg",
    ] {
        assert_eq!(config.urls().key_from_url(url).as_ref(), Ok(&key), "{url}");
    }
    for url in [
        "https://d1.cloudfront.net/pending/components/a.jpg",
        "https://d2.cloudfront.net/components/a.jpg",
        "/uploads/elsewhere/a.jpg",
        "/uploads/components/../a.jpg",
    ] {
        assert!(config.urls().key_from_url(url).is_err(), "{url}");
    }
    assert!(public(&config).starts_with("https://lab.s3.eu-central-1."));
}

/// The table of the crate's documentation is this one: a row for each setting, and no other.
#[test]
fn the_documentation_has_every_setting() {
    let written = include_str!("../lib.rs");
    let rows: Vec<&str> = written
        .lines()
        .filter_map(|line| line.strip_prefix("//! | `"))
        .filter(|line| line.starts_with(|first: char| first.is_ascii_uppercase()))
        .collect();
    let expected: Vec<String> = Setting::all()
        .iter()
        .filter(|setting| !setting.variables.is_empty())
        .map(|setting| {
            let names = setting.variables.join("`, then `");
            format!("{names}` | {} | {} |", setting.doc, setting.default)
        })
        .collect();
    let page: String = expected
        .iter()
        .map(|row| format!("//! | `{row}\n"))
        .collect();
    assert_eq!(rows, expected, "the table in src/lib.rs has to be:\n{page}");
}

/// So is the page's, with the names on every face.
#[test]
fn the_page_has_every_name_of_every_setting() {
    let cell = |names: &[&str]| {
        let names = names.iter().filter(|name| !name.is_empty());
        let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
        names.join(", then ")
    };
    let page = include_str!("../../docs/configuration.md");
    for setting in Setting::all() {
        let row = format!(
            "| {} | {} | {} | {} | {} |\n",
            cell(setting.variables),
            cell(&[setting.keyword]),
            cell(&[setting.method]),
            setting.doc,
            setting.default
        );
        assert!(page.contains(&row), "docs/configuration.md lacks: {row}");
    }
}

/// Each setting that code can set has its method here, and no two share a name.
#[test]
fn every_name_is_of_one_setting_and_its_method_is_there() {
    let builder = include_str!("builder.rs");
    let mut names = std::collections::HashSet::new();
    for setting in Setting::all() {
        let methods = format!("pub fn {}", setting.method);
        assert!(
            setting.method.is_empty() || builder.contains(&methods),
            "{methods}"
        );
        for name in setting.variables.iter().chain([&setting.keyword]) {
            assert!(
                name.is_empty() || names.insert(*name),
                "{name} is there twice"
            );
        }
        assert_eq!(
            setting.constructors.is_empty(),
            setting.keyword.is_empty() || ["bucket", "directory"].contains(&setting.keyword)
        );
    }
}
