//! Forms that S3 would take, and every way in which it would not.

use std::time::{Duration, UNIX_EPOCH};

use super::*;
use crate::sign::{Credentials, PostPolicy};

#[path = "check_policy_tests.rs"]
mod policies;

const NOW: u64 = 1_369_353_600;
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

type FormFields = Vec<(String, String)>;

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn aws(token: Option<&str>) -> SigV4 {
    let mut credentials = Credentials::new("AKIAIOSFODNN7EXAMPLE", SECRET);
    if let Some(token) = token {
        credentials = credentials.with_session_token(token);
    }
    SigV4::new(credentials, "us-east-1").expect("valid")
}

fn local() -> LocalSigner {
    LocalSigner::new(&"0123456789abcdef0123456789abcdef".into()).expect("valid")
}

fn policy() -> PostPolicy {
    PostPolicy::new("pending/components/a.png", Duration::from_secs(60))
        .with_field("Content-Type", "image/png")
        .with_field_starting("x-amz-meta-tag", "lab", "la")
        .with_content_length_range(10, 20)
}

/// The same form, signed by each and checked by each.
fn on_every_backend(policy: &PostPolicy, judge: impl Fn(FormFields, &PostVerifier<'_>)) {
    let url = "https://h/";
    let key = ObjectKey::parse("k").expect("valid");
    for signer in [aws(None), aws(Some("t0ken+/="))] {
        judge(
            signer.post_fields(policy, at(NOW)).expect("valid"),
            &PostVerifier::SigV4(&signer),
        );
    }
    let signer = local();
    let post = signer
        .presign_post(policy, &key, url, url, at(NOW))
        .expect("valid");
    judge(post.fields, &PostVerifier::Local(&signer));
}

fn set(fields: &FormFields, name: &str, value: &str) -> FormFields {
    let mut changed = fields.clone();
    let field = changed.iter_mut().find(|(n, _)| n == name).expect(name);
    field.1 = value.to_owned();
    changed
}

fn without(fields: &FormFields, name: &str) -> FormFields {
    fields.iter().filter(|(n, _)| n != name).cloned().collect()
}

fn with(fields: &FormFields, name: &str, value: &str) -> FormFields {
    let mut changed = fields.clone();
    changed.push((name.to_owned(), value.to_owned()));
    changed
}

#[test]
fn a_form_that_keeps_its_policy_is_taken() {
    on_every_backend(
        &policy().with_success_action_status(201),
        |fields, verifier| {
            for size in [10, 20] {
                let accepted = check_post(&PostForm::new(&fields, size), verifier, at(NOW + 59))
                    .expect("kept");
                assert_eq!(accepted.key.as_str(), "pending/components/a.png");
                assert_eq!(accepted.content_type.as_deref(), Some("image/png"));
                assert_eq!(accepted.success_action_status, 201);
            }
            let judge =
                |fields: &FormFields| check_post(&PostForm::new(fields, 10), verifier, at(NOW));
            assert!(judge(&set(&fields, "x-amz-meta-tag", "lassie")).is_ok());
            assert!(judge(&with(&fields, "x-ignore-csrf", "1")).is_ok());
            let renamed: FormFields = fields
                .iter()
                .map(|(n, v)| (n.to_uppercase(), v.clone()))
                .collect();
            assert!(judge(&renamed).is_ok(), "names have no case");
            let reversed: FormFields = fields.iter().rev().cloned().collect();
            assert!(judge(&reversed).is_ok());
        },
    );
}

#[test]
fn each_condition_that_fails_is_named() {
    on_every_backend(&policy(), |fields, verifier| {
        let judge = |fields: &FormFields, size, now| {
            check_post(&PostForm::new(fields, size), verifier, at(now)).expect_err("broken")
        };
        let failed = |fields: &FormFields| match judge(fields, 10, NOW) {
            PolicyViolation::Condition { condition } => condition,
            other => panic!("{other}"),
        };
        assert_eq!(judge(&fields, 10, NOW + 60), PolicyViolation::Expired);
        assert_eq!(
            judge(&fields, 9, NOW),
            PolicyViolation::Size {
                size: 9,
                min: 10,
                max: 20
            }
        );
        assert_eq!(
            judge(&fields, 21, NOW),
            PolicyViolation::Size {
                size: 21,
                min: 10,
                max: 20
            }
        );
        assert_eq!(
            failed(&set(&fields, "Content-Type", "text/html")),
            r#"["eq", "$Content-Type", "image/png"]"#
        );
        assert_eq!(
            failed(&set(&fields, "Content-Type", "image/PNG")),
            r#"["eq", "$Content-Type", "image/png"]"#
        );
        assert_eq!(
            failed(&without(&fields, "Content-Type")),
            r#"["eq", "$Content-Type", "image/png"]"#
        );
        assert_eq!(
            failed(&set(&fields, "key", "components/a.png")),
            r#"["eq", "$key", "pending/components/a.png"]"#
        );
        assert_eq!(
            failed(&set(&fields, "x-amz-meta-tag", "x")),
            r#"["starts-with", "$x-amz-meta-tag", "la"]"#
        );
        assert_eq!(
            failed(&without(&fields, "x-amz-meta-tag")),
            r#"["starts-with", "$x-amz-meta-tag", "la"]"#
        );
        for extra in [
            "acl",
            "x-amz-meta-more",
            "Cache-Control",
            "bucket",
            "x-ignored",
        ] {
            let violation = judge(&with(&fields, extra, "x"), 10, NOW);
            assert_eq!(
                violation,
                PolicyViolation::Unlisted {
                    field: extra.to_lowercase()
                }
            );
        }
        assert!(matches!(
            judge(&without(&fields, "key"), 10, NOW),
            PolicyViolation::Missing { field: "key" }
        ));
        assert!(matches!(
            judge(&without(&fields, "policy"), 10, NOW),
            PolicyViolation::Missing { .. }
        ));
        assert!(matches!(
            judge(&with(&fields, "Key", "pending/components/a.png"), 10, NOW),
            PolicyViolation::Malformed { .. }
        ));
        assert!(matches!(
            judge(
                &with(&fields, "x-ignore-me", &"x".repeat(20 * 1024)),
                10,
                NOW
            ),
            PolicyViolation::Malformed { .. }
        ));
        assert!(matches!(
            judge(&Vec::new(), 10, NOW),
            PolicyViolation::Missing { .. }
        ));
    });
}

#[test]
fn an_altered_policy_or_signature_is_refused() {
    on_every_backend(&policy(), |fields, verifier| {
        let judge = |fields: &FormFields| check_post(&PostForm::new(fields, 10), verifier, at(NOW));
        let value = |name: &str| {
            fields
                .iter()
                .find(|(n, _)| n == name)
                .expect(name)
                .1
                .clone()
        };
        let json =
            String::from_utf8(STANDARD.decode(value("policy")).expect("base64")).expect("UTF-8");
        for altered in [
            json.replace("10, 20", "0, 99999"),
            json.replace("2013", "2033"),
            json.replace("image/png", "text/html"),
            json.replace(
                "\"conditions\": [",
                "\"conditions\": [[\"starts-with\", \"$acl\", \"\"], ",
            ),
            r#"{"expiration": "2033-01-01T00:00:00Z", "conditions": []}"#.to_owned(),
            String::new(),
        ] {
            assert_eq!(
                judge(&set(&fields, "policy", &STANDARD.encode(altered))),
                Err(PolicyViolation::Signature)
            );
        }
        let signature = fields.last().expect("fields").clone();
        for wrong in [
            "",
            "0",
            &signature.1[1..],
            &signature.1.to_uppercase(),
            &"0".repeat(64),
        ] {
            assert_eq!(
                judge(&set(&fields, &signature.0, wrong)),
                Err(PolicyViolation::Signature)
            );
        }
        for (name, _) in fields
            .iter()
            .filter(|(name, _)| name.starts_with("x-amz-") && !name.contains("meta"))
        {
            for wrong in [
                "",
                "x",
                "20130525T000000Z",
                "AKIAIOSFODNN7EXAMPLE/20130525/us-east-1/s3/aws4_request",
                "ä20130524T000000Z",
            ] {
                assert_eq!(
                    judge(&set(&fields, name, wrong)),
                    Err(PolicyViolation::Signature),
                    "{name}"
                );
            }
        }
        for another in [
            PostVerifier::SigV4(&aws(Some("other"))),
            PostVerifier::Local(&LocalSigner::new(&"x".repeat(32).into()).expect("valid")),
        ] {
            assert!(check_post(&PostForm::new(&fields, 10), &another, at(NOW)).is_err());
        }
    });
}

/// A signature over a form is not valid for anything else, and the other way round.
#[test]
fn a_get_signature_opens_no_form() {
    let signer = local();
    let key = ObjectKey::parse("components/a.png").expect("valid");
    let get = crate::sign::Presign::get(Duration::from_secs(60));
    let request = signer
        .presign(&get, &key, "/uploads/components/a.png", at(NOW))
        .expect("valid");
    let (_, signature) = request.url.rsplit_once('=').expect("a signature");
    let post = signer
        .presign_post(&policy(), &key, "/uploads", "/x", at(NOW))
        .expect("valid");
    let fields = set(&post.fields, LOCAL_SIGNATURE, signature);
    assert_eq!(
        check_post(
            &PostForm::new(&fields, 10),
            &PostVerifier::Local(&signer),
            at(NOW)
        ),
        Err(PolicyViolation::Signature)
    );
}

#[test]
fn the_bucket_is_where_the_form_was_posted() {
    let signer = aws(None);
    let fields = signer
        .post_fields(&policy().with_bucket("lab"), at(NOW))
        .expect("valid");
    let verifier = PostVerifier::SigV4(&signer);
    let judge = |form: PostForm<'_>| check_post(&form, &verifier, at(NOW));
    assert!(judge(PostForm::new(&fields, 10).with_bucket("lab")).is_ok());
    for form in [
        PostForm::new(&fields, 10),
        PostForm::new(&fields, 10).with_bucket("other"),
    ] {
        assert!(
            matches!(judge(form), Err(PolicyViolation::Condition { condition }) if condition.contains("bucket"))
        );
    }
}

#[test]
fn the_files_name_completes_the_key_without_its_folders() {
    let policy = PostPolicy::new("pending/${filename}", Duration::from_secs(60));
    on_every_backend(&policy, |fields, verifier| {
        let judge = |name| {
            check_post(
                &PostForm::new(&fields, 10).with_file_name(name),
                verifier,
                at(NOW),
            )
        };
        for name in ["a b.png", "/etc/a b.png", "C:\\x\\a b.png", "../../a b.png"] {
            assert_eq!(judge(name).expect(name).key.as_str(), "pending/a b.png");
        }
        for name in ["", "a/", "..", "a\u{0}b", "a#1"] {
            assert!(
                matches!(judge(name), Err(PolicyViolation::Malformed { .. })),
                "{name:?}"
            );
        }
        assert!(check_post(&PostForm::new(&fields, 10), verifier, at(NOW)).is_err());
    });
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html>, "Condition
/// Matching": a content type with commas is a list for starts-with.
#[test]
fn every_content_type_of_a_list_has_to_match() {
    let policy = PostPolicy::new("k", Duration::from_secs(60)).with_field_starting(
        "Content-Type",
        "image/png",
        "image/",
    );
    on_every_backend(&policy, |fields, verifier| {
        let judge = |value| {
            check_post(
                &PostForm::new(&set(&fields, "Content-Type", value), 10),
                verifier,
                at(NOW),
            )
        };
        assert!(judge("image/png,image/jpeg").is_ok());
        assert!(judge("image/png, text/html").is_err());
    });
}

#[test]
fn violations_show_no_token_and_no_signature() {
    let signer = aws(Some("s3ss10n-t0ken"));
    let fields = signer.post_fields(&policy(), at(NOW)).expect("valid");
    let verifier = PostVerifier::SigV4(&signer);
    for (name, _) in &fields {
        for changed in [set(&fields, name, "x"), without(&fields, name)] {
            let form = PostForm::new(&changed, 10);
            let error = check_post(&form, &verifier, at(NOW)).expect_err("broken");
            let shown = format!("{error} {error:?} {form:?} {verifier:?}");
            for (secret, value) in fields
                .iter()
                .filter(|(n, _)| n.contains("token") || n.contains("signature") || n == "policy")
            {
                assert!(!shown.contains(value.as_str()), "{secret} in {shown}");
            }
            assert!(!shown.contains(SECRET));
        }
    }
}

proptest::proptest! {
    #[test]
    fn no_form_makes_it_panic(fields in proptest::collection::vec(("[a-zA-Z-]{0,12}|key|policy|x-amz-date|x-amz-credential|x-amz-signature|x-amz-algorithm|x-lablink-signature|x-lablink-algorithm", "\\PC{0,30}"), 0..12), size: u64) {
        let (aws, local) = (aws(None), local());
        for verifier in [PostVerifier::SigV4(&aws), PostVerifier::Local(&local)] {
            proptest::prop_assert!(check_post(&PostForm::new(&fields, size), &verifier, at(NOW)).is_err());
        }
    }
}
