//! One folder or file a format, each with all that is known of it: what its files consist of, how they are
//! decoded, written, and freed of what is not the picture. `heif` has what AVIF and HEIC share.
//!
//! A new format that is read is a folder, its line below and in [`codec`], and its line in `format.rs`: uploads,
//! routes and command line take it from there. Its files go to `tests/fixtures/formats`, its row to
//! `docs/formats.md`; if it is optional, its feature to Cargo.toml here, in `python/` and in `fuzz/`, and to the sets of
//! `tests/stages.sh`. One that is written as well is a value of `OutputFormat`, which the compiler then asks for in
//! every match, and of Python's `_Format`.

#[cfg(feature = "avif-decode")]
mod avif;
#[cfg(feature = "bmp")]
mod bmp;
mod gif;
#[cfg(feature = "heic")]
mod heic;
#[cfg(any(feature = "avif-decode", feature = "heic"))]
mod heif;
#[doc(hidden)]
pub mod jpeg;
mod png;
#[cfg(feature = "tiff")]
mod tiff;
mod webp;

#[cfg(feature = "webp")]
pub(super) use webp::Animator;

use std::borrow::Cow;

use crate::format::ImageFormat;
use crate::optimize::budget::Budget;
use crate::optimize::color::ColorTag;
#[cfg(any(feature = "bmp", feature = "tiff", feature = "webp"))]
use crate::optimize::raster::Raster;
#[cfg(any(feature = "bmp", feature = "tiff"))]
use crate::optimize::raster::{Component, Layout};
use crate::optimize::raster::{Frame, Pixels};
use crate::optimize::{OptimizeError, OptimizeOptions};

/// The largest colour profile that is read, in bytes; real ones are below 2 MB.
const MAX_PROFILE_BYTES: u64 = 4 << 20;
/// How many rows go by between two looks at the clock.
const ROWS_PER_CHECK: usize = 64;

/// The codec of a format.
pub(super) fn codec(format: ImageFormat) -> Codec {
    match format {
        ImageFormat::Jpeg => jpeg::CODEC,
        ImageFormat::Png => png::CODEC,
        ImageFormat::WebP => webp::CODEC,
        ImageFormat::Gif => gif::CODEC,
        #[cfg(feature = "avif-decode")]
        ImageFormat::Avif => avif::CODEC,
        #[cfg(feature = "heic")]
        ImageFormat::Heic => heic::CODEC,
        #[cfg(feature = "bmp")]
        ImageFormat::Bmp => bmp::CODEC,
        #[cfg(feature = "tiff")]
        ImageFormat::Tiff => tiff::CODEC,
        // The sniffer finds no file of those whose feature is off.
        #[allow(unreachable_patterns)]
        _ => NONE,
    }
}

/// What can be done with a format.
pub(super) struct Codec {
    /// Finds the parts of a file and reads what they say, without decoding any of them.
    pub(super) open: Open,
    pub(super) encode: Encode,
    /// True if its files can be transparent.
    pub(super) has_alpha: bool,
    /// True if it is written from Y'CbCr planes where there are some.
    pub(super) takes_planes: fn(&OptimizeOptions) -> bool,
}

type Open = for<'a> fn(&'a [u8], &Budget<'_>) -> Result<Box<dyn File + 'a>, OptimizeError>;

/// Writes a file with an EXIF block. The frame's alpha is gone where the format has none.
type Encode =
    fn(Frame, &OptimizeOptions, Option<&[u8]>, &Budget<'_>) -> Result<Vec<u8>, OptimizeError>;

/// For formats that are read alone.
const READ_ALONE: Encode = |_, _, _, _| {
    Err(OptimizeError::InvalidOption {
        name: "format",
        reason: "this format is not written".into(),
    })
};

/// For formats that are not read.
const NONE: Codec = Codec {
    open: |_, _| Err(OptimizeError::invalid("its format is not compiled in")),
    encode: READ_ALONE,
    has_alpha: false,
    takes_planes: |_| false,
};

/// What a file says of itself.
#[derive(Default)]
pub(super) struct Facts<'a> {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) frames: u32,
    /// How often an animation is played, 0 for ever.
    #[cfg_attr(not(feature = "webp"), allow(dead_code))]
    pub(super) plays: u32,
    /// The EXIF block, a TIFF structure.
    pub(super) exif: Option<Cow<'a, [u8]>>,
    /// The orientation that the file itself states, 1 to 8; that of the EXIF block is then of no account.
    pub(super) orientation: Option<u8>,
    /// True if there is anything that is not needed to show the picture.
    pub(super) has_metadata: bool,
}

/// A file whose parts are found.
pub(super) trait File {
    fn facts(&self) -> &Facts<'_>;

    /// Decodes the picture as it is stored, at the cheapest size that is large enough.
    fn decode(&self, wanted: Wanted, budget: &Budget<'_>) -> Result<Decoded, OptimizeError>;

    /// Shows every frame of an animation, as it looks on its canvas, and for how many milliseconds.
    #[cfg(feature = "webp")]
    fn play(
        &self,
        _budget: &Budget<'_>,
        _show: &mut dyn FnMut(Raster, u32) -> Result<(), OptimizeError>,
    ) -> Result<(), OptimizeError> {
        Err(OptimizeError::invalid("not an animation"))
    }

    /// The file with its metadata left out and `exif` put in, byte for byte where the picture is concerned;
    /// `None` where that takes decoding, or where other programs may show another picture.
    fn strip(&self, _exif: Option<&[u8]>) -> Option<Vec<u8>> {
        None
    }

    /// As [`File::strip`], an animated file of at most so many bytes; `None` where a frame carries more than its
    /// picture, too.
    #[cfg(feature = "webp")]
    fn strip_animation(
        &self,
        _exif: Option<&[u8]>,
        _at_most: usize,
        _budget: &Budget<'_>,
    ) -> Result<Option<Vec<u8>>, OptimizeError> {
        Ok(None)
    }

    /// Looks for bytes in what [`File::strip`] leaves that the picture does not need and decoding did not
    /// find.
    fn has_spare(&self, _budget: &Budget<'_>) -> Result<bool, OptimizeError> {
        Ok(false)
    }
}

/// A decoded picture and what its numbers mean.
pub(super) struct Decoded {
    pub(super) pixels: Pixels,
    pub(super) color: ColorTag,
    /// True if the file ended before its picture did.
    pub(super) truncated: bool,
    /// The share of the picture that was lost and filled in, 0 to 1.
    pub(super) damaged: f64,
    /// True if the file has bytes among those of its picture that the picture does not need.
    pub(super) spare: bool,
}

impl Decoded {
    /// A picture without known faults, or one that is `truncated`.
    fn new(pixels: Pixels, color: ColorTag, truncated: bool) -> Self {
        Self {
            pixels,
            color,
            truncated,
            damaged: 0.0,
            spare: false,
        }
    }

    /// A whole picture of packed pixels, with its colour profile if it has one.
    #[cfg(any(feature = "bmp", feature = "tiff"))]
    fn packed(raster: Raster, profile: Option<Vec<u8>>) -> Self {
        let gray = matches!(raster.layout, Layout::Gray | Layout::GrayAlpha);
        let color = profile.map_or(ColorTag::Srgb, |profile| {
            ColorTag::of_profile(profile, gray)
        });
        Self::new(Pixels::Packed(Component::whole(raster)), color, false)
    }
}

/// What the results need of the source: a decoder may leave out detail that would not be seen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    /// How many pixels of the source, in each direction, fall at least on a pixel of any result.
    pub(super) reduction: f64,
    /// True if every result has chroma of half the width and height.
    pub(super) half_chroma: bool,
}

/// `width` x `height` pixels of `channels` bytes.
fn byte_count(width: u32, height: u32, channels: usize) -> u64 {
    u64::from(width) * u64::from(height) * channels as u64
}

/// Checks the size of a colour profile.
fn check_profile(bytes: u64) -> Result<(), OptimizeError> {
    if bytes > MAX_PROFILE_BYTES {
        return Err(OptimizeError::LimitExceeded {
            what: "bytes of colour profile",
            value: bytes,
            limit: MAX_PROFILE_BYTES,
        });
    }
    Ok(())
}

/// Big-endian numbers at an offset, for formats that have them.
fn be_u16(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_be_bytes(bytes.try_into().ok()?))
}

fn be_u32(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}

fn le_u16(bytes: &[u8], at: usize) -> Option<u16> {
    be_u16(bytes, at).map(u16::swap_bytes)
}

fn le_u32(bytes: &[u8], at: usize) -> Option<u32> {
    be_u32(bytes, at).map(u32::swap_bytes)
}
