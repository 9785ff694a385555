//! Through libwebp (feature `webp`), to planes where the file has them; or through the `image-webp` crate.

use crate::optimize::OptimizeError;
use crate::optimize::alpha::placed;
use crate::optimize::budget::Budget;
use crate::optimize::codec::{Decoded, byte_count};
use crate::optimize::color::ColorTag;
use crate::optimize::raster::{Component, Layout, Pixels, Raster};
#[cfg(feature = "webp")]
use crate::optimize::ycbcr::Matrix;

use super::write::webp_file;
use super::{Picture, WebPFile};

pub(super) fn decode(webp: &WebPFile<'_>, budget: &Budget<'_>) -> Result<Decoded, OptimizeError> {
    let picture = &webp.picture;
    // The decoder holds a few rows besides; VP8L a whole picture of 32-bit pixels.
    let channels = if picture.lossless { 8 } else { 5 };
    let size = (webp.facts.width, webp.facts.height);
    let canvas = byte_count(size.0, size.1, 4);
    budget.check_memory(canvas + byte_count(picture.width, picture.height, channels))?;
    let frame = webp
        .offset
        .filter(|_| (picture.width, picture.height) != size);
    let (mut pixels, truncated) = decode_picture(picture, frame.is_some(), budget)?;
    budget.check_time()?;
    if let (Some(corner), Pixels::Packed(frame)) = (frame, &pixels) {
        pixels = Pixels::Packed(Component::whole(placed(&frame.raster, size, corner)));
    }
    let color = match webp.profile {
        Some(profile) => ColorTag::Icc(profile.to_vec()),
        None => ColorTag::Srgb,
    };
    Ok(Decoded::new(pixels, color, truncated))
}

/// Whether a picture does not decode as a whole.
pub(super) fn ends_early(picture: &Picture<'_>, budget: &Budget<'_>) -> bool {
    #[cfg(feature = "webp")]
    {
        use super::libwebp::{self, Target};

        let (width, height) = (picture.width as usize, picture.height as usize);
        let (file, mut pixels) = (webp_file(picture, None), Vec::new());
        let target = Target::Rgba(&mut pixels);
        let whole = libwebp::decode(&file, width, height, target, &mut || budget.check_time());
        !matches!(whole, Ok(true))
    }
    #[cfg(not(feature = "webp"))]
    decode_picture(picture, false, budget).is_err()
}

/// Decodes to planes where the file has them, unless it is wanted `packed`; and whether it ends early.
#[cfg(feature = "webp")]
fn decode_picture(
    picture: &Picture<'_>,
    packed: bool,
    budget: &Budget<'_>,
) -> Result<(Pixels, bool), OptimizeError> {
    use super::libwebp::{self, Target};
    use crate::optimize::raster::Range;

    let (width, height) = (picture.width as usize, picture.height as usize);
    let mut tick = || budget.check_time();
    // A bare bitstream does not tell its length, which the decoder needs to take it in portions.
    let file = webp_file(picture, None);
    let mut run = |target| -> Result<bool, OptimizeError> {
        let whole = libwebp::decode(&file, width, height, target, &mut tick)?;
        if !whole {
            budget.truncated("the WebP's image data ends early")?;
        }
        Ok(!whole)
    };
    if picture.has_alpha {
        let mut data = Vec::new();
        let truncated = run(Target::Rgba(&mut data))?;
        let raster = Raster::new(Layout::Rgba, width, height, data);
        return Ok((Pixels::Packed(Component::whole(raster)), truncated));
    }
    if picture.lossless || packed {
        let mut data = Vec::new();
        let truncated = run(Target::Rgb(&mut data))?;
        let raster = Raster::new(Layout::Rgb, width, height, data);
        return Ok((Pixels::Packed(Component::whole(raster)), truncated));
    }
    let mut planes = [const { Vec::new() }; 3];
    let truncated = run(Target::Yuv(&mut planes))?;
    let [y, u, v] = planes;
    let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
    let half = |data| Component {
        raster: Raster::new(Layout::Gray, half_width, half_height, data),
        extent: (width as f64 / 2.0, height as f64 / 2.0),
    };
    let luma = Component::whole(Raster::new(Layout::Gray, width, height, y));
    let planes = Box::new([luma, half(u), half(v)]);
    Ok((Pixels::Ycc(planes, Range::Limited, Matrix::JFIF), truncated))
}

#[cfg(not(feature = "webp"))]
fn decode_picture(
    picture: &Picture<'_>,
    _packed: bool,
    budget: &Budget<'_>,
) -> Result<(Pixels, bool), OptimizeError> {
    let damaged = |error| match error {
        image_webp::DecodingError::IoError(_) => OptimizeError::invalid("truncated WebP"),
        _ => OptimizeError::invalid("damaged WebP: its image data does not decode"),
    };
    let file = webp_file(picture, None);
    let mut decoder = image_webp::WebPDecoder::new(std::io::Cursor::new(file)).map_err(damaged)?;
    decoder.set_memory_limit(usize::try_from(budget.limits.max_decode_bytes).unwrap_or(usize::MAX));
    let (width, height) = (picture.width as usize, picture.height as usize);
    let layout = if decoder.has_alpha() {
        Layout::Rgba
    } else {
        Layout::Rgb
    };
    let mut data = vec![0; width * height * layout.channels()];
    decoder.read_image(&mut data).map_err(damaged)?;
    let raster = Raster::new(layout, width, height, data);
    Ok((Pixels::Packed(Component::whole(raster)), false))
}
