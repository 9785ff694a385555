//! The vectors that Rust and Python share: `python/tests` reads the same files and, for images, what this
//! test wrote to the file that `LABLINK_VECTORS_OUT` names.

#![cfg(all(feature = "store", feature = "webp"))]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use lablink_storage::{Config, ErrorKind, ImageStore, ObjectKey, OptimizeOptions, OutputFormat};
use serde_json::{Value, json};

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

fn read(name: &str) -> Value {
    let text = std::fs::read_to_string(vectors().join(name)).expect(name);
    serde_json::from_str(&text).expect(name)
}

fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().expect("an object").iter()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().expect(name)
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().expect(name)
}

fn stores(vectors: &Value) -> BTreeMap<String, ImageStore> {
    entries(&vectors["stores"])
        .map(|(name, variables)| {
            let variables = entries(&vectors["credentials"])
                .chain(entries(variables))
                .map(|(name, value)| (name.clone(), value.as_str().expect("text").to_owned()));
            let config = Config::from_vars(variables).expect(name);
            (name.clone(), ImageStore::from_config(config).expect(name))
        })
        .collect()
}

#[test]
fn keys_and_urls() {
    let vectors = read("urls.json");
    let stores = stores(&vectors);
    for case in list(&vectors, "public_url") {
        let (store, url) = (&stores[text(case, "store")], text(case, "url"));
        let key = ObjectKey::parse(text(case, "key")).expect(url);
        assert_eq!(store.public_url(&key), url);
        assert_eq!(store.key_from_url(url).expect(url), key);
        let decorated = format!("{url}?v=1#top");
        assert_eq!(store.key_from_url(&decorated).expect(url), key);
    }
    for case in list(&vectors, "other_forms") {
        let (store, url) = (&stores[text(case, "store")], text(case, "url"));
        assert_eq!(
            store.key_from_url(url).expect(url).as_str(),
            text(case, "key")
        );
    }
    for case in list(&vectors, "foreign") {
        let (store, url) = (&stores[text(case, "store")], text(case, "url"));
        let error = store.key_from_url(url).expect_err(url);
        assert_eq!(error.kind(), ErrorKind::ForeignUrl, "{url}");
    }
    for key in list(&vectors, "invalid_keys") {
        let key = key.as_str().expect("text");
        assert!(ObjectKey::parse(key).is_err(), "{key:?}");
    }
}

fn options(case: &Value) -> OptimizeOptions {
    let mut options = OptimizeOptions::default();
    for (name, value) in entries(&case["options"]) {
        let number = || u32::try_from(value.as_u64().expect(name)).expect(name);
        match name.as_str() {
            "max_width" => options.max_width = number(),
            "max_height" => options.max_height = number(),
            "quality" => options.quality = u8::try_from(number()).expect(name),
            "progressive" => options.progressive = value.as_bool().expect(name),
            "lossless" => options.lossless = value.as_bool().expect(name),
            "format" => {
                options.format = match value.as_str() {
                    Some("jpeg") => OutputFormat::Jpeg,
                    Some("webp") => OutputFormat::WebP,
                    Some("png") => OutputFormat::Png,
                    Some("auto") => OutputFormat::Auto,
                    other => panic!("{other:?}"),
                }
            }
            other => panic!("{other}"),
        }
    }
    options
}

#[test]
fn optimized_images() {
    let mut results = Vec::new();
    for case in list(&read("optimize.json"), "cases") {
        let bytes = std::fs::read(vectors().join(text(case, "file"))).expect("the file");
        let image = lablink_storage::optimize(&bytes, &options(case)).expect("an image");
        let size = json!([image.width, image.height]);
        assert_eq!(size, case["size"], "{case}");
        assert_eq!(image.content_type(), text(case, "content_type"), "{case}");
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &image.data);
        let sha256: String = digest
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        results.push(json!({ "sha256": sha256, "placeholder": image.placeholder }));
    }
    if let Some(path) = std::env::var_os("LABLINK_VECTORS_OUT") {
        std::fs::write(path, Value::from(results).to_string()).expect("writes the results");
    }
}
