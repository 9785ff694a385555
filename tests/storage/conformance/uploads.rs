//! What an upload answers, stores and refuses.

use std::time::{Duration, SystemTime};

use aws_lc_rs::digest;
use lablink_storage::{ErrorKind, ImageFormat, OptimizeOptions, OutputFormat, UploadOptions};
use uuid::Uuid;

use super::place::{Place, THUMB, kind, listed, thumb};
use crate::common::images;

const CACHE_FOR_EVER: &str = "public, max-age=31536000, immutable";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub async fn answers_with_what_is_stored(place: &Place) {
    let store = place.store();
    let image = store
        .upload(images::jpeg(1500, 300), UploadOptions::default())
        .await
        .expect("stored");

    let id = image
        .key
        .as_str()
        .strip_prefix("components/")
        .and_then(|name| name.strip_suffix(".jpg"));
    let id = id
        .and_then(|id| Uuid::parse_str(id).ok())
        .expect("components/<uuid>.jpg");
    assert_eq!(id.get_version_num(), 4);
    assert_eq!((image.width, image.height), (1200, 240));
    assert_eq!(image.content_type, "image/jpeg");
    assert_eq!((image.source.width, image.source.height), (1500, 300));

    let object = store.get(&image.key).await.expect("there");
    assert_eq!(object.bytes.len() as u64, image.size);
    assert_eq!(
        image.sha256,
        hex(digest::digest(&digest::SHA256, &object.bytes).as_ref())
    );
    assert_eq!(object.info, store.head(&image.key).await.expect("there"));
    assert_eq!(object.info.key, image.key);
    assert_eq!(object.info.size, image.size);
    assert_eq!(object.info.e_tag, image.e_tag);

    assert_eq!(image.url, store.public_url(&image.key));
    assert_eq!(
        store.key_from_url(&image.url).expect("its own URL"),
        image.key
    );
    assert!(store.exists(&image.key).await.expect("answered"));
}

pub async fn keeps_type_and_cache_control(place: &Place) {
    let store = place.store();
    let before = SystemTime::now() - Duration::from_secs(2);
    let image = store
        .upload(images::jpeg(60, 40), UploadOptions::default())
        .await
        .expect("stored");
    let info = store.head(&image.key).await.expect("there");
    assert_eq!(info.content_type.as_deref(), Some("image/jpeg"));
    assert_eq!(info.cache_control.as_deref(), Some(CACHE_FOR_EVER));
    assert!(
        info.last_modified >= before
            && info.last_modified <= SystemTime::now() + Duration::from_secs(2)
    );
    assert_eq!(info.variant, None);
}

pub async fn takes_the_cache_control_of_the_configuration(place: &Place) {
    let store = place
        .builder()
        .with_cache_control("private, max-age=60")
        .build()
        .expect("valid");
    let image = store
        .upload(images::jpeg(60, 40), UploadOptions::default())
        .await
        .expect("stored");
    let info = store.head(&image.key).await.expect("there");
    assert_eq!(info.cache_control.as_deref(), Some("private, max-age=60"));
}

pub async fn are_seen_after_a_restart(place: &Place) {
    let image = place
        .store()
        .upload(images::jpeg(60, 40), UploadOptions::default())
        .await
        .expect("stored");
    let later = place.store();
    let object = later.get(&image.key).await.expect("there");
    assert_eq!(object.info.content_type.as_deref(), Some("image/jpeg"));
    assert_eq!(object.info.cache_control.as_deref(), Some(CACHE_FOR_EVER));
    assert_eq!(object.bytes.len() as u64, image.size);
    later.delete(&image.key).await.expect("removed");
    assert_eq!(listed(&later).await, [""; 0]);
}

pub async fn writes_every_variant(place: &Place) {
    let store = place
        .builder()
        .with_variant(thumb())
        .with_variant(
            lablink_storage::Variant::new(
                "card-2",
                OptimizeOptions::default().with_max_size(100, 100),
            )
            .expect("valid"),
        )
        .build()
        .expect("valid");
    let image = store
        .upload(images::jpeg(300, 200), UploadOptions::default())
        .await
        .expect("stored");

    let names: Vec<&str> = image.variants.keys().map(String::as_str).collect();
    assert_eq!(names, ["card-2", "thumb"]);
    for (name, expected) in [("thumb", (40, 27)), ("card-2", (100, 67))] {
        let variant = &image.variants[name];
        let folder = image.key.as_str().trim_end_matches(".jpg");
        assert_eq!(variant.key.as_str(), format!("{folder}/{name}.jpg"));
        assert_eq!((variant.width, variant.height), expected);
        assert_eq!(
            variant.url,
            store
                .variant_url(&image.key, name)
                .expect("a variant of the store")
        );
        assert_eq!(
            store.key_from_url(&variant.url).expect("its own URL"),
            variant.key
        );
        let object = store.get(&variant.key).await.expect("there");
        assert_eq!(object.info.content_type.as_deref(), Some("image/jpeg"));
        assert_eq!(object.bytes.len() as u64, variant.size);
        let again = lablink_storage::optimize(&object.bytes, &OptimizeOptions::default())
            .expect("an image");
        assert_eq!((again.width, again.height), expected);
    }
    assert_eq!(
        kind(store.variant_url(&image.key, "poster")),
        ErrorKind::InvalidArgument
    );
}

pub async fn takes_extension_and_type_from_the_bytes(place: &Place) {
    for (format, extension, content_type) in [
        (OutputFormat::Jpeg, "jpg", "image/jpeg"),
        (OutputFormat::Png, "png", "image/png"),
        (OutputFormat::WebP, "webp", "image/webp"),
        (OutputFormat::Auto, "webp", "image/webp"),
    ] {
        let store = place
            .builder()
            .with_optimize(OptimizeOptions::default().with_format(format))
            .with_variant(thumb())
            .build()
            .expect("valid");
        let options = UploadOptions::default().with_filename("evil.html");
        let image = store
            .upload(images::png_with_alpha(120, 80), options)
            .await
            .expect("stored");
        assert_eq!(image.key.extension(), Some(extension));
        assert_eq!(image.variants[THUMB].key.extension(), Some(extension));
        assert_eq!(image.content_type, content_type);
        let object = store.get(&image.key).await.expect("there");
        assert_eq!(object.info.content_type.as_deref(), Some(content_type));
        let found = ImageFormat::sniff(&object.bytes).expect("an image");
        assert_eq!(found.mime_type(), content_type);
    }
}

pub async fn never_overwrites(place: &Place) {
    let id = Uuid::new_v4();
    let store = place
        .builder()
        .with_variant(thumb())
        .with_ids(move || id)
        .build()
        .expect("valid");
    let first = store
        .upload(images::jpeg(100, 100), UploadOptions::default())
        .await
        .expect("stored");
    let before = store.get(&first.key).await.expect("there").bytes;
    let thumb_before = store
        .get(&first.variants[THUMB].key)
        .await
        .expect("there")
        .bytes;

    let second = store
        .upload(images::jpeg(90, 30), UploadOptions::default())
        .await;
    assert_eq!(kind(second), ErrorKind::AlreadyExists);

    // Nor has the failure cleared away what it had not written.
    assert_eq!(store.get(&first.key).await.expect("there").bytes, before);
    assert_eq!(
        store
            .get(&first.variants[THUMB].key)
            .await
            .expect("there")
            .bytes,
        thumb_before
    );
    assert_eq!(listed(&store).await.len(), 2);
}

pub async fn overwrites_where_create_only_is_off(place: &Place) {
    let id = Uuid::new_v4();
    let store = place
        .builder()
        .with_create_only(false)
        .with_ids(move || id)
        .build()
        .expect("valid");
    store
        .upload(images::jpeg(100, 100), UploadOptions::default())
        .await
        .expect("stored");
    let second = store
        .upload(images::jpeg(90, 30), UploadOptions::default())
        .await
        .expect("stored again");
    assert_eq!(
        store.head(&second.key).await.expect("there").size,
        second.size
    );
}

pub async fn refuses_what_is_no_image_and_stores_nothing(place: &Place) {
    let store = place.store();
    for (name, bytes) in images::not_images() {
        let options = UploadOptions::default().with_filename("photo.jpg");
        let kind = kind(store.upload(bytes, options).await);
        let expected = [ErrorKind::InvalidImage, ErrorKind::UnsupportedFormat];
        assert!(expected.contains(&kind), "{name}: {kind:?}");
    }
    let mut truncated = images::jpeg(300, 200);
    truncated.truncate(truncated.len() / 2);
    assert_eq!(
        kind(store.upload(truncated, UploadOptions::default()).await),
        ErrorKind::InvalidImage
    );
    assert_eq!(listed(&store).await, [""; 0]);
}

pub async fn goes_on_at_once_for_many_callers(place: &Place) {
    let store = place.store();
    let uploads = (0..12u16).map(|n| {
        let store = store.clone();
        tokio::spawn(async move {
            store
                .upload(images::jpeg(60 + n, 40), UploadOptions::default())
                .await
        })
    });
    let mut keys = Vec::new();
    for (upload, width) in uploads.collect::<Vec<_>>().into_iter().zip(60..) {
        let image = upload.await.expect("no panic").expect("stored");
        assert_eq!(image.width, width);
        keys.push(image.key.to_string());
        keys.push(image.variants[THUMB].key.to_string());
    }
    keys.sort();
    assert_eq!(listed(&store).await, keys);
}
