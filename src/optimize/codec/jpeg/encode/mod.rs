//! Our own JPEG encoder: component planes in, a file with Huffman codes made for it out.
//!
//! Baseline (ITU-T T.81, SOF0, one interleaved scan) or progressive (SOF2, with successive
//! approximation). Planes go in as they are, without conversion or resampling.
//!
//! From the planes to the bytes: `blocks` cuts them up, transforms with `fdct` and quantises;
//! `sequential` and `progressive` turn the coefficients of a scan into `tokens`; `huffman` makes
//! the codes that are best for these; `writer` puts headers and bits together.

mod blocks;
mod fdct;
mod huffman;
mod progressive;
mod quantization;
mod sequential;
mod tokens;
mod writer;

use std::fmt;

pub use quantization::Quantization;

use blocks::Blocks;
use writer::Writer;

/// One component to encode.
#[derive(Debug, Clone, Copy)]
pub struct Samples<'a> {
    /// Samples in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Samples from the start of a row to the start of the next, at least `width`.
    pub stride: usize,
    /// The samples, row by row.
    pub data: &'a [u8],
}

/// The picture to encode.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Picture<'a> {
    /// One component.
    Gray(Samples<'a>),
    /// Luma, blue and red difference of one size.
    YCbCr444([Samples<'a>; 3]),
    /// The same with both differences halved in both directions, odd sizes rounded up.
    YCbCr420([Samples<'a>; 3]),
}

/// How to encode.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EncodeOptions<'a> {
    /// Quantisation of luma, or gray, and of chroma.
    pub quantization: [Quantization; 2],
    /// Several scans, the image getting finer with each: a few percent fewer bytes.
    pub progressive: bool,
    /// Application segments: the number n of APPn, 0 to 15, and what is in it.
    pub segments: &'a [(u8, &'a [u8])],
}

impl EncodeOptions<'_> {
    /// Baseline at a quality of 1 to 100, with the quantisation tables that mozjpeg uses.
    pub fn new(quality: u8) -> Self {
        let quantization = Quantization::new(quality);
        Self {
            quantization: [quantization; 2],
            progressive: false,
            segments: &[],
        }
    }
}

/// A picture that is none.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodeError {
    /// A side is 0, or over the 65535 pixels that the format can tell.
    Size,
    /// A plane has fewer samples than its size says, or not the size that its sampling asks for.
    Samples,
    /// An application segment of more than 65533 bytes, or with a number above 15.
    Segment,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Size => "a side of the picture is 0 or over 65535 pixels",
            Self::Samples => "a plane does not have the samples that the picture asks for",
            Self::Segment => "an application segment is too long, or its number is above 15",
        })
    }
}

impl std::error::Error for EncodeError {}

/// The dead zone of fine luma, in quantisation steps: such coefficients are the more frequent the smaller they
/// are. On photographs at quality 85 it takes 2.1 % of the bytes for 0.2 points of SSIMULACRA2; for all
/// coefficients, or for chroma, the same bytes cost half as much again and twice as much.
const LUMA_DEAD_ZONE: f32 = 0.06;

/// One component as the encoder sees it.
struct Component {
    /// Sampling factors: blocks of an MCU, across and down.
    horizontal: usize,
    vertical: usize,
    /// Which quantisation and Huffman tables it uses: 0 for luma, 1 for chroma.
    table: usize,
    blocks: Blocks,
}

/// All that is to be written of a picture: its samples are not needed any more.
pub struct Coefficients {
    width: u16,
    height: u16,
    /// MCUs.
    across: usize,
    down: usize,
    components: Vec<Component>,
    quantization: [Quantization; 2],
}

/// Encodes a picture as a JPEG file.
///
/// # Errors
///
/// [`EncodeError`]: the planes are not what the picture asks for.
pub fn encode(picture: &Picture<'_>, options: &EncodeOptions<'_>) -> Result<Vec<u8>, EncodeError> {
    Coefficients::new(picture, &options.quantization)?.write(options.progressive, options.segments)
}

impl Coefficients {
    /// Transforms and quantises a picture, with the tables of luma, or gray, and of chroma.
    ///
    /// # Errors
    ///
    /// [`EncodeError`]: the planes are not what the picture asks for.
    pub fn new(
        picture: &Picture<'_>,
        quantization: &[Quantization; 2],
    ) -> Result<Self, EncodeError> {
        let (planes, factor): (&[Samples<'_>], usize) = match picture {
            Picture::Gray(gray) => (std::slice::from_ref(gray), 1),
            Picture::YCbCr444(planes) => (planes, 1),
            Picture::YCbCr420(planes) => (planes, 2),
        };
        let Some(first) = planes.first() else {
            return Err(EncodeError::Samples);
        };
        let side = |side: usize| {
            u16::try_from(side)
                .ok()
                .filter(|&side| side > 0)
                .ok_or(EncodeError::Size)
        };
        let (width, height) = (side(first.width)?, side(first.height)?);
        let mut components = Vec::new();
        for (index, plane) in planes.iter().enumerate() {
            let (factor, share) = if index == 0 { (factor, 1) } else { (1, factor) };
            let table = usize::from(index > 0);
            let expected = (first.width.div_ceil(share), first.height.div_ceil(share));
            let enough = plane.stride >= plane.width
                && plane.data.len()
                    >= plane
                        .height
                        .saturating_sub(1)
                        .saturating_mul(plane.stride)
                        .saturating_add(plane.width);
            if (plane.width, plane.height) != expected || !enough {
                return Err(EncodeError::Samples);
            }
            let dead_zone = if table == 0 { LUMA_DEAD_ZONE } else { 0.0 };
            let blocks = Blocks::new(plane, &quantization[table], dead_zone);
            components.push(Component {
                horizontal: factor,
                vertical: factor,
                table,
                blocks,
            });
        }
        Ok(Self {
            width,
            height,
            across: first.width.div_ceil(8 * factor),
            down: first.height.div_ceil(8 * factor),
            components,
            quantization: *quantization,
        })
    }

    /// Writes the file, baseline or progressive, with these application segments ([`EncodeOptions`]).
    ///
    /// # Errors
    ///
    /// [`EncodeError::Segment`].
    pub fn write(
        &self,
        progressive: bool,
        segments: &[(u8, &[u8])],
    ) -> Result<Vec<u8>, EncodeError> {
        let mut writer = Writer::new(self, progressive, segments)?;
        match progressive {
            true => progressive::write(self, &mut writer),
            false => sequential::write(self, &mut writer),
        }
        Ok(writer.finish())
    }
}
