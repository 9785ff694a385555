//! Resampling with Lanczos3 (fast_image_resize), of packed pixels or of planes.
//!
//! The library's kernels are compiled anew for each type of pixel and of image, and take longer than all else
//! here. So there is one of each, single bytes in a mutable image, and the two passes are ours: a row of packed
//! pixels is as good as bytes for the vertical pass; for the horizontal one it is taken apart.

use std::f64::consts::PI;

use fast_image_resize::images::TypedImage;
use fast_image_resize::pixels::U8;
use fast_image_resize::{Filter, FilterType, ResizeAlg, ResizeOptions};

use super::OptimizeError;
use super::geometry::Rect;
use super::raster::{Component, Raster};

/// Buffers that are used again.
#[derive(Default)]
pub(super) struct Resizer {
    library: fast_image_resize::Resizer,
    /// What the vertical pass made.
    between: Vec<u8>,
}

/// Resamples the part of a component that `crop` covers to `width` x `height` pixels, with Lanczos3. `crop`
/// is in pixels of the picture, whose size is `picture`; where it goes beyond the picture, the edge is
/// repeated. For the `last` time: the component's samples are given back as soon as they were looked at.
pub(super) fn resample(
    component: &mut Component,
    picture: (u32, u32),
    crop: Rect,
    width: usize,
    height: usize,
    resizer: &mut Resizer,
    last: bool,
) -> Result<Raster, OptimizeError> {
    // From pixels of the picture to samples of this component.
    let scale_x = component.extent.0 / f64::from(picture.0);
    let scale_y = component.extent.1 / f64::from(picture.1);
    let window = Rect {
        left: crop.left * scale_x,
        top: crop.top * scale_y,
        width: crop.width * scale_x,
        height: crop.height * scale_y,
    };
    let raster = &mut component.raster;
    let resizer = &mut Resampler {
        resizer,
        filter: lanczos3(),
        last,
    };
    let before = (overhang(-window.left), overhang(-window.top));
    let after = (
        overhang(window.left + window.width - raster.width as f64),
        overhang(window.top + window.height - raster.height as f64),
    );
    if (before, after) == ((0, 0), (0, 0)) {
        return resample_window(raster, window, width, height, resizer);
    }
    let mut padded = replicate_edges(raster, before, after);
    if last {
        raster.data = Vec::new();
    }
    let window = Rect {
        left: window.left + before.0 as f64,
        top: window.top + before.1 as f64,
        ..window
    };
    resample_window(&mut padded, window, width, height, resizer)
}

/// A rough version of a raster, each pixel the mean of those it stands for.
pub(super) fn shrink(
    raster: &mut Raster,
    width: usize,
    height: usize,
    resizer: &mut Resizer,
) -> Result<Raster, OptimizeError> {
    let whole = Rect {
        left: 0.0,
        top: 0.0,
        width: raster.width as f64,
        height: raster.height as f64,
    };
    let resizer = &mut Resampler {
        resizer,
        filter: FilterType::Box,
        last: false,
    };
    resample_window(raster, whole, width, height, resizer)
}

/// The library's Lanczos3, with weights that take one short series instead of two calls of `sin`.
fn lanczos3() -> FilterType {
    Filter::new("Lanczos3", lanczos3_weight, 3.0).map_or(FilterType::Lanczos3, FilterType::Custom)
}

/// sinc(x) sinc(x / 3), with sin(3a) = sin(a) (3 - 4 sin(a)^2) of a = pi x / 3.
pub(super) fn lanczos3_weight(x: f64) -> f64 {
    let x = x.abs();
    if x >= 3.0 {
        return 0.0;
    }
    let angle = x * (PI / 3.0);
    if angle < 1e-8 {
        return 1.0;
    }
    let square = sine_squared(angle);
    square * (3.0 - 4.0 * square) / (3.0 * angle * angle)
}

/// The square of the sine of 0 to pi: Taylor's series about 0, to within 2e-9.
fn sine_squared(angle: f64) -> f64 {
    let angle = angle.min(PI - angle);
    let t = angle * angle;
    let terms = [
        1.0 / 6_227_020_800.0,
        -1.0 / 39_916_800.0,
        1.0 / 362_880.0,
        -1.0 / 5_040.0,
        1.0 / 120.0,
        -1.0 / 6.0,
        1.0,
    ];
    let sine = angle * terms.into_iter().fold(0.0, |sum, term| sum * t + term);
    sine * sine
}

/// The buffers, the filter to use, and what becomes of the source.
struct Resampler<'a> {
    resizer: &'a mut Resizer,
    filter: FilterType,
    /// Whether nobody looks at the source again.
    last: bool,
}

/// Whole samples by which a window reaches beyond an edge; less than a thousandth is rounding.
fn overhang(distance: f64) -> usize {
    (distance - 1e-3).ceil().max(0.0) as usize
}

fn replicate_edges(raster: &Raster, before: (usize, usize), after: (usize, usize)) -> Raster {
    let channels = raster.layout.channels();
    let width = before.0 + raster.width + after.0;
    let height = before.1 + raster.height + after.1;
    let mut data = Vec::with_capacity(width * height * channels);
    let rows: Vec<&[u8]> = raster.rows().collect();
    for y in 0..height {
        let row = rows[y.saturating_sub(before.1).min(raster.height - 1)];
        for _ in 0..before.0 {
            data.extend_from_slice(&row[..channels]);
        }
        data.extend_from_slice(row);
        for _ in 0..after.0 {
            data.extend_from_slice(&row[row.len() - channels..]);
        }
    }
    Raster::new(raster.layout, width, height, data)
}

fn resample_window(
    raster: &mut Raster,
    window: Rect,
    width: usize,
    height: usize,
    resampler: &mut Resampler<'_>,
) -> Result<Raster, OptimizeError> {
    let (source_width, source_height) = (raster.width as f64, raster.height as f64);
    let left = window.left.clamp(0.0, source_width);
    let top = window.top.clamp(0.0, source_height);
    let window = Rect {
        left,
        top,
        width: window.width.min(source_width - left),
        height: window.height.min(source_height - top),
    };
    let whole = (left, top) == (0.0, 0.0)
        && (window.width - width as f64).abs() < 1e-3
        && (window.height - height as f64).abs() < 1e-3
        && (raster.width, raster.height) == (width, height);
    if whole {
        let data = match resampler.last && raster.stride == width {
            true => take_rows(raster),
            false => raster.rows().collect::<Vec<_>>().concat(),
        };
        return Ok(Raster::new(raster.layout, width, height, data));
    }
    let cut = (window.width, window.height) == (width as f64, height as f64)
        && (left, top) == (left.round(), top.round());
    let data = if raster.layout.has_alpha() && !cut {
        // What nobody sees is not to colour what is beside it.
        convolve(&mut premultiply(raster), window, width, height, resampler).map(|mut data| {
            divide_by_alpha(&mut data, raster.layout.channels());
            data
        })
    } else {
        convolve(raster, window, width, height, resampler)
    };
    let data = data.ok_or_else(|| {
        OptimizeError::invalid("the image could not be resized: its size is not that of its data")
    })?;
    Ok(Raster::new(raster.layout, width, height, data))
}

/// The samples of rows without a gap.
fn take_rows(raster: &mut Raster) -> Vec<u8> {
    let mut data = std::mem::take(&mut raster.data);
    data.truncate(raster.width * raster.height * raster.layout.channels());
    data
}

/// The window at another size, or `None` where a size and its data are at odds.
fn convolve(
    raster: &mut Raster,
    window: Rect,
    width: usize,
    height: usize,
    Resampler {
        resizer,
        filter,
        last,
    }: &mut Resampler<'_>,
) -> Option<Vec<u8>> {
    let channels = raster.layout.channels();
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(*filter))
        .use_alpha(false);

    // Vertically, the columns that the horizontal pass looks at.
    let reach = 3.0 * (window.width / width as f64).max(1.0) + 1.0;
    let first = (window.left - reach).floor().max(0.0);
    let end = (window.left + window.width + reach).ceil();
    let columns = end.min(raster.width as f64) as usize - first as usize;
    let row = raster.stride * channels;
    let source = image(row, raster.height, &mut raster.data)?;
    let size = columns * channels * height;
    if resizer.between.len() < size {
        resizer.between.resize(size, 0);
    }
    let between = &mut resizer.between[..size];
    let mut rows = image(columns * channels, height, between)?;
    let (left, wide) = (first * channels as f64, (columns * channels) as f64);
    let vertical = options.crop(left, window.top, wide, window.height);
    resizer
        .library
        .resize_typed(&source, &mut rows, &vertical)
        .ok()?;
    drop((source, rows));
    if *last {
        raster.data = Vec::new();
    }

    // Horizontally, the channels of a row as so many rows.
    let mut scratch = vec![0; columns.max(width) * channels];
    if channels > 1 {
        for row in between.chunks_exact_mut(columns * channels) {
            transpose(row, channels, &mut scratch);
        }
    }
    let mut resized = vec![0; width * height * channels];
    let source = image(columns, height * channels, between)?;
    let mut rows = image(width, height * channels, &mut resized)?;
    let horizontal = options.crop(
        window.left - first,
        0.0,
        window.width,
        (height * channels) as f64,
    );
    resizer
        .library
        .resize_typed(&source, &mut rows, &horizontal)
        .ok()?;
    if channels > 1 {
        for row in resized.chunks_exact_mut(width * channels) {
            transpose(row, width, &mut scratch);
        }
    }
    Some(resized)
}

fn image(width: usize, height: usize, data: &mut [u8]) -> Option<TypedImage<'_, U8>> {
    let data = data.get_mut(..width * height)?;
    TypedImage::from_buffer(width as u32, height as u32, data).ok()
}

/// Rows of `width` become columns.
fn transpose(data: &mut [u8], width: usize, scratch: &mut [u8]) {
    let height = data.len() / width;
    let scratch = &mut scratch[..data.len()];
    scratch.copy_from_slice(data);
    if width == 3 {
        let (reds, rest) = data.split_at_mut(height);
        let (greens, blues) = rest.split_at_mut(height);
        let pixels = scratch.as_chunks::<3>().0;
        for (((&[r, g, b], red), green), blue) in pixels.iter().zip(reds).zip(greens).zip(blues) {
            (*red, *green, *blue) = (r, g, b);
        }
    } else if width <= 4 {
        for (x, column) in data.chunks_exact_mut(height).enumerate() {
            for (to, from) in column.iter_mut().zip(scratch[x..].iter().step_by(width)) {
                *to = *from;
            }
        }
    } else {
        for (y, row) in scratch.chunks_exact(width).enumerate() {
            for (to, from) in data[y..].iter_mut().step_by(height).zip(row) {
                *to = *from;
            }
        }
    }
}

/// The picture with each colour multiplied by its alpha, of 255.
fn premultiply(raster: &Raster) -> Raster {
    let channels = raster.layout.channels();
    let mut data = Vec::with_capacity(raster.width * raster.height * channels);
    for row in raster.rows() {
        data.extend_from_slice(row);
    }
    for pixel in data.chunks_exact_mut(channels) {
        let [colours @ .., alpha] = pixel else {
            continue;
        };
        for colour in colours {
            let product = u32::from(*colour) * u32::from(*alpha) + 128;
            *colour = ((product + (product >> 8)) >> 8) as u8;
        }
    }
    Raster::new(raster.layout, raster.width, raster.height, data)
}

/// The opposite of `premultiply`, as far as there is one.
fn divide_by_alpha(data: &mut [u8], channels: usize) {
    for pixel in data.chunks_exact_mut(channels) {
        let [colours @ .., alpha] = pixel else {
            continue;
        };
        let factor = match *alpha {
            0 => 0,
            alpha => ((255 << 9) / u32::from(alpha) + 1) >> 1,
        };
        for colour in colours {
            *colour = ((u32::from(*colour) * factor + 128) >> 8).min(255) as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weights_are_those_of_lanczos() {
        let sinc = |x: f64| {
            if x == 0.0 {
                1.0
            } else {
                (PI * x).sin() / (PI * x)
            }
        };
        for step in -4000..=4000 {
            let x = f64::from(step) / 1000.0;
            let expected = if x.abs() < 3.0 {
                sinc(x) * sinc(x / 3.0)
            } else {
                0.0
            };
            let weight = lanczos3_weight(x);
            assert!(
                (weight - expected).abs() < 1e-8,
                "{x}: {weight} for {expected}"
            );
        }
    }
}
