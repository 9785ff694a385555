//! Whether a picture's compressed data goes on behind the picture. Decoders ignore what is there, so a
//! source that is kept as it is would carry it on.

use fdeflate::Decompressor;

use super::OptimizeError;
use super::budget::Budget;
use super::decode::ends_early;
use super::header::png::chunk_at;
use super::header::webp::Picture;
use super::header::{Details, Header};
use super::vp8::without_end_of_first_partition;

/// Bytes at the end of a WebP's data that no encoder leaves unused: its last words and their padding.
const WEBP_TAIL: usize = 16;
/// The same at the end of the first partition, which may be short.
const PARTITION_TAIL: usize = 4;
/// What inflating looks back at (RFC 1951, section 2), and what it writes ahead of it.
const WINDOW: usize = 1 << 15;

/// Whether `stripped`, the source without its metadata, holds bytes that its picture does not need, which
/// its decoder did not find.
pub(super) fn has_spare(
    stripped: &[u8],
    header: &Header<'_>,
    budget: &Budget<'_>,
) -> Result<bool, OptimizeError> {
    match &header.details {
        Details::Jpeg(_) => Ok(false),
        Details::Png(png) => Ok(png.interlaced || !is_all_rows(stripped, header.height, budget)?),
        Details::WebP(webp) => has_tail(&webp.picture, budget),
        Details::Gif(_) => Ok(true),
    }
}

/// Whether the IDAT chunks are one zlib stream, and that the rows of the picture and nothing else.
fn is_all_rows(png: &[u8], height: u32, budget: &Budget<'_>) -> Result<bool, OptimizeError> {
    let Some(expected) = raw_len(png, height) else {
        return Ok(false);
    };
    let mut inflate = Decompressor::new();
    let mut buffer = vec![0; 3 * WINDOW];
    let (mut filled, mut total, mut at) = (0, 0u64, 8);
    while let Some(chunk) = chunk_at(png, at) {
        at = chunk.end;
        let mut data = if &chunk.kind == b"IDAT" {
            chunk.data
        } else {
            &[]
        };
        while !data.is_empty() {
            budget.check_time()?;
            if inflate.is_done() {
                return Ok(false);
            }
            let Ok((read, written)) = inflate.read(data, &mut buffer, filled, false) else {
                return Ok(false);
            };
            data = &data[read..];
            total += written as u64;
            filled += written;
            if total > expected || (read, written) == (0, 0) {
                return Ok(false);
            }
            if filled > 2 * WINDOW {
                buffer.copy_within(filled - WINDOW..filled, 0);
                filled = WINDOW;
            }
        }
    }
    Ok(inflate.is_done() && total == expected)
}

/// Bytes of the filtered rows (PNG third edition, sections 7.2 and 9.2).
fn raw_len(png: &[u8], height: u32) -> Option<u64> {
    let header = chunk_at(png, 8)?.data;
    let width = u32::from_be_bytes(*header.first_chunk()?);
    let samples = match header.get(9)? {
        0 | 3 => 1,
        4 => 2,
        2 => 3,
        _ => 4,
    };
    let bits = u64::from(width) * samples * u64::from(*header.get(8)?);
    Some((bits.div_ceil(8) + 1) * u64::from(height))
}

/// Whether the picture is whole without the last bytes of one of its parts: its data, the first of two
/// partitions that lossy data has, or its alpha.
fn has_tail(picture: &Picture<'_>, budget: &Budget<'_>) -> Result<bool, OptimizeError> {
    let cut = |data: &[u8]| data.len().saturating_sub(WEBP_TAIL);
    let mut shorter = vec![Picture {
        data: &picture.data[..cut(picture.data)],
        missing: WEBP_TAIL,
        ..*picture
    }];
    if let Some(alpha) = picture.alpha {
        shorter.push(Picture {
            alpha: Some(&alpha[..cut(alpha)]),
            ..*picture
        });
    }
    let first_partition;
    if !picture.lossless {
        let Some(data) = without_end_of_first_partition(picture.data, PARTITION_TAIL) else {
            return Ok(true);
        };
        first_partition = data;
        shorter.push(Picture {
            data: &first_partition,
            ..*picture
        });
    }
    for picture in &shorter {
        let early = ends_early(picture, budget);
        budget.check_time()?;
        if !early {
            return Ok(true);
        }
    }
    Ok(false)
}
