//! The chunks of a file that is written.

use super::{ALPHA_FLAG, Picture};
#[cfg(feature = "webp")]
use super::{FRAME_HEADER, Facts};

/// In a VP8X chunk: there is an EXIF chunk.
const EXIF_FLAG: u8 = 0x08;
/// In a VP8X chunk: there are frames.
#[cfg(feature = "webp")]
const ANIMATION_FLAG: u8 = 0x02;

/// A WebP file with this picture and nothing else but `exif` (RFC 9649, section 2.7).
pub(super) fn webp_file(picture: &Picture<'_>, exif: Option<&[u8]>) -> Vec<u8> {
    let extended = exif.is_some() || picture.alpha.is_some();
    let mut file = b"RIFF\0\0\0\0WEBP".to_vec();
    if extended {
        let (has_exif, has_alpha) = (exif.is_some(), picture.has_alpha);
        let flags = if has_exif { EXIF_FLAG } else { 0 } | if has_alpha { ALPHA_FLAG } else { 0 };
        write_header(&mut file, flags, picture.width, picture.height);
    }
    if let Some(alpha) = picture.alpha {
        write_chunk(&mut file, b"ALPH", alpha);
    }
    let data_at = file.len();
    write_chunk(&mut file, data_kind(picture), picture.data);
    if picture.missing > 0 {
        // The decoder has to know that there is more than it gets.
        let size = (picture.data.len() + picture.missing) as u32;
        file[data_at + 4..data_at + 8].copy_from_slice(&size.to_le_bytes());
    }
    if let Some(tiff) = exif {
        write_chunk(&mut file, b"EXIF", tiff);
    }
    let size = (file.len() - 8 + picture.missing) as u32;
    file[4..8].copy_from_slice(&size.to_le_bytes());
    file
}

/// A WebP animation of these frames, each with the body of its chunk, and nothing else but `exif`.
#[cfg(feature = "webp")]
pub(super) fn animated_file(
    facts: &Facts<'_>,
    has_alpha: bool,
    frames: &[(&[u8], Picture<'_>)],
    exif: Option<&[u8]>,
) -> Vec<u8> {
    let mut file = b"RIFF\0\0\0\0WEBP".to_vec();
    let mut flags = ANIMATION_FLAG;
    if exif.is_some() {
        flags |= EXIF_FLAG;
    }
    if has_alpha {
        flags |= ALPHA_FLAG;
    }
    write_header(&mut file, flags, facts.width, facts.height);
    // Browsers show no background: it is left white, as libwebp has it.
    let [low, high, ..] = facts.plays.to_le_bytes();
    write_chunk(&mut file, b"ANIM", &[0xff, 0xff, 0xff, 0xff, low, high]);
    for (body, picture) in frames {
        let mut frame = body[..FRAME_HEADER].to_vec();
        // Blending and disposal; the other bits are reserved.
        frame[FRAME_HEADER - 1] &= 3;
        if let Some(alpha) = picture.alpha {
            write_chunk(&mut frame, b"ALPH", alpha);
        }
        write_chunk(&mut frame, data_kind(picture), picture.data);
        write_chunk(&mut file, b"ANMF", &frame);
    }
    if let Some(tiff) = exif {
        write_chunk(&mut file, b"EXIF", tiff);
    }
    let size = (file.len() - 8) as u32;
    file[4..8].copy_from_slice(&size.to_le_bytes());
    file
}

fn data_kind(picture: &Picture<'_>) -> &'static [u8; 4] {
    if picture.lossless { b"VP8L" } else { b"VP8 " }
}

fn write_header(file: &mut Vec<u8>, flags: u8, width: u32, height: u32) {
    let mut header = vec![flags, 0, 0, 0];
    header.extend_from_slice(&(width - 1).to_le_bytes()[..3]);
    header.extend_from_slice(&(height - 1).to_le_bytes()[..3]);
    write_chunk(file, b"VP8X", &header);
}

fn write_chunk(file: &mut Vec<u8>, kind: &[u8; 4], data: &[u8]) {
    file.extend_from_slice(kind);
    file.extend_from_slice(&(data.len() as u32).to_le_bytes());
    file.extend_from_slice(data);
    if data.len() % 2 == 1 {
        file.push(0);
    }
}

/// A still file of our own making with an EXIF chunk added.
pub(super) fn insert_exif(file: &[u8], width: usize, height: usize, tiff: &[u8]) -> Vec<u8> {
    let mut extended = b"RIFF\0\0\0\0WEBP".to_vec();
    let body = file.get(12..).unwrap_or_default();
    let mut chunks = body.to_vec();
    let mut flags = EXIF_FLAG;
    if body.starts_with(b"VP8X") {
        flags |= body.get(8).copied().unwrap_or(0);
        chunks.drain(..18.min(body.len()));
    } else if body.starts_with(b"VP8L") {
        // The alpha bit of the VP8L header.
        flags |= (body.get(12).copied().unwrap_or(0) >> 4 & 1) << 4;
    }
    write_header(&mut extended, flags, width as u32, height as u32);
    extended.extend_from_slice(&chunks);
    write_chunk(&mut extended, b"EXIF", tiff);
    let size = (extended.len() - 8) as u32;
    extended[4..8].copy_from_slice(&size.to_le_bytes());
    extended
}
