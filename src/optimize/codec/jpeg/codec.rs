//! JPEG as the optimizer sees it: planes at a fraction of the size where that is enough; written with
//! mozjpeg's quantisation tables and Huffman codes made for the image.

use crate::optimize::budget::Budget;
use crate::optimize::codec::{Codec, Decoded, Facts, File, Wanted};
use crate::optimize::color::ColorTag;
use crate::optimize::raster::{Component, Frame, Inks, Layout, Pixels, Range, Raster};
use crate::optimize::ycbcr::Matrix;
use crate::optimize::{OptimizeError, OptimizeOptions, ycbcr};

#[cfg(feature = "tiff")]
use super::Planes;
use super::encode::{Coefficients, EncodeError, Picture, Quantization, Samples};
use super::index::{EXIF, Index, is_frame};
use super::segments::{APP0, APP1, APP14, DHT, DQT, DRI, EOI, SOI, SOS, scan_end};
use super::{Color, DecodeLimits, Error, Plane, decode_indexed};

/// Samples decoded per pixel of the result, in each direction, beyond which the inverse DCT leaves out
/// detail. The rest of the way is Lanczos3's, which needs some of it.
const MARGIN: f64 = 1.5;

pub(in crate::optimize::codec) const CODEC: Codec = Codec {
    open: |bytes, budget| match Index::new(bytes, budget.limits.max_scans) {
        Ok(index) => Ok(Box::new(index)),
        Err(error) => Err(refusal(error, budget)),
    },
    encode,
    has_alpha: false,
    takes_planes: |_| true,
};

fn encode(
    frame: Frame,
    options: &OptimizeOptions,
    exif: Option<&[u8]>,
    _budget: &Budget<'_>,
) -> Result<Vec<u8>, OptimizeError> {
    let frame = match frame {
        Frame::Packed(raster) if raster.layout == Layout::Rgb => ycbcr::from_rgb(&raster),
        frame => frame,
    };
    let picture = match &frame {
        Frame::Ycc420(planes) => Picture::YCbCr420(planes.each_ref().map(samples)),
        Frame::Packed(raster) => Picture::Gray(samples(raster)),
    };
    let refused =
        |error: EncodeError| OptimizeError::invalid(format!("not encodable as JPEG: {error}"));
    let quantization = [Quantization::new(options.quality); 2];
    let coefficients = Coefficients::new(&picture, &quantization).map_err(refused)?;
    // What is written takes as much memory again.
    drop(frame);
    let exif: Option<Vec<u8>> = exif.map(|tiff| [EXIF, tiff].concat());
    let segments: Vec<(u8, &[u8])> = exif.iter().map(|body| (1, &body[..])).collect();
    let write = |progressive| coefficients.write(progressive, &segments).map_err(refused);
    let baseline = write(false)?;
    if !options.progressive {
        return Ok(baseline);
    }
    let progressive = write(true)?;
    Ok(if progressive.len() < baseline.len() {
        progressive
    } else {
        baseline
    })
}

impl File for Index<'_> {
    fn facts(&self) -> &Facts<'_> {
        &self.facts
    }

    fn decode(&self, wanted: Wanted, budget: &Budget<'_>) -> Result<Decoded, OptimizeError> {
        let expired = || budget.check_time().is_err();
        let limits = limits(budget, &expired);
        let (wanted_width, wanted_height) = (
            f64::from(self.header.width) / wanted.reduction * MARGIN,
            f64::from(self.header.height) / wanted.reduction * MARGIN,
        );
        let halved = wanted.half_chroma && self.header.color == Color::YCbCr;
        let scale = |component: usize, width: f64, height: f64| {
            let share = if halved && component > 0 { 0.5 } else { 1.0 };
            let eighths = (wanted_width * share / width).max(wanted_height * share / height) * 8.0;
            // Less than a hundredth of an eighth is rounding.
            (eighths - 0.01).ceil().clamp(1.0, 8.0) as usize
        };
        let decoded =
            decode_indexed(self, &limits, &scale).map_err(|error| refusal(error, budget))?;
        Ok(Decoded {
            pixels: pixels(decoded.color, decoded.planes)
                .ok_or_else(|| OptimizeError::invalid("damaged JPEG: a component is missing"))?,
            color: color_tag(self),
            truncated: decoded.truncated,
            damaged: decoded.damaged,
            spare: decoded.spare,
        })
    }

    /// Tables, frame, scans and end; JFIF and Adobe segments anew, without the thumbnails and versions they
    /// may carry.
    fn strip(&self, exif: Option<&[u8]>) -> Option<Vec<u8>> {
        if !matches!(self.header.color, Color::Gray | Color::YCbCr) {
            return None;
        }
        let mut stripped = vec![0xff, SOI];
        if self.jfif {
            segment(&mut stripped, APP0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0")?;
        }
        if let Some(tiff) = exif {
            segment(&mut stripped, APP1, &[EXIF, tiff].concat())?;
        }
        if let Some(transform) = self.header.adobe_transform {
            let payload = [&b"Adobe\0\x64\0\0\0\0"[..], &[transform]].concat();
            segment(&mut stripped, APP14, &payload)?;
        }
        let mut segments = self.segments();
        loop {
            let next = segments.next().ok()?;
            match next.marker {
                EOI => break,
                // Tables from the first byte to the last.
                DHT | DQT => segment(&mut stripped, next.marker, next.body)?,
                // T.81, B.2: without what they are longer than what they say.
                DRI => segment(&mut stripped, next.marker, next.body.get(..2)?)?,
                marker if is_frame(marker) => {
                    let components = usize::from(*next.body.get(5)?);
                    let frame = next.body.get(..6 + 3 * components)?;
                    segment(&mut stripped, next.marker, frame)?;
                }
                SOS => {
                    let components = usize::from(*next.body.first()?);
                    let scan = next.body.get(..4 + 2 * components)?;
                    segment(&mut stripped, SOS, scan)?;
                    let end = scan_end(segments.data, next.end);
                    stripped.extend_from_slice(&segments.data[next.end..end]);
                    segments.at = end;
                }
                // Application data, comments, and what no decoder needs.
                _ => {}
            }
        }
        stripped.extend_from_slice(&[0xff, EOI]);
        Some(stripped)
    }
}

fn segment(out: &mut Vec<u8>, marker: u8, payload: &[u8]) -> Option<()> {
    let length = u16::try_from(payload.len() + 2).ok()?;
    out.extend_from_slice(&[0xff, marker]);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(payload);
    Some(())
}

/// Decodes a JPEG that is part of another file: its planes at full size, if it is at most `most` pixels wide and high.
/// It may be damaged entirely: how much may be lost is said of all of the file.
#[cfg(feature = "tiff")]
pub(in crate::optimize::codec) fn decode_part(
    bytes: &[u8],
    most: (u32, u32),
    budget: &Budget<'_>,
) -> Result<Planes, OptimizeError> {
    let index =
        Index::new(bytes, budget.limits.max_scans).map_err(|error| refusal(error, budget))?;
    let (width, height) = (index.header.width, index.header.height);
    if width > most.0 || height > most.1 {
        return Err(OptimizeError::invalid("damaged JPEG: larger than its part"));
    }
    let expired = || budget.check_time().is_err();
    let mut limits = limits(budget, &expired);
    limits.max_damage = 1.0;
    decode_indexed(&index, &limits, &|_, _, _| 8).map_err(|error| refusal(error, budget))
}

fn limits<'a>(budget: &Budget<'_>, expired: &'a dyn Fn() -> bool) -> DecodeLimits<'a> {
    let mut limits = DecodeLimits::default();
    limits.max_pixels = budget.limits.max_pixels;
    limits.max_scans = budget.limits.max_scans;
    limits.max_bytes = budget.limits.max_decode_bytes;
    limits.accept_truncated = budget.accept_truncated;
    limits.max_damage = budget.max_damage;
    limits.expired = Some(expired);
    limits
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

/// What the numbers mean.
fn color_tag(index: &Index<'_>) -> ColorTag {
    let gray = index.header.color == Color::Gray;
    let profile = index.profile.assemble();
    profile.map_or(ColorTag::Srgb, |icc| ColorTag::of_profile(icc, gray))
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
        Color::YCbCr => Some(Pixels::Ycc(three, Range::Full, Matrix::JFIF)),
        Color::Rgb => Some(Pixels::Rgb(three)),
        Color::Cmyk => Some(Pixels::Cmyk(three, components.next()?, Inks::Inverted)),
        Color::Ycck => Some(Pixels::Cmyk(three, components.next()?, Inks::Ycc)),
        _ => None,
    }
}

fn samples(raster: &Raster) -> Samples<'_> {
    Samples {
        width: raster.width,
        height: raster.height,
        stride: raster.stride,
        data: &raster.data,
    }
}
