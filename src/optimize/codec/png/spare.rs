//! Whether compressed data goes on behind the picture. Decoders ignore what is there, so a source that is kept
//! as it is would carry it on.

use fdeflate::Decompressor;

use crate::optimize::OptimizeError;
use crate::optimize::budget::Budget;

use super::PngFile;

/// What inflating looks back at (RFC 1951, section 2), and what it writes ahead of it.
const WINDOW: usize = 1 << 15;

/// Whether the IDAT chunks are one zlib stream, and that the rows of the picture and nothing else.
pub(super) fn is_all_rows(png: &PngFile<'_>, budget: &Budget<'_>) -> Result<bool, OptimizeError> {
    let expected = raw_len(png);
    let mut inflate = Decompressor::new();
    let mut buffer = vec![0; 3 * WINDOW];
    let (mut filled, mut total) = (0, 0u64);
    for chunk in png.chunks().filter(|chunk| &chunk.kind == b"IDAT") {
        let mut data = chunk.data;
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
fn raw_len(png: &PngFile<'_>) -> u64 {
    let samples = match png.color {
        0 | 3 => 1,
        4 => 2,
        2 => 3,
        _ => 4,
    };
    let bits = u64::from(png.facts.width) * samples * u64::from(png.depth);
    (bits.div_ceil(8) + 1) * u64::from(png.facts.height)
}
