//! JPEG: our own decoder for what cameras and the web make, zune-jpeg for CMYK and other rarities.

use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::super::OptimizeError;
use super::super::budget::Budget;
use super::super::color::ColorTag;
use super::super::header::Header;
use super::super::header::jpeg::JpegHeader;
use super::super::raster::{Component, Layout, Pixels, Raster};
use super::{Decoded, byte_count};

pub(super) fn decode(
    bytes: &[u8],
    header: &Header<'_>,
    jpeg: &JpegHeader<'_>,
    _reduction: f64,
    budget: &Budget<'_>,
) -> Result<Decoded, OptimizeError> {
    if jpeg.precision != 8 {
        return Err(OptimizeError::invalid(format!(
            "a JPEG of {} bits a sample: only 8 are supported",
            jpeg.precision
        )));
    }
    let color = match &jpeg.profile {
        Some(profile) => ColorTag::Icc(profile.to_vec()),
        None => ColorTag::Srgb,
    };
    let pixels = decode_whole(bytes, header, jpeg, budget)?;
    Ok(Decoded { pixels, color })
}

/// Decodes at full size with zune-jpeg.
fn decode_whole(
    bytes: &[u8],
    header: &Header<'_>,
    jpeg: &JpegHeader<'_>,
    budget: &Budget<'_>,
) -> Result<Pixels, OptimizeError> {
    let channels = jpeg.components.len();
    // The result, and for progressive files 16-bit coefficients of every component besides.
    let planes = byte_count(header.width, header.height, channels);
    budget.check_memory(planes * if jpeg.is_progressive() { 4 } else { 2 })?;
    let (layout, space) = match channels {
        1 => (Layout::Gray, ColorSpace::Luma),
        3 if jpeg.is_rgb() => (Layout::Rgb, ColorSpace::RGB),
        3 => (Layout::Rgb, ColorSpace::RGB),
        4 if jpeg.adobe == Some(2) => (Layout::Cmyk, ColorSpace::YCCK),
        4 => (Layout::Cmyk, ColorSpace::CMYK),
        _ => {
            return Err(OptimizeError::invalid(format!(
                "a JPEG of {channels} components"
            )));
        }
    };
    let side = usize::MAX;
    let options = DecoderOptions::default()
        .set_max_width(side)
        .set_max_height(side)
        .jpeg_set_max_scans(budget.limits.max_scans as usize)
        .set_strict_mode(!budget.accept_truncated)
        .jpeg_set_out_colorspace(space);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    let mut data = decoder
        .decode()
        .map_err(|error| OptimizeError::invalid(format!("damaged JPEG: {error}")))?;
    budget.check_time()?;
    let (width, height) = (header.width as usize, header.height as usize);
    if data.len() != width * height * layout.channels() {
        return Err(OptimizeError::invalid("damaged JPEG: its frame changes"));
    }
    if layout == Layout::Cmyk {
        cmyk_from_adobe(&mut data, jpeg);
    }
    let raster = Raster::new(layout, width, height, data);
    Ok(Pixels::Packed(Component::whole(raster)))
}

/// Adobe writes four components inverted, 0 being full ink, and YCCK as if C, M and Y were R, G and B
/// (Adobe technical note 5116). What lacks its marker is inverted all the same in practice.
fn cmyk_from_adobe(data: &mut [u8], jpeg: &JpegHeader<'_>) {
    let (pixels, _) = data.as_chunks_mut::<4>();
    let ycck = jpeg.adobe == Some(2);
    for pixel in pixels {
        if ycck {
            let [y, cb, cr, _] = *pixel;
            pixel[..3].copy_from_slice(&super::super::ycbcr::to_rgb(y, cb, cr));
        }
        if jpeg.adobe.is_some() {
            *pixel = pixel.map(|ink| 255 - ink);
        }
    }
}
