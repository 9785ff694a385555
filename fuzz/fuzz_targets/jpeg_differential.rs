//! Our JPEG decoder never panics, at any scale; and what is plain and undamaged is what zune-jpeg sees.
//!
//! What is odd or damaged is decoded as libjpeg-turbo does it, which zune-jpeg does not.
//!
//! Sequential files of several scans are left out: zune-jpeg 0.5 leaves parts of them black where there
//! are restart markers (tests/fixtures/jpeg/420_two_scans.jpg, which libjpeg-turbo reads as we do).
//!
//! A block is compared where none of its samples is clipped: then its coefficients are in the range
//! that 8-bit images have, and nothing overflows in either decoder.

#![no_main]

use lablink_storage::optimize::jpeg::{Color, DecodeLimits, Plane, Process, decode, read_header};
use libfuzzer_sys::fuzz_target;
use zune_jpeg::{
    JpegDecoder,
    zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions},
};

fuzz_target!(|data: &[u8]| {
    let mut limits = DecodeLimits::default();
    limits.max_pixels = 1 << 18;
    limits.max_bytes = 32 << 20;
    limits.max_scans = 20;
    let scale = data.last().map_or(8, |&byte| usize::from(byte % 8) + 1);
    limits.accept_truncated = true;
    drop(decode(data, &limits, &|index, _, _| scale + index));
    limits.accept_truncated = false;
    let Ok(ours) = decode(data, &limits, &|_, _, _| 8) else {
        return;
    };
    assert!((0.0..=1.0).contains(&ours.damaged));
    if ours.spare || ours.damaged > 0.0 {
        return;
    }
    let (space, count) = match ours.color {
        Color::Gray => (ColorSpace::Luma, 1),
        Color::YCbCr => (ColorSpace::YCbCr, 3),
        _ => return,
    };
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .jpeg_set_out_colorspace(space);
    let Ok(theirs) = JpegDecoder::new_with_options(ZCursor::new(data), options).decode() else {
        return;
    };
    let scans = data.windows(2).filter(|pair| pair == &[0xFF, 0xDA]).count();
    let sequential = read_header(data).is_ok_and(|header| header.process != Process::Progressive);
    if sequential && scans > 1 {
        return;
    }
    let (width, height) = (ours.width as usize, ours.height as usize);
    if theirs.len() != width * height * count {
        return;
    }
    for (index, plane) in ours.planes.iter().enumerate() {
        // A subsampled plane comes out of zune-jpeg interpolated.
        if (plane.width, plane.height) == (width, height) {
            compare(
                plane,
                &|x, y| theirs[(y * width + x) * count + index],
                index,
            );
        }
    }
});

fn compare(plane: &Plane, theirs: &dyn Fn(usize, usize) -> u8, index: usize) {
    for top in (0..plane.height).step_by(8) {
        for left in (0..plane.width).step_by(8) {
            let rows = top..(top + 8).min(plane.height);
            let columns = left..(left + 8).min(plane.width);
            let block = || rows.clone().map(|y| &plane.row(y)[columns.clone()]);
            // At an edge, samples that are not seen may be clipped.
            let whole = rows.len() == 8 && columns.len() == 8;
            if !whole || block().flatten().any(|sample| matches!(sample, 0 | 255)) {
                continue;
            }
            for (y, row) in rows.clone().zip(block()) {
                for (x, &sample) in columns.clone().zip(row) {
                    let other = theirs(x, y);
                    assert!(
                        sample.abs_diff(other) <= 1,
                        "component {index} at {x}, {y}: {sample}, there {other}"
                    );
                }
            }
        }
    }
}
