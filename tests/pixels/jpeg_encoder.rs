//! What our JPEG encoder writes, as zune-jpeg and our own decoder read it.

use std::collections::BTreeMap;

use lablink_storage::optimize::jpeg::encode::{
    EncodeError, EncodeOptions, Picture, Quantization, Samples, encode,
};
use lablink_storage::optimize::jpeg::{DecodeLimits, Planes, Process, decode, read_header};
use zune_jpeg::{
    JpegDecoder,
    zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions},
};

/// A plane with slopes, edges and a little noise.
fn plane(width: usize, height: usize, seed: usize) -> Vec<u8> {
    let sample = |at: usize| {
        let (x, y) = (at % width, at / width);
        let noise = (at * 7919 + seed * 104_729) >> 3 & 7;
        let edge = if (x / 11 + y / 7 + seed).is_multiple_of(3) {
            60
        } else {
            0
        };
        (x * 90 / width + y * 70 / height + edge + noise + 10 * seed) as u8
    };
    (0..width * height).map(sample).collect()
}

fn samples(data: &[u8], width: usize, height: usize) -> Samples<'_> {
    Samples {
        width,
        height,
        stride: width,
        data,
    }
}

fn options(quality: u8, progressive: bool) -> EncodeOptions<'static> {
    let mut options = EncodeOptions::new(quality);
    options.progressive = progressive;
    options
}

fn planes(file: &[u8]) -> Planes {
    decode(file, &DecodeLimits::default(), &|_, _, _| 8).expect("a file of our own")
}

/// Odd sizes, and some that are whole blocks or MCUs.
const SIZES: [(usize, usize); 7] = [
    (1, 1),
    (8, 8),
    (16, 16),
    (17, 9),
    (31, 50),
    (64, 40),
    (203, 77),
];

#[test]
fn at_the_best_quality_the_samples_come_back() {
    for (width, height) in SIZES {
        for progressive in [false, true] {
            let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
            let luma = plane(width, height, 0);
            let chroma = [plane(width, height, 1), plane(width, height, 2)];
            let halves = [
                plane(half_width, half_height, 1),
                plane(half_width, half_height, 2),
            ];
            let y = samples(&luma, width, height);
            let [cb, cr] = [0, 1].map(|index| samples(&chroma[index], width, height));
            let [half_cb, half_cr] =
                [0, 1].map(|index| samples(&halves[index], half_width, half_height));
            let cases = [
                (Picture::Gray(y), vec![y]),
                (Picture::YCbCr444([y, cb, cr]), vec![y, cb, cr]),
                (
                    Picture::YCbCr420([y, half_cb, half_cr]),
                    vec![y, half_cb, half_cr],
                ),
            ];
            for (picture, expected) in cases {
                let file = encode(&picture, &options(100, progressive)).expect("a picture");
                let decoded = planes(&file);
                assert_eq!(decoded.planes.len(), expected.len());
                for (plane, samples) in decoded.planes.iter().zip(expected) {
                    assert_eq!((plane.width, plane.height), (samples.width, samples.height));
                    for (y, row) in samples.data.chunks(samples.width).enumerate() {
                        for (a, b) in plane.row(y).iter().zip(row) {
                            assert!(
                                a.abs_diff(*b) <= 1,
                                "{width} x {height}, progressive: {progressive}"
                            );
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn another_decoder_reads_it_and_sees_the_same() {
    let options_of = |space| {
        DecoderOptions::default()
            .set_strict_mode(true)
            .jpeg_set_out_colorspace(space)
    };
    for (width, height) in SIZES {
        for progressive in [false, true] {
            let data: Vec<Vec<u8>> = (0..3).map(|seed| plane(width, height, seed)).collect();
            let [y, cb, cr] = [0, 1, 2].map(|index: usize| samples(&data[index], width, height));
            for (picture, space) in [
                (Picture::Gray(y), ColorSpace::Luma),
                (Picture::YCbCr444([y, cb, cr]), ColorSpace::YCbCr),
            ] {
                let file = encode(&picture, &options(85, progressive)).expect("a picture");
                let mut decoder =
                    JpegDecoder::new_with_options(ZCursor::new(&file), options_of(space));
                let theirs = decoder.decode().expect("a valid file");
                let ours = planes(&file);
                let count = ours.planes.len();
                assert_eq!(theirs.len(), width * height * count);
                for (at, sample) in theirs.iter().enumerate() {
                    let (pixel, index) = (at / count, at % count);
                    let our = ours.planes[index].row(pixel / width)[pixel % width];
                    assert!(
                        our.abs_diff(*sample) <= 1,
                        "{width} x {height}, progressive: {progressive}"
                    );
                }
            }
        }
    }
}

#[test]
fn progressive_is_the_same_image_in_fewer_bytes() {
    let (width, height) = (400, 300);
    let luma = plane(width, height, 0);
    let halves = [plane(200, 150, 1), plane(200, 150, 2)];
    let picture = Picture::YCbCr420([
        samples(&luma, width, height),
        samples(&halves[0], 200, 150),
        samples(&halves[1], 200, 150),
    ]);
    let baseline = encode(&picture, &options(85, false)).expect("a picture");
    let progressive = encode(&picture, &options(85, true)).expect("a picture");
    assert_eq!(planes(&baseline), planes(&progressive));
    let process = |file| read_header(file).expect("a valid file").process;
    assert_eq!(
        (process(&baseline), process(&progressive)),
        (Process::Baseline, Process::Progressive)
    );
    assert!(
        progressive.len() < baseline.len(),
        "{} and {}",
        progressive.len(),
        baseline.len()
    );
}

#[test]
fn headers_hold_what_was_asked_for() {
    let data = plane(20, 10, 0);
    let mut options = EncodeOptions::new(70);
    options.segments = &[(1, b"Exif\0\0something"), (2, b"more")];
    options.quantization = [Quantization::scaled(&[20; 64], 25); 2];
    let file = encode(&Picture::Gray(samples(&data, 20, 10)), &options).expect("a picture");
    // Marker, body.
    let mut segments: BTreeMap<u8, &[u8]> = BTreeMap::new();
    let mut at = 2;
    while file[at + 1] != 0xDA {
        let length = usize::from(file[at + 2]) << 8 | usize::from(file[at + 3]);
        segments.insert(file[at + 1], &file[at + 4..at + 2 + length]);
        at += 2 + length;
    }
    assert_eq!(segments[&0xE1], b"Exif\0\0something");
    assert_eq!(segments[&0xE2], b"more");
    assert!(segments[&0xE0].starts_with(b"JFIF\0\x01\x02"));
    // 20 at quality 25 is 40, in libjpeg's scaling.
    assert_eq!(segments[&0xDB][1..], [40; 64]);
    assert_eq!(segments[&0xC0], [8, 0, 10, 0, 20, 1, 1, 0x11, 0]);
    let header = read_header(&file).expect("a valid file");
    assert_eq!((header.width, header.height), (20, 10));
}

#[test]
fn rows_may_be_apart_and_errors_are_told() {
    let wide = plane(64, 20, 0);
    let narrow: Vec<u8> = wide.chunks(64).flat_map(|row| row[..50].to_vec()).collect();
    let strided = Samples {
        width: 50,
        height: 20,
        stride: 64,
        data: &wide,
    };
    let options = EncodeOptions::new(80);
    assert_eq!(
        encode(&Picture::Gray(strided), &options),
        encode(&Picture::Gray(samples(&narrow, 50, 20)), &options)
    );
    let error = |picture: Picture<'_>| encode(&picture, &options).err();
    assert_eq!(
        error(Picture::Gray(samples(&[], 0, 5))),
        Some(EncodeError::Size)
    );
    assert_eq!(
        error(Picture::Gray(samples(&wide, 65536, 1))),
        Some(EncodeError::Size)
    );
    assert_eq!(
        error(Picture::Gray(samples(&narrow, 50, 21))),
        Some(EncodeError::Samples)
    );
    let full = samples(&narrow, 50, 20);
    assert_eq!(
        error(Picture::YCbCr420([full; 3])),
        Some(EncodeError::Samples)
    );
    let mut options = EncodeOptions::new(80);
    options.segments = &[(16, b"")];
    assert_eq!(
        encode(&Picture::Gray(full), &options).err(),
        Some(EncodeError::Segment)
    );
}
