//! Transparency: onto a matte, onto a canvas, or away.

use super::geometry::Canvas;
use super::raster::{Layout, Raster};

/// The raster over an opaque colour. Gray stays gray where the colour is.
pub(super) fn flatten(raster: Raster, background: [u8; 3]) -> Raster {
    let [red, green, blue] = background;
    match raster.layout {
        Layout::Rgba => blend::<4, 3>(&raster, Layout::Rgb, |[r, g, b, _]| [r, g, b], background),
        Layout::GrayAlpha if red == green && green == blue => {
            blend::<2, 1>(&raster, Layout::Gray, |[gray, _]| [gray], [red])
        }
        Layout::GrayAlpha => blend::<2, 3>(&raster, Layout::Rgb, |[gray, _]| [gray; 3], background),
        Layout::Gray | Layout::Rgb | Layout::Cmyk => raster,
    }
}

fn blend<const FROM: usize, const TO: usize>(
    raster: &Raster,
    layout: Layout,
    color: impl Fn([u8; FROM]) -> [u8; TO],
    background: [u8; TO],
) -> Raster {
    let (pixels, _) = raster.data.as_chunks::<FROM>();
    let data = pixels
        .iter()
        .flat_map(|&pixel| {
            let alpha = u32::from(pixel[FROM - 1]);
            let mut blended = color(pixel);
            for (value, behind) in blended.iter_mut().zip(background) {
                let sum = u32::from(*value) * alpha + u32::from(behind) * (255 - alpha);
                *value = ((sum + 127) / 255) as u8;
            }
            blended
        })
        .collect();
    Raster::new(layout, raster.width, raster.height, data)
}

/// The raster without its alpha channel, which is opaque.
pub(super) fn drop_alpha(raster: Raster) -> Raster {
    let layout = match raster.layout {
        Layout::Rgba => Layout::Rgb,
        Layout::GrayAlpha => Layout::Gray,
        Layout::Gray | Layout::Rgb | Layout::Cmyk => return raster,
    };
    let channels = raster.layout.channels();
    let pixels = raster.data.chunks_exact(channels);
    let data = pixels
        .flat_map(|pixel| &pixel[..channels - 1])
        .copied()
        .collect();
    Raster::new(layout, raster.width, raster.height, data)
}

/// Red, green and blue, with alpha where there is some.
pub(super) fn expand_gray(raster: Raster) -> Raster {
    let (pairs, _) = raster.data.as_chunks::<2>();
    let (layout, data) = match raster.layout {
        Layout::Gray => {
            let data = raster.data.iter().flat_map(|&gray| [gray; 3]).collect();
            (Layout::Rgb, data)
        }
        Layout::GrayAlpha => {
            let data = pairs
                .iter()
                .flat_map(|&[gray, alpha]| [gray, gray, gray, alpha])
                .collect();
            (Layout::Rgba, data)
        }
        Layout::Rgb | Layout::Rgba | Layout::Cmyk => return raster,
    };
    Raster::new(layout, raster.width, raster.height, data)
}

/// A frame where it stands on its canvas; what is around it is transparent.
pub(super) fn placed(frame: &Raster, size: (u32, u32), (left, top): (u32, u32)) -> Raster {
    let channels = frame.layout.channels();
    let (width, height) = (size.0 as usize, size.1 as usize);
    let mut canvas = vec![0; width * height * 4];
    let rows = canvas.chunks_exact_mut(width * 4).skip(top as usize);
    for (row, source) in rows.zip(frame.rows()) {
        let row = row[left as usize * 4..].chunks_exact_mut(4);
        for (pixel, source) in row.zip(source.chunks_exact(channels)) {
            pixel.copy_from_slice(&rgba(frame.layout, source));
        }
    }
    Raster::new(Layout::Rgba, width, height, canvas)
}

/// A pixel of any layout but inks as red, green, blue and alpha.
pub(super) fn rgba(layout: Layout, pixel: &[u8]) -> [u8; 4] {
    match (layout, pixel) {
        (Layout::Gray, &[gray]) => [gray, gray, gray, 255],
        (Layout::GrayAlpha, &[gray, alpha]) => [gray, gray, gray, alpha],
        (_, &[red, green, blue]) => [red, green, blue, 255],
        (_, &[red, green, blue, alpha]) => [red, green, blue, alpha],
        _ => [0; 4],
    }
}

/// A colour that was multiplied by its alpha, as it was before.
#[cfg(any(feature = "avif-decode", feature = "heic", feature = "tiff"))]
pub(super) fn divided(color: u8, alpha: u8) -> u8 {
    let (half, whole) = (u32::from(alpha) / 2, u32::from(alpha).max(1));
    ((u32::from(color) * 255 + half) / whole).min(255) as u8
}

/// The raster on a canvas filled with an opaque colour.
pub(super) fn on_canvas(raster: Raster, canvas: Canvas, background: [u8; 3]) -> Raster {
    let raster = expand_gray(raster);
    let channels = raster.layout.channels();
    let [red, green, blue] = background;
    let fill = [red, green, blue, 255];
    let (width, height) = (canvas.width as usize, canvas.height as usize);
    let mut data = fill[..channels].repeat(width * height);
    let rows = data
        .chunks_exact_mut(width * channels)
        .skip(canvas.top as usize);
    let left = canvas.left as usize * channels;
    for (row, source) in rows.zip(raster.rows()) {
        row[left..left + source.len()].copy_from_slice(source);
    }
    Raster::new(raster.layout, width, height, data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matte_shows_through_by_the_share_of_alpha() {
        let pixels = vec![200, 100, 0, 255, 9, 9, 9, 0, 0, 0, 0, 51];
        let flat = flatten(Raster::new(Layout::Rgba, 3, 1, pixels), [255, 0, 10]);
        assert_eq!(flat.data, [200, 100, 0, 255, 0, 10, 204, 0, 8]);
        let gray = Raster::new(Layout::GrayAlpha, 1, 1, vec![0, 51]);
        assert_eq!(flatten(gray.clone(), [255; 3]).data, [204]);
        assert_eq!(flatten(gray, [255, 0, 10]).data, [204, 0, 8]);
    }
}
