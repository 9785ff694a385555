//! Originals move with their images, between stores that both keep them, and stay private on the way.
#![cfg(all(feature = "s3", feature = "local"))]

use std::path::Path;

use lablink_storage::ops::{MigrateOptions, MigrateReport, Place, migrate};
use lablink_storage::{ImageStore, ImageStoreBuilder, ObjectKey, OptimizeOptions, StoredImage};

use crate::common::images;
use crate::common::s3::{Bucket, Server};

fn keeping(builder: ImageStoreBuilder, prefix: &str) -> ImageStore {
    let small = OptimizeOptions::default().with_max_size(60, 60);
    let builder = builder.with_keep_original(true).with_prefix(prefix);
    builder.with_optimize(small).build().expect("a store")
}

fn directory(directory: &Path, prefix: &str) -> ImageStore {
    keeping(ImageStore::builder().local(directory), prefix)
}

fn on_ceph(bucket: &Bucket, prefix: &str) -> ImageStore {
    keeping(bucket.store(), prefix)
}

/// Three images of photographs that differ and tell where they were taken, as uploads leave them.
async fn fill(store: &ImageStore) -> Vec<(StoredImage, Vec<u8>)> {
    let mut stored = Vec::new();
    for width in [90, 120, 150] {
        let photo = images::jpeg_with_exif(width, 80, Some(1));
        let image = store.upload(photo.clone(), ()).await.expect("stored");
        stored.push((image, photo));
    }
    stored
}

async fn moved(source: &ImageStore, target: &ImageStore, optimize: bool) -> MigrateReport {
    let places = [source, target].map(|store| Place::of_store(store.clone()));
    let options = MigrateOptions::default().with_optimize(optimize);
    let report = migrate(&places[0], &places[1], &options, |_| {}).await;
    report.expect("a report")
}

/// The key of the same upload under the target's prefix.
fn under(prefix: &str, key: &ObjectKey) -> ObjectKey {
    let (_, name) = key.as_str().split_once('/').expect("a prefix");
    ObjectKey::parse(format!("{prefix}/{name}")).expect("valid")
}

async fn arrives(source: &ImageStore, target: &ImageStore, prefix: &str) {
    let stored = fill(source).await;
    let report = moved(source, target, false).await;
    assert!(report.is_complete(), "{report:?}");
    assert_eq!((report.copied, report.originals), (3, 3), "{report:?}");
    for (image, photo) in &stored {
        let key = under(prefix, &image.key);
        let copy = target.get(&key).await.expect("there");
        assert_eq!(copy.bytes.len() as u64, image.size);
        assert!(!images::contains(&copy.bytes, b"Exif"));
        let original = target.original(&key).await.expect("kept");
        assert_eq!(original.bytes, *photo);
        assert!(images::tells_position(&original.bytes));
        assert_eq!(original.info.content_type.as_deref(), Some("image/jpeg"));
        assert_eq!(
            original.info.cache_control.as_deref(),
            Some("private, no-store")
        );
        // Nothing is taken away where it came from.
        assert_eq!(
            source.original(&image.key).await.expect("kept").bytes,
            *photo
        );
    }
    let listed = target.list_all(None).await.expect("listed");
    assert_eq!(listed.len(), 3, "an original is in no listing");
    let again = moved(source, target, false).await;
    assert!(again.is_complete(), "{again:?}");
    assert_eq!((again.copied, again.originals, again.present), (0, 0, 3));

    for (image, _) in &stored {
        let key = under(prefix, &image.key);
        target.delete(&key).await.expect("deleted");
        target
            .original(&key)
            .await
            .expect_err("gone with its image");
    }
}

#[tokio::test]
async fn originals_arrive_with_their_images() {
    let Some(server) = Server::from_env() else {
        return;
    };
    let (one, other) = (server.bucket().await, server.bucket().await);
    let files = [(); 3].map(|()| tempfile::tempdir().expect("a directory"));
    let [from, to, there] = files.each_ref().map(tempfile::TempDir::path);
    arrives(
        &directory(from, "components"),
        &on_ceph(&one, "boards"),
        "boards",
    )
    .await;
    arrives(
        &on_ceph(&one, "components"),
        &on_ceph(&other, "components"),
        "components",
    )
    .await;
    arrives(
        &on_ceph(&other, "tools"),
        &directory(to, "boards"),
        "boards",
    )
    .await;
    arrives(&directory(there, "tools"), &directory(to, "tools"), "tools").await;
}

#[tokio::test]
async fn they_are_private_where_images_are_public() {
    let Some(server) = Server::from_env() else {
        return;
    };
    let bucket = server.bucket().await;
    bucket.publish("boards").await;
    let files = tempfile::tempdir().expect("a directory");
    let (source, target) = (
        directory(files.path(), "components"),
        on_ceph(&bucket, "boards"),
    );
    let (image, _) = fill(&source).await.remove(0);
    moved(&source, &target, false).await;
    let key = under("boards", &image.key);
    target.original(&key).await.expect("kept");
    let url = target.public_url(&key);
    let public = server.anonymous("GET", &url).await;
    assert_eq!(public.status, 200);
    assert!(!images::contains(&public.body, b"Exif"));
    let original = image.original.expect("kept");
    let name = original.as_str().rsplit_once('/').expect("a prefix").1;
    let (root, _) = url.split_once("/boards/").expect("the prefix");
    let hidden = format!("{root}/originals/boards/{name}");
    assert_eq!(server.anonymous("GET", &hidden).await.status, 403);
}

/// What is made anew on the way is made of the original, which goes along.
#[tokio::test]
async fn optimizing_takes_the_original() {
    let Some(server) = Server::from_env() else {
        return;
    };
    let bucket = server.bucket().await;
    let files = tempfile::tempdir().expect("a directory");
    let source = directory(files.path(), "components");
    let stored = fill(&source).await;
    let larger = bucket
        .store()
        .with_keep_original(true)
        .with_prefix("boards");
    let target = larger.build().expect("a store");
    let report = moved(&source, &target, true).await;
    assert!(report.is_complete() && report.copied == 3, "{report:?}");
    let listed = target.list_all(None).await.expect("listed");
    assert_eq!(listed.len(), 3);
    let mut sizes = Vec::new();
    for info in listed {
        let original = target.original(&info.key).await.expect("kept").bytes;
        let (_, photo) = stored
            .iter()
            .find(|(_, photo)| *photo == original)
            .expect("one of them");
        let made = lablink_storage::optimize(photo, &OptimizeOptions::default()).expect("an image");
        let published = target.get(&info.key).await.expect("there").bytes;
        assert_eq!(published, made.data);
        assert!(images::tells_position(&original) && !images::contains(&published, b"Exif"));
        sizes.push(made.width);
    }
    sizes.sort_unstable();
    assert_eq!(
        sizes,
        [90, 120, 150],
        "not the 60 pixels of what was published"
    );
}

/// A migration that left them behind would not be complete, and says so.
#[tokio::test]
async fn originals_that_may_not_be_read_are_named() {
    let Some(server) = Server::from_env() else {
        return;
    };
    let bucket = server.bucket().await;
    let stored = fill(&on_ceph(&bucket, "components")).await;
    // Everybody may list, and read the images: another user's store is a reader without rights to originals.
    bucket.publish("components").await;
    let reader = keeping(bucket.store_as(&server.other), "components");
    for optimize in [false, true] {
        let files = tempfile::tempdir().expect("a directory");
        let places = [reader.clone(), directory(files.path(), "components")];
        let places = places.map(Place::of_store);
        let options = MigrateOptions::default().with_optimize(optimize);
        match migrate(&places[0], &places[1], &options, |_| {}).await {
            Ok(report) => {
                assert!(!report.is_complete() && report.originals == 0, "{report:?}");
                let words = format!("{report:?}");
                assert!(words.contains("access denied"), "{words}");
            }
            Err(error) => assert!(error.to_string().contains("access denied"), "{error}"),
        }
    }
    assert_eq!(stored.len(), 3);
}
