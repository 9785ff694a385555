use super::*;

#[test]
fn foreign_urls_are_refused() {
    let on_aws = urls(Location::S3(s3("lab", "eu-west-1")));
    let host = "lab.s3.eu-west-1.amazonaws.com";
    let mut hostile: Vec<String> = [
        // not a URL, or not one that names an object
        "",
        "components/a.jpg",
        "/components/a.jpg",
        "//HOST/components/a.jpg",
        "https://",
        "https:///components/a.jpg",
        "https:HOST/components/a.jpg",
        "https:/HOST/components/a.jpg",
        "https://HOST",
        "https://HOST/",
        "https://HOST?/components/a.jpg",
        "https://HOST#/components/a.jpg",
        "https://HOST/components",
        "https://HOST/components/",
        "https://HOST/?components/a.jpg",
        "ftp://HOST/components/a.jpg",
        "s3://lab/components/a.jpg",
        "javascript://HOST/components/a.jpg",
        "memory://lablink/components/a.jpg",
        " https://HOST/components/a.jpg",
        "https://HOST/components/a.jpg ",
        "\u{feff}https://HOST/components/a.jpg",
        // another host, bucket, region, port, or somebody pretending
        "https://HOST.evil.org/components/a.jpg",
        "https://evil.org/HOST/components/a.jpg",
        "https://evil.org/lab/components/a.jpg",
        "https://evil.org?https://HOST/components/a.jpg",
        "https://evil.org#HOST/components/a.jpg",
        "https://HOST./components/a.jpg",
        "https://HOST:8443/components/a.jpg",
        "https://HOST:80/components/a.jpg",
        "https://HOST:/components/a.jpg",
        "https://HOST:443:443/components/a.jpg",
        "https://HOST%2f@evil.org/components/a.jpg",
        "https://xHOST/components/a.jpg",
        "https://x.HOST/components/a.jpg",
        "https://lab.s3.us-east-1.amazonaws.com/components/a.jpg",
        "https://s3.us-east-1.amazonaws.com/lab/components/a.jpg",
        "https://lab2.s3.eu-west-1.amazonaws.com/components/a.jpg",
        "https://s3.eu-west-1.amazonaws.com/lab2/components/a.jpg",
        "https://s3.eu-west-1.amazonaws.com/components/a.jpg",
        "https://s3.eu-west-1.amazonaws.com/Lab/components/a.jpg",
        "https://s3.eu-west-1.amazonaws.com/other/lab/components/a.jpg",
        "https://s3.eu-west-1.amazonaws.com//lab/components/a.jpg",
        "https://s3.eu-west-1.amazonaws.com/%6cab/components/a.jpg",
        "https://s3.eu-west-1.amazonaws.com/lab%2Fcomponents/a.jpg",
        "https://s3.eu-west-1.amazonaws.com/x/../lab/components/a.jpg",
        "https://lab.s3.eu-west-1.amazonaws.com.cn/components/a.jpg",
        "https://lab.s3-website.eu-west-1.amazonaws.com/components/a.jpg",
        "https://lab.s3-accelerate.amazonaws.com.evil.org/components/a.jpg",
        "https://s3-accelerate.amazonaws.com/lab/components/a.jpg",
        "https://lab.s3-us-east-1.amazonaws.com/components/a.jpg",
        "https://s3-eu-west-1.amazonaws.com/lab2/components/a.jpg",
        "https://l%61b.s3.eu-west-1.amazonaws.com/components/a.jpg",
        "https://ⓛab.s3.eu-west-1.amazonaws.com/components/a.jpg",
        "https://lab\u{3002}s3.eu-west-1.amazonaws.com/components/a.jpg",
        "https://lab.s3.eu-west-1.amazonaws.com\u{2044}components/a.jpg",
        // userinfo
        "https://user@HOST/components/a.jpg",
        "https://user:secret@HOST/components/a.jpg",
        "https://@HOST/components/a.jpg",
        "https://HOST@evil.org/components/a.jpg",
        "https://evil.org\\@HOST/components/a.jpg",
        // backslashes, controls, white space
        "https:\\\\HOST\\components\\a.jpg",
        "https://HOST\\components/a.jpg",
        "https://HOST/components\\a.jpg",
        "https://HOST/components/a%5Cb.jpg",
        "https://HOST/components/a%5cb.jpg",
        "https://HOST/components/a\nb.jpg",
        "https://HOST/compo\tnents/a.jpg",
        "https://HOST/components/a.jpg\r\n",
        "https://HOST/components/a%00.jpg",
        "https://HOST/components/a%0a.jpg",
        "https://HOST/components/a%7F.jpg",
        "https://HOST/components/a%C2%85.jpg",
        "https://HOST/components/a b.jpg",
        "https://HOST/components/a\u{a0}b.jpg",
        "https://HOST/components/a\0.jpg",
        "https://HO\tST/components/a.jpg",
        // segments
        "https://HOST//components/a.jpg",
        "https://HOST/components//a.jpg",
        "https://HOST/components/a.jpg/",
        "https://HOST/./components/a.jpg",
        "https://HOST/components/../components/a.jpg",
        "https://HOST/components/../secret.jpg",
        "https://HOST/components/%2e%2e/secret.jpg",
        "https://HOST/components/%2E./secret.jpg",
        "https://HOST/components/.%2e/a.jpg",
        "https://HOST/components/..%2fsecret.jpg",
        "https://HOST/components/%2e/a.jpg",
        "https://HOST/components%2f..%2fsecret.jpg",
        "https://HOST/components/%2Fa.jpg",
        "https://HOST/components/..",
        "https://HOST/x/components/a.jpg",
        "https://HOST/pending/components/a.jpg",
        "https://HOST/p%65nding/components/a.jpg",
        "https://HOST/componentsx/a.jpg",
        "https://HOST/secret.jpg",
        "https://HOST/Components/a.jpg",
        "https://HOST/%2Fcomponents/a.jpg",
        "https://HOST/components/a#12",
        "https://HOST/components/a%2312",
        // escapes
        "https://HOST/components/a%.jpg",
        "https://HOST/components/a%4",
        "https://HOST/components/a%zz.jpg",
        "https://HOST/components/a%+4.jpg",
        "https://HOST/components/%FF.jpg",
        "https://HOST/components/%C3%28.jpg",
        "https://HOST/components/%C0%AE%C0%AE/a.jpg",
        "https://HOST/components/%ED%A0%80.jpg",
        "https://HOST/components/a+b.jpg",
        "https://HOST/components/a|b.jpg",
        "https://HOST/components/<a>.jpg",
    ]
    .iter()
    .map(|url| url.replace("HOST", host))
    .collect();
    // '#12' above is a fragment: what is left names an object.
    hostile.retain(|url| !url.ends_with("/a#12"));
    hostile.push(format!("https://{host}/components/{}.jpg", "a".repeat(256)));
    hostile.push(format!("https://{host}/components/{}", "a/".repeat(600)));
    for url in &hostile {
        assert!(on_aws.key_from_url(url).is_err(), "accepted {url:?}");
    }

    for (location, cdn, refused) in [
        (
            Location::S3(s3("lab", "eu-west-1").with_endpoint("http://127.0.0.1:7480")),
            None,
            vec![
                "https://127.0.0.1:7480/lab/components/a.jpg",
                "http://127.0.0.1/lab/components/a.jpg",
                "http://127.0.0.1:7481/lab/components/a.jpg",
                "https://lab.s3.eu-west-1.amazonaws.com/components/a.jpg",
                "http://lab.127.0.0.1:7480/components/a.jpg",
                "http://127.1:7480/lab/components/a.jpg",
                "http://2130706433:7480/lab/components/a.jpg",
                "http://localhost:7480/lab/components/a.jpg",
                "http://127.0.0.1:7480/components/a.jpg",
            ],
        ),
        (
            Location::S3(s3("lab", "us-gov-west-1")),
            None,
            vec![
                "https://lab.s3.amazonaws.com/components/a.jpg",
                "https://s3.amazonaws.com/lab/components/a.jpg",
            ],
        ),
        (
            Location::S3(s3("lab", "cn-north-1")),
            None,
            vec![
                "https://lab.s3.amazonaws.com/components/a.jpg",
                "https://lab.s3.cn-north-1.amazonaws.com/components/a.jpg",
            ],
        ),
        (
            Location::S3(s3("lab", "eu-west-1")),
            Some("d1.cloudfront.net"),
            vec![
                "https://d2.cloudfront.net/components/a.jpg",
                "https://d1.cloudfront.net.evil.org/components/a.jpg",
            ],
        ),
        (
            local("/uploads"),
            None,
            vec![
                "/uploads",
                "/uploads/",
                "/components/a.jpg",
                "/uploadscomponents/a.jpg",
                "//uploads/components/a.jpg",
                "/uploads//components/a.jpg",
                "/uploads/../uploads/components/a.jpg",
                "https://evil.org/uploads/components/a.jpg",
                "/Uploads/components/a.jpg",
                "/%75ploads/components/a.jpg",
                "uploads/components/a.jpg",
                "/uploads/components/%2e%2e/a.jpg",
                "/\\evil.org/uploads/components/a.jpg",
                "file:///uploads/components/a.jpg",
            ],
        ),
        (
            local("/"),
            None,
            vec!["//evil.org/components/a.jpg", "//components/a.jpg"],
        ),
        (
            local("https://img.example.org/f"),
            None,
            vec![
                "/f/components/a.jpg",
                "http://img.example.org/f/components/a.jpg",
                "https://img.example.org/components/a.jpg",
            ],
        ),
        (
            Location::Memory,
            None,
            vec![
                "memory://other/components/a.jpg",
                "memory:///components/a.jpg",
                "memory:lablink/components/a.jpg",
                "object://lablink/components/a.jpg",
            ],
        ),
    ] {
        let urls = Urls::new(location, cdn, "components").expect("valid");
        for url in refused {
            assert!(urls.key_from_url(url).is_err(), "{urls:?} accepted {url:?}");
        }
    }
}

#[test]
fn errors_keep_secrets_to_themselves() {
    let urls = urls(Location::Memory);
    let error = urls
        .key_from_url(
            "https://user:hunter2@example.org/a?X-Amz-Signature=f00f&X-Amz-Security-Token=t0k#frag",
        )
        .expect_err("foreign");
    let shown = format!("{error} {error:?}");
    for secret in ["hunter2", "f00f", "t0k", "frag"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
