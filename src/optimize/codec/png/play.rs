//! Animations, frame by frame (PNG third edition, section 11.3.6).

use crate::optimize::OptimizeError;
use crate::optimize::alpha::rgba;
use crate::optimize::budget::Budget;
use crate::optimize::codec::{be_u16, byte_count};
use crate::optimize::raster::{Layout, Raster};

use super::{Frame, PngFile, decode};

/// What becomes of a frame afterwards.
const CLEAR: u8 = 1;
const RESTORE: u8 = 2;

/// How a frame is painted: over what is there, or in its place.
const OVER: u8 = 1;

/// A frame control, and where the data of the frame begins; nowhere for the still image.
struct Control<'a> {
    data: &'a [u8],
    data_at: Option<usize>,
}

impl Control<'_> {
    fn byte(&self, at: usize) -> u8 {
        self.data.get(at).copied().unwrap_or(0)
    }

    fn milliseconds(&self) -> u32 {
        let number = |at| u32::from(be_u16(self.data, at).unwrap_or(0));
        let (part, whole) = (number(20), number(22));
        let whole = if whole == 0 { 100 } else { whole };
        (part * 1000 + whole / 2) / whole
    }
}

/// Shows every frame as it looks on what the frames before left, and for how many milliseconds.
pub(super) fn play(
    png: &PngFile<'_>,
    budget: &Budget<'_>,
    show: &mut dyn FnMut(Raster, u32) -> Result<(), OptimizeError>,
) -> Result<(), OptimizeError> {
    let (width, height) = (png.facts.width, png.facts.height);
    // What is shown, what it was before, what lies under it, and the frame.
    budget.check_memory(4 * byte_count(width, height, 4))?;
    let mut canvas = vec![[0; 4]; width as usize * height as usize];
    let (mut shown, mut control) = (0, None);
    for chunk in png.chunks() {
        let data_at = match &chunk.kind {
            b"fcTL" => {
                control = Some(chunk.data);
                continue;
            }
            b"IDAT" => None,
            b"fdAT" => Some(chunk.begin),
            _ => continue,
        };
        // The chunks of data that follow belong to the same frame.
        let Some(data) = control.take() else { continue };
        shown += 1;
        budget.check_frames(shown)?;
        let control = Control { data, data_at };
        if !frame(png, &control, &mut canvas, budget, show)? {
            break;
        }
    }
    Ok(())
}

/// Paints and shows a frame, and leaves the canvas as the next one finds it; whether there can be one.
fn frame(
    png: &PngFile<'_>,
    control: &Control<'_>,
    canvas: &mut Vec<[u8; 4]>,
    budget: &Budget<'_>,
    show: &mut dyn FnMut(Raster, u32) -> Result<(), OptimizeError>,
) -> Result<bool, OptimizeError> {
    let (width, height) = (png.facts.width, png.facts.height);
    let begin = control.data_at.unwrap_or(0);
    let window = Frame::read(control.data, begin, width, height)
        .ok_or_else(|| OptimizeError::invalid("a PNG frame outside its canvas"))?;
    if control.data_at.is_none() && (window.width, window.height) != (width, height) {
        return Err(OptimizeError::invalid("a first PNG frame of another size"));
    }
    let source = control.data_at.map(|_| window);
    let (raster, _, truncated) = decode::frame(png, source, budget)?;
    let disposal = control.byte(24);
    let before = (disposal == RESTORE).then(|| canvas.clone());
    let columns = window.left as usize..(window.left + window.width) as usize;
    let rows = || window.top as usize..(window.top + window.height) as usize;
    let channels = raster.layout.channels();
    let line = width as usize;
    for (y, source) in rows().zip(raster.rows()) {
        let target = &mut canvas[y * line..][columns.clone()];
        for (below, pixel) in target.iter_mut().zip(source.chunks_exact(channels)) {
            let pixel = rgba(raster.layout, pixel);
            *below = match control.byte(25) {
                OVER => over(pixel, *below),
                _ => pixel,
            };
        }
    }
    let pixels = canvas.as_flattened().to_vec();
    let shown = Raster::new(Layout::Rgba, line, height as usize, pixels);
    show(shown, control.milliseconds())?;
    match before {
        Some(before) => *canvas = before,
        None if disposal == CLEAR => {
            rows().for_each(|y| canvas[y * line..][columns.clone()].fill([0; 4]));
        }
        None => {}
    }
    Ok(!truncated)
}

/// A pixel over another (PNG third edition, section 13.16).
fn over(pixel: [u8; 4], below: [u8; 4]) -> [u8; 4] {
    let [front, back] = [pixel[3], below[3]].map(u32::from);
    let share = back * (255 - front);
    let sum = front * 255 + share;
    if front == 255 || sum == 0 {
        return pixel;
    }
    let mut mixed = [0; 4];
    for (mixed, (pixel, below)) in mixed.iter_mut().zip(pixel.into_iter().zip(below)) {
        let value = u32::from(pixel) * front * 255 + u32::from(below) * share;
        *mixed = ((value + sum / 2) / sum) as u8;
    }
    mixed[3] = ((sum + 127) / 255) as u8;
    mixed
}
