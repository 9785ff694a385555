//! Requests that a browser makes itself: presigned GET, PUT and POST, and CloudFront's URLs and cookies.

use tracing::{Span, field};

use super::options::{
    PresignGetOptions, PresignPostOptions, PresignPutOptions, SignedCookiesOptions,
    SignedUrlOptions,
};
use super::signer::RequestSigner;
use super::{ImageStore, traced, traced_at_once};
use crate::config::S3Config;
use crate::error::{Error, Result};
use crate::format::ImageFormat;
use crate::key::ObjectKey;
use crate::optimize::{OptimizeError, OutputFormat};
use crate::sign::{
    CloudFrontPolicy, PostPolicy, Presign, PresignedPost, PresignedRequest, SignedCookies,
};

impl ImageStore {
    /// Signs a GET of the object that works until it expires, for buckets that are not public.
    ///
    /// On S3 it is signed for the bucket's regional host, whatever the CDN. Local and memory stores sign
    /// with their secret, and the application's route asks [`verify_get`](Self::verify_get).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    /// use lablink_storage::{ErrorKind, ImageStore, ObjectKey, PresignGetOptions};
    ///
    /// let store = ImageStore::builder()
    ///     .memory()
    ///     .with_secret("0123456789abcdef0123456789abcdef")
    ///     .build()?;
    /// let key = ObjectKey::parse("components/board.png")?;
    /// let request = store.presigned_get(&key, PresignGetOptions::default()).await?;
    /// assert!(request.url.starts_with("memory://lablink/components/board.png?X-Lablink-Expires="));
    ///
    /// let eight_days = PresignGetOptions::default().with_expires_in(Duration::from_secs(8 * 86_400));
    /// let error = store.presigned_get(&key, eight_days).await.unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for an expiry outside 1 s to 7 days, or a file name that no header can carry;
    /// `InvalidKey` for a pending key or one outside the store's prefix; `NotSupported` where nothing can
    /// sign;
    /// `Credentials`.
    pub async fn presigned_get(
        &self,
        key: &ObjectKey,
        options: PresignGetOptions,
    ) -> Result<PresignedRequest> {
        traced(tracing::info_span!("presigned_get", %key), async {
            // Pending uploads are private until they have been verified.
            self.public_key(key.as_str())?;
            self.signed_get(key, options).await
        })
        .await
    }

    pub(super) async fn signed_get(
        &self,
        key: &ObjectKey,
        options: PresignGetOptions,
    ) -> Result<PresignedRequest> {
        let mut request = Presign::get(options.expires_in);
        if let Some(name) = options.download_as {
            request = request.with_download_as(name);
        }
        if let Some(content_type) = options.response_content_type {
            request = request.with_response_content_type(content_type);
        }
        let url = self.inner.config.urls().object_url(key);
        let now = self.inner.sources.now();
        Ok(match self.inner.request_signer().await? {
            RequestSigner::S3(signer) => signer.presign(&request, key, &url, now)?,
            RequestSigner::Local(signer) => signer.presign(&request, key, &url, now)?,
        })
    }

    /// Signs a PUT of one image of a given type that works until it expires; on S3 only.
    ///
    /// Content type, cache control and, where it is given, the length are signed, and `If-None-Match: *`
    /// where the store is create-only: send the headers exactly as given. By default it writes
    /// a pending key, for [`promote`](Self::promote). Name the length of what strangers may send.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # if cfg!(not(feature = "s3")) {
    /// #     return Ok(());
    /// # }
    /// use lablink_storage::{ImageStore, PresignPutOptions};
    ///
    /// let store = ImageStore::builder()
    ///     .s3("lab-images")
    ///     .with_credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI", None::<&str>)
    ///     .build()?;
    /// let put = store.presigned_put("board.png", PresignPutOptions::default()).await?;
    /// assert!(put.url.starts_with("https://lab-images.s3.us-east-1.amazonaws.com/pending/components/"));
    /// for (name, value) in &put.headers {
    ///     println!("{name}: {value}"); // content-type: image/png, …
    /// }
    /// # assert!(put.headers.contains(&("content-type".to_owned(), "image/png".to_owned())));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `UnsupportedFormat` for a type that the store does not accept; `LimitExceeded` for a length over the
    /// store's `max_upload_bytes`; `InvalidArgument` for a length of 0 or an expiry outside 1 s to 7 days;
    /// `NotSupported` off S3; `Credentials`.
    pub async fn presigned_put(
        &self,
        filename: &str,
        options: PresignPutOptions,
    ) -> Result<PresignedRequest> {
        let span = tracing::info_span!("presigned_put", key = field::Empty);
        traced(span, async {
            let not_supported = Error::NotSupported {
                what: "a presigned PUT",
                remedy: "use presigned_post, which bounds the size, or a store on S3",
            };
            let config = &self.inner.config;
            if config.s3().is_none() {
                return Err(not_supported);
            }
            let format = declared_format(filename, options.content_type.as_deref())?;
            let key = self.direct_key(format, options.pending)?;
            let file_url = self.public_url(&key);
            let mut request = Presign::put(options.expires_in)
                .with_header("Content-Type", format.mime_type())
                .with_header("Cache-Control", config.cache_control());
            if let Some(length) = options.content_length {
                check_length(length, config.max_upload_bytes())?;
                request = request.with_header("Content-Length", length.to_string());
            }
            if config.create_only() {
                request = request.with_header("If-None-Match", "*");
            }
            for (name, value) in config.s3().map(S3Config::write_headers).unwrap_or_default() {
                request = request.with_header(name, value);
            }
            let RequestSigner::S3(signer) = self.inner.request_signer().await? else {
                return Err(not_supported);
            };
            let url = config.urls().object_url(&key);
            let signed = signer.presign(&request, &key, &url, self.inner.sources.now())?;
            Ok(PresignedRequest {
                file_url: Some(file_url),
                ..signed
            })
        })
        .await
    }

    /// Signs a form with which a browser uploads one image of a given type and a bounded size: straight to the
    /// bucket on S3, else to the application's own route, which hands it to
    /// [`receive_post`](Self::receive_post).
    ///
    /// The upload gets a pending key, and [`promote`](Self::promote) makes an image of it once its bytes
    /// have been looked at. Until it expires the form can be used again. With `pending` off it names a
    /// final key: it can overwrite that key until it expires, and nobody looks at the bytes.
    ///
    /// With [`OutputFormat::Auto`] a direct upload of a JPEG stays one and anything else becomes WebP:
    /// its URL is promised before its pixels are seen.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use lablink_storage::{ErrorKind, ImageStore, PresignPostOptions};
    ///
    /// let store = ImageStore::builder()
    ///     .memory()
    ///     .with_secret("0123456789abcdef0123456789abcdef")
    ///     .build()?;
    /// let options = PresignPostOptions::default().with_max_bytes(5 << 20);
    /// let post = store.presigned_post("board.jpg", options).await?;
    /// assert!(post.key.is_pending());
    /// assert!(post.file_url.starts_with("memory://lablink/components/")); // once it is promoted
    ///
    /// let refused = store.presigned_post("notes.pdf", PresignPostOptions::default()).await;
    /// assert_eq!(refused.unwrap_err().kind(), ErrorKind::UnsupportedFormat);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `UnsupportedFormat` for a type that the store does not accept; `InvalidArgument` for an expiry
    /// outside 1 s to 7 days or a size of 0; `NotSupported` where nothing can sign; `Credentials`.
    pub async fn presigned_post(
        &self,
        filename: &str,
        options: PresignPostOptions,
    ) -> Result<PresignedPost> {
        let span = tracing::info_span!("presigned_post", key = field::Empty);
        traced(span, async {
            let config = &self.inner.config;
            let max_bytes = options.max_bytes.unwrap_or(config.max_upload_bytes());
            if max_bytes == 0 {
                return Err(Error::InvalidArgument {
                    name: "max_bytes",
                    reason: "must be at least 1".into(),
                });
            }
            let format = declared_format(filename, options.content_type.as_deref())?;
            let key = self.direct_key(format, options.pending)?;
            let file_url = self.public_url(&key);

            let mut policy = PostPolicy::new(key.as_str(), options.expires_in)
                .with_field("Content-Type", format.mime_type())
                .with_field("Cache-Control", config.cache_control())
                .with_content_length_range(1, max_bytes)
                .with_success_action_status(201);
            if let Some(s3) = config.s3() {
                policy = policy.with_bucket(s3.bucket());
                for (name, value) in s3.write_headers() {
                    policy = policy.with_field(name, value);
                }
            }
            let url = config.urls().bucket_url();
            let now = self.inner.sources.now();
            Ok(match self.inner.request_signer().await? {
                RequestSigner::S3(signer) => {
                    signer.presign_post(&policy, &key, &url, &file_url, now)?
                }
                RequestSigner::Local(signer) => {
                    signer.presign_post(&policy, &key, &url, &file_url, now)?
                }
            })
        })
        .await
    }

    /// Signs the image's CloudFront URL, which works until it expires on a distribution that asks for
    /// signatures.
    ///
    /// ```
    /// # use base64::Engine as _;
    /// # use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
    /// # let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING)?;
    /// # let body = base64::engine::general_purpose::STANDARD.encode(pair.to_pkcs8v1()?);
    /// # let pem = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
    /// use lablink_storage::{ErrorKind, ImageStore, ObjectKey, SignedUrlOptions};
    ///
    /// let store = ImageStore::builder()
    ///     .memory()
    ///     .with_cloudfront_domain("cdn.example.org")
    ///     .with_cloudfront_key("K2JCJMDEHXQW5F", pem) // the text of private_key.pem
    ///     .build()?;
    /// let key = ObjectKey::parse("components/board.png")?;
    /// let signed = store.signed_url(&key, SignedUrlOptions::default())?;
    /// assert!(signed.url.starts_with("https://cdn.example.org/components/board.png?Expires="));
    ///
    /// let pending = ObjectKey::parse("pending/components/board.png")?;
    /// let error = store.signed_url(&pending, SignedUrlOptions::default()).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::InvalidKey);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `NotSupported` without a CloudFront domain and key; `InvalidKey` for a key that is not public;
    /// `InvalidArgument` for an expiry of 0 or an invalid address range.
    pub fn signed_url(
        &self,
        key: &ObjectKey,
        options: SignedUrlOptions,
    ) -> Result<PresignedRequest> {
        traced_at_once(tracing::info_span!("signed_url", %key), || {
            self.public_key(key.as_str())?;
            let signer = self.inner.signers.cloudfront()?;
            let url = self.public_url(key);
            let (policy, expires_at) = self.access(&url, &options)?;
            let url = signer.signed_url(&url, &policy)?;
            Ok(PresignedRequest::get(url, key.clone(), expires_at))
        })
    }

    /// Signs cookies that open all of the store's images on CloudFront, or a part of them, until they expire.
    ///
    /// ```
    /// # use base64::Engine as _;
    /// # use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
    /// # let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING)?;
    /// # let body = base64::engine::general_purpose::STANDARD.encode(pair.to_pkcs8v1()?);
    /// # let pem = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
    /// use lablink_storage::{ImageStore, SignedCookiesOptions};
    ///
    /// let store = ImageStore::builder()
    ///     .memory()
    ///     .with_cloudfront_domain("cdn.example.org")
    ///     .with_cloudfront_key("K2JCJMDEHXQW5F", pem) // the text of private_key.pem
    ///     .build()?;
    /// let signed = store.signed_cookies(SignedCookiesOptions::default())?;
    /// assert_eq!(signed.resource, "https://cdn.example.org/components/*");
    /// for (name, value) in &signed.cookies {
    ///     println!("Set-Cookie: {name}={value}; Domain=example.org; Secure; HttpOnly");
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`signed_url`](Self::signed_url).
    pub fn signed_cookies(&self, options: SignedCookiesOptions) -> Result<SignedCookies> {
        traced_at_once(tracing::info_span!("signed_cookies"), || {
            let signer = self.inner.signers.cloudfront()?;
            let base = self.inner.config.urls().public_base();
            let path = match (&options.path, self.inner.prefix()) {
                (Some(path), _) => path.trim_start_matches('/').to_owned(),
                (None, "") => "*".to_owned(),
                (None, prefix) => format!("{}/*", crate::key::percent_encode_path(prefix)),
            };
            let (policy, _) = self.access(&format!("{base}/{path}"), &options.access)?;
            Ok(signer.signed_cookies(&policy)?)
        })
    }

    /// The policy of a CloudFront signature, and when it ends.
    fn access(
        &self,
        resource: &str,
        options: &SignedUrlOptions,
    ) -> Result<(CloudFrontPolicy, std::time::SystemTime)> {
        let now = self.inner.sources.now();
        let expires_at = now
            .checked_add(options.expires_in)
            .filter(|_| !options.expires_in.is_zero())
            .ok_or_else(|| Error::InvalidArgument {
                name: "expires_in",
                reason: "must be at least a second, and end in a year with four digits".into(),
            })?;
        let mut policy = if resource.contains(['*', '?']) {
            CloudFrontPolicy::custom(resource, expires_at)
        } else {
            CloudFrontPolicy::canned(resource, expires_at)
        };
        if let Some(starts_in) = options.starts_in {
            let starts_at = now
                .checked_add(starts_in)
                .ok_or_else(|| Error::InvalidArgument {
                    name: "starts_in",
                    reason: "must be before the end".into(),
                })?;
            policy = policy.with_starts_at(starts_at);
        }
        if let Some(range) = &options.ip_range {
            policy = policy.with_source_ip(range);
        }
        Ok((policy, expires_at))
    }

    /// A new key for a direct upload of a declared format. A pending key has the extension that the image
    /// will have, which is what `promote` keeps, whatever its own configuration.
    fn direct_key(&self, format: ImageFormat, pending: bool) -> Result<ObjectKey> {
        let id = self.inner.sources.new_id();
        if !pending {
            self.inner.refuse_unseen()?;
        }
        let key = if pending {
            let promised = promised_format(self.inner.config.optimize().format, format);
            ObjectKey::for_pending(self.inner.prefix(), id, promised)?
        } else {
            ObjectKey::for_upload(self.inner.prefix(), id, format)?
        };
        Span::current().record("key", key.as_str());
        Ok(key)
    }
}

/// The format that the caller declares, or the one of the file name where there is no content type.
/// Browsers send an empty type or `application/octet-stream` for files whose type they do not know.
fn declared_format(filename: &str, content_type: Option<&str>) -> Result<ImageFormat> {
    let declared = content_type
        .map(str::trim)
        .filter(|mime| !mime.is_empty() && !mime.eq_ignore_ascii_case("application/octet-stream"));
    let mime = match declared {
        Some(mime) => mime,
        None => mime_guess::from_path(filename).first_raw().unwrap_or(""),
    };
    let format = ImageFormat::from_mime_type(mime).filter(|format| format.is_accepted());
    format.ok_or_else(|| {
        let name = ImageFormat::foreign_mime_name(mime).unwrap_or("unknown");
        OptimizeError::UnsupportedFormat { name }.into()
    })
}

fn check_length(length: u64, most: u64) -> Result<()> {
    if length == 0 {
        return Err(Error::InvalidArgument {
            name: "content_length",
            reason: "must be at least 1".into(),
        });
    }
    if length > most {
        return Err(OptimizeError::LimitExceeded {
            what: "bytes",
            value: length,
            limit: most,
        }
        .into());
    }
    Ok(())
}

/// Returns the format of a pending upload: the one of its key, which its form promised. A format that is read
/// alone is promised to nobody.
pub(super) fn promoted_format(wanted: OutputFormat, promised: ImageFormat) -> OutputFormat {
    match promised {
        ImageFormat::Jpeg => OutputFormat::Jpeg,
        ImageFormat::Png => OutputFormat::Png,
        ImageFormat::WebP => OutputFormat::WebP,
        ImageFormat::Avif => OutputFormat::Avif,
        _ => wanted,
    }
}

/// Returns the format that a direct upload will have once it is promoted. It is known beforehand, and so is its
/// URL.
fn promised_format(wanted: OutputFormat, declared: ImageFormat) -> ImageFormat {
    wanted.of(declared == ImageFormat::Jpeg)
}
