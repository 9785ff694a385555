//! A small picture of what came in, for whoever has to look at it.

use std::fmt;

use super::alpha::expand_gray;
use super::raster::{Layout, Raster};

/// The longer side of the picture at most.
pub(super) const SIDE: u32 = 512;

/// A small picture: upright, in sRGB, without alpha, at most 512 pixels a side.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    width: u32,
    height: u32,
    rgb: Vec<u8>,
}

impl Picture {
    /// Takes a raster without alpha.
    pub(super) fn new(raster: Raster) -> Self {
        let raster = match raster.layout {
            Layout::Gray => expand_gray(raster),
            _ => raster,
        };
        Self {
            width: raster.width as u32,
            height: raster.height as u32,
            rgb: raster.rows().flatten().copied().collect(),
        }
    }

    /// Its width in pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Its height in pixels.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Its pixels row by row, three bytes each: red, green, blue.
    pub fn rgb(&self) -> &[u8] {
        &self.rgb
    }

    /// The same as a PNG file, for a service or another library.
    pub fn to_png(&self) -> Vec<u8> {
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, self.width, self.height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_compression(png::Compression::Fast);
        let written = encoder
            .write_header()
            .and_then(|mut writer| writer.write_image_data(&self.rgb));
        debug_assert!(written.is_ok(), "memory takes everything");
        file
    }
}

impl fmt::Debug for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Picture({} x {})", self.width, self.height)
    }
}
