//! Puts an application's images where they belong.

mod format;
mod key;
mod kind;
pub mod optimize;
mod secret;

pub use format::{ImageFormat, Unrecognized};
pub use key::{InvalidKey, ObjectKey};
pub use kind::ErrorKind;
pub use optimize::{
    Animation, Fit, Gravity, Limits, OptimizeError, OptimizeOptions, OptimizedImage, OutputFormat,
    SourceInfo, optimize, optimize_with_variants,
};
pub use secret::Secret;
