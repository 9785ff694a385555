//! What comes after the upload: new sizes, all at once or when somebody asks for one.
#![cfg(feature = "s3")]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::{FutureExt, StreamExt};
use lablink_storage::ops::{RegenerateOptions, regenerate};
use lablink_storage::{
    ErrorKind, ImageStore, ImageStoreBuilder, ObjectKey, OptimizeOptions, OutputFormat,
    StoredImage, Variant, optimize,
};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use tokio::sync::{Barrier, Semaphore};

use crate::common::{images, patient};
use crate::noted::Noted;

fn variant(name: &str, side: u32) -> Variant {
    let options = OptimizeOptions::default().with_max_size(side, side);
    Variant::new(name, options).expect("a name")
}

fn builder(noted: &Arc<Noted>) -> ImageStoreBuilder {
    ImageStore::builder().object_store(noted.clone())
}

fn lazy(noted: &Arc<Noted>) -> ImageStore {
    let poster = variant("poster", 40).with_lazy(true);
    builder(noted).with_variant(poster).build().expect("valid")
}

/// The variants and the original go at the same time and are waited for, then the main object goes.
#[tokio::test]
async fn an_upload_with_its_original_and_three_variants_takes_two_round_trips() {
    let noted = Noted::new();
    let together = Arc::new(Barrier::new(4));
    noted.before(move |call, location| {
        let main = location.as_ref().ends_with(".jpg") && location.parts().count() == 2;
        let together = Arc::clone(&together);
        if call != "put" || main {
            return async {}.boxed();
        }
        // Were one of them to wait for another, none would go on.
        async move {
            let met = tokio::time::timeout(Duration::from_secs(20), together.wait());
            met.await.expect("all four are on the way at once");
        }
        .boxed()
    });
    let store = builder(&noted)
        .with_variants(["a", "b", "c"].map(|name| variant(name, 30)))
        .with_keep_original(true)
        .build()
        .expect("valid");
    let image = store
        .upload(images::jpeg(90, 60), ())
        .await
        .expect("stored");
    let calls = noted.calls();
    assert_eq!(calls.len(), 5, "{calls:?}");
    assert_eq!(
        calls[4],
        ("put", image.key.to_string()),
        "the main object is the last"
    );
}

async fn stored(store: &ImageStore, count: u16) -> Vec<StoredImage> {
    let mut stored = Vec::new();
    for number in 0..count {
        let image = images::jpeg(20 + number % 16, 16);
        stored.push(store.upload(image, ()).await.expect("stored"));
    }
    stored
}

#[tokio::test]
async fn a_listing_alone_says_what_is_missing() {
    let noted = Noted::new();
    let plain = builder(&noted).build().expect("valid");
    let count = if crate::common::full() { 1000 } else { 100 };
    let images = stored(&plain, count).await;
    noted.calls();

    let thumb = variant("thumb", 8);
    let store = builder(&noted).with_variant(thumb).build().expect("valid");
    let report = regenerate(&store, &RegenerateOptions::default())
        .await
        .expect("ran");
    assert_eq!(
        (report.images, report.made, report.failed),
        (u64::from(count), u64::from(count), 0)
    );
    for image in &images {
        let main = store.get(&image.key).await.expect("there");
        assert_eq!(
            (main.info.e_tag, main.info.size),
            (image.e_tag.clone(), image.size)
        );
        let url = store.variant_url(&image.key, "thumb").expect("configured");
        let thumb = store.get(url).await.expect("there").bytes;
        assert_eq!(
            optimize(&thumb, &OptimizeOptions::default())
                .expect("whole")
                .width,
            8
        );
    }
    noted.calls();
    let again = regenerate(&store, &RegenerateOptions::default())
        .await
        .expect("ran");
    assert_eq!((again.complete, again.made), (u64::from(count), 0));
    let calls = noted.calls();
    assert!(
        calls.iter().all(|(call, _)| *call == "list") && calls.len() == 1,
        "{calls:?}"
    );
}

/// SSIMULACRA2 against the photograph, scaled to the same size: a variant hardly smaller than the main image of
/// the defaults.
#[tokio::test]
async fn variants_of_an_original_are_better_than_of_the_main_image() {
    let photo = std::fs::read("examples/photo.jpg").expect("the example photo");
    let main = patient();
    let card = patient().with_max_size(1000, 1000).with_quality(95);
    let reference = optimize(&photo, &card.clone().with_format(OutputFormat::Png)).expect("whole");
    let mut scores = Vec::new();
    for keep in [true, false] {
        let noted = Noted::new();
        let before = builder(&noted)
            .with_optimize(main.clone())
            .with_keep_original(keep);
        let image = before
            .build()
            .expect("valid")
            .upload(photo.clone(), ())
            .await
            .expect("stored");
        assert_eq!((image.width, image.height), (1200, 900));
        let card = Variant::new("card", card.clone()).expect("a name");
        let store = builder(&noted)
            .with_optimize(main.clone())
            .with_variant(card);
        let store = store.build().expect("valid");
        regenerate(&store, &RegenerateOptions::default())
            .await
            .expect("ran");
        let url = store.variant_url(&image.key, "card").expect("configured");
        let made = store.get(url).await.expect("there").bytes;
        scores.push(crate::common::ssimulacra2(&reference.data, &made));
    }
    println!(
        "SSIMULACRA2 of the original {:.2}, of the main image {:.2}",
        scores[0], scores[1]
    );
    assert!(scores[0] > scores[1] + 0.5, "{scores:?}");
}

#[tokio::test]
async fn thirty_two_callers_make_one_variant_with_one_decode() {
    let noted = Noted::new();
    let store = lazy(&noted);
    let image = store
        .upload(images::jpeg(300, 200), ())
        .await
        .expect("stored");
    assert!(image.variants.is_empty(), "nobody has asked for it");
    noted.calls();
    let calls = (0..32).map(|_| store.ensure_variant(&image.key, "poster"));
    let made = join_all(calls).await;
    let first = made[0].as_ref().expect("made").clone();
    assert_eq!((first.width, first.height), (40, 27));
    assert!(made.iter().all(|one| one.as_ref().expect("made") == &first));
    let calls = noted.calls();
    let count = |kind: &str, key: &ObjectKey| {
        let same = calls
            .iter()
            .filter(|(call, at)| *call == kind && at == key.as_str());
        same.count()
    };
    assert_eq!(
        (count("put", &first.key), count("get", &image.key)),
        (1, 1),
        "{calls:?}"
    );

    // Another process finds it there, and tells the same.
    assert_eq!(
        lazy(&noted)
            .ensure_variant(&image.key, "poster")
            .await
            .expect("there"),
        first
    );
    assert_eq!(noted.calls_of("put"), [""; 0]);
}

/// Neither store sees the other's variant before it has made its own: the first write wins, and both answer
/// with it. The sizes tell whose it is.
#[tokio::test]
async fn of_two_stores_that_write_at_once_the_first_wins() {
    let noted = Noted::new();
    let stores = [40, 48].map(|side| {
        let poster = variant("poster", side).with_lazy(true);
        builder(&noted).with_variant(poster).build().expect("valid")
    });
    let image = stores[0]
        .upload(images::jpeg(300, 200), ())
        .await
        .expect("stored");
    noted.calls();
    let both = Arc::new(Barrier::new(2));
    noted.before(move |call, location| {
        let both = Arc::clone(&both);
        let poster = call == "put" && location.as_ref().ends_with("poster.jpg");
        async move {
            if poster {
                let met = tokio::time::timeout(Duration::from_secs(20), both.wait());
                met.await.expect("both are about to write");
            }
        }
        .boxed()
    });
    let calls = stores
        .iter()
        .map(|store| store.ensure_variant(&image.key, "poster"));
    let made: Vec<_> = join_all(calls)
        .await
        .into_iter()
        .map(|one| one.expect("made"))
        .collect();
    assert_eq!(made[0], made[1]);
    assert_eq!(noted.calls_of("put"), [made[0].key.as_str(); 2]);
    let there = stores[0].get(&made[0].key).await.expect("there");
    assert_eq!(
        (there.info.e_tag, there.info.size),
        (made[0].e_tag.clone(), made[0].size)
    );
    let whole = optimize(&there.bytes, &OptimizeOptions::default()).expect("whole");
    assert_eq!((whole.width, whole.height), (made[0].width, made[0].height));
    assert!([(40, 27), (48, 32)].contains(&(whole.width, whole.height)));
    let listed = stores[0].list_all(None).await.expect("listed");
    assert_eq!(listed.len(), 2, "{listed:?}");
}

#[tokio::test]
async fn a_variant_of_an_image_that_is_deleted_meanwhile_does_not_stay() {
    let noted = Noted::new();
    let store = lazy(&noted);
    let image = store
        .upload(images::jpeg(300, 200), ())
        .await
        .expect("stored");
    let (inner, main) = (Arc::clone(&noted.inner), Path::from(image.key.as_str()));
    noted.after(move |_, location| {
        let (inner, main) = (Arc::clone(&inner), main.clone());
        let poster = location.as_ref().ends_with("poster.jpg");
        async move {
            if poster {
                inner.delete(&main).await.expect("removed");
            }
        }
        .boxed()
    });
    let error = store
        .ensure_variant(&image.key, "poster")
        .await
        .expect_err("it is gone");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let left: Vec<_> = store.list_all(None).await.expect("listed");
    assert!(left.is_empty(), "{left:?}");
}

/// A deletion leaves a tombstone. One of an earlier deletion, of an image that came back from a backup, may go
/// while the image is made anew: that is no deletion.
#[tokio::test]
async fn only_a_deletion_meanwhile_removes_what_is_made_anew() {
    for is_deleted in [false, true] {
        let noted = Noted::new();
        let store = builder(&noted).with_keep_original(true).build();
        let store = store.expect("valid");
        let image = store.upload(images::jpeg(300, 200), ()).await;
        let image = image.expect("stored");
        let original = image.original.as_ref().expect("kept");
        let mut backup = Vec::new();
        for key in [image.key.as_str(), original.as_str()] {
            let path = Path::from(key);
            let object = noted.inner.get(&path).await.expect("there");
            backup.push((path, object.bytes().await.expect("read")));
        }
        store.delete(&image.key).await.expect("deleted");
        for (path, bytes) in backup {
            noted.inner.put(&path, bytes.into()).await.expect("back");
        }
        let tombstone = noted.inner.list(None).filter_map(|object| async {
            let path = object.expect("listed").location;
            path.as_ref().ends_with(".gone").then_some(path)
        });
        let tombstone = tombstone.collect::<Vec<Path>>().await.remove(0);
        let (inner, main) = (Arc::clone(&noted.inner), Path::from(image.key.as_str()));
        noted.after(move |_, written| {
            let (inner, tombstone) = (Arc::clone(&inner), tombstone.clone());
            let is_main = *written == main;
            async move {
                if is_main && is_deleted {
                    inner.put(&tombstone, "".into()).await.expect("put");
                } else if is_main {
                    inner.delete(&tombstone).await.expect("gone");
                }
            }
            .boxed()
        });
        let options = RegenerateOptions::default().with_main(true).with_all(true);
        let report = regenerate(&store, &options).await.expect("ran");
        assert_eq!(report.failures.len(), 0, "{report:?}");
        let there = store.exists(&image.key).await.expect("asked");
        assert_eq!(there, !is_deleted);
    }
}

/// While a page's call looks whether the variant is there, an application's joins it. The page then has no turn.
#[tokio::test]
async fn an_application_that_joined_a_page_waits_for_a_turn_of_its_own() {
    let noted = Noted::new();
    let poster = variant("poster", 40).with_lazy(true);
    let store = builder(&noted).with_variant(poster).with_max_decodes(2);
    let store = store.build().expect("valid");
    let images = stored(&store, 2).await;
    let [first, second] = [0, 1].map(|at| images[at].key.clone());
    let poster = lablink_storage::variant_key(&second, "poster").expect("a key");

    // The one turn of pages is taken by the first image, whose source is not handed out; and the second's variant
    // is looked for until it is let go.
    let (source, look) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let gates = [
        (first.to_string(), Arc::clone(&source)),
        (poster.to_string(), Arc::clone(&look)),
    ];
    noted.before(move |call, location| {
        let held = gates
            .iter()
            .find(|(key, _)| call == "get" && location.as_ref() == key);
        let gate = held.map(|(_, gate)| Arc::clone(gate));
        async move {
            if let Some(gate) = gate {
                gate.acquire().await.expect("open").forget();
            }
        }
        .boxed()
    });
    let page = |key: &ObjectKey| {
        let (store, key) = (store.clone(), key.to_string());
        tokio::spawn(async move { store.serve_variant(&key, "poster").await })
    };
    let asked_for = async |key: &ObjectKey| {
        while !noted.calls().contains(&("get", key.to_string())) {
            tokio::task::yield_now().await;
        }
    };
    let serving = page(&first);
    asked_for(&first).await;
    let refused = page(&second);
    asked_for(&poster).await;
    let joined = tokio::spawn({
        let (store, second) = (store.clone(), second.clone());
        async move { store.ensure_variant(&second, "poster").await }
    });
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    look.add_permits(10);
    let busy = refused.await.expect("no panic").expect_err("no turn");
    assert_eq!(busy.kind(), ErrorKind::Unavailable);
    let made = joined.await.expect("no panic").expect("a turn of its own");
    assert_eq!(made.key, poster);
    source.add_permits(10);
    serving.await.expect("no panic").expect("served");
}

#[tokio::test]
async fn what_pages_ask_for_is_bounded() {
    let noted = Noted::new();
    let poster = variant("poster", 40).with_lazy(true);
    let store = builder(&noted)
        .with_variant(poster)
        .with_max_decodes(2)
        .build();
    let store = store.expect("valid");
    let images = stored(&store, 2).await;
    let (first, second) = (images[0].key.to_string(), images[1].key.to_string());

    // One of two decodes serves pages. While it is taken, the next is told to come again.
    let gate = Arc::new(Semaphore::new(0));
    let (waiting, held) = (Arc::clone(&gate), first.clone());
    noted.before(move |call, location| {
        let (gate, held) = (
            Arc::clone(&waiting),
            call == "get" && location.as_ref() == held,
        );
        async move {
            if held {
                gate.acquire().await.expect("open").forget();
            }
        }
        .boxed()
    });
    let one = tokio::spawn({
        let (store, first) = (store.clone(), first.clone());
        async move { store.serve_variant(&first, "poster").await }
    });
    while !noted.calls().contains(&("get", first.clone())) {
        tokio::task::yield_now().await;
    }
    let busy = store
        .serve_variant(&second, "poster")
        .await
        .expect_err("no turn");
    assert_eq!(
        (busy.kind(), busy.is_retryable()),
        (ErrorKind::Unavailable, true)
    );
    // An application's own call waits for its turn instead.
    store
        .ensure_variant(second.as_str(), "poster")
        .await
        .expect("made");
    store
        .serve_variant(&second, "poster")
        .await
        .expect("it is there");
    gate.add_permits(1);
    let url = one.await.expect("ended").expect("made");
    assert_eq!(
        url,
        store
            .variant_url(&images[0].key, "poster")
            .expect("configured")
    );
}

#[tokio::test]
async fn a_failure_is_remembered_and_what_is_not_public_is_not_there() {
    let noted = Noted::new();
    let store = lazy(&noted);
    let image = store
        .upload(images::jpeg(60, 40), ())
        .await
        .expect("stored");
    let half = Bytes::from_static(b"\xff\xd8\xff\xe0 half a picture");
    let main = Path::from(image.key.as_str());
    noted.inner.put(&main, half.into()).await.expect("damaged");
    let key = image.key.as_str();
    let kind = store
        .serve_variant(key, "poster")
        .await
        .expect_err("damaged")
        .kind();
    assert_eq!(kind, ErrorKind::InvalidImage);
    noted.calls();
    let again = store
        .serve_variant(key, "poster")
        .await
        .expect_err("damaged");
    assert_eq!((again.kind(), noted.calls().len()), (kind, 0));

    let id = image.key.uuid().expect("an upload's");
    for (key, name) in [
        (key.to_owned(), "huge"),
        (key.to_owned(), "../x"),
        (format!("components/{}.jpg", uuid::Uuid::new_v4()), "poster"),
        (format!("components/{id}/poster.jpg"), "poster"),
        (format!("pending/components/{id}.jpg"), "poster"),
        (format!("originals/components/{id}"), "poster"),
        (format!("backups/{id}.jpg"), "poster"),
        ("components/../secret".to_owned(), "poster"),
        (image.url.clone(), "poster"),
    ] {
        let error = store.serve_variant(&key, name).await.expect_err(&key);
        assert_eq!(error.kind(), ErrorKind::NotFound, "{key} {name}");
    }
    assert_eq!(noted.calls_of("put"), [""; 0]);
}
