//! Stores the images that an application's users upload: checked, turned upright, resized, re-encoded, and
//! stored on S3, on local disk or in memory, with public, CloudFront and presigned URLs.
//!
//! - `ImageStore` uploads, fetches, lists, deletes, presigns and promotes; `ImageStore::from_env()` opens the
//!   one that the environment describes, `ImageStore::builder()` one described in code.
//! - [`optimize()`] alone makes an image fit for the web, without storage or an async runtime.
//! - [`Urls`] leads from a key to its URL and back; [`sign`] signs without I/O.
//! - `ops` sets a bucket up, finds what is wrong with it, moves images and sweeps leftovers.
//! - [`Error`] has a [`kind`](Error::kind) to match on and a [`hint`](Error::hint) that says what to do.
//!
//! # Features
//!
//! | feature | default | what it brings |
//! |---|---|---|
//! | `s3` | yes | Amazon S3 and S3-compatible servers |
//! | `local` | yes | files in a directory |
//! | `webp` | yes | lossy WebP through libwebp, built by a C compiler alone |
//! | `avif` | no | AVIF out, through rav1e, and in |
//! | `avif-decode` | no | AVIF in, through rav1d |
//! | `bmp`, `tiff` | no | BMP and TIFF in |
//! | `image` | no | `optimize_image` and `ImageStore::upload_image`, for pictures in memory |
//! | `heic` | no | HEIC in; HEVC is covered by patents, which is why no wheel has it |
//! | `fetch` | by `s3` | `upload_from_url`; by itself for stores without S3 |
//! | `store` | by `s3` or `local` | `ImageStore` with the memory backend and stores of the caller's own |
//! | `axum` | no | the routes of an image store, for services on axum |
//! | `ops` | no | setting a bucket up, doctor, migrating, regenerating, sweeping, events |
//! | `cli` | no | the command line, as a module and as the `lablink-storage` binary; turns `ops` and `webp` on |
//!
//! Without any of them the optimizer, URLs and signing stand alone, with no tokio.
//!
//! With `avif-decode`, leave overflow checks off for `re_rav1d`, in debug builds too: its arithmetic wraps where a file
//! is damaged, and a check would end the process.
//!
//! ```toml
//! [profile.dev.package.re_rav1d]
//! opt-level = 3
//! debug-assertions = false
//! ```
//!
//! # Configuration
//!
//! [`Config`] reads these variables; an empty one counts as unset. [`Setting::all`] has them as a table, with
//! their other names.
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `AWS_S3_BUCKET` | turns S3 on: the bucket's name | local files |
//! | `AWS_REGION`, then `AWS_DEFAULT_REGION` | the bucket's region | `us-east-1` |
//! | `AWS_ACCESS_KEY_ID` | static credentials: the key's id | profile, web identity, ECS, EKS, EC2 role |
//! | `AWS_SECRET_ACCESS_KEY` | static credentials: the key's secret | unset |
//! | `AWS_SESSION_TOKEN` | static credentials: the token of temporary keys | unset |
//! | `AWS_PROFILE`, then `AWS_DEFAULT_PROFILE` | the profile of the shared credentials file | `default` |
//! | `AWS_SHARED_CREDENTIALS_FILE` | the shared credentials file | `~/.aws/credentials` |
//! | `AWS_CONFIG_FILE` | the shared config file | `~/.aws/config` |
//! | `AWS_WEB_IDENTITY_TOKEN_FILE` | web identity: the token's file | unset |
//! | `AWS_ROLE_ARN` | web identity: the role | unset |
//! | `AWS_ROLE_SESSION_NAME` | web identity: the session's name | unset |
//! | `AWS_ENDPOINT_URL_STS` | where web identity asks for credentials | AWS, in the region |
//! | `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI` | ECS: where a task's credentials are, set by ECS | unset |
//! | `AWS_CONTAINER_CREDENTIALS_FULL_URI` | EKS pod identity: where a pod's credentials are, set by EKS | unset |
//! | `AWS_CONTAINER_AUTHORIZATION_TOKEN` | the token to ask for them with | unset |
//! | `AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE` | the file that holds this token | unset |
//! | `AWS_EC2_METADATA_DISABLED` | never ask the EC2 metadata service | `false` |
//! | `AWS_EC2_METADATA_SERVICE_ENDPOINT` | another address of the EC2 metadata service | unset |
//! | `AWS_CA_BUNDLE`, then `SSL_CERT_FILE` | certificates (PEM) of a private authority, added to the system's | the system's |
//! | `AWS_ENDPOINT_URL_S3`, then `AWS_ENDPOINT_URL` | an S3-compatible server, `https://` or `http://`, without the bucket | AWS |
//! | `LABLINK_STORAGE_PUBLIC_ENDPOINT` | that server as browsers reach it: public and presigned URLs use it | the endpoint |
//! | `AWS_S3_ADDRESSING_STYLE` | where the bucket stands in URLs: `auto`, `virtual` or `path` | `auto` |
//! | `AWS_S3_USE_ACCELERATE` | AWS transfer acceleration | `false` |
//! | `AWS_USE_DUALSTACK_ENDPOINT` | AWS's dual-stack hosts, which answer on IPv6 too | `false` |
//! | `CLOUDFRONT_DOMAIN` | host of public URLs: a bare domain or an https URL | unset |
//! | `CLOUDFRONT_KEY_PAIR_ID` | signed URLs and cookies: the id of the public key | unset |
//! | `CLOUDFRONT_PRIVATE_KEY` | signed URLs and cookies: the private key, PEM | unset |
//! | `CLOUDFRONT_PRIVATE_KEY_PATH` | the file that holds this private key | unset |
//! | `CLOUDFRONT_DISTRIBUTION_ID` | what is deleted, restored or made anew is purged from this distribution | unset |
//! | `AWS_ENDPOINT_URL_CLOUDFRONT` | where CloudFront is asked to purge | AWS |
//! | `LABLINK_STORAGE_SSE_KMS_KEY_ID` | has S3 encrypt with this KMS key (SSE-KMS) | unset |
//! | `LABLINK_STORAGE_STORAGE_CLASS` | storage class of what is written: `STANDARD_IA`, … | the bucket's |
//! | `LABLINK_STORAGE_DIRECT_UPLOAD` | how browsers upload to S3: `post`, or `put` for servers without POST Object (R2, B2) | `post` |
//! | `LABLINK_STORAGE_PREFIX` | key prefix; in code it may be empty | `components` |
//! | `LABLINK_STORAGE_DIR` | directory of local files | `./uploads` |
//! | `LABLINK_STORAGE_BASE_URL` | base URL of local files, and of a store in memory that is served: a path or an http(s) URL | `/uploads` |
//! | `LABLINK_STORAGE_FORMER_URLS` | comma-separated base URLs that the store had before: their URLs still belong to it | unset |
//! | `LABLINK_STORAGE_SECRET` | secret of local signed requests, 32 bytes at least | not supported |
//! | `LABLINK_STORAGE_FSYNC` | local writes are flushed to the disk before they count as done | `false` |
//! | `LABLINK_STORAGE_MEMORY` | `true`: the memory backend, for tests of whole applications; its images are served as local files are | `false` |
//! | `LABLINK_STORAGE_REQUIRE_S3` | fail without `AWS_S3_BUCKET` | `false`: use local files, and warn unless `LABLINK_STORAGE_DIR` is set |
//! | `LABLINK_STORAGE_OPTIMIZE` | how uploads are optimized, a JSON object: `{"max_width": 1600}` | unset |
//! | `LABLINK_STORAGE_VARIANTS` | versions that are written beside every image, a JSON object: `{"thumb": {"max_width": 320}}` | unset |
//! | `LABLINK_STORAGE_LIMITS` | what a file may cost, a JSON object: `{"max_bytes": 10000000}` | unset |
//! | `LABLINK_STORAGE_KEEP_ORIGINAL` | keeps what comes in beside what is made of it, never public | `false` |
//! | `LABLINK_STORAGE_CACHE_CONTROL` | `Cache-Control` of what is written | `public, max-age=31536000, immutable` |
//! | `LABLINK_STORAGE_CREATE_ONLY` | writing refuses to overwrite; `false` for servers that cannot | `true` |
//! | `LABLINK_STORAGE_DEADLINE` | another deadline for every operation, in seconds | `30` |
//! | `LABLINK_STORAGE_MAX_DECODES` | images decoded at once in a process | the cores, 4 at most |
//! | `LABLINK_STORAGE_DECODE_WAIT` | how long a caller waits for its turn to decode, in seconds | `10` |
//! | `LABLINK_STORAGE_MAX_UPLOAD_BYTES` | largest direct upload, in bytes | `10485760` |
//! | `LABLINK_STORAGE_FETCH_HOSTS` | hosts that `upload_from_url` may ask, comma-separated: `photos.example.org`, `*.example.org`, or `*` | none |
//! | `LABLINK_STORAGE_INSPECTOR` | the Python callable that looks at each image before it is published, as `module:callable`; Rust takes an `Inspector` | none |

// Messages go to `tracing`; the crate never prints.
#![warn(clippy::print_stdout, clippy::print_stderr)]

/// The Rust of the README and of docs/ runs as tests.
#[cfg(doctest)]
mod pages {
    macro_rules! page {
        ($name:ident, $path:literal) => {
            #[doc = include_str!($path)]
            struct $name;
        };
    }
    page!(Readme, "../README.md");
    page!(Errors, "../docs/errors.md");
    page!(Formats, "../docs/formats.md");
    page!(Logging, "../docs/logging.md");
    page!(ReplacingAnImage, "../docs/replacing-an-image.md");
}

#[cfg(feature = "axum")]
pub mod axum;
#[cfg(feature = "store")]
mod backend;
mod causes;
#[cfg(feature = "cli")]
#[allow(clippy::print_stdout, clippy::print_stderr)]
pub mod cli;
mod config;
mod digest;
mod error;
#[cfg(feature = "fetch")]
mod fetch;
mod format;
mod key;
mod kind;
#[cfg(feature = "ops")]
pub mod ops;
pub mod optimize;
mod secret;
pub mod sign;
#[cfg(feature = "store")]
mod store;
mod url;
mod variant;

pub use self::url::{
    AddressSetting, Addressing, ForeignUrl, InvalidAddress, InvalidReference, Location, S3Location,
    Urls,
};
#[cfg(feature = "store")]
pub use backend::{ObjectInfo, ObjectVersion, StorageError};
pub use config::{
    BackendConfig, CloudFrontConfig, Config, ConfigBuilder, ConfigError, CredentialsChain,
    CredentialsProvider, CredentialsSource, DirectUpload, LocalConfig, Providing, Reach,
    RetryPreset, S3Config, Setting, SettingKind, SettingValue, SharedProvider, StaticCredentials,
};
pub use error::{Error, Result};
#[cfg(feature = "fetch")]
pub use fetch::FetchError;
pub use format::{ImageFormat, Unrecognized};
/// The crate of the pictures that [`optimize_image`] takes, in the version that this crate uses.
#[cfg(feature = "image")]
pub use image;
pub use key::{InvalidKey, ObjectKey};
pub use kind::ErrorKind;
/// The crate of the stores that [`ImageStoreBuilder::object_store`] takes, in the version that this crate uses.
#[cfg(feature = "store")]
pub use object_store;
#[cfg(feature = "image")]
pub use optimize::optimize_image;
#[doc(hidden)]
pub use optimize::silence_caught_panics;
pub use optimize::{
    Animation, Fit, Gravity, InvalidGravity, Limits, OptimizeError, OptimizeOptions,
    OptimizedImage, OutputFormat, Picture, SourceInfo, optimize, optimize_with_variants,
    placeholder_url,
};
pub use secret::Secret;
pub use sign::{PolicyViolation, PresignedPost, PresignedRequest, SignError, SignedCookies};
#[cfg(feature = "store")]
pub use store::{
    ImageStore, ImageStoreBuilder, InspectError, Inspecting, Inspection, Inspector, KeyOrUrl,
    Object, ObjectStream, PresignGetOptions, PresignPostOptions, PresignPutOptions, PromoteOptions,
    PurgeFailure, ReceivedPost, SignedCookiesOptions, SignedUrlOptions, Status, StoredImage,
    StoredVariant, SweepReport, SweptObject, UploadOptions,
};
pub use variant::{InvalidVariant, Variant, variant_key, variant_name, variants_of};
