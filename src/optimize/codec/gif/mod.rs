//! GIF: its blocks (GIF 89a specification, sections 17 to 27), found without decompressing any of them.

mod decode;

use crate::optimize::OptimizeError;
use crate::optimize::budget::Budget;

use super::{Codec, Decoded, Facts, File, READ_ALONE, Wanted, le_u16};

pub(super) const CODEC: Codec = Codec {
    open,
    encode: READ_ALONE,
    has_alpha: true,
    takes_planes: |_| false,
};

/// The first frame that has pixels, which is the picture.
struct GifFile<'a> {
    facts: Facts<'a>,
    /// The global colour table, or nothing.
    colors: &'a [u8],
    frame: Frame<'a>,
}

#[derive(Clone, Copy)]
struct Frame<'a> {
    /// The graphic control extension, or nothing.
    control: &'a [u8],
    /// From the image descriptor to the end of the data, or of the file.
    bytes: &'a [u8],
    /// Whether there is no data at all: it shows nothing.
    is_empty: bool,
}

fn open<'a>(bytes: &'a [u8], budget: &Budget<'_>) -> Result<Box<dyn File + 'a>, OptimizeError> {
    let size = le_u16(bytes, 6).zip(le_u16(bytes, 8));
    let size = size.ok_or_else(|| OptimizeError::invalid("a GIF without its header"))?;
    let data_at = 13 + bytes.get(10).map_or(0, |&packed| color_table_bytes(packed));
    let mut facts = Facts::default();
    let frame = first_frame(bytes, data_at, &mut facts, budget)?
        .ok_or_else(|| OptimizeError::invalid("a GIF without a picture"))?;
    // A frame that reaches beyond the canvas enlarges it, as in other decoders.
    let side = |at| u32::from(le_u16(frame.bytes, at).unwrap_or(0));
    facts.width = u32::from(size.0).max(side(1) + side(5));
    facts.height = u32::from(size.1).max(side(3) + side(7));
    Ok(Box::new(GifFile {
        facts,
        colors: bytes.get(13..data_at).unwrap_or_default(),
        frame,
    }))
}

impl File for GifFile<'_> {
    fn facts(&self) -> &Facts<'_> {
        &self.facts
    }

    fn decode(&self, _wanted: Wanted, budget: &Budget<'_>) -> Result<Decoded, OptimizeError> {
        decode::decode(self, budget)
    }
}

/// Walks through the blocks and counts the frames that have pixels.
fn first_frame<'a>(
    bytes: &'a [u8],
    mut at: usize,
    facts: &mut Facts<'_>,
    budget: &Budget<'_>,
) -> Result<Option<Frame<'a>>, OptimizeError> {
    let (mut first, mut control) = (None, &bytes[..0]);
    while let Some(&kind) = bytes.get(at) {
        let end = match kind {
            0x2c => {
                let Some(descriptor) = bytes.get(at..at + 10) else {
                    break;
                };
                // The minimum code size is one byte in front of the data.
                let data_at = at + 11 + color_table_bytes(descriptor[9]);
                let end = blocks_end(bytes, data_at);
                let [width, height] = [5, 7].map(|at| le_u16(descriptor, at).unwrap_or(0));
                if width > 0 && height > 0 {
                    facts.frames += 1;
                    budget.check_frames(facts.frames)?;
                    first = first.or(Some(Frame {
                        control,
                        bytes: &bytes[at..end.unwrap_or(bytes.len())],
                        is_empty: bytes.get(data_at) == Some(&0),
                    }));
                }
                control = &[];
                end
            }
            0x21 => {
                let label = bytes.get(at + 1).copied();
                // All but graphic controls and the loop count say nothing about the picture.
                let netscape = bytes.get(at + 3..at + 11) == Some(b"NETSCAPE");
                facts.has_metadata |= label != Some(0xf9) && !netscape;
                let end = blocks_end(bytes, at + 2);
                if let (Some(0xf9), Some(end)) = (label, end) {
                    control = &bytes[at..end];
                }
                end
            }
            // Padding between blocks, or the end without a trailer: decoders take both.
            0 => Some(at + 1),
            _ => {
                facts.has_metadata |= kind != TRAILER || at + 1 < bytes.len();
                None
            }
        };
        let Some(end) = end else { break };
        at = end;
    }
    Ok(first)
}

/// The block that ends a file.
const TRAILER: u8 = 0x3b;

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
