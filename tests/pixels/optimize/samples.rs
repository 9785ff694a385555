//! Every way in which PNG, GIF and JPEG keep their samples gives the same picture.

use jpeg_encoder::ColorType;
use lablink_storage::ImageFormat;
use png::{BitDepth, Info};

use super::{fixture, jpeg, lossless, png_with, run, seen};

/// A PNG of one row with these samples, packed already.
fn row(width: u32, color: png::ColorType, depth: BitDepth, data: &[u8]) -> Info<'static> {
    let mut info = Info::with_size(width, 1);
    (info.color_type, info.bit_depth) = (color, depth);
    assert_eq!(
        data.len(),
        (width as usize * info.bits_per_pixel()).div_ceil(8)
    );
    info
}

#[track_caller]
fn assert_pixels(bytes: &[u8], expected: &[[u8; 4]]) {
    let image = run(bytes, &lossless());
    assert_eq!((image.width as usize, image.height), (expected.len(), 1));
    // What is transparent has no colour to speak of.
    let visible = |pixel: &[u8; 4]| if pixel[3] == 0 { [0; 4] } else { *pixel };
    let found: Vec<_> = seen(&image).pixels.iter().map(visible).collect();
    let expected: Vec<_> = expected.iter().map(visible).collect();
    assert_eq!(found, expected);
}

#[test]
fn gray_of_few_bits_is_spread_over_the_whole_range() {
    let gray = |value: u8| [value, value, value, 255];
    let grayscale = png::ColorType::Grayscale;
    // PNG third edition, section 13.12: the largest value is white.
    let one = png_with(
        row(3, grayscale, BitDepth::One, &[0b0100_0000]),
        &[0b0100_0000],
    );
    assert_pixels(&one, &[gray(0), gray(255), gray(0)]);
    let two = png_with(
        row(4, grayscale, BitDepth::Two, &[0b0001_1011]),
        &[0b0001_1011],
    );
    assert_pixels(&two, &[gray(0), gray(85), gray(170), gray(255)]);
    let four = png_with(
        row(3, grayscale, BitDepth::Four, &[0x0f, 0x70]),
        &[0x0f, 0x70],
    );
    assert_pixels(&four, &[gray(0), gray(255), gray(119)]);
}

#[test]
fn sixteen_bits_are_rounded_to_eight() {
    // 128 in 16 bits is 128 * 257 = 0x8080; 0x8000 is 127.50, 0x807f is 127.996, 0x0081 is 0.502.
    let data = [
        0x80, 0x80, 0x80, 0x00, 0x80, 0x7f, 0xff, 0xff, 0x00, 0x81, 0x00, 0x80,
    ];
    let rgb = png_with(row(2, png::ColorType::Rgb, BitDepth::Sixteen, &data), &data);
    let half = (32768.0f64 * 255.0 / 65535.0).round() as u8;
    assert_pixels(&rgb, &[[128, half, 128, 255], [255, 1, 0, 255]]);
    let data = [0x12, 0x12, 0xff, 0xff, 0xab, 0xab, 0x40, 0x40];
    let info = row(2, png::ColorType::GrayscaleAlpha, BitDepth::Sixteen, &data);
    assert_pixels(
        &png_with(info, &data),
        &[[0x12, 0x12, 0x12, 255], [0xab, 0xab, 0xab, 0x40]],
    );
}

#[test]
fn a_palette_has_its_colours_and_its_alpha() {
    let palette = [255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9];
    let expected = [
        [255, 0, 0, 0],
        [0, 255, 0, 128],
        [0, 0, 255, 255],
        [9, 9, 9, 255],
    ];
    for (depth, data) in [
        (BitDepth::Two, &[0b0001_1011][..]),
        (BitDepth::Four, &[0x01, 0x23]),
        (BitDepth::Eight, &[0, 1, 2, 3]),
    ] {
        let mut info = row(4, png::ColorType::Indexed, depth, data);
        info.palette = Some(palette.to_vec().into());
        info.trns = Some(vec![0, 128].into());
        assert_pixels(&png_with(info, data), &expected);
    }
}

#[test]
fn a_transparent_colour_is_transparent() {
    let data = [10, 20, 30];
    let mut info = row(3, png::ColorType::Grayscale, BitDepth::Eight, &data);
    info.trns = Some(vec![0, 20].into());
    assert_pixels(
        &png_with(info, &data),
        &[[10, 10, 10, 255], [20, 20, 20, 0], [30, 30, 30, 255]],
    );
    let data = [1, 2, 3, 1, 2, 4];
    let mut info = row(2, png::ColorType::Rgb, BitDepth::Eight, &data);
    info.trns = Some(vec![0, 1, 0, 2, 0, 3].into());
    assert_pixels(&png_with(info, &data), &[[1, 2, 3, 0], [1, 2, 4, 255]]);
}

#[test]
fn a_gif_without_a_colour_table_is_gray_and_one_without_transparency_opaque() {
    let mut bytes = Vec::new();
    let mut encoder = gif::Encoder::new(&mut bytes, 3, 1, &[1, 2, 3, 4, 5, 6]).expect("a header");
    let frame = gif::Frame::from_indexed_pixels(3, 1, vec![0, 1, 0], None);
    encoder.write_frame(&frame).expect("a frame");
    drop(encoder);
    assert_pixels(&bytes, &[[1, 2, 3, 255], [4, 5, 6, 255], [1, 2, 3, 255]]);
    // The flag that says that there is a table, and the table.
    bytes[10] &= 0x7f;
    bytes.drain(13..19);
    assert_pixels(&bytes, &[[0, 0, 0, 255], [1, 1, 1, 255], [0, 0, 0, 255]]);
}

#[test]
fn a_gray_jpeg_is_gray() {
    let data: Vec<u8> = (0..64).map(|value| value * 4).collect();
    let bytes = jpeg(64, 1, ColorType::Luma, &data, &[]);
    let seen = seen(&run(&bytes, &lossless()));
    for (x, &value) in data.iter().enumerate() {
        let [red, green, blue, _] = seen.at(x, 0);
        assert!(red == green && green == blue && red.abs_diff(value) <= 1);
    }
}

/// What Pillow 13.0.0 (libjpeg-turbo 3) makes of the same files: `Image.open(name).convert("RGB")`.
#[test]
fn four_inks_are_the_colours_that_libjpeg_sees() {
    for (name, expected) in INKS {
        let image = run(&fixture(name), &lossless());
        assert_eq!(image.source.format, ImageFormat::Jpeg);
        let seen = seen(&image);
        for &((x, y), [red, green, blue]) in expected {
            seen.assert_near(x, y, [red, green, blue, 255], 2);
        }
    }
}

type Place = ((usize, usize), [u8; 3]);

const INKS: [(&str, &[Place]); 2] = [
    (
        "jpeg/cmyk.jpg",
        &[
            ((5, 5), [33, 42, 206]),
            ((20, 5), [110, 63, 54]),
            ((35, 5), [187, 41, 219]),
            ((5, 15), [31, 109, 209]),
            ((20, 15), [108, 230, 31]),
            ((35, 15), [187, 109, 215]),
            ((5, 25), [32, 174, 190]),
            ((20, 25), [109, 177, 52]),
            ((35, 25), [186, 175, 207]),
        ],
    ),
    (
        "jpeg/ycck.jpg",
        &[
            ((8, 8), [1, 255, 255]),
            ((24, 8), [235, 0, 234]),
            ((40, 8), [255, 255, 1]),
            ((8, 24), [122, 117, 112]),
            ((24, 24), [41, 103, 164]),
            ((40, 24), [0, 0, 0]),
        ],
    ),
];
