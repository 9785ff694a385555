//! From encoded bytes to pixels as they are stored, at the cheapest size that is large enough.

mod gif;
mod jpeg;
mod png;
mod webp;

use super::OptimizeError;
use super::budget::Budget;
use super::color::ColorTag;
use super::header::{Details, Header};
use super::raster::Pixels;

/// A decoded picture and what its numbers mean.
pub(super) struct Decoded {
    pub(super) pixels: Pixels,
    pub(super) color: ColorTag,
}

/// Decodes the picture. `reduction` is how many pixels of the source at least fall on a pixel of any result:
/// a decoder may leave out detail that would not be seen.
pub(super) fn decode(
    bytes: &[u8],
    header: &Header<'_>,
    reduction: f64,
    budget: &Budget<'_>,
) -> Result<Decoded, OptimizeError> {
    budget.check_time()?;
    match &header.details {
        Details::Jpeg(jpeg) => jpeg::decode(bytes, header, jpeg, reduction, budget),
        Details::Png(png) => png::decode(bytes, header, png, budget),
        Details::WebP(webp) => webp::decode(header, webp, budget),
        Details::Gif => gif::decode(bytes, header, budget),
    }
}

/// `width` x `height` pixels of `channels` bytes.
fn byte_count(width: u32, height: u32, channels: usize) -> u64 {
    u64::from(width) * u64::from(height) * channels as u64
}
