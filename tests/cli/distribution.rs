//! Stands for a CloudFront distribution, which no server here can be: HTTPS under a certificate of its own,
//! objects from a bucket on the real server, fetched as an origin access control fetches them, and
//! CloudFront's own answers where it refuses.

use std::process::Command;
use std::sync::Arc;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::common::s3::{Handle, Keys};

/// What a distribution gets its objects from.
#[derive(Clone)]
pub enum Origin {
    /// This bucket, with requests signed by these keys.
    Bucket(Box<Handle>, Keys),
    /// Nothing that can be reached.
    Unreachable,
    /// CloudFront refuses before it asks.
    Refused,
    /// Something that answers every request with a page.
    Page,
    /// An S3 server whose bucket is empty.
    EmptyBucket,
}

/// Who may see what it serves.
#[derive(Clone)]
pub struct KeyGroup {
    pub id: String,
    pub public_key: Vec<u8>,
}

/// What OpenSSL's command line prints.
fn openssl(args: &[&str]) -> Vec<u8> {
    let output = Command::new("openssl").args(args).output();
    let output = output.expect("openssl is installed");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words}");
    output.stdout
}

/// A private key (PEM) for signed URLs, and the public key that belongs to it.
pub fn key_pair(directory: &std::path::Path) -> (String, Vec<u8>) {
    let private = openssl(&[
        "genpkey",
        "-algorithm",
        "EC",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
    ]);
    let file = directory.join("key.pem");
    std::fs::write(&file, &private).expect("written");
    let file = file.display().to_string();
    let public = openssl(&["pkey", "-in", &file, "-pubout", "-outform", "DER"]);
    // The point is the last of a SubjectPublicKeyInfo: 65 bytes, uncompressed.
    let point = public[public.len() - 65..].to_vec();
    (String::from_utf8(private).expect("PEM"), point)
}

/// A distribution that lives as long as its test's runtime.
pub struct Distribution {
    /// `localhost:PORT`.
    pub domain: String,
    /// The certificate to trust, PEM.
    pub certificate: String,
}

impl Distribution {
    /// `name` is what the certificate is for: `localhost`, unless it is to be wrong.
    pub async fn serve(name: &str, origin: Origin, viewers: Option<KeyGroup>) -> Self {
        let name = format!("subjectAltName=DNS:{name}");
        let made = openssl(&[
            "req",
            "-x509",
            "-noenc",
            "-days",
            "2",
            "-subj",
            "/CN=test",
            "-addext",
            &name,
            // What is a CA is taken for no server.
            "-addext",
            "basicConstraints=critical,CA:FALSE",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-keyout",
            "-",
        ]);
        let key = PrivateKeyDer::from_pem_slice(&made).expect("a key");
        let certificate = CertificateDer::from_pem_slice(&made).expect("a certificate");
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .expect("a TLS configuration");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let port = listener.local_addr().expect("an address").port();
        let domain = format!("localhost:{port}");
        let host = domain.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, host) = (acceptor.clone(), host.clone());
                let (origin, viewers) = (origin.clone(), viewers.clone());
                tokio::spawn(async move {
                    // A client that does not trust the certificate goes away.
                    let _ = serve(&acceptor, stream, &host, &origin, viewers.as_ref()).await;
                });
            }
        });
        Self {
            domain,
            certificate: String::from_utf8(made).expect("PEM"),
        }
    }
}

async fn serve(
    acceptor: &TlsAcceptor,
    stream: TcpStream,
    host: &str,
    origin: &Origin,
    viewers: Option<&KeyGroup>,
) -> std::io::Result<()> {
    let mut stream = acceptor.accept(stream).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let target = head.split(' ').nth(1).unwrap_or("/");
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let refusal =
        viewers.and_then(|group| objection(&format!("https://{host}{path}"), query, group));
    let (status, body) = match refusal {
        Some(refusal) => refusal,
        None => fetch(origin, path).await,
    };
    let answer = format!(
        "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.write_all(&body).await?;
    stream.shutdown().await
}

async fn fetch(origin: &Origin, path: &str) -> (u16, Vec<u8>) {
    match origin {
        Origin::Bucket(bucket, keys) => {
            let target = format!("/{}{path}", bucket.name);
            let reply = bucket.server.send(keys, "GET", &target, &[], "").await;
            (reply.status, reply.body.to_vec())
        }
        Origin::Unreachable => (
            502,
            b"<H1>502 ERROR</H1> CloudFront wasn't able to connect to the origin.".to_vec(),
        ),
        Origin::Refused => (
            403,
            b"<H1>403 ERROR</H1> The request could not be satisfied.".to_vec(),
        ),
        Origin::Page => (200, b"<!DOCTYPE html>".to_vec()),
        Origin::EmptyBucket => {
            let page = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>";
            (200, page.into())
        }
    }
}

/// Why a viewer may not see this URL, as CloudFront says it.
/// <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-creating-signed-url-canned-policy.html>
fn objection(url: &str, query: &str, group: &KeyGroup) -> Option<(u16, Vec<u8>)> {
    let refuse = |code: &str| {
        let body = format!(
            "<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>no</Message></Error>"
        );
        Some((403, body.into_bytes()))
    };
    let field = |name: &str| {
        query
            .split('&')
            .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    };
    let Some(id) = field("Key-Pair-Id") else {
        return refuse("MissingKey");
    };
    if id != group.id {
        return refuse("InvalidKey");
    }
    let expires = field("Expires").unwrap_or_default();
    let policy = format!(
        r#"{{"Statement":[{{"Resource":"{url}","Condition":{{"DateLessThan":{{"AWS:EpochTime":{expires}}}}}}}]}}"#
    );
    let signature = field("Signature").unwrap_or_default();
    let signature = signature
        .replace('-', "+")
        .replace('_', "=")
        .replace('~', "/");
    let signature = STANDARD.decode(signature).unwrap_or_default();
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &group.public_key);
    match key.verify(policy.as_bytes(), &signature) {
        Ok(()) => None,
        Err(_) => refuse("AccessDenied"),
    }
}
