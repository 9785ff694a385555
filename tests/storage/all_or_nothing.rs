//! An upload, and a promotion, is there whole or not at all: when a write fails, when the caller goes away,
//! when two promote at once.

#![cfg(feature = "store")]

use std::collections::BTreeSet;
use std::fmt;
use std::future::poll_fn;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt, TryStreamExt};
use lablink_storage::{
    ErrorKind, ImageStore, ObjectKey, OptimizeOptions, PresignPostOptions, UploadOptions, Variant,
};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use tokio::sync::{Barrier, Notify, Semaphore};

use crate::common::images;

const SECRET: &str = "a secret of at least thirty-two bytes";

/// What happens to the put with a given number, counted from 1.
#[derive(Default)]
struct Plan {
    /// Fails without having written.
    fail: Option<usize>,
    /// Writes, and then fails as if the answer had been lost.
    lose_answer: Option<usize>,
    /// Waits for the gate before it writes.
    hold: Option<usize>,
    /// That many puts wait for each other before any of them writes.
    together: Option<usize>,
}

/// A memory store that does as the plan says.
struct Planned {
    memory: InMemory,
    plan: Plan,
    puts: AtomicUsize,
    held: Notify,
    gate: Semaphore,
    met: Barrier,
    deleted: Mutex<BTreeSet<String>>,
    deletion: Notify,
}

impl Planned {
    fn new(plan: Plan) -> Arc<Self> {
        Arc::new(Self {
            memory: InMemory::new(),
            met: Barrier::new(plan.together.unwrap_or(1)),
            plan,
            puts: AtomicUsize::new(0),
            held: Notify::new(),
            gate: Semaphore::new(0),
            deleted: Mutex::default(),
            deletion: Notify::new(),
        })
    }

    async fn keys(&self) -> Vec<String> {
        let listed = self
            .memory
            .list(None)
            .map_ok(|meta| meta.location.to_string());
        let mut keys: Vec<String> = listed.try_collect().await.expect("listed");
        keys.sort();
        keys
    }
}

impl fmt::Debug for Planned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Planned")
    }
}

impl fmt::Display for Planned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Planned")
    }
}

fn broken() -> object_store::Error {
    object_store::Error::Generic {
        store: "Planned",
        source: "as planned".into(),
    }
}

#[async_trait]
impl ObjectStore for Planned {
    async fn put_opts(
        &self,
        to: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let number = Some(self.puts.fetch_add(1, Ordering::SeqCst) + 1);
        if self.plan.hold == number {
            self.held.notify_one();
            self.gate.acquire().await.expect("open").forget();
        }
        if self.plan.together >= number {
            self.met.wait().await;
        }
        if self.plan.fail == number {
            return Err(broken());
        }
        let result = self.memory.put_opts(to, payload, options).await;
        if self.plan.lose_answer == number {
            return Err(broken());
        }
        result
    }

    async fn put_multipart_opts(
        &self,
        to: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.memory.put_multipart_opts(to, options).await
    }

    async fn get_opts(&self, from: &Path, options: GetOptions) -> Result<GetResult> {
        self.memory.get_opts(from, options).await
    }

    async fn get_ranges(&self, from: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.memory.get_ranges(from, ranges).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let deleted: Vec<_> = futures_util::FutureExt::now_or_never(
            self.memory.delete_stream(locations).collect::<Vec<_>>(),
        )
        .expect("memory does not wait");
        for path in deleted.iter().flatten() {
            self.deleted
                .lock()
                .expect("unpoisoned")
                .insert(path.to_string());
        }
        self.deletion.notify_one();
        futures_util::stream::iter(deleted).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.memory.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.memory.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.memory.copy_opts(from, to, options).await
    }
}

fn variants() -> Vec<Variant> {
    ["thumb", "tiny"]
        .into_iter()
        .map(|name| {
            Variant::new(name, OptimizeOptions::default().with_max_size(40, 40)).expect(name)
        })
        .collect()
}

fn store_over(planned: &Arc<Planned>) -> ImageStore {
    ImageStore::builder()
        .object_store(Arc::clone(planned) as Arc<dyn ObjectStore>)
        .with_variants(variants())
        .with_keep_original(true)
        .build()
        .expect("valid")
}

/// A small JPEG: what is optimized does not matter here.
fn photo() -> Vec<u8> {
    let (width, height) = (96u16, 64u16);
    let pixels: Vec<u8> = (0..u32::from(width) * u32::from(height) * 3)
        .map(|at| (at * 7 % 251) as u8)
        .collect();
    let mut jpeg = Vec::new();
    jpeg_encoder::Encoder::new(&mut jpeg, 90)
        .encode(&pixels, width, height, jpeg_encoder::ColorType::Rgb)
        .expect("encoded");
    jpeg
}

#[tokio::test]
async fn variants_and_the_original_come_first_and_the_image_last() {
    let planned = Planned::new(Plan::default());
    let image = store_over(&planned)
        .upload(photo(), UploadOptions::default())
        .await
        .expect("stored");
    assert_eq!(image.variants.len(), 2);
    let mut written: Vec<_> = planned
        .memory
        .list(None)
        .try_collect()
        .await
        .expect("listed");
    written.sort_by_key(|meta: &ObjectMeta| meta.last_modified);
    assert_eq!(written.len(), 4);
    assert_eq!(written[3].location.as_ref(), image.key.as_str());
}

/// Two round trips to the store, however many variants there are.
#[tokio::test]
async fn variants_and_the_original_are_written_at_the_same_time() {
    let planned = Planned::new(Plan {
        together: Some(3),
        ..Plan::default()
    });
    let store = store_over(&planned);
    let upload = store.upload(photo(), UploadOptions::default());
    let image = tokio::time::timeout(Duration::from_secs(60), upload).await;
    let image = image.expect("neither waits for the other").expect("stored");
    assert_eq!(image.variants.len(), 2);
    assert_eq!(planned.puts.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn a_write_that_fails_leaves_nothing() {
    for number in 1..=4 {
        for plan in [
            Plan {
                fail: Some(number),
                ..Plan::default()
            },
            Plan {
                lose_answer: Some(number),
                ..Plan::default()
            },
        ] {
            let planned = Planned::new(plan);
            let error = store_over(&planned)
                .upload(photo(), UploadOptions::default())
                .await
                .expect_err("as planned");
            assert_eq!(error.kind(), ErrorKind::Internal);
            assert_eq!(planned.keys().await, Vec::<String>::new(), "put {number}");
        }
    }
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_nothing() {
    for number in 1..=4 {
        let planned = Planned::new(Plan {
            hold: Some(number),
            ..Plan::default()
        });
        let store = store_over(&planned);
        let upload =
            tokio::spawn(async move { store.upload(photo(), UploadOptions::default()).await });
        planned.held.notified().await;
        upload.abort();
        assert!(upload.await.expect_err("aborted").is_cancelled());
        planned.gate.add_permits(1);
        // The write that was under way ends, and then what was written goes again.
        while planned.deleted.lock().expect("unpoisoned").len() < number {
            planned.deletion.notified().await;
        }
        assert_eq!(planned.keys().await, Vec::<String>::new(), "put {number}");
    }
}

/// A store with one pending upload in it.
async fn with_pending(plan: Plan) -> (Arc<Planned>, ImageStore, ObjectKey) {
    // The put of the pending object counts too.
    let shifted = |number: Option<usize>| number.map(|number| number + 1);
    let planned = Planned::new(Plan {
        fail: shifted(plan.fail),
        lose_answer: shifted(plan.lose_answer),
        hold: shifted(plan.hold),
        together: None,
    });
    let id = uuid::Uuid::from_u128(7);
    let key = ObjectKey::for_pending("components", id, lablink_storage::ImageFormat::Jpeg)
        .expect("valid");
    let path = Path::parse(key.as_str()).expect("valid");
    planned
        .put_opts(&path, photo().into(), PutOptions::default())
        .await
        .expect("put");
    let store = store_over(&planned);
    (planned, store, key)
}

#[tokio::test]
async fn a_promotion_that_fails_keeps_the_pending_upload_only() {
    for number in 1..=4 {
        let (planned, store, key) = with_pending(Plan {
            fail: Some(number),
            ..Plan::default()
        })
        .await;
        store.promote(&key).await.expect_err("as planned");
        assert_eq!(planned.keys().await, [key.as_str()], "put {number}");
        let image = store.promote(&key).await.expect("the second try");
        assert_eq!(planned.keys().await.len(), 4);
        assert_eq!(image.key.uuid(), key.uuid());
        let error = store.promote(&key).await.expect_err("gone");
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
}

#[tokio::test]
async fn a_promotion_whose_answer_was_lost_can_be_repeated() {
    for number in 1..=4 {
        let plan = Plan {
            lose_answer: Some(number),
            ..Plan::default()
        };
        let (planned, store, key) = with_pending(plan).await;
        store.promote(&key).await.expect_err("as planned");
        let left = planned.keys().await;
        // Once the image itself may be another's too, it stays, and is whole.
        let expected = if number < 4 { 1 } else { 5 };
        assert_eq!(left.len(), expected, "put {number}: {left:?}");
        let image = store.promote(&key).await.expect("the second try");
        assert_eq!(planned.keys().await.len(), 4, "put {number}");
        assert_eq!(
            store.get(&image.key).await.expect("there").bytes.len() as u64,
            image.size
        );
    }
}

/// One promotion waits before a put while another goes through as a whole, or fails at any of its own,
/// with or without having written.
#[tokio::test]
async fn two_promotions_at_once_make_one_image() {
    for hold in 1..=4 {
        // The held one's puts before the gate come first; the failure then hits the other.
        let failing = [None, Some(5), Some(6), Some(7), Some(8)];
        let plans = failing.map(|fail| (fail, None));
        let lost = failing.map(|lose_answer| (None, lose_answer));
        for (fail, lose_answer) in plans.into_iter().chain(lost) {
            let plan = Plan {
                hold: Some(hold),
                fail,
                lose_answer,
                ..Plan::default()
            };
            let case = format!("hold {hold}, fail {fail:?}, lose {lose_answer:?}");
            let (planned, store, key) = with_pending(plan).await;
            let held = tokio::spawn({
                let (store, key) = (store.clone(), key.clone());
                async move { store.promote(&key).await }
            });
            planned.held.notified().await;
            let other = store.promote(&key).await;
            planned.gate.add_permits(1);
            let held = held.await.expect("joined");

            let images: Vec<_> = [held, other].into_iter().flatten().collect();
            assert!(!images.is_empty(), "{case}");
            for image in &images {
                assert_eq!(image.key, images[0].key);
                assert_eq!(image.sha256, images[0].sha256);
                for key in image
                    .variants
                    .values()
                    .map(|variant| &variant.key)
                    .chain([&image.key])
                {
                    assert!(store.exists(key).await.expect("asked"), "{key}: {case}");
                }
            }
            assert_eq!(planned.keys().await.len(), 4, "{case}");
        }
    }
}

#[tokio::test]
async fn a_form_promises_the_url_that_the_image_gets() {
    let store = ImageStore::builder()
        .memory()
        .with_secret(SECRET)
        .with_variants(variants())
        .build()
        .expect("valid");
    let form = store
        .presigned_post("board.png", PresignPostOptions::default())
        .await
        .expect("signed");
    assert!(form.key.is_pending() && form.key.extension() == Some("jpg"));
    store
        .receive_post(form.fields.clone(), photo())
        .await
        .expect("received");
    let image = store.promote(&form.key).await.expect("promoted");
    assert_eq!(image.url, form.file_url);
    assert_eq!(image.key.uuid(), form.key.uuid());
    assert!(!store.exists(&form.key).await.expect("asked"));
}

/// The promotion stands before its first, second or third put, and its image is deleted meanwhile; then it
/// goes on.
#[tokio::test]
async fn a_deletion_in_the_middle_of_a_promotion_leaves_nothing() {
    for hold in 1..=4 {
        let (planned, store, key) = with_pending(Plan {
            hold: Some(hold),
            ..Plan::default()
        })
        .await;
        let promotion = tokio::spawn({
            let (store, key) = (store.clone(), key.clone());
            async move { store.promote(&key).await }
        });
        planned.held.notified().await;
        let image = ObjectKey::parse(key.as_str().trim_start_matches("pending/")).expect("a key");
        store.delete(&image).await.expect("deleted");
        planned.gate.add_permits(1);
        let error = promotion.await.expect("joined").expect_err("deleted");
        assert_eq!(error.kind(), ErrorKind::NotFound, "put {hold}");
        // The pending upload stays for the sweep, and what says that it must not be promoted.
        let tombstone = key.as_str().replace(".jpg", ".gone");
        assert_eq!(
            planned.keys().await,
            [tombstone, key.to_string()],
            "put {hold}"
        );
        let error = store.promote(&key).await.expect_err("deleted");
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
}

/// The answer lies there, and whoever asked goes away before taking it.
#[tokio::test]
async fn an_image_of_which_nobody_learned_is_removed() {
    let thumb = OptimizeOptions::default().with_max_size(40, 40);
    let builder = ImageStore::builder().memory();
    let builder = builder.with_variant(Variant::new("thumb", thumb).expect("a variant"));
    let store = builder.build().expect("a store");
    let begin = || Box::pin(store.upload(images::jpeg(120, 90), ()));
    let mut upload = begin();
    while store.list_all(None).await.expect("listed").len() < 2 {
        let poll = poll_fn(|context| Poll::Ready(upload.as_mut().poll(context)));
        if let Poll::Ready(image) = poll.await {
            // It took the answer at once: again.
            let image = image.expect("stored");
            store.delete(&image.key).await.expect("removed");
            upload = begin();
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    drop(upload);
    let ends = Instant::now() + Duration::from_secs(10);
    while !store.list_all(None).await.expect("listed").is_empty() {
        assert!(Instant::now() < ends, "it is still there");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
