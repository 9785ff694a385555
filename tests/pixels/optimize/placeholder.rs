//! Placeholders are those of the ThumbHash reference: the npm package `thumbhash` 0.1.1, called in Node.js
//! with the same pixels: `rgbaToThumbHash(w, h, rgba)`, in base64.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lablink_storage::{OutputFormat, placeholder_url};

use super::{lossless, paint, png, run, to};

/// No frequency is zero here, where the last bit of a sum would decide.
fn rough(x: u32, y: u32) -> [u8; 3] {
    let channels = [x * 37 + y * 101 + x * y, x * x + y * 13, x * y * 3 + y * y];
    channels.map(|value| value as u8)
}

fn smooth(x: u32, y: u32) -> [u8; 3] {
    [(x * 5) as u8, (y * 8) as u8, (255 - x * 3) as u8]
}

fn transparent(x: u32, y: u32) -> [u8; 4] {
    let inside = (i64::from(x) - 15).pow(2) + (i64::from(y) - 20).pow(2) < 150;
    [
        (x * 8) as u8,
        40,
        (y * 6) as u8,
        if inside { 255 } else { (y * 2) as u8 },
    ]
}

#[test]
fn small_images_have_the_reference_s_hash() {
    let bytes = png(48, 30, png::ColorType::Rgb, &paint(48, 30, rough));
    assert_eq!(
        run(&bytes, &lossless()).placeholder,
        "HwgCFIJEZWZRZnYxQ0CJn/6M+g=="
    );
    let bytes = png(30, 40, png::ColorType::Rgba, &paint(30, 40, transparent));
    let expected = "WJaGHAg3kCqZqHp7KPc4gJh3c1Z4CJiHBw==";
    assert_eq!(run(&bytes, &lossless()).placeholder, expected);
}

/// The hash is made of at most 48 pixels a side, and from planes where the result has them: all but the
/// last bit of each of its nibbles is the same.
#[test]
fn larger_images_and_other_formats_have_nearly_the_same() {
    let bytes = png(
        480,
        300,
        png::ColorType::Rgb,
        &paint(480, 300, |x, y| smooth(x / 10, y / 10)),
    );
    for format in [OutputFormat::Jpeg, OutputFormat::Png, OutputFormat::WebP] {
        for side in [480, 100, 48] {
            let found = run(&bytes, &to(format).with_max_size(side, side)).placeholder;
            let nibbles = |hash: &str| -> Vec<u8> {
                let bytes = STANDARD.decode(hash).expect("base64");
                bytes
                    .iter()
                    .flat_map(|byte| [byte & 15, byte >> 4])
                    .collect()
            };
            let (found, expected) = (nibbles(&found), nibbles("4gUKbJh0d3dwiHiHiIdwhAj3hw=="));
            assert_eq!(found.len(), expected.len());
            // Behind the header, whose fields are not nibbles.
            for (at, (a, b)) in found.iter().zip(&expected).enumerate().skip(10) {
                assert!(
                    a.abs_diff(*b) <= 1,
                    "{format:?}, {side}: nibble {at} is {a}, there {b}"
                );
            }
        }
    }
}

/// The colours that the reference's `thumbHashToRGBA` gives for the hashes above, at the corners and inside.
#[test]
fn a_preview_is_the_reference_s() {
    type Pixels = [((u32, u32), [u8; 4]); 6];
    let opaque: Pixels = [
        ((0, 0), [159, 125, 91, 255]),
        ((31, 0), [140, 133, 102, 255]),
        ((0, 17), [139, 113, 123, 255]),
        ((31, 17), [132, 119, 123, 255]),
        ((16, 9), [113, 126, 136, 255]),
        ((5, 9), [124, 119, 132, 255]),
    ];
    let transparent: Pixels = [
        ((0, 0), [105, 57, 144, 0]),
        ((25, 0), [155, 43, 121, 0]),
        ((0, 31), [68, 42, 183, 0]),
        ((25, 31), [150, 28, 168, 24]),
        ((13, 16), [121, 42, 114, 255]),
        ((5, 9), [77, 25, 98, 133]),
    ];
    for (hash, size, expected) in [
        ("HwgCFIJEZWZRZnYxQ0CJn/6M+g==", (32, 18), opaque),
        (
            "WJaGHAg3kCqZqHp7KPc4gJh3c1Z4CJiHBw==",
            (26, 32),
            transparent,
        ),
    ] {
        let url = placeholder_url(hash).expect("a placeholder");
        let file = url.strip_prefix("data:image/png;base64,").expect("a PNG");
        let file = STANDARD.decode(file).expect("base64");
        let decoder = png::Decoder::new(std::io::Cursor::new(file));
        let mut reader = decoder.read_info().expect("a PNG");
        let mut pixels = vec![0; reader.output_buffer_size().expect("small")];
        let info = reader.next_frame(&mut pixels).expect("whole");
        assert_eq!((info.width, info.height), size);
        let channels = info.color_type.samples();
        for ((x, y), expected) in expected {
            let at = (y * info.width + x) as usize * channels;
            let found = &pixels[at..at + channels];
            for (found, expected) in found.iter().zip(expected) {
                assert!(found.abs_diff(expected) <= 1, "{hash} at {x}, {y}");
            }
        }
    }
    for damaged in ["", "HwgC", "HwgCFIJE", "no base64"] {
        assert_eq!(placeholder_url(damaged), None, "{damaged:?}");
    }
}
