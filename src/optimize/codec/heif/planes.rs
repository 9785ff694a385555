//! What the decoders of single pictures return, and the canvas of bytes that such pictures are put on.

use crate::optimize::OptimizeError;
use crate::optimize::raster::{Component, Layout, Raster};

/// A decoded picture: luma, or luma and twice chroma. With the identity matrix they are green, blue and red.
pub(in crate::optimize::codec) struct Coded {
    pub(in crate::optimize::codec) planes: Vec<Plane>,
    /// How many pixels a sample of chroma covers, across and down.
    pub(in crate::optimize::codec) sampling: (u32, u32),
    pub(in crate::optimize::codec) points: CodePoints,
}

/// Samples of one kind, row by row without gaps.
pub(in crate::optimize::codec) struct Plane {
    pub(in crate::optimize::codec) width: u32,
    pub(in crate::optimize::codec) height: u32,
    /// Bits of a sample, 8 to 16.
    pub(in crate::optimize::codec) depth: u8,
    pub(in crate::optimize::codec) samples: Samples,
}

// HEVC's are always words.
#[cfg_attr(not(feature = "avif-decode"), allow(dead_code))]
pub(in crate::optimize::codec) enum Samples {
    Bytes(Vec<u8>),
    Words(Vec<u16>),
}

/// The meaning of numbers (ITU-T H.273); 2 where it is not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::optimize::codec) struct CodePoints {
    pub(in crate::optimize::codec) primaries: u8,
    pub(in crate::optimize::codec) transfer: u8,
    pub(in crate::optimize::codec) matrix: u8,
    pub(in crate::optimize::codec) full_range: bool,
}

/// The matrix of green, blue and red.
pub(super) const IDENTITY: u8 = 0;

/// Bytes of full range, onto which pictures are put one beside the other.
pub(super) struct Canvas {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) sampling: (u32, u32),
    pub(super) planes: Vec<Raster>,
}

impl Canvas {
    /// An empty one for pictures like `first`.
    pub(super) fn for_pictures_like(first: &Coded, width: u32, height: u32) -> Self {
        let planes = (0..first.planes.len()).map(|index| {
            let (across, down) = sampling_of(first.sampling, index);
            let (width, height) = (
                width.div_ceil(across) as usize,
                height.div_ceil(down) as usize,
            );
            Raster::new(Layout::Gray, width, height, vec![0; width * height])
        });
        Self {
            width,
            height,
            sampling: first.sampling,
            planes: planes.collect(),
        }
    }

    /// Puts the part of a picture that has room on the canvas.
    pub(super) fn put(
        &mut self,
        picture: &Coded,
        (left, top): (u32, u32),
        points: CodePoints,
    ) -> Result<(), OptimizeError> {
        let alike = picture.planes.len() == self.planes.len() && picture.sampling == self.sampling;
        let even = left.is_multiple_of(self.sampling.0) && top.is_multiple_of(self.sampling.1);
        if !(alike && even) {
            return Err(OptimizeError::invalid(
                "a HEIF grid of tiles that do not match",
            ));
        }
        for (index, (plane, raster)) in picture.planes.iter().zip(&mut self.planes).enumerate() {
            let (across, down) = sampling_of(self.sampling, index);
            let chroma = index > 0 && points.matrix != IDENTITY;
            let table = to_bytes(plane.depth, points.full_range, chroma);
            // Phones write such samples, which need no table.
            let as_they_are = plane.depth == 8 && points.full_range;
            let (left, top) = ((left / across) as usize, (top / down) as usize);
            let left = left.min(raster.width);
            let width = (plane.width as usize).min(raster.width - left);
            let rows = raster.data.chunks_exact_mut(raster.width).skip(top);
            let rows = rows.map(|row| &mut row[left..left + width]);
            let stride = plane.width as usize;
            match &plane.samples {
                Samples::Bytes(samples) => {
                    for (row, samples) in rows.zip(samples.chunks_exact(stride)) {
                        translate(row, samples, |sample| table[usize::from(sample)]);
                    }
                }
                Samples::Words(samples) if as_they_are => {
                    for (row, samples) in rows.zip(samples.chunks_exact(stride)) {
                        translate(row, samples, |sample| sample.min(255) as u8);
                    }
                }
                Samples::Words(samples) => {
                    let last = table.len() - 1;
                    for (row, samples) in rows.zip(samples.chunks_exact(stride)) {
                        translate(row, samples, |sample| table[usize::from(sample).min(last)]);
                    }
                }
            }
        }
        Ok(())
    }

    /// Keeps a window, whose corner is on a sample of every plane.
    pub(super) fn crop(&mut self, (left, top): (u32, u32), width: u32, height: u32) {
        for (index, raster) in self.planes.iter_mut().enumerate() {
            let (across, down) = sampling_of(self.sampling, index);
            let (left, top) = ((left / across) as usize, (top / down) as usize);
            let (width, height) = (
                width.div_ceil(across) as usize,
                height.div_ceil(down) as usize,
            );
            if (width, height) == (raster.width, raster.height) {
                continue;
            }
            let rows = raster.rows().skip(top).take(height);
            let data = rows
                .flat_map(|row| &row[left..left + width])
                .copied()
                .collect();
            *raster = Raster::new(Layout::Gray, width, height, data);
        }
        (self.width, self.height) = (width, height);
    }

    /// The planes, each with how much of it the picture covers.
    pub(super) fn components(self) -> Vec<Component> {
        let (width, height) = (f64::from(self.width), f64::from(self.height));
        let planes = self.planes.into_iter().enumerate();
        let components = planes.map(|(index, raster)| {
            let (across, down) = sampling_of(self.sampling, index);
            Component {
                raster,
                extent: (width / f64::from(across), height / f64::from(down)),
            }
        });
        components.collect()
    }
}

fn translate<T: Copy>(row: &mut [u8], samples: &[T], to_byte: impl Fn(T) -> u8) {
    for (byte, &sample) in row.iter_mut().zip(samples) {
        *byte = to_byte(sample);
    }
}

fn sampling_of(chroma: (u32, u32), plane: usize) -> (u32, u32) {
    if plane == 0 { (1, 1) } else { chroma }
}

/// The byte of full range for each sample (ITU-T H.273, section 8.3).
fn to_bytes(depth: u8, full_range: bool, chroma: bool) -> Vec<u8> {
    let depth = depth.clamp(8, 16);
    let unit = f64::from(1u32 << (depth - 8));
    let most = f64::from((1u32 << depth) - 1);
    let (zero, span) = match (full_range, chroma) {
        (true, false) => (0.0, most),
        (true, true) => (128.0 * unit, most),
        (false, false) => (16.0 * unit, 219.0 * unit),
        (false, true) => (128.0 * unit, 224.0 * unit),
    };
    let middle = if chroma { 128.0 } else { 0.0 };
    let byte = |sample: u32| {
        let value = (f64::from(sample) - zero) * 255.0 / span + middle;
        value.round().clamp(0.0, 255.0) as u8
    };
    (0..1 << depth).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_of_every_depth_and_range_are_the_same_bytes() {
        assert!(to_bytes(8, true, false).into_iter().eq(0..=255));
        assert!(to_bytes(8, true, true).into_iter().eq(0..=255));
        for depth in [8, 10, 12] {
            let shift = depth - 8;
            let luma = to_bytes(depth, false, false);
            let chroma = to_bytes(depth, false, true);
            assert_eq!([luma[16 << shift], luma[235 << shift]], [0, 255]);
            assert_eq!([luma[0], luma[luma.len() - 1]], [0, 255]);
            assert_eq!(chroma[128 << shift], 128);
            let full = to_bytes(depth, true, false);
            assert_eq!([full[0], full[full.len() - 1]], [0, 255]);
            assert_eq!(to_bytes(depth, true, true)[128 << shift], 128);
        }
    }
}
