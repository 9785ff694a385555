//! Truncated files are refused; an option takes what decoded of them.

use jpeg_encoder::{ColorType, Encoder};
use lablink_storage::{OptimizeError, OptimizeOptions, OutputFormat};

use super::{noise, paint, png, refused, run, seen, to, webp};

fn encoded(progressive: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 80);
    encoder.set_progressive(progressive);
    encoder
        .encode(&noise(90, 90), 90, 90, ColorType::Rgb)
        .expect("pixels that fit");
    bytes
}

fn inks() -> Vec<u8> {
    let mut bytes = Vec::new();
    let pixels = paint(90, 90, |x, y| [x as u8, y as u8, 200, (x * y) as u8]);
    let encoder = Encoder::new(&mut bytes, 95);
    encoder
        .encode(&pixels, 90, 90, ColorType::Cmyk)
        .expect("pixels that fit");
    bytes
}

fn gif() -> Vec<u8> {
    let mut bytes = Vec::new();
    let palette: Vec<u8> = (0..=255).flat_map(|value| [value; 3]).collect();
    let pixels = paint(90, 90, |x, y| [(x * 3 + y * 7) as u8]);
    let mut encoder = gif::Encoder::new(&mut bytes, 90, 90, &palette).expect("a header");
    let frame = gif::Frame::from_indexed_pixels(90, 90, pixels, None);
    encoder.write_frame(&frame).expect("a frame");
    drop(encoder);
    bytes
}

fn inputs() -> Vec<(&'static str, Vec<u8>)> {
    let lossy = run(&encoded(false), &to(OutputFormat::WebP).with_quality(90));
    vec![
        ("JPEG", encoded(false)),
        ("progressive JPEG", encoded(true)),
        ("CMYK JPEG", inks()),
        ("PNG", png(90, 90, png::ColorType::Rgb, &noise(90, 90))),
        ("GIF", gif()),
        ("lossless WebP", webp(90, 90, false, &noise(90, 90), |_| ())),
        ("WebP", lossy.data.to_vec()),
    ]
}

#[test]
fn a_file_that_was_cut_off_is_refused() {
    for (name, bytes) in inputs() {
        run(&bytes, &OptimizeOptions::default());
        for percent in [1, 20, 50, 80, 97] {
            let cut = &bytes[..bytes.len() * percent / 100];
            let error = refused(cut, &OptimizeOptions::default());
            let typed = matches!(
                error,
                OptimizeError::InvalidImage { .. } | OptimizeError::UnsupportedFormat { .. }
            );
            assert!(typed, "{name}, {percent} %: {error:?}");
        }
    }
}

#[test]
fn what_decoded_of_it_is_taken_where_that_is_asked_for() {
    let options = to(OutputFormat::Png).with_accept_truncated(true);
    for (name, bytes) in inputs() {
        let whole = seen(&run(&bytes, &options));
        let half = run(&bytes[..bytes.len() * 6 / 10], &options);
        assert_eq!((half.width, half.height), (90, 90), "{name}");
        let half = seen(&half);
        // The first rows are there (a progressive file has all of them, roughly), the last ones not.
        let apart = |rows: std::ops::Range<usize>| {
            let pixels = rows.start * 90..rows.end * 90;
            let pairs = whole.pixels[pixels.clone()]
                .iter()
                .zip(&half.pixels[pixels]);
            let sum: u64 = pairs
                .flat_map(|(a, b)| a.iter().zip(b))
                .map(|(a, b)| u64::from(a.abs_diff(*b)))
                .sum();
            sum / (90 * 4 * rows.len() as u64)
        };
        if name != "progressive JPEG" {
            assert!(apart(0..20) <= 1, "{name}: {}", apart(0..20));
            assert!(apart(80..90) > 10, "{name}: {}", apart(80..90));
        }
    }
}

#[test]
fn a_truncated_file_is_never_kept_as_it_is() {
    let bytes = encoded(false);
    let cut = &bytes[..bytes.len() * 6 / 10];
    let image = run(cut, &OptimizeOptions::default().with_accept_truncated(true));
    assert!(image.data.ends_with(&[0xff, 0xd9]));
    run(&image.data, &OptimizeOptions::default());
}

/// Its scan names red before blue, which is rare.
fn swapped() -> Vec<u8> {
    let mut bytes = encoded(false);
    let scan = bytes.windows(2).position(|pair| pair == [0xff, 0xda]);
    let at = scan.expect("a scan") + 5;
    bytes.swap(at + 2, at + 4);
    bytes
}

#[test]
fn what_is_rare_is_not_filled_with_grey_either() {
    let whole = swapped();
    let image = run(&whole, &OptimizeOptions::default());
    assert_eq!((image.width, image.height), (90, 90));
    for percent in [50, 80, 97] {
        let cut = &whole[..whole.len() * percent / 100];
        let error = refused(cut, &OptimizeOptions::default());
        assert!(
            matches!(error, OptimizeError::InvalidImage { .. }),
            "{percent} %: {error}"
        );
        assert!(error.to_string().contains("truncated"), "{error}");
        let partly = run(cut, &OptimizeOptions::default().with_accept_truncated(true));
        assert_eq!((partly.width, partly.height), (90, 90));
    }
}
