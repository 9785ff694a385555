//! Endpoints that have the bucket in them.

use super::tests::vars;

/// The consoles of R2 and Spaces show endpoints with the bucket in them; the right one is in the hint.
#[test]
fn an_endpoint_with_the_bucket_in_it_is_named() {
    const NAME: &str = "AWS_ENDPOINT_URL_S3";
    let with = |endpoint, style| {
        vars(&[
            ("AWS_S3_BUCKET", "lab-images"),
            ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "s3cr3t"),
            (NAME, endpoint),
            ("AWS_S3_ADDRESSING_STYLE", style),
        ])
    };
    for (endpoint, right) in [
        (
            "https://0123.r2.cloudflarestorage.com/lab-images",
            "https://0123.r2.cloudflarestorage.com",
        ),
        (
            "https://lab-images.nyc3.digitaloceanspaces.com",
            "https://nyc3.digitaloceanspaces.com",
        ),
        (
            "https://lab-images.s3.eu-central-1.amazonaws.com/",
            "https://s3.eu-central-1.amazonaws.com",
        ),
        (
            "http://127.0.0.1:9000/s3/lab-images",
            "http://127.0.0.1:9000/s3",
        ),
    ] {
        for style in ["auto", "virtual"] {
            let error = with(endpoint, style).expect_err(endpoint);
            assert_eq!(error.setting(), NAME);
            assert!(error.to_string().contains("bucket is in it"), "{error}");
            assert!(
                error.hint().contains(&format!("{right}:")),
                "{}",
                error.hint()
            );
        }
    }
    // A service that is called like the bucket, and a host of which that is said.
    for (endpoint, style) in [
        ("http://lab-images:9000", "auto"),
        ("https://lab-images.example.org", "path"),
        ("https://lab-images2.example.org", "auto"),
    ] {
        assert!(with(endpoint, style).is_ok(), "{endpoint}");
    }
}
