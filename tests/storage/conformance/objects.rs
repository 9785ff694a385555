//! Fetching and removing what is stored, and what is not.

use futures_util::TryStreamExt;
use lablink_storage::{ErrorKind, Limits, OptimizeOptions, UploadOptions, Variant};

use super::place::{Place, THUMB, key, kind, listed};
use crate::common::images;

pub async fn missing_ones_are_not_found(place: &Place) {
    let store = place.store();
    let missing = key("components/5f4dcc3b-5aa7-4d61-8d83-27deb882cf99.jpg");
    assert_eq!(kind(store.get(&missing).await), ErrorKind::NotFound);
    assert_eq!(
        kind(store.get_range(&missing, 0..10).await),
        ErrorKind::NotFound
    );
    assert_eq!(kind(store.head(&missing).await), ErrorKind::NotFound);
    assert!(!store.exists(&missing).await.expect("answered"));
    store.delete(&missing).await.expect("gone already");
    store
        .delete_url(&store.public_url(&missing))
        .await
        .expect("gone already");
}

pub async fn are_removed_with_their_variants(place: &Place) {
    let store = place.store();
    let image = store
        .upload(images::jpeg(60, 40), UploadOptions::default())
        .await
        .expect("stored");
    let other = store
        .upload(images::jpeg(50, 40), UploadOptions::default())
        .await
        .expect("stored");
    store.delete(&image.key).await.expect("removed");
    assert!(!store.exists(&image.key).await.expect("answered"));
    assert!(
        !store
            .exists(&image.variants[THUMB].key)
            .await
            .expect("answered")
    );
    assert_eq!(kind(store.get(&image.key).await), ErrorKind::NotFound);
    store.delete(&image.key).await.expect("again is fine");
    assert_eq!(listed(&store).await.len(), 2, "{} stays", other.key);
}

pub async fn are_removed_by_url(place: &Place) {
    let store = place.store();
    let image = store
        .upload(images::jpeg(60, 40), UploadOptions::default())
        .await
        .expect("stored");
    store
        .delete_url(&format!("{}?v=2#top", image.url))
        .await
        .expect("removed");
    assert_eq!(listed(&store).await, [""; 0]);
}

pub async fn are_not_removed_by_a_foreign_url(place: &Place) {
    let store = place.store();
    let image = store
        .upload(images::jpeg(60, 40), UploadOptions::default())
        .await
        .expect("stored");
    let file = image.key.as_str().trim_start_matches("components/");
    let foreign = [
        format!("https://evil.example/{}", image.key),
        format!("https://evil.example/?{}", image.url),
        image
            .url
            .replace("components/", "components/../components/"),
        image
            .url
            .replace("components/", "components/%2e%2e/components/"),
        image.url.replace("components/", "other/"),
        image.url.replace("components/", "components\\"),
        format!("//evil.example/components/{file}"),
        String::new(),
    ];
    for url in foreign {
        assert_eq!(
            kind(store.delete_url(&url).await),
            ErrorKind::ForeignUrl,
            "{url}"
        );
    }
    assert_eq!(listed(&store).await.len(), 2);
}

pub async fn give_a_range_of_their_bytes(place: &Place) {
    let store = place.store();
    let image = store
        .upload(images::jpeg(60, 40), UploadOptions::default())
        .await
        .expect("stored");
    let whole = store.get(&image.key).await.expect("there").bytes;
    let part = store.get_range(&image.key, 2..10).await.expect("there");
    assert_eq!(part.bytes, whole[2..10]);
    assert_eq!(part.info.size, image.size);
    let rest = store
        .get_range(&image.key, image.size - 3..image.size + 100)
        .await
        .expect("there");
    assert_eq!(rest.bytes, whole[whole.len() - 3..]);
    for range in [4..4, image.size..image.size + 1] {
        assert_eq!(
            kind(store.get_range(&image.key, range).await),
            ErrorKind::InvalidArgument
        );
    }
}

pub async fn are_too_large_to_fetch_beyond_the_limit(place: &Place) {
    // The limit on input is the limit on what is fetched: what is larger, this store has not written.
    let limits = Limits::default().with_max_bytes(2000);
    let store = place
        .builder()
        .with_optimize(
            OptimizeOptions::default()
                .with_limits(limits)
                .with_quality(100),
        )
        .build()
        .expect("valid");
    let image = store
        .upload(images::jpeg(16, 16), UploadOptions::default())
        .await
        .expect("stored");
    assert_eq!(
        store
            .get(&image.key)
            .await
            .expect("within the limit")
            .bytes
            .len() as u64,
        image.size
    );
    assert_eq!(
        kind(
            store
                .upload(images::jpeg(200, 200), UploadOptions::default())
                .await
        ),
        ErrorKind::LimitExceeded
    );
}

pub async fn keep_what_only_looks_like_a_variant(place: &Place) {
    // Objects of an application that had its own names before: `board.jpg` and a folder called `board`.
    place
        .put_raw("components/board.jpg", images::jpeg(60, 40), "image/jpeg")
        .await;
    place
        .put_raw(
            "components/board/thumb.jpg",
            images::jpeg(30, 20),
            "image/jpeg",
        )
        .await;
    let store = place.store();
    store
        .delete(&key("components/board.jpg"))
        .await
        .expect("removed");
    assert_eq!(listed(&store).await, ["components/board/thumb.jpg"]);

    // Beside an upload's variants lie other things: another format, a deeper folder.
    let image = store
        .upload(images::jpeg(60, 40), UploadOptions::default())
        .await
        .expect("stored");
    let folder = image.key.as_str().trim_end_matches(".jpg").to_owned();
    let deeper = format!("{folder}/deeper/thumb.jpg");
    place
        .put_raw(&deeper, images::jpeg(30, 20), "image/jpeg")
        .await;
    store.delete(&image.key).await.expect("removed");
    let mut left = vec!["components/board/thumb.jpg".to_owned(), deeper];
    left.sort();
    assert_eq!(listed(&store).await, left);
}

pub async fn lose_variants_of_an_earlier_configuration(place: &Place) {
    let options = OptimizeOptions::default().with_max_size(20, 20);
    let earlier = place
        .builder()
        .with_variants([
            Variant::new("tiny", options.clone()).expect("valid"),
            Variant::new("old", options).expect("valid"),
        ])
        .build()
        .expect("valid");
    let image = earlier
        .upload(images::jpeg(60, 40), UploadOptions::default())
        .await
        .expect("stored");
    let store = place.store();
    let names: Vec<Option<String>> = store
        .list(None)
        .map_ok(|info| info.variant)
        .try_collect()
        .await
        .expect("listed");
    assert_eq!(names.iter().flatten().count(), 2);
    store.delete(&image.key).await.expect("removed");
    assert_eq!(listed(&store).await, [""; 0]);
}
