//! HEIC: HEVC in HEIF (ISO/IEC 23008-12, annex B), as iPhones write it.

use heifer_hevc_dec::decoder::{DecodeOptions, decode_picture};
use heifer_hevc_dec::nal::NalUnit;
use heifer_hevc_dec::params::ParameterSets;
use heifer_isobmff::boxes::HevcConfig;

use crate::optimize::OptimizeError;
use crate::optimize::budget::Budget;

use super::heif::{self, Bitstream, CodePoints, Coded, Coding, Plane, Samples};
use super::{Codec, READ_ALONE};

pub(super) const CODEC: Codec = Codec {
    open: |bytes, budget| heif::open(bytes, budget, &CODING),
    encode: READ_ALONE,
    has_alpha: true,
    takes_planes: |_| false,
};

static CODING: Coding = Coding {
    item: *b"hvc1",
    name: "HEIF of another codec than HEVC",
    decode,
    bytes_per_pixel: 10,
};

/// By how much a coded picture may be larger than the one that shows, in pixels a side: whole coding blocks.
const MAX_PADDING: u64 = 64;

fn damaged(_: heifer_hevc_dec::Error) -> OptimizeError {
    OptimizeError::invalid("damaged HEIC: its picture does not decode")
}

fn decode(picture: &Bitstream<'_>, _budget: &Budget<'_>) -> Result<Coded, OptimizeError> {
    let config = picture
        .hevc
        .ok_or_else(|| OptimizeError::invalid("a HEIC picture without its parameters"))?;
    let stream = annex_b(config, &picture.data)?;
    let side = |side: u32| u64::from(side) + MAX_PADDING;
    let options = DecodeOptions {
        max_pixels: side(picture.width) * side(picture.height),
        ..DecodeOptions::default()
    };
    let frame = decode_picture(&stream, options).map_err(damaged)?;
    let sampling = match frame.chroma_format {
        1 => (2, 2),
        2 => (2, 1),
        _ => (1, 1),
    };
    let count = if frame.chroma_format == 0 { 1 } else { 3 };
    let planes = frame.planes.into_iter().take(count).enumerate();
    let planes = planes.map(|(index, samples)| Plane {
        width: frame.widths[index],
        height: frame.heights[index],
        depth: frame.bit_depth[index.min(1)],
        samples: Samples::Words(samples),
    });
    let (primaries, transfer) = color(config).unwrap_or((2, 2));
    Ok(Coded {
        planes: planes.collect(),
        sampling,
        points: CodePoints {
            primaries,
            transfer,
            matrix: frame.matrix_coeffs,
            full_range: frame.full_range,
        },
    })
}

/// The parameter sets and the picture as one stream, in which start codes take the place of lengths.
fn annex_b(config: &HevcConfig, data: &[u8]) -> Result<Vec<u8>, OptimizeError> {
    const START: [u8; 4] = [0, 0, 0, 1];
    let mut stream = Vec::with_capacity(data.len() + 1024);
    for unit in &config.nal_units {
        stream.extend_from_slice(&START);
        stream.extend_from_slice(unit);
    }
    let length_size = usize::from(config.nal_length_size);
    let mut rest = data;
    while !rest.is_empty() {
        let unit = rest
            .split_at_checked(length_size)
            .and_then(|(length, rest)| {
                let fold = |sum: usize, &byte: &u8| sum << 8 | usize::from(byte);
                rest.split_at_checked(length.iter().fold(0, fold))
            });
        let (unit, behind) = unit.ok_or_else(|| OptimizeError::invalid("truncated HEIC"))?;
        stream.extend_from_slice(&START);
        stream.extend_from_slice(unit);
        rest = behind;
    }
    Ok(stream)
}

/// Primaries and transfer by the stream's own parameters, where they are told.
fn color(config: &HevcConfig) -> Option<(u8, u8)> {
    let mut sets = ParameterSets::default();
    for unit in &config.nal_units {
        sets.add(&NalUnit::parse(unit).ok()?).ok()?;
    }
    let vui = sets.sps.iter().flatten().find_map(|set| set.vui.as_ref())?;
    Some((vui.colour_primaries, vui.transfer_characteristics))
}
