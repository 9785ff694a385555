//! Pixels in memory: packed or in planes.

use super::ycbcr::Matrix;

/// What the bytes of one pixel are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    Gray,
    GrayAlpha,
    Rgb,
    Rgba,
    /// Cyan, magenta, yellow, black; 255 is full ink.
    Cmyk,
}

impl Layout {
    pub(super) const fn channels(self) -> usize {
        match self {
            Self::Gray => 1,
            Self::GrayAlpha => 2,
            Self::Rgb => 3,
            Self::Rgba | Self::Cmyk => 4,
        }
    }

    pub(super) const fn has_alpha(self) -> bool {
        matches!(self, Self::GrayAlpha | Self::Rgba)
    }
}

/// A rectangle of pixels, rows `stride` pixels apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Raster {
    pub(super) layout: Layout,
    pub(super) width: usize,
    pub(super) height: usize,
    /// Pixels from one row to the next, at least `width`.
    pub(super) stride: usize,
    pub(super) data: Vec<u8>,
}

impl Raster {
    /// Rows that follow each other without a gap.
    pub(super) fn new(layout: Layout, width: usize, height: usize, data: Vec<u8>) -> Self {
        debug_assert_eq!(data.len(), width * height * layout.channels());
        Self {
            layout,
            width,
            height,
            stride: width,
            data,
        }
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = &[u8]> {
        let channels = self.layout.channels();
        let width = self.width * channels;
        self.data
            .chunks((self.stride * channels).max(1))
            .take(self.height)
            .map(move |row| &row[..width])
    }

    /// Whether every pixel is opaque.
    pub(super) fn is_opaque(&self) -> bool {
        let channels = self.layout.channels();
        !self.layout.has_alpha()
            || self.rows().all(|row| {
                row.chunks_exact(channels)
                    .all(|pixel| pixel[channels - 1] == 255)
            })
    }
}

/// How Y'CbCr samples are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Range {
    /// JFIF: 0 to 255 everywhere.
    Full,
    /// BT.601 as in VP8: luma 16 to 235, chroma 16 to 240.
    Limited,
}

/// How the samples of inks are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Inks {
    /// 0 is full ink, as Adobe's programs write them.
    Inverted,
    /// Y'CbCr in place of the first three, whose red, green and blue are the inks; black as above.
    Ycc,
}

/// A component of a decoded picture and how much of it the picture covers.
#[derive(Debug, Clone)]
pub(super) struct Component {
    pub(super) raster: Raster,
    /// Samples that the picture's width and height come to, fractions included: a 3-pixel wide picture
    /// covers 1.5 samples of a halved plane.
    pub(super) extent: (f64, f64),
}

impl Component {
    /// A raster that the picture covers entirely.
    pub(super) fn whole(raster: Raster) -> Self {
        let extent = (raster.width as f64, raster.height as f64);
        Self { raster, extent }
    }
}

/// Decoded pixels, as stored: neither turned nor converted.
#[derive(Debug, Clone)]
pub(super) enum Pixels {
    Packed(Component),
    /// Luma and two chroma components, each at its own resolution.
    Ycc(Box<[Component; 3]>, Range, Matrix),
    /// Red, green and blue, each at its own resolution.
    Rgb(Box<[Component; 3]>),
    /// Cyan, magenta and yellow, and black, each at its own resolution.
    Cmyk(Box<[Component; 3]>, Component, Inks),
}

/// Pixels of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Frame {
    Packed(Raster),
    /// Full-range Y'CbCr with chroma of half the width and height, rounded up.
    Ycc420(Box<[Raster; 3]>),
}

impl Frame {
    pub(super) fn size(&self) -> (usize, usize) {
        match self {
            Self::Packed(raster) => (raster.width, raster.height),
            Self::Ycc420(planes) => (planes[0].width, planes[0].height),
        }
    }
}
