//! One form against its policy, as S3 would judge it.

use std::collections::{HashMap, HashSet};
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::hash;
use super::local::{self, LocalSigner};
use super::policy::{AWS_SIGNATURE, Condition, DOCUMENT, LOCAL_SIGNATURE};
use super::sigv4::{self, SigV4};
use super::time::parse_iso;
use super::violation::PolicyViolation;
use crate::key::ObjectKey;

/// The most that S3 takes before the file, in bytes.
const MAX_FIELDS_BYTES: usize = 20 * 1024;

/// A form as it arrived.
#[derive(Clone)]
#[non_exhaustive]
pub struct PostForm<'a> {
    /// The bucket that it was posted to; none for the local and memory backends.
    pub bucket: Option<&'a str>,
    /// Its fields before the file, in any order.
    pub fields: &'a [(String, String)],
    /// The name of the uploaded file, for a key that ends in `${filename}`.
    pub file_name: Option<&'a str>,
    /// Bytes of the uploaded file.
    pub file_size: u64,
}

impl<'a> PostForm<'a> {
    /// A form without a bucket or file name.
    pub fn new(fields: &'a [(String, String)], file_size: u64) -> Self {
        Self {
            bucket: None,
            fields,
            file_name: None,
            file_size,
        }
    }

    /// Sets the bucket that it was posted to.
    #[must_use]
    pub fn with_bucket(mut self, bucket: &'a str) -> Self {
        self.bucket = Some(bucket);
        self
    }

    /// Sets the name of the uploaded file.
    #[must_use]
    pub fn with_file_name(mut self, file_name: &'a str) -> Self {
        self.file_name = Some(file_name);
        self
    }
}

impl std::fmt::Debug for PostForm<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.fields.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("PostForm")
            .field("bucket", &self.bucket)
            .field("fields", &names)
            .field("file_name", &self.file_name)
            .field("file_size", &self.file_size)
            .finish()
    }
}

/// The signer that a policy has to come from.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum PostVerifier<'a> {
    /// S3's signature, with these credentials in this region.
    SigV4(&'a SigV4),
    /// The local and memory backends' signature.
    Local(&'a LocalSigner),
}

/// A form that keeps its policy.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AcceptedPost {
    /// The key that the file gets.
    pub key: ObjectKey,
    /// The content type that it gets.
    pub content_type: Option<String>,
    /// The status that answers a success: 200, 201 or 204.
    pub success_action_status: u16,
}

/// Checks whether S3 would take `form` at `now`: signature, expiry, every condition, no field that the policy
/// does not list, the file's size; in this order, and the first that fails is the answer.
///
/// Pure: it serves a policy meant for S3 as well as one of the local backend, and sends nothing. Like
/// S3 it judges the field `Content-Type`, not what the file's part or its bytes claim: for that there
/// is `promote`. A field that is given twice is refused, since it is not clear which one counts.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use lablink_storage::sign::{Credentials, PostForm, PostPolicy, PostVerifier, SigV4, check_post};
///
/// let signer = SigV4::new(Credentials::new("AKIAIOSFODNN7EXAMPLE", "secret"), "us-east-1")?;
/// let policy = PostPolicy::new("components/a.png", Duration::from_secs(60)).with_content_length_range(1, 1000);
/// let now = SystemTime::now();
/// let fields = signer.post_fields(&policy, now)?;
/// let verifier = PostVerifier::SigV4(&signer);
/// assert!(check_post(&PostForm::new(&fields, 1000), &verifier, now).is_ok());
/// assert!(check_post(&PostForm::new(&fields, 1001), &verifier, now).is_err());
/// # Ok::<(), lablink_storage::sign::SignError>(())
/// ```
///
/// # Errors
///
/// [`PolicyViolation`], which names the condition.
pub fn check_post(
    form: &PostForm<'_>,
    verifier: &PostVerifier<'_>,
    now: SystemTime,
) -> Result<AcceptedPost, PolicyViolation> {
    let (accepted, policy) = check_fields(form, verifier, now)?;
    policy.check_size(form.file_size)?;
    Ok(accepted)
}

/// Holds the fields alone against their policy, before the file is read, and returns how many bytes the
/// file may have. `form.file_size` is not looked at.
#[cfg(feature = "store")]
pub(crate) fn check_post_fields(
    form: &PostForm<'_>,
    verifier: &PostVerifier<'_>,
    now: SystemTime,
) -> Result<u64, PolicyViolation> {
    let (_, policy) = check_fields(form, verifier, now)?;
    Ok(policy.max_size())
}

fn check_fields(
    form: &PostForm<'_>,
    verifier: &PostVerifier<'_>,
    now: SystemTime,
) -> Result<(AcceptedPost, Policy), PolicyViolation> {
    let fields = Fields::new(form.fields)?;
    let document = fields.required(DOCUMENT)?;
    let signature_field = verifier.check(&fields, document)?;
    let policy = Policy::parse(document)?;
    if now >= policy.expires_at {
        return Err(PolicyViolation::Expired);
    }

    let key = fields.required("key")?;
    let key = expand(key, form.file_name)?;
    let mut listed = HashSet::from([
        DOCUMENT.to_owned(),
        signature_field.to_owned(),
        "file".to_owned(),
    ]);
    let value_of = |field: &str| match field {
        "key" => Some(key.as_str()),
        "bucket" => form.bucket,
        _ => fields.get(field),
    };
    for condition in &policy.conditions {
        if let Condition::Eq { field, .. } | Condition::StartsWith { field, .. } = condition {
            let field = field.to_ascii_lowercase();
            if !holds(condition, &field, value_of(&field)) {
                return Err(PolicyViolation::Condition {
                    condition: shown(condition),
                });
            }
            listed.insert(field);
        }
    }
    if let Some(field) = fields
        .names()
        .find(|name| !name.starts_with("x-ignore-") && !listed.contains(*name))
    {
        return Err(PolicyViolation::Unlisted {
            field: field.chars().take(100).collect(),
        });
    }
    let accepted = AcceptedPost {
        key: ObjectKey::parse(key).map_err(|error| PolicyViolation::malformed(error.reason))?,
        content_type: fields.get("content-type").map(str::to_owned),
        success_action_status: match fields.get("success_action_status") {
            Some("200") => 200,
            Some("201") => 201,
            _ => 204,
        },
    };
    Ok((accepted, policy))
}

impl PostVerifier<'_> {
    /// Checks the signature of the document and gives the name of the field that carries it.
    fn check(&self, fields: &Fields<'_>, document: &str) -> Result<&'static str, PolicyViolation> {
        let valid = match self {
            Self::SigV4(signer) => {
                let credential = fields.required("x-amz-credential")?;
                let date_time = fields.required("x-amz-date")?;
                let signature = fields.required(AWS_SIGNATURE)?;
                let date = date_time.get(..8).unwrap_or_default();
                let credentials = signer.credentials();
                let expected = format!("{}/{}", credentials.access_key_id, signer.scope(date));
                let token = match (
                    &credentials.session_token,
                    fields.get("x-amz-security-token"),
                ) {
                    (None, None) => true,
                    (Some(token), Some(sent)) => hash::equal(token.expose(), sent),
                    _ => false,
                };
                // All of them are computed, so that the time says nothing.
                (fields.required("x-amz-algorithm")? == sigv4::ALGORITHM)
                    & hash::equal(&expected, credential)
                    & token
                    & signer.verifies(document, date, signature)
            }
            Self::Local(signer) => {
                (fields.required(local::ALGORITHM_FIELD)? == local::ALGORITHM)
                    & signer.verifies_post(document, fields.required(LOCAL_SIGNATURE)?)
            }
        };
        if !valid {
            return Err(PolicyViolation::Signature);
        }
        Ok(match self {
            Self::SigV4(_) => AWS_SIGNATURE,
            Self::Local(_) => LOCAL_SIGNATURE,
        })
    }
}

/// A form's fields by name in lower case.
struct Fields<'a>(HashMap<String, &'a str>);

impl<'a> Fields<'a> {
    fn new(fields: &'a [(String, String)]) -> Result<Self, PolicyViolation> {
        let bytes: usize = fields
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum();
        if bytes > MAX_FIELDS_BYTES {
            return Err(PolicyViolation::malformed(
                "the fields before the file have more than 20 KiB",
            ));
        }
        let mut by_name = HashMap::with_capacity(fields.len());
        for (name, value) in fields {
            if by_name
                .insert(name.to_ascii_lowercase(), value.as_str())
                .is_some()
            {
                return Err(PolicyViolation::malformed("a field is given twice"));
            }
        }
        Ok(Self(by_name))
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        self.0.get(name).copied()
    }

    fn required(&self, field: &'static str) -> Result<&'a str, PolicyViolation> {
        self.get(field).ok_or(PolicyViolation::Missing { field })
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// A policy as it was signed.
struct Policy {
    expires_at: SystemTime,
    conditions: Vec<Condition>,
}

impl Policy {
    fn parse(document: &str) -> Result<Self, PolicyViolation> {
        let malformed = PolicyViolation::malformed;
        let json = STANDARD
            .decode(document)
            .map_err(|_| malformed("the policy is not base64"))?;
        let Ok(Value::Object(policy)) = serde_json::from_slice(&json) else {
            return Err(malformed("the policy is not a JSON object"));
        };
        if policy
            .keys()
            .any(|name| name != "expiration" && name != "conditions")
        {
            return Err(malformed("the policy has an unknown member"));
        }
        let expires_at = policy
            .get("expiration")
            .and_then(Value::as_str)
            .and_then(parse_iso)
            .ok_or(malformed("the policy has no valid expiration"))?;
        let conditions = policy
            .get("conditions")
            .and_then(Value::as_array)
            .ok_or(malformed("the policy has no conditions"))?
            .iter()
            .map(|value| {
                parse_condition(value).ok_or(malformed("the policy has a malformed condition"))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            expires_at,
            conditions,
        })
    }

    /// The most bytes that every condition allows.
    #[cfg(feature = "store")]
    fn max_size(&self) -> u64 {
        let sizes = self
            .conditions
            .iter()
            .filter_map(|condition| match condition {
                Condition::ContentLengthRange { max, .. } => Some(*max),
                _ => None,
            });
        sizes.min().unwrap_or(u64::MAX)
    }

    fn check_size(&self, size: u64) -> Result<(), PolicyViolation> {
        for condition in &self.conditions {
            if let &Condition::ContentLengthRange { min, max } = condition
                && !(min..=max).contains(&size)
            {
                return Err(PolicyViolation::Size { size, min, max });
            }
        }
        Ok(())
    }
}

fn parse_condition(value: &Value) -> Option<Condition> {
    if let Value::Object(pair) = value {
        let mut members = pair.iter();
        return match (members.next(), members.next()) {
            (Some((field, Value::String(value))), None) => Some(Condition::Eq {
                field: field.clone(),
                value: value.clone(),
            }),
            _ => None,
        };
    }
    let [operator, first, second] = value.as_array()?.as_slice() else {
        return None;
    };
    let operator = operator.as_str()?;
    if operator.eq_ignore_ascii_case("content-length-range") {
        let (min, max) = (whole_number(first)?, whole_number(second)?);
        return Some(Condition::ContentLengthRange { min, max });
    }
    let field = first.as_str()?.strip_prefix('$')?.to_owned();
    let text = second.as_str()?.to_owned();
    if operator.eq_ignore_ascii_case("eq") {
        Some(Condition::Eq { field, value: text })
    } else if operator.eq_ignore_ascii_case("starts-with") {
        Some(Condition::StartsWith {
            field,
            prefix: text,
        })
    } else {
        None
    }
}

/// A number, or its digits in a string, which S3 takes as well.
fn whole_number(value: &Value) -> Option<u64> {
    value
        .as_u64()
        .or_else(|| value.as_str().and_then(|digits| digits.parse().ok()))
}

/// The key with `${filename}` replaced by what follows the last `/` or `\` of the file's name.
fn expand(key: &str, file_name: Option<&str>) -> Result<String, PolicyViolation> {
    const VARIABLE: &str = "${filename}";
    if !key.contains(VARIABLE) {
        return Ok(key.to_owned());
    }
    let name = file_name
        .and_then(|name| name.rsplit(['/', '\\']).next())
        .filter(|name| !name.is_empty())
        .ok_or(PolicyViolation::malformed(
            "the key takes the file's name, and the file has none",
        ))?;
    Ok(key.replace(VARIABLE, name))
}

fn holds(condition: &Condition, field: &str, sent: Option<&str>) -> bool {
    let Some(sent) = sent else { return false };
    match condition {
        Condition::Eq { value, .. } => hash::equal(value, sent),
        // S3 reads commas in a content type as a list, of which every value has to match.
        Condition::StartsWith { prefix, .. } if field == "content-type" => sent
            .split(',')
            .all(|one| one.trim_start().starts_with(prefix.as_str())),
        Condition::StartsWith { prefix, .. } => sent.starts_with(prefix.as_str()),
        Condition::ContentLengthRange { .. } => true,
    }
}

/// The condition as it stands in a policy, without the value where that is a credential.
fn shown(condition: &Condition) -> String {
    let (operator, field, value) = match condition {
        Condition::Eq { field, value } => ("eq", field, value),
        Condition::StartsWith { field, prefix } => ("starts-with", field, prefix),
        Condition::ContentLengthRange { .. } => return String::new(),
    };
    let secret = ["x-amz-security-token", "x-amz-credential"]
        .iter()
        .any(|name| field.eq_ignore_ascii_case(name));
    let value = if secret { "…" } else { value.as_str() };
    let text = format!("[{operator:?}, {:?}, {value:?}]", format!("${field}"));
    text.chars().take(200).collect()
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
