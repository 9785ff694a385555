//! Real files, where the corpus is: at full size against zune-jpeg, at every N/8 against the ideal.
//!
//! Planes of full size are compared with zune-jpeg as they are. Subsampled ones come out of it
//! interpolated, so ours are interpolated by the same filter first; there two may add up to two.

use std::path::{Path, PathBuf};

use lablink_storage::optimize::jpeg::{Color, Component, Error, Plane, read_header};
use zune_jpeg::{
    JpegDecoder,
    zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions},
};

use super::{full_size, jpeg_files, name, read, reference, scales};

/// The corpus of real files, where this machine has one.
fn corpus() -> Option<PathBuf> {
    if cfg!(debug_assertions) {
        println!("skipped: real files are for an optimized build, --release");
        return None;
    }
    crate::common::corpus()
}

fn real_files(corpus: &Path) -> impl Iterator<Item = PathBuf> {
    let folders = ["bench", "photos", "valid", "valid/gen"];
    let corpus = corpus.to_path_buf();
    folders
        .into_iter()
        .flat_map(move |name| jpeg_files(&corpus.join(name)))
        // Damaged a third of the way down, where no two decoders do the same: Chromium's picture is the measure
        // (tests/beside_chromium).
        .filter(|path| !path.ends_with("valid/Pillow__hopper_bad_exif.jpg"))
}

/// The samples in the file's own colours, interleaved, and how many there are for each pixel.
fn zune(data: &[u8], color: Color) -> Option<(Vec<u8>, usize)> {
    let (space, count) = match color {
        Color::Gray => (ColorSpace::Luma, 1),
        Color::YCbCr => (ColorSpace::YCbCr, 3),
        Color::Rgb => (ColorSpace::RGB, 3),
        // It makes other colours of inks; `turbo` compares them.
        _ => return None,
    };
    let options = DecoderOptions::default()
        .set_strict_mode(false)
        .jpeg_set_out_colorspace(space);
    let samples = JpegDecoder::new_with_options(ZCursor::new(data), options)
        .decode()
        .ok()?;
    Some((samples, count))
}

/// A sample of a plane that has `across` x `down` pixels to each of its samples, interpolated as libjpeg and
/// zune-jpeg do: three quarters of the nearest sample and one of the next, rows first. At the edges, where
/// decoders differ, and for other factors than one and two: `None`.
fn interpolated(plane: &Plane, (across, down): (usize, usize), x: usize, y: usize) -> Option<u8> {
    let nearest_and_next = |at: usize, factor: usize, size: usize| match (factor, at % 2) {
        (1, _) => Some((at, at)),
        (2, 0) => Some((at / 2, (at / 2).checked_sub(1)?)),
        (2, _) => Some((at / 2, at / 2 + 1)).filter(|&(_, next)| next + 1 < size),
        _ => None,
    };
    let (column, next_column) = nearest_and_next(x, across, plane.width)?;
    let (row, next_row) = nearest_and_next(y, down, plane.height)?;
    let blend = |nearest: u8, next: u8| ((u16::from(nearest) * 3 + u16::from(next) + 2) >> 2) as u8;
    let at = |column: usize| blend(plane.row(row)[column], plane.row(next_row)[column]);
    Some(blend(at(column), at(next_column)))
}

#[test]
fn full_size_is_within_one_of_zune_jpeg() {
    let Some(corpus) = corpus() else { return };
    let (mut files, mut samples, mut off_by_one, mut chroma) = (0, 0u64, 0u64, 0u64);
    for path in real_files(&corpus) {
        let data = read(&path);
        let planes = match full_size(&data) {
            Ok(planes) => planes,
            // What this decoder hands over.
            Err(error) => {
                println!("{}: {error}", path.display());
                assert!(
                    matches!(error, Error::Unsupported(_)),
                    "{}: {error}",
                    path.display()
                );
                continue;
            }
        };
        let header = read_header(&data).expect("decoded just now");
        let Some((reference, count)) = zune(&data, planes.color) else {
            println!("{}: zune-jpeg does not decode it", path.display());
            continue;
        };
        files += 1;
        for (index, plane) in planes.planes.iter().enumerate() {
            let (width, height) = (planes.width as usize, planes.height as usize);
            if (plane.width, plane.height) != (width, height) {
                if index == 0 {
                    // Luma of less than full size, in cjpeg_sub_luma_lower.jpg: zune-jpeg leaves it black.
                    continue;
                }
                let own = header.components[index];
                let factor = |of: fn(&Component) -> u8| {
                    let most = header.components.iter().map(of).max().unwrap_or(1);
                    usize::from(if most % of(&own) == 0 {
                        most / of(&own)
                    } else {
                        0
                    })
                };
                let factors = (factor(|c| c.horizontal), factor(|c| c.vertical));
                for (x, y) in (0..height).flat_map(|y| (0..width).map(move |x| (x, y))) {
                    let Some(ours) = interpolated(plane, factors, x, y) else {
                        continue;
                    };
                    let theirs = reference[(y * width + x) * count + index];
                    assert!(
                        ours.abs_diff(theirs) <= 2,
                        "{}: component {index} at {x}, {y} is {ours}, there {theirs}, {:?}",
                        path.display(),
                        header.components
                    );
                    chroma += 1;
                }
                continue;
            }
            for y in 0..plane.height {
                let from = y * plane.width * count;
                let theirs = reference[from..from + plane.width * count]
                    .iter()
                    .skip(index)
                    .step_by(count);
                for (x, (a, b)) in plane.row(y).iter().zip(theirs).enumerate() {
                    let apart = a.abs_diff(*b);
                    assert!(
                        apart <= 1,
                        "{}: component {index} at {x}, {y} is {a}, there {b}, {:?}",
                        path.display(),
                        header.components
                    );
                    samples += 1;
                    off_by_one += u64::from(apart);
                }
            }
        }
    }
    println!(
        "{files} files, {samples} samples, {off_by_one} of them 1 apart, and {chroma} interpolated ones"
    );
    assert!(files > 50, "the corpus has more files than {files}");
}

/// The file with the tables of ITU-T T.81, annex K.3, where it has none, as Motion JPEG: by another encoder, which
/// writes the same.
fn with_tables(data: &[u8]) -> Vec<u8> {
    let at = |data: &[u8], marker: u8| data.windows(2).position(|pair| pair == [0xff, marker]);
    if at(data, 0xc4).is_some() {
        return data.to_vec();
    }
    let mut other = Vec::new();
    let encoder = jpeg_encoder::Encoder::new(&mut other, 90);
    let encoded = encoder.encode(&[128; 3 * 64], 8, 8, jpeg_encoder::ColorType::Rgb);
    encoded.expect("pixels that fit");
    let mut tables = Vec::new();
    let mut rest = &other[at(&other, 0xc4).expect("tables")..];
    while rest.starts_with(&[0xff, 0xc4]) {
        let end = 2 + usize::from(u16::from_be_bytes([rest[2], rest[3]]));
        tables.extend_from_slice(&rest[..end]);
        rest = &rest[end..];
    }
    let scan = at(data, 0xda).expect("a scan");
    [&data[..scan], &tables, &data[scan..]].concat()
}

#[test]
fn every_scale_is_ideal() {
    let Some(corpus) = corpus() else { return };
    let full = std::env::var_os("LABLINK_TEST_FULL").is_some_and(|value| value == "1");
    let (mut files, mut samples) = (0, 0);
    for path in real_files(&corpus) {
        let data = read(&path);
        // The reference takes its time: large files come in the long run only.
        if !full && data.len() > 3_000_000 {
            continue;
        }
        // The reference knows no damage; `turbo` compares that.
        if full_size(&data).map_or(true, |planes| planes.damaged > 0.0) {
            continue;
        }
        let ideal = reference::decode(&with_tables(&data));
        let blocks: usize = ideal.iter().map(|component| component.blocks.len()).sum();
        // Large files: one scale each in turn, and some of the blocks.
        let small = blocks < 20_000;
        let every = if small { 1 + blocks / 2_000 } else { 397 };
        for n in (1..=8).filter(|n| small || full || files % 8 + 1 == *n) {
            samples += scales::compare(&name(&path), &data, &ideal, n, every);
        }
        files += 1;
    }
    println!("{files} files, {samples} samples");
    assert!(files > 100, "the corpus has more files than {files}");
}
