//! Keys: what one backend could not hold, none takes; what is valid, all of them hold.

use lablink_storage::{ErrorKind, ImageStore, ObjectKey, UploadOptions};

use super::place::{Place, key, kind, listed};
use crate::common::images;

/// Valid keys with everything in them that paths, URLs, XML and signatures treat in their own way.
fn awkward() -> Vec<String> {
    let mut keys: Vec<String> = [
        "components/Größe 1 µ.jpg",
        "components/写真/基板.jpg",
        "components/🔬 scope/µ.jpg",
        "components/a+b c&d=e;f,g.jpg",
        "components/100%.jpg",
        "components/%41%2F%2e%2e.jpg",
        "components/what?.jpg",
        "components/a#b.jpg",
        "components/#.jpg",
        "components/'single' \"double\" `back`.jpg",
        "components/<tag> & [brackets] {braces} |pipe| ^hat.jpg",
        "components/a:b@c!$*().jpg",
        "components/...jpg",
        "components/.hidden.jpg",
        "components/ leading and trailing .jpg ",
        "components/~tilde-dash_under.jpg",
        // Two spellings of é, which are two keys.
        "components/caf\u{e9}.jpg",
        "components/cafe\u{301}.jpg",
        "components/CaSe.jpg",
        "components/no extension",
    ]
    .map(str::to_owned)
    .into();
    // The longest that a key may be: 255 bytes a segment, 1024 in all.
    let segment = "ü".repeat(127) + "x";
    keys.push(format!(
        "components/{segment}/{segment}/{segment}/{}.jpg",
        "y".repeat(1024 - 11 - 3 * 256 - 4)
    ));
    keys
}

pub async fn of_any_characters_go_there_and_back(place: &Place) {
    let store = place.store();
    let mut expected = awkward();
    for name in &expected {
        place.put_raw(name, name.clone(), "image/jpeg").await;
    }
    for name in &expected {
        let key = key(name);
        let object = store
            .get(&key)
            .await
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(object.bytes, name.as_bytes(), "{name}");
        assert_eq!(
            store.head(&key).await.expect("there").size,
            name.len() as u64,
            "{name}"
        );
        let url = store.public_url(&key);
        assert!(
            url.is_ascii() && !url.contains([' ', '+', '"', '<']),
            "{url}"
        );
        assert_eq!(store.key_from_url(&url).expect("its own URL"), key, "{url}");
    }
    expected.sort();
    assert_eq!(listed(&store).await, expected);
    for name in &expected {
        store
            .delete_url(&store.public_url(&key(name)))
            .await
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    assert_eq!(listed(&store).await, [""; 0]);
}

pub async fn that_some_backend_could_not_hold_are_refused(place: &Place) {
    let store = place.store();
    let too_long = [
        "components",
        &"a".repeat(250),
        &"b".repeat(250),
        &"c".repeat(250),
        &"d".repeat(262),
    ]
    .join("/");
    let segment = format!("components/{}.jpg", "e".repeat(252));
    for invalid in [
        "",
        "/",
        "/components/a.jpg",
        "components/",
        "components//a.jpg",
        "components/./a.jpg",
        "components/../a.jpg",
        "components/a\\b.jpg",
        "components/a\nb.jpg",
        "components/a\u{7f}.jpg",
        "components/a\u{85}.jpg",
        "components/a.jpg#1",
        "components/b#20/a.jpg",
        &segment,
        &too_long,
    ] {
        let refused = ObjectKey::parse(invalid).map_err(lablink_storage::Error::from);
        assert_eq!(kind(refused), ErrorKind::InvalidKey, "{invalid:?}");
        // Nor does it get in where a key or a URL may be given.
        assert!(store.resolve(invalid).is_err(), "{invalid:?}");
    }
    for prefix in ["a/../b", "/a", "a#1", "a//b", "pending", "a\\b"] {
        let refused = place.builder().with_prefix(prefix).build();
        assert!(
            refused.is_err_and(|error| error.kind() == ErrorKind::Configuration),
            "{prefix:?}"
        );
    }
}

/// Asks for a key under which there is no object, in every way.
async fn nothing_there(store: &ImageStore, key: &ObjectKey) {
    assert_eq!(kind(store.get(key).await), ErrorKind::NotFound, "{key}");
    assert_eq!(kind(store.head(key).await), ErrorKind::NotFound, "{key}");
    assert!(!store.exists(key).await.expect("answered"), "{key}");
    store.delete(key).await.expect("nothing to remove");
}

pub async fn that_would_be_folders_or_lie_below_files_are_not_found(place: &Place) {
    let store = place.store();
    let image = store
        .upload(images::jpeg(60, 40), UploadOptions::default())
        .await
        .expect("stored");
    let folder = image.key.as_str().trim_end_matches(".jpg").to_owned();
    for other in [
        "components".to_owned(),
        folder,
        format!("{}/below.jpg", image.key),
    ] {
        nothing_there(&store, &key(&other)).await;
    }
    assert_eq!(listed(&store).await.len(), 2, "all of it is still there");
}
