//! Windows and OS/2 bitmaps, through `image`.

use std::io::Cursor;

use image::codecs::bmp::BmpDecoder;
use image::{ColorType, ImageDecoder, ImageError};

use crate::optimize::OptimizeError;
use crate::optimize::budget::Budget;
use crate::optimize::raster::{Layout, Raster};

use super::{
    Codec, Decoded, Facts, File, MAX_PROFILE_BYTES, READ_ALONE, Wanted, byte_count, le_u16, le_u32,
};

pub(super) const CODEC: Codec = Codec {
    open,
    encode: READ_ALONE,
    has_alpha: true,
    takes_planes: |_| false,
};

struct BmpFile<'a> {
    bytes: &'a [u8],
    facts: Facts<'a>,
    profile: Option<&'a [u8]>,
}

fn open<'a>(bytes: &'a [u8], budget: &Budget<'_>) -> Result<Box<dyn File + 'a>, OptimizeError> {
    /// The size of OS/2's first header, whose sides have two bytes.
    const OS2: u32 = 12;
    let header = le_u32(bytes, 14).unwrap_or(0);
    let size = match header {
        OS2 => [18, 20].map(|at| le_u16(bytes, at).map(u32::from)),
        // A negative height means that the rows begin at the top.
        _ => [18, 22].map(|at| le_u32(bytes, at).map(|side| side.cast_signed().unsigned_abs())),
    };
    let [Some(width), Some(height)] = size else {
        return Err(OptimizeError::invalid("truncated BMP"));
    };
    budget.check_size(width, height)?;
    let profile = profile(bytes, header)?;
    Ok(Box::new(BmpFile {
        bytes,
        facts: Facts {
            width,
            height,
            frames: 1,
            has_metadata: profile.is_some(),
            ..Facts::default()
        },
        profile,
    }))
}

/// The colour profile that the fifth version of the header may point to.
fn profile(bytes: &[u8], header: u32) -> Result<Option<&[u8]>, OptimizeError> {
    const V5: u32 = 124;
    const EMBEDDED: &[u8] = b"DEBM";
    if header != V5 || bytes.get(14 + 56..14 + 60) != Some(EMBEDDED) {
        return Ok(None);
    }
    let number = |at: usize| le_u32(bytes, 14 + at).and_then(|number| usize::try_from(number).ok());
    let Some((begin, length)) = number(112).zip(number(116)) else {
        return Ok(None);
    };
    super::check_profile(length as u64)?;
    let begin = begin.checked_add(14);
    Ok(begin.and_then(|begin| bytes.get(begin..begin.checked_add(length)?)))
}

impl File for BmpFile<'_> {
    fn facts(&self) -> &Facts<'_> {
        &self.facts
    }

    fn decode(&self, _wanted: Wanted, budget: &Budget<'_>) -> Result<Decoded, OptimizeError> {
        let (width, height) = (self.facts.width, self.facts.height);
        // Beside the pixels there is a row, and what of the file the decoder buffers.
        budget.check_memory(byte_count(width, height, 4))?;
        let decoder = BmpDecoder::new(Cursor::new(self.bytes)).map_err(error)?;
        let layout = match decoder.color_type() {
            ColorType::L8 => Layout::Gray,
            ColorType::Rgb8 => Layout::Rgb,
            ColorType::Rgba8 => Layout::Rgba,
            _ => return Err(rare()),
        };
        if decoder.dimensions() != (width, height) {
            return Err(OptimizeError::invalid("a BMP whose size is not clear"));
        }
        let (width, height) = (width as usize, height as usize);
        let mut data = vec![0; width * height * layout.channels()];
        decoder.read_image(&mut data).map_err(error)?;
        budget.check_time()?;
        let raster = Raster::new(layout, width, height, data);
        Ok(Decoded::packed(raster, self.profile.map(<[u8]>::to_vec)))
    }
}

fn rare() -> OptimizeError {
    OptimizeError::UnsupportedFormat {
        name: "BMP of a rare kind",
    }
}

fn error(error: ImageError) -> OptimizeError {
    match error {
        ImageError::Unsupported(_) => rare(),
        ImageError::Limits(_) => OptimizeError::LimitExceeded {
            what: "bytes of colour profile",
            value: MAX_PROFILE_BYTES + 1,
            limit: MAX_PROFILE_BYTES,
        },
        ImageError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            OptimizeError::invalid("truncated BMP")
        }
        _ => OptimizeError::invalid("a damaged BMP"),
    }
}
