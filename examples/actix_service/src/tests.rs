//! The service with a photograph.

use actix_web::test::{TestRequest, call_service, init_service, read_body, try_call_service};
use actix_web::{App, http::StatusCode};
use lablink_storage::ImageStore;
use serde_json::Value;

use super::service;

const PHOTO: &[u8] = include_bytes!("../../photo.jpg");

fn form(file: &[u8]) -> TestRequest {
    let head =
        "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"board.jpg\"\r\n\r\n";
    let body = [head.as_bytes(), file, b"\r\n--b--\r\n"].concat();
    TestRequest::post()
        .uri("/images")
        .insert_header(("Content-Type", "multipart/form-data; boundary=b"))
        .set_payload(body)
}

#[actix_web::test]
async fn a_photograph_comes_and_goes() {
    // SAFETY: no other test of this program, nor any thread yet, reads the environment.
    unsafe { std::env::set_var("TOKEN", "right") };
    let directory = std::env::temp_dir().join(format!("actix-service-{}", std::process::id()));
    let store = ImageStore::builder()
        .local(&directory)
        .with_secret("a-secret-for-tests-of-32-bytes-or-more");
    let app = init_service(App::new().configure(service(store.build().expect("a store")))).await;
    let right = ("Authorization", "Bearer right");

    let refused = try_call_service(&app, form(PHOTO).to_request()).await;
    let refused = refused.expect_err("nobody said who they are");
    assert_eq!(refused.error_response().status(), StatusCode::UNAUTHORIZED);

    let added = call_service(&app, form(PHOTO).insert_header(right).to_request()).await;
    assert_eq!(added.status(), StatusCode::CREATED);
    let image: Value = serde_json::from_slice(&read_body(added).await).expect("JSON");
    assert_eq!(image["content_type"], "image/jpeg");
    let url = image["url"].as_str().expect("a URL");

    let served = call_service(&app, TestRequest::get().uri(url).to_request()).await;
    assert_eq!(served.status(), StatusCode::OK);
    let content_type = served.headers().get("content-type").expect("a type");
    assert_eq!(content_type, "image/jpeg");
    assert_eq!(read_body(served).await.len() as u64, image["size"]);

    let words = call_service(&app, form(b"just words").insert_header(right).to_request()).await;
    assert_eq!(words.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let words: Value = serde_json::from_slice(&read_body(words).await).expect("JSON");
    assert_eq!(words["error"], "unsupported_format");

    let wanted = TestRequest::post()
        .uri("/api/s3/upload-url")
        .insert_header(right)
        .set_json(serde_json::json!({"filename": "board.jpg"}));
    let post: Value =
        serde_json::from_slice(&read_body(call_service(&app, wanted.to_request()).await).await)
            .expect("JSON");
    let early = TestRequest::post()
        .uri("/api/s3/promote")
        .insert_header(right)
        .set_json(serde_json::json!({"key": post["key"]}));
    let early = call_service(&app, early.to_request()).await;
    assert_eq!(early.status(), StatusCode::NOT_FOUND);

    let path = format!("/images/{}", image["key"].as_str().expect("a key"));
    let removed = TestRequest::delete().uri(&path).insert_header(right);
    let removed = call_service(&app, removed.to_request()).await;
    assert_eq!(removed.status(), StatusCode::NO_CONTENT);
    for path in [
        url,
        "/uploads/../Cargo.toml",
        "/uploads/pending/components/a.jpg",
    ] {
        let gone = call_service(&app, TestRequest::get().uri(path).to_request()).await;
        assert_eq!(gone.status(), StatusCode::NOT_FOUND, "{path}");
    }
    std::fs::remove_dir_all(directory).expect("no file is left open");
}
