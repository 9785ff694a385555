//! AVIF: AV1 in HEIF (AOM, "AV1 Image File Format").

#[cfg(feature = "avif")]
mod encode;
mod rav1d;

use crate::optimize::OptimizeError;
use crate::optimize::budget::Budget;

use super::Codec;
use super::heif::{self, Bitstream, Coded, Coding};

pub(super) const CODEC: Codec = Codec {
    open: |bytes, budget| heif::open(bytes, budget, &CODING),
    #[cfg(feature = "avif")]
    encode: encode::encode,
    #[cfg(not(feature = "avif"))]
    encode: super::READ_ALONE,
    has_alpha: true,
    takes_planes: |_| cfg!(feature = "avif"),
};

static CODING: Coding = Coding {
    item: *b"av01",
    name: "AVIF of another codec than AV1",
    decode,
    bytes_per_pixel: 12,
};

/// The most frames that make one picture: layers, and such as are only referred to.
const MAX_FRAMES: u64 = 8;

fn decode(picture: &Bitstream<'_>, _budget: &Budget<'_>) -> Result<Coded, OptimizeError> {
    let frames = frames(&picture.data);
    if frames > MAX_FRAMES {
        return Err(OptimizeError::LimitExceeded {
            what: "AV1 frames of a picture",
            value: frames,
            limit: MAX_FRAMES,
        });
    }
    let most = rav1d::pixels(picture.width, picture.height);
    rav1d::decode(&picture.data, picture.operating_point, most)
}

/// Counts the frames of a stream by the headers of its units (AV1 specification, section 5.3).
fn frames(mut stream: &[u8]) -> u64 {
    const FRAME_HEADER: u8 = 3;
    const FRAME: u8 = 6;
    let mut frames = 0;
    while let Some((&header, rest)) = stream.split_first() {
        let extension = usize::from(header & 4 != 0);
        let Some(rest) = rest.get(extension..) else {
            break;
        };
        let kind = header >> 3 & 15;
        frames += u64::from(kind == FRAME_HEADER || kind == FRAME);
        let has_size = header & 2 != 0;
        let behind = if has_size { behind(rest) } else { None };
        let Some(behind) = behind else { break };
        stream = behind;
    }
    frames
}

/// What is behind a unit that begins with its size (LEB128).
fn behind(unit: &[u8]) -> Option<&[u8]> {
    let mut size = 0usize;
    for (index, &byte) in unit.iter().take(8).enumerate() {
        size |= usize::from(byte & 127).checked_shl(7 * index as u32)?;
        if byte & 128 == 0 {
            return unit.get(index + 1..)?.get(size..);
        }
    }
    None
}
