//! Direct uploads that become images, and the status. What may be sent and what not is `tests/` of signing.

use std::time::{Duration, Instant};

use lablink_storage::{
    ErrorKind, ImageFormat, ImageStore, ObjectKey, OptimizeOptions, UploadOptions, Variant,
};
use uuid::Uuid;

use super::place::{Place, THUMB, key, kind, listed, thumb};
use crate::common::{hostile, images};

pub async fn promote_keeps_the_uuid_and_clears_away(place: &Place) {
    let store = place.store();
    let pending = place.put_pending(&store, images::jpeg(1500, 300)).await;
    let image = store.promote(&pending).await.expect("promoted");
    assert_eq!(image.key.uuid(), pending.uuid());
    assert_eq!(
        image.key.as_str(),
        pending.as_str().trim_start_matches("pending/")
    );
    assert_eq!((image.width, image.height), (1200, 240));
    assert_eq!(
        store
            .head(&image.key)
            .await
            .expect("there")
            .content_type
            .as_deref(),
        Some("image/jpeg")
    );
    assert_eq!(
        store.head(&image.key).await.expect("there").e_tag,
        image.e_tag
    );
    assert!(
        store
            .exists(&image.variants[THUMB].key)
            .await
            .expect("answered")
    );
    assert!(!store.exists(&pending).await.expect("answered"));
}

pub async fn promote_twice_finds_nothing(place: &Place) {
    let store = place.store();
    let pending = place.put_pending(&store, images::jpeg(60, 40)).await;
    let image = store.promote(&pending).await.expect("promoted");
    assert_eq!(kind(store.promote(&pending).await), ErrorKind::NotFound);
    assert!(store.exists(&image.key).await.expect("answered"));
}

pub async fn promote_at_once_makes_one_image(place: &Place) {
    let store = place.store();
    for _ in 0..5 {
        let pending = place.put_pending(&store, images::jpeg(60, 40)).await;
        let (one, two) = tokio::join!(store.promote(&pending), store.promote(&pending));
        let won: Vec<_> = [&one, &two].into_iter().flatten().collect();
        assert!(!won.is_empty(), "{one:?} {two:?}");
        for result in [&one, &two] {
            match result {
                Ok(image) => assert_eq!((&image.key, &image.e_tag), (&won[0].key, &won[0].e_tag)),
                Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound),
            }
        }
        assert_eq!(
            store.get(&won[0].key).await.expect("there").bytes.len() as u64,
            won[0].size
        );
        assert!(
            store
                .exists(&won[0].variants[THUMB].key)
                .await
                .expect("answered")
        );
        assert!(!store.exists(&pending).await.expect("answered"));
    }
    assert_eq!(listed(&store).await.len(), 10);
}

/// How often a promotion is raced by a deletion on each backend: `LABLINK_RACES`, or a few, under `--full` many.
fn races() -> usize {
    let set = std::env::var("LABLINK_RACES").ok();
    let usual = if crate::common::full() { 500 } else { 25 };
    set.map_or(usual, |races| races.parse().expect("a number"))
}

pub async fn promote_and_delete_at_once_leave_all_or_nothing(place: &Place) {
    let small = OptimizeOptions::default().with_max_size(20, 20);
    let store = place
        .builder()
        .with_variant(thumb())
        .with_variant(Variant::new("small", small).expect("a name"))
        .with_keep_original(true)
        .build()
        .expect("valid");
    // Deletions begin at every moment of a promotion: as long as one takes is the measure.
    let began = Instant::now();
    let pending = place.put_pending(&store, images::jpeg(60, 40)).await;
    store.promote(&pending).await.expect("promoted");
    let longest = began.elapsed();
    let (mut halves, mut promoted) = (Vec::new(), 0);
    for _ in 0..races() {
        let pending = place.put_pending(&store, images::jpeg(60, 40)).await;
        let key = key(pending.as_str().trim_start_matches("pending/"));
        let moment = u32::from(Uuid::new_v4().as_bytes()[0]);
        let delete = async {
            tokio::time::sleep(longest * moment / 255).await;
            store.delete(&key).await
        };
        let (image, deleted) = tokio::join!(store.promote(&pending), delete);
        deleted.expect("deleted");
        match image {
            Ok(_) => promoted += 1,
            Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound, "{error}"),
        }
        let id = key.uuid().expect("an upload's key").to_string();
        let left = listed(&store)
            .await
            .into_iter()
            .filter(|key| key.contains(&id));
        let left: Vec<String> = left.collect();
        let original = store.original(&key).await.is_ok();
        if !matches!((left.len(), original), (0, false) | (3, true)) {
            halves.push((left, original));
        }
        store.delete(&key).await.expect("deleted");
    }
    println!("{promoted} of {} promotions ended before", races());
    assert!(halves.is_empty(), "{} halves: {halves:?}", halves.len());
}

pub async fn a_form_used_again_brings_nothing_back(place: &Place) {
    let store = place.store();
    let pending = place.put_pending(&store, images::jpeg(60, 40)).await;
    let image = store.promote(&pending).await.expect("promoted");
    store.delete(&image.key).await.expect("deleted");
    let other = images::jpeg(90, 30);
    place.put_raw(pending.as_str(), other, "image/jpeg").await;
    let error = store.promote(&pending).await.expect_err("deleted");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(
        error.hint().expect("a hint").contains("new form"),
        "{error}"
    );
    assert_eq!(listed(&store).await, [""; 0]);
    assert_eq!(place.everything(&store).await, [""; 0]);
    // A sweep takes what was sent again, and keeps what says that it is not to be promoted.
    let swept = store.sweep(Duration::ZERO, false).await.expect("swept");
    assert_eq!((swept.removed, swept.found.len()), (1, 1));
    let other = images::jpeg(90, 30);
    place.put_raw(pending.as_str(), other, "image/jpeg").await;
    assert_eq!(kind(store.promote(&pending).await), ErrorKind::NotFound);
    // Other uploads are not concerned.
    let pending = place.put_pending(&store, images::jpeg(60, 40)).await;
    store.promote(&pending).await.expect("promoted");
}

pub async fn promote_refuses_what_is_not_pending(place: &Place) {
    let store = place.store();
    let image = store
        .upload(images::jpeg(60, 40), UploadOptions::default())
        .await
        .expect("stored");
    let id = image.key.uuid().expect("an upload's key");
    for other in [
        image.key.clone(),
        image.variants[THUMB].key.clone(),
        key(&format!("pending/other/{id}.jpg")),
        key("pending/components/board.jpg"),
        key(&format!("components/pending/components/{id}.jpg")),
    ] {
        assert_eq!(
            kind(store.promote(&other).await),
            ErrorKind::InvalidKey,
            "{other}"
        );
    }
    assert!(store.exists(&image.key).await.expect("answered"));
    let missing = key(&format!("pending/components/{id}.jpg"));
    assert_eq!(kind(store.promote(&missing).await), ErrorKind::NotFound);
}

/// The keys that a dry sweep would remove, sorted: what waits to be promoted.
async fn waiting(store: &ImageStore) -> Vec<ObjectKey> {
    let report = store.sweep(Duration::ZERO, true).await.expect("answered");
    let mut keys: Vec<ObjectKey> = report.found.into_iter().map(|found| found.key).collect();
    keys.sort();
    keys
}

pub async fn promote_leaves_what_it_refuses(place: &Place) {
    let store = place.store();
    let mut refused = Vec::new();
    for (name, bytes, expected) in hostile::refused() {
        let pending = place.put_pending(&store, bytes.clone()).await;
        let error = store.promote(&pending).await.expect_err(name);
        assert_eq!(error.kind(), expected, "{name}: {error}");
        assert!(error.hint().is_some() && !error.is_retryable(), "{name}");
        let left = store.get(&pending).await.expect(name).bytes;
        assert_eq!(left, bytes, "{name} is left as it came");
        refused.push(pending);
    }
    assert_eq!(place.everything(&store).await, [""; 0], "nothing is public");

    refused.sort();
    assert_eq!(waiting(&store).await, refused);
    let report = store.sweep(Duration::ZERO, false).await.expect("swept");
    assert_eq!(report.removed, refused.len());
    assert_eq!(waiting(&store).await, []);
    for pending in refused {
        assert_eq!(kind(store.promote(&pending).await), ErrorKind::NotFound);
    }
}

pub async fn promote_refuses_an_empty_object(place: &Place) {
    let store = place.store();
    let Some(pending) = place.put_empty(&store).await else {
        // Here nothing comes in but by a form, and no form allows it.
        return;
    };
    let error = store.promote(&pending).await.expect_err("empty");
    assert_eq!(error.kind(), ErrorKind::InvalidImage, "{error}");
    assert_eq!(waiting(&store).await, [pending]);
    assert_eq!(place.everything(&store).await, [""; 0], "nothing is public");
}

pub async fn promote_lets_no_active_content_through(place: &Place) {
    let store = place.store();
    for (name, bytes) in hostile::polyglots() {
        assert!(hostile::find(&bytes, hostile::CANARY).is_some(), "{name}");
        let pending = place.put_pending(&store, bytes).await;
        match store.promote(&pending).await {
            Ok(image) => {
                assert_eq!(image.content_type, "image/jpeg", "{name}");
                assert!(!store.exists(&pending).await.expect("answered"), "{name}");
            }
            Err(error) => {
                let refusals = [ErrorKind::InvalidImage, ErrorKind::LimitExceeded];
                assert!(refusals.contains(&error.kind()), "{name}: {error}");
                assert!(store.exists(&pending).await.expect("answered"), "{name}");
            }
        }
    }
    let stored = place.everything(&store).await;
    assert!(stored.len() >= 2 * 5, "most are images: {stored:?}");
    for stored in stored {
        let object = store.get(&key(&stored)).await.expect("there");
        for part in [
            hostile::CANARY,
            &hostile::CANARY[..11],
            b"<script",
            b"<?php",
        ] {
            assert_eq!(hostile::find(&object.bytes, part), None, "{stored}");
        }
        assert_eq!(
            ImageFormat::sniff(&object.bytes)
                .expect("an image")
                .mime_type(),
            object.info.content_type.expect("stored with its type")
        );
    }
}

pub async fn status_writes_nothing(place: &Place) {
    let store = place.store();
    let status = store.status().await;
    assert!(status.accessible, "{status:?}");
    assert_eq!(status.enabled, place.is_s3());
    assert_eq!(status.bucket.is_some(), place.is_s3());
    assert_eq!((status.error, status.hint), (None, None));
    let all = place.builder().with_prefix("").build().expect("valid");
    assert_eq!(listed(&all).await, [""; 0]);
}
