//! WebP: its chunks (RFC 9649, section 2), found without decoding any of them.

#[cfg(feature = "webp")]
mod animation;
mod decode;
mod encode;
#[cfg(feature = "webp")]
mod libwebp;
mod spare;
mod vp8;
mod write;

use std::borrow::Cow;

use crate::optimize::OptimizeError;
use crate::optimize::budget::Budget;
use crate::optimize::exif::without_prefix;
#[cfg(feature = "webp")]
use crate::optimize::raster::Raster;

#[cfg(feature = "webp")]
use super::byte_count;
use super::{Codec, Decoded, Facts, File, Wanted, check_profile, le_u16, le_u32};
#[cfg(feature = "webp")]
pub(in crate::optimize) use animation::Animator;
use write::webp_file;

/// In a VP8X chunk: the picture has transparency.
const ALPHA_FLAG: u8 = 0x10;
/// Bytes of an ANMF chunk before its picture: place, size, time, blending and disposal.
const FRAME_HEADER: usize = 16;

pub(super) const CODEC: Codec = Codec {
    open: |bytes, budget| WebPFile::open(bytes, budget),
    encode: encode::encode,
    has_alpha: true,
    takes_planes: |options| !options.lossless && cfg!(feature = "webp"),
};

/// A file whose chunks are found.
#[derive(Default)]
struct WebPFile<'a> {
    /// The RIFF chunk.
    #[cfg_attr(not(feature = "webp"), allow(dead_code))]
    bytes: &'a [u8],
    /// The size is that of the canvas.
    facts: Facts<'a>,
    canvas: Option<(u32, u32)>,
    /// Whether there is a VP8X chunk without the flag.
    hides_alpha: bool,
    /// The picture, or the first frame of an animation.
    picture: Picture<'a>,
    /// Where that frame stands on the canvas.
    offset: Option<(u32, u32)>,
    profile: Option<&'a [u8]>,
}

impl File for WebPFile<'_> {
    fn facts(&self) -> &Facts<'_> {
        &self.facts
    }

    fn decode(&self, _wanted: Wanted, budget: &Budget<'_>) -> Result<Decoded, OptimizeError> {
        decode::decode(self, budget)
    }

    #[cfg(feature = "webp")]
    fn play(
        &self,
        budget: &Budget<'_>,
        show: &mut dyn FnMut(Raster, u32) -> Result<(), OptimizeError>,
    ) -> Result<(), OptimizeError> {
        let (width, height) = (self.facts.width, self.facts.height);
        // Two canvases of the decoder, and what is shown.
        budget.check_memory(3 * byte_count(width, height, 4))?;
        animation::play(
            self.bytes,
            width as usize,
            height as usize,
            &mut |pixels, time| {
                budget.check_time()?;
                show(pixels, time)
            },
        )
    }

    fn strip(&self, exif: Option<&[u8]>) -> Option<Vec<u8>> {
        let is_still = self.offset.is_none() && self.picture.missing == 0;
        is_still.then(|| webp_file(&self.picture, exif))
    }

    #[cfg(feature = "webp")]
    fn strip_animation(
        &self,
        exif: Option<&[u8]>,
        at_most: usize,
        budget: &Budget<'_>,
    ) -> Result<Option<Vec<u8>>, OptimizeError> {
        let mut frames = Vec::new();
        for chunk in chunks(self.bytes, 12).filter(|chunk| &chunk.kind == b"ANMF") {
            frames.push((chunk.data, frame(chunk.data)?.0));
        }
        let kept = write::animated_file(&self.facts, !self.hides_alpha, &frames, exif);
        if kept.len() > at_most {
            return Ok(None);
        }
        for (_, picture) in &frames {
            if picture.missing > 0 || spare::has_tail(picture, budget)? {
                return Ok(None);
            }
        }
        Ok(Some(kept))
    }

    fn has_spare(&self, budget: &Budget<'_>) -> Result<bool, OptimizeError> {
        spare::has_tail(&self.picture, budget)
    }
}

/// The chunks that make one picture.
#[derive(Clone, Copy, Default)]
struct Picture<'a> {
    width: u32,
    height: u32,
    alpha: Option<&'a [u8]>,
    data: &'a [u8],
    /// Bytes that the data is said to have besides, in a file that was cut off.
    missing: usize,
    lossless: bool,
    has_alpha: bool,
}

struct Chunk<'a> {
    kind: [u8; 4],
    data: &'a [u8],
    /// Bytes of it that are behind the end of the file.
    missing: usize,
}

/// The chunks that begin at `at`, one after the other.
fn chunks(bytes: &[u8], mut at: usize) -> impl Iterator<Item = Chunk<'_>> {
    std::iter::from_fn(move || {
        let kind = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        let length = usize::try_from(le_u32(bytes, at + 4)?).ok()?;
        let end = (at + 8).checked_add(length)?;
        let data = bytes.get(at + 8..end.min(bytes.len()))?;
        // Chunks of odd length are padded.
        at = end.checked_add(length % 2)?;
        Some(Chunk {
            kind,
            data,
            missing: end.saturating_sub(bytes.len()),
        })
    })
}

impl<'a> Picture<'a> {
    /// Takes a chunk that belongs to a picture; the first one of each kind counts.
    fn take(&mut self, chunk: &Chunk<'a>) -> Result<(), OptimizeError> {
        match &chunk.kind {
            b"ALPH" if self.data.is_empty() => self.alpha = Some(chunk.data),
            b"VP8 " if self.data.is_empty() => {
                (self.width, self.height) = vp8_size(chunk.data)?;
                (self.data, self.missing) = (chunk.data, chunk.missing);
                self.has_alpha = self.alpha.is_some();
            }
            b"VP8L" if self.data.is_empty() => {
                (self.width, self.height, self.has_alpha) = vp8l_header(chunk.data)?;
                (self.data, self.missing) = (chunk.data, chunk.missing);
                self.lossless = true;
                self.alpha = None;
            }
            _ => {}
        }
        Ok(())
    }
}

impl<'a> WebPFile<'a> {
    fn open(bytes: &'a [u8], budget: &Budget<'_>) -> Result<Box<dyn File + 'a>, OptimizeError> {
        let riff_end = 8 + u64::from(le_u32(bytes, 4).unwrap_or(0));
        let riff_end = usize::try_from(riff_end).unwrap_or(usize::MAX);
        let mut file = Self::default();
        // What is behind the RIFF chunk is no part of the picture.
        file.facts.has_metadata = riff_end < bytes.len();
        file.bytes = &bytes[..riff_end.min(bytes.len())];
        for chunk in chunks(file.bytes, 12) {
            file.take(&chunk, budget)?;
        }
        let picture = &mut file.picture;
        if picture.data.is_empty() {
            return Err(OptimizeError::invalid("a WebP without image data"));
        }
        let is_still = file.facts.frames == 0;
        if is_still && file.hides_alpha && !picture.lossless {
            // Browsers go by the flag, where the bitstream itself has no say.
            (picture.alpha, picture.has_alpha) = (None, false);
        }
        budget.check_size(picture.width, picture.height)?;
        let size = (picture.width, picture.height);
        let (width, height) = file.canvas.unwrap_or(size);
        if is_still && (width, height) != size {
            return Err(OptimizeError::invalid(
                "a WebP whose canvas and picture differ in size",
            ));
        }
        if let Some((x, y)) = file.offset
            && (x + size.0 > width || y + size.1 > height)
        {
            return Err(OptimizeError::invalid("a WebP frame outside its canvas"));
        }
        (file.facts.width, file.facts.height) = (width, height);
        file.facts.frames = file.facts.frames.max(1);
        Ok(Box::new(file))
    }

    fn take(&mut self, chunk: &Chunk<'a>, budget: &Budget<'_>) -> Result<(), OptimizeError> {
        match &chunk.kind {
            b"VP8X" if self.canvas.is_none() => {
                let size = u24(chunk.data, 4).zip(u24(chunk.data, 7));
                let (width, height) =
                    size.ok_or_else(|| OptimizeError::invalid("a short WebP header"))?;
                budget.check_size(width + 1, height + 1)?;
                self.canvas = Some((width + 1, height + 1));
                self.hides_alpha = chunk.data[0] & ALPHA_FLAG == 0;
            }
            b"ANMF" => {
                self.facts.frames += 1;
                budget.check_frames(self.facts.frames)?;
                if self.picture.data.is_empty() {
                    (self.picture, self.offset) = frame(chunk.data)?;
                }
            }
            b"VP8 " | b"VP8L" | b"ALPH" if self.facts.frames == 0 => self.picture.take(chunk)?,
            b"ANIM" => self.facts.plays = le_u16(chunk.data, 4).unwrap_or(0).into(),
            b"ICCP" => {
                self.facts.has_metadata = true;
                check_profile(chunk.data.len() as u64)?;
                self.profile = self.profile.or(Some(chunk.data));
            }
            b"EXIF" => {
                self.facts.has_metadata = true;
                let exif = without_prefix(chunk.data);
                self.facts.exif.get_or_insert(Cow::Borrowed(exif));
            }
            _ => self.facts.has_metadata = true,
        }
        Ok(())
    }
}

/// An ANMF chunk: where the frame stands, and its picture (RFC 9649, section 2.7.1.1).
fn frame(data: &[u8]) -> Result<(Picture<'_>, Option<(u32, u32)>), OptimizeError> {
    let corner = u24(data, 0).zip(u24(data, 3));
    let (x, y) = corner.ok_or_else(|| OptimizeError::invalid("a short WebP frame"))?;
    let mut picture = Picture::default();
    for chunk in chunks(data, FRAME_HEADER) {
        picture.take(&chunk)?;
    }
    if picture.data.is_empty() {
        return Err(OptimizeError::invalid("a WebP frame without image data"));
    }
    Ok((picture, Some((2 * x, 2 * y))))
}

fn u24(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + 3)?;
    Some(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0]))
}

/// The size in a VP8 key frame (RFC 6386, section 9.1).
fn vp8_size(data: &[u8]) -> Result<(u32, u32), OptimizeError> {
    if data.get(3..6) != Some(&[0x9d, 0x01, 0x2a]) {
        return Err(OptimizeError::invalid("no VP8 key frame in the WebP"));
    }
    let size = le_u16(data, 6).zip(le_u16(data, 8));
    let (width, height) = size.ok_or_else(|| OptimizeError::invalid("a short VP8 header"))?;
    Ok(((width & 0x3fff).into(), (height & 0x3fff).into()))
}

/// Size and alpha of a VP8L picture (RFC 9649, section 3.4).
fn vp8l_header(data: &[u8]) -> Result<(u32, u32, bool), OptimizeError> {
    let bits = le_u32(data, 1)
        .filter(|_| data[0] == 0x2f)
        .ok_or_else(|| OptimizeError::invalid("no VP8L picture in the WebP"))?;
    let side = |shift: u32| ((bits >> shift) & 0x3fff) + 1;
    Ok((side(0), side(14), bits >> 28 & 1 == 1))
}
