//! The blocks of a GIF file (GIF 89a specification, sections 17 to 27), without decompressing any of them.

use crate::format::ImageFormat;

use super::super::OptimizeError;
use super::super::budget::Budget;
use super::{Details, Header, le_u16};

pub(super) fn read<'a>(bytes: &'a [u8], budget: &Budget<'_>) -> Result<Header<'a>, OptimizeError> {
    let size = le_u16(bytes, 6).zip(le_u16(bytes, 8));
    let size = size.ok_or_else(|| OptimizeError::invalid("a GIF without its header"))?;
    let (mut width, mut height) = (u32::from(size.0), u32::from(size.1));
    budget.check_size(width, height)?;

    let mut at = 13 + bytes.get(10).map_or(0, |&packed| color_table_bytes(packed));
    let (mut frames, mut has_metadata) = (0, false);
    let whole = loop {
        match bytes.get(at) {
            Some(0x2c) => {
                frames += 1;
                budget.check_frames(frames)?;
                let Some(&packed) = bytes.get(at + 9) else {
                    break false;
                };
                if frames == 1 {
                    // A frame that reaches beyond the canvas enlarges it, as in other decoders.
                    let side = |at| u32::from(le_u16(bytes, at).unwrap_or(0));
                    width = width.max(side(at + 1) + side(at + 5));
                    height = height.max(side(at + 3) + side(at + 7));
                }
                // The minimum code size is one byte in front of the data.
                match blocks_end(bytes, at + 11 + color_table_bytes(packed)) {
                    Some(end) => at = end,
                    None => break false,
                }
            }
            Some(0x21) => {
                let label = bytes.get(at + 1).copied();
                // All but graphic controls and the loop count say nothing about the picture.
                let netscape = bytes.get(at + 3..at + 11) == Some(b"NETSCAPE");
                has_metadata |= label != Some(0xf9) && !netscape;
                match blocks_end(bytes, at + 2) {
                    Some(end) => at = end,
                    None => break false,
                }
            }
            Some(0x3b) => {
                has_metadata |= at + 1 < bytes.len();
                break true;
            }
            // Padding between blocks, or the end without a trailer: decoders take both.
            Some(0) => at += 1,
            Some(_) => {
                has_metadata = true;
                break true;
            }
            None => break true,
        }
    };
    if frames == 0 {
        return Err(OptimizeError::invalid("a GIF without a frame"));
    }
    if !whole {
        budget.truncated("the GIF ends within a block")?;
    }
    Ok(Header {
        format: ImageFormat::Gif,
        width,
        height,
        frames,
        exif: None,
        has_metadata,
        details: Details::Gif,
    })
}

fn color_table_bytes(packed: u8) -> usize {
    if packed & 0x80 == 0 {
        return 0;
    }
    3 << ((packed & 7) + 1)
}

/// The offset behind a chain of data sub-blocks.
fn blocks_end(bytes: &[u8], at: usize) -> Option<usize> {
    let mut at = at;
    loop {
        let length = usize::from(*bytes.get(at)?);
        at += 1 + length;
        if length == 0 {
            return Some(at);
        }
    }
}
