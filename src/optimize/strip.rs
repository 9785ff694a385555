//! Files without anything that is not the picture, byte for byte where the picture is concerned.

use crate::format::ImageFormat;

use super::header::png::chunk_at;
use super::header::webp::Picture;
use super::header::{Details, Header};
use super::jpeg::segments::{
    APP0, APP1, APP14, DAC, DHT, DQT, DRI, EOI, JPG, SOF0, SOF15, SOI, SOS, next_segment, scan_end,
};

/// The file with its metadata left out and `exif` put in; `None` where that is not possible without decoding.
pub(super) fn strip(bytes: &[u8], header: &Header<'_>, exif: Option<&[u8]>) -> Option<Vec<u8>> {
    match (&header.details, header.format) {
        (Details::Jpeg(jpeg), _) => strip_jpeg(bytes, jpeg.jfif, jpeg.adobe, exif),
        (Details::Png(_), _) => strip_png(bytes, exif),
        (Details::WebP(webp), ImageFormat::WebP) if webp.offset.is_none() => {
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

/// The chunks that make the picture; of a palette in a picture that needs none, and of transparency that is
/// longer than it may be, nothing.
fn strip_png(bytes: &[u8], exif: Option<&[u8]>) -> Option<Vec<u8>> {
    let mut stripped = bytes.get(..8)?.to_vec();
    let mut at = 8;
    let color = *chunk_at(bytes, at)?.data.get(9)?;
    let (mut palettes, mut transparencies) = (0, 0);
    loop {
        let chunk = chunk_at(bytes, at)?;
        let whole = bytes.get(at..chunk.end)?;
        at = chunk.end;
        match &chunk.kind {
            b"IHDR" => {
                stripped.extend_from_slice(whole);
                if let Some(tiff) = exif {
                    stripped.extend_from_slice(&png_chunk(*b"eXIf", tiff));
                }
            }
            b"IDAT" => stripped.extend_from_slice(whole),
            b"PLTE" if color == 3 => {
                palettes += 1;
                stripped.extend_from_slice(whole);
            }
            b"tRNS" => {
                let most = [2, 0, 6, 256].get(usize::from(color)).copied();
                transparencies += 1;
                if chunk.data.len() > most.unwrap_or(0) {
                    return None;
                }
                stripped.extend_from_slice(whole);
            }
            b"IEND" if palettes > 1 || transparencies > 1 => return None,
            b"IEND" => {
                stripped.extend_from_slice(&png_chunk(*b"IEND", &[]));
                return Some(stripped);
            }
            _ => {}
        }
    }
}

fn png_chunk(kind: [u8; 4], data: &[u8]) -> Vec<u8> {
    let mut chunk = (data.len() as u32).to_be_bytes().to_vec();
    chunk.extend_from_slice(&kind);
    chunk.extend_from_slice(data);
    let crc = crc32(&chunk[4..]);
    chunk.extend_from_slice(&crc.to_be_bytes());
    chunk
}

/// The checksum of PNG third edition, annex D, bit by bit: chunks made here are small.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for &byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
        }
    }
    !crc
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
        // The CRC of the empty IEND chunk, as it ends every PNG file.
        assert_eq!(crc32(b"IEND"), 0xae42_6082);
    }
}
