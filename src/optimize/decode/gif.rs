//! GIF: the first frame on its canvas, which is transparent around it.

use std::borrow::Cow;
use std::num::NonZeroU64;

use gif::{ColorOutput, DecodeOptions, MemoryLimit};

use super::super::OptimizeError;
use super::super::budget::Budget;
use super::super::color::ColorTag;
use super::super::header::Header;
use super::super::raster::{Component, Layout, Pixels, Raster};
use super::{Decoded, byte_count};

/// How many rows go by between two looks at the clock.
const ROWS_PER_CHECK: usize = 64;

pub(super) fn decode(
    bytes: &[u8],
    header: &Header<'_>,
    budget: &Budget<'_>,
) -> Result<Decoded, OptimizeError> {
    let mut options = DecodeOptions::new();
    options.check_frame_consistency(false);
    options.set_color_output(ColorOutput::Indexed);
    options.allow_unknown_blocks(true);
    if let Some(bytes) = NonZeroU64::new(budget.limits.max_decode_bytes) {
        options.set_memory_limit(MemoryLimit::Bytes(bytes));
    }
    let with_table = with_color_table(bytes);
    let mut decoder = options.read_info(&*with_table).map_err(damaged)?;
    let frame = decoder
        .next_frame_info()
        .map_err(damaged)?
        .ok_or_else(|| OptimizeError::invalid("a GIF without a frame"))?;
    let (left, top) = (usize::from(frame.left), usize::from(frame.top));
    let (frame_width, frame_height) = (usize::from(frame.width), usize::from(frame.height));
    budget.check_size(frame.width.into(), frame.height.into())?;
    let transparent = frame.transparent;
    budget.check_memory(
        byte_count(header.width, header.height, 4)
            + byte_count(frame.width.into(), frame.height.into(), 1),
    )?;

    let mut indices = vec![0; frame_width * frame_height];
    if decoder.read_into_buffer(&mut indices).is_err() {
        budget.truncated("the GIF's first frame is cut off or damaged")?;
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

    let (width, height) = (header.width as usize, header.height as usize);
    let mut canvas = vec![[0; 4]; width * height];
    let visible = frame_width.min(width.saturating_sub(left));
    if visible > 0 {
        let rows = canvas.chunks_exact_mut(width).skip(top);
        for (y, (row, indices)) in rows.zip(indices.chunks_exact(frame_width)).enumerate() {
            if y.is_multiple_of(ROWS_PER_CHECK) {
                budget.check_time()?;
            }
            for (pixel, &index) in row[left..left + visible].iter_mut().zip(indices) {
                *pixel = colors[usize::from(index)];
            }
        }
    }
    let raster = Raster::new(Layout::Rgba, width, height, canvas.into_flattened());
    let pixels = Pixels::Packed(Component::whole(raster));
    Ok(Decoded::whole(pixels, ColorTag::Srgb))
}

/// The file with a global colour table of grays, if it has none: the decoder insists on one, and in a file
/// without any the indices are shades of gray, as other decoders have it.
fn with_color_table(bytes: &[u8]) -> Cow<'_, [u8]> {
    const HEADER: usize = 13;
    match bytes.split_at_checked(HEADER) {
        Some((header, blocks)) if header[10] & 0x80 == 0 => {
            let grays = (0..=255).flat_map(|gray: u8| [gray; 3]);
            let mut copy = header.to_vec();
            copy[10] |= 0x87;
            copy.extend(grays);
            copy.extend_from_slice(blocks);
            Cow::Owned(copy)
        }
        _ => Cow::Borrowed(bytes),
    }
}

fn damaged(error: gif::DecodingError) -> OptimizeError {
    OptimizeError::invalid(format!("damaged GIF: {error}"))
}
