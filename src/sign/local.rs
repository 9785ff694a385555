//! The signatures of the backends that have no S3: HMAC-SHA256 with a shared secret, over the same
//! policy document for a form, and over method, key, expiry and answer headers for a GET.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;

use super::error::SignError;
use super::hash;
use super::policy::{self, PostPolicy};
use super::presign::{CONTENT_TYPE, DISPOSITION, Presign};
use super::request::{Method, PresignedPost, PresignedRequest};
use super::time::{self, Timestamp, s3_expiry};
use super::violation::PolicyViolation;
use crate::key::{ObjectKey, percent_encode_component};
use crate::secret::Secret;

/// The form field that says who signed.
pub(super) const ALGORITHM_FIELD: &str = "x-lablink-algorithm";
pub(super) const ALGORITHM: &str = "LABLINK-HMAC-SHA256";
const EXPIRES: &str = "X-Lablink-Expires";
const SIGNATURE: &str = "X-Lablink-Signature";

/// Fewest bytes of a secret.
const MIN_SECRET: usize = 32;

/// Signs and verifies requests to the local and memory backends.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use lablink_storage::ObjectKey;
/// use lablink_storage::sign::{LocalSigner, Presign};
///
/// let signer = LocalSigner::new(&"0123456789abcdef0123456789abcdef".into())?;
/// let key = ObjectKey::parse("components/board.png")?;
/// let get = Presign::get(Duration::from_secs(60));
/// let request = signer.presign(&get, &key, "/uploads/components/board.png", SystemTime::now())?;
/// assert!(request.url.starts_with("/uploads/components/board.png?X-Lablink-Expires="));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct LocalSigner {
    key: hmac::Key,
}

/// Headers that a signed GET asks its answer to have.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ResponseHeaders {
    /// `Content-Disposition`.
    pub content_disposition: Option<String>,
    /// `Content-Type`.
    pub content_type: Option<String>,
}

impl LocalSigner {
    /// Takes a secret of at least 32 bytes.
    ///
    /// ```
    /// use lablink_storage::sign::{LocalSigner, SignError};
    ///
    /// let signer = LocalSigner::new(&"0123456789abcdef0123456789abcdef".into())?;
    ///
    /// let error = LocalSigner::new(&"too short".into()).unwrap_err();
    /// assert!(matches!(error, SignError::InvalidSecret { .. }));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`SignError::InvalidSecret`] for a shorter one.
    pub fn new(secret: &Secret) -> Result<Self, SignError> {
        if secret.expose().len() < MIN_SECRET {
            return Err(SignError::InvalidSecret {
                what: "HMAC secret",
                reason: format!("must have at least {MIN_SECRET} bytes"),
            });
        }
        Ok(Self {
            key: hash::hmac_key(secret.expose().as_bytes()),
        })
    }

    /// A GET of `key` at `object_url` (a path or a URL, percent-encoded, without query).
    ///
    /// ```
    /// # use lablink_storage::ObjectKey;
    /// # use lablink_storage::sign::LocalSigner;
    /// # let signer = LocalSigner::new(&"0123456789abcdef0123456789abcdef".into())?;
    /// # let key = ObjectKey::parse("components/board.png")?;
    /// use std::time::{Duration, SystemTime};
    /// use lablink_storage::sign::Presign;
    ///
    /// let get = Presign::get(Duration::from_secs(60)).with_download_as("board.png");
    /// let request = signer.presign(&get, &key, "/uploads/components/board.png", SystemTime::now())?;
    /// assert!(request.url.contains("&response-content-disposition=attachment"));
    ///
    /// let put = Presign::put(Duration::from_secs(60));
    /// assert!(signer.presign(&put, &key, "/uploads/components/board.png", SystemTime::now()).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`SignError::InvalidArgument`]: an expiry outside 1 s to 7 days, or anything but a GET without
    /// headers, which is all that these backends take.
    pub fn presign(
        &self,
        request: &Presign,
        key: &ObjectKey,
        object_url: &str,
        now: SystemTime,
    ) -> Result<PresignedRequest, SignError> {
        if request.method != Method::Get || request.has_headers() {
            return Err(SignError::argument(
                "method",
                "only a GET without headers can be signed",
            ));
        }
        let now = Timestamp::new(now)?.system_time();
        let expires_at = now + s3_expiry(request.expires_in)?;
        let expires = time::seconds(expires_at).unwrap_or_default().to_string();
        let response = request.response_query()?;
        let mut query = format!("{EXPIRES}={expires}");
        for (name, value) in &response {
            query.push('&');
            query.push_str(name);
            query.push('=');
            query.push_str(&percent_encode_component(value));
        }
        let value = |wanted: &str| {
            let found = response.iter().find(|(name, _)| *name == wanted);
            found.map_or("", |(_, value)| value)
        };
        let text = text_of_get(key, &expires, value(DISPOSITION), value(CONTENT_TYPE));
        let signature = hash::hmac_hex(&self.key, text.as_bytes());
        Ok(PresignedRequest {
            method: Method::Get,
            url: format!("{object_url}?{query}&{SIGNATURE}={signature}"),
            headers: Vec::new(),
            key: key.clone(),
            file_url: None,
            expires_at,
        })
    }

    /// Returns whether a query claims to be signed, so that [`verify_get`](Self::verify_get) is to judge it.
    pub fn is_signed(query: &[(String, String)]) -> bool {
        query
            .iter()
            .any(|(name, _)| name == SIGNATURE || name == EXPIRES)
    }

    /// Checks the decoded query of a signed GET of `key`, and gives the headers that it asks for.
    ///
    /// ```
    /// # use lablink_storage::ObjectKey;
    /// # use lablink_storage::sign::LocalSigner;
    /// # let signer = LocalSigner::new(&"0123456789abcdef0123456789abcdef".into())?;
    /// # let key = ObjectKey::parse("components/board.png")?;
    /// use std::time::{Duration, SystemTime};
    /// use lablink_storage::sign::{PolicyViolation, Presign};
    ///
    /// let (get, now) = (Presign::get(Duration::from_secs(60)), SystemTime::now());
    /// let request = signer.presign(&get, &key, "/uploads/components/board.png", now)?;
    /// let (_, query) = request.url.split_once('?').expect("a signed URL has a query");
    /// let query: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    /// assert!(signer.verify_get(&key, &query, now).is_ok());
    ///
    /// let late = signer.verify_get(&key, &query, now + Duration::from_secs(60));
    /// assert_eq!(late, Err(PolicyViolation::Expired));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`PolicyViolation`]: a signature for another key, method, expiry or header, an expired one, or a
    /// parameter that was not signed.
    pub fn verify_get(
        &self,
        key: &ObjectKey,
        query: &[(String, String)],
        now: SystemTime,
    ) -> Result<ResponseHeaders, PolicyViolation> {
        let [
            mut expires,
            mut signature,
            mut disposition,
            mut content_type,
        ] = [None; 4];
        for (name, value) in query {
            let slot = match name.as_str() {
                EXPIRES => &mut expires,
                SIGNATURE => &mut signature,
                DISPOSITION => &mut disposition,
                CONTENT_TYPE => &mut content_type,
                _ => {
                    return Err(PolicyViolation::Unlisted {
                        field: name.chars().take(100).collect(),
                    });
                }
            };
            if slot.replace(value.as_str()).is_some() {
                return Err(PolicyViolation::malformed("a parameter is given twice"));
            }
        }
        let expires = expires.ok_or(PolicyViolation::Missing { field: EXPIRES })?;
        let signature = signature.ok_or(PolicyViolation::Missing { field: SIGNATURE })?;
        let text = text_of_get(
            key,
            expires,
            disposition.unwrap_or_default(),
            content_type.unwrap_or_default(),
        );
        if !hash::equal(&hash::hmac_hex(&self.key, text.as_bytes()), signature) {
            return Err(PolicyViolation::Signature);
        }
        let expires_at = expires
            .parse()
            .ok()
            .and_then(|seconds| UNIX_EPOCH.checked_add(Duration::from_secs(seconds)))
            .ok_or(PolicyViolation::malformed("the expiry is not a time"))?;
        if now >= expires_at {
            return Err(PolicyViolation::Expired);
        }
        Ok(ResponseHeaders {
            content_disposition: disposition.map(str::to_owned),
            content_type: content_type.map(str::to_owned),
        })
    }

    /// The form of `policy` for posting to `base_url`.
    ///
    /// ```
    /// # use lablink_storage::ObjectKey;
    /// # use lablink_storage::sign::LocalSigner;
    /// # let signer = LocalSigner::new(&"0123456789abcdef0123456789abcdef".into())?;
    /// # let key = ObjectKey::parse("components/board.png")?;
    /// use std::time::{Duration, SystemTime};
    /// use lablink_storage::sign::PostPolicy;
    ///
    /// let policy = PostPolicy::new(key.as_str(), Duration::from_secs(3600))
    ///     .with_field("Content-Type", "image/png")
    ///     .with_content_length_range(1, 10 << 20);
    /// let file_url = "/uploads/components/board.png";
    /// let post = signer.presign_post(&policy, &key, "/uploads", file_url, SystemTime::now())?;
    /// let names: Vec<&str> = post.fields.iter().map(|(name, _)| name.as_str()).collect();
    /// assert_eq!(names, ["Content-Type", "key", "x-lablink-algorithm", "policy", "x-lablink-signature"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`SigV4::presign_post`](super::SigV4::presign_post).
    pub fn presign_post(
        &self,
        policy: &PostPolicy,
        key: &ObjectKey,
        base_url: &str,
        file_url: &str,
        now: SystemTime,
    ) -> Result<PresignedPost, SignError> {
        let time = Timestamp::new(now)?;
        let expires_at = time.system_time() + s3_expiry(policy.expires_in)?;
        let (mut fields, document) = policy.assemble(&[(ALGORITHM_FIELD, ALGORITHM)], time)?;
        let signature = hash::hmac_hex(&self.key, text_of_post(&document).as_bytes());
        fields.push((policy::DOCUMENT.to_owned(), document));
        fields.push((policy::LOCAL_SIGNATURE.to_owned(), signature));
        Ok(PresignedPost {
            url: base_url.to_owned(),
            fields,
            key: key.clone(),
            file_url: file_url.to_owned(),
            expires_at,
        })
    }

    pub(super) fn verifies_post(&self, document: &str, signature: &str) -> bool {
        let expected = hash::hmac_hex(&self.key, text_of_post(document).as_bytes());
        hash::equal(&expected, signature)
    }
}

impl fmt::Debug for LocalSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalSigner").finish_non_exhaustive()
    }
}

/// Returns the text that is signed for a GET: one line each, and no value can contain a line end.
fn text_of_get(key: &ObjectKey, expires: &str, disposition: &str, content_type: &str) -> String {
    format!("{ALGORITHM}\nGET\n{key}\n{expires}\n{disposition}\n{content_type}")
}

/// Returns the text that is signed for a form; the second line keeps it from ever being read as a GET.
fn text_of_post(document: &str) -> String {
    format!("{ALGORITHM}\nPOST\n{document}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_369_353_600;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn signer() -> LocalSigner {
        LocalSigner::new(&"0123456789abcdef0123456789abcdef".into()).expect("long enough")
    }

    fn key(text: &str) -> ObjectKey {
        ObjectKey::parse(text).expect(text)
    }

    fn query(url: &str) -> Vec<(String, String)> {
        let (_, query) = url.split_once('?').expect("a query");
        ::url::form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect()
    }

    #[test]
    fn short_secrets_are_refused_without_being_shown() {
        let error = LocalSigner::new(&"hunter2".into()).expect_err("short");
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }

    #[test]
    fn a_signed_get_opens_its_key_until_it_expires() {
        let get = Presign::get(Duration::from_secs(60))
            .with_download_as("Müller.png")
            .with_response_content_type("image/png");
        let request = signer()
            .presign(
                &get,
                &key("components/a b.png"),
                "/uploads/components/a%20b.png",
                at(NOW),
            )
            .expect("valid");
        assert_eq!(request.expires_at, at(NOW + 60));
        let query = query(&request.url);
        assert!(LocalSigner::is_signed(&query));
        let verify = |key: &ObjectKey, query: &[(String, String)], now| {
            signer().verify_get(key, query, at(now))
        };
        let a_b = key("components/a b.png");
        let headers = verify(&a_b, &query, NOW + 59).expect("signed");
        assert_eq!(headers.content_type.as_deref(), Some("image/png"));
        assert_eq!(
            headers.content_disposition.as_deref(),
            Some("attachment; filename=\"M_ller.png\"; filename*=UTF-8''M%C3%BCller.png")
        );

        assert_eq!(
            verify(&a_b, &query, NOW + 60),
            Err(PolicyViolation::Expired)
        );
        assert_eq!(
            verify(&key("components/b.png"), &query, NOW),
            Err(PolicyViolation::Signature)
        );
        for at in 0..query.len() {
            let mut changed = query.clone();
            changed[at].1.push('1');
            assert_eq!(
                verify(&a_b, &changed, NOW),
                Err(PolicyViolation::Signature),
                "{}",
                changed[at].0
            );
            let mut cut = query.clone();
            cut.remove(at);
            assert!(verify(&a_b, &cut, NOW).is_err());
            let mut doubled = query.clone();
            doubled.push(query[at].clone());
            assert!(matches!(
                verify(&a_b, &doubled, NOW),
                Err(PolicyViolation::Malformed { .. })
            ));
        }
        let mut more = query.clone();
        more.push(("response-cache-control".into(), "no-store".into()));
        assert!(matches!(
            verify(&a_b, &more, NOW),
            Err(PolicyViolation::Unlisted { .. })
        ));
        let other =
            LocalSigner::new(&"x123456789abcdef0123456789abcdef".into()).expect("long enough");
        assert_eq!(
            other.verify_get(&a_b, &query, at(NOW)),
            Err(PolicyViolation::Signature)
        );
    }

    #[test]
    fn only_gets_are_signed() {
        for request in [
            Presign::put(Duration::from_secs(60)),
            Presign::get(Duration::from_secs(60)).with_header("range", "bytes=0-1"),
            Presign::get(Duration::from_secs(604_801)),
            Presign::get(Duration::ZERO),
        ] {
            assert!(
                signer()
                    .presign(&request, &key("a"), "/uploads/a", at(NOW))
                    .is_err()
            );
        }
    }
}
