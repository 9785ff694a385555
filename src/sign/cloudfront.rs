//! CloudFront's signed URLs and cookies, with canned and custom policies, over SHA-256.
//! <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-signed-urls.html>

use std::fmt;
use std::net::IpAddr;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::error::SignError;
use super::private_key::PrivateKey;
use super::request::SignedCookies;
use super::time::seconds;
use crate::secret::Secret;

/// The resource that a signed URL or cookie opens, and the time. There is no upper bound.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use lablink_storage::sign::CloudFrontPolicy;
///
/// let tomorrow = SystemTime::now() + Duration::from_secs(24 * 3600);
/// let one = CloudFrontPolicy::canned("https://cdn.example.org/components/a.jpg", tomorrow);
/// let all = CloudFrontPolicy::custom("https://cdn.example.org/components/*", tomorrow)
///     .with_source_ip("192.0.2.0/24");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloudFrontPolicy {
    resource: String,
    expires_at: SystemTime,
    custom: bool,
    starts_at: Option<SystemTime>,
    source_ip: Option<String>,
}

impl CloudFrontPolicy {
    /// One URL until a time: the short form, in which only the expiry is sent.
    pub fn canned(url: impl Into<String>, expires_at: SystemTime) -> Self {
        Self {
            resource: url.into(),
            expires_at,
            custom: false,
            starts_at: None,
            source_ip: None,
        }
    }

    /// Every URL that `resource` matches (`*` any characters, `?` one) until a time: the policy is sent.
    pub fn custom(resource: impl Into<String>, expires_at: SystemTime) -> Self {
        Self {
            custom: true,
            ..Self::canned(resource, expires_at)
        }
    }

    /// Opens it from a time on; makes the policy a custom one.
    #[must_use]
    pub fn with_starts_at(mut self, starts_at: SystemTime) -> Self {
        self.custom = true;
        self.starts_at = Some(starts_at);
        self
    }

    /// Opens it for an IPv4 address or network only (`192.0.2.1`, `192.0.2.0/24`); makes the policy a
    /// custom one.
    #[must_use]
    pub fn with_source_ip(mut self, address: impl Into<String>) -> Self {
        self.custom = true;
        self.source_ip = Some(address.into());
        self
    }

    /// The JSON that is signed, without white space and in the order that CloudFront's canned form
    /// insists on.
    fn document(&self) -> Result<String, SignError> {
        let expires = epoch("expires_at", self.expires_at)?;
        check_url("resource", &self.resource)?;
        let mut condition = format!("{{\"DateLessThan\":{{\"AWS:EpochTime\":{expires}}}");
        if let Some(address) = &self.source_ip {
            let network = network(address)?;
            condition.push_str(&format!(
                ",\"IpAddress\":{{\"AWS:SourceIp\":\"{network}\"}}"
            ));
        }
        if let Some(starts_at) = self.starts_at {
            let starts = epoch("starts_at", starts_at)?;
            if starts >= expires {
                return Err(SignError::argument("starts_at", "must be before the end"));
            }
            condition.push_str(&format!(
                ",\"DateGreaterThan\":{{\"AWS:EpochTime\":{starts}}}"
            ));
        }
        Ok(format!(
            "{{\"Statement\":[{{\"Resource\":\"{}\",\"Condition\":{condition}}}}}]}}",
            self.resource
        ))
    }
}

/// Signs for a CloudFront key group.
///
/// `Debug` shows the key pair's id and the key's kind.
pub struct CloudFrontSigner {
    key_pair_id: String,
    key: PrivateKey,
}

impl CloudFrontSigner {
    /// Takes the id that CloudFront gave the public key, and the private key in PEM: RSA with 2048 bits
    /// (PKCS#1 or PKCS#8) or ECDSA P-256 (SEC1 or PKCS#8).
    ///
    /// ```
    /// # use base64::Engine as _;
    /// # use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
    /// # let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING)?;
    /// # let body = base64::engine::general_purpose::STANDARD.encode(pair.to_pkcs8v1()?);
    /// # let pem = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
    /// use lablink_storage::sign::{CloudFrontSigner, SignError};
    ///
    /// // `pem` is the text of private_key.pem.
    /// let signer = CloudFrontSigner::new("K2JCJMDEHXQW5F", &pem.into())?;
    ///
    /// let error = CloudFrontSigner::new("K2JCJMDEHXQW5F", &"not a key".into()).unwrap_err();
    /// assert!(matches!(error, SignError::InvalidSecret { .. }));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`SignError::InvalidSecret`] saying what the key is instead; [`SignError::InvalidArgument`] for
    /// an invalid id.
    pub fn new(key_pair_id: impl Into<String>, private_key: &Secret) -> Result<Self, SignError> {
        let key_pair_id = key_pair_id.into();
        if key_pair_id.is_empty() || !key_pair_id.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(SignError::argument(
                "key_pair_id",
                "must be an id like K2JCJMDEHXQW5F",
            ));
        }
        Ok(Self {
            key_pair_id,
            key: PrivateKey::from_pem(private_key.expose())?,
        })
    }

    /// `url` with the policy and its signature. A canned policy has to be for this very URL.
    ///
    /// ```
    /// # use base64::Engine as _;
    /// # use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
    /// # let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING)?;
    /// # let body = base64::engine::general_purpose::STANDARD.encode(pair.to_pkcs8v1()?);
    /// # let pem = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
    /// # let signer = lablink_storage::sign::CloudFrontSigner::new("K2JCJMDEHXQW5F", &pem.into())?;
    /// use std::time::{Duration, SystemTime};
    /// use lablink_storage::sign::CloudFrontPolicy;
    ///
    /// let url = "https://cdn.example.org/components/board.png";
    /// let policy = CloudFrontPolicy::canned(url, SystemTime::now() + Duration::from_secs(3600));
    /// let signed = signer.signed_url(url, &policy)?;
    /// assert!(signed.starts_with("https://cdn.example.org/components/board.png?Expires="));
    /// assert!(signer.signed_url("https://cdn.example.org/components/other.png", &policy).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`SignError::InvalidArgument`]: a URL with characters that none has or already signed, a time
    /// before 1970, an invalid address.
    pub fn signed_url(&self, url: &str, policy: &CloudFrontPolicy) -> Result<String, SignError> {
        check_url("url", url)?;
        if !policy.custom && policy.resource != url {
            return Err(SignError::argument(
                "url",
                "a canned policy is for one URL only",
            ));
        }
        let separator = if url.contains('?') { '&' } else { '?' };
        let mut signed = format!("{url}{separator}");
        for (name, value) in self.sign(policy)? {
            // CloudFront wants its own parameters last.
            signed.push_str(name);
            signed.push('=');
            signed.push_str(&value);
            signed.push('&');
        }
        signed.pop();
        Ok(signed)
    }

    /// Cookies that open what the policy says, for any number of requests.
    ///
    /// ```
    /// # use base64::Engine as _;
    /// # use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
    /// # let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING)?;
    /// # let body = base64::engine::general_purpose::STANDARD.encode(pair.to_pkcs8v1()?);
    /// # let pem = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
    /// # let signer = lablink_storage::sign::CloudFrontSigner::new("K2JCJMDEHXQW5F", &pem.into())?;
    /// use std::time::{Duration, SystemTime};
    /// use lablink_storage::sign::CloudFrontPolicy;
    ///
    /// let tomorrow = SystemTime::now() + Duration::from_secs(24 * 3600);
    /// let policy = CloudFrontPolicy::custom("https://cdn.example.org/components/*", tomorrow);
    /// let signed = signer.signed_cookies(&policy)?;
    /// assert_eq!(signed.cookies[0].0, "CloudFront-Policy");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`signed_url`](Self::signed_url).
    pub fn signed_cookies(&self, policy: &CloudFrontPolicy) -> Result<SignedCookies, SignError> {
        let cookies = self.sign(policy)?;
        Ok(SignedCookies {
            cookies: cookies
                .into_iter()
                .map(|(name, value)| (format!("CloudFront-{name}"), value))
                .collect(),
            resource: policy.resource.clone(),
            expires_at: policy.expires_at,
        })
    }

    /// Names (without a cookie's prefix) and values.
    fn sign(&self, policy: &CloudFrontPolicy) -> Result<[(&'static str, String); 4], SignError> {
        let document = policy.document()?;
        let signature = self.key.sign(document.as_bytes())?;
        let first = if policy.custom {
            ("Policy", url_base64(document.as_bytes()))
        } else {
            (
                "Expires",
                epoch("expires_at", policy.expires_at)?.to_string(),
            )
        };
        Ok([
            first,
            ("Signature", url_base64(&signature)),
            ("Key-Pair-Id", self.key_pair_id.clone()),
            // Without it CloudFront takes the signature for SHA-1.
            ("Hash-Algorithm", "SHA256".to_owned()),
        ])
    }
}

impl fmt::Debug for CloudFrontSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CloudFrontSigner")
            .field("key_pair_id", &self.key_pair_id)
            .field("key", &self.key.kind())
            .finish()
    }
}

/// Base64 with the three characters replaced that mean something in a query.
fn url_base64(bytes: &[u8]) -> String {
    STANDARD
        .encode(bytes)
        .replace('+', "-")
        .replace('=', "_")
        .replace('/', "~")
}

fn epoch(name: &'static str, time: SystemTime) -> Result<u64, SignError> {
    seconds(time).ok_or(SignError::argument(name, "it is before 1970"))
}

/// Absolute, and without anything that would have to be escaped in JSON or that no URL has.
fn check_url(name: &'static str, url: &str) -> Result<(), SignError> {
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"\\<>^`{|}#".contains(&byte);
    let absolute = ["https://", "http://", "http*://", "*"]
        .iter()
        .any(|start| url.starts_with(start));
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let reserved = [
        "Expires=",
        "Policy=",
        "Signature=",
        "Key-Pair-Id=",
        "Hash-Algorithm=",
    ];
    let signed = query
        .split('&')
        .any(|part| reserved.iter().any(|name| part.starts_with(name)));
    if url.bytes().all(plain) && absolute && !signed {
        return Ok(());
    }
    Err(SignError::argument(
        name,
        "must be an absolute percent-encoded URL without a fragment, and not signed already",
    ))
}

/// An IPv4 network in CIDR form; a lone address is a network of one. CloudFront knows no IPv6 here.
fn network(address: &str) -> Result<String, SignError> {
    let (ip, bits) = address.split_once('/').unwrap_or((address, "32"));
    match (ip.parse(), bits.parse::<u8>()) {
        (Ok(IpAddr::V4(ip)), Ok(bits @ 0..=32)) => Ok(format!("{ip}/{bits}")),
        _ => Err(SignError::argument(
            "source_ip",
            "must be an IPv4 address or network like 192.0.2.0/24",
        )),
    }
}

#[cfg(test)]
#[path = "cloudfront_tests.rs"]
mod tests;
