//! Settings that are read from files: CloudFront's private key, and certificates.

use std::fs::File;
use std::io::{Read, Take};

use super::CaBundle;
use super::builder::{ConfigBuilder, Given};
use super::error::ConfigError;
use crate::secret::Secret;

/// Largest private key file that is read.
const MAX_KEY_FILE: u64 = 64 << 10;

/// Largest file of certificates that is read: those of whole systems have some 250 KiB.
const MAX_CA_BUNDLE: u64 = 4 << 20;

pub(super) fn private_key(builder: &ConfigBuilder) -> Result<Option<Given<Secret>>, ConfigError> {
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
