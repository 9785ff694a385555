//! Files without anything that is not the picture, byte for byte where the picture is concerned.

use crate::format::ImageFormat;

use super::header::png::{chunk_at, write_chunk};
use super::header::webp::Picture;
use super::header::{Details, Header};
use super::jpeg::segments::{
    APP0, APP1, APP14, DAC, DHT, DQT, DRI, EOI, JPG, SOF0, SOF15, SOI, SOS, next_segment, scan_end,
};

/// The file with its metadata left out and `exif` put in; `None` where that is not possible without decoding.
pub(super) fn strip(bytes: &[u8], header: &Header<'_>, exif: Option<&[u8]>) -> Option<Vec<u8>> {
    match (&header.details, header.format) {
        (Details::Jpeg(jpeg), _) => strip_jpeg(bytes, jpeg.jfif, jpeg.adobe, exif),
        (Details::Png(png), _) if png.frame.is_none() => strip_png(bytes, exif),
        (Details::WebP(webp), ImageFormat::WebP)
            if webp.offset.is_none() && webp.picture.missing == 0 =>
        {
            Some(webp_file(&webp.picture, exif))
        }
        _ => None,
    }
}

/// Tables, frame, scans and end; JFIF and Adobe segments anew, without the thumbnails and versions they may
/// carry.
fn strip_jpeg(bytes: &[u8], jfif: bool, adobe: Option<u8>, exif: Option<&[u8]>) -> Option<Vec<u8>> {
    let mut stripped = vec![0xff, SOI];
    if jfif {
        segment(&mut stripped, APP0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0")?;
    }
    if let Some(tiff) = exif {
        segment(&mut stripped, APP1, &[b"Exif\0\0", tiff].concat())?;
    }
    if let Some(transform) = adobe {
        let payload = [&b"Adobe\0\x64\0\0\0\0"[..], &[transform]].concat();
        segment(&mut stripped, APP14, &payload)?;
    }
    let mut at = 2;
    loop {
        let next = next_segment(bytes, at).ok()??;
        at = next.end;
        match next.marker {
            EOI => break,
            // Tables from the first byte to the last.
            DHT | DQT => segment(&mut stripped, next.marker, next.body)?,
            // T.81, B.2: without what they are longer than what they say.
            DRI => segment(&mut stripped, next.marker, next.body.get(..2)?)?,
            SOF0..=SOF15 if !matches!(next.marker, JPG | DAC) => {
                let components = usize::from(*next.body.get(5)?);
                let frame = next.body.get(..6 + 3 * components)?;
                segment(&mut stripped, next.marker, frame)?;
            }
            SOS => {
                let components = usize::from(*next.body.first()?);
                let scan = next.body.get(..4 + 2 * components)?;
                segment(&mut stripped, SOS, scan)?;
                let end = scan_end(bytes, at);
                stripped.extend_from_slice(&bytes[at..end]);
                at = end;
            }
            // Application data, comments, and what no decoder needs.
            _ => {}
        }
    }
    stripped.extend_from_slice(&[0xff, EOI]);
    Some(stripped)
}

fn segment(out: &mut Vec<u8>, marker: u8, payload: &[u8]) -> Option<()> {
    let length = u16::try_from(payload.len() + 2).ok()?;
    out.extend_from_slice(&[0xff, marker]);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(payload);
    Some(())
}

/// The chunks that make the picture, with checksums of their own and the largest window, which every decoder
/// takes; `None` for an order or a length that some refuse.
fn strip_png(bytes: &[u8], exif: Option<&[u8]>) -> Option<Vec<u8>> {
    let mut stripped = bytes.get(..8)?.to_vec();
    let mut at = 8;
    let header = chunk_at(bytes, at)?.data;
    let (depth, color) = (*header.get(8)?, *header.get(9)?);
    let (mut colors, mut has_transparency, mut has_data) = (None, false, false);
    loop {
        let chunk = chunk_at(bytes, at)?;
        at = chunk.end;
        match &chunk.kind {
            b"IHDR" => {
                write_chunk(&mut stripped, chunk.kind, chunk.data);
                if let Some(tiff) = exif {
                    write_chunk(&mut stripped, *b"eXIf", tiff);
                }
            }
            b"IDAT" if !has_data => {
                has_data = true;
                write_chunk(&mut stripped, chunk.kind, &with_window(chunk.data)?);
            }
            b"IDAT" => write_chunk(&mut stripped, chunk.kind, chunk.data),
            b"PLTE" if color == 3 => {
                let count = chunk.data.len() / 3;
                let fits = (1..=1 << depth.min(8)).contains(&count);
                if !fits || chunk.data.len() % 3 != 0 || colors.is_some() || has_data {
                    return None;
                }
                colors = Some(count);
                write_chunk(&mut stripped, chunk.kind, chunk.data);
            }
            b"tRNS" => {
                let most = match color {
                    0 => 2,
                    2 => 6,
                    3 => colors?,
                    _ => 0,
                };
                let fits = chunk.data.len() == most || (color == 3 && chunk.data.len() < most);
                if !fits || has_transparency || has_data {
                    return None;
                }
                has_transparency = true;
                write_chunk(&mut stripped, chunk.kind, chunk.data);
            }
            b"IEND" => {
                write_chunk(&mut stripped, chunk.kind, &[]);
                return Some(stripped);
            }
            _ => {}
        }
    }
}

/// A zlib stream that promises the largest window (RFC 1950, section 2.2): with one that is smaller than what
/// the data looks back at, strict decoders refuse it. `None` where it begins otherwise.
fn with_window(zlib: &[u8]) -> Option<Vec<u8>> {
    const PRESET_DICTIONARY: u8 = 0x20;
    let (&method, &flags) = (zlib.first()?, zlib.get(1)?);
    if method & 0x0f != 8 || flags & PRESET_DICTIONARY != 0 {
        return None;
    }
    let mut widened = zlib.to_vec();
    let level = flags & 0xc0;
    // The last five bits make a multiple of 31 of both bytes.
    let header = u16::from_be_bytes([0x78, level]);
    let check = (31 - header % 31) % 31;
    widened[..2].copy_from_slice(&(header + check).to_be_bytes());
    Some(widened)
}

/// A WebP file with this picture and nothing else but `exif` (RFC 9649, section 2.7).
pub(super) fn webp_file(picture: &Picture<'_>, exif: Option<&[u8]>) -> Vec<u8> {
    let data_kind = if picture.lossless { b"VP8L" } else { b"VP8 " };
    let extended = exif.is_some() || picture.alpha.is_some();
    let mut file = b"RIFF\0\0\0\0WEBP".to_vec();
    if extended {
        let (has_exif, has_alpha) = (exif.is_some(), picture.has_alpha);
        let flags = if has_exif { 0x08 } else { 0 } | if has_alpha { 0x10 } else { 0 };
        let mut header = vec![flags, 0, 0, 0];
        header.extend_from_slice(&(picture.width - 1).to_le_bytes()[..3]);
        header.extend_from_slice(&(picture.height - 1).to_le_bytes()[..3]);
        webp_chunk(&mut file, b"VP8X", &header);
    }
    if let Some(alpha) = picture.alpha {
        webp_chunk(&mut file, b"ALPH", alpha);
    }
    let data_at = file.len();
    webp_chunk(&mut file, data_kind, picture.data);
    if picture.missing > 0 {
        // The decoder has to know that there is more than it gets.
        let size = (picture.data.len() + picture.missing) as u32;
        file[data_at + 4..data_at + 8].copy_from_slice(&size.to_le_bytes());
    }
    if let Some(tiff) = exif {
        webp_chunk(&mut file, b"EXIF", tiff);
    }
    let size = (file.len() - 8 + picture.missing) as u32;
    file[4..8].copy_from_slice(&size.to_le_bytes());
    file
}

fn webp_chunk(file: &mut Vec<u8>, kind: &[u8; 4], data: &[u8]) {
    file.extend_from_slice(kind);
    file.extend_from_slice(&(data.len() as u32).to_le_bytes());
    file.extend_from_slice(data);
    if data.len() % 2 == 1 {
        file.push(0);
    }
}

/// A still WebP file of our own making with an EXIF chunk added.
pub(super) fn insert_webp_exif(file: &[u8], width: usize, height: usize, tiff: &[u8]) -> Vec<u8> {
    let mut extended = b"RIFF\0\0\0\0WEBP".to_vec();
    let body = file.get(12..).unwrap_or_default();
    let mut chunks = body.to_vec();
    let mut flags = 0x08;
    if body.starts_with(b"VP8X") {
        flags |= body.get(8).copied().unwrap_or(0);
        chunks.drain(..18.min(body.len()));
    } else if body.starts_with(b"VP8L") {
        // The alpha bit of the VP8L header.
        flags |= (body.get(12).copied().unwrap_or(0) >> 4 & 1) << 4;
    }
    let mut header = vec![flags, 0, 0, 0];
    header.extend_from_slice(&(width as u32 - 1).to_le_bytes()[..3]);
    header.extend_from_slice(&(height as u32 - 1).to_le_bytes()[..3]);
    webp_chunk(&mut extended, b"VP8X", &header);
    extended.extend_from_slice(&chunks);
    webp_chunk(&mut extended, b"EXIF", tiff);
    let size = (extended.len() - 8) as u32;
    extended[4..8].copy_from_slice(&size.to_le_bytes());
    extended
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_png() {
        // The empty IEND chunk, as it ends every PNG file.
        let mut chunk = Vec::new();
        write_chunk(&mut chunk, *b"IEND", &[]);
        assert_eq!(chunk, b"\0\0\0\0IEND\xae\x42\x60\x82");
    }

    #[test]
    fn the_window_is_the_largest_and_the_header_stays_valid() {
        // zlib's own headers, by level.
        for (small, large) in [
            ([0x08, 0x1d], [0x78, 0x01]),
            ([0x18, 0x95], [0x78, 0x9c]),
            ([0x48, 0xc7], [0x78, 0xda]),
        ] {
            assert_eq!(with_window(&small).as_deref(), Some(&large[..]));
        }
        assert_eq!(with_window(&[0x78, 0xbb]), None, "a preset dictionary");
        assert_eq!(with_window(&[0x79, 0x9b]), None, "another method");
        assert_eq!(with_window(&[0x78]), None);
    }
}
