//! Frames on their canvas, which is transparent around them.

use std::num::NonZeroU64;

use gif::{ColorOutput, DecodeOptions, MemoryLimit};

use crate::optimize::OptimizeError;
use crate::optimize::budget::Budget;
use crate::optimize::codec::{Decoded, ROWS_PER_CHECK, byte_count};
use crate::optimize::color::ColorTag;
use crate::optimize::raster::{Component, Layout, Pixels, Raster};

use super::{Frame, GifFile, TRAILER};

pub(super) fn decode(gif: &GifFile<'_>, budget: &Budget<'_>) -> Result<Decoded, OptimizeError> {
    let mut canvas = canvas(gif, budget)?;
    let truncated = paint(gif, gif.frame, &mut canvas, budget)?;
    let pixels = Pixels::Packed(Component::whole(raster(gif, canvas)));
    Ok(Decoded::new(pixels, ColorTag::Srgb, truncated))
}

type Canvas = Vec<[u8; 4]>;

fn canvas(gif: &GifFile<'_>, budget: &Budget<'_>) -> Result<Canvas, OptimizeError> {
    budget.check_memory(byte_count(gif.facts.width, gif.facts.height, 4))?;
    Ok(vec![
        [0; 4];
        gif.facts.width as usize * gif.facts.height as usize
    ])
}

fn raster(gif: &GifFile<'_>, canvas: Canvas) -> Raster {
    let (width, height) = (gif.facts.width as usize, gif.facts.height as usize);
    Raster::new(Layout::Rgba, width, height, canvas.into_flattened())
}

/// Shows every frame as it looks on what the frames before left, and for how many milliseconds (GIF 89a,
/// section 23). What a frame leaves behind as background is transparent, as in browsers.
#[cfg(feature = "webp")]
pub(super) fn play(
    gif: &GifFile<'_>,
    budget: &Budget<'_>,
    show: &mut dyn FnMut(Raster, u32) -> Result<(), OptimizeError>,
) -> Result<(), OptimizeError> {
    let mut canvas = canvas(gif, budget)?;
    // What is shown, what it was before, and what lies under it.
    budget.check_memory(3 * byte_count(gif.facts.width, gif.facts.height, 4))?;
    let mut frames = gif.frames();
    while let Some(frame) = frames.next(budget)? {
        let (disposal, delay) = frame.timing();
        let before = (disposal == RESTORE).then(|| canvas.clone());
        let truncated = paint(gif, frame, &mut canvas, budget)?;
        show(raster(gif, canvas.clone()), 10 * u32::from(delay))?;
        if truncated {
            break;
        }
        match before {
            Some(before) => canvas = before,
            None if disposal == CLEAR => clear(gif, frame, &mut canvas),
            None => {}
        }
    }
    Ok(())
}

#[cfg(feature = "webp")]
const CLEAR: u8 = 2;
#[cfg(feature = "webp")]
const RESTORE: u8 = 3;

#[cfg(feature = "webp")]
fn clear(gif: &GifFile<'_>, frame: Frame<'_>, canvas: &mut Canvas) {
    let canvas_width = gif.facts.width as usize;
    let [left, top, width, height] = frame.window();
    let columns = left.min(canvas_width)..(left + width).min(canvas_width);
    for row in canvas.chunks_exact_mut(canvas_width).skip(top).take(height) {
        row[columns.clone()].fill([0; 4]);
    }
}

/// Paints a frame over the canvas; and whether it is cut off.
fn paint(
    gif: &GifFile<'_>,
    frame: Frame<'_>,
    canvas: &mut Canvas,
    budget: &Budget<'_>,
) -> Result<bool, OptimizeError> {
    let is_empty = frame.is_empty;
    let mut options = DecodeOptions::new();
    options.check_frame_consistency(false);
    options.set_color_output(ColorOutput::Indexed);
    options.allow_unknown_blocks(true);
    if let Some(bytes) = NonZeroU64::new(budget.limits.max_decode_bytes) {
        options.set_memory_limit(MemoryLimit::Bytes(bytes));
    }
    let damaged = |_| OptimizeError::invalid("damaged GIF: a frame does not decode");
    let file = with_one_frame(gif, frame);
    let mut decoder = options.read_info(&*file).map_err(damaged)?;
    let frame = decoder
        .next_frame_info()
        .map_err(damaged)?
        .ok_or_else(|| OptimizeError::invalid("a GIF without a picture"))?;
    let (left, top) = (usize::from(frame.left), usize::from(frame.top));
    let (frame_width, frame_height) = (usize::from(frame.width), usize::from(frame.height));
    budget.check_size(frame.width.into(), frame.height.into())?;
    let transparent = frame.transparent;
    budget.check_memory(
        byte_count(gif.facts.width, gif.facts.height, 4)
            + byte_count(frame.width.into(), frame.height.into(), 1),
    )?;

    let mut truncated = false;
    let mut indices = vec![0; frame_width * frame_height];
    if !is_empty && decoder.read_into_buffer(&mut indices).is_err() {
        budget.truncated("a frame of the GIF is cut off or damaged")?;
        truncated = true;
    }
    budget.check_time()?;
    let mut colors = [[0, 0, 0, 255]; 256];
    let palette = decoder.palette().map_err(damaged)?;
    for (color, entry) in colors.iter_mut().zip(palette.chunks_exact(3)) {
        color[..3].copy_from_slice(entry);
    }
    if let Some(index) = transparent {
        colors[usize::from(index)] = [0; 4];
    }

    let width = gif.facts.width as usize;
    let visible = frame_width.min(width.saturating_sub(left));
    if visible > 0 && !is_empty {
        let rows = canvas.chunks_exact_mut(width).skip(top);
        for (y, (row, indices)) in rows.zip(indices.chunks_exact(frame_width)).enumerate() {
            if y.is_multiple_of(ROWS_PER_CHECK) {
                budget.check_time()?;
            }
            for (pixel, &index) in row[left..left + visible].iter_mut().zip(indices) {
                let color = colors[usize::from(index)];
                if color[3] > 0 {
                    *pixel = color;
                }
            }
        }
    }
    Ok(truncated)
}

/// A file of this frame alone. The decoder insists on colours, and in a file without any the indices are
/// shades of gray, as other decoders have it.
fn with_one_frame(gif: &GifFile<'_>, frame: Frame<'_>) -> Vec<u8> {
    let mut file = b"GIF89a\0\0\0\0".to_vec();
    let bits = match gif.colors.len() {
        0 => 7,
        bytes => (bytes / 6).ilog2() as u8,
    };
    file.extend_from_slice(&[0x80 | bits, 0, 0]);
    if gif.colors.is_empty() {
        file.extend((0..=255).flat_map(|gray: u8| [gray; 3]));
    } else {
        file.extend_from_slice(gif.colors);
    }
    file.extend_from_slice(frame.control);
    file.extend_from_slice(frame.bytes);
    file.push(TRAILER);
    file
}
