//! Settings that are read from files: CloudFront's private key, and certificates.

use std::fs::File;
use std::io::{Read, Take};

use super::builder::{ConfigBuilder, Given};
use super::error::ConfigError;
use super::{CaBundle, CloudFrontConfig, CloudFrontKey};
use crate::secret::Secret;
use crate::sign::{CloudFrontSigner, SignError};

/// Largest private key file that is read.
const MAX_KEY_FILE: u64 = 64 << 10;

/// Largest file of certificates that is read: those of whole systems have some 250 KiB.
const MAX_CA_BUNDLE: u64 = 4 << 20;

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
    match (&builder.cloudfront_domain, key) {
        (Some(domain), key) => Ok(Some(CloudFrontConfig {
            domain: domain.value.clone(),
            key: key.map(|(id, key)| cloudfront_key(id, key)).transpose()?,
        })),
        (None, Some(_)) => Err(ConfigError::new(
            "CLOUDFRONT_DOMAIN",
            "is not set, but a key to sign its URLs with is",
            "set it to the distribution's domain, such as d111111abcdef8.cloudfront.net",
        )),
        (None, None) => Ok(None),
    }
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

fn private_key(builder: &ConfigBuilder) -> Result<Option<Given<Secret>>, ConfigError> {
    if let Some(given) = &builder.cloudfront_private_key {
        let pem = given.value.expose();
        // Variables that cannot hold line breaks have them written as \n.
        let pem = if pem.contains('\n') {
            given.value.clone()
        } else {
            Secret::new(pem.replace("\\n", "\n"))
        };
        return Ok(Some(Given {
            value: pem,
            name: given.name,
        }));
    }
    let Some(given) = &builder.cloudfront_private_key_path else {
        return Ok(None);
    };
    let mut pem = zeroize::Zeroizing::new(String::new());
    read_file(given, MAX_KEY_FILE, |mut file| {
        file.read_to_string(&mut pem)
    })?;
    Ok(Some(Given {
        value: Secret::new(std::mem::take(&mut *pem)),
        name: given.name,
    }))
}

pub(super) fn ca_bundle(given: Option<&Given<String>>) -> Result<Option<CaBundle>, ConfigError> {
    let Some(given) = given else { return Ok(None) };
    let mut pem = Vec::new();
    read_file(given, MAX_CA_BUNDLE, |mut file| file.read_to_end(&mut pem))?;
    let setting = given.name;
    Ok(Some(CaBundle { setting, pem }))
}

/// Has `read` read a PEM file of at most `most` bytes.
fn read_file(
    given: &Given<String>,
    most: u64,
    read: impl FnOnce(Take<File>) -> std::io::Result<usize>,
) -> Result<(), ConfigError> {
    let unreadable = |problem: String| {
        let remedy = "name a PEM file that this process may read";
        ConfigError::new(given.name, problem, remedy)
    };
    let size = File::open(&given.value)
        .and_then(|file| read(file.take(most + 1)))
        .map_err(|error| unreadable(format!("cannot be read: {error}")))?;
    if size as u64 > most {
        let problem = format!(
            "is not a PEM file of this kind: it is larger than {} KiB",
            most >> 10
        );
        return Err(unreadable(problem));
    }
    Ok(())
}
