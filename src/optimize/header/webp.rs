//! The chunks of a WebP file (RFC 9649, section 2), without decoding any of them.

use std::borrow::Cow;

use crate::format::ImageFormat;

use super::super::OptimizeError;
use super::super::budget::Budget;
use super::png::strip_exif_prefix;
use super::{Details, Header, MAX_PROFILE_BYTES, le_u16, le_u32};

/// In a VP8X chunk: the picture has transparency.
const ALPHA_FLAG: u8 = 0x10;

/// What the chunks say.
#[derive(Debug)]
pub(in super::super) struct WebPHeader<'a> {
    /// The picture, or the first frame of an animation.
    pub(in super::super) picture: Picture<'a>,
    /// Where that frame stands on the canvas, if it does not fill it.
    pub(in super::super) offset: Option<(u32, u32)>,
    pub(in super::super) profile: Option<&'a [u8]>,
}

/// The chunks that make one picture.
#[derive(Debug, Clone, Copy, Default)]
pub(in super::super) struct Picture<'a> {
    pub(in super::super) width: u32,
    pub(in super::super) height: u32,
    pub(in super::super) alpha: Option<&'a [u8]>,
    pub(in super::super) data: &'a [u8],
    /// Bytes that the data is said to have besides, in a file that was cut off.
    pub(in super::super) missing: usize,
    pub(in super::super) lossless: bool,
    pub(in super::super) has_alpha: bool,
}

struct Chunk<'a> {
    kind: [u8; 4],
    data: &'a [u8],
    /// Bytes of it that are behind the end of the file.
    missing: usize,
    end: usize,
}

fn chunk_at(bytes: &[u8], at: usize) -> Option<Chunk<'_>> {
    let kind = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
    let length = usize::try_from(le_u32(bytes, at + 4)?).ok()?;
    let end = (at + 8).checked_add(length)?;
    let data = bytes.get(at + 8..end.min(bytes.len()))?;
    Some(Chunk {
        kind,
        data,
        missing: end.saturating_sub(bytes.len()),
        // Chunks of odd length are padded.
        end: end.checked_add(length % 2)?,
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

pub(super) fn read<'a>(bytes: &'a [u8], budget: &Budget<'_>) -> Result<Header<'a>, OptimizeError> {
    let riff_end = 8 + u64::from(le_u32(bytes, 4).unwrap_or(0));
    let (mut canvas, mut frames, mut has_metadata) = (None, 0u32, false);
    let mut shows_alpha = true;
    let (mut picture, mut offset) = (Picture::default(), None);
    let (mut exif, mut profile) = (None, None);
    let file_bytes = bytes.len() as u64;
    // What is behind the RIFF chunk is no part of the picture.
    let bytes = &bytes[..bytes
        .len()
        .min(usize::try_from(riff_end).unwrap_or(usize::MAX))];
    let mut at = 12;
    while let Some(chunk) = chunk_at(bytes, at) {
        at = chunk.end;
        match &chunk.kind {
            b"VP8X" if canvas.is_none() => {
                let size = u24(chunk.data, 4).zip(u24(chunk.data, 7));
                let (width, height) =
                    size.ok_or_else(|| OptimizeError::invalid("a short WebP header"))?;
                budget.check_size(width + 1, height + 1)?;
                canvas = Some((width + 1, height + 1));
                shows_alpha = chunk.data[0] & ALPHA_FLAG != 0;
            }
            b"ANMF" => {
                frames += 1;
                budget.check_frames(frames)?;
                if picture.data.is_empty() {
                    (picture, offset) = frame(chunk.data)?;
                }
            }
            b"VP8 " | b"VP8L" | b"ALPH" if frames == 0 => picture.take(&chunk)?,
            b"ANIM" => {}
            b"ICCP" => {
                has_metadata = true;
                check_profile(chunk.data)?;
                profile = profile.or(Some(chunk.data));
            }
            b"EXIF" => {
                has_metadata = true;
                exif = exif.or(Some(Cow::Borrowed(strip_exif_prefix(chunk.data))));
            }
            _ => has_metadata = true,
        }
    }
    if picture.data.is_empty() {
        return Err(OptimizeError::invalid("a WebP without image data"));
    }
    if frames == 0 && !shows_alpha && !picture.lossless {
        // Browsers go by the flag, where the bitstream itself has no say.
        (picture.alpha, picture.has_alpha) = (None, false);
    }
    budget.check_size(picture.width, picture.height)?;
    let (width, height) = canvas.unwrap_or((picture.width, picture.height));
    if frames == 0 && (width, height) != (picture.width, picture.height) {
        return Err(OptimizeError::invalid(
            "a WebP whose canvas and picture differ in size",
        ));
    }
    if let Some((x, y)) = offset {
        let fits = x + picture.width <= width && y + picture.height <= height;
        if !fits {
            return Err(OptimizeError::invalid("a WebP frame outside its canvas"));
        }
    }
    Ok(Header {
        format: ImageFormat::WebP,
        width,
        height,
        frames: frames.max(1),
        exif,
        has_metadata: has_metadata || riff_end < file_bytes,
        details: Details::WebP(WebPHeader {
            picture,
            offset,
            profile,
        }),
    })
}

/// An ANMF chunk: where the frame stands, and its picture (RFC 9649, section 2.7.1.1).
fn frame(data: &[u8]) -> Result<(Picture<'_>, Option<(u32, u32)>), OptimizeError> {
    let corner = u24(data, 0).zip(u24(data, 3));
    let (x, y) = corner.ok_or_else(|| OptimizeError::invalid("a short WebP frame"))?;
    let mut picture = Picture::default();
    let mut at = 16;
    while let Some(chunk) = chunk_at(data, at) {
        at = chunk.end;
        picture.take(&chunk)?;
    }
    if picture.data.is_empty() {
        return Err(OptimizeError::invalid("a WebP frame without image data"));
    }
    Ok((picture, Some((2 * x, 2 * y))))
}

fn check_profile(profile: &[u8]) -> Result<(), OptimizeError> {
    if profile.len() as u64 > MAX_PROFILE_BYTES {
        return Err(OptimizeError::LimitExceeded {
            what: "bytes of colour profile",
            value: profile.len() as u64,
            limit: MAX_PROFILE_BYTES,
        });
    }
    Ok(())
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
