//! Puts an application's images where they belong.

#[cfg(feature = "store")]
mod backend;
#[cfg(feature = "cli")]
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
