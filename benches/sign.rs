//! Signatures a second, with credentials at hand: of the signers, and of a store that makes keys and URLs too.
//!
//! `benches/sign_vs_boto3.py` runs the first of these beside boto3.

use std::hint::black_box;
use std::time::{Duration, SystemTime};

#[cfg(feature = "s3")]
use criterion::{BenchmarkGroup, measurement::WallTime};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lablink_storage::ObjectKey;
use lablink_storage::sign::{
    Credentials, LocalSigner, PostForm, PostPolicy, PostVerifier, Presign, SigV4, check_post,
};

const HOUR: Duration = Duration::from_secs(3600);
const BUCKET_URL: &str = "https://lab.s3.eu-central-1.amazonaws.com";
const KEY: &str = "pending/components/6f9619ff-8b86-4d01-b42d-00cf4fc964ff.jpg";
const FILE_URL: &str =
    "https://lab.s3.eu-central-1.amazonaws.com/components/6f9619ff-8b86-4d01-b42d-00cf4fc964ff.jpg";

fn policy() -> PostPolicy {
    PostPolicy::new(KEY, HOUR)
        .with_bucket("lab")
        .with_field("Content-Type", "image/jpeg")
        .with_field("Cache-Control", "public, max-age=31536000, immutable")
        .with_content_length_range(1, 10 << 20)
        .with_success_action_status(201)
}

fn signing(c: &mut Criterion) {
    let credentials = Credentials::new(
        "AKIAIOSFODNN7EXAMPLE",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    );
    let session = credentials.clone().with_session_token("t".repeat(900));
    let s3 = SigV4::new(credentials, "eu-central-1").expect("valid");
    let sts = SigV4::new(session, "eu-central-1").expect("valid");
    let local = LocalSigner::new(&"0123456789abcdef0123456789abcdef".into()).expect("valid");
    let key = ObjectKey::parse(KEY).expect("valid");
    let object_url = format!("{BUCKET_URL}/{KEY}");
    let now = SystemTime::now();

    let mut group = c.benchmark_group("sign");
    group.throughput(Throughput::Elements(1));
    for (name, signer) in [("", &s3), (" with a session token", &sts)] {
        group.bench_function(format!("presigned_post{name}"), |b| {
            b.iter(|| signer.presign_post(black_box(&policy()), &key, BUCKET_URL, FILE_URL, now));
        });
        group.bench_function(format!("presigned_get{name}"), |b| {
            b.iter(|| signer.presign(black_box(&Presign::get(HOUR)), &key, &object_url, now));
        });
    }
    let put = || {
        Presign::put(HOUR)
            .with_header("content-type", "image/jpeg")
            .with_header("cache-control", "public, max-age=31536000, immutable")
            .with_header("if-none-match", "*")
    };
    group.bench_function("presigned_put", |b| {
        b.iter(|| s3.presign(black_box(&put()), &key, &object_url, now));
    });
    group.bench_function("presigned_post, local", |b| {
        b.iter(|| local.presign_post(black_box(&policy()), &key, "/uploads", FILE_URL, now));
    });
    let fields = s3.post_fields(&policy(), now).expect("valid");
    group.bench_function("check_post", |b| {
        let form = PostForm::new(&fields, 1000).with_bucket("lab");
        b.iter(|| check_post(black_box(&form), &PostVerifier::SigV4(&s3), now).expect("kept"));
    });
    #[cfg(feature = "s3")]
    store(&mut group, &key);
    group.finish();
}

#[cfg(feature = "s3")]
fn store(group: &mut BenchmarkGroup<'_, WallTime>, key: &ObjectKey) {
    use lablink_storage::{ImageStore, PresignGetOptions, PresignPostOptions};
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    // Nothing is ever sent there.
    let store = ImageStore::builder()
        .s3("lab")
        .with_endpoint_url("http://127.0.0.1:1")
        .with_credentials("AKIAIOSFODNN7EXAMPLE", "secret", None::<&str>)
        .build()
        .expect("a store");
    group.bench_function("presigned_post, store", |b| {
        b.iter(|| {
            let signed = store.presigned_post("board.jpg", PresignPostOptions::default());
            runtime.block_on(signed).expect("signed")
        });
    });
    group.bench_function("presigned_get, store", |b| {
        b.iter(|| {
            let signed = store.presigned_get(black_box(key), PresignGetOptions::default());
            runtime.block_on(signed).expect("signed")
        });
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(2));
    targets = signing
}
criterion_main!(benches);
