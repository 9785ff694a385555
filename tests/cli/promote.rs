//! A direct upload by a browser's means, then `promote`.

use lablink_storage::{ImageStore, OptimizeOptions, OutputFormat, PresignPostOptions, Variant};

use crate::common::images;
use crate::common::s3::Server;
use crate::shell::{Shell, multipart};

#[tokio::test]
async fn a_form_upload_becomes_an_image() {
    let Some(server) = Server::from_env() else {
        return;
    };
    let bucket = server.bucket().await;
    bucket.publish("components").await;
    let shell = Shell::s3(&server, &bucket.name, &server.keys);
    let form = shell
        .run(&["presign", "post", "board.png", "--json"])
        .ok()
        .json();
    let (content_type, body) = multipart(&form, &images::png_rgb(80, 60));
    let url = form["url"].as_str().expect("a URL");
    let headers = [("content-type", content_type.as_str())];
    server
        .anonymous_with("POST", url, &headers, body)
        .await
        .ok();

    let key = form["key"].as_str().expect("a key");
    let image = shell.run(&["promote", key, "--json"]).ok().json();
    assert_eq!(image["url"], form["file_url"], "as presign said");
    let promised = key.strip_prefix("pending/").expect("a pending key");
    let promoted = image["key"].as_str().expect("a key");
    assert_eq!(promoted, promised, "the pending key said so");
    assert_eq!(
        (image["width"].as_u64(), image["source"]["format"].as_str()),
        (Some(80), Some("image/png"))
    );
    let served = server
        .anonymous("GET", image["url"].as_str().expect("a URL"))
        .await
        .ok();
    assert_eq!(served.header("content-type"), image["content_type"]);
    assert_eq!(Some(served.body.len() as u64), image["size"].as_u64());
    assert_eq!(bucket.keys().await.len(), 1, "the pending object is gone");

    let again = shell.run(&["promote", key, "--json"]);
    assert_eq!(
        (again.code, again.json()["error"].as_str()),
        (1, Some("not_found"))
    );
    let public = shell.run(&["promote", promoted, "--json"]);
    assert_eq!(
        (public.code, public.json()["error"].as_str()),
        (1, Some("invalid_key"))
    );
}

#[tokio::test]
async fn a_put_upload_becomes_an_image_and_a_page_does_not() {
    let Some(server) = Server::from_env() else {
        return;
    };
    let bucket = server.bucket().await;
    let shell = Shell::s3(&server, &bucket.name, &server.keys);
    let upload = async |bytes: Vec<u8>| {
        let request = shell
            .run(&["presign", "put", "board.jpg", "--json"])
            .ok()
            .json();
        let headers = request["headers"].as_object().expect("headers");
        let headers: Vec<(&str, &str)> = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str().expect("text")))
            .collect();
        let url = request["url"].as_str().expect("a URL");
        server
            .anonymous_with("PUT", url, &headers, bytes)
            .await
            .ok();
        request["key"].as_str().expect("a key").to_owned()
    };

    let key = upload(images::jpeg(64, 48)).await;
    let done = shell.run(&["promote", &key]).ok();
    let promoted = key.strip_prefix("pending/").expect("a pending key");
    let url = shell.run(&["url", promoted]).ok().out;
    assert!(done.out.starts_with(url.trim()), "{}", done.out);
    assert_eq!(done.out.lines().count(), 1, "{}", done.out);

    let key = upload(b"<!DOCTYPE html><script>alert(1)</script>".to_vec()).await;
    let refused = shell.run(&["promote", &key, "--json"]);
    assert_eq!(
        (refused.code, refused.json()["error"].as_str()),
        (1, Some("unsupported_format"))
    );
    let keys = bucket.keys().await;
    assert_eq!(
        keys.len(),
        2,
        "the image, and what nobody has promoted: {keys:?}"
    );
}

/// The page holds `file_url` and the variants' URLs before the worker promotes: with the application's own
/// variables the command line makes exactly these, and a worker that lacks them keeps the image's URL.
#[tokio::test]
async fn a_worker_makes_what_the_application_promised() {
    const SECRET: &str = "a secret of at least 32 characters for forms";
    let told = Shell::new()
        .with("LABLINK_STORAGE_SECRET", SECRET)
        .with("LABLINK_STORAGE_OPTIMIZE", r#"{"format": "webp"}"#)
        .with(
            "LABLINK_STORAGE_VARIANTS",
            r#"{"thumb": {"max_width": 320, "max_height": 320}}"#,
        );
    let untold = Shell::new();
    for (shell, thumbs) in [(&told, 1), (&untold, 0)] {
        let thumb = OptimizeOptions::default().with_max_size(320, 320);
        let application = ImageStore::builder()
            .local(shell.path("uploads"))
            .with_secret(SECRET)
            .with_optimize(OptimizeOptions::default().with_format(OutputFormat::WebP))
            .with_variant(Variant::new("thumb", thumb).expect("a name"))
            .build()
            .expect("a store");
        let form = application
            .presigned_post("board.jpg", PresignPostOptions::default())
            .await
            .expect("signed");
        let photo = std::fs::read("examples/photo.jpg").expect("the example photo");
        application
            .receive_post(form.fields, photo)
            .await
            .expect("received");

        let image = shell.run(&["promote", form.key.as_str(), "--json"]).ok();
        assert_eq!(image.json()["url"], form.file_url.as_str());
        let key = application.key_from_url(&form.file_url).expect("its own");
        let stored = application.head(&key).await.expect("there");
        assert_eq!(stored.content_type.as_deref(), Some("image/webp"));
        let thumb = application.variant_url(&key, "thumb").expect("a variant");
        let thumb = application.key_from_url(&thumb).expect("its own");
        let there = application.exists(&thumb).await.expect("asked");
        assert_eq!(usize::from(there), thumbs);
    }
}
