//! Resampling with Lanczos3 (fast_image_resize), of packed pixels or of planes.

use std::f64::consts::PI;

use fast_image_resize::images::{TypedCroppedImage, TypedImage, TypedImageRef};
use fast_image_resize::pixels::{U8, U8x2, U8x3, U8x4};
use fast_image_resize::{Filter, FilterType, PixelTrait, ResizeAlg, ResizeOptions, Resizer};

use super::OptimizeError;
use super::geometry::Rect;
use super::raster::{Component, Layout, Raster};

/// Resamples the part of a component that `crop` covers to `width` x `height` pixels, with Lanczos3. `crop`
/// is in pixels of the picture, whose size is `picture`; where it goes beyond the picture, the edge is
/// repeated.
pub(super) fn resample(
    component: &Component,
    picture: (u32, u32),
    crop: Rect,
    width: usize,
    height: usize,
    resizer: &mut Resizer,
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
    let raster = &component.raster;
    let resizer = &mut Resampler {
        resizer,
        filter: lanczos3(),
    };
    let before = (overhang(-window.left), overhang(-window.top));
    let after = (
        overhang(window.left + window.width - raster.width as f64),
        overhang(window.top + window.height - raster.height as f64),
    );
    if (before, after) == ((0, 0), (0, 0)) {
        return resample_window(raster, window, width, height, resizer);
    }
    let padded = replicate_edges(raster, before, after);
    let window = Rect {
        left: window.left + before.0 as f64,
        top: window.top + before.1 as f64,
        ..window
    };
    resample_window(&padded, window, width, height, resizer)
}

/// A rough version of a raster, each pixel the mean of those it stands for.
pub(super) fn shrink(
    raster: &Raster,
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
    };
    resample_window(raster, whole, width, height, resizer)
}

/// The library's Lanczos3, with weights that take one short series instead of two calls of `sin`.
fn lanczos3() -> FilterType {
    Filter::new("Lanczos3", lanczos3_weight, 3.0).map_or(FilterType::Lanczos3, FilterType::Custom)
}

/// sinc(x) sinc(x / 3), with sin(3a) = sin(a) (3 - 4 sin(a)^2) of a = pi x / 3.
fn lanczos3_weight(x: f64) -> f64 {
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

/// The library's buffers, and the filter to use.
struct Resampler<'a> {
    resizer: &'a mut Resizer,
    filter: FilterType,
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
    raster: &Raster,
    window: Rect,
    width: usize,
    height: usize,
    resampler: &mut Resampler<'_>,
) -> Result<Raster, OptimizeError> {
    let (source_width, source_height) = (raster.width as f64, raster.height as f64);
    let left = window.left.clamp(0.0, source_width);
    let top = window.top.clamp(0.0, source_height);
    let window_width = window.width.min(source_width - left);
    let window_height = window.height.min(source_height - top);
    let whole = (left, top) == (0.0, 0.0)
        && (window_width - width as f64).abs() < 1e-3
        && (window_height - height as f64).abs() < 1e-3
        && (raster.width, raster.height) == (width, height);
    if whole {
        let data = raster.rows().collect::<Vec<_>>().concat();
        return Ok(Raster::new(raster.layout, width, height, data));
    }
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(resampler.filter))
        .crop(left, top, window_width, window_height)
        .use_alpha(raster.layout.has_alpha());
    // By pixel type and not by its run-time name, which would compile the kernels of fifteen types.
    let convolve = match raster.layout {
        Layout::Gray => convolve::<U8>,
        Layout::GrayAlpha => convolve::<U8x2>,
        Layout::Rgb => convolve::<U8x3>,
        Layout::Rgba | Layout::Cmyk => convolve::<U8x4>,
    };
    let mut data = vec![0; width * height * raster.layout.channels()];
    convolve(
        raster,
        &mut data,
        (width, height),
        &options,
        resampler.resizer,
    )
    .ok_or_else(|| {
        OptimizeError::invalid("the image could not be resized: its size is not that of its data")
    })?;
    Ok(Raster::new(raster.layout, width, height, data))
}

/// `None` where a size and its data are at odds.
fn convolve<P: PixelTrait>(
    raster: &Raster,
    resized: &mut [u8],
    (width, height): (usize, usize),
    options: &ResizeOptions,
    resizer: &mut Resizer,
) -> Option<()> {
    let rows = raster.data.len() / (raster.stride * raster.layout.channels());
    let source =
        TypedImageRef::<P>::from_buffer(raster.stride as u32, rows as u32, &raster.data).ok()?;
    let (source_width, source_height) = (raster.width as u32, raster.height as u32);
    let source = TypedCroppedImage::from_ref(&source, 0, 0, source_width, source_height).ok()?;
    let mut resized = TypedImage::<P>::from_buffer(width as u32, height as u32, resized).ok()?;
    resizer.resize_typed(&source, &mut resized, options).ok()
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
