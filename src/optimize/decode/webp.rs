//! WebP: libwebp's planes (feature `webp`), or the `image-webp` crate without it.

use super::super::OptimizeError;
use super::super::budget::Budget;
use super::super::color::ColorTag;
use super::super::header::Header;
use super::super::header::webp::{Picture, WebPHeader};
use super::super::raster::{Component, Layout, Pixels, Raster};
use super::super::strip::webp_file;
use super::{Decoded, byte_count};

pub(super) fn decode(
    header: &Header<'_>,
    webp: &WebPHeader<'_>,
    budget: &Budget<'_>,
) -> Result<Decoded, OptimizeError> {
    let picture = &webp.picture;
    // The decoder holds a few rows besides; VP8L a whole picture of 32-bit pixels.
    let channels = if picture.lossless { 8 } else { 5 };
    let canvas = byte_count(header.width, header.height, 4);
    budget.check_memory(canvas + byte_count(picture.width, picture.height, channels))?;
    let mut pixels = decode_picture(picture, budget)?;
    budget.check_time()?;
    if let Some(offset) = webp.offset
        && (picture.width, picture.height) != (header.width, header.height)
    {
        pixels = on_canvas(pixels, header, offset);
    }
    let color = match webp.profile {
        Some(profile) => ColorTag::Icc(profile.to_vec()),
        None => ColorTag::Srgb,
    };
    Ok(Decoded::whole(pixels, color))
}

/// The first frame of an animation where it belongs; what is around it is transparent.
fn on_canvas(pixels: Pixels, header: &Header<'_>, (left, top): (u32, u32)) -> Pixels {
    let Pixels::Packed(frame) = pixels else {
        return pixels;
    };
    let frame = frame.raster;
    let (width, height) = (header.width as usize, header.height as usize);
    let mut canvas = vec![0; width * height * 4];
    let channels = frame.layout.channels();
    let rows = canvas.chunks_exact_mut(width * 4).skip(top as usize);
    for (row, source) in rows.zip(frame.rows()) {
        let row = row[left as usize * 4..].chunks_exact_mut(4);
        for (pixel, source) in row.zip(source.chunks_exact(channels)) {
            pixel[3] = 255;
            pixel[..channels].copy_from_slice(source);
        }
    }
    let canvas = Raster::new(Layout::Rgba, width, height, canvas);
    Pixels::Packed(Component::whole(canvas))
}

/// Whether a picture does not decode as a whole.
pub(in super::super) fn ends_early(picture: &Picture<'_>, budget: &Budget<'_>) -> bool {
    #[cfg(feature = "webp")]
    {
        use super::super::libwebp::{self, Target};

        let (width, height) = (picture.width as usize, picture.height as usize);
        let (file, mut pixels) = (webp_file(picture, None), Vec::new());
        let target = Target::Rgba(&mut pixels);
        let whole = libwebp::decode(&file, width, height, target, &mut || budget.check_time());
        !matches!(whole, Ok(true))
    }
    #[cfg(not(feature = "webp"))]
    decode_picture(picture, budget).is_err()
}

#[cfg(feature = "webp")]
fn decode_picture(picture: &Picture<'_>, budget: &Budget<'_>) -> Result<Pixels, OptimizeError> {
    use super::super::libwebp::{self, Target};
    use super::super::raster::Range;

    let (width, height) = (picture.width as usize, picture.height as usize);
    let mut tick = || budget.check_time();
    // A bare bitstream does not tell its length, which the decoder needs to take it in portions.
    let file = webp_file(picture, None);
    let mut run = |target| -> Result<(), OptimizeError> {
        if !libwebp::decode(&file, width, height, target, &mut tick)? {
            budget.truncated("the WebP's image data ends early")?;
        }
        Ok(())
    };
    if picture.has_alpha {
        let mut data = Vec::new();
        run(Target::Rgba(&mut data))?;
        let raster = Raster::new(Layout::Rgba, width, height, data);
        return Ok(Pixels::Packed(Component::whole(raster)));
    }
    if picture.lossless {
        let mut data = Vec::new();
        run(Target::Rgb(&mut data))?;
        let raster = Raster::new(Layout::Rgb, width, height, data);
        return Ok(Pixels::Packed(Component::whole(raster)));
    }
    let mut planes = [const { Vec::new() }; 3];
    run(Target::Yuv(&mut planes))?;
    let [y, u, v] = planes;
    let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
    let half = |data| Component {
        raster: Raster::new(Layout::Gray, half_width, half_height, data),
        extent: (width as f64 / 2.0, height as f64 / 2.0),
    };
    let luma = Component::whole(Raster::new(Layout::Gray, width, height, y));
    Ok(Pixels::Ycc(
        Box::new([luma, half(u), half(v)]),
        Range::Limited,
    ))
}

#[cfg(not(feature = "webp"))]
fn decode_picture(picture: &Picture<'_>, budget: &Budget<'_>) -> Result<Pixels, OptimizeError> {
    let damaged = |error| match error {
        image_webp::DecodingError::IoError(_) => OptimizeError::invalid("truncated WebP"),
        error => OptimizeError::invalid(format!("damaged WebP: {error}")),
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
    Ok(Pixels::Packed(Component::whole(raster)))
}
