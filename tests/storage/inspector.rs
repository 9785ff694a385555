//! An inspector sees every new image before anything of it is written, and what it does not agree to is not
//! there afterwards.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lablink_storage::object_store::{self, ObjectStoreExt};
use lablink_storage::ops::{MigrateOptions, Place, handle_event, migrate};
use lablink_storage::{
    Config, ErrorKind, ImageStore, ImageStoreBuilder, InspectError, Inspecting, Inspection,
    Inspector, OptimizeOptions, PresignPostOptions, PresignPutOptions, PromoteOptions,
    UploadOptions, Variant,
};
use serde_json::json;

use crate::common::images;
use crate::fetch::{PUBLIC, Site, answer};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// Notes what it sees, and answers as it is told.
#[derive(Clone, Default)]
struct Noting {
    seen: Arc<Mutex<Vec<Inspection>>>,
    answer: Arc<Mutex<Answer>>,
}

#[derive(Clone, Copy, Default)]
enum Answer {
    #[default]
    Agree,
    Reject,
    Fail,
    Silence,
}

impl Inspector for Noting {
    fn inspect<'a>(&'a self, image: &'a Inspection) -> Inspecting<'a> {
        Box::pin(async move {
            self.seen.lock().expect("noted").push(image.clone());
            let answer = *self.answer.lock().expect("told");
            match answer {
                Answer::Agree => Ok(()),
                Answer::Reject => Err(InspectError::rejected("not a board\n\x1b[31m")),
                Answer::Fail => Err(std::io::Error::other("the service is down").into()),
                Answer::Silence => std::future::pending().await,
            }
        })
    }
}

impl Noting {
    fn told(&self, answer: Answer) {
        *self.answer.lock().expect("told") = answer;
    }

    fn take(&self) -> Vec<Inspection> {
        std::mem::take(&mut self.seen.lock().expect("noted"))
    }
}

fn builder(inspector: &Noting) -> ImageStoreBuilder {
    let thumb = OptimizeOptions::default().with_max_size(40, 40);
    ImageStore::builder()
        .memory()
        .with_secret(SECRET)
        .with_variant(Variant::new("thumb", thumb).expect("a variant"))
        .with_inspector(inspector.clone())
}

async fn count(store: &ImageStore) -> usize {
    store.list_all(None).await.expect("listed").len()
}

#[tokio::test]
async fn an_upload_is_seen_whole_small_and_upright() {
    let inspector = Noting::default();
    let store = builder(&inspector).build().expect("a store");
    // Lies on its side: 600 x 300 as stored.
    let photo = images::jpeg_with_exif(600, 300, Some(6));
    let options = UploadOptions::default()
        .with_filename("board.jpg")
        .with_context(json!({"user": 7}));
    let image = store.upload(photo.clone(), options).await.expect("stored");
    let [seen] = &inspector.take()[..] else {
        panic!("seen once");
    };
    assert_eq!(seen.data, photo);
    assert_eq!((seen.picture.width(), seen.picture.height()), (256, 512));
    assert_eq!(seen.picture.rgb().len(), 256 * 512 * 3);
    assert_eq!(seen.source, image.source);
    assert_eq!((seen.source.width, seen.source.height), (600, 300));
    assert_eq!(seen.dhash, image.dhash);
    assert_eq!(seen.filename.as_deref(), Some("board.jpg"));
    assert_eq!(seen.context, Some(json!({"user": 7})));
    assert_eq!(image.source.sha256.len(), 64);
    assert_ne!(image.source.sha256, image.sha256);

    // The same pixels by another decoder: of the PNG, by the png crate; of what is stored, by zune-jpeg.
    let png = seen.picture.to_png();
    let mut reader = png::Decoder::new(std::io::Cursor::new(&png))
        .read_info()
        .expect("a PNG");
    let mut decoded = vec![0; reader.output_buffer_size().expect("a size")];
    reader.next_frame(&mut decoded).expect("a frame");
    assert_eq!(decoded, seen.picture.rgb());
    let stored = store.get(&image.key).await.expect("stored").bytes;
    let mut decoder = zune_jpeg::JpegDecoder::new(std::io::Cursor::new(stored.to_vec()));
    let large = decoder.decode().expect("a JPEG");
    let at = |rgb: &[u8], width: usize, height: usize, x: f64, y: f64| -> [i32; 3] {
        let place = (y * height as f64) as usize * width + (x * width as f64) as usize;
        std::array::from_fn(|channel| rgb[place * 3 + channel].into())
    };
    let (mut off, mut all) = (0, 0);
    for step in 0..400 {
        let (x, y) = (f64::from(step % 20) / 20.0, f64::from(step / 20) / 20.0);
        let small = at(&decoded, 256, 512, x, y);
        let large = at(&large, 300, 600, x, y);
        all += 3;
        off += small
            .iter()
            .zip(large)
            .filter(|(a, b)| (*a - b).abs() > 40)
            .count();
    }
    assert!(off * 10 < all, "{off} of {all} differ");
}

/// What was rejected would be so the next time: the queue is told that it is done.
#[tokio::test]
async fn an_event_of_an_upload_that_is_rejected_does_not_come_again() {
    let inspector = Noting::default();
    let bucket = Arc::new(object_store::memory::InMemory::new());
    let store = ImageStore::builder()
        .object_store(bucket.clone())
        .with_inspector(inspector.clone())
        .build()
        .expect("a store");
    let key = "pending/components/6f9619ff-8b86-4d01-b42d-00cf4fc964ff.jpg";
    let uploaded = bucket.put(&key.into(), images::jpeg(64, 48).into()).await;
    uploaded.expect("there");
    let event = json!({"Records": [{
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Post",
        "s3": {"bucket": {"name": "lab"}, "object": {"key": key}},
    }]});
    for (told, is_done) in [
        (Answer::Fail, false),
        (Answer::Reject, true),
        (Answer::Agree, true),
    ] {
        inspector.told(told);
        let report = handle_event(&store, event.to_string().as_bytes()).await;
        let report = report.expect("an event");
        assert_eq!(report.is_done(), is_done, "{report:?}");
        let words = format!("{report:?}");
        let rejected = matches!(told, Answer::Reject);
        assert_eq!(
            words.contains("Refused") && words.contains("not a board"),
            rejected,
            "{words}"
        );
    }
    assert_eq!(count(&store).await, 1);
}

/// Of each way in which a new image is written: what the inspector rejects, cannot tell, or does not answer in
/// time is not stored, and the pending upload stays for another try.
#[tokio::test]
async fn what_is_not_agreed_to_is_not_stored() {
    let photo = images::jpeg(64, 48);
    let served = photo.clone();
    let site = Site::open(move |_| answer("200 OK", "", &served));
    let address = site.address;
    let inspector = Noting::default();
    let store = builder(&inspector)
        .with_deadline(Duration::from_millis(1500))
        .with_fetch_hosts(["*"])
        .with_network(
            |_| Ok(vec![PUBLIC.parse().expect("an address")]),
            move |_| address,
        )
        .build()
        .expect("a store");
    let post = store
        .presigned_post("a.jpg", PresignPostOptions::default())
        .await
        .expect("a form");
    store
        .receive_post(post.fields, photo.clone())
        .await
        .expect("received");
    let [seen] = &inspector.take()[..] else {
        panic!("seen as it arrives");
    };
    assert_eq!((&seen.data, &seen.filename), (&photo.clone().into(), &None));
    assert_eq!((seen.picture.width(), seen.picture.height()), (64, 48));
    let again = store
        .presigned_post("a.jpg", PresignPostOptions::default())
        .await
        .expect("a form");
    let old = tempfile::tempdir().expect("a directory");
    std::fs::write(old.path().join("a.jpg"), &photo).expect("written");
    let source = Place::open(old.path().to_str().expect("UTF-8"), []).expect("a place");
    let target = Place::of_store(store.clone());

    for (told, kind, retryable) in [
        (Answer::Reject, ErrorKind::Rejected, false),
        (Answer::Fail, ErrorKind::Unavailable, true),
        (Answer::Silence, ErrorKind::Timeout, true),
    ] {
        inspector.told(told);
        let context = PromoteOptions::default().with_context("form 3");
        let outcomes = [
            store.upload(photo.clone(), ()).await,
            store
                .upload_from_url("http://photos.example/a.jpg", ())
                .await,
            store.promote_with(&post.key, context).await,
        ];
        let form = again.fields.clone();
        let received = store.receive_post(form, photo.clone()).await;
        let error = received.expect_err("not agreed to");
        assert_eq!((error.kind(), error.is_retryable()), (kind, retryable));
        assert!(!store.exists(&again.key).await.expect("asked"));
        for outcome in outcomes {
            let error = outcome.expect_err("not agreed to");
            assert_eq!(
                (error.kind(), error.is_retryable()),
                (kind, retryable),
                "{error}"
            );
            if kind == ErrorKind::Rejected {
                let words = "the image was rejected: not a board\\n\\u{1b}[31m";
                assert_eq!(error.to_string(), words);
                assert_eq!(error.kind().http_status(), 422);
            }
        }
        for optimize in [false, true] {
            let options = MigrateOptions::default().with_optimize(optimize);
            let report = migrate(&source, &target, &options, |_| {})
                .await
                .expect("a report");
            assert_eq!((report.copied, report.failed), (0, 1), "{report:?}");
            assert_eq!(report.failures[0].kind, kind);
        }
        let seen = inspector.take();
        assert_eq!(seen.len(), 6);
        assert!(
            seen.iter().all(|one| one.source.sha256.len() == 64),
            "{seen:?}"
        );
        assert_eq!(seen[1].filename.as_deref(), Some("a.jpg"));
        assert_eq!(seen[2].context, Some(json!("form 3")));
        assert_eq!(count(&store).await, 0);
    }

    inspector.told(Answer::Agree);
    store
        .promote(&post.key)
        .await
        .expect("it was left for another try");
    let report = migrate(&source, &target, &MigrateOptions::default(), |_| {}).await;
    assert_eq!(report.expect("a report").copied, 1);
    assert_eq!(count(&store).await, 3); // an image, its thumbnail, and a copy
    assert_eq!(inspector.take().len(), 2);
    // What is there already is no new image.
    let report = migrate(&source, &target, &MigrateOptions::default(), |_| {}).await;
    assert_eq!(report.expect("a report").present, 1);
    assert!(inspector.take().is_empty());
}

/// What would reach a public key unseen is refused, and so is a form that was signed before.
#[tokio::test]
async fn final_keys_are_not_supported() {
    let signing = ImageStore::builder()
        .memory()
        .with_secret(SECRET)
        .build()
        .expect("a store");
    let direct = PresignPostOptions::default().with_pending(false);
    let earlier = signing
        .presigned_post("a.jpg", direct.clone())
        .await
        .expect("a form");
    let inspector = Noting::default();
    let store = builder(&inspector).build().expect("a store");
    let on_s3 = ImageStore::builder()
        .s3("lab-images")
        .with_credentials("AKIAIOSFODNN7EXAMPLE", "secret", None::<&str>)
        .with_inspector(inspector.clone())
        .build()
        .expect("a store");
    let put = PresignPutOptions::default().with_pending(false);
    let received = store.receive_post(earlier.fields, images::jpeg(8, 8)).await;
    for error in [
        store
            .presigned_post("a.jpg", direct.clone())
            .await
            .expect_err("refused"),
        on_s3
            .presigned_post("a.jpg", direct)
            .await
            .expect_err("refused"),
        on_s3
            .presigned_put("a.jpg", put)
            .await
            .expect_err("refused"),
        received.expect_err("refused"),
    ] {
        assert_eq!(error.kind(), ErrorKind::NotSupported, "{error}");
    }
    assert_eq!(count(&store).await, 0);
    on_s3
        .presigned_put("a.jpg", PresignPutOptions::default())
        .await
        .expect("a pending one");
}

/// A name is no inspector: without somebody who can call it, nothing is published, and everything else works.
#[tokio::test]
async fn a_named_inspector_that_cannot_be_called_stops_publishing() {
    let named = [
        ("LABLINK_STORAGE_MEMORY", "true"),
        ("LABLINK_STORAGE_INSPECTOR", "lab.moderation:inspect"),
    ];
    let vars = named.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let store = ImageStore::from_config(Config::from_vars(vars).expect("valid")).expect("a store");
    let error = store
        .upload(images::jpeg(8, 8), ())
        .await
        .expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(
        error
            .to_string()
            .starts_with("LABLINK_STORAGE_INSPECTOR names a Python callable")
    );
    assert_eq!(count(&store).await, 0);
    assert!(store.status().await.accessible);

    for wrong in ["inspect", ":inspect", "lab.moderation:"] {
        let vars = [("LABLINK_STORAGE_INSPECTOR".to_owned(), wrong.to_owned())];
        let error = Config::from_vars(vars).expect_err(wrong);
        assert_eq!(error.setting(), "LABLINK_STORAGE_INSPECTOR");
    }
}

/// An inspector looks at the images of other callers meanwhile.
#[tokio::test]
async fn inspections_do_not_wait_for_each_other() {
    struct Meeting(tokio::sync::Barrier, AtomicU32);
    impl Inspector for Meeting {
        fn inspect<'a>(&'a self, _: &'a Inspection) -> Inspecting<'a> {
            Box::pin(async move {
                self.0.wait().await;
                self.1.fetch_add(1, Ordering::SeqCst);
                Ok(())
            })
        }
    }
    let meeting = Meeting(tokio::sync::Barrier::new(4), AtomicU32::new(0));
    let store = ImageStore::builder()
        .memory()
        .with_max_decodes(1)
        .with_inspector(meeting);
    let store = store.build().expect("a store");
    let uploads = (0..4).map(|_| store.upload(images::jpeg(16, 16), ()));
    for outcome in futures_util::future::join_all(uploads).await {
        outcome.expect("stored");
    }
}

/// Beside imagehash 4.3 (`imagehash.dhash` of the upright picture): it resizes with another filter, so that
/// bits of nearly equal neighbours may differ.
#[tokio::test]
async fn difference_hashes_are_those_of_imagehash() {
    let mut cases = vec![("examples/photo.jpg".into(), 0xf0d2_b333_3327_32f0)];
    if let Some(corpus) = crate::common::corpus() {
        for (name, hash) in [
            ("cam2_420_q85.jpg", 0x2a5c_ac71_cbc6_24e8_u64),
            ("cam3_422_q92.jpg", 0xc0f1_d0e0_e0d0_e0e8),
            ("cam5_420_q90.jpg", 0x480c_1212_6563_b70d),
        ] {
            cases.push((corpus.join("bench").join(name), hash));
        }
    }
    let options = crate::common::patient().with_max_size(400, 400);
    let mut hashes = Vec::new();
    for (path, expected) in cases {
        let photo = std::fs::read(&path).expect("a photograph");
        let image = lablink_storage::optimize(&photo, &options).expect("an image");
        let own = u64::from_str_radix(&image.dhash, 16).expect("hexadecimal");
        assert!(
            (own ^ expected).count_ones() <= 6,
            "{}: {own:016x}",
            path.display()
        );
        // Smaller and worse, it looks the same.
        let worse = options.clone().with_max_size(150, 150).with_quality(40);
        let again = lablink_storage::optimize(&image.data, &worse)
            .expect("an image")
            .dhash;
        let again = u64::from_str_radix(&again, 16).expect("hexadecimal");
        assert!(
            (own ^ again).count_ones() <= 4,
            "{}: {again:016x}",
            path.display()
        );
        hashes.push(own);
    }
    for (index, one) in hashes.iter().enumerate() {
        for other in &hashes[..index] {
            assert!((one ^ other).count_ones() > 10, "different pictures");
        }
    }
}
