//! Orientations 1 to 8, in each place where a file says them.

use jpeg_encoder::ColorType;
use lablink_storage::OutputFormat;

use super::{exif, exif_segment, jpeg, lossless, paint, png_with, run, seen, to, webp};

const WIDTH: u32 = 35;
const HEIGHT: u32 = 21;

/// The upright picture: another colour in each quarter, none of them of the same size.
fn upright(x: u32, y: u32) -> [u8; 3] {
    match (x < 14, y < 12) {
        (true, true) => [220, 40, 40],
        (false, true) => [40, 200, 60],
        (true, false) => [50, 60, 210],
        (false, false) => [230, 220, 70],
    }
}

/// Where the stored pixel in `column` and `row` is seen (TIFF 6.0, tag 274: 6, for one, has its rows from
/// the right-hand side on, and its columns from the top).
fn place(orientation: u8, column: u32, row: u32, width: u32, height: u32) -> (u32, u32) {
    let (right, bottom) = (width - 1, height - 1);
    match orientation {
        1 => (column, row),
        2 => (right - column, row),
        3 => (right - column, bottom - row),
        4 => (column, bottom - row),
        5 => (row, column),
        6 => (right - row, column),
        7 => (right - row, bottom - column),
        8 => (row, bottom - column),
        _ => unreachable!("1 to 8"),
    }
}

/// The picture as a file with this orientation stores it.
fn stored(orientation: u8) -> (u32, u32, Vec<u8>) {
    let (width, height) = match orientation {
        1..=4 => (WIDTH, HEIGHT),
        _ => (HEIGHT, WIDTH),
    };
    let pixels = paint(width, height, |column, row| {
        let (x, y) = place(orientation, column, row, WIDTH, HEIGHT);
        upright(x, y)
    });
    (width, height, pixels)
}

/// The three formats that can say an orientation, each as it does.
fn inputs(orientation: u8) -> [(&'static str, Vec<u8>); 3] {
    let (width, height, pixels) = stored(orientation);
    let mut info = png::Info::with_size(width, height);
    info.color_type = png::ColorType::Rgb;
    info.bit_depth = png::BitDepth::Eight;
    info.exif_metadata = Some(exif(orientation).into());
    let segment = exif_segment(orientation);
    let (w, h) = (width as u16, height as u16);
    [
        (
            "JPEG",
            jpeg(w, h, ColorType::Rgb, &pixels, &[(1, &segment)]),
        ),
        ("PNG", png_with(info, &pixels)),
        (
            "WebP",
            webp(width, height, false, &pixels, |encoder| {
                encoder.set_exif_metadata(exif(orientation));
            }),
        ),
    ]
}

#[test]
fn every_format_is_turned_upright() {
    for orientation in 1..=8 {
        for (name, bytes) in inputs(orientation) {
            let image = run(&bytes, &lossless());
            let what = format!("{name}, orientation {orientation}");
            assert_eq!((image.width, image.height), (WIDTH, HEIGHT), "{what}");
            assert_eq!(image.source.orientation, orientation, "{what}");
            let seen = seen(&image);
            // A JPEG of quality 100 is not quite without loss.
            let tolerance = if name == "JPEG" { 3 } else { 0 };
            for (x, y) in (0..HEIGHT).flat_map(|y| (0..WIDTH).map(move |x| (x, y))) {
                let [red, green, blue] = upright(x, y);
                let expected = [red, green, blue, 255];
                seen.assert_near(x as usize, y as usize, expected, tolerance);
            }
        }
    }
}

#[test]
fn the_box_is_that_of_the_upright_picture() {
    for orientation in 1..=8 {
        for (name, bytes) in inputs(orientation) {
            for format in [OutputFormat::Jpeg, OutputFormat::Png, OutputFormat::Auto] {
                let image = run(&bytes, &to(format).with_max_size(18, 18));
                let what = format!("{name}, orientation {orientation}, {format:?}");
                // 21 * 18 / 35 = 10.8.
                assert_eq!((image.width, image.height), (18, 11), "{what}");
                let seen = seen(&image);
                for (x, y, from) in [
                    (2, 2, (0, 0)),
                    (13, 2, (30, 0)),
                    (2, 9, (0, 20)),
                    (13, 9, (30, 20)),
                ] {
                    let [red, green, blue] = upright(from.0, from.1);
                    seen.assert_near(x, y, [red, green, blue, 255], 24);
                }
            }
        }
    }
}

#[test]
fn an_orientation_that_does_not_exist_is_upright() {
    for orientation in [0, 9, 255] {
        let (width, height, pixels) = stored(1);
        let segment = exif_segment(orientation);
        let bytes = jpeg(
            width as u16,
            height as u16,
            ColorType::Rgb,
            &pixels,
            &[(1, &segment)],
        );
        let image = run(&bytes, &lossless());
        assert_eq!(
            (image.width, image.height, image.source.orientation),
            (WIDTH, HEIGHT, 1)
        );
    }
}
