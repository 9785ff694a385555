//! With a palette where 256 colours lose nothing, or nothing that shows, else gray, RGB, with alpha where there is some.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Write;

use png::{BitDepth, ColorType, Compression, EncodingError, Filter, Info};

use crate::optimize::OptimizeError;
use crate::optimize::alpha::{self, rgba};
use crate::optimize::budget::Budget;
use crate::optimize::raster::{Frame, Layout, Raster};

use super::quantize::{MAX_COLORS, quantize};

/// How much is compressed between two looks at the clock.
const BYTES_PER_CHECK: usize = 1 << 20;

/// Writes a file. A drawing, of which little is more than lines and areas, may get a palette that is nearly
/// the same, if that is shorter.
pub(super) fn encode(
    frame: Frame,
    is_drawing: bool,
    exif: Option<&[u8]>,
    budget: &Budget<'_>,
) -> Result<Vec<u8>, OptimizeError> {
    let Frame::Packed(raster) = frame else {
        return Err(OptimizeError::invalid("PNG is made from RGB"));
    };
    let raster = narrow(raster);
    let exact = Palette::of(&raster);
    let near = match exact {
        None if is_drawing => Palette::near(&raster),
        _ => None,
    };
    budget.check_time()?;
    let near = near.map(|near| file(&raster, Some(near), exif, budget));
    let exact = file(&raster, exact, exif, budget)?;
    Ok(match near.transpose()? {
        Some(near) if near.len() < exact.len() => near,
        _ => exact,
    })
}

/// A file of these pixels, with a palette or without.
fn file(
    raster: &Raster,
    palette: Option<Palette>,
    exif: Option<&[u8]>,
    budget: &Budget<'_>,
) -> Result<Vec<u8>, OptimizeError> {
    let mut info = Info::with_size(raster.width as u32, raster.height as u32);
    info.exif_metadata = exif.map(|exif| exif.to_vec().into());
    let (data, filter) = match palette {
        Some(palette) => {
            info.color_type = ColorType::Indexed;
            info.bit_depth = palette.bit_depth();
            info.palette = Some(palette.rgb().into());
            info.trns = palette.alpha().map(Into::into);
            (palette.indices(raster).into(), Filter::NoFilter)
        }
        None => {
            info.color_type = match raster.layout {
                Layout::Gray => ColorType::Grayscale,
                Layout::GrayAlpha => ColorType::GrayscaleAlpha,
                Layout::Rgba => ColorType::Rgba,
                Layout::Rgb | Layout::Cmyk => ColorType::Rgb,
            };
            info.bit_depth = BitDepth::Eight;
            (Cow::Borrowed(&raster.data[..]), Filter::Adaptive)
        }
    };
    let written = write(info, filter, &data, budget);
    budget.check_time()?;
    written.map_err(|_| OptimizeError::invalid("the result cannot be written as PNG"))
}

/// The file; only the beginning of one if the time is over before.
fn write(
    info: Info<'_>,
    filter: Filter,
    data: &[u8],
    budget: &Budget<'_>,
) -> Result<Vec<u8>, EncodingError> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::with_info(&mut bytes, info)?;
    encoder.set_compression(Compression::Balanced);
    encoder.set_filter(filter);
    let mut writer = encoder.write_header()?;
    let mut stream = writer.stream_writer_with_size(data.len().clamp(1, BYTES_PER_CHECK))?;
    for part in data.chunks(BYTES_PER_CHECK) {
        if budget.check_time().is_err() {
            break;
        }
        stream.write_all(part)?;
    }
    stream.finish()?;
    writer.finish()?;
    Ok(bytes)
}

/// Drops channels that say nothing: opaque alpha, colour that is gray.
fn narrow(raster: Raster) -> Raster {
    let raster = if raster.is_opaque() {
        alpha::drop_alpha(raster)
    } else {
        raster
    };
    let layout = match raster.layout {
        Layout::Rgb => Layout::Gray,
        Layout::Rgba => Layout::GrayAlpha,
        Layout::Gray | Layout::GrayAlpha | Layout::Cmyk => return raster,
    };
    let channels = raster.layout.channels();
    let mut pixels = raster.data.chunks_exact(channels);
    if !pixels.all(|pixel| pixel[0] == pixel[1] && pixel[1] == pixel[2]) {
        return raster;
    }
    let pixels = raster.data.chunks_exact(channels);
    let data = pixels.flat_map(|pixel| &pixel[2..]).copied().collect();
    Raster::new(layout, raster.width, raster.height, data)
}

fn order(&[red, green, blue, alpha]: &[u8; 4]) -> [u8; 4] {
    [alpha, red, green, blue]
}

/// At most 256 colours, those with transparency first so that tRNS stays short.
struct Palette {
    colors: Vec<[u8; 4]>,
    indices: HashMap<[u8; 4], u8>,
}

impl Palette {
    /// The palette of a raster with few enough colours. Gray needs none: its depth is 8 bits either way, but
    /// up to 16 grays pack more tightly.
    fn of(raster: &Raster) -> Option<Self> {
        let limit = if raster.layout == Layout::Gray {
            16
        } else {
            256
        };
        let mut indices = HashMap::new();
        let mut last = None;
        for pixel in raster.data.chunks_exact(raster.layout.channels()) {
            let color = rgba(raster.layout, pixel);
            if last == Some(color) {
                continue;
            }
            last = Some(color);
            indices.insert(color, 0);
            if indices.len() > limit {
                return None;
            }
        }
        let mut colors: Vec<[u8; 4]> = indices.keys().copied().collect();
        colors.sort_unstable_by_key(order);
        for (index, color) in (0..=255).zip(&colors) {
            indices.insert(*color, index);
        }
        Some(Self { colors, indices })
    }

    /// A palette that stands for more colours than it has.
    fn near(raster: &Raster) -> Option<Self> {
        if raster.layout == Layout::Gray {
            return None;
        }
        let mut counts = HashMap::new();
        for pixel in raster.data.chunks_exact(raster.layout.channels()) {
            *counts.entry(rgba(raster.layout, pixel)).or_insert(0) += 1;
            if counts.len() > MAX_COLORS {
                return None;
            }
        }
        let entries = quantize(&counts)?;
        let mut colors: Vec<[u8; 4]> = entries.values().copied().collect();
        colors.sort_unstable_by_key(order);
        colors.dedup();
        let index = |entry: &[u8; 4]| colors.binary_search_by_key(&order(entry), order).ok();
        let indices = entries.iter().filter_map(|(&color, entry)| {
            let index = u8::try_from(index(entry)?).ok()?;
            Some((color, index))
        });
        Some(Self {
            indices: indices.collect(),
            colors,
        })
    }

    fn bit_depth(&self) -> BitDepth {
        match self.colors.len() {
            0..=2 => BitDepth::One,
            3..=4 => BitDepth::Two,
            5..=16 => BitDepth::Four,
            _ => BitDepth::Eight,
        }
    }

    fn rgb(&self) -> Vec<u8> {
        let colors = self.colors.iter();
        colors.flat_map(|color| &color[..3]).copied().collect()
    }

    fn alpha(&self) -> Option<Vec<u8>> {
        let transparent = self.colors.iter().map(|color| color[3]);
        let alpha: Vec<u8> = transparent.take_while(|&alpha| alpha < 255).collect();
        (!alpha.is_empty()).then_some(alpha)
    }

    /// The indices, packed from the high bits down; every row begins with a byte.
    fn indices(&self, raster: &Raster) -> Vec<u8> {
        let bits = self.bit_depth() as usize;
        let per_byte = 8 / bits;
        let mut packed = Vec::with_capacity(raster.height * raster.width.div_ceil(per_byte));
        for row in raster.rows() {
            let mut pixels = row.chunks_exact(raster.layout.channels());
            while pixels.len() > 0 {
                let mut byte = 0;
                for slot in (0..per_byte).rev() {
                    if let Some(pixel) = pixels.next() {
                        let index = self.indices.get(&rgba(raster.layout, pixel));
                        byte |= index.copied().unwrap_or(0) << (slot * bits);
                    }
                }
                packed.push(byte);
            }
        }
        packed
    }
}
