//! The place where an application puts its users' images: checked, turned upright, resized, re-encoded, and
//! stored on S3, on local disk or in memory, with public, CloudFront and presigned URLs.
//!
//! - `ImageStore` uploads, fetches, lists, deletes, presigns and promotes; `ImageStore::from_env()` opens the
//!   one that the environment describes, `ImageStore::builder()` one described in code.
//! - [`optimize()`] alone makes an image fit for the web, without storage or an async runtime.
//! - [`Urls`] leads from a key to its URL and back; [`sign`] signs without I/O.
//! - [`ops`] sets a bucket up, finds what is wrong with it, moves images and sweeps leftovers.
//! - [`Error`] has a [`kind`](Error::kind) to match on and a [`hint`](Error::hint) that says what to do.
//!
//! # Features
//!
//! | feature | default | what it brings |
//! |---|---|---|
//! | `s3` | yes | Amazon S3 and S3-compatible servers |
//! | `local` | yes | files in a directory |
//! | `webp` | yes | lossy WebP through libwebp, built by a C compiler alone |
//! | `store` | by `s3` or `local` | `ImageStore` with the memory backend and stores of the caller's own |
//! | `cli` | no | the command line, as a module and as the `lablink-storage` binary |
//!
//! Without any of them the optimizer, URLs and signing stand alone, with no tokio.
//!
//! # Configuration
//!
//! [`Config`] reads these variables; an empty one counts as unset.
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `AWS_S3_BUCKET` | turns S3 on | unset: local files |
//! | `AWS_REGION`, then `AWS_DEFAULT_REGION` | region | `us-east-1` |
//! | `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN` | static credentials | unset: profile, web identity, ECS, EKS, EC2 role |
//! | `AWS_ENDPOINT_URL_S3`, then `AWS_ENDPOINT_URL` | an S3-compatible server | AWS |
//! | `AWS_S3_ADDRESSING_STYLE` | `virtual`, `path` or `auto`; see [`Addressing`] | `auto` |
//! | `AWS_S3_USE_ACCELERATE`, `AWS_USE_DUALSTACK_ENDPOINT` | transfer acceleration, dual-stack hosts | `false` |
//! | `AWS_ENDPOINT_URL_STS` | where web identity asks for credentials | AWS, in the region |
//! | `AWS_EC2_METADATA_DISABLED` | never ask the EC2 metadata service | `false` |
//! | `CLOUDFRONT_DOMAIN` | host of public URLs | unset |
//! | `CLOUDFRONT_KEY_PAIR_ID`, `CLOUDFRONT_PRIVATE_KEY` or `CLOUDFRONT_PRIVATE_KEY_PATH` | signed URLs and cookies | unset |
//! | `LABLINK_STORAGE_PREFIX` | key prefix | `components` |
//! | `LABLINK_STORAGE_DIR` | directory of local files | `./uploads` |
//! | `LABLINK_STORAGE_BASE_URL` | base URL of local files: a path or an http(s) URL | `/uploads` |
//! | `LABLINK_STORAGE_SECRET` | secret of local signed requests, 32 bytes at least | unset: not supported |
//! | `LABLINK_STORAGE_REQUIRE_S3` | fail without `AWS_S3_BUCKET` | `false`: warn, and use local files |

// What it has to say goes to `tracing` and is quiet unless somebody subscribes.
#![warn(clippy::print_stdout, clippy::print_stderr)]

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(feature = "store")]
mod backend;
#[cfg(feature = "cli")]
#[allow(clippy::print_stdout, clippy::print_stderr)]
pub mod cli;
mod config;
mod error;
mod format;
mod key;
mod kind;
pub mod ops;
pub mod optimize;
mod secret;
pub mod sign;
#[cfg(feature = "store")]
mod store;
mod url;
mod variant;

pub use self::url::{
    Addressing, ForeignUrl, InvalidAddress, InvalidReference, Location, S3Location, Urls,
};
#[cfg(feature = "store")]
pub use backend::{ObjectInfo, StorageError};
pub use config::{
    BackendConfig, CloudFrontConfig, Config, ConfigBuilder, ConfigError, CredentialsChain,
    CredentialsSource, LocalConfig, RetryPreset, S3Config, StaticCredentials,
};
pub use error::{Error, Result};
pub use format::{ImageFormat, Unrecognized};
pub use key::{InvalidKey, ObjectKey};
pub use kind::ErrorKind;
#[doc(hidden)]
pub use optimize::silence_caught_panics;
pub use optimize::{
    Animation, Fit, Gravity, Limits, OptimizeError, OptimizeOptions, OptimizedImage, OutputFormat,
    SourceInfo, optimize, optimize_with_variants,
};
pub use secret::Secret;
pub use sign::{PolicyViolation, PresignedPost, PresignedRequest, SignError, SignedCookies};
#[cfg(feature = "store")]
pub use store::{
    ImageStore, ImageStoreBuilder, Object, PresignGetOptions, PresignPostOptions,
    PresignPutOptions, ReceivedPost, SignedCookiesOptions, SignedUrlOptions, Status, StoredImage,
    StoredVariant, SweepReport, SweptObject, UploadOptions,
};
pub use variant::{InvalidVariant, Variant, variant_key, variant_parent, variants_of};
