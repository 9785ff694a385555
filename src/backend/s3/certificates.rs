//! The certificates of a private authority, and the system's beside them.

use reqwest::Certificate;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::super::error::{Operation, StorageError};
use crate::config::CaBundle;
use crate::kind::ErrorKind;

/// The certificates to trust beside those that rustls finds by itself.
pub(crate) fn trusted(authority: Option<&CaBundle>) -> Result<Vec<Certificate>, StorageError> {
    let Some(authority) = authority else {
        return Ok(Vec::new());
    };
    let found = CertificateDer::pem_slice_iter(&authority.pem);
    let mut trusted = usable(found.filter_map(Result::ok));
    if trusted.is_empty() {
        let setting = authority.setting;
        return Err(StorageError::new(
            ErrorKind::Configuration,
            Operation::Open,
            format!("the file that {setting} names has no certificate in PEM"),
        )
        .with_hint(format!(
            "set {setting} to a PEM file of certificates, or unset it"
        )));
    }
    trusted.extend(usable(systems()));
    Ok(trusted)
}

/// What can be a root: one certificate that cannot would keep the client from being made.
fn usable(found: impl IntoIterator<Item = CertificateDer<'static>>) -> Vec<Certificate> {
    let found = found
        .into_iter()
        .filter(|der| RootCertStore::empty().add(der.clone()).is_ok());
    found
        .filter_map(|der| Certificate::from_der(&der).ok())
        .collect()
}

/// The system's certificates where rustls does not look at them: because `SSL_CERT_FILE` is set, which
/// stands instead of them there. `SSL_CERT_DIR` names the system's own.
#[cfg(all(unix, not(target_vendor = "apple")))]
fn systems() -> Vec<CertificateDer<'static>> {
    let has_directory = std::env::var_os("SSL_CERT_DIR").is_some_and(|value| !value.is_empty());
    if std::env::var_os("SSL_CERT_FILE").is_none() || has_directory {
        return Vec::new();
    }
    openssl_probe::candidate_cert_dirs()
        .flat_map(|directory| {
            rustls_native_certs::load_certs_from_paths(None, Some(directory)).certs
        })
        .collect()
}

#[cfg(not(all(unix, not(target_vendor = "apple"))))]
fn systems() -> Vec<CertificateDer<'static>> {
    Vec::new()
}
