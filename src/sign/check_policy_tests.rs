//! Policies written by others.

use super::*;

/// Policies that somebody else wrote: read as S3 reads them, refused where S3 refuses them.
#[test]
fn policies_of_others_are_read_strictly() {
    let signer = aws(None);
    let scope = "AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request";
    let judge = |json: &str, size| {
        let document = STANDARD.encode(json);
        let signature = signer.sign_document(&document, "20130524").expect("signed");
        let fields: FormFields = [
            ("key", "k"),
            ("x-amz-algorithm", "AWS4-HMAC-SHA256"),
            ("x-amz-credential", scope),
            ("x-amz-date", "20130524T000000Z"),
            ("policy", &document),
            ("x-amz-signature", &signature),
        ]
        .map(|(n, v)| (n.to_owned(), v.to_owned()))
        .to_vec();
        check_post(
            &PostForm::new(&fields, size),
            &PostVerifier::SigV4(&signer),
            at(NOW),
        )
    };
    let rest = r#"["starts-with", "$x-amz-algorithm", ""], ["starts-with", "$x-amz-credential", ""], ["starts-with", "$x-amz-date", ""]"#;
    let of = |conditions: &str| {
        format!(
            r#"{{"expiration": "2013-05-25T00:00:00.000Z", "conditions": [{conditions}, {rest}]}}"#
        )
    };
    for taken in [
        r#"{"key": "k"}"#,
        r#"{"KEY": "k"}"#,
        r#"["eq", "$key", "k"]"#,
        r#"["EQ", "$Key", "k"]"#,
        r#"["Starts-With", "$key", ""]"#,
        r#"["starts-with", "$key", "k"], ["content-length-range", "1", "100"]"#,
        r#"["starts-with", "$key", "k"], ["content-length-range", 0, 18446744073709551615]"#,
    ] {
        judge(&of(taken), 10).expect(taken);
    }
    for refused in [
        r#"{"key": "k", "key2": "x"}"#,
        r#"{"key": 1}"#,
        r"{}",
        r#"["eq", "key", "k"]"#,
        r#"["eq", "$key"]"#,
        r#"["eq", "$key", "k", "x"]"#,
        r#"["ends-with", "$key", "k"]"#,
        r#"["content-length-range", -1, 10]"#,
        r#"["content-length-range", 1.5, 10]"#,
        r#""key""#,
        "null",
    ] {
        assert!(
            matches!(
                judge(&of(refused), 10),
                Err(PolicyViolation::Malformed { .. })
            ),
            "{refused}"
        );
    }
    for refused in [
        "[]",
        "x",
        r#"{"conditions": []}"#,
        r#"{"expiration": "tomorrow", "conditions": []}"#,
        r#"{"expiration": "2013-05-25T00:00:00Z"}"#,
        r#"{"expiration": "2013-05-25T00:00:00Z", "conditions": {}}"#,
        r#"{"expiration": "2013-05-25T00:00:00Z", "conditions": [], "more": 1}"#,
        &"[".repeat(10_000),
    ] {
        assert!(
            matches!(judge(refused, 10), Err(PolicyViolation::Malformed { .. })),
            "{refused}"
        );
    }
    let two_ranges =
        of(r#"{"key": "k"}, ["content-length-range", 0, 50], ["content-length-range", 20, 99]"#);
    assert!(judge(&two_ranges, 30).is_ok());
    assert!(judge(&two_ranges, 10).is_err() && judge(&two_ranges, 60).is_err());
}
