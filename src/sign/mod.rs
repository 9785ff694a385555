//! Signing without I/O: SigV4 for presigned requests and browser forms, CloudFront URLs and cookies,
//! and the HMAC that does the same for the local and memory backends.
//!
//! Time, credentials, regions and hosts are arguments; nothing here reads a clock, an environment or a
//! network. [`PostPolicy`] yields the conditions and the ordered form fields together, [`check_post`]
//! checks a form against its policy as S3 would, whoever signed it.
//!
//! Specifications: [SigV4], [query strings], [POST policies], [CloudFront].
//!
//! [SigV4]: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
//! [query strings]: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
//! [POST policies]: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html
//! [CloudFront]: https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-signed-urls.html

mod check;
mod cloudfront;
mod credentials;
mod disposition;
mod error;
mod hash;
#[cfg(feature = "s3")]
mod header;
mod local;
mod policy;
mod presign;
mod private_key;
mod request;
mod sigv4;
mod time;
mod violation;

#[cfg(feature = "store")]
pub(crate) use check::check_post_fields;
pub use check::{AcceptedPost, PostForm, PostVerifier, check_post};
pub use cloudfront::{CloudFrontPolicy, CloudFrontSigner};
pub use credentials::Credentials;
pub use disposition::content_disposition;
pub use error::SignError;
#[cfg(feature = "s3")]
pub(crate) use hash::hex;
#[cfg(feature = "store")]
pub(crate) use hash::sha256_hex;
#[cfg(feature = "s3")]
pub(crate) use header::Request;
pub use local::{LocalSigner, ResponseHeaders};
pub use policy::{Condition, PostPolicy};
pub use presign::Presign;
pub use request::{Method, PresignedPost, PresignedRequest, SignedCookies};
pub use sigv4::SigV4;
pub use violation::PolicyViolation;
