//! What is deleted, restored or made anew is purged from CloudFront, whose interface a server in this process
//! stands for. `python/tests/test_purge.py` holds the requests to botocore's.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::common::faulty::{Fault, Faulty, Request};
use crate::common::images;
use crate::common::logs::Logs;
use crate::common::s3::{Bucket, Server};
use futures_util::future::join_all;
use lablink_storage::ops::{RegenerateOptions, SweepOptions, regenerate, sweep};
use lablink_storage::{Config, ErrorKind, ImageStore, ObjectKey, StoredImage};

const ORDERS: &str = "/2020-05-31/distribution/EDFDVBD6EXAMPLE/invalidation";

async fn cloudfront() -> Faulty {
    Faulty::start(|_, _| None).await
}

/// A store whose objects are on `s3` and whose public URLs are a distribution's.
fn open(s3: &Faulty, cloudfront: &Faulty, more: &[(&str, &str)]) -> ImageStore {
    let (s3, cloudfront) = (s3.url(), cloudfront.url());
    let mut vars = vec![
        ("AWS_S3_BUCKET", "lab"),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ENDPOINT_URL_S3", s3.as_str()),
        ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "s3cr3t"),
        ("CLOUDFRONT_DOMAIN", "https://cdn.example.org/img"),
        ("CLOUDFRONT_DISTRIBUTION_ID", "EDFDVBD6EXAMPLE"),
        ("AWS_ENDPOINT_URL_CLOUDFRONT", &cloudfront),
        ("LABLINK_STORAGE_VARIANTS", r#"{"thumb": {"max_width": 8}}"#),
    ];
    vars.retain(|(name, _)| more.iter().all(|(other, _)| other != name));
    vars.extend(more);
    let vars = vars.into_iter();
    let vars = vars.map(|(name, value)| (name.to_owned(), value.to_owned()));
    ImageStore::from_config(Config::from_vars(vars).expect("valid")).expect("opened")
}

async fn upload(store: &ImageStore) -> StoredImage {
    let stored = store.upload(images::jpeg(24, 16), ()).await;
    stored.expect("stored")
}

fn text_of(request: &Request, element: &str) -> Vec<String> {
    let body = std::str::from_utf8(&request.body).expect("XML is UTF-8");
    let beginning = format!("<{element}>");
    let parts = body.split(&beginning).skip(1);
    let text = |part: &str| part.split("</").next().unwrap_or_default().to_owned();
    parts.map(text).collect()
}

/// The paths of each order, in the order in which they came.
fn orders(cloudfront: &Faulty) -> Vec<BTreeSet<String>> {
    let requests = cloudfront.requests().into_iter();
    requests
        .map(|request| {
            assert_eq!((&*request.method, &*request.path), ("POST", ORDERS));
            let paths = text_of(&request, "Path");
            assert_eq!(text_of(&request, "Quantity"), [paths.len().to_string()]);
            paths.into_iter().collect()
        })
        .collect()
}

/// The paths of an image and of its thumbnail, as their URLs have them.
fn paths_of(image: &StoredImage) -> BTreeSet<String> {
    let urls = [&image.url, &image.variants["thumb"].url];
    let path = |url: &str| {
        url.strip_prefix("https://cdn.example.org")
            .map(str::to_owned)
    };
    urls.map(|url| path(url).expect("of the distribution"))
        .into()
}

#[tokio::test]
async fn a_deletion_is_purged_with_its_variants_under_the_paths_of_its_urls() {
    let (s3, cloudfront) = (Faulty::start(|_, _| None).await, cloudfront().await);
    let store = open(
        &s3,
        &cloudfront,
        &[("LABLINK_STORAGE_PREFIX", "größe & so")],
    );
    let image = upload(&store).await;
    assert!(cloudfront.requests().is_empty(), "nothing is old yet");
    store.delete_url(&image.url).await.expect("deleted");
    assert_eq!(orders(&cloudfront), [paths_of(&image)]);
    let path = &orders(&cloudfront)[0];
    let beginning = "/img/gr%C3%B6%C3%9Fe%20%26%20so/";
    assert!(
        path.iter().all(|path| path.starts_with(beginning)),
        "{path:?}"
    );

    let request = &cloudfront.requests()[0];
    let signed = request.header("authorization").expect("signed");
    assert!(
        signed.contains("/us-east-1/cloudfront/aws4_request"),
        "{signed}"
    );
    assert!(
        signed.contains("Credential=AKIAIOSFODNN7EXAMPLE/"),
        "{signed}"
    );

    // What was never public is in no CDN.
    let pending = ObjectKey::parse("pending/größe & so/a.jpg").expect("valid");
    store.delete(&pending).await.expect("deleted");
    assert_eq!(cloudfront.requests().len(), 1);
    let silent = open(&s3, &cloudfront, &[("CLOUDFRONT_DISTRIBUTION_ID", "")]);
    silent.delete(&image.key).await.expect("deleted");
    assert_eq!(cloudfront.requests().len(), 1);
}

#[tokio::test]
async fn deletions_at_the_same_time_go_together() {
    let s3 = Faulty::start(|_, _| None).await;
    // While the first order waits for its answer, all others come.
    let slow = |_: &Request, before| match before {
        0 => Some(Fault::Late(Duration::from_millis(1500))),
        _ => None,
    };
    let cloudfront = Faulty::start(slow).await;
    let store = open(&s3, &cloudfront, &[]);
    let images = join_all((0..12).map(|_| upload(&store))).await;
    let deletions = images.iter().map(|image| store.delete(&image.key));
    for deleted in join_all(deletions).await {
        deleted.expect("deleted");
    }
    let orders = orders(&cloudfront);
    assert!((2..=3).contains(&orders.len()), "{orders:?}");
    let all: Vec<_> = orders.into_iter().flatten().collect();
    assert_eq!(all.len(), 24, "each once");
    let expected: BTreeSet<_> = images.iter().flat_map(paths_of).collect();
    assert_eq!(all.into_iter().collect::<BTreeSet<_>>(), expected);
}

/// Whoever sends for others may be cancelled: then somebody else sends.
#[tokio::test]
async fn a_cancelled_sender_leaves_nobody_waiting() {
    let s3 = Faulty::start(|_, _| None).await;
    let hangs = |_: &Request, before| match before {
        0 => Some(Fault::Silent),
        _ => None,
    };
    let cloudfront = Faulty::start(hangs).await;
    let store = open(&s3, &cloudfront, &[]);
    let images = join_all((0..3).map(|_| upload(&store))).await;
    let first = tokio::spawn({
        let (store, key) = (store.clone(), images[0].key.clone());
        async move { store.delete(&key).await }
    });
    while cloudfront.requests().is_empty() {
        tokio::task::yield_now().await;
    }
    let others = images[1..].iter().map(|image| store.delete(&image.key));
    let cancel = async {
        // Both are in line behind it: of each, the objects are gone.
        while s3.objects().keys().any(|path| path.ends_with(".jpg")) {
            tokio::task::yield_now().await;
        }
        first.abort();
    };
    let (deleted, ()) = futures_util::join!(join_all(others), cancel);
    for deleted in deleted {
        deleted.expect("deleted");
    }
    let sent: BTreeSet<_> = orders(&cloudfront).into_iter().skip(1).flatten().collect();
    let expected: BTreeSet<_> = images[1..].iter().flat_map(paths_of).collect();
    assert_eq!(sent, expected);
}

#[tokio::test]
async fn what_passes_is_tried_again_as_the_same_order() {
    let s3 = Faulty::start(|_, _| None).await;
    let script = |_: &Request, before| match before {
        0 => Some(Fault::error(503, "ServiceUnavailable")),
        1 => Some(Fault::error(400, "TooManyInvalidationsInProgress")),
        2 => Some(Fault::ResetBeforeAnswer),
        _ => None,
    };
    let cloudfront = Faulty::start(script).await;
    let store = open(&s3, &cloudfront, &[]);
    let image = upload(&store).await;
    let logs = Logs::capture();
    store.delete(&image.key).await.expect("deleted");
    assert!(!logs.text().contains("not purged"), "{}", logs.text());
    let requests = cloudfront.requests();
    let references: BTreeSet<_> = requests
        .iter()
        .flat_map(|request| text_of(request, "CallerReference"))
        .collect();
    assert_eq!((requests.len(), references.len()), (4, 1));
    assert_eq!(orders(&cloudfront)[3], paths_of(&image));
}

#[tokio::test]
async fn a_failed_purge_is_told_and_the_deletion_is_done() {
    let s3 = Faulty::start(|_, _| None).await;
    let closed = Faulty::start(|_, _| None).await.url();
    let denied = Faulty::start(|_, _| Some(Fault::error(403, "AccessDenied"))).await;
    let nowhere = Faulty::start(|_, _| Some(Fault::error(404, "NoSuchDistribution"))).await;
    let silent = Faulty::start(|_, _| Some(Fault::Silent)).await;
    for (endpoint, said) in [
        (denied.url(), "cloudfront:CreateInvalidation"),
        (nowhere.url(), "set CLOUDFRONT_DISTRIBUTION_ID"),
        (silent.url(), "not done within"),
        (closed, "cannot be reached"),
    ] {
        let more = [
            ("AWS_ENDPOINT_URL_CLOUDFRONT", endpoint.as_str()),
            ("LABLINK_STORAGE_DEADLINE", "3"),
        ];
        let store = open(&s3, &silent, &more);
        let image = upload(&store).await;
        let logs = Logs::capture();
        store.delete(&image.key).await.expect("deleted");
        assert!(!store.exists(&image.key).await.expect("asked"));
        let text = logs.text();
        let line = text.lines().find(|line| line.contains("not purged"));
        let line = line.unwrap_or_else(|| panic!("{endpoint}: {text}"));
        assert!(line.contains("WARN") && line.contains(said), "{line}");
        assert!(!text.contains("s3cr3t"));
    }
    // A refusal is no less one for being asked again.
    assert_eq!(denied.requests().len(), 1);
}

/// What is gone is gone, although the deletion ends in an error, and what a sweep takes of it afterwards too.
#[tokio::test]
async fn a_deletion_that_is_cut_off_is_purged() {
    let refuse = |request: &Request, before| {
        let is_thumb = request.is("DELETE") && request.path.contains("thumb");
        (is_thumb && before == 0).then(|| Fault::error(403, "AccessDenied"))
    };
    let (s3, cloudfront) = (Faulty::start(refuse).await, cloudfront().await);
    let store = open(&s3, &cloudfront, &[]);
    let image = upload(&store).await;
    let error = store.delete(&image.key).await.expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::AccessDenied);
    assert_eq!(orders(&cloudfront), [paths_of(&image)]);

    // The server's objects are of 2015.
    let sweep_all = SweepOptions::default().with_delete(true);
    let swept = sweep(&store, &sweep_all, |_| {}).await.expect("swept");
    assert_eq!((swept.remains, swept.markers), (1, 1), "{swept:?}");
    let all_of_it = image.key.as_str().replace(".jpg", "*");
    let last = orders(&cloudfront).pop().expect("an order");
    assert_eq!(last, BTreeSet::from([format!("/img/{all_of_it}")]));
}

#[tokio::test]
async fn what_is_made_anew_is_purged_at_the_end() {
    let (s3, cloudfront) = (Faulty::start(|_, _| None).await, cloudfront().await);
    let store = open(&s3, &cloudfront, &[]);
    let images = join_all((0..3).map(|_| upload(&store))).await;
    let missing = RegenerateOptions::default();
    let report = regenerate(&store, &missing).await.expect("done");
    assert!(!report.purged && report.invalidate.is_empty());
    let dry = missing.clone().with_all(true).with_dry_run(true);
    regenerate(&store, &dry).await.expect("done");
    assert!(cloudfront.requests().is_empty());

    let all = missing.clone().with_all(true);
    let report = regenerate(&store, &all).await.expect("done");
    assert!(
        report.purged && report.purge_failure.is_none(),
        "{report:?}"
    );
    let thumbs: BTreeSet<_> = images
        .iter()
        .map(|image| {
            image.variants["thumb"]
                .url
                .replace("https://cdn.example.org", "")
        })
        .collect();
    assert_eq!(orders(&cloudfront), [thumbs]);

    let denied = Faulty::start(|_, _| Some(Fault::error(403, "AccessDenied"))).await;
    let store = open(&s3, &denied, &[]);
    let report = regenerate(&store, &all).await.expect("done");
    let failure = report.purge_failure.clone().expect("refused");
    assert!(!report.purged && report.is_complete(), "{report:?}");
    assert!(
        failure
            .hint
            .is_some_and(|hint| hint.contains("cloudfront:CreateInvalidation"))
    );
}

#[tokio::test]
async fn variants_that_are_configured_no_more_are_purged_when_they_are_removed() {
    let (s3, cloudfront) = (Faulty::start(|_, _| None).await, cloudfront().await);
    let image = upload(&open(&s3, &cloudfront, &[])).await;
    let renamed = r#"{"small": {"max_width": 8}}"#;
    let store = open(&s3, &cloudfront, &[("LABLINK_STORAGE_VARIANTS", renamed)]);
    let prune = RegenerateOptions::default().with_prune(true);
    let dry = prune.clone().with_dry_run(true);
    let report = regenerate(&store, &dry).await.expect("done");
    assert!(report.invalidate.is_empty(), "{report:?}");
    let report = regenerate(&store, &prune).await.expect("done");
    assert!(report.purged, "{report:?}");
    let mut removed = paths_of(&image);
    removed.retain(|path| path.contains("thumb"));
    assert_eq!((removed.len(), orders(&cloudfront)), (1, vec![removed]));
}

/// A CDN has the refusal that it got while the image was gone, or the version that was there before.
#[tokio::test]
async fn a_restored_image_is_purged() {
    let Some(server) = Server::from_env() else {
        return;
    };
    let cloudfront = cloudfront().await;
    let bucket: Bucket = server.bucket().await;
    let on = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    bucket.send("PUT", "?versioning", on).await.ok();
    let endpoint = cloudfront.url();
    let vars = [
        ("AWS_S3_BUCKET", bucket.name.as_str()),
        ("AWS_REGION", &server.region),
        ("AWS_ENDPOINT_URL_S3", &server.endpoint),
        ("AWS_ACCESS_KEY_ID", &server.keys.access),
        ("AWS_SECRET_ACCESS_KEY", &server.keys.secret),
        ("CLOUDFRONT_DOMAIN", "https://cdn.example.org/img"),
        ("CLOUDFRONT_DISTRIBUTION_ID", "EDFDVBD6EXAMPLE"),
        ("AWS_ENDPOINT_URL_CLOUDFRONT", &endpoint),
        ("LABLINK_STORAGE_VARIANTS", r#"{"thumb": {"max_width": 8}}"#),
        ("LABLINK_STORAGE_KEEP_ORIGINAL", "true"),
        // Ceph takes no If-None-Match in versioned buckets.
        ("LABLINK_STORAGE_CREATE_ONLY", "false"),
    ];
    let vars = vars.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let store = ImageStore::from_config(Config::from_vars(vars).expect("valid")).expect("opened");
    let image = upload(&store).await;
    let paths = paths_of(&image);
    store.delete(&image.key).await.expect("deleted");
    store.restore(&image.key, None).await.expect("restored");
    assert_eq!(orders(&cloudfront), [paths.clone(), paths.clone()]);
    store.erase(&image.key).await.expect("erased");
    assert_eq!(orders(&cloudfront)[2], paths);
}
