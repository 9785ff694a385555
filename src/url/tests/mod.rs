mod foreign;
mod round_trip;
mod settings;

use super::*;
use crate::format::ImageFormat;

fn s3(bucket: &str, region: &str) -> S3Location {
    S3Location::new(bucket, region)
}

fn urls(location: Location) -> Urls {
    Urls::new(location, None, "components").expect("valid")
}

fn local(base_url: &str) -> Location {
    Location::Local {
        base_url: base_url.to_owned(),
    }
}

fn key(text: &str) -> ObjectKey {
    ObjectKey::parse(text).expect(text)
}

/// The hosts are those of AWS's tables (see `s3.rs`).
#[test]
fn public_urls_of_every_form() {
    let lab = || s3("lab", "eu-west-1");
    let on = |endpoint: &str| lab().with_endpoint(endpoint);
    for (location, base) in [
        (lab(), "https://lab.s3.eu-west-1.amazonaws.com"),
        (
            s3("my.lab", "eu-west-1"),
            "https://s3.eu-west-1.amazonaws.com/my.lab",
        ),
        (
            s3("my.lab", "eu-west-1").with_addressing(Addressing::Virtual),
            "https://my.lab.s3.eu-west-1.amazonaws.com",
        ),
        (
            lab().with_addressing(Addressing::Path),
            "https://s3.eu-west-1.amazonaws.com/lab",
        ),
        (
            s3("lab", "cn-north-1"),
            "https://lab.s3.cn-north-1.amazonaws.com.cn",
        ),
        (
            s3("lab", "eusc-de-east-1"),
            "https://lab.s3.eusc-de-east-1.amazonaws.eu",
        ),
        (
            lab().with_dual_stack(true),
            "https://lab.s3.dualstack.eu-west-1.amazonaws.com",
        ),
        (
            lab()
                .with_dual_stack(true)
                .with_addressing(Addressing::Path),
            "https://s3.dualstack.eu-west-1.amazonaws.com/lab",
        ),
        (
            lab().with_accelerate(true),
            "https://lab.s3-accelerate.amazonaws.com",
        ),
        (
            lab().with_accelerate(true).with_dual_stack(true),
            "https://lab.s3-accelerate.dualstack.amazonaws.com",
        ),
        (on("http://127.0.0.1:7480"), "http://127.0.0.1:7480/lab"),
        (
            on("https://S3.example.org:443/"),
            "https://s3.example.org/lab",
        ),
        (on("https://example.org/s3/"), "https://example.org/s3/lab"),
        (
            on("https://s3.example.org").with_addressing(Addressing::Virtual),
            "https://lab.s3.example.org",
        ),
        (on("http://[::1]:9000"), "http://[::1]:9000/lab"),
    ] {
        let urls = urls(Location::S3(location));
        assert_eq!(
            urls.public_url(&key("components/a b.jpg")),
            format!("{base}/components/a%20b.jpg")
        );
        assert_eq!(urls.bucket_url(), base);
    }
    for (base_url, base) in [
        ("/uploads", "/uploads"),
        ("/uploads/", "/uploads"),
        ("/", ""),
        ("https://img.example.org", "https://img.example.org"),
        (
            "http://localhost:5000/files/",
            "http://localhost:5000/files",
        ),
    ] {
        assert_eq!(
            urls(local(base_url)).public_url(&key("components/a.jpg")),
            format!("{base}/components/a.jpg")
        );
    }
    assert_eq!(
        urls(Location::Memory).public_url(&key("components/a.jpg")),
        "memory://lablink/components/a.jpg"
    );
}

#[test]
fn cloudfront_is_what_the_public_sees_and_never_where_requests_go() {
    for domain in [
        "cdn.example.org",
        "https://cdn.example.org",
        "https://CDN.example.org/",
    ] {
        let urls = Urls::new(
            Location::S3(s3("lab", "us-east-1")),
            Some(domain),
            "components",
        )
        .expect(domain);
        let image = key("components/a.jpg");
        assert_eq!(
            urls.public_url(&image),
            "https://cdn.example.org/components/a.jpg"
        );
        assert_eq!(
            urls.object_url(&image),
            "https://lab.s3.us-east-1.amazonaws.com/components/a.jpg"
        );
        for url in [urls.public_url(&image), urls.object_url(&image)] {
            assert_eq!(urls.key_from_url(&url), Ok(image.clone()));
        }
    }
}

#[test]
fn every_way_the_bucket_may_have_been_addressed_leads_to_the_key() {
    let urls = urls(Location::S3(s3("lab", "eu-west-1")));
    for base in [
        "https://lab.s3.eu-west-1.amazonaws.com",
        "https://s3.eu-west-1.amazonaws.com/lab",
        "https://lab.s3.amazonaws.com",
        "https://s3.amazonaws.com/lab",
        "https://lab.s3.dualstack.eu-west-1.amazonaws.com",
        "https://s3.dualstack.eu-west-1.amazonaws.com/lab",
        "https://lab.s3-accelerate.amazonaws.com",
        "https://lab.s3-accelerate.dualstack.amazonaws.com",
        // As regions were once written.
        "https://lab.s3-eu-west-1.amazonaws.com",
        "https://s3-eu-west-1.amazonaws.com/lab",
        "http://lab.s3.eu-west-1.amazonaws.com",
        "HTTPS://LAB.S3.eu-west-1.amazonaws.com:443",
    ] {
        for end in ["", "?X-Amz-Signature=abc&x=/../", "#top", "?", "#a?b"] {
            let url = format!("{base}/components/a%20%2b%C3%BC.jpg{end}");
            assert_eq!(
                urls.key_from_url(&url),
                Ok(key("components/a +ü.jpg")),
                "{url}"
            );
        }
    }
}

#[test]
fn pending_keys_are_in_no_public_url() {
    let urls = urls(Location::S3(s3("lab", "eu-west-1")));
    let pending = key("pending/components/a.jpg");
    assert_eq!(
        urls.public_url(&pending),
        "https://lab.s3.eu-west-1.amazonaws.com/components/a.jpg"
    );
    assert!(
        urls.object_url(&pending)
            .ends_with("/pending/components/a.jpg")
    );
    assert!(urls.key_from_url(&urls.object_url(&pending)).is_err());
    let everything = Urls::new(Location::Memory, None, "").expect("valid");
    assert!(
        everything
            .key_from_url("memory://lablink/pending/a.jpg")
            .is_err()
    );
    assert!(
        everything
            .key_from_url("memory://lablink/pendings/a.jpg")
            .is_ok()
    );
}

/// The column that these URLs go into has 255 characters.
#[test]
fn an_uploads_url_on_aws_fits_255_characters() {
    let bucket = "b".repeat(63);
    let location = || Location::S3(s3(&bucket, "ap-southeast-2").with_dual_stack(true));
    let longest = |prefix: &str| {
        let urls = Urls::new(location(), None, prefix)?;
        let key =
            ObjectKey::for_upload(prefix, uuid::Uuid::nil(), ImageFormat::WebP).expect("valid");
        Ok::<_, InvalidAddress>(urls.public_url(&key).len())
    };
    let mut reached = 0;
    for length in 1..200 {
        match longest(&"p".repeat(length)) {
            Ok(characters) => reached = reached.max(characters),
            Err(error) => {
                assert_eq!((error.setting.as_str(), reached), ("prefix", 255));
                return;
            }
        }
    }
    panic!("no prefix was too long");
}

#[test]
fn a_url_is_what_has_a_scheme_or_begins_with_a_slash() {
    let urls = urls(local("/uploads"));
    let image = key("components/a.jpg");
    assert_eq!(urls.parse_key_or_url("components/a.jpg"), Ok(image.clone()));
    assert_eq!(
        urls.parse_key_or_url("/uploads/components/a.jpg"),
        Ok(image)
    );
    assert_eq!(
        urls.parse_key_or_url("components/a:b%20.jpg"),
        Ok(key("components/a:b%20.jpg"))
    );
    for url in [
        "/components/a.jpg",
        "https://evil.org/a.jpg",
        "data:text/html,x",
        "//x",
        "c:x.jpg",
    ] {
        assert!(
            matches!(urls.parse_key_or_url(url), Err(InvalidReference::Url(_))),
            "{url}"
        );
    }
    for invalid in ["", "a//b", "a\\b", "1:\n", "../x"] {
        assert!(
            matches!(
                urls.parse_key_or_url(invalid),
                Err(InvalidReference::Key(_))
            ),
            "{invalid}"
        );
    }
}
