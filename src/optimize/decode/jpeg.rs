//! JPEG: our own decoder's planes, at a fraction of the size where that is enough.

use super::super::OptimizeError;
use super::super::budget::Budget;
use super::super::color::ColorTag;
use super::super::header::Header;
use super::super::header::jpeg::JpegHeader;
use super::super::jpeg::{Color, DecodeLimits, Error, Plane};
use super::super::raster::{Component, Inks, Layout, Pixels, Range, Raster};
use super::{Decoded, Wanted};

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
    let expired = || budget.check_time().is_err();
    let mut limits = DecodeLimits::default();
    limits.max_pixels = budget.limits.max_pixels;
    limits.max_scans = budget.limits.max_scans;
    limits.max_bytes = budget.limits.max_decode_bytes;
    limits.accept_truncated = budget.accept_truncated;
    limits.max_damage = budget.max_damage;
    limits.expired = Some(&expired);
    let (wanted_width, wanted_height) = (
        f64::from(header.width) / wanted.reduction * MARGIN,
        f64::from(header.height) / wanted.reduction * MARGIN,
    );
    let halved = wanted.half_chroma && jpeg.color == Color::YCbCr;
    let scale = |component: usize, width: f64, height: f64| {
        let share = if halved && component > 0 { 0.5 } else { 1.0 };
        let eighths = (wanted_width * share / width).max(wanted_height * share / height) * 8.0;
        // Less than a hundredth of an eighth is rounding.
        (eighths - 0.01).ceil().clamp(1.0, 8.0) as usize
    };
    let decoded = super::super::jpeg::decode(bytes, &limits, &scale)
        .map_err(|error| refusal(error, budget))?;
    if (decoded.width, decoded.height) != (header.width, header.height) {
        return Err(OptimizeError::invalid("damaged JPEG: its frame changes"));
    }
    let (truncated, damaged, spare) = (decoded.truncated, decoded.damaged, decoded.spare);
    let pixels = pixels(decoded.color, decoded.planes)
        .ok_or_else(|| OptimizeError::invalid("damaged JPEG: its frame changes"))?;
    Ok(Decoded {
        pixels,
        color: color_tag(jpeg),
        truncated,
        damaged,
        spare,
    })
}

fn refusal(error: Error, budget: &Budget<'_>) -> OptimizeError {
    match error {
        Error::Unsupported(name) => OptimizeError::UnsupportedFormat { name },
        Error::LimitExceeded { what, value, limit } => {
            OptimizeError::LimitExceeded { what, value, limit }
        }
        Error::Truncated => match budget.truncated("the JPEG ends before its image does") {
            Err(error) => error,
            Ok(()) => {
                OptimizeError::invalid("truncated file: nothing of the JPEG's image is there")
            }
        },
        error => match budget.check_time() {
            Err(over) => over,
            Ok(()) => OptimizeError::invalid(error.to_string()),
        },
    }
}

/// What the numbers mean. Browsers apply an RGB profile to a gray picture too, as to one whose red, green
/// and blue are equal.
fn color_tag(jpeg: &JpegHeader<'_>) -> ColorTag {
    /// Where a profile says what colours it is for (ICC.1:2022, section 7.2).
    const SPACE: std::ops::Range<usize> = 16..20;
    match &jpeg.profile {
        Some(profile) if jpeg.color == Color::Gray && profile.get(SPACE) == Some(b"RGB ") => {
            ColorTag::GrayAxis(profile.to_vec())
        }
        Some(profile) => ColorTag::Icc(profile.to_vec()),
        None => ColorTag::Srgb,
    }
}

fn pixels(color: Color, planes: Vec<Plane>) -> Option<Pixels> {
    let mut components = planes.into_iter().map(|plane| Component {
        extent: (plane.exact_width, plane.exact_height),
        raster: Raster {
            layout: Layout::Gray,
            width: plane.width,
            height: plane.height,
            stride: plane.stride,
            data: plane.data,
        },
    });
    let first = components.next()?;
    if color == Color::Gray {
        return Some(Pixels::Packed(first));
    }
    let three = Box::new([first, components.next()?, components.next()?]);
    match color {
        Color::YCbCr => Some(Pixels::Ycc(three, Range::Full)),
        Color::Rgb => Some(Pixels::Rgb(three)),
        Color::Cmyk => Some(Pixels::Cmyk(three, components.next()?, Inks::Inverted)),
        Color::Ycck => Some(Pixels::Cmyk(three, components.next()?, Inks::Ycc)),
        _ => None,
    }
}
