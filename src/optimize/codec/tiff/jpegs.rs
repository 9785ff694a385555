//! Strips and tiles that are JPEGs (TIFF Technical Note 2), by the project's own decoder, which tells what is damaged.

use tiff::decoder::ChunkType;
use tiff::tags::Tag;

use crate::optimize::OptimizeError;
use crate::optimize::budget::Budget;
use crate::optimize::codec::jpeg::{Plane, decode_part};
use crate::optimize::geometry::Rect;
use crate::optimize::raster::{Component, Layout, Raster};
use crate::optimize::resize::{Resizer, resample};

use super::{Reader, error};

pub(super) struct Jpegs<'a> {
    file: &'a [u8],
    /// Where each begins, and how many bytes it has.
    places: Vec<(u64, u64)>,
    /// What all of them begin with: the tables that they share, in a JPEG without a picture, its end left out.
    tables: Vec<u8>,
    /// True if 0 is white.
    is_inverted: bool,
    resizer: Resizer,
    /// Pixels that were lost and filled in.
    pub(super) lost: f64,
    pub(super) truncated: bool,
}

impl<'a> Jpegs<'a> {
    /// `None` for a file of another compression.
    pub(super) fn of(
        file: &'a [u8],
        reader: &mut Reader<'_>,
    ) -> Result<Option<Self>, OptimizeError> {
        const JPEG: u16 = 7;
        const WHITE_IS_ZERO: u16 = 0;
        let compression: Option<u16> = reader.find_tag_unsigned(Tag::Compression).map_err(error)?;
        if compression != Some(JPEG) {
            return Ok(None);
        }
        let (places, sizes) = match reader.get_chunk_type() {
            ChunkType::Strip => (Tag::StripOffsets, Tag::StripByteCounts),
            ChunkType::Tile => (Tag::TileOffsets, Tag::TileByteCounts),
        };
        let places = reader.get_tag_u64_vec(places).map_err(error)?;
        let sizes = reader.get_tag_u64_vec(sizes).map_err(error)?;
        let mut tables = match reader.find_tag(Tag::JPEGTables).map_err(error)? {
            Some(tables) => tables.into_u8_vec().map_err(error)?,
            None => Vec::new(),
        };
        tables.truncate(tables.len().saturating_sub(2));
        let kind = reader.find_tag_unsigned(Tag::PhotometricInterpretation);
        Ok(Some(Self {
            file,
            places: places.into_iter().zip(sizes).collect(),
            tables,
            is_inverted: kind.map_err(error)? == Some(WHITE_IS_ZERO),
            resizer: Resizer::default(),
            lost: 0.0,
            truncated: false,
        }))
    }

    /// Decodes one to rows of `stride` bytes, `samples` a pixel side by side. Those of `shown` pixels are seen, and
    /// `most` is how large it may be: its decoder would allocate what it says.
    pub(super) fn read(
        &mut self,
        index: u32,
        (shown, most): ((u32, u32), (u32, u32)),
        samples: usize,
        (packed, stride): (&mut [u8], usize),
        budget: &Budget<'_>,
    ) -> Result<(), OptimizeError> {
        let damaged = || OptimizeError::invalid("a damaged JPEG in a TIFF");
        let part = self.part(index).ok_or_else(damaged)?;
        let bytes = match (part, self.tables.is_empty()) {
            (part, true) => part,
            // The tables have its start already.
            (part, false) => &[&self.tables, part.get(2..).unwrap_or_default()].concat(),
        };
        let decoded = decode_part(bytes, most, budget)?;
        let size = (decoded.width, decoded.height);
        if decoded.planes.len() != samples || size.0 < shown.0 || size.1 < shown.1 {
            return Err(damaged());
        }
        self.truncated |= decoded.truncated;
        self.lost += decoded.damaged * f64::from(shown.0) * f64::from(shown.1);
        for (sample, plane) in decoded.planes.into_iter().enumerate() {
            let plane = whole(plane, size, &mut self.resizer)?;
            for (row, from) in packed.chunks_mut(stride).zip(plane.rows()) {
                for (pixel, &value) in row.chunks_exact_mut(samples).zip(from) {
                    pixel[sample] = if self.is_inverted { !value } else { value };
                }
            }
        }
        Ok(())
    }

    fn part(&self, index: u32) -> Option<&'a [u8]> {
        let (place, size) = *self.places.get(index as usize)?;
        let rest = self.file.get(usize::try_from(place).ok()?..)?;
        // What it lacks at the end of the file its decoder misses.
        Some(&rest[..usize::try_from(size).map_or(rest.len(), |size| size.min(rest.len()))])
    }
}

/// A plane with a sample for each pixel.
fn whole(
    plane: Plane,
    (width, height): (u32, u32),
    resizer: &mut Resizer,
) -> Result<Raster, OptimizeError> {
    let raster = Raster {
        layout: Layout::Gray,
        width: plane.width,
        height: plane.height,
        stride: plane.stride,
        data: plane.data,
    };
    if (plane.width, plane.height) == (width as usize, height as usize) {
        return Ok(raster);
    }
    let mut component = Component {
        raster,
        extent: (plane.exact_width, plane.exact_height),
    };
    let all = Rect {
        left: 0.0,
        top: 0.0,
        width: width.into(),
        height: height.into(),
    };
    resample(
        &mut component,
        (width, height),
        all,
        width as usize,
        height as usize,
        resizer,
        true,
    )
}
