//! A file without anything that is not the picture.

use super::PngFile;
use super::chunks::write_chunk;

/// The chunks that make the picture, with checksums of their own and the largest window, which every decoder
/// takes; `None` for an order or a length that some refuse.
pub(super) fn strip(png: &PngFile<'_>, exif: Option<&[u8]>) -> Option<Vec<u8>> {
    if png.frame.is_some() {
        return None;
    }
    let mut stripped = png.bytes.get(..8)?.to_vec();
    let (mut colors, mut has_transparency, mut has_data) = (None, false, false);
    for chunk in png.chunks() {
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
            b"PLTE" if png.color == 3 => {
                let count = chunk.data.len() / 3;
                let fits = (1..=1 << png.depth.min(8)).contains(&count);
                if !fits || chunk.data.len() % 3 != 0 || colors.is_some() || has_data {
                    return None;
                }
                colors = Some(count);
                write_chunk(&mut stripped, chunk.kind, chunk.data);
            }
            b"tRNS" => {
                let most = match png.color {
                    0 => 2,
                    2 => 6,
                    3 => colors?,
                    _ => 0,
                };
                let fits = chunk.data.len() == most || (png.color == 3 && chunk.data.len() < most);
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
    None
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

#[cfg(test)]
mod tests {
    use super::*;

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
