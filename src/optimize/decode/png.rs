//! PNG, row by row, always to 8 bits a channel.

use std::io::Cursor;

use png::{BitDepth, ColorType, DecodingError, Transformations};

use super::super::OptimizeError;
use super::super::budget::Budget;
use super::super::color::ColorTag;
use super::super::header::png::PngHeader;
use super::super::header::{Header, MAX_PROFILE_BYTES};
use super::super::raster::{Component, Layout, Pixels, Raster};
use super::{Decoded, byte_count};

/// How many rows go by between two looks at the clock.
const ROWS_PER_CHECK: usize = 64;

pub(super) fn decode(
    bytes: &[u8],
    header: &Header<'_>,
    png: &PngHeader<'_>,
    budget: &Budget<'_>,
) -> Result<Decoded, OptimizeError> {
    let mut decoder = png::Decoder::new_with_limits(
        Cursor::new(bytes),
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
    let (width, height) = (header.width as usize, header.height as usize);
    budget.check_memory(byte_count(header.width, header.height, layout.channels()))?;
    let sixteen = depth == BitDepth::Sixteen;
    let data = if png.interlaced {
        interlaced(&mut reader, header, layout, sixteen, budget)?
    } else {
        let row_bytes = width * layout.channels();
        let mut data = Vec::with_capacity(row_bytes * height);
        for y in 0..height {
            if y.is_multiple_of(ROWS_PER_CHECK) {
                budget.check_time()?;
            }
            match reader.next_row() {
                Ok(Some(row)) if sixteen => data.extend(eight_bits(row.data())),
                Ok(Some(row)) => data.extend_from_slice(row.data()),
                Ok(None) => break,
                Err(error) if y > 0 && is_end(&error) => {
                    budget.truncated("the PNG's image data ends early")?;
                    break;
                }
                Err(error) => return Err(damaged(error)),
            }
        }
        data.resize(row_bytes * height, 0);
        data
    };
    let raster = Raster::new(layout, width, height, data);
    let pixels = Pixels::Packed(Component::whole(raster));
    Ok(Decoded::whole(pixels, color))
}

/// Adam7: the passes are woven together by the decoder.
fn interlaced(
    reader: &mut png::Reader<Cursor<&[u8]>>,
    header: &Header<'_>,
    layout: Layout,
    sixteen: bool,
    budget: &Budget<'_>,
) -> Result<Vec<u8>, OptimizeError> {
    let sample = layout.channels() * if sixteen { 2 } else { 1 };
    let (width, height) = (header.width as usize, header.height as usize);
    // 16-bit samples are there beside those of 8 bits that are made of them.
    let copy = if sixteen { layout.channels() } else { 0 };
    budget.check_memory(byte_count(header.width, header.height, sample + copy))?;
    let row_bytes = width * sample;
    let mut data = vec![0; row_bytes * height];
    let mut rows = 0usize;
    loop {
        if rows.is_multiple_of(ROWS_PER_CHECK) {
            budget.check_time()?;
        }
        rows += 1;
        match reader.next_interlaced_row() {
            Ok(Some(row)) => {
                let png::InterlaceInfo::Adam7(info) = row.interlace() else {
                    return Err(OptimizeError::invalid(
                        "damaged PNG: its interlacing changes",
                    ));
                };
                png::expand_interlaced_row(
                    &mut data,
                    row_bytes,
                    row.data(),
                    info,
                    8 * sample as u8,
                );
            }
            Ok(None) => break,
            Err(error) if rows > 1 && is_end(&error) => {
                budget.truncated("the PNG's image data ends early")?;
                break;
            }
            Err(error) => return Err(damaged(error)),
        }
    }
    Ok(if sixteen {
        eight_bits(&data).collect()
    } else {
        data
    })
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
        error => OptimizeError::invalid(format!("damaged PNG: {error}")),
    }
}

/// What the numbers mean, by the precedence of PNG third edition, section 4.3: cICP, iCCP, sRGB, then gAMA
/// and cHRM.
fn color_tag(info: &png::Info<'_>, profile: Option<Vec<u8>>) -> ColorTag {
    if let Some(points) = info.coding_independent_code_points
        && points.is_video_full_range_image
        && points.matrix_coefficients == 0
    {
        return ColorTag::Cicp {
            primaries: points.color_primaries,
            transfer: points.transfer_function,
        };
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
