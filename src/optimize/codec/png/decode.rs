//! Row by row, always to 8 bits a channel.

use std::borrow::Cow;
use std::io::Cursor;

use png::{BitDepth, ColorType, DecodingError, Transformations};

use crate::optimize::OptimizeError;
use crate::optimize::alpha;
use crate::optimize::budget::Budget;
use crate::optimize::codec::{Decoded, MAX_PROFILE_BYTES, ROWS_PER_CHECK, byte_count};
use crate::optimize::color::ColorTag;
use crate::optimize::raster::{Component, Layout, Pixels, Raster};

use super::chunks::write_chunk;
use super::{Frame, PngFile};

const DAMAGED: &str = "damaged PNG: its image data does not decode";
const ENDS_EARLY: &str = "the PNG's image data ends early";

pub(super) fn decode(png: &PngFile<'_>, budget: &Budget<'_>) -> Result<Decoded, OptimizeError> {
    let (mut raster, color, truncated) = frame(png, png.frame, budget)?;
    let canvas = (png.facts.width, png.facts.height);
    if let Some(frame) = png.frame
        && (frame.width, frame.height) != canvas
    {
        budget.check_memory(byte_count(canvas.0, canvas.1, 4) + raster.data.len() as u64)?;
        raster = alpha::placed(&raster, canvas, (frame.left, frame.top));
    }
    let pixels = Pixels::Packed(Component::whole(raster));
    Ok(Decoded::new(pixels, color, truncated))
}

/// A frame of an animation, or the still image; what its numbers mean, and whether it is cut off.
pub(super) fn frame(
    png: &PngFile<'_>,
    frame: Option<Frame>,
    budget: &Budget<'_>,
) -> Result<(Raster, ColorTag, bool), OptimizeError> {
    let bytes = decodable(png, frame);
    let mut decoder = png::Decoder::new_with_limits(
        Cursor::new(&*bytes),
        png::Limits {
            // What ancillary chunks may inflate to, and the decoder's own row buffers.
            bytes: (MAX_PROFILE_BYTES + (4 << 20)) as usize,
        },
    );
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    decoder.set_transformations(Transformations::EXPAND);
    let mut reader = decoder.read_info().map_err(damaged)?;
    let color = color_tag(reader.info(), png.profile()?);
    let (color_type, depth) = reader.output_color_type();
    let layout = match color_type {
        ColorType::Grayscale | ColorType::Indexed => Layout::Gray,
        ColorType::GrayscaleAlpha => Layout::GrayAlpha,
        ColorType::Rgb => Layout::Rgb,
        ColorType::Rgba => Layout::Rgba,
    };
    let canvas = (png.facts.width, png.facts.height);
    let size = frame.map_or(canvas, |frame| (frame.width, frame.height));
    budget.check_memory(byte_count(size.0, size.1, layout.channels()))?;
    let sixteen = depth == BitDepth::Sixteen;
    let rows = if png.interlaced { interlaced } else { in_order };
    let (data, truncated) = rows(&mut reader, size, layout, sixteen, budget)?;
    let raster = Raster::new(layout, size.0 as usize, size.1 as usize, data);
    Ok((raster, color, truncated))
}

/// The file as its decoder takes it: without what it refuses and no picture needs, and with the frame that is
/// wanted in the place of the still image.
fn decodable<'a>(png: &PngFile<'a>, frame: Option<Frame>) -> Cow<'a, [u8]> {
    if !png.is_odd {
        return Cow::Borrowed(png.bytes);
    }
    let mut file = png.bytes[..8].to_vec();
    let (mut has_data, mut ended) = (false, false);
    for chunk in png.chunks() {
        let whole = &png.bytes[chunk.begin..chunk.end];
        match &chunk.kind {
            b"IHDR" => {
                let mut header = chunk.data.to_vec();
                if let (Some(frame), Some(size)) = (frame, header.get_mut(..8)) {
                    size[..4].copy_from_slice(&frame.width.to_be_bytes());
                    size[4..].copy_from_slice(&frame.height.to_be_bytes());
                }
                write_chunk(&mut file, chunk.kind, &header);
            }
            // Bytes that are no whole colour are none.
            b"PLTE" => {
                let colors = chunk.data.len() / 3;
                write_chunk(&mut file, chunk.kind, &chunk.data[..3 * colors]);
            }
            b"IDAT" => {
                has_data = true;
                if frame.is_none() {
                    file.extend_from_slice(whole);
                }
            }
            b"fdAT" if frame.is_some_and(|frame| chunk.begin >= frame.data_at) => {
                write_chunk(&mut file, *b"IDAT", chunk.data.get(4..).unwrap_or_default());
            }
            b"fcTL" if frame.is_some_and(|frame| chunk.begin > frame.data_at) => {
                ended = true;
                break;
            }
            b"IEND" => {
                ended = true;
                break;
            }
            b"tRNS" | b"gAMA" | b"cHRM" | b"sRGB" | b"cICP" | b"mDCV" | b"cLLI" if !has_data => {
                file.extend_from_slice(whole);
            }
            _ => {}
        }
    }
    if ended {
        // The decoder hands out the last rows when the next chunk begins.
        write_chunk(&mut file, *b"IEND", &[]);
    } else if frame.is_none() {
        // What there is of data that is cut off.
        file.extend_from_slice(png.bytes.get(png.end..).unwrap_or_default());
    }
    Cow::Owned(file)
}

/// Rows from top to bottom; and whether they end early.
fn in_order(
    reader: &mut png::Reader<Cursor<&[u8]>>,
    (width, height): (u32, u32),
    layout: Layout,
    sixteen: bool,
    budget: &Budget<'_>,
) -> Result<(Vec<u8>, bool), OptimizeError> {
    let row_bytes = width as usize * layout.channels();
    let mut data = vec![0; row_bytes * height as usize];
    let mut samples = vec![0; if sixteen { 2 * row_bytes } else { 0 }];
    let mut truncated = false;
    for (y, row) in data.chunks_exact_mut(row_bytes).enumerate() {
        if y.is_multiple_of(ROWS_PER_CHECK) {
            budget.check_time()?;
        }
        let read = reader.read_row(if sixteen { &mut samples } else { row });
        match read {
            Ok(Some(_)) if sixteen => {
                for (to, from) in row.iter_mut().zip(eight_bits(&samples)) {
                    *to = from;
                }
            }
            Ok(Some(_)) => {}
            Ok(None) => return Err(OptimizeError::invalid(DAMAGED)),
            Err(error) if y > 0 && is_end(&error) => {
                budget.truncated(ENDS_EARLY)?;
                truncated = true;
                break;
            }
            Err(error) => return Err(damaged(error)),
        }
    }
    Ok((data, truncated))
}

/// As [`in_order`] of Adam7, whose passes are woven together by the decoder.
fn interlaced(
    reader: &mut png::Reader<Cursor<&[u8]>>,
    size: (u32, u32),
    layout: Layout,
    sixteen: bool,
    budget: &Budget<'_>,
) -> Result<(Vec<u8>, bool), OptimizeError> {
    let sample = layout.channels() * if sixteen { 2 } else { 1 };
    let (width, height) = (size.0 as usize, size.1 as usize);
    // 16-bit samples are there beside those of 8 bits that are made of them.
    let copy = if sixteen { layout.channels() } else { 0 };
    budget.check_memory(byte_count(size.0, size.1, sample + copy))?;
    let row_bytes = width * sample;
    let (mut data, mut truncated) = (vec![0; row_bytes * height], false);
    for row in 0..adam7_rows(width, height) {
        if row.is_multiple_of(ROWS_PER_CHECK) {
            budget.check_time()?;
        }
        match reader.next_interlaced_row() {
            Ok(Some(row)) => {
                let png::InterlaceInfo::Adam7(info) = row.interlace() else {
                    return Err(OptimizeError::invalid(DAMAGED));
                };
                png::expand_interlaced_row(
                    &mut data,
                    row_bytes,
                    row.data(),
                    info,
                    8 * sample as u8,
                );
            }
            Ok(None) => return Err(OptimizeError::invalid(DAMAGED)),
            Err(error) if row > 0 && is_end(&error) => {
                budget.truncated(ENDS_EARLY)?;
                truncated = true;
                break;
            }
            Err(error) => return Err(damaged(error)),
        }
    }
    if sixteen {
        data = eight_bits(&data).collect();
    }
    Ok((data, truncated))
}

/// Rows in all seven passes (PNG third edition, section 8.2). Nothing behind them is asked for, so that nothing
/// there can make the picture fail.
fn adam7_rows(width: usize, height: usize) -> usize {
    /// Where the columns begin, where the rows do, and how far these are apart.
    const PASSES: [[usize; 3]; 7] = [
        [0, 0, 8],
        [4, 0, 8],
        [0, 4, 8],
        [2, 0, 4],
        [0, 2, 4],
        [1, 0, 2],
        [0, 1, 2],
    ];
    let rows = PASSES.map(|[left, top, every]| {
        if left < width {
            height.saturating_sub(top).div_ceil(every)
        } else {
            0
        }
    });
    rows.iter().sum()
}

/// 16-bit samples rounded to 8 (PNG third edition, section 13.12: linear scaling).
fn eight_bits(samples: &[u8]) -> impl Iterator<Item = u8> + '_ {
    let (samples, _) = samples.as_chunks::<2>();
    samples.iter().map(|&sample| {
        let value = u32::from(u16::from_be_bytes(sample));
        ((value * 255 + 32_895) >> 16) as u8
    })
}

fn is_end(error: &DecodingError) -> bool {
    matches!(error, DecodingError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof)
}

fn damaged(error: DecodingError) -> OptimizeError {
    match error {
        DecodingError::LimitsExceeded => OptimizeError::LimitExceeded {
            what: "bytes of colour profile",
            value: MAX_PROFILE_BYTES + 1,
            limit: MAX_PROFILE_BYTES,
        },
        error if is_end(&error) => OptimizeError::invalid("truncated PNG"),
        _ => OptimizeError::invalid(DAMAGED),
    }
}

/// What the numbers mean, by the precedence of PNG third edition, section 4.3: cICP, iCCP, sRGB, then gAMA
/// and cHRM. Code points that say nothing, or nothing that is known, leave it to the next.
fn color_tag(info: &png::Info<'_>, profile: Option<Vec<u8>>) -> ColorTag {
    if let Some(points) = info.coding_independent_code_points
        && points.is_video_full_range_image
        && points.matrix_coefficients == 0
        && let Some(tag) = ColorTag::from_code_points(
            points.color_primaries,
            points.transfer_function,
            peak_nits(info),
        )
    {
        return tag;
    }
    if let Some(profile) = profile {
        return ColorTag::Icc(profile);
    }
    if info.srgb.is_some() {
        return ColorTag::Srgb;
    }
    match info.gama_chunk {
        Some(gamma) => ColorTag::Gamma {
            exponent: gamma.into_value(),
            chromaticities: info.chrm_chunk.map(|chrm| {
                [chrm.white, chrm.red, chrm.green, chrm.blue]
                    .map(|(x, y)| (x.into_value(), y.into_value()))
            }),
        },
        None => ColorTag::Srgb,
    }
}

/// The brightest light of the picture, or of the screen it was made on, where the file tells.
fn peak_nits(info: &png::Info<'_>) -> Option<f32> {
    let content = info.content_light_level;
    let screen = info.mastering_display_color_volume;
    content
        .map(|levels| levels.max_content_light_level)
        .filter(|&level| level > 0)
        .or(screen.map(|volume| volume.max_luminance))
        .map(|light| light as f32 / 10_000.0)
        .filter(|&nits| nits > 0.0)
}
