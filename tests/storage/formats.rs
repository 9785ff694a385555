//! Variants in a format of their own, and what a page makes of them.
#![cfg(feature = "s3")]

use std::sync::Arc;

use futures_util::TryStreamExt;
use lablink_storage::ops::{RegenerateOptions, regenerate};
use lablink_storage::{
    Config, ErrorKind, Fit, ImageFormat, ImageStore, ObjectKey, OptimizeOptions, OutputFormat,
    StoredImage, UploadOptions, Variant,
};

use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use crate::common::images;
use crate::noted::Noted;

fn card(format: Option<OutputFormat>) -> Variant {
    let options = OptimizeOptions::default().with_max_size(40, 40);
    let card = Variant::new("card", options).expect("a name");
    match format {
        Some(format) => card.with_format(format),
        None => card,
    }
}

fn store(noted: &Arc<Noted>, variants: impl IntoIterator<Item = Variant>) -> ImageStore {
    let builder = ImageStore::builder().object_store(noted.clone());
    builder.with_variants(variants).build().expect("valid")
}

async fn uploaded(store: &ImageStore) -> StoredImage {
    let bytes = images::jpeg(90, 60);
    store.upload(bytes, ()).await.expect("stored")
}

/// The names beside the image, as the listing has them, and the formats of their bytes.
async fn beside(store: &ImageStore) -> Vec<(String, ImageFormat)> {
    let listed: Vec<_> = store.list(None).try_collect().await.expect("listed");
    let mut found = Vec::new();
    for info in listed.iter().filter(|info| info.variant.is_some()) {
        let bytes = store.get(&info.key).await.expect("there").bytes;
        let format = ImageFormat::sniff(&bytes).expect("an image");
        found.push((info.key.file_name().to_owned(), format));
    }
    found.sort();
    found
}

fn pair(name: &str, format: ImageFormat) -> (String, ImageFormat) {
    (name.to_owned(), format)
}

async fn regenerated(store: &ImageStore, prune: bool) -> lablink_storage::ops::RegenerateReport {
    let options = RegenerateOptions::default().with_prune(prune);
    regenerate(store, &options).await.expect("ran")
}

/// From the image's format to WebP, to PNG, and back: the old ones stay until `prune`, and until the new is there.
#[tokio::test]
async fn a_change_of_format_is_made_for_old_images() {
    let noted = Noted::new();
    let before = store(&noted, [card(None)]);
    let image = uploaded(&before).await;
    assert_eq!(beside(&before).await, [pair("card.jpg", ImageFormat::Jpeg)]);

    let webp = store(&noted, [card(Some(OutputFormat::WebP))]);
    let made = regenerated(&webp, false).await;
    assert_eq!((made.made, made.pruned), (1, 0));
    let both = [
        pair("card.jpg", ImageFormat::Jpeg),
        pair("card.webp", ImageFormat::WebP),
    ];
    assert_eq!(beside(&webp).await, both);
    let pruned = regenerated(&webp, true).await;
    assert_eq!((pruned.made, pruned.pruned), (0, 1));
    assert_eq!(beside(&webp).await, both[1..]);
    let url = webp.variant_url(&image.key, "card").expect("configured");
    assert!(url.ends_with("/card.webp"), "{url}");

    // A lazy one counts as configured, and the old one stays while the new one is not there.
    let lazy = store(&noted, [card(Some(OutputFormat::Png)).with_lazy(true)]);
    let kept = regenerated(&lazy, true).await;
    assert_eq!((kept.made, kept.pruned), (0, 0));
    let png = lazy.ensure_variant(&image.key, "card").await.expect("made");
    assert_eq!(png.content_type, "image/png");
    assert_eq!(
        lazy.serve_variant(image.key.as_str(), "card").await.ok(),
        Some(png.url)
    );
    assert_eq!(regenerated(&lazy, true).await.pruned, 1);
    assert_eq!(beside(&lazy).await, [pair("card.png", ImageFormat::Png)]);

    // Named by a variant's key, whose format is not the image's.
    let back = store(&noted, [card(None)]);
    let named = RegenerateOptions::default()
        .with_keys([png.key.as_str()])
        .with_prune(true);
    let named = regenerate(&back, &named).await.expect("ran");
    assert_eq!((named.images, named.made, named.pruned), (1, 1, 1));
    assert_eq!(beside(&back).await, [pair("card.jpg", ImageFormat::Jpeg)]);
}

/// The format of a variant of an earlier configuration tells nothing of its image's.
#[tokio::test]
async fn every_format_goes_with_its_image() {
    let noted = Noted::new();
    let formats = [OutputFormat::WebP, OutputFormat::Png, OutputFormat::Jpeg];
    for format in formats {
        uploaded(&store(&noted, [card(Some(format))])).await;
    }
    let plain = store(&noted, []);
    let listed: Vec<_> = plain.list(None).try_collect().await.expect("listed");
    assert_eq!(listed.len(), 6);
    for info in listed.iter().filter(|info| info.variant.is_none()) {
        plain.delete(&info.key).await.expect("removed");
    }
    let left: Vec<_> = plain.list(None).try_collect().await.expect("listed");
    assert!(left.is_empty(), "{left:?}");
}

/// Two images of one id and two formats, as a migration may bring them: each keeps its variants.
#[tokio::test]
async fn the_variants_of_another_image_with_the_same_id_stay() {
    let noted = Noted::new();
    let plain = store(&noted, []);
    let id = "components/6f9619ff-8b86-4d01-b42d-00cf4fc964ff";
    let parts = [".jpg", ".png", "/old.jpg", "/old.png"];
    for part in parts {
        let at = Path::from(format!("{id}{part}"));
        let put = noted.put(&at, images::jpeg(30, 20).into());
        put.await.expect("put");
    }
    let jpeg = lablink_storage::ObjectKey::parse(format!("{id}.jpg")).expect("a key");
    plain.delete(&jpeg).await.expect("removed");
    let left: Vec<_> = plain.list(None).try_collect().await.expect("listed");
    let mut left: Vec<_> = left.iter().map(|info| info.key.to_string()).collect();
    left.sort();
    assert_eq!(left, [format!("{id}.png"), format!("{id}/old.png")]);
}

/// What both of them have stays until the last of them goes: the original, a variant of one format for both. No
/// marker makes a sweep take the other for one whose deletion was cut off.
#[tokio::test]
async fn what_two_images_of_one_id_share_goes_with_the_last() {
    let noted = Noted::new();
    let store = store(&noted, [card(Some(OutputFormat::WebP))]);
    let id = "components/6f9619ff-8b86-4d01-b42d-00cf4fc964ff";
    let original = format!("originals/{id}");
    let put = async |key: &str| {
        let at = Path::from(key);
        let put = noted.put(&at, images::jpeg(30, 20).into());
        put.await.expect("put");
    };
    for part in [".jpg", ".webp", "/card.webp"] {
        put(&format!("{id}{part}")).await;
    }
    put(&original).await;
    let keys = async || {
        let listed: Vec<_> = noted.inner.list(None).try_collect().await.expect("listed");
        let mut keys: Vec<_> = listed
            .iter()
            .map(|meta| meta.location.to_string())
            .collect();
        keys.sort();
        keys
    };
    let key = |extension: &str| ObjectKey::parse(format!("{id}.{extension}")).expect("a key");
    // Of these there never was one.
    store.delete(&key("png")).await.expect("removed");
    store.delete(&key("jpg")).await.expect("removed");
    let shared = [format!("{id}.webp"), format!("{id}/card.webp"), original];
    assert_eq!(keys().await, shared);
    store.delete(&key("webp")).await.expect("removed");
    assert_eq!(keys().await, [format!("pending/{id}.gone")]);
}

#[test]
fn a_variant_names_one_format_or_none() {
    let config = |variants: &str| {
        Config::from_vars([("LABLINK_STORAGE_VARIANTS".to_owned(), variants.to_owned())])
    };
    let valid = config(r#"{"a": {"format": "webp"}, "b": {"max_width": 20}}"#).expect("valid");
    let formats: Vec<_> = valid.variants().iter().map(Variant::format).collect();
    assert_eq!(formats, [Some(OutputFormat::WebP), None]);

    let error = config(r#"{"a": {"format": "auto"}}"#).expect_err("not one");
    let text = error.to_string();
    assert!(text.contains("a: ") && text.contains("format"), "{text}");
    let store = ImageStore::builder().memory();
    let built = store.with_variant(card(Some(OutputFormat::Auto))).build();
    assert_eq!(built.expect_err("not one").kind(), ErrorKind::Configuration);
}

/// What a page needs of an image with two sizes in two formats and a cropped one.
#[tokio::test]
async fn a_page_gets_the_sources_that_show_the_image() {
    let small = OptimizeOptions::default().with_max_size(300, 300);
    let square = small.clone().with_fit(Fit::Cover);
    let variant = |name, options| Variant::new(name, options).expect("a name");
    let store = ImageStore::builder().memory().with_variants([
        variant("card", small.clone()),
        variant("card-webp", small).with_format(OutputFormat::WebP),
        variant("large-webp", OptimizeOptions::default()).with_format(OutputFormat::WebP),
        variant("square", square),
    ]);
    let store = store.build().expect("valid");
    let photo = std::fs::read("examples/photo.jpg").expect("the example photo");
    let image = store
        .upload(photo, UploadOptions::default())
        .await
        .expect("stored");
    let url = |name: &str| store.variant_url(&image.key, name).expect("configured");
    let jpegs = format!("{} 300w, {} 1200w", url("card"), image.url);
    assert_eq!(image.srcset(), jpegs);

    let html = image.picture("(max-width: 600px) 100vw, 600px", "<A> & 'B'");
    let sizes = "(max-width: 600px) 100vw, 600px";
    let (small, large) = (url("card-webp"), url("large-webp"));
    let source = format!(
        "<picture><source type=\"image/webp\" srcset=\"{small} 300w, {large} 1200w\" sizes=\"{sizes}\">"
    );
    let rest = html.strip_prefix(&source).expect("the source first");
    let preview = image.placeholder_url().expect("a placeholder");
    assert_eq!(
        rest,
        format!(
            "<img src=\"{}\" srcset=\"{jpegs}\" sizes=\"{sizes}\" width=\"1200\" height=\"900\" \
             alt=\"&lt;A&gt; &amp; &#39;B&#39;\" loading=\"lazy\" \
             style=\"background:url({preview}) center/cover no-repeat\"></picture>",
            image.url
        )
    );
}

/// A browser takes the first source that it knows: none may be worse than the image itself.
#[cfg(feature = "avif")]
#[tokio::test]
async fn nothing_worse_is_offered_before_the_image() {
    let small = OptimizeOptions::default().with_max_size(32, 32);
    let webp = Variant::new("small", small).expect("a name");
    let store = ImageStore::builder()
        .memory()
        .with_variant(webp.with_format(OutputFormat::WebP))
        .with_optimize(OptimizeOptions::default().with_format(OutputFormat::Avif));
    let store = store.build().expect("valid");
    let photo = images::jpeg(64, 48);
    let image = store.upload(photo, UploadOptions::default()).await;
    let html = image.expect("stored").picture("100vw", "");
    assert!(
        html.starts_with("<picture><img") && html.contains(".avif"),
        "{html}"
    );
}
