//! The policy of a browser form: which upload S3 is to take, and the fields that say so.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html>

use std::fmt::Write as _;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::error::SignError;
use super::time::{Timestamp, s3_expiry};

/// The form field that carries the policy.
pub(super) const DOCUMENT: &str = "policy";
/// The form field that carries S3's signature.
pub(super) const AWS_SIGNATURE: &str = "x-amz-signature";
/// The form field that carries the signature of the local and memory backends.
pub(super) const LOCAL_SIGNATURE: &str = "x-lablink-signature";

/// The end of a key that S3 replaces with the uploaded file's name.
const FILE_NAME: &str = "${filename}";

/// A condition on a form.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Condition {
    /// A field has exactly this value.
    Eq {
        /// The field's name, as in the form.
        field: String,
        /// Its value.
        value: String,
    },
    /// A field begins with this.
    StartsWith {
        /// The field's name, as in the form.
        field: String,
        /// The beginning of its value; empty for any value.
        prefix: String,
    },
    /// The file has so many bytes, both ends included.
    ContentLengthRange {
        /// The fewest.
        min: u64,
        /// The most.
        max: u64,
    },
}

/// A browser form under construction: every field comes with the condition that pins it, so that none is
/// forgotten ("Extra input fields") and none contradicts the policy.
///
/// Sign it with [`SigV4::presign_post`](super::SigV4::presign_post) or
/// [`LocalSigner::presign_post`](super::LocalSigner::presign_post).
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use lablink_storage::sign::{Credentials, PostPolicy, SigV4};
///
/// let policy = PostPolicy::new("components/board.png", Duration::from_secs(3600))
///     .with_bucket("lab")
///     .with_field("Content-Type", "image/png")
///     .with_content_length_range(1, 10 << 20)
///     .with_success_action_status(201);
/// let signer = SigV4::new(Credentials::new("AKIAIOSFODNN7EXAMPLE", "secret"), "us-east-1")?;
/// let fields = signer.post_fields(&policy, SystemTime::now())?;
/// let names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
/// assert_eq!(
///     names,
///     ["Content-Type", "success_action_status", "key", "x-amz-algorithm", "x-amz-credential", "x-amz-date", "policy", "x-amz-signature"],
/// );
/// # Ok::<(), lablink_storage::sign::SignError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostPolicy {
    key: String,
    bucket: Option<String>,
    pub(super) expires_in: Duration,
    fields: Vec<(String, String)>,
    conditions: Vec<Condition>,
}

impl PostPolicy {
    /// A form for one upload to `key`. A key that ends in `${filename}` is completed by S3 with the
    /// name of the uploaded file; prefer a key of your own.
    pub fn new(key: impl Into<String>, expires_in: Duration) -> Self {
        Self {
            key: key.into(),
            bucket: None,
            expires_in,
            fields: Vec::new(),
            conditions: Vec::new(),
        }
    }

    /// Pins the bucket; S3 insists on it.
    #[must_use]
    pub fn with_bucket(mut self, bucket: impl Into<String>) -> Self {
        self.bucket = Some(bucket.into());
        self
    }

    /// Adds a field that has to be sent with exactly this value: `Content-Type`, `Cache-Control`,
    /// `x-amz-storage-class`, …
    #[must_use]
    pub fn with_field(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let (field, value) = (name.into(), value.into());
        self.fields.push((field.clone(), value.clone()));
        self.conditions.push(Condition::Eq { field, value });
        self
    }

    /// Adds a field that the form's sender may change, as long as it begins with `prefix`.
    #[must_use]
    pub fn with_field_starting(
        mut self,
        name: impl Into<String>,
        value: impl Into<String>,
        prefix: impl Into<String>,
    ) -> Self {
        let (field, prefix) = (name.into(), prefix.into());
        self.fields.push((field.clone(), value.into()));
        self.conditions
            .push(Condition::StartsWith { field, prefix });
        self
    }

    /// Bounds the file, in bytes, both ends included.
    #[must_use]
    pub fn with_content_length_range(mut self, min: u64, max: u64) -> Self {
        self.conditions
            .push(Condition::ContentLengthRange { min, max });
        self
    }

    /// Sets what S3 answers a successful upload with: 200, 201 (with an XML body) or 204.
    #[must_use]
    pub fn with_success_action_status(self, status: u16) -> Self {
        self.with_field("success_action_status", status.to_string())
    }

    /// Adds metadata that is stored with the object: the field `x-amz-meta-<name>`.
    #[must_use]
    pub fn with_metadata(self, name: &str, value: impl Into<String>) -> Self {
        self.with_field(format!("x-amz-meta-{name}"), value)
    }

    /// Adds a condition without a field, for one that the form's sender adds.
    #[must_use]
    pub fn with_condition(mut self, condition: Condition) -> Self {
        self.conditions.push(condition);
        self
    }

    /// The form's fields up to the policy, and the policy document in base64. `signer_fields` are what
    /// the signer adds, each with its condition.
    pub(super) fn assemble(
        &self,
        signer_fields: &[(&str, &str)],
        now: Timestamp,
    ) -> Result<(Vec<(String, String)>, String), SignError> {
        let expires = Timestamp::new(now.system_time() + s3_expiry(self.expires_in)?)?;
        self.check(signer_fields)?;

        let mut json = Json::new(&expires.iso());
        for condition in &self.conditions {
            json.condition(condition);
        }
        if let Some(bucket) = &self.bucket {
            json.eq("bucket", bucket);
        }
        match self.key.strip_suffix(FILE_NAME) {
            Some(prefix) => json.starts_with("key", prefix),
            None => json.eq("key", &self.key),
        }

        let mut fields = Vec::with_capacity(self.fields.len() + signer_fields.len() + 3);
        fields.extend_from_slice(&self.fields);
        fields.push(("key".to_owned(), self.key.clone()));
        for &(name, value) in signer_fields {
            json.eq(name, value);
            fields.push((name.to_owned(), value.to_owned()));
        }
        Ok((fields, STANDARD.encode(json.finish())))
    }

    fn check(&self, signer_fields: &[(&str, &str)]) -> Result<(), SignError> {
        let invalid = |reason| Err(SignError::argument("fields", reason));
        if self.key.is_empty() || self.key.chars().any(char::is_control) {
            return Err(SignError::argument(
                "key",
                "it is empty or has a control character",
            ));
        }
        for (at, (name, value)) in self.fields.iter().enumerate() {
            let is = |other: &str| name.eq_ignore_ascii_case(other);
            if name.is_empty()
                || !name
                    .bytes()
                    .all(|b| b.is_ascii_graphic() && b != b'"' && b != b'$')
            {
                return invalid("a field's name is empty or has characters that it cannot have");
            }
            if value.chars().any(char::is_control) {
                return invalid("a field's value has a control character");
            }
            let reserved = [
                "key",
                "bucket",
                "file",
                DOCUMENT,
                AWS_SIGNATURE,
                LOCAL_SIGNATURE,
            ];
            if reserved.into_iter().any(is) || signer_fields.iter().any(|&(other, _)| is(other)) {
                return invalid("a field has a name that the form itself uses");
            }
            if self.fields[..at].iter().any(|(other, _)| is(other)) {
                return invalid("a field is given twice");
            }
            if is("success_action_status") && !["200", "201", "204"].contains(&value.as_str()) {
                return invalid("success_action_status must be 200, 201 or 204");
            }
        }
        for condition in &self.conditions {
            if matches!(condition, Condition::ContentLengthRange { min, max } if min > max) {
                return Err(SignError::argument(
                    "max_bytes",
                    "the smallest size is larger than the largest",
                ));
            }
        }
        Ok(())
    }
}

/// The policy's JSON with the separators and escapes of Python's `json.dumps`, so that it is byte for
/// byte what boto3 writes; but characters outside Unicode's first plane stand as they are, since Ceph
/// refuses them as surrogate pairs.
struct Json(String);

impl Json {
    fn new(expiration: &str) -> Self {
        let mut text = String::with_capacity(1024);
        let _ = write!(
            text,
            "{{\"expiration\": \"{expiration}\", \"conditions\": ["
        );
        Self(text)
    }

    fn condition(&mut self, condition: &Condition) {
        match condition {
            Condition::Eq { field, value } => self.eq(field, value),
            Condition::StartsWith { field, prefix } => self.starts_with(field, prefix),
            Condition::ContentLengthRange { min, max } => {
                self.separate();
                let _ = write!(self.0, "[\"content-length-range\", {min}, {max}]");
            }
        }
    }

    fn eq(&mut self, field: &str, value: &str) {
        self.separate();
        self.0.push('{');
        self.string(field);
        self.0.push_str(": ");
        self.string(value);
        self.0.push('}');
    }

    fn starts_with(&mut self, field: &str, prefix: &str) {
        self.separate();
        self.0.push_str("[\"starts-with\", ");
        self.string(&format!("${field}"));
        self.0.push_str(", ");
        self.string(prefix);
        self.0.push(']');
    }

    fn separate(&mut self) {
        if !self.0.ends_with('[') {
            self.0.push_str(", ");
        }
    }

    fn string(&mut self, text: &str) {
        self.0.push('"');
        for character in text.chars() {
            match character {
                '"' | '\\' => self.0.extend(['\\', character]),
                ' '..='~' => self.0.push(character),
                _ if u32::from(character) > 0xffff => self.0.push(character),
                _ => {
                    let _ = write!(self.0, "\\u{:04x}", u32::from(character));
                }
            }
        }
        self.0.push('"');
    }

    fn finish(mut self) -> String {
        self.0.push_str("]}");
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn document(policy: &PostPolicy) -> Result<String, SignError> {
        let now = Timestamp::new(UNIX_EPOCH + Duration::from_secs(1_369_353_600))?;
        let (_, document) = policy.assemble(&[("x-amz-date", "20130524T000000Z")], now)?;
        let json = STANDARD.decode(document).expect("base64");
        Ok(String::from_utf8(json).expect("UTF-8"))
    }

    /// The expected text is what Python's `json.dumps` writes for these conditions.
    #[test]
    fn the_document_is_that_of_pythons_json() {
        let policy = PostPolicy::new("a/ü\"\\.png", Duration::from_secs(60))
            .with_bucket("lab")
            .with_field_starting("Content-Type", "image/png", "image/")
            .with_content_length_range(1, 1024)
            .with_metadata("note", "é\u{7f}".trim_end_matches('\u{7f}'));
        assert_eq!(
            document(&policy).expect("valid"),
            concat!(
                r#"{"expiration": "2013-05-24T00:01:00Z", "conditions": [["starts-with", "$Content-Type", "image/"], "#,
                r#"["content-length-range", 1, 1024], {"x-amz-meta-note": "\u00e9"}, {"bucket": "lab"}, "#,
                r#"{"key": "a/\u00fc\"\\.png"}, {"x-amz-date": "20130524T000000Z"}]}"#
            )
        );
    }

    #[test]
    fn emoji_stand_as_they_are() {
        let policy = PostPolicy::new("a/😀${filename}", Duration::from_secs(60));
        assert!(
            document(&policy)
                .expect("valid")
                .contains(r#"["starts-with", "$key", "a/😀"]"#)
        );
    }

    #[test]
    fn forms_that_s3_would_refuse_are_not_made() {
        let policy = || PostPolicy::new("a.png", Duration::from_secs(60));
        for (policy, name) in [
            (PostPolicy::new("", Duration::from_secs(60)), "key"),
            (PostPolicy::new("a\nb", Duration::from_secs(60)), "key"),
            (PostPolicy::new("a.png", Duration::ZERO), "expires_in"),
            (
                PostPolicy::new("a.png", Duration::from_secs(604_801)),
                "expires_in",
            ),
            (policy().with_field("Key", "b.png"), "fields"),
            (policy().with_field("bucket", "b"), "fields"),
            (policy().with_field("FILE", "b"), "fields"),
            (policy().with_field("policy", "b"), "fields"),
            (policy().with_field("X-Amz-Signature", "b"), "fields"),
            (policy().with_field("X-Amz-Date", "b"), "fields"),
            (policy().with_field("", "b"), "fields"),
            (policy().with_field("a b", "b"), "fields"),
            (policy().with_metadata("note", "a\r\nb"), "fields"),
            (
                policy().with_field("acl", "x").with_field("ACL", "y"),
                "fields",
            ),
            (policy().with_success_action_status(302), "fields"),
            (policy().with_content_length_range(2, 1), "max_bytes"),
        ] {
            let error = document(&policy).expect_err(name);
            assert!(
                matches!(error, SignError::InvalidArgument { name: n, .. } if n == name),
                "{error}"
            );
        }
    }
}
