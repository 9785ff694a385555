//! Versions on a real S3 server: what was deleted comes back, older ones too, and what was erased does not.

use std::time::Duration;

use lablink_storage::ops::{CheckStatus, DoctorOptions, doctor};
use lablink_storage::{
    ErrorKind, ImageStore, ImageStoreBuilder, ObjectKey, OptimizeOptions, Variant,
};

use crate::common::faulty::{Fault, Faulty};
use crate::common::images;
use crate::common::s3::{Bucket, Server};

async fn versioned(server: &Server) -> Bucket {
    let bucket = server.bucket().await;
    let on = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    bucket.send("PUT", "?versioning", on).await.ok();
    bucket
}

fn with_thumb(builder: ImageStoreBuilder) -> ImageStore {
    let thumb = OptimizeOptions::default().with_max_size(40, 40);
    let thumb = Variant::new("thumb", thumb).expect("a variant");
    // Ceph takes no If-None-Match in versioned buckets.
    let builder = builder
        .with_create_only(false)
        .with_keep_original(true)
        .with_variant(thumb);
    builder.build().expect("a store")
}

/// How many versions and marks of deletions the bucket has, of keys with `part` in them.
async fn versions_in(bucket: &Bucket, part: &str) -> usize {
    let listed = bucket.send("GET", "?versions", "").await.ok().text();
    let key = |rest: &str| {
        rest.split("</Key>")
            .next()
            .is_some_and(|key| key.contains(part))
    };
    listed
        .split("<Key>")
        .skip(1)
        .filter(|rest| key(rest))
        .count()
}

#[tokio::test]
async fn a_deleted_image_comes_back_with_its_variants() {
    let Some(server) = Server::from_env() else {
        return;
    };
    let bucket = versioned(&server).await;
    let store = with_thumb(bucket.store());
    let photo = images::jpeg(120, 90);
    let image = store.upload(photo.clone(), ()).await.expect("stored");
    let thumb = image.variants["thumb"].key.clone();
    let bytes = store.get(&image.key).await.expect("there").bytes;
    let small = store.get(&thumb).await.expect("there").bytes;
    let original = store.original(&image.key).await.expect("kept");
    assert_eq!(original.bytes, photo);

    let error = store
        .restore(&image.key, None)
        .await
        .expect_err("it is there");
    assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
    store.delete(&image.key).await.expect("removed");
    let gone = store.original(&image.key).await.expect_err("removed");
    assert_eq!(gone.kind(), ErrorKind::NotFound, "{gone}");
    assert!(!store.exists(&thumb).await.expect("asked"));
    let versions = store.versions(&image.url).await.expect("versions");
    let facts: Vec<_> = versions
        .iter()
        .map(|v| (v.is_deleted, v.is_latest, v.size))
        .collect();
    assert_eq!(facts, [(true, true, 0), (false, false, image.size)]);
    assert_eq!(versions[1].e_tag, image.e_tag);

    let info = store.restore(&image.key, None).await.expect("restored");
    assert_eq!(
        (info.key.clone(), info.size),
        (image.key.clone(), image.size)
    );
    let back = store.get(&image.key).await.expect("back");
    assert_eq!(back.bytes, bytes);
    assert_eq!(back.info.content_type.as_deref(), Some("image/jpeg"));
    let cache = "public, max-age=31536000, immutable";
    assert_eq!(back.info.cache_control.as_deref(), Some(cache));
    assert_eq!(store.get(&thumb).await.expect("back").bytes, small);
    let back = store.original(&image.key).await.expect("back");
    assert_eq!(back.bytes, photo);
    assert_eq!(back.info.cache_control, original.info.cache_control);
    // No version was removed, and the marker of the deletion is gone: a sweep leaves the image alone.
    assert_eq!(store.versions(&image.key).await.expect("versions").len(), 3);
    let keys = bucket.keys().await;
    assert!(!keys.iter().any(|key| key.ends_with(".gone")), "{keys:?}");
}

/// What was pruned before the image was deleted stays pruned.
#[tokio::test]
async fn what_was_removed_earlier_does_not_come_back() {
    let Some(server) = Server::from_env() else {
        return;
    };
    let bucket = versioned(&server).await;
    let store = with_thumb(bucket.store());
    let image = store.upload(images::jpeg(120, 90), ()).await;
    let image = image.expect("stored");
    let thumb = image.variants["thumb"].key.clone();
    let path = format!("/{thumb}");
    bucket.send("DELETE", &path, "").await.ok();
    // The server's clock is what tells them apart.
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    store.delete(&image.key).await.expect("removed");
    store.restore(&image.key, None).await.expect("restored");
    assert!(store.exists(&image.key).await.expect("asked"));
    assert!(!store.exists(&thumb).await.expect("asked"), "{thumb}");
}

/// An earlier version is put in the place of the present one, and can be undone in the same way.
#[tokio::test]
async fn an_earlier_version_is_copied_over() {
    let Some(server) = Server::from_env() else {
        return;
    };
    let bucket = versioned(&server).await;
    let store = with_thumb(bucket.store());
    let image = store
        .upload(images::jpeg(120, 90), ())
        .await
        .expect("stored");
    let first = store.versions(&image.key).await.expect("versions")[0]
        .version
        .clone();
    let target = format!("/{}", image.key);
    bucket
        .send("PUT", &target, "somebody else's bytes")
        .await
        .ok();
    store
        .restore(&image.key, Some(&first))
        .await
        .expect("restored");
    assert_eq!(
        store.head(&image.key).await.expect("there").size,
        image.size
    );
    assert_eq!(store.versions(&image.key).await.expect("versions").len(), 3);
    for wrong in ["no-such-version", ""] {
        let error = store
            .restore(&image.key, Some(wrong))
            .await
            .expect_err(wrong);
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    }
}

/// Nothing brings back what was erased, whatever the key was a part of; its neighbours stay.
#[tokio::test]
async fn an_erased_image_is_gone_with_all_its_versions() {
    let Some(server) = Server::from_env() else {
        return;
    };
    let bucket = versioned(&server).await;
    let store = with_thumb(bucket.store());
    let image = store
        .upload(images::jpeg(120, 90), ())
        .await
        .expect("stored");
    let other = store
        .upload(images::jpeg(60, 40), ())
        .await
        .expect("stored");
    store.delete(&image.key).await.expect("removed");
    store.restore(&image.key, None).await.expect("restored");
    let id = image.key.uuid().expect("an id").hyphenated().to_string();
    let original = format!("/originals/components/{id}");
    bucket.send("PUT", &original, "as it came").await.ok();
    // A key that begins with the image's own is another object.
    bucket
        .send("PUT", &format!("/{}2", image.key), "another")
        .await
        .ok();
    assert!(versions_in(&bucket, &id).await > 6);

    store.erase(&image.key).await.expect("erased");
    assert_eq!(versions_in(&bucket, &format!("components/{id}/")).await, 0);
    assert_eq!(
        versions_in(&bucket, &format!("originals/components/{id}")).await,
        0
    );
    assert!(
        store
            .versions(&image.key)
            .await
            .expect("versions")
            .is_empty()
    );
    let error = store.restore(&image.key, None).await.expect_err("gone");
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert_eq!(versions_in(&bucket, &format!("{}2", image.key)).await, 1);
    assert!(
        store
            .exists(&other.variants["thumb"].key)
            .await
            .expect("asked")
    );
    store
        .erase(&image.key)
        .await
        .expect("nothing is left to erase");
}

/// Of two images of one id that of the other format stays whole, with what both have.
#[tokio::test]
async fn an_erased_image_leaves_another_of_its_id_alone() {
    let Some(server) = Server::from_env() else {
        return;
    };
    let bucket = versioned(&server).await;
    let store = with_thumb(bucket.store());
    let image = store
        .upload(images::jpeg(120, 90), ())
        .await
        .expect("stored");
    let id = image.key.uuid().expect("an id").hyphenated().to_string();
    let stays = [
        format!("components/{id}.png"),
        format!("components/{id}/thumb.png"),
    ];
    for key in &stays {
        bucket
            .send("PUT", &format!("/{key}"), images::png_rgb(8, 8))
            .await
            .ok();
    }
    store.erase(&image.key).await.expect("erased");
    for key in stays.iter().chain([&format!("originals/components/{id}")]) {
        assert_eq!(versions_in(&bucket, key).await, 1, "{key}");
    }
    assert_eq!(versions_in(&bucket, &format!("{id}.jpg")).await, 0);
    assert_eq!(versions_in(&bucket, &format!("{id}/thumb.jpg")).await, 0);
}

/// Promoting removes the file as it came, GPS and all, and a bucket with versioning kept it for 30 days more.
#[tokio::test]
async fn an_erased_image_is_gone_with_the_upload_that_it_came_from() {
    let Some(server) = Server::from_env() else {
        return;
    };
    let bucket = versioned(&server).await;
    let store = with_thumb(bucket.store());
    let upload = |id: &str| format!("pending/components/{id}.");
    let mut keys = Vec::new();
    for id in [
        "6f9619ff-8b86-4d01-b42d-00cf4fc964ff",
        "7f9619ff-8b86-4d01-b42d-00cf4fc964ff",
    ] {
        let raw = format!("{}jpg", upload(id));
        let photo = images::jpeg_with_exif(120, 90, Some(6));
        bucket.send("PUT", &format!("/{raw}"), photo).await.ok();
        let pending = ObjectKey::parse(raw).expect("a key");
        let image = store.promote(&pending).await.expect("promoted");
        assert!(versions_in(&bucket, &upload(id)).await > 1);
        keys.push((id, image.key));
    }
    let (id, key) = &keys[0];
    for _ in 0..2 {
        store.erase(key).await.expect("erased");
        // What keeps the form from being used again stays, and no more than that.
        assert_eq!(versions_in(&bucket, &upload(id)).await, 1);
        assert_eq!(versions_in(&bucket, &format!("{id}.gone")).await, 1);
        assert!(store.versions(key).await.expect("versions").is_empty());
    }
    // That of another image is not touched.
    let (other, image) = &keys[1];
    assert!(versions_in(&bucket, &upload(other)).await > 1);
    assert!(store.exists(image).await.expect("asked"));
}

/// Where no versions are kept, nothing is promised, and nothing is removed.
#[tokio::test]
async fn without_versioning_it_is_not_supported() {
    let memory = ImageStore::builder().memory().build().expect("a store");
    let mut stores = vec![memory];
    let server = Server::from_env();
    let bucket = match &server {
        Some(server) => Some(server.bucket().await),
        None => None,
    };
    stores.extend(
        bucket
            .as_ref()
            .map(|bucket| bucket.store().build().expect("a store")),
    );
    for store in stores {
        let image = store
            .upload(images::jpeg(20, 20), ())
            .await
            .expect("stored");
        let errors = [
            store.versions(&image.key).await.map(drop),
            store.restore(&image.key, None).await.map(drop),
            store.erase(&image.key).await,
        ];
        for error in errors {
            let error = error.expect_err("not supported");
            assert_eq!(error.kind(), ErrorKind::NotSupported, "{error}");
            assert!(error.hint().is_some_and(|hint| hint.contains("versioning")));
        }
        assert!(store.exists(&image.key).await.expect("asked"));
    }
}

/// Who may not list versions is told the right that is missing.
#[tokio::test]
async fn a_missing_right_is_named() {
    let Some(server) = Server::from_env() else {
        return;
    };
    let bucket = versioned(&server).await;
    let owner = with_thumb(bucket.store());
    let image = owner
        .upload(images::jpeg(20, 20), ())
        .await
        .expect("stored");
    let stranger = with_thumb(bucket.store_as(&server.other));
    let errors = [
        stranger.versions(&image.key).await.map(drop),
        stranger.restore(&image.key, None).await.map(drop),
        stranger.erase(&image.key).await,
    ];
    for error in errors {
        let error = error.expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::AccessDenied, "{error}");
        let hint = error.hint().unwrap_or_default();
        assert!(hint.contains("s3:GetBucketVersioning"), "{hint}");
    }
    assert!(owner.exists(&image.key).await.expect("asked"));
}

/// What passes is waited for, in requests of our own as in all others.
#[tokio::test]
async fn versions_are_asked_for_again() {
    let state = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    let versions = "<ListVersionsResult><IsTruncated>false</IsTruncated></ListVersionsResult>";
    for fault in [
        Fault::error(400, "RequestTimeout"),
        Fault::ResetBeforeAnswer,
    ] {
        let begun = std::sync::OnceLock::new();
        let server = Faulty::start(move |request, _| {
            let begun = begun.get_or_init(std::time::Instant::now);
            if begun.elapsed() < Duration::from_secs(2) {
                return Some(fault.clone());
            }
            let answer = if request.query.contains("versioning") {
                state
            } else {
                versions
            };
            Some(Fault::Answer(200, Vec::new(), answer.into()))
        })
        .await;
        let store = ImageStore::builder()
            .s3("lab")
            .with_endpoint_url(server.url())
            .with_credentials("AKIDEXAMPLE", "x", None::<String>)
            .with_deadline(Duration::from_secs(6));
        let store = store.build().expect("a store");
        let found = store.versions("components/a.jpg").await;
        assert!(found.expect("listed").is_empty());
        let tries = server.requests().len();
        assert!((4..30).contains(&tries), "{tries}");
    }
}

/// doctor's probes leave nothing behind, not even versions.
#[tokio::test]
async fn a_doctor_leaves_no_versions() {
    let Some(server) = Server::from_env() else {
        return;
    };
    let bucket = versioned(&server).await;
    let store = with_thumb(bucket.store());
    let diagnosis = doctor(&store, &DoctorOptions::default()).await;
    let put = diagnosis.checks.iter().find(|check| check.name == "put");
    assert_eq!(put.map(|check| check.status), Some(CheckStatus::Ok));
    assert_eq!(versions_in(&bucket, "").await, 0);
}
