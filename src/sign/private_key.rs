//! Private keys from PEM text: PKCS#1, PKCS#8 and SEC1 (RFC 7468, 8017, 5208, 5915).

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::error::SignError;

/// The RSA key length that CloudFront takes
/// (<https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-trusted-signers.html>).
const RSA_BITS: usize = 2048;

/// A key that CloudFront takes; the library wipes it when it is dropped.
pub(super) enum PrivateKey {
    Rsa(Box<RsaKeyPair>),
    EcdsaP256(Box<EcdsaKeyPair>),
}

impl PrivateKey {
    pub(super) fn from_pem(pem: &str) -> Result<Self, SignError> {
        let (label, der) = decode(pem)?;
        match label {
            "RSA PRIVATE KEY" => RsaKeyPair::from_der(&der)
                .map_err(|_| rejected("it is not a valid RSA key"))
                .and_then(rsa),
            "EC PRIVATE KEY" => EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_ASN1_SIGNING, &der)
                .map(|key| Self::EcdsaP256(Box::new(key)))
                .map_err(|_| rejected("it is not a valid ECDSA key on the curve P-256")),
            "PRIVATE KEY" => match RsaKeyPair::from_pkcs8(&der) {
                Ok(key) => rsa(key),
                Err(_) => EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &der)
                    .map(|key| Self::EcdsaP256(Box::new(key)))
                    .map_err(|_| rejected("it is neither an RSA key of 2048 bits nor an ECDSA key on the curve P-256")),
            },
            _ => Err(rejected("its kind is not known")),
        }
    }

    /// SHA-256 with RSASSA-PKCS1-v1_5, or ECDSA in ASN.1 DER.
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .map_err(|_| SignError::Crypto)?;
                Ok(signature)
            }
            Self::EcdsaP256(key) => key
                .sign(&random, message)
                .map(|signature| signature.as_ref().to_vec())
                .map_err(|_| SignError::Crypto),
        }
    }

    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "RSA",
            Self::EcdsaP256(_) => "ECDSA P-256",
        }
    }
}

fn rsa(key: RsaKeyPair) -> Result<PrivateKey, SignError> {
    let bits = key.public_modulus_len() * 8;
    if bits == RSA_BITS {
        return Ok(PrivateKey::Rsa(Box::new(key)));
    }
    Err(SignError::InvalidSecret {
        what: WHAT,
        reason: format!("it is an RSA key of {bits} bits, CloudFront takes {RSA_BITS}"),
    })
}

const WHAT: &str = "CloudFront private key";

fn rejected(reason: &str) -> SignError {
    SignError::InvalidSecret {
        what: WHAT,
        reason: reason.to_owned(),
    }
}

/// The label and the bytes of the first private key in a PEM text; what stands around it, such as EC
/// parameters, does not matter. The `\n` of a key in one line, as environment variables often have it,
/// are read as line ends.
fn decode(pem: &str) -> Result<(&'static str, Zeroizing<Vec<u8>>), SignError> {
    const LABELS: [&str; 3] = ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"];
    let pem = Zeroizing::new(pem.replace("\\n", "\n"));
    for label in LABELS {
        let begin = format!("-----BEGIN {label}-----");
        let Some((_, rest)) = pem.split_once(&begin) else {
            continue;
        };
        let (body, _) = rest
            .split_once(&format!("-----END {label}-----"))
            .ok_or_else(|| rejected("it has no end"))?;
        if body.contains("ENCRYPTED") {
            return Err(rejected(ENCRYPTED));
        }
        // Sized beforehand: what grows leaves copies behind.
        let mut base64 = Zeroizing::new(String::with_capacity(body.len()));
        base64.extend(body.chars().filter(|c| !c.is_ascii_whitespace()));
        let mut der = Zeroizing::new(vec![0; base64.len()]);
        let length = STANDARD
            .decode_slice(base64.as_bytes(), &mut der)
            .map_err(|_| rejected("its base64 is damaged"))?;
        der.truncate(length);
        return Ok((label, der));
    }
    Err(rejected(if pem.contains("BEGIN ENCRYPTED PRIVATE KEY") {
        ENCRYPTED
    } else if pem.contains("BEGIN PUBLIC KEY") || pem.contains("BEGIN CERTIFICATE") {
        "it is the public half; the private one is needed"
    } else if pem.contains("BEGIN OPENSSH PRIVATE KEY") {
        "it is in OpenSSH's format; convert it with 'ssh-keygen -p -m PEM'"
    } else {
        "it has no PEM block '-----BEGIN PRIVATE KEY-----', 'RSA PRIVATE KEY' or 'EC PRIVATE KEY'"
    }))
}

const ENCRYPTED: &str =
    "it is encrypted; decrypt it with 'openssl pkey -in key.pem -out plain.pem'";
