//! Strip by strip, or tile by tile, always to 8 bits a channel.

use tiff::ColorType;
use tiff::decoder::ChunkType;
use tiff::tags::{SampleFormat, Tag};

use crate::optimize::OptimizeError;
use crate::optimize::alpha::divided;
use crate::optimize::budget::Budget;
use crate::optimize::codec::{Decoded, byte_count};
use crate::optimize::raster::{Layout, Raster};
use crate::optimize::ycbcr::to_rgb;

use super::jpegs::Jpegs;
use super::samples::{SampleType, to_bytes};
use super::{Reader, TiffFile, error, reader};

/// What the samples of a pixel are, in the order of the file.
struct Form {
    layout: Layout,
    /// Samples of a pixel that are read, more than the layout has where some are left out.
    samples: usize,
    kind: SampleType,
    is_ycbcr: bool,
    /// Whether the colours are multiplied by alpha.
    premultiplied: bool,
    /// Whether each kind of sample has strips of its own.
    planar: bool,
}

pub(super) fn decode(file: &TiffFile<'_>, budget: &Budget<'_>) -> Result<Decoded, OptimizeError> {
    let mut reader = reader(&file.bytes, budget)?;
    let form = Form::of(&mut reader, file.palette.is_some())?;
    let (width, height) = (file.facts.width, file.facts.height);
    budget.check_memory(byte_count(
        width,
        height,
        form.samples + form.layout.channels(),
    ))?;
    let mut jpegs = Jpegs::of(&file.bytes, &mut reader)?;
    let samples = read(file, &mut reader, &form, jpegs.as_mut(), budget)?;
    budget.check_time()?;
    let data = form.pixels(samples, file.palette.as_deref());
    let profile = match reader.find_tag(Tag::IccProfile).map_err(error)? {
        Some(profile) => profile.into_u8_vec().ok(),
        None => None,
    };
    let raster = Raster::new(form.layout, width as usize, height as usize, data);
    let mut decoded = Decoded::packed(raster, profile);
    if let Some(jpegs) = jpegs {
        decoded.truncated = jpegs.truncated;
        let planes = if form.planar { form.samples } else { 1 };
        decoded.damaged = jpegs.lost / byte_count(width, height, planes) as f64;
    }
    Ok(decoded)
}

fn rare() -> OptimizeError {
    OptimizeError::UnsupportedFormat {
        name: "TIFF of a rare kind",
    }
}

impl Form {
    fn of(reader: &mut Reader<'_>, is_palette: bool) -> Result<Self, OptimizeError> {
        const ASSOCIATED: u16 = 1;
        const UNASSOCIATED: u16 = 2;
        const PLANAR: u16 = 2;
        let color = reader.colortype().map_err(error)?;
        let list =
            |reader: &mut Reader<'_>, tag| reader.find_tag_unsigned_vec::<u16>(tag).map_err(error);
        let extra = list(reader, Tag::ExtraSamples)?.unwrap_or_default();
        let extra = extra.first().copied().unwrap_or(0);
        let format = list(reader, Tag::SampleFormat)?.unwrap_or_default();
        let format = format
            .first()
            .copied()
            .unwrap_or(SampleFormat::Uint.to_u16());
        let planar = list(reader, Tag::PlanarConfiguration)?
            .is_some_and(|kind| kind.first() == Some(&PLANAR));
        let bits = color.bit_depth();
        let kind = match (SampleFormat::from_u16_exhaustive(format), bits) {
            (SampleFormat::Uint | SampleFormat::Void, 1..=8) if is_palette => {
                SampleType::Index(bits)
            }
            // Packed samples of another byte order would have been turned around.
            (SampleFormat::Uint | SampleFormat::Void, 1..=8 | 16 | 32) => SampleType::Bits(bits),
            (SampleFormat::Uint, 9..=15)
                if reader.byte_order() == tiff::tags::ByteOrder::native() =>
            {
                SampleType::Bits(bits)
            }
            (SampleFormat::IEEEFP, 32) => SampleType::Float,
            _ => return Err(rare()),
        };
        let has_alpha = matches!(extra, ASSOCIATED | UNASSOCIATED);
        let layout = match color {
            ColorType::Gray(_) if is_palette => Layout::Rgb,
            ColorType::Gray(_) => Layout::Gray,
            ColorType::Multiband { .. } if is_palette => Layout::Rgb,
            ColorType::Multiband { .. } if has_alpha => Layout::GrayAlpha,
            ColorType::Multiband { .. } => Layout::Gray,
            ColorType::RGB(_) | ColorType::YCbCr(8) => Layout::Rgb,
            // Without the tag what the fourth sample means is not told: nothing, to most programs.
            ColorType::RGBA(_) if has_alpha => Layout::Rgba,
            ColorType::RGBA(_) => Layout::Rgb,
            ColorType::CMYK(_) | ColorType::CMYKA(_) => Layout::Cmyk,
            _ => return Err(rare()),
        };
        Ok(Self {
            layout,
            samples: usize::from(color.num_samples()),
            kind,
            is_ycbcr: matches!(color, ColorType::YCbCr(_)),
            premultiplied: layout.has_alpha() && extra == ASSOCIATED,
            planar,
        })
    }

    /// The samples of all pixels as the layout has them.
    fn pixels(&self, samples: Vec<u8>, palette: Option<&[u8]>) -> Vec<u8> {
        let channels = self.layout.channels();
        if let Some(palette) = palette {
            let (colors, _) = palette.as_chunks::<3>();
            let pixels = samples.chunks_exact(self.samples);
            let color = |pixel: &[u8]| colors.get(usize::from(pixel[0])).copied().unwrap_or([0; 3]);
            return pixels.flat_map(color).collect();
        }
        let mut data = match self.samples == channels {
            true => samples,
            false => samples
                .chunks_exact(self.samples)
                .flat_map(|pixel| &pixel[..channels])
                .copied()
                .collect(),
        };
        if self.is_ycbcr {
            for pixel in data.as_chunks_mut::<3>().0 {
                *pixel = to_rgb(pixel[0], pixel[1], pixel[2]);
            }
        }
        if self.premultiplied {
            for pixel in data.chunks_exact_mut(channels) {
                if let [colors @ .., alpha] = pixel {
                    for color in colors {
                        *color = divided(*color, *alpha);
                    }
                }
            }
        }
        data
    }
}

/// All samples, those of a pixel side by side.
fn read(
    file: &TiffFile<'_>,
    reader: &mut Reader<'_>,
    form: &Form,
    mut jpegs: Option<&mut Jpegs<'_>>,
    budget: &Budget<'_>,
) -> Result<Vec<u8>, OptimizeError> {
    let (width, height) = (file.facts.width, file.facts.height);
    let chunk = reader.chunk_dimensions();
    let chunk = match reader.get_chunk_type() {
        // Rows of a strip beyond the picture are not there.
        ChunkType::Strip => (width, chunk.1.min(height)),
        ChunkType::Tile => chunk,
    };
    budget.check_size(chunk.0, chunk.1)?;
    let (across, down) = (width.div_ceil(chunk.0), height.div_ceil(chunk.1));
    let planes = if form.planar { form.samples } else { 1 };
    let per_chunk = if form.planar { 1 } else { form.samples };
    let mut samples = vec![0; width as usize * height as usize * form.samples];
    let (mut packed, mut bytes) = (Vec::new(), Vec::new());
    let mut index = 0;
    for plane in 0..planes {
        for chunk_index in 0..across * down {
            budget.check_time()?;
            let layout = reader.image_chunk_buffer_layout(index).map_err(error)?;
            let stride = layout.row_stride.map_or(1, |stride| stride.get());
            // A JPEG's planes are there beside their samples.
            let copies = if jpegs.is_some() { 3 } else { 1 };
            budget.check_memory(samples.len() as u64 + copies * layout.len as u64)?;
            packed.clear();
            packed.resize(layout.len, 0);
            let left = chunk_index % across * chunk.0;
            let top = chunk_index / across * chunk.1;
            let shown = (chunk.0.min(width - left), chunk.1.min(height - top));
            match &mut jpegs {
                Some(jpegs) => {
                    // A JPEG may be padded to whole blocks.
                    let sizes = (shown, (chunk.0 + 64, chunk.1 + 64));
                    jpegs.read(index, sizes, per_chunk, (&mut packed, stride), budget)?;
                }
                None => reader.read_chunk_bytes(index, &mut packed).map_err(error)?,
            }
            index += 1;
            let (columns, rows) = (shown.0 as usize, shown.1 as usize);
            for (y, row) in packed.chunks(stride).take(rows).enumerate() {
                to_bytes(row, form.kind, columns * per_chunk, &mut bytes);
                let pixel = (top as usize + y) * width as usize + left as usize;
                let row = &mut samples[pixel * form.samples..][..columns * form.samples];
                if form.planar {
                    for (pixel, byte) in row.chunks_exact_mut(form.samples).zip(&bytes) {
                        pixel[plane] = *byte;
                    }
                } else {
                    row.copy_from_slice(&bytes);
                }
            }
        }
    }
    Ok(samples)
}
