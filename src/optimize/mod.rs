//! Pixels only: bytes of an image in, bytes of a better image out. No storage, no tokio, no clock but
//! the deadline that a decode cannot outrun.

mod alpha;
#[cfg(feature = "webp")]
mod animate;
mod attention;
mod budget;
mod codec;
mod color;
mod dhash;
mod error;
mod exif;
mod geometry;
mod gravity;
mod guard;
mod limits;
mod options;
mod orientation;
mod picture;
mod pipeline;
#[cfg(feature = "image")]
pub(crate) mod pixels;
mod placeholder;
mod preview;
mod raster;
mod resize;
mod source;
mod tone;
mod ycbcr;

#[doc(hidden)]
pub use codec::jpeg;
pub use error::OptimizeError;
pub use gravity::{Gravity, InvalidGravity};
#[doc(hidden)]
pub use guard::silence_caught_panics;
pub use limits::Limits;
pub use options::{Animation, Fit, OptimizeOptions, OutputFormat};
pub use picture::Picture;
#[cfg(feature = "image")]
pub use pixels::optimize_image;
#[cfg(feature = "store")]
pub(crate) use preview::is_transparent;
pub use preview::placeholder_url;

use bytes::Bytes;

use crate::format::ImageFormat;

/// An image that is upright, fits, is in sRGB and carries no metadata.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct OptimizedImage {
    /// The encoded image.
    pub data: Bytes,
    /// Its format.
    pub format: ImageFormat,
    /// Its width in pixels.
    pub width: u32,
    /// Its height in pixels.
    pub height: u32,
    /// A [ThumbHash](https://evanw.github.io/thumbhash/) of it in standard base64: about 30 characters
    /// that a page can turn into a blurred preview. Variants carry that of the main image.
    pub placeholder: String,
    /// A difference hash of it, 64 bits in hexadecimal: of pictures that look the same, few bits differ.
    /// Variants carry that of the main image.
    pub dhash: String,
    /// What came in.
    pub source: SourceInfo,
}

impl OptimizedImage {
    /// The MIME type of the data.
    pub fn content_type(&self) -> &'static str {
        self.format.mime_type()
    }
}

/// What an image was before it was optimized.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct SourceInfo {
    /// Its format.
    pub format: ImageFormat,
    /// Bytes of the encoded input.
    pub size: u64,
    /// SHA-256 of the encoded input, in lower-case hexadecimal: the same file has the same. A store fills it
    /// in; [`optimize()`] alone hashes nothing and leaves it empty.
    #[serde(default)]
    pub sha256: String,
    /// Width in pixels as stored, before orientation.
    pub width: u32,
    /// Height in pixels as stored, before orientation.
    pub height: u32,
    /// EXIF orientation, 1 to 8; 1 where there is none.
    pub orientation: u8,
    /// Frames of an animation, or 1.
    pub frames: u32,
    /// Frames that are not in the result.
    pub frames_dropped: u32,
    /// Whether metadata (EXIF, XMP, IPTC, comments, a profile, trailing bytes) was there and dropped.
    pub metadata_stripped: bool,
    /// The share of the picture that was lost to damage inside the file and filled in, 0 to 1.
    pub damaged: f64,
}

/// Returns the format of an image, and the size that it is shown at, from its header.
#[cfg(feature = "store")]
pub(crate) fn dimensions(bytes: &[u8]) -> Result<(ImageFormat, u32, u32), OptimizeError> {
    guard::guarded(|| {
        let options = OptimizeOptions::default();
        let source = source::Source::open(bytes, &options, &budget::Budget::new(&options))?;
        let facts = source.file.facts();
        let (width, height) = match source.orientation() {
            5.. => (facts.height, facts.width),
            _ => (facts.width, facts.height),
        };
        Ok((source.format, width, height))
    })
}

/// Checks, turns upright, resizes and re-encodes one image.
///
/// ```
/// use lablink_storage::{OptimizeError, OptimizeOptions, optimize};
///
/// # let photo = std::fs::read("examples/photo.jpg")?;
/// let options = OptimizeOptions::default().with_max_size(320, 320);
/// let small = optimize(&photo, &options)?;
/// assert_eq!((small.width, small.height), (320, 240));
/// assert_eq!(small.content_type(), "image/jpeg");
///
/// let error = optimize(b"%PDF-1.7", &options).unwrap_err();
/// assert!(matches!(error, OptimizeError::UnsupportedFormat { name: "PDF", .. }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`OptimizeError`]: the bytes are not an accepted image, are damaged or over a limit, or an option is
/// outside its range. Never a panic, whatever the bytes.
pub fn optimize(bytes: &[u8], options: &OptimizeOptions) -> Result<OptimizedImage, OptimizeError> {
    let (image, _) = optimize_with_variants(bytes, options, &[])?;
    Ok(image)
}

/// As [`optimize`], and further versions of the same image from the same decode, each with its own
/// options; their `limits`, `animation`, `accept_truncated` and `max_damage` are those of `options`.
///
/// ```
/// use lablink_storage::{Fit, OptimizeOptions, optimize_with_variants};
///
/// # let photo = std::fs::read("examples/photo.jpg")?;
/// let square = OptimizeOptions::default().with_max_size(200, 200).with_fit(Fit::Cover);
/// let (main, variants) = optimize_with_variants(&photo, &OptimizeOptions::default(), &[square])?;
/// assert_eq!((main.width, main.height), (1200, 900));
/// assert_eq!((variants[0].width, variants[0].height), (200, 200));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// As [`optimize`]; either every version is made or none.
pub fn optimize_with_variants(
    bytes: &[u8],
    options: &OptimizeOptions,
    variants: &[OptimizeOptions],
) -> Result<(OptimizedImage, Vec<OptimizedImage>), OptimizeError> {
    let (main, variants, _) = guard::guarded(|| pipeline::run(bytes, options, variants, false))?;
    Ok((main, variants))
}

/// The main image, its variants, and the picture for an inspector.
#[cfg(feature = "store")]
pub(crate) type Inspected = (OptimizedImage, Vec<OptimizedImage>, Option<Picture>);

/// As [`optimize_with_variants`], with a small picture of the whole from the same decode.
#[cfg(feature = "store")]
pub(crate) fn optimize_inspected(
    bytes: &[u8],
    options: &OptimizeOptions,
    variants: &[OptimizeOptions],
) -> Result<Inspected, OptimizeError> {
    guard::guarded(|| pipeline::run(bytes, options, variants, true))
}
