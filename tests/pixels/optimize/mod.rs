//! The optimizer through its public face: colours, orientations, formats, metadata, animation. What comes
//! out is decoded by zune-jpeg, png and image-webp, what goes in is made here, and expected values are a
//! specification's or another implementation's, as each test says.

#![cfg(feature = "webp")]

mod alpha;
mod animation;
mod avif;
mod color;
mod determinism;
mod drawing;
mod encode;
mod kept;
mod metadata;
mod mutants;
mod odd;
mod odd_jpeg;
mod orientation;
mod other_formats;
mod placeholder;
mod regressions;
mod samples;
mod several;
mod truncated;
mod variants;

use std::io::Cursor;
use std::path::{Path, PathBuf};

use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use lablink_storage::{
    ImageFormat, OptimizeError, OptimizeOptions, OptimizedImage, OutputFormat, optimize,
};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

fn fixture(name: &str) -> Vec<u8> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    std::fs::read(directory.join(name)).expect(name)
}

pub(crate) fn files(directory: &str) -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    let entries = std::fs::read_dir(directory).expect("a readable directory");
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_file())
        .collect();
    paths.sort();
    paths
}

fn to(format: OutputFormat) -> OptimizeOptions {
    OptimizeOptions::default().with_format(format)
}

/// Options whose result has exactly the pixels that the optimizer saw. Not PNG, as most inputs are: a
/// source that is kept would only show itself.
fn lossless() -> OptimizeOptions {
    to(OutputFormat::WebP).with_lossless(true)
}

fn run(bytes: &[u8], options: &OptimizeOptions) -> OptimizedImage {
    optimize(bytes, options).expect("an image")
}

fn refused(bytes: &[u8], options: &OptimizeOptions) -> OptimizeError {
    optimize(bytes, options).expect_err("an image that is refused")
}

/// Red, green, blue and alpha of a result, row by row, by another decoder than ours.
struct Seen {
    width: usize,
    height: usize,
    pixels: Vec<[u8; 4]>,
}

impl Seen {
    fn at(&self, x: usize, y: usize) -> [u8; 4] {
        self.pixels[y * self.width + x]
    }

    /// Whether every channel at `x`, `y` is within `tolerance` of `expected`.
    #[track_caller]
    fn assert_near(&self, x: usize, y: usize, expected: [u8; 4], tolerance: u8) {
        let found = self.at(x, y);
        let near = found
            .iter()
            .zip(expected)
            .all(|(a, b)| a.abs_diff(b) <= tolerance);
        assert!(
            near,
            "{found:?} at {x}, {y}, expected {expected:?} within {tolerance}"
        );
    }
}

fn seen(image: &OptimizedImage) -> Seen {
    let (width, height) = (image.width as usize, image.height as usize);
    let (channels, data) = match image.format {
        ImageFormat::Jpeg => (3, jpeg_pixels(&image.data)),
        ImageFormat::Png => (4, png_pixels(&image.data)),
        ImageFormat::WebP => webp_pixels(&image.data),
        format => panic!("{format} is not written"),
    };
    assert_eq!(
        data.len(),
        width * height * channels,
        "the size that was told"
    );
    let pixels = data.chunks_exact(channels).map(|pixel| match *pixel {
        [red, green, blue] => [red, green, blue, 255],
        [red, green, blue, alpha] => [red, green, blue, alpha],
        _ => unreachable!("three or four channels"),
    });
    Seen {
        width,
        height,
        pixels: pixels.collect(),
    }
}

fn jpeg_pixels(data: &[u8]) -> Vec<u8> {
    let options = DecoderOptions::default().jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(data), options);
    decoder.decode().expect("a valid JPEG")
}

fn png_pixels(data: &[u8]) -> Vec<u8> {
    let mut decoder = png::Decoder::new(Cursor::new(data));
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().expect("a valid PNG");
    let mut pixels = vec![0; reader.output_buffer_size().expect("a size")];
    let info = reader.next_frame(&mut pixels).expect("a valid PNG");
    assert_eq!(info.bit_depth, png::BitDepth::Eight);
    let pixels = pixels.chunks_exact(info.color_type.samples());
    pixels
        .flat_map(|pixel| match *pixel {
            [gray] => [gray, gray, gray, 255],
            [gray, alpha] => [gray, gray, gray, alpha],
            [red, green, blue] => [red, green, blue, 255],
            [red, green, blue, alpha] => [red, green, blue, alpha],
            _ => unreachable!("one to four channels"),
        })
        .collect()
}

fn webp_pixels(data: &[u8]) -> (usize, Vec<u8>) {
    let mut decoder = image_webp::WebPDecoder::new(Cursor::new(data)).expect("a valid WebP");
    let mut pixels = vec![0; decoder.output_buffer_size().expect("a size")];
    decoder.read_image(&mut pixels).expect("a valid WebP");
    (if decoder.has_alpha() { 4 } else { 3 }, pixels)
}

/// A PNG of 8 bits a channel.
fn png(width: u32, height: u32, color: png::ColorType, data: &[u8]) -> Vec<u8> {
    let mut info = png::Info::with_size(width, height);
    info.color_type = color;
    info.bit_depth = png::BitDepth::Eight;
    png_with(info, data)
}

fn png_with(info: png::Info<'_>, data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let encoder = png::Encoder::with_info(&mut bytes, info).expect("valid settings");
    let mut writer = encoder.write_header().expect("a valid header");
    writer.write_image_data(data).expect("pixels that fit");
    writer.finish().expect("the end");
    bytes
}

/// The PNG with another chunk behind its header.
fn with_chunk(png: &[u8], kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let body = [&kind[..], data].concat();
    // The checksum of PNG third edition, annex D.
    let crc = body.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    });
    let (length, crc) = ((data.len() as u32).to_be_bytes(), (!crc).to_be_bytes());
    [&png[..33], &length, &body, &crc, &png[33..]].concat()
}

/// A JPEG of quality 100 without chroma subsampling; `segments` are markers and bodies.
fn jpeg(
    width: u16,
    height: u16,
    color: ColorType,
    data: &[u8],
    segments: &[(u8, &[u8])],
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 100);
    encoder.set_sampling_factor(SamplingFactor::F_1_1);
    for &(application, body) in segments {
        encoder
            .add_app_segment(application, body.to_vec())
            .expect("a short segment");
    }
    encoder
        .encode(data, width, height, color)
        .expect("pixels that fit");
    bytes
}

/// A lossless WebP of red, green, blue and, if so, alpha.
fn webp(
    width: u32,
    height: u32,
    alpha: bool,
    data: &[u8],
    set: impl FnOnce(&mut image_webp::WebPEncoder<&mut Vec<u8>>),
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = image_webp::WebPEncoder::new(&mut bytes);
    set(&mut encoder);
    let color = match alpha {
        true => image_webp::ColorType::Rgba8,
        false => image_webp::ColorType::Rgb8,
    };
    encoder
        .encode(data, width, height, color)
        .expect("pixels that fit");
    bytes
}

/// `width` x `height` pixels of a function of their place.
fn paint<const N: usize>(width: u32, height: u32, pixel: impl Fn(u32, u32) -> [u8; N]) -> Vec<u8> {
    let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    places.flat_map(|(x, y)| pixel(x, y)).collect()
}

/// Noise that no encoder packs well, the same in every run: the high bits of a linear congruence.
fn noise(width: u32, height: u32) -> Vec<u8> {
    paint(width, height, |x, y| {
        let mut state = x.wrapping_mul(0x9e37_79b9) ^ y.wrapping_mul(0x85eb_ca6b);
        [(); 3].map(|()| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
    })
}

/// An EXIF block, little-endian: orientation, a camera's name that must not survive, artist and copyright.
fn exif(orientation: u8) -> Vec<u8> {
    let texts: [(u16, &[u8]); 3] = [
        (0x0110, b"SECRET CAMERA\0"),
        (0x013b, b"Ada Lovelace\0"),
        (0x8298, b"(c) 1843 A. L.\0"),
    ];
    let mut tiff = b"II*\0\x08\0\0\0".to_vec();
    tiff.extend_from_slice(&4u16.to_le_bytes());
    let mut data_at = 8 + 2 + 12 * 4 + 4;
    let mut data = Vec::new();
    // Entries are in the order of their tags.
    for (index, (tag, text)) in texts.into_iter().enumerate() {
        if index == 1 {
            tiff.extend_from_slice(&[0x12, 0x01, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0]);
        }
        tiff.extend_from_slice(&tag.to_le_bytes());
        tiff.extend_from_slice(&[2, 0]);
        tiff.extend_from_slice(&(text.len() as u32).to_le_bytes());
        tiff.extend_from_slice(&(data_at as u32).to_le_bytes());
        data.extend_from_slice(text);
        data_at += text.len();
    }
    tiff.extend_from_slice(&[0; 4]);
    tiff.extend_from_slice(&data);
    tiff
}

fn exif_segment(orientation: u8) -> Vec<u8> {
    [&b"Exif\0\0"[..], &exif(orientation)].concat()
}

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}
