//! The settings of a CloudFront distribution, checked together.

use super::builder::{ConfigBuilder, Given};
use super::error::ConfigError;
use super::pem::private_key;
use super::validate::check_url;
use crate::secret::Secret;
use crate::sign::{CloudFrontSigner, SignError};

/// The CDN in front of the bucket.
#[derive(Debug, Clone)]
pub struct CloudFrontConfig {
    domain: String,
    pub(super) key: Option<CloudFrontKey>,
    pub(crate) distribution: Option<Distribution>,
}

/// The distribution that forgets what is not there any more.
#[derive(Debug, Clone)]
#[cfg_attr(not(feature = "s3"), allow(dead_code))]
pub(crate) struct Distribution {
    pub(crate) id: String,
    /// Where CloudFront's interface is asked, where that is not AWS.
    pub(crate) endpoint: Option<String>,
}

/// The key that signs CloudFront URLs and cookies.
#[derive(Debug, Clone)]
pub(super) struct CloudFrontKey {
    key_pair_id: String,
    private_key: Secret,
}

impl CloudFrontConfig {
    /// The domain, as it was given.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The id of the distribution that images are purged from.
    pub fn distribution_id(&self) -> Option<&str> {
        let distribution = self.distribution.as_ref()?;
        Some(&distribution.id)
    }

    /// The id of the public key that CloudFront knows, where URLs can be signed.
    pub fn key_pair_id(&self) -> Option<&str> {
        self.key.as_ref().map(|key| key.key_pair_id.as_str())
    }

    /// The private key, PEM.
    pub fn private_key(&self) -> Option<&Secret> {
        self.key.as_ref().map(|key| &key.private_key)
    }
}

pub(super) fn cloudfront(builder: &ConfigBuilder) -> Result<Option<CloudFrontConfig>, ConfigError> {
    let private_key = private_key(builder)?;
    let key = match (&builder.cloudfront_key_pair_id, private_key) {
        (None, None) => None,
        (Some(id), Some(key)) => Some((id, key)),
        (Some(id), None) => {
            return Err(ConfigError::new(
                "CLOUDFRONT_PRIVATE_KEY",
                format!("is not set, but {} is", id.name),
                "set CLOUDFRONT_PRIVATE_KEY or CLOUDFRONT_PRIVATE_KEY_PATH",
            ));
        }
        (None, Some(key)) => {
            return Err(ConfigError::new(
                "CLOUDFRONT_KEY_PAIR_ID",
                format!("is not set, but {} is", key.name),
                "set it to the id of the public key in CloudFront",
            ));
        }
    };
    let distribution = distribution(builder)?;
    let without_domain = |what: &str| {
        ConfigError::new(
            "CLOUDFRONT_DOMAIN",
            format!("is not set, but {what} is"),
            "set it to the distribution's domain, such as d111111abcdef8.cloudfront.net",
        )
    };
    match (&builder.cloudfront_domain, key) {
        (Some(domain), key) => Ok(Some(CloudFrontConfig {
            domain: domain.value.clone(),
            key: key.map(|(id, key)| cloudfront_key(id, key)).transpose()?,
            distribution,
        })),
        (None, Some(_)) => Err(without_domain("a key to sign its URLs with")),
        (None, None) if distribution.is_some() => Err(without_domain("CLOUDFRONT_DISTRIBUTION_ID")),
        (None, None) => Ok(None),
    }
}

fn distribution(builder: &ConfigBuilder) -> Result<Option<Distribution>, ConfigError> {
    let Some(given) = &builder.cloudfront_distribution_id else {
        return Ok(None);
    };
    let id = &given.value;
    if id.is_empty() || id.len() > 64 || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(ConfigError::new(
            given.name,
            "is not the id of a distribution",
            "set it to the distribution's id, such as EDFDVBD6EXAMPLE, and not to its domain or ARN",
        ));
    }
    let endpoint = builder.cloudfront_endpoint.as_ref();
    if let Some(given) = endpoint {
        check_url(given.name, &given.value)?;
    }
    Ok(Some(Distribution {
        id: id.clone(),
        endpoint: endpoint.map(|given| given.value.clone()),
    }))
}

/// Tries the key, so that a wrong one is known by its variable and not when the first URL is signed.
fn cloudfront_key(id: &Given<String>, key: Given<Secret>) -> Result<CloudFrontKey, ConfigError> {
    match CloudFrontSigner::new(&id.value, &key.value) {
        Ok(_) => Ok(CloudFrontKey {
            key_pair_id: id.value.clone(),
            private_key: key.value,
        }),
        Err(SignError::InvalidSecret { reason, .. }) => Err(ConfigError::new(
            key.name,
            format!("is not usable: {reason}"),
            "give the private half, in PEM, of the public key that CloudFront knows by that id",
        )),
        Err(_) => Err(ConfigError::new(
            id.name,
            "is not the id of a public key",
            "set it to the id of the public key in CloudFront, such as K2JCJMDEHXQW5F",
        )),
    }
}
