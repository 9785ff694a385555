use proptest::prelude::*;

use super::*;

fn every_form() -> Vec<Urls> {
    let mut forms = Vec::new();
    for prefix in ["components", "a/b c/ü", ""] {
        for (bucket, region) in [
            ("lab", "eu-west-1"),
            ("my.lab", "us-east-1"),
            ("lab", "cn-north-1"),
            ("My_Lab", "us-east-1"),
        ] {
            for addressing in [Addressing::Auto, Addressing::Virtual, Addressing::Path] {
                for dual_stack in [false, true] {
                    for accelerate in [false, true] {
                        let aws = s3(bucket, region)
                            .with_addressing(addressing)
                            .with_dual_stack(dual_stack)
                            .with_accelerate(accelerate);
                        forms.push((Location::S3(aws), prefix));
                    }
                }
                for endpoint in ["http://127.0.0.1:7480", "https://minio.example.org/x"] {
                    forms.push((
                        Location::S3(
                            s3(bucket, region)
                                .with_addressing(addressing)
                                .with_endpoint(endpoint),
                        ),
                        prefix,
                    ));
                }
            }
        }
        for base_url in [
            "/uploads",
            "/",
            "https://img.example.org",
            "http://localhost:5000/a/b",
        ] {
            forms.push((local(base_url), prefix));
        }
        forms.extend([(Location::Memory, prefix), (Location::Custom, prefix)]);
    }
    forms
        .into_iter()
        .flat_map(|(location, prefix)| {
            [
                None,
                Some("cdn.example.org"),
                Some("https://www.example.org/img"),
            ]
            .into_iter()
            // Combinations that make no sense are refused, which has its own test.
            .filter_map(move |cdn| Urls::new(location.clone(), cdn, prefix).ok())
        })
        .collect()
}

fn under(prefix: &str, rest: &str) -> Option<ObjectKey> {
    let text = if prefix.is_empty() {
        rest.to_owned()
    } else {
        format!("{prefix}/{rest}")
    };
    ObjectKey::parse(text).ok().filter(|key| !key.is_pending())
}

proptest! {
    #[test]
    fn every_url_leads_back_to_its_key(rest in "[^\\p{Cc}\\\\]{1,60}", query in "[?#]?[a-z=&/.%]{0,10}") {
        for urls in every_form() {
            if let Some(key) = under(urls.prefix(), &rest) {
                for url in [urls.public_url(&key), urls.object_url(&key)] {
                    prop_assert!(url.is_ascii());
                    prop_assert_eq!(urls.key_from_url(&url), Ok(key.clone()), "{}", url);
                    if query.starts_with(['?', '#']) {
                        prop_assert_eq!(urls.key_from_url(&format!("{url}{query}")), Ok(key.clone()));
                    }
                }
            }
        }
    }

    /// If a mutated URL is still taken, a strict parser of the WHATWG's kind sees the same host and, decoded
    /// once, the same key in it.
    #[test]
    fn a_mutated_url_is_refused_or_means_the_same_to_a_browser(
        form in 0_usize..1000,
        at in 0_usize..200,
        cut in 0_usize..4,
        put in prop::sample::select(vec!["", "/", "//", "\\", "@", ":", "?", "#", ".", "..", "/../", "%2e%2e/", "%2F", "%5c", "%00", "%", "+", "\t", "\n", " ", "\u{3002}", "\u{ff0f}", "evil.org", "x", "%25", "%C3%BC", ":443", "a:b@", "[", "A"]),
    ) {
        let forms = every_form();
        let urls = &forms[form % forms.len()];
        let Some(key) = under(urls.prefix(), "6f9619ff.jpg") else { return Ok(()) };
        let url = urls.public_url(&key);
        let chars: Vec<char> = url.chars().collect();
        let at = at.min(chars.len());
        let mutated: String = chars[..at].iter().copied().chain(put.chars()).chain(chars[(at + cut).min(chars.len())..].iter().copied()).collect();
        if let Ok(found) = urls.key_from_url(&mutated) {
            prop_assert!(found.is_under(urls.prefix()) && !found.is_pending());
            let site = ::url::Url::parse("https://site.example/page").expect("a URL");
            let seen = site.join(&mutated).expect("a URL");
            let twin = site.join(&urls.public_url(&found)).expect("a URL");
            let same_host = seen.host_str().map(str::to_lowercase) == twin.host_str().map(str::to_lowercase);
            prop_assert!(same_host && seen.port() == twin.port(), "{mutated} is {seen}, not {twin}");
            let decoded = |url: &::url::Url| percent_decoded(url.path());
            prop_assert_eq!(decoded(&seen), decoded(&twin));
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,80}|https?://[a-z.@:/%\\\\]{0,60}") {
        for urls in every_form().iter().take(40) {
            let _ = urls.parse_key_or_url(&text);
        }
        let _ = Urls::new(local(&text), Some(&text), &text);
        let _ = Urls::new(Location::S3(s3(&text, &text).with_endpoint(text.as_str())), Some(&text), "p");
    }
}

fn percent_decoded(path: &str) -> Vec<u8> {
    let bytes = path.as_bytes();
    let mut decoded = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let escape = (bytes[at] == b'%')
            .then(|| u8::from_str_radix(path.get(at + 1..at + 3)?, 16).ok())
            .flatten();
        decoded.push(escape.unwrap_or(bytes[at]));
        at += if escape.is_some() { 3 } else { 1 };
    }
    decoded
}
