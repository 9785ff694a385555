//! GIF: its blocks (GIF 89a specification, sections 17 to 27), found without decompressing any of them.

mod decode;

use crate::optimize::OptimizeError;
use crate::optimize::budget::Budget;
#[cfg(feature = "webp")]
use crate::optimize::raster::Raster;

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
    #[cfg(feature = "webp")]
    bytes: &'a [u8],
    /// Where the blocks begin.
    #[cfg(feature = "webp")]
    data_at: usize,
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
    let mut frames = Frames::new(bytes, data_at);
    let frame = frames
        .next(budget)?
        .ok_or_else(|| OptimizeError::invalid("a GIF without a picture"))?;
    while frames.next(budget)?.is_some() {}
    // A frame that reaches beyond the canvas enlarges it, as in other decoders.
    let [left, top, width, height] = frame.window().map(|side| side as u32);
    let facts = Facts {
        width: u32::from(size.0).max(left + width),
        height: u32::from(size.1).max(top + height),
        frames: frames.count,
        plays: frames.plays,
        has_metadata: frames.has_metadata,
        ..Facts::default()
    };
    Ok(Box::new(GifFile {
        facts,
        colors: bytes.get(13..data_at).unwrap_or_default(),
        frame,
        #[cfg(feature = "webp")]
        bytes,
        #[cfg(feature = "webp")]
        data_at,
    }))
}

impl<'a> GifFile<'a> {
    #[cfg(feature = "webp")]
    fn frames(&self) -> Frames<'a> {
        Frames::new(self.bytes, self.data_at)
    }
}

impl Frame<'_> {
    /// Left, top, width and height.
    fn window(&self) -> [usize; 4] {
        [1, 3, 5, 7].map(|at| le_u16(self.bytes, at).unwrap_or(0).into())
    }

    /// What becomes of it afterwards, and for how many hundredths of a second it is shown.
    #[cfg(feature = "webp")]
    fn timing(&self) -> (u8, u16) {
        let packed = self.control.get(3).copied().unwrap_or(0);
        (packed >> 2 & 7, le_u16(self.control, 4).unwrap_or(0))
    }
}

impl File for GifFile<'_> {
    fn facts(&self) -> &Facts<'_> {
        &self.facts
    }

    fn decode(&self, _wanted: Wanted, budget: &Budget<'_>) -> Result<Decoded, OptimizeError> {
        decode::decode(self, budget)
    }

    #[cfg(feature = "webp")]
    fn play(
        &self,
        budget: &Budget<'_>,
        show: &mut dyn FnMut(Raster, u32) -> Result<(), OptimizeError>,
    ) -> Result<(), OptimizeError> {
        decode::play(self, budget, show)
    }
}

/// Walks through the blocks, from frame to frame.
struct Frames<'a> {
    bytes: &'a [u8],
    at: usize,
    control: &'a [u8],
    /// Frames with pixels so far.
    count: u32,
    /// How often it is played, 0 for ever.
    plays: u32,
    has_metadata: bool,
}

impl<'a> Frames<'a> {
    fn new(bytes: &'a [u8], at: usize) -> Self {
        Self {
            bytes,
            at,
            control: &[],
            count: 0,
            plays: 1,
            has_metadata: false,
        }
    }

    /// The next frame that has pixels.
    fn next(&mut self, budget: &Budget<'_>) -> Result<Option<Frame<'a>>, OptimizeError> {
        let bytes = self.bytes;
        while let Some(&kind) = bytes.get(self.at) {
            let at = self.at;
            let mut frame = None;
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
                        self.count += 1;
                        budget.check_frames(self.count)?;
                        frame = Some(Frame {
                            control: self.control,
                            bytes: &bytes[at..end.unwrap_or(bytes.len())],
                            is_empty: bytes.get(data_at) == Some(&0),
                        });
                    }
                    self.control = &[];
                    end
                }
                0x21 => self.extension(at),
                // Padding between blocks, or the end without a trailer: decoders take both.
                0 => Some(at + 1),
                _ => {
                    self.has_metadata |= kind != TRAILER || at + 1 < bytes.len();
                    None
                }
            };
            // Nothing comes behind what is cut off.
            self.at = end.unwrap_or(bytes.len());
            if frame.is_some() {
                return Ok(frame);
            }
        }
        Ok(None)
    }

    /// Takes down what an extension says, and returns where it ends.
    fn extension(&mut self, at: usize) -> Option<usize> {
        let label = self.bytes.get(at + 1).copied();
        let end = blocks_end(self.bytes, at + 2);
        // All but graphic controls and the loop count say nothing about the picture.
        let is_loop = self.bytes.get(at + 3..at + 11) == Some(b"NETSCAPE");
        self.has_metadata |= label != Some(0xf9) && !is_loop;
        if is_loop && self.bytes.get(at + 14..at + 16) == Some(&[3, 1]) {
            // The number tells how often it is repeated, and 0 that it is for ever.
            let repeats = le_u16(self.bytes, at + 16).map(u32::from);
            self.plays = repeats.map_or(1, |repeats| if repeats == 0 { 0 } else { repeats + 1 });
        }
        if let (Some(0xf9), Some(end)) = (label, end) {
            self.control = &self.bytes[at..end];
        }
        end
    }
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
