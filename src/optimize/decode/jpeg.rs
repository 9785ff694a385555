//! JPEG: our own decoder for what cameras and the web make, zune-jpeg for CMYK and other rarities.

use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::super::OptimizeError;
use super::super::budget::Budget;
use super::super::color::ColorTag;
use super::super::header::Header;
use super::super::header::jpeg::{EOI, JpegHeader, SOS, entropy_end, next_segment};
use super::super::jpeg::{Color, DecodeLimits, Error};
use super::super::raster::{Component, Layout, Pixels, Range, Raster};
use super::timed::Timed;
use super::{Decoded, Wanted, byte_count};

/// Samples decoded per pixel of the result, in each direction, beyond which the inverse DCT leaves out
/// detail. The rest of the way is Lanczos3's, which needs some of it.
const MARGIN: f64 = 1.5;

pub(super) fn decode(
    bytes: &[u8],
    header: &Header<'_>,
    jpeg: &JpegHeader<'_>,
    wanted: Wanted,
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
    let pixels = match decode_planes(bytes, header, jpeg, wanted, budget)? {
        Some(pixels) => pixels,
        None => decode_whole(bytes, header, jpeg, budget)?,
    };
    Ok(Decoded {
        spare: budget.has_spare(),
        ..Decoded::whole(pixels, color)
    })
}

/// Decodes to planes, at a fraction of the size where that is enough; `None` where the file is for
/// [`decode_whole`].
fn decode_planes(
    bytes: &[u8],
    header: &Header<'_>,
    jpeg: &JpegHeader<'_>,
    wanted: Wanted,
    budget: &Budget<'_>,
) -> Result<Option<Pixels>, OptimizeError> {
    let expired = || budget.check_time().is_err();
    let mut limits = DecodeLimits::default();
    limits.max_pixels = budget.limits.max_pixels;
    limits.max_scans = budget.limits.max_scans;
    limits.max_bytes = budget.limits.max_decode_bytes;
    limits.accept_truncated = budget.accept_truncated;
    limits.expired = Some(&expired);
    let (wanted_width, wanted_height) = (
        f64::from(header.width) / wanted.reduction * MARGIN,
        f64::from(header.height) / wanted.reduction * MARGIN,
    );
    let halved = wanted.half_chroma && jpeg.components.len() == 3 && !jpeg.is_rgb();
    let scale = |component: usize, width: f64, height: f64| {
        let share = if halved && component > 0 { 0.5 } else { 1.0 };
        let eighths = (wanted_width * share / width).max(wanted_height * share / height) * 8.0;
        // Less than a hundredth of an eighth is rounding.
        (eighths - 0.01).ceil().clamp(1.0, 8.0) as usize
    };
    let decoded = match super::super::jpeg::decode(bytes, &limits, &scale) {
        Ok(decoded) => decoded,
        Err(Error::Unsupported(_) | Error::Damaged(_)) => return Ok(None),
        Err(Error::Truncated) => {
            budget.truncated("the JPEG ends before its image does")?;
            return Ok(None);
        }
        Err(Error::LimitExceeded { what, value, limit }) => {
            return Err(OptimizeError::LimitExceeded { what, value, limit });
        }
        Err(error) => {
            budget.check_time()?;
            return Err(OptimizeError::invalid(error.to_string()));
        }
    };
    if (decoded.width, decoded.height) != (header.width, header.height) {
        return Err(OptimizeError::invalid("damaged JPEG: its frame changes"));
    }
    if decoded.spare {
        budget.note_spare();
    }
    if decoded.truncated {
        budget.truncated("the JPEG ends before its image does")?;
    }
    let mut components = decoded.planes.into_iter().map(|plane| Component {
        extent: (plane.exact_width, plane.exact_height),
        raster: Raster {
            layout: Layout::Gray,
            width: plane.width,
            height: plane.height,
            stride: plane.stride,
            data: plane.data,
        },
    });
    let (first, second, third) = (components.next(), components.next(), components.next());
    Ok(match (decoded.color, first, second, third) {
        (Color::Gray, Some(gray), _, _) => Some(Pixels::Packed(gray)),
        (Color::YCbCr, Some(y), Some(cb), Some(cr)) => {
            Some(Pixels::Ycc(Box::new([y, cb, cr]), Range::Full))
        }
        (Color::Rgb, Some(red), Some(green), Some(blue)) => {
            Some(Pixels::Rgb(Box::new([red, green, blue])))
        }
        _ => None,
    })
}

/// Decodes at full size with zune-jpeg, which shows what it can of a damaged picture, as browsers do.
fn decode_whole(
    bytes: &[u8],
    header: &Header<'_>,
    jpeg: &JpegHeader<'_>,
    budget: &Budget<'_>,
) -> Result<Pixels, OptimizeError> {
    let channels = jpeg.components.len();
    // It mends what it can, and fills what is missing with grey, without a word.
    budget.note_spare();
    if channels != 4 && !is_ended(bytes) {
        budget.truncated("the JPEG has no end marker")?;
    }
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
        .set_strict_mode(channels == 4 && !budget.accept_truncated)
        .jpeg_set_out_colorspace(space);
    let mut decoder = JpegDecoder::new_with_options(Timed::new(bytes, budget), options);
    let decoded = decoder.decode();
    budget.check_time()?;
    let mut data =
        decoded.map_err(|error| OptimizeError::invalid(format!("damaged JPEG: {error}")))?;
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

/// Whether the image's scans are followed by an end marker.
fn is_ended(bytes: &[u8]) -> bool {
    let mut at = 2;
    while let Some(segment) = next_segment(bytes, at) {
        at = match segment.marker {
            EOI => return true,
            SOS => entropy_end(bytes, segment.end),
            _ => segment.end,
        };
    }
    false
}

/// Adobe writes inks inverted, 0 being full ink, and YCCK as if the inks themselves, not inverted, were red,
/// green and blue (Adobe technical note 5116; libjpeg's conversion is the common reading of it).
fn cmyk_from_adobe(data: &mut [u8], jpeg: &JpegHeader<'_>) {
    let (pixels, _) = data.as_chunks_mut::<4>();
    match jpeg.adobe {
        Some(2) => {
            for pixel in pixels {
                let [y, cb, cr, black] = *pixel;
                let [cyan, magenta, yellow] = super::super::ycbcr::to_rgb(y, cb, cr);
                *pixel = [cyan, magenta, yellow, 255 - black];
            }
        }
        Some(_) => {
            for pixel in pixels {
                *pixel = pixel.map(|ink| 255 - ink);
            }
        }
        None => {}
    }
}
