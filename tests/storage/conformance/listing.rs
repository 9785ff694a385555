//! What is listed, and what is not.

use std::collections::BTreeSet;

use futures_util::{StreamExt, TryStreamExt, stream};
use lablink_storage::{ErrorKind, UploadOptions};

use super::place::{Place, THUMB, kind, listed};
use crate::common::images;

pub async fn of_nothing_is_empty(place: &Place) {
    let store = place.store();
    assert_eq!(listed(&store).await, [""; 0]);
    assert!(store.list(Some("components/none")).next().await.is_none());
}

pub async fn tells_what_was_uploaded(place: &Place) {
    let store = place.store();
    let image = store
        .upload(images::jpeg(60, 40), UploadOptions::default())
        .await
        .expect("stored");
    let mut found: Vec<_> = store.list(None).try_collect().await.expect("listed");
    found.sort_by(|a, b| a.variant.cmp(&b.variant));
    let [main, variant] = found.as_slice() else {
        panic!("two objects, not {found:?}")
    };
    assert_eq!(
        (&main.key, main.size, main.variant.as_deref()),
        (&image.key, image.size, None)
    );
    assert_eq!(main.e_tag, image.e_tag);
    let thumb = &image.variants[THUMB];
    assert_eq!(
        (&variant.key, variant.size, variant.variant.as_deref()),
        (&thumb.key, thumb.size, Some(THUMB))
    );
    for info in &found {
        // S3's listing has none; no backend may make one up that the object does not have.
        assert!(
            info.content_type
                .as_deref()
                .is_none_or(|told| told == "image/jpeg")
        );
    }
}

pub async fn refuses_a_foreign_prefix(place: &Place) {
    let store = place.store();
    for prefix in [
        "other",
        "component",
        "components2",
        "pending/components",
        "components/../other",
        "/components",
    ] {
        let first = store.list(Some(prefix)).next().await.expect("an answer");
        assert_eq!(kind(first), ErrorKind::InvalidKey, "{prefix}");
    }
}

pub async fn keeps_to_the_prefix(place: &Place) {
    let bytes = || images::jpeg(16, 16);
    for key in [
        "components/a.jpg",
        "components/sub/b.jpg",
        "components/sub/deep/c.jpg",
        "components/subway/d.jpg",
        "components2/e.jpg",
        "other/f.jpg",
        "g.jpg",
    ] {
        place.put_raw(key, bytes(), "image/jpeg").await;
    }
    let store = place.store();
    let inside = [
        "components/a.jpg",
        "components/sub/b.jpg",
        "components/sub/deep/c.jpg",
        "components/subway/d.jpg",
    ];
    assert_eq!(listed(&store).await, inside);

    for prefix in ["components/sub", "components/sub/"] {
        let mut sub: Vec<String> = store
            .list(Some(prefix))
            .map_ok(|info| info.key.to_string())
            .try_collect()
            .await
            .expect("listed");
        sub.sort();
        assert_eq!(sub, inside[1..3]);
    }

    let nested = place
        .builder()
        .with_prefix("components/sub")
        .build()
        .expect("valid");
    assert_eq!(listed(&nested).await, inside[1..3]);
}

pub async fn leaves_pending_uploads_out(place: &Place) {
    let store = place.store();
    let pending = place.put_pending(&store, images::jpeg(16, 16)).await;
    assert!(pending.as_str().starts_with("pending/components/"));
    assert_eq!(listed(&store).await, [""; 0]);
    assert!(
        store.exists(&pending).await.expect("answered"),
        "it is there all the same"
    );
}

pub async fn goes_on_beyond_one_page(place: &Place) {
    // S3 lists at most 1000 keys a page.
    let expected: BTreeSet<String> = (0..1105)
        .map(|n| format!("components/many/{n:04}.png"))
        .collect();
    let bytes = images::png_rgb(2, 2);
    stream::iter(&expected)
        .for_each_concurrent(16, |key| place.put_raw(key, bytes.clone(), "image/png"))
        .await;
    let store = place.store();
    let found: Vec<String> = store
        .list(None)
        .map_ok(|info| info.key.to_string())
        .try_collect()
        .await
        .expect("listed");
    assert_eq!(found.len(), expected.len(), "none is listed twice");
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), expected);

    let first: Vec<_> = store
        .list(None)
        .take(7)
        .try_collect()
        .await
        .expect("listed");
    assert_eq!(first.len(), 7);
}
