use std::time::Duration;

use super::*;
use crate::key::ObjectKey;
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
