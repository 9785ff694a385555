//! What a file says of itself, read before anything is decoded: size, frames, metadata. Every limit that
//! can be checked here is.

pub(super) mod gif;
pub(super) mod jpeg;
pub(super) mod png;
pub(super) mod webp;

use std::borrow::Cow;

use crate::format::ImageFormat;

use super::budget::Budget;
use super::orientation::Upright;
use super::{Animation, OptimizeError, OptimizeOptions, SourceInfo, exif};

/// The largest colour profile that is read, in bytes; real ones are below 2 MB.
pub(super) const MAX_PROFILE_BYTES: u64 = 4 << 20;

/// The header of an accepted file.
#[derive(Debug)]
pub(super) struct Header<'a> {
    pub(super) format: ImageFormat,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) frames: u32,
    /// The EXIF block, a TIFF structure.
    pub(super) exif: Option<Cow<'a, [u8]>>,
    /// Whether there is anything that is not needed to show the picture.
    pub(super) has_metadata: bool,
    pub(super) details: Details<'a>,
}

/// What only one format has.
#[derive(Debug)]
pub(super) enum Details<'a> {
    Jpeg(jpeg::JpegHeader<'a>),
    Png(png::PngHeader<'a>),
    WebP(webp::WebPHeader<'a>),
    Gif(gif::GifHeader<'a>),
}

impl<'a> Header<'a> {
    /// Reads the header and checks it against the limits.
    pub(super) fn read(
        bytes: &'a [u8],
        options: &OptimizeOptions,
        budget: &Budget<'_>,
    ) -> Result<Self, OptimizeError> {
        budget.check_bytes(bytes.len())?;
        let header = match ImageFormat::sniff(bytes)? {
            ImageFormat::Jpeg => jpeg::read(bytes, budget)?,
            ImageFormat::Png => png::read(bytes, budget)?,
            ImageFormat::WebP => webp::read(bytes, budget)?,
            ImageFormat::Gif => gif::read(bytes, budget)?,
        };
        budget.check_size(header.width, header.height)?;
        budget.check_frames(header.frames)?;
        if header.frames > 1 && options.animation == Animation::Reject {
            return Err(OptimizeError::invalid(format!(
                "an animation of {} frames, where a still image is asked for",
                header.frames
            )));
        }
        Ok(header)
    }

    /// How the stored pixels become upright.
    pub(super) fn upright(&self) -> Upright {
        self.orientation().into()
    }

    fn orientation(&self) -> image::metadata::Orientation {
        self.exif.as_deref().map_or(
            image::metadata::Orientation::NoTransforms,
            exif::orientation,
        )
    }

    pub(super) fn source_info(&self, size: usize, sha256: &str, damaged: f64) -> SourceInfo {
        SourceInfo {
            format: self.format,
            size: size as u64,
            sha256: sha256.to_owned(),
            width: self.width,
            height: self.height,
            orientation: self.orientation().to_exif(),
            frames: self.frames,
            frames_dropped: self.frames.saturating_sub(1),
            metadata_stripped: self.has_metadata,
            damaged,
        }
    }
}

/// Big-endian numbers at an offset, for formats that have them.
pub(super) fn be_u16(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_be_bytes(bytes.try_into().ok()?))
}

pub(super) fn be_u32(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}

pub(super) fn le_u16(bytes: &[u8], at: usize) -> Option<u16> {
    be_u16(bytes, at).map(u16::swap_bytes)
}

pub(super) fn le_u32(bytes: &[u8], at: usize) -> Option<u32> {
    be_u32(bytes, at).map(u32::swap_bytes)
}
