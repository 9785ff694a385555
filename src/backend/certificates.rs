//! The certificates that are trusted: those that rustls finds by itself, a private authority's, and the
//! system's own where `SSL_CERT_FILE` would stand instead of them.

use reqwest::Certificate;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;

/// The certificates of a private authority, and the system's beside them.
#[cfg(feature = "s3")]
pub(crate) fn trusted(
    authority: Option<&crate::config::CaBundle>,
) -> Result<Vec<Certificate>, super::StorageError> {
    use rustls::pki_types::pem::PemObject;

    let mut trusted = systems();
    if let Some(authority) = authority {
        let found = CertificateDer::pem_slice_iter(&authority.pem);
        let found = usable(found.filter_map(Result::ok));
        if found.is_empty() {
            let setting = authority.setting;
            return Err(super::StorageError::new(
                crate::kind::ErrorKind::Configuration,
                super::Operation::Open,
                format!("the file that {setting} names has no certificate in PEM"),
            )
            .with_hint(format!(
                "set {setting} to a PEM file of certificates, or unset it"
            )));
        }
        trusted.extend(found);
    }
    Ok(trusted)
}

/// Keeps what can be a root: one certificate that cannot would keep the client from being made.
fn usable(found: impl IntoIterator<Item = CertificateDer<'static>>) -> Vec<Certificate> {
    let found = found
        .into_iter()
        .filter(|der| RootCertStore::empty().add(der.clone()).is_ok());
    found
        .filter_map(|der| Certificate::from_der(&der).ok())
        .collect()
}

/// The system's certificates, where rustls looks at `SSL_CERT_FILE` alone. `SSL_CERT_DIR` names the
/// system's own.
#[cfg(all(unix, not(target_vendor = "apple")))]
pub(crate) fn systems() -> Vec<Certificate> {
    let has_directory = std::env::var_os("SSL_CERT_DIR").is_some_and(|value| !value.is_empty());
    if std::env::var_os("SSL_CERT_FILE").is_none() || has_directory {
        return Vec::new();
    }
    let found = openssl_probe::candidate_cert_dirs().flat_map(|directory| {
        rustls_native_certs::load_certs_from_paths(None, Some(directory)).certs
    });
    usable(found)
}

/// Nothing: rustls asks the system whatever the environment says.
#[cfg(not(all(unix, not(target_vendor = "apple"))))]
pub(crate) fn systems() -> Vec<Certificate> {
    Vec::new()
}
