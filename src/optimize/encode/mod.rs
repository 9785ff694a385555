//! From pixels to the bytes of a file.

mod jpeg;
mod png;
mod webp;

use crate::format::ImageFormat;

use super::budget::Budget;
use super::raster::Frame;
use super::{OptimizeError, OptimizeOptions};

/// Encodes in a format that is not `Gif`; `exif` goes into the file. Alpha is gone where the format has none.
pub(super) fn encode(
    frame: Frame,
    format: ImageFormat,
    options: &OptimizeOptions,
    exif: Option<&[u8]>,
    budget: &Budget<'_>,
) -> Result<Vec<u8>, OptimizeError> {
    match format {
        ImageFormat::Jpeg => jpeg::encode(&frame, options, exif),
        ImageFormat::WebP => webp::encode(frame, options, exif, budget),
        ImageFormat::Png => png::encode(frame, exif, budget),
        ImageFormat::Gif => Err(OptimizeError::InvalidOption {
            name: "format",
            reason: "GIF is not written".into(),
        }),
    }
}
