//! What goes into a decode and what comes out of it.

use std::fmt;

/// What one decode may cost, and how it treats a file that ends too early.
#[derive(Clone)]
#[non_exhaustive]
pub struct DecodeLimits<'a> {
    /// Pixels of the image at full size.
    pub max_pixels: u64,
    /// Scans of the file.
    pub max_scans: u32,
    /// Bytes that the decoder may hold at once, its planes among them.
    pub max_bytes: u64,
    /// Take a truncated file as far as it decodes; [`Planes::truncated`] tells.
    pub accept_truncated: bool,
    /// The share of a scan that may be missing in front of the image's end marker, 0 to 1; where it is more
    /// the file is truncated.
    pub max_damage: f64,
    /// Asked once for every row of MCUs whether the caller's time is up.
    pub expired: Option<&'a dyn Fn() -> bool>,
}

impl Default for DecodeLimits<'_> {
    /// 64 million pixels, 100 scans, 512 MiB, no truncated files and no end of time.
    fn default() -> Self {
        Self {
            max_pixels: 64_000_000,
            max_scans: 100,
            max_bytes: 512 << 20,
            accept_truncated: false,
            max_damage: 0.05,
            expired: None,
        }
    }
}

impl fmt::Debug for DecodeLimits<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DecodeLimits")
            .field("max_pixels", &self.max_pixels)
            .field("max_scans", &self.max_scans)
            .field("max_bytes", &self.max_bytes)
            .field("accept_truncated", &self.accept_truncated)
            .field("max_damage", &self.max_damage)
            .field("expired", &self.expired.map(|_| "Fn() -> bool"))
            .finish()
    }
}

/// What the headers in front of the first scan say.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Header {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Bits of a sample.
    pub precision: u8,
    /// How the samples are coded.
    pub process: Process,
    /// The components in the order of the frame header.
    pub components: Vec<Component>,
    /// What the components mean.
    pub color: Color,
    /// The transform of an Adobe APP14 segment, where there is one.
    pub adobe_transform: Option<u8>,
    /// MCUs between two restart markers; 0 where there are none.
    pub restart_interval: u16,
}

/// How the samples are coded: the frame marker (T.81, table B.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Process {
    /// SOF0.
    Baseline,
    /// SOF1: sequential, more tables, 16-bit quantisation.
    Extended,
    /// SOF2.
    Progressive,
    /// SOF3 and SOF11, which this decoder does not take; nor does it take the others that follow.
    Lossless,
    /// SOF5 to SOF7 and SOF13 to SOF15, or a DHP segment.
    Hierarchical,
    /// SOF9 and SOF10.
    Arithmetic,
}

/// One component of the frame header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Component {
    /// Its identifier.
    pub id: u8,
    /// Horizontal sampling factor, 1 to 4.
    pub horizontal: u8,
    /// Vertical sampling factor, 1 to 4.
    pub vertical: u8,
    /// Which of the four quantisation tables it uses.
    pub quantization: u8,
}

/// What the components mean, by the rules that libjpeg made common: a JFIF segment, then an Adobe
/// segment, then the identifiers decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Color {
    /// One component.
    Gray,
    /// Three: luma, blue difference, red difference (JFIF: ITU-R BT.601, full range).
    YCbCr,
    /// Three: red, green, blue.
    Rgb,
    /// Four: cyan, magenta, yellow and black, inverted (0 is full ink), as Adobe's programs write them.
    Cmyk,
    /// Four: luma and two chroma planes of inverted inks' complements, and inverted black.
    Ycck,
    /// Any other count.
    Other,
}

impl Color {
    /// What components with these identifiers mean, in the order in which libjpeg asks
    /// (`default_decompress_parms`).
    pub(super) fn new(
        ids: impl ExactSizeIterator<Item = u8>,
        jfif: bool,
        adobe_transform: Option<u8>,
    ) -> Self {
        match (ids.len(), jfif, adobe_transform) {
            (1, ..) => Self::Gray,
            (3, false, Some(0)) => Self::Rgb,
            (3, false, None) if ids.eq(*b"RGB") => Self::Rgb,
            (3, ..) => Self::YCbCr,
            (4, _, None | Some(0)) => Self::Cmyk,
            (4, ..) => Self::Ycck,
            _ => Self::Other,
        }
    }
}

/// The decoded components, one plane each, none of them converted or resampled.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Planes {
    /// Width of the image at full size, in pixels.
    pub width: u32,
    /// Height of the image at full size, in pixels.
    pub height: u32,
    /// What the planes mean.
    pub color: Color,
    /// The transform of an Adobe APP14 segment, where there is one.
    pub adobe_transform: Option<u8>,
    /// One plane, or three or four in the order of [`Color`].
    pub planes: Vec<Plane>,
    /// Whether the file ended early; what is missing is mid-grey, or coarse in a progressive file.
    pub truncated: bool,
    /// The share of the picture, 0 to 1, for which no code was read; it is mid-grey.
    pub damaged: f64,
    /// Whether scans or tables hold bytes that the image did not need, or what other decoders refuse.
    pub spare: bool,
}

/// One component at `eighths`/8 of its own full size.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Plane {
    /// The scale in eighths, 1 to 8.
    pub eighths: usize,
    /// Samples in a row: `exact_width` rounded up.
    pub width: usize,
    /// Rows: `exact_height` rounded up.
    pub height: usize,
    /// The width that the scaled component really has; the last column may be covered in part only.
    pub exact_width: f64,
    /// The height that the scaled component really has.
    pub exact_height: f64,
    /// Samples from the start of a row to the start of the next, at least `width`.
    pub stride: usize,
    /// The samples; at least `height` rows of `stride`. What lies outside width and height is padding.
    pub data: Vec<u8>,
}

impl Plane {
    /// The samples of row `y`, `width` of them; empty outside the plane.
    pub fn row(&self, y: usize) -> &[u8] {
        if y >= self.height {
            return &[];
        }
        let start = y * self.stride;
        self.data.get(start..start + self.width).unwrap_or_default()
    }
}

impl fmt::Debug for Plane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plane")
            .field("eighths", &self.eighths)
            .field("width", &self.width)
            .field("height", &self.height)
            .field("stride", &self.stride)
            .finish_non_exhaustive()
    }
}
