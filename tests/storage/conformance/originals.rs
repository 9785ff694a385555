//! What came in, kept beside what was made of it.

use lablink_storage::{ErrorKind, ImageFormat, ImageStore, PresignGetOptions};
use uuid::Uuid;

use super::place::{Place, key, kind, listed, thumb};
use crate::common::images;
use crate::common::s3::Server;

/// Says in which orientation it is to be shown, and what must not be published.
fn photo() -> Vec<u8> {
    images::jpeg_with_exif(300, 200, Some(6))
}

fn keeping(place: &Place) -> ImageStore {
    let builder = place.builder().with_variant(thumb());
    builder.with_keep_original(true).build().expect("valid")
}

fn tells_secrets(bytes: &[u8]) -> bool {
    let has = |part: &[u8]| images::contains(bytes, part);
    has(b"SECRETS") || has(b"Exif") || has(b"eXIf") || images::tells_position(bytes)
}

pub async fn are_kept_as_they_came(place: &Place) {
    let store = keeping(place);
    for (bytes, format) in [
        (photo(), ImageFormat::Jpeg),
        (images::png_with_alpha(90, 60), ImageFormat::Png),
    ] {
        let image = store.upload(bytes.clone(), ()).await.expect("stored");
        let id = image.key.uuid().expect("an upload's");
        let original = image.original.clone().expect("kept");
        assert_eq!(original.as_str(), format!("originals/components/{id}"));

        for named in [image.key.as_str(), image.url.as_str()] {
            let found = store.original(named).await.expect("there");
            assert_eq!(found.bytes, bytes);
            let is_photo = format == ImageFormat::Jpeg;
            assert_eq!(images::tells_position(&found.bytes), is_photo);
            assert_eq!(found.info.key, original);
            let content_type = found.info.content_type.as_deref();
            assert_eq!(content_type, Some(format.mime_type()));
            let cache_control = found.info.cache_control.as_deref();
            assert_eq!(cache_control, Some("private, no-store"));
        }
        for key in [&image.key, &image.variants["thumb"].key] {
            let published = store.get(key).await.expect("there").bytes;
            assert!(!tells_secrets(&published), "{key}");
        }
    }
}

pub async fn are_nobodys_to_see(place: &Place) {
    let store = keeping(place);
    let image = store.upload(photo(), ()).await.expect("stored");
    let original = image.original.expect("kept");
    let stem = image.key.as_str().trim_end_matches(".jpg");
    let variant = image.variants["thumb"].key.to_string();
    let public = [image.key.to_string(), variant];
    assert_eq!(listed(&store).await.len(), public.len());
    for key in listed(&store).await {
        assert!(public.contains(&key) && key.starts_with(stem), "{key}");
    }
    // Nor by a store without a prefix, under which everything lies.
    if !matches!(
        store.config().backend(),
        lablink_storage::BackendConfig::Memory { .. }
    ) {
        assert_eq!(place.everything(&store).await, listed(&store).await);
    }
    assert_eq!(kind(store.get(&original).await), ErrorKind::InvalidKey);
    assert_eq!(kind(store.head(&original).await), ErrorKind::InvalidKey);
    assert_eq!(kind(store.delete(&original).await), ErrorKind::InvalidKey);
    assert_eq!(
        kind(store.resolve(original.as_str())),
        ErrorKind::InvalidKey
    );
    assert_eq!(
        kind(store.public_key(original.as_str())),
        ErrorKind::InvalidKey
    );
    let signed = store.presigned_get(&original, PresignGetOptions::default());
    assert_eq!(kind(signed.await), ErrorKind::InvalidKey);
    let url = image.url.replace(image.key.as_str(), original.as_str());
    assert_eq!(kind(store.key_from_url(&url)), ErrorKind::ForeignUrl);
    assert_eq!(kind(store.get(&url).await), ErrorKind::ForeignUrl);
    assert_eq!(
        store.original(&image.key).await.expect("still there").bytes,
        photo()
    );
}

pub async fn are_handed_out_as_attachments(place: &Place) {
    let store = keeping(place);
    let image = store.upload(photo(), ()).await.expect("stored");
    let options = PresignGetOptions::default;
    if !place.is_s3() {
        let signed = store.presigned_original(&image.key, options()).await;
        assert_eq!(kind(signed), ErrorKind::NotSupported);
        return;
    }
    let id = image.key.uuid().expect("an upload's");
    for (options, name) in [
        (options(), format!("{id}.jpg")),
        (
            options().with_download_as("board.jpg"),
            "board.jpg".to_owned(),
        ),
    ] {
        let signed = store.presigned_original(&image.key, options).await;
        let url = signed.expect("signed").url;
        let server = Server::from_env().expect("it is this place's");
        let answer = server.anonymous("GET", &url).await.ok();
        let disposition = answer.header("content-disposition").to_owned();
        assert!(disposition.starts_with("attachment;"), "{disposition}");
        assert!(disposition.contains(&name), "{disposition}");
        assert_eq!(answer.body, photo());
        // Without its signature it is nobody's.
        let bare = url.split('?').next().expect("a path");
        assert_eq!(server.anonymous("GET", bare).await.status, 403);
    }
    let none = place.store().upload(photo(), ()).await.expect("stored");
    let signed = store.presigned_original(&none.key, options()).await;
    assert_eq!(kind(signed), ErrorKind::NotFound);
}

pub async fn are_kept_on_request_alone(place: &Place) {
    let store = place.store();
    let image = store.upload(photo(), ()).await.expect("stored");
    assert_eq!(image.original, None);
    assert_eq!(kind(store.original(&image.key).await), ErrorKind::NotFound);
    let other = key("components/board.jpg");
    assert_eq!(kind(store.original(&other).await), ErrorKind::InvalidKey);
    let pending = key(&format!("pending/components/{}.jpg", Uuid::new_v4()));
    assert_eq!(kind(store.original(&pending).await), ErrorKind::InvalidKey);
}

pub async fn go_with_their_image(place: &Place) {
    let store = keeping(place);
    let (first, second) = (
        store.upload(photo(), ()).await,
        store.upload(photo(), ()).await,
    );
    let (first, second) = (first.expect("stored"), second.expect("stored"));
    store.delete(&first.key).await.expect("removed");
    assert_eq!(kind(store.original(&first.key).await), ErrorKind::NotFound);
    store.original(&second.key).await.expect("another's");
    if !matches!(
        store.config().backend(),
        lablink_storage::BackendConfig::Memory { .. }
    ) {
        // By a store that keeps none any more.
        place
            .store()
            .delete_url(&second.url)
            .await
            .expect("removed");
        assert_eq!(kind(store.original(&second.key).await), ErrorKind::NotFound);
    }
}

pub async fn come_with_what_is_promoted(place: &Place) {
    let store = keeping(place);
    let pending = place.put_pending(&store, photo()).await;
    let image = store.promote(&pending).await.expect("promoted");
    let original = store.original(&image.key).await.expect("kept");
    assert_eq!(original.bytes, photo());
    assert!(images::tells_position(&original.bytes));
    assert_eq!(Some(original.info.key), image.original);
    let published = store.get(&image.key).await.expect("there").bytes;
    assert!(!tells_secrets(&published));
}

pub async fn are_taken_back_with_a_failed_upload(place: &Place) {
    let id = Uuid::new_v4();
    let store = keeping_as(place, id);
    let first = store.upload(photo(), ()).await.expect("stored");
    // Its key is taken, by an image with an original: that stays.
    let other = images::png_rgb(80, 60);
    assert_eq!(
        kind(store.upload(other.clone(), ()).await),
        ErrorKind::AlreadyExists
    );
    assert_eq!(
        store.original(&first.key).await.expect("kept").bytes,
        photo()
    );

    if matches!(
        store.config().backend(),
        lablink_storage::BackendConfig::Memory { .. }
    ) {
        return;
    }
    // By one without: the one that was written goes again.
    let id = Uuid::new_v4();
    let plain = place.builder().with_ids(move || id).build().expect("valid");
    let first = plain.upload(photo(), ()).await.expect("stored");
    let store = keeping_as(place, id);
    assert_eq!(
        kind(store.upload(other, ()).await),
        ErrorKind::AlreadyExists
    );
    assert_eq!(kind(store.original(&first.key).await), ErrorKind::NotFound);
    let folder = first.key.as_str().trim_end_matches(".jpg");
    let left = listed(&store).await;
    let left: Vec<_> = left.iter().filter(|key| key.starts_with(folder)).collect();
    assert_eq!(left, [first.key.as_str()]);
}

fn keeping_as(place: &Place, id: Uuid) -> ImageStore {
    let builder = place.builder().with_variant(thumb()).with_ids(move || id);
    builder.with_keep_original(true).build().expect("valid")
}
