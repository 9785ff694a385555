//! From encoded bytes to pixels as they are stored, at the cheapest size that is large enough.

mod gif;
mod jpeg;
mod png;
mod webp;

pub(super) use webp::ends_early;

use super::OptimizeError;
use super::budget::Budget;
use super::color::ColorTag;
use super::header::{Details, Header};
use super::raster::Pixels;

/// A decoded picture and what its numbers mean.
pub(super) struct Decoded {
    pub(super) pixels: Pixels,
    pub(super) color: ColorTag,
    /// Whether the file ended before its picture did.
    pub(super) truncated: bool,
    /// The share of the picture that was lost and filled in, 0 to 1.
    pub(super) damaged: f64,
    /// Whether the file has bytes among those of its picture that the picture does not need.
    pub(super) spare: bool,
}

impl Decoded {
    /// A picture that nothing is known to be wrong with.
    pub(super) fn whole(pixels: Pixels, color: ColorTag) -> Self {
        Self {
            pixels,
            color,
            truncated: false,
            damaged: 0.0,
            spare: false,
        }
    }
}

/// What the results need of the source: a decoder may leave out detail that would not be seen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    /// How many pixels of the source, in each direction, fall at least on a pixel of any result.
    pub(super) reduction: f64,
    /// Whether every result has chroma of half the width and height.
    pub(super) half_chroma: bool,
}

/// Decodes the picture.
pub(super) fn decode(
    bytes: &[u8],
    header: &Header<'_>,
    wanted: Wanted,
    budget: &Budget<'_>,
) -> Result<Decoded, OptimizeError> {
    budget.check_time()?;
    match &header.details {
        Details::Jpeg(jpeg) => jpeg::decode(bytes, header, jpeg, wanted, budget),
        Details::Png(png) => png::decode(bytes, header, png, budget),
        Details::WebP(webp) => webp::decode(header, webp, budget),
        Details::Gif(gif) => gif::decode(header, gif, budget),
    }
}

/// `width` x `height` pixels of `channels` bytes.
fn byte_count(width: u32, height: u32, channels: usize) -> u64 {
    u64::from(width) * u64::from(height) * channels as u64
}
