//! A provider that the application brings.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};

use lablink_storage::sign::Credentials;
use lablink_storage::{ConfigBuilder, CredentialsProvider, ErrorKind, ImageStore, Providing};

use super::{exists, signers};
use crate::common::faulty::{Fault, Faulty};

/// Answers by how often it was asked before.
struct Vault<F>(Arc<AtomicU32>, F);

impl<F> CredentialsProvider for Vault<F>
where
    F: Fn(u32) -> Option<Result<Credentials, &'static str>> + Send + Sync,
{
    fn provide(&self) -> Providing<'_> {
        let answer = (self.1)(self.0.fetch_add(1, Ordering::Relaxed));
        Box::pin(async move {
            match answer {
                Some(answer) => answer.map_err(Into::into),
                None => std::future::pending().await,
            }
        })
    }
}

fn open(
    s3: &Faulty,
    answer: impl Fn(u32) -> Option<Result<Credentials, &'static str>> + Send + Sync + 'static,
) -> (ImageStore, Arc<AtomicU32>) {
    let asked = Arc::new(AtomicU32::new(0));
    // Keys of the environment do not come before what code gives.
    let environment = [
        ("AWS_S3_BUCKET", "lab"),
        ("AWS_ACCESS_KEY_ID", "AKIAOFTHEENVIRONMENT"),
        ("AWS_SECRET_ACCESS_KEY", "s"),
        ("AWS_ENDPOINT_URL_S3", &s3.url()),
    ];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let config = ConfigBuilder::from_vars(environment).expect("valid");
    let config = config.with_credentials_provider(Vault(Arc::clone(&asked), answer));
    let store = ImageStore::from_config(config.build().expect("valid"));
    (store.expect("opened"), asked)
}

fn keys(id: &str, lasts: u64) -> Option<Result<Credentials, &'static str>> {
    let end = SystemTime::now() + Duration::from_secs(lasts);
    let keys = Credentials::new(id, "s3cr3t").with_session_token(format!("of-{id}"));
    Some(Ok(keys.with_expires_at(end)))
}

#[tokio::test]
async fn it_signs_and_is_asked_anew_shortly_before_the_end() {
    let s3 = Faulty::start(|_, _| None).await;
    let (store, asked) = open(&s3, |before| match before {
        0 => keys("ASIAFIRST", 200),
        _ => keys("ASIASECOND", 3600),
    });
    for _ in 0..3 {
        exists(&store).await.expect("asked");
    }
    let signers = signers(&s3);
    let used: Vec<_> = signers.iter().map(|(id, _)| id.as_str()).collect();
    // Less than five minutes are left of the first.
    assert_eq!(used[..3], ["ASIAFIRST", "ASIASECOND", "ASIASECOND"]);
    assert_eq!(signers[0].1.as_deref(), Some("of-ASIAFIRST"));
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn its_failure_is_told_and_passes() {
    let s3 = Faulty::start(|_, _| None).await;
    let (store, asked) = open(&s3, |_| Some(Err("the vault is sealed")));
    let error = exists(&store).await.expect_err("nobody signs");
    assert_eq!(error.kind(), ErrorKind::Credentials);
    assert!(error.is_retryable(), "{error}");
    assert!(error.to_string().contains("the vault is sealed"), "{error}");
    assert!(error.hint().is_some_and(|hint| hint.contains("provider")));
    assert!(asked.load(Ordering::Relaxed) > 0 && s3.requests().is_empty());

    let (store, _) = open(&s3, |_| None);
    let began = Instant::now();
    let error = exists(&store).await.expect_err("nobody answers");
    assert!(
        began.elapsed() < Duration::from_secs(6),
        "{:?}",
        began.elapsed()
    );
    assert!(
        error.to_string().contains("no answer within 4 s"),
        "{error}"
    );
}

#[tokio::test]
async fn what_the_server_takes_for_ended_is_asked_for_anew() {
    let s3 = Faulty::start(|request, _| {
        let ended = request.header("x-amz-security-token") == Some("of-ASIAOLD");
        ended.then(|| Fault::error(400, "ExpiredToken"))
    })
    .await;
    let (store, _) = open(&s3, |before| match before {
        0 => keys("ASIAOLD", 36_000),
        _ => keys("ASIANEW", 36_000),
    });
    assert!(store.list_all(None).await.is_err());
    // Those that were fetched just now are not fetched again.
    tokio::time::sleep(Duration::from_millis(3100)).await;
    assert!(
        store
            .list_all(None)
            .await
            .expect("with the new ones")
            .is_empty()
    );
}
