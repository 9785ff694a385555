//! The blocks of a GIF file (GIF 89a specification, sections 17 to 27), without decompressing any of them.

use crate::format::ImageFormat;

use super::super::OptimizeError;
use super::super::budget::Budget;
use super::{Details, Header, le_u16};

/// The first frame that has pixels, which is the picture.
#[derive(Debug)]
pub(in super::super) struct GifHeader<'a> {
    /// The global colour table, or nothing.
    pub(in super::super) colors: &'a [u8],
    /// The frame's graphic control extension, or nothing.
    pub(in super::super) control: &'a [u8],
    /// From the frame's image descriptor to the end of its data, or of the file.
    pub(in super::super) frame: &'a [u8],
    /// Whether the frame has no data at all: it shows nothing.
    pub(in super::super) is_empty: bool,
}

pub(super) fn read<'a>(bytes: &'a [u8], budget: &Budget<'_>) -> Result<Header<'a>, OptimizeError> {
    let size = le_u16(bytes, 6).zip(le_u16(bytes, 8));
    let size = size.ok_or_else(|| OptimizeError::invalid("a GIF without its header"))?;
    let screen = (u32::from(size.0), u32::from(size.1));
    let mut at = 13 + bytes.get(10).map_or(0, |&packed| color_table_bytes(packed));
    let colors = bytes.get(13..at).unwrap_or_default();
    let (mut frames, mut has_metadata) = (0, false);
    let (mut control, mut picture) = (&bytes[..0], None);
    loop {
        let begin = at;
        let end = match bytes.get(at) {
            Some(0x2c) => {
                let Some(descriptor) = bytes.get(at..at + 10) else {
                    break;
                };
                // The minimum code size is one byte in front of the data.
                let data_at = at + 11 + color_table_bytes(descriptor[9]);
                let end = blocks_end(bytes, data_at);
                let [width, height] = [5, 7].map(|at| le_u16(descriptor, at).unwrap_or(0));
                if width > 0 && height > 0 {
                    frames += 1;
                    budget.check_frames(frames)?;
                    picture = picture.or(Some(GifHeader {
                        colors,
                        control,
                        frame: &bytes[begin..end.unwrap_or(bytes.len())],
                        is_empty: bytes.get(data_at) == Some(&0),
                    }));
                }
                control = &[];
                end
            }
            Some(0x21) => {
                let label = bytes.get(at + 1).copied();
                // All but graphic controls and the loop count say nothing about the picture.
                let netscape = bytes.get(at + 3..at + 11) == Some(b"NETSCAPE");
                has_metadata |= label != Some(0xf9) && !netscape;
                let end = blocks_end(bytes, at + 2);
                if let (Some(0xf9), Some(end)) = (label, end) {
                    control = &bytes[begin..end];
                }
                end
            }
            Some(0x3b) => {
                has_metadata |= at + 1 < bytes.len();
                break;
            }
            // Padding between blocks, or the end without a trailer: decoders take both.
            Some(0) => Some(at + 1),
            Some(_) => {
                has_metadata = true;
                break;
            }
            None => break,
        };
        let Some(end) = end else { break };
        at = end;
    }
    let picture = picture.ok_or_else(|| OptimizeError::invalid("a GIF without a picture"))?;
    // A frame that reaches beyond the canvas enlarges it, as in other decoders.
    let side = |at| u32::from(le_u16(picture.frame, at).unwrap_or(0));
    let width = screen.0.max(side(1) + side(5));
    let height = screen.1.max(side(3) + side(7));
    budget.check_size(width, height)?;
    Ok(Header {
        format: ImageFormat::Gif,
        width,
        height,
        frames,
        exif: None,
        has_metadata,
        details: Details::Gif(picture),
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
