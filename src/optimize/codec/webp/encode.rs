//! Lossy through libwebp, lossless through it too, or through `image-webp` without it.

use crate::optimize::budget::Budget;
use crate::optimize::raster::Frame;
#[cfg(feature = "webp")]
use crate::optimize::raster::{Layout, Raster};
#[cfg(feature = "webp")]
use crate::optimize::ycbcr;
use crate::optimize::{OptimizeError, OptimizeOptions, alpha};

use super::write::insert_exif;

pub(super) fn encode(
    frame: Frame,
    options: &OptimizeOptions,
    exif: Option<&[u8]>,
    budget: &Budget<'_>,
) -> Result<Vec<u8>, OptimizeError> {
    let (width, height) = frame.size();
    let bytes = pixels(frame, options, budget)?;
    Ok(match exif {
        Some(tiff) => insert_exif(&bytes, width, height, tiff),
        None => bytes,
    })
}

#[cfg(feature = "webp")]
fn pixels(
    frame: Frame,
    options: &OptimizeOptions,
    budget: &Budget<'_>,
) -> Result<Vec<u8>, OptimizeError> {
    use super::libwebp::{self, Input};

    let (width, height) = frame.size();
    let (quality, lossless) = (options.quality, options.lossless);
    let write = |input: Input<'_>| {
        let mut tick = || budget.check_time();
        libwebp::encode(&input, width, height, quality, lossless, &mut tick)
    };
    match frame {
        Frame::Ycc420(mut planes) => {
            ycbcr::compress_range(&mut planes);
            let [y, u, v] = &*planes;
            write(Input::Yuv([&y.data, &u.data, &v.data]))
        }
        Frame::Packed(raster) if raster.layout == Layout::Gray && !lossless => {
            // Neutral chroma, without a detour through RGB.
            let half = (width.div_ceil(2), height.div_ceil(2));
            let neutral = Raster::new(Layout::Gray, half.0, half.1, vec![128; half.0 * half.1]);
            let mut planes = [raster, neutral.clone(), neutral];
            ycbcr::compress_range(&mut planes);
            let [y, u, v] = &planes;
            write(Input::Yuv([&y.data, &u.data, &v.data]))
        }
        Frame::Packed(raster) => {
            let raster = alpha::expand_gray(raster);
            write(match raster.layout {
                Layout::Rgba => Input::Rgba(&raster.data),
                _ => Input::Rgb(&raster.data),
            })
        }
    }
}

#[cfg(not(feature = "webp"))]
fn pixels(
    frame: Frame,
    _options: &OptimizeOptions,
    _budget: &Budget<'_>,
) -> Result<Vec<u8>, OptimizeError> {
    use crate::optimize::raster::Layout;

    let (width, height) = frame.size();
    let raster = match frame {
        Frame::Packed(raster) => alpha::expand_gray(raster),
        Frame::Ycc420(_) => {
            return Err(OptimizeError::invalid("lossless WebP is made from RGB"));
        }
    };
    let color = match raster.layout {
        Layout::Rgba => image_webp::ColorType::Rgba8,
        _ => image_webp::ColorType::Rgb8,
    };
    let mut bytes = Vec::new();
    image_webp::WebPEncoder::new(&mut bytes)
        .encode(&raster.data, width as u32, height as u32, color)
        .map_err(|error| OptimizeError::InvalidOption {
            name: "max_width, max_height",
            reason: format!("not encodable as WebP: {error}"),
        })?;
    Ok(bytes)
}
