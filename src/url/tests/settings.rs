use super::*;

#[test]
fn settings_that_make_no_sense_are_named() {
    let lab = || s3("lab", "eu-west-1");
    for (location, setting) in [
        (s3("ab", "eu-west-1"), "bucket"),
        (s3("lab/x", "eu-west-1"), "bucket"),
        (s3("lab@evil.org", "eu-west-1"), "bucket"),
        (s3("a..b", "eu-west-1"), "bucket"),
        (s3("-lab", "eu-west-1"), "bucket"),
        (s3("lab", ""), "region"),
        (s3("lab", "None/"), "region"),
        (s3("lab", "eu-west-1.evil.org"), "region"),
        (lab().with_endpoint("minio:9000"), "endpoint_url"),
        (lab().with_endpoint("ftp://minio"), "endpoint_url"),
        (lab().with_endpoint("https://u:p@minio"), "endpoint_url"),
        (lab().with_endpoint("https://minio?x"), "endpoint_url"),
        (lab().with_endpoint("https://minio/a/../b"), "endpoint_url"),
        (lab().with_endpoint("https://minio:99999"), "endpoint_url"),
        (
            lab().with_endpoint("https://minio").with_accelerate(true),
            "accelerate",
        ),
        (
            lab().with_endpoint("https://minio").with_dual_stack(true),
            "dual_stack",
        ),
        (
            lab()
                .with_endpoint("http://127.0.0.1")
                .with_addressing(Addressing::Virtual),
            "addressing",
        ),
        (
            s3("my.lab", "eu-west-1").with_accelerate(true),
            "accelerate",
        ),
        (s3("lab", "cn-north-1").with_accelerate(true), "accelerate"),
        (
            s3("My_Lab", "eu-west-1").with_addressing(Addressing::Virtual),
            "addressing",
        ),
    ] {
        let error = Urls::new(Location::S3(location), None, "components").expect_err(setting);
        assert_eq!(error.setting.as_str(), setting, "{error}");
    }
    for (base_url, cdn, prefix, setting) in [
        ("uploads", None, "components", "base_url"),
        ("//evil.org/uploads", None, "components", "base_url"),
        ("/up loads", None, "components", "base_url"),
        ("/uploads?x", None, "components", "base_url"),
        (
            "/uploads",
            Some("http://cdn.example.org"),
            "components",
            "cloudfront_domain",
        ),
        (
            "/uploads",
            Some("cdn example"),
            "components",
            "cloudfront_domain",
        ),
        ("/uploads", Some(""), "components", "cloudfront_domain"),
        (
            "https://cdn.example.org/x",
            Some("cdn.example.org"),
            "components",
            "cloudfront_domain",
        ),
        ("/uploads", None, "/components", "prefix"),
        ("/uploads", None, "components/", "prefix"),
        ("/uploads", None, "pending", "prefix"),
        ("/uploads", None, "pending/x", "prefix"),
    ] {
        let error = Urls::new(local(base_url), cdn, prefix).expect_err(setting);
        assert_eq!(error.setting.as_str(), setting, "{error}");
    }
}
