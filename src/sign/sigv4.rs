//! AWS Signature Version 4: the signing key, the string to sign, the signature.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use aws_lc_rs::hmac;
use zeroize::Zeroizing;

use super::credentials::Credentials;
use super::error::SignError;
use super::hash;
use super::policy::{self, PostPolicy};
use super::presign::{Presign, Target};
use super::request::{PresignedPost, PresignedRequest};
use super::time::{Timestamp, s3_expiry};
use crate::key::{ObjectKey, percent_encode_component};

pub(super) const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const SERVICE: &str = "s3";

/// Signs for S3 with one set of credentials in one region.
///
/// The key that is derived for a day is kept, so one signer for many requests is cheaper than one for
/// each.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use lablink_storage::ObjectKey;
/// use lablink_storage::sign::{Credentials, Presign, SigV4};
///
/// let signer = SigV4::new(Credentials::new("AKIAIOSFODNN7EXAMPLE", "secret"), "us-east-1")?;
/// let key = ObjectKey::parse("components/board.png")?;
/// let url = "https://lab.s3.us-east-1.amazonaws.com/components/board.png";
/// let request = signer.presign(&Presign::get(Duration::from_secs(60)), &key, url, SystemTime::now())?;
/// assert!(request.url.starts_with(url));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SigV4 {
    credentials: Credentials,
    region: String,
    derived: Mutex<Option<(u32, Arc<hmac::Key>)>>,
}

impl SigV4 {
    /// Checks that the parts which stand in the open in a signature are plain.
    ///
    /// ```
    /// use lablink_storage::sign::{Credentials, SigV4, SignError};
    ///
    /// let signer = SigV4::new(Credentials::new("AKIAIOSFODNN7EXAMPLE", "secret"), "us-east-1")?;
    /// assert_eq!(signer.region(), "us-east-1");
    ///
    /// let error = SigV4::new(Credentials::new("", "secret"), "us-east-1").unwrap_err();
    /// assert!(matches!(error, SignError::InvalidArgument { name: "access_key_id", .. }));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`SignError::InvalidArgument`] naming what is empty or has characters that it cannot have. Never
    /// the value.
    pub fn new(credentials: Credentials, region: impl Into<String>) -> Result<Self, SignError> {
        let region = region.into();
        let plain = |text: &str| {
            !text.is_empty()
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_graphic() && byte != b'/')
        };
        let token = credentials.session_token.as_ref();
        for (name, valid) in [
            ("region", plain(&region)),
            ("access_key_id", plain(&credentials.access_key_id)),
            (
                "secret_access_key",
                !credentials.secret_access_key.expose().is_empty(),
            ),
            (
                "session_token",
                token.is_none_or(|token| {
                    !token.expose().is_empty()
                        && token.expose().bytes().all(|byte| byte.is_ascii_graphic())
                }),
            ),
        ] {
            if !valid {
                return Err(SignError::argument(
                    name,
                    "it is empty or has characters that it cannot have",
                ));
            }
        }
        Ok(Self {
            credentials,
            region,
            derived: Mutex::new(None),
        })
    }

    /// The credentials that it signs with.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// The region that it signs for.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// A GET or PUT of `key` at `object_url` (absolute, percent-encoded, without query) that works from
    /// `now` until it expires.
    ///
    /// ```
    /// # use lablink_storage::ObjectKey;
    /// # use lablink_storage::sign::{Credentials, SigV4};
    /// # let signer = SigV4::new(Credentials::new("AKIAIOSFODNN7EXAMPLE", "secret"), "us-east-1")?;
    /// # let key = ObjectKey::parse("components/board.png")?;
    /// use std::time::{Duration, SystemTime};
    /// use lablink_storage::sign::Presign;
    ///
    /// let url = "https://lab.s3.us-east-1.amazonaws.com/components/board.png";
    /// let put = Presign::put(Duration::from_secs(600)).with_header("Content-Type", "image/png");
    /// let request = signer.presign(&put, &key, url, SystemTime::now())?;
    /// assert_eq!(request.headers, [("content-type".to_owned(), "image/png".to_owned())]);
    ///
    /// let eight_days = Presign::get(Duration::from_secs(8 * 86_400));
    /// assert!(signer.presign(&eight_days, &key, url, SystemTime::now()).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`SignError::InvalidArgument`]: an expiry outside 1 s to 7 days, a header that HTTP does not
    /// have, or a URL that is not absolute.
    pub fn presign(
        &self,
        request: &Presign,
        key: &ObjectKey,
        object_url: &str,
        now: SystemTime,
    ) -> Result<PresignedRequest, SignError> {
        let lives = s3_expiry(request.expires_in)?;
        let time = Timestamp::new(now)?;
        let target = Target::parse(object_url)?;
        let headers = request.checked_headers()?;
        let (date, date_time) = (time.date(), time.date_time());
        let scope = self.scope(&date);

        let mut canonical_headers = String::new();
        let mut signed_headers = String::new();
        let host = [("host", target.host)];
        let mut all: Vec<(&str, &str)> = headers
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .collect();
        all.extend(host);
        all.sort_unstable();
        for (name, value) in all {
            canonical_headers.push_str(name);
            canonical_headers.push(':');
            canonical_headers.push_str(value);
            canonical_headers.push('\n');
            if !signed_headers.is_empty() {
                signed_headers.push(';');
            }
            signed_headers.push_str(name);
        }

        // Sorted by name, as the canonical request wants them: capitals come before `response-`.
        let mut query = format!(
            "X-Amz-Algorithm={ALGORITHM}&X-Amz-Credential={}&X-Amz-Date={date_time}&X-Amz-Expires={}",
            percent_encode_component(&format!("{}/{scope}", self.credentials.access_key_id)),
            lives.as_secs(),
        );
        if let Some(token) = &self.credentials.session_token {
            query.push_str("&X-Amz-Security-Token=");
            query.push_str(&percent_encode_component(token.expose()));
        }
        query.push_str("&X-Amz-SignedHeaders=");
        query.push_str(&percent_encode_component(&signed_headers));
        for (name, value) in request.response_query()? {
            query.push('&');
            query.push_str(name);
            query.push('=');
            query.push_str(&percent_encode_component(&value));
        }

        let canonical = format!(
            "{}\n{}\n{query}\n{canonical_headers}\n{signed_headers}\nUNSIGNED-PAYLOAD",
            request.method, target.path,
        );
        let to_sign = string_to_sign(&date_time, &scope, &canonical);
        let signature = hash::hmac_hex(
            self.signing_key(time.day(), &date)?.as_ref(),
            to_sign.as_bytes(),
        );
        Ok(PresignedRequest {
            method: request.method,
            url: format!("{object_url}?{query}&X-Amz-Signature={signature}"),
            headers,
            key: key.clone(),
            file_url: None,
            expires_at: self.earlier(time.system_time() + lives),
        })
    }

    /// The form of `policy` for posting to `bucket_url`.
    ///
    /// ```
    /// # use lablink_storage::ObjectKey;
    /// # use lablink_storage::sign::{Credentials, SigV4};
    /// # let signer = SigV4::new(Credentials::new("AKIAIOSFODNN7EXAMPLE", "secret"), "us-east-1")?;
    /// # let key = ObjectKey::parse("components/board.png")?;
    /// use std::time::{Duration, SystemTime};
    /// use lablink_storage::sign::PostPolicy;
    ///
    /// let policy = PostPolicy::new(key.as_str(), Duration::from_secs(3600))
    ///     .with_bucket("lab")
    ///     .with_content_length_range(1, 10 << 20);
    /// let bucket_url = "https://lab.s3.us-east-1.amazonaws.com";
    /// let file_url = format!("{bucket_url}/components/board.png");
    /// let post = signer.presign_post(&policy, &key, bucket_url, &file_url, SystemTime::now())?;
    /// assert_eq!(post.fields.last().map(|(name, _)| name.as_str()), Some("x-amz-signature"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`SignError::InvalidArgument`]: an expiry outside 1 s to 7 days, or a field that is given twice,
    /// reserved or has control characters.
    pub fn presign_post(
        &self,
        policy: &PostPolicy,
        key: &ObjectKey,
        bucket_url: &str,
        file_url: &str,
        now: SystemTime,
    ) -> Result<PresignedPost, SignError> {
        let fields = self.post_fields(policy, now)?;
        let time = Timestamp::new(now)?;
        Ok(PresignedPost {
            url: bucket_url.to_owned(),
            fields,
            key: key.clone(),
            file_url: file_url.to_owned(),
            expires_at: self.earlier(time.system_time() + s3_expiry(policy.expires_in)?),
        })
    }

    /// The form's fields alone, byte for byte what boto3's `generate_presigned_post` gives, but for
    /// characters outside Unicode's first plane: boto3 writes them as surrogate pairs, which some
    /// servers refuse, so here they stand as they are.
    ///
    /// ```
    /// # use lablink_storage::ObjectKey;
    /// # use lablink_storage::sign::{Credentials, SigV4};
    /// # let signer = SigV4::new(Credentials::new("AKIAIOSFODNN7EXAMPLE", "secret"), "us-east-1")?;
    /// # let key = ObjectKey::parse("components/board.png")?;
    /// use std::time::{Duration, SystemTime};
    /// use lablink_storage::sign::PostPolicy;
    ///
    /// let now = SystemTime::now();
    /// let policy = PostPolicy::new("components/board.png", Duration::from_secs(3600)).with_bucket("lab");
    /// let fields = signer.post_fields(&policy, now)?;
    /// assert_eq!(fields[0], ("key".to_owned(), "components/board.png".to_owned()));
    ///
    /// let twice = policy.with_field("acl", "private").with_field("acl", "public-read");
    /// assert!(signer.post_fields(&twice, now).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`presign_post`](Self::presign_post).
    pub fn post_fields(
        &self,
        policy: &PostPolicy,
        now: SystemTime,
    ) -> Result<Vec<(String, String)>, SignError> {
        let time = Timestamp::new(now)?;
        let date = time.date();
        let credential = format!("{}/{}", self.credentials.access_key_id, self.scope(&date));
        let date_time = time.date_time();
        let mut signer_fields = vec![
            ("x-amz-algorithm", ALGORITHM),
            ("x-amz-credential", &credential),
            ("x-amz-date", &date_time),
        ];
        if let Some(token) = &self.credentials.session_token {
            signer_fields.push(("x-amz-security-token", token.expose()));
        }
        let (mut fields, document) = policy.assemble(&signer_fields, time)?;
        let signature = hash::hmac_hex(
            self.signing_key(time.day(), &date)?.as_ref(),
            document.as_bytes(),
        );
        fields.push((policy::DOCUMENT.to_owned(), document));
        fields.push((policy::AWS_SIGNATURE.to_owned(), signature));
        Ok(fields)
    }

    /// Returns whether `signature` is that of a policy document signed on `date` (`20130524`).
    pub(super) fn verifies(&self, document: &str, date: &str, signature: &str) -> bool {
        self.sign_document(document, date)
            .is_ok_and(|expected| hash::equal(&expected, signature))
    }

    /// The signature of a policy document on a day that need not be today.
    pub(super) fn sign_document(&self, document: &str, date: &str) -> Result<String, SignError> {
        Ok(hash::hmac_hex(&self.derive(date)?, document.as_bytes()))
    }

    /// `20130524/us-east-1/s3/aws4_request`
    pub(super) fn scope(&self, date: &str) -> String {
        format!("{date}/{}/{SERVICE}/aws4_request", self.region)
    }

    fn earlier(&self, expires_at: SystemTime) -> SystemTime {
        match self.credentials.expires_at {
            Some(end) => end.min(expires_at),
            None => expires_at,
        }
    }

    fn signing_key(&self, day: u32, date: &str) -> Result<Arc<hmac::Key>, SignError> {
        let mut derived = self.derived.lock().unwrap_or_else(PoisonError::into_inner);
        match &*derived {
            Some((of, key)) if *of == day => Ok(Arc::clone(key)),
            _ => {
                let key = Arc::new(self.derive(date)?);
                *derived = Some((day, Arc::clone(&key)));
                Ok(key)
            }
        }
    }

    fn derive(&self, date: &str) -> Result<hmac::Key, SignError> {
        signing_key(
            self.credentials.secret_access_key.expose(),
            date,
            &self.region,
            SERVICE,
        )
    }
}

impl fmt::Debug for SigV4 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigV4")
            .field("credentials", &self.credentials)
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

/// `HMAC(HMAC(HMAC(HMAC("AWS4" + secret, date), region), service), "aws4_request")`, every step wiped.
pub(super) fn signing_key(
    secret: &str,
    date: &str,
    region: &str,
    service: &str,
) -> Result<hmac::Key, SignError> {
    let first = Zeroizing::new([b"AWS4", secret.as_bytes()].concat());
    let mut key = hash::hmac_key(&first);
    for part in [date, region, service, "aws4_request"] {
        let mut next = Zeroizing::new([0; 32]);
        hmac::sign_to_buffer(&key, part.as_bytes(), next.as_mut_slice())
            .map_err(|_| SignError::Crypto)?;
        key = hash::hmac_key(next.as_slice());
    }
    Ok(key)
}

pub(super) fn string_to_sign(date_time: &str, scope: &str, canonical: &str) -> String {
    let digest = hash::sha256_hex(canonical.as_bytes());
    format!("{ALGORITHM}\n{date_time}\n{scope}\n{digest}")
}

#[cfg(test)]
#[path = "sigv4_tests.rs"]
mod tests;
