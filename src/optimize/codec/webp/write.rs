//! The chunks of a file that is written.

use super::Picture;

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
        write_chunk(&mut file, b"VP8X", &header);
    }
    if let Some(alpha) = picture.alpha {
        write_chunk(&mut file, b"ALPH", alpha);
    }
    let data_at = file.len();
    write_chunk(&mut file, data_kind, picture.data);
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
    write_chunk(&mut extended, b"VP8X", &header);
    extended.extend_from_slice(&chunks);
    write_chunk(&mut extended, b"EXIF", tiff);
    let size = (extended.len() - 8) as u32;
    extended[4..8].copy_from_slice(&size.to_le_bytes());
    extended
}
