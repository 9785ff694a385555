//! Nothing secret in any log line, error or Debug: everything that can be asked of a store is asked, well
//! and badly, while all that is logged is kept, and then it is searched.

#![cfg(feature = "store")]

use std::error::Error as _;
use std::fmt::{Debug, Write as _};
use std::time::{Duration, SystemTime};

use crate::common::images;
use crate::common::logs::Logs;
use lablink_storage::ops::{
    RegenerateOptions, SweepOptions, UrlOptions, UsedUrls, migrate_urls, regenerate, sweep,
};
use lablink_storage::sign::{Credentials, LocalSigner, Presign, SigV4};
use lablink_storage::{
    Config, ImageStore, ObjectKey, PresignGetOptions, PresignPostOptions, PresignPutOptions,
    SignedCookiesOptions, SignedUrlOptions, UploadOptions,
};

const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const TOKEN: &str = "FQoDYXdzEPP0t0k3nt0k3nt0k3n";
const HMAC_SECRET: &str = "hm4c-s3cr3t-of-at-least-32-characters";

/// In URLs of other servers.
const PASSWORD: &str = "p4ssw0rd-of-a-r34der";
const SIGNATURE: &str = "s1gn4tur3-of-an0th3r";

/// All that was seen, and what must not be in it.
#[derive(Default)]
struct Seen {
    text: String,
    secrets: Vec<String>,
}

impl Seen {
    fn show(&mut self, value: &impl Debug) {
        writeln!(self.text, "{value:?}\n{value:#?}").expect("a string takes all");
    }

    fn show_error(&mut self, error: &lablink_storage::Error) {
        writeln!(self.text, "{error} {error:?} {:?}", error.hint()).expect("a string takes all");
        let mut source = error.source();
        while let Some(error) = source {
            writeln!(self.text, "{error} {error:?}").expect("a string takes all");
            source = error.source();
        }
    }

    /// Shows what came, and remembers the signatures, policies and tokens in it.
    fn result<T: Debug>(&mut self, result: &lablink_storage::Result<T>) {
        match result {
            Ok(value) => self.show(value),
            Err(error) => self.show_error(error),
        }
    }

    fn url(&mut self, url: &str) {
        let (_, query) = url.split_once('?').expect("a signed URL");
        let parameters = ["Signature", "Security-Token", "Policy"];
        for parameter in query
            .split('&')
            .filter(|parameter| parameters.iter().any(|name| parameter.contains(name)))
        {
            let (_, value) = parameter.split_once('=').expect("a value");
            self.secrets.push(value.to_owned());
        }
    }

    fn fields(&mut self, fields: &[(String, String)]) {
        for (name, value) in fields {
            if [
                "policy",
                "x-amz-signature",
                "x-lablink-signature",
                "x-amz-security-token",
            ]
            .contains(&name.as_str())
                || name.starts_with("CloudFront-Signature")
                || name.starts_with("CloudFront-Policy")
            {
                self.secrets.push(value.clone());
            }
        }
    }

    fn search(&self, logs: &Logs, at_least: usize) {
        let logged = logs.text();
        let fixed = [SECRET_KEY, TOKEN, HMAC_SECRET, PASSWORD, SIGNATURE].map(str::to_owned);
        let encoded = SECRET_KEY.replace('/', "%2F");
        assert!(
            self.secrets.len() >= at_least,
            "only {} signatures were made",
            self.secrets.len()
        );
        assert!(
            logged.len() > 1000,
            "the operations log something: {logged}"
        );
        for secret in self.secrets.iter().chain(&fixed).chain([&encoded]) {
            for (place, text) in [("an error or Debug", &self.text), ("a log line", &logged)] {
                if let Some(at) = text.find(secret.as_str()) {
                    let line = text[..at].lines().last().unwrap_or_default();
                    panic!(
                        "{}… is in {place}, after: {line}",
                        &secret[..8.min(secret.len())]
                    );
                }
            }
        }
    }
}

/// Everything, whether it can succeed there or not.
async fn ask_everything(store: &ImageStore, seen: &mut Seen) {
    seen.show(store);
    seen.show(store.config());
    let image = store
        .upload(
            images::jpeg(64, 48),
            UploadOptions::default().with_filename("board.jpg"),
        )
        .await;
    seen.result(&image);
    let key =
        ObjectKey::parse("components/6f9619ff-8b86-4d01-b42d-00cf4fc964ff.jpg").expect("valid");
    let key = image.map_or(key, |image| image.key);
    seen.result(
        &store
            .upload(b"<svg/>".to_vec(), UploadOptions::default())
            .await,
    );
    seen.result(&store.get(&key).await);
    seen.result(&store.head(&key).await);
    seen.result(&store.exists(&key).await);
    seen.show(&store.status().await);

    let get = store
        .presigned_get(&key, PresignGetOptions::default().with_download_as("a.jpg"))
        .await;
    seen.result(&get);
    if let Ok(get) = get {
        seen.url(&get.url);
        seen.result(&store.key_from_url(&get.url));
        seen.result(&store.key_from_url(&get.url.replace("components", "others")));
        let (_, query) = get.url.split_once('?').expect("a query");
        seen.result(&store.verify_get(&key, query));
        seen.result(&store.verify_get(&key, &format!("{query}0")));
    }
    seen.result(
        &store
            .presigned_get(
                &key,
                PresignGetOptions::default().with_expires_in(Duration::ZERO),
            )
            .await,
    );
    let put = store
        .presigned_put("a.jpg", PresignPutOptions::default())
        .await;
    seen.result(&put);
    if let Ok(put) = put {
        seen.url(&put.url);
    }
    let post = store
        .presigned_post("a.jpg", PresignPostOptions::default())
        .await;
    seen.result(&post);
    if let Ok(post) = post {
        seen.fields(&post.fields);
        for changed in 0..post.fields.len() {
            let mut fields = post.fields.clone();
            fields[changed].1.push('x');
            seen.result(&store.receive_post(fields, images::jpeg(64, 48)).await);
        }
        seen.result(
            &store
                .receive_post(post.fields.clone(), images::jpeg(64, 48))
                .await,
        );
        seen.result(&store.promote(&post.key).await);
        seen.result(&store.promote(&post.key).await);
    }
    let url = store.signed_url(&key, SignedUrlOptions::default());
    seen.result(&url);
    if let Ok(url) = url {
        seen.url(&url.url);
    }
    let cookies = store.signed_cookies(SignedCookiesOptions::default());
    seen.result(&cookies);
    if let Ok(cookies) = cookies {
        seen.fields(&cookies.cookies);
    }
    seen.result(&store.list_all(None).await);
    let original = store
        .presigned_original(&key, PresignGetOptions::default())
        .await;
    seen.result(&original);
    if let Ok(original) = original {
        seen.url(&original.url);
    }
    ask_about_others(store, seen).await;
    seen.result(&store.delete(&key).await);
}

/// Everything that takes a URL, with such as lead elsewhere and have userinfo, a query or a fragment.
async fn ask_about_others(store: &ImageStore, seen: &mut Seen) {
    let urls = [
        format!("https://reader:{PASSWORD}@photos.example.org/a.jpg?X-Amz-Signature={SIGNATURE}"),
        format!("//{PASSWORD}@photos.example.org/components/a.jpeg#{SIGNATURE}"),
        format!("https://elsewhere.example.net/a.jpg?token={SIGNATURE}"),
    ];
    for url in &urls {
        seen.result(&store.get(url).await);
        seen.result(&store.versions(url).await);
        seen.result(&store.restore(url, None).await);
        seen.result(&store.upload_from_url(url, ()).await);
        seen.result(&store.ensure_variant(url, "thumb").await);
        let options = PresignGetOptions::default();
        seen.result(&store.presigned_original(url, options).await);
        seen.result(&store.delete_url(url).await);
    }
    let list = urls.join("\n");
    let used = UsedUrls::read(store, list.as_bytes()).expect("read");
    seen.show(&used);
    for delete in [false, true] {
        let options = SweepOptions::default().with_used(used.clone());
        seen.result(&sweep(store, &options.with_delete(delete), |_| {}).await);
    }
    let options = RegenerateOptions::default().with_keys(&urls);
    seen.result(&regenerate(store, &options).await);
    let options = UrlOptions::default();
    seen.result(&migrate_urls(store, list.as_bytes(), &options, |_| {}).await);
}

fn cloudfront_key() -> String {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
    use base64::Engine as _;
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("a key");
    let der = key.to_pkcs8v1().expect("DER");
    let body = base64::engine::general_purpose::STANDARD.encode(der.as_ref());
    format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n")
}

/// The middle of a PEM, which no other key has.
fn middle(pem: &str) -> String {
    pem[80..140].to_owned()
}

#[tokio::test]
async fn in_memory_and_on_local_files() {
    let logs = Logs::capture();
    let mut seen = Seen::default();
    let pem = cloudfront_key();
    seen.secrets.push(middle(&pem));
    let directory = tempfile::tempdir().expect("a directory");
    for builder in [
        ImageStore::builder().memory(),
        ImageStore::builder().local(directory.path()),
    ] {
        let builder = builder
            .with_secret(HMAC_SECRET)
            .with_cloudfront_domain("cdn.example.org")
            .with_cloudfront_key("K2JCJMDEHXQW5F", pem.as_str())
            .with_fetch_hosts(["photos.example.org"]);
        seen.show(&builder);
        ask_everything(&builder.build().expect("a store"), &mut seen).await;
    }
    seen.search(&logs, 10);
}

/// A server that nobody is at: every call fails, and says so without the credentials.
#[cfg(feature = "s3")]
#[tokio::test]
async fn on_an_s3_server_that_is_not_there() {
    let logs = Logs::capture();
    let mut seen = Seen::default();
    let builder = ImageStore::builder()
        .s3("lab")
        .with_endpoint_url("http://127.0.0.1:1")
        .with_deadline(Duration::from_millis(700))
        .with_credentials("AKIAIOSFODNN7EXAMPLE", SECRET_KEY, Some(TOKEN))
        .with_fetch_hosts(["photos.example.org"]);
    seen.show(&builder);
    ask_everything(&builder.build().expect("a store"), &mut seen).await;
    seen.search(&logs, 7);
}

/// A server that refuses: what it answers may repeat what it was sent.
#[cfg(feature = "s3")]
#[tokio::test]
async fn on_a_real_s3_server() {
    let Some(server) = crate::common::s3::Server::from_env() else {
        return;
    };
    let bucket = server.bucket().await;
    let session = server.assume_role().await;
    let logs = Logs::capture();
    let mut seen = Seen::default();
    let wrong = crate::common::s3::Keys {
        secret: SECRET_KEY.to_owned(),
        ..server.keys.clone()
    };
    let stale = crate::common::s3::Keys {
        token: Some(TOKEN.to_owned()),
        ..session.clone()
    };
    for keys in [&server.keys, &session, &wrong, &stale, &server.other] {
        seen.secrets.push(keys.secret.clone());
        seen.secrets.extend(keys.token.clone());
        let store = bucket
            .store_as(keys)
            .with_fetch_hosts(["photos.example.org"]);
        ask_everything(&store.build().expect("a store"), &mut seen).await;
    }
    seen.search(&logs, 20);
}

#[test]
fn in_configurations_that_are_right_and_wrong() {
    let mut seen = Seen::default();
    let pem = cloudfront_key();
    let all = [
        ("AWS_S3_BUCKET", "lab"),
        ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
        ("AWS_SESSION_TOKEN", TOKEN),
        ("CLOUDFRONT_DOMAIN", "cdn.example.org"),
        ("CLOUDFRONT_KEY_PAIR_ID", "K2JCJMDEHXQW5F"),
        ("CLOUDFRONT_PRIVATE_KEY", pem.as_str()),
        ("LABLINK_STORAGE_SECRET", HMAC_SECRET),
    ];
    let vars = |changed: usize, to: &str| {
        let mut vars = all.map(|(name, value)| (name.to_owned(), value.to_owned()));
        vars[changed].1 = to.to_owned();
        vars.to_vec()
    };
    for (changed, (name, value)) in all.iter().enumerate() {
        let wrong = ["", value, "with space and / and \n"];
        // A secret in the place of another value is not a secret any more.
        let secret = name.contains("SECRET") || name.contains("TOKEN") || name.contains("PRIVATE");
        let wrong_secrets = [
            SECRET_KEY,
            "FQoDYXdzEPP0t0k3nt0k3nt0k3n\n",
            &HMAC_SECRET[..10],
        ];
        for to in wrong.iter().chain(wrong_secrets.iter().filter(|_| secret)) {
            match Config::from_vars(vars(changed, to)) {
                Ok(config) => {
                    seen.show(&config);
                    match ImageStore::from_config(config) {
                        Ok(store) => seen.show(&store),
                        Err(error) => seen.show_error(&error),
                    }
                }
                Err(error) => {
                    writeln!(seen.text, "{error}").expect("a string takes all");
                    seen.show(&error);
                }
            }
        }
    }
    for secret in [
        SECRET_KEY,
        TOKEN,
        HMAC_SECRET,
        &HMAC_SECRET[..10],
        &middle(&pem),
    ] {
        let line = seen.text.lines().find(|line| line.contains(secret));
        assert!(line.is_none(), "{}… is in {line:?}", &secret[..4]);
    }
}

#[test]
fn in_the_signers_themselves() {
    let mut seen = Seen::default();
    let signer = SigV4::new(
        Credentials::new("AKIAIOSFODNN7EXAMPLE", SECRET_KEY).with_session_token(TOKEN),
        "us-east-1",
    )
    .expect("valid");
    let local = LocalSigner::new(&HMAC_SECRET.into()).expect("valid");
    seen.show(&(&signer, &local));
    let key = ObjectKey::parse("components/a.jpg").expect("valid");
    let get = Presign::get(Duration::from_secs(60));
    for request in [
        signer.presign(
            &get,
            &key,
            "https://lab.s3.us-east-1.amazonaws.com/components/a.jpg",
            SystemTime::now(),
        ),
        local.presign(&get, &key, "/uploads/components/a.jpg", SystemTime::now()),
    ] {
        let request = request.expect("signed");
        seen.url(&request.url);
        seen.show(&request);
    }
    for secret in seen
        .secrets
        .iter()
        .map(String::as_str)
        .chain([SECRET_KEY, TOKEN, HMAC_SECRET])
    {
        assert!(!seen.text.contains(secret));
    }
}
