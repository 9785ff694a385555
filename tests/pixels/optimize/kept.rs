//! A source that fits is kept, without its metadata, where the file made from it would be larger.

use jpeg_encoder::{ColorType, Encoder};
use lablink_storage::{OptimizeOptions, OptimizedImage, OutputFormat};

use super::{
    contains, exif_segment, fixture, noise, paint, png, png_with, run, seen, to, webp, with_chunk,
};

/// A JPEG of quality 30: made anew at quality 85 it would be larger.
fn poor(segments: &[(u8, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 30);
    for &(application, body) in segments {
        encoder
            .add_app_segment(application, body.to_vec())
            .expect("a short segment");
    }
    encoder
        .encode(&noise(96, 64), 96, 64, ColorType::Rgb)
        .expect("pixels that fit");
    bytes
}

/// The data of the first scan, which no encoder of another quality would write.
pub(super) fn scan(jpeg: &[u8]) -> &[u8] {
    let at = jpeg
        .windows(2)
        .position(|pair| pair == [0xff, 0xda])
        .expect("a scan");
    &jpeg[at..]
}

fn jpeg_of(bytes: &[u8]) -> OptimizedImage {
    run(bytes, &to(OutputFormat::Jpeg))
}

#[test]
fn a_jpeg_that_would_grow_is_kept_bit_by_bit_and_stripped() {
    let plain = poor(&[]);
    let exif = exif_segment(1);
    for segments in [&[][..], &[(1, &exif[..])], &[(11, &b"SECRET"[..])]] {
        let bytes = poor(segments);
        let image = jpeg_of(&bytes);
        assert!(
            image.data.len() <= plain.len(),
            "{} of {}",
            image.data.len(),
            plain.len()
        );
        assert_eq!(scan(&image.data), scan(&bytes));
        assert!(!contains(&image.data, b"SECRET"));
        assert_eq!(super::jpeg_pixels(&image.data), super::jpeg_pixels(&bytes));
    }
    // What is behind the picture is not kept.
    let image = jpeg_of(&[&plain[..], b"SECRET"].concat());
    assert!(image.data.ends_with(&[0xff, 0xd9]));
    assert_eq!(scan(&image.data), scan(&plain));
}

#[test]
fn it_is_made_anew_where_it_shows_something_else_without_its_metadata() {
    let turned = exif_segment(6);
    let profile = [
        &b"ICC_PROFILE\0\x01\x01"[..],
        &fixture("icc/display-p3.icc"),
    ]
    .concat();
    let turned = poor(&[(1, &turned)]);
    let wide = poor(&[(2, &profile)]);
    for bytes in [&turned, &wide] {
        assert_ne!(scan(&jpeg_of(bytes).data), scan(bytes));
    }
    assert_eq!(jpeg_of(&turned).width, 64);
    // Nor is it kept where it does not fit, or another format is asked for.
    let plain = poor(&[]);
    let smaller = run(&plain, &OptimizeOptions::default().with_max_size(95, 95));
    assert_eq!(smaller.width, 95);
    assert_ne!(scan(&smaller.data), scan(&plain));
    assert_eq!(&run(&plain, &to(OutputFormat::Png)).data[1..4], b"PNG");
}

#[test]
fn an_inks_or_red_green_blue_jpeg_is_not_kept() {
    // Browsers differ on both.
    let image = jpeg_of(&fixture("jpeg/cmyk.jpg"));
    assert_eq!(super::jpeg_pixels(&image.data).len(), 40 * 30 * 3);
    assert!(
        contains(&image.data, &[0xff, 0xc0, 0, 17, 8]),
        "three components"
    );
}

#[test]
fn a_png_or_webp_that_would_grow_is_kept() {
    // One filter for all rows suits this; our encoder tries one a row and needs more bytes.
    let pixels = paint(64, 64, |x, y| {
        [(x * 4) as u8, (y * 4) as u8, ((x ^ y) * 4) as u8]
    });
    let mut info = png::Info::with_size(64, 64);
    (info.color_type, info.bit_depth) = (png::ColorType::Rgb, png::BitDepth::Eight);
    info.gama_chunk = None;
    let text = png::text_metadata::TEXtChunk::new("Comment", "SECRET");
    info.uncompressed_latin1_text.push(text);
    let original = png_with(info, &pixels);
    let image = run(&original, &to(OutputFormat::Png));
    assert!(image.data.len() <= png(64, 64, png::ColorType::Rgb, &pixels).len());
    assert!(!contains(&image.data, b"SECRET"));
    assert!(
        seen(&image)
            .pixels
            .iter()
            .flat_map(|pixel| &pixel[..3])
            .eq(&pixels)
    );

    // A lossy WebP of poor quality, made anew at 85.
    let first = run(&original, &to(OutputFormat::WebP).with_quality(10));
    let again = run(&first.data, &to(OutputFormat::WebP));
    assert_eq!(again.data, first.data);
    // Lossless in, lossy out would be smaller, but is not what it was.
    let lossless = webp(64, 64, false, &pixels, |_| ());
    let options = to(OutputFormat::WebP).with_lossless(true);
    let kept = run(&lossless, &options);
    assert!(kept.data.len() <= lossless.len());
    assert!(
        seen(&kept)
            .pixels
            .iter()
            .flat_map(|pixel| &pixel[..3])
            .eq(&pixels)
    );
}

#[test]
fn no_result_is_larger_than_a_plain_source_that_fits() {
    for quality in [5, 30, 60, 95] {
        let mut bytes = Vec::new();
        let encoder = Encoder::new(&mut bytes, quality);
        encoder
            .encode(&noise(50, 50), 50, 50, ColorType::Rgb)
            .expect("pixels that fit");
        let image = jpeg_of(&bytes);
        assert!(image.data.len() <= bytes.len(), "quality {quality}");
        let again = jpeg_of(&image.data);
        assert!(again.data.len() <= image.data.len(), "quality {quality}");
    }
}

const CANARY: &[u8] = b"<script>alert('a payload of more than sixteen bytes')</script>";

/// A file with something put before what ends it.
fn before(end: &[u8], file: &[u8], what: &[u8]) -> Vec<u8> {
    let at = file
        .windows(end.len())
        .rposition(|bytes| bytes == end)
        .expect("an end");
    [&file[..at], what, &file[at..]].concat()
}

fn assert_gone(kind: &str, clean: &[u8], dirty: &[u8], options: &OptimizeOptions) {
    assert!(contains(dirty, CANARY), "{kind}");
    let image = run(dirty, options);
    assert!(!contains(&image.data, CANARY), "{kind}");
    assert_eq!(
        seen(&image).pixels.len(),
        seen(&run(clean, options)).pixels.len()
    );
}

#[test]
fn bytes_between_the_picture_and_its_end_are_not_kept() {
    let to_jpeg = to(OutputFormat::Jpeg);
    let plain = poor(&[]);
    assert_eq!(
        scan(&run(&plain, &to_jpeg).data),
        scan(&plain),
        "it is one that is kept"
    );
    let after_the_scan = before(&[0xff, 0xd9], &plain, CANARY);
    assert_gone("behind the last block", &plain, &after_the_scan, &to_jpeg);
    let restart = [&[0xff, 0xd0], CANARY].concat();
    assert_gone(
        "behind a restart",
        &plain,
        &before(&[0xff, 0xd9], &plain, &restart),
        &to_jpeg,
    );
    // A quantisation table that no component uses.
    let mut table = [&[0xff, 0xdb, 0, 67, 3], CANARY].concat();
    table.resize(69, 1);
    assert_gone(
        "an unused table",
        &plain,
        &before(&[0xff, 0xda], &plain, &table),
        &to_jpeg,
    );
    // A second scan, after every component had its own.
    let second = [&scan(&plain)[..14], CANARY].concat();
    assert_gone(
        "another scan",
        &plain,
        &before(&[0xff, 0xd9], &plain, &second),
        &to_jpeg,
    );
}

#[test]
fn bytes_behind_a_png_s_rows_are_not_kept() {
    // Each row adds something to the one above: only who takes the same filter all the way finds that.
    let pixels = paint(256, 256, |x, y| {
        [(x * y) as u8, (x * x + y) as u8, (x & y) as u8]
    });
    let mut info = png::Info::with_size(256, 256);
    (info.color_type, info.bit_depth) = (png::ColorType::Rgb, png::BitDepth::Eight);
    let mut plain = Vec::new();
    let mut encoder = png::Encoder::with_info(&mut plain, info).expect("valid settings");
    encoder.set_filter(png::Filter::Up);
    let mut writer = encoder.write_header().expect("a valid header");
    writer.write_image_data(&pixels).expect("pixels that fit");
    writer.finish().expect("the end");
    let to_png = to(OutputFormat::Png);
    assert_eq!(
        run(&plain, &to_png).data.len(),
        plain.len(),
        "it is one that is kept"
    );

    let end = &plain[plain.len() - 12..];
    let data = with_chunk(&plain, b"IDAT", CANARY);
    let chunk = &data[33..33 + 12 + CANARY.len()];
    assert_gone("more data", &plain, &before(end, &plain, chunk), &to_png);
    let mut palette = CANARY.to_vec();
    palette.resize(CANARY.len().next_multiple_of(3), 0);
    let palette = with_chunk(&plain, b"PLTE", &palette);
    assert_gone("a palette for nothing", &plain, &palette, &to_png);
}

/// A RIFF file of WebP's with something at the end of one chunk.
fn longer(webp: &[u8], kind: &[u8; 4]) -> Vec<u8> {
    let mut file = webp[..12].to_vec();
    let mut at = 12;
    while at + 8 <= webp.len() {
        let length = u32::from_le_bytes(webp[at + 4..at + 8].try_into().expect("four"));
        let mut data = webp[at + 8..][..length as usize].to_vec();
        if &webp[at..at + 4] == kind {
            data.extend_from_slice(CANARY);
        }
        file.extend_from_slice(&webp[at..at + 4]);
        file.extend_from_slice(&(data.len() as u32).to_le_bytes());
        file.extend_from_slice(&data);
        file.resize(file.len().next_multiple_of(2), 0);
        at += 8 + length.next_multiple_of(2) as usize;
    }
    let size = (file.len() - 8) as u32;
    file[4..8].copy_from_slice(&size.to_le_bytes());
    file
}

#[test]
fn bytes_behind_a_webp_s_picture_are_not_kept() {
    let pixels = noise(96, 64);
    let source = png(96, 64, png::ColorType::Rgb, &pixels);
    let lossy = run(&source, &to(OutputFormat::WebP).with_quality(10)).data;
    let again = to(OutputFormat::WebP);
    assert_eq!(run(&lossy, &again).data, lossy, "it is one that is kept");
    assert_gone("VP8", &lossy, &longer(&lossy, b"VP8 "), &again);

    let rgba: Vec<u8> = pixels
        .as_chunks::<3>()
        .0
        .iter()
        .flat_map(|&[r, g, b]| [r, g, b, r])
        .collect();
    let source = png(96, 64, png::ColorType::Rgba, &rgba);
    let alpha = run(&source, &to(OutputFormat::WebP).with_quality(10)).data;
    assert!(contains(&alpha, b"ALPH"));
    assert_eq!(run(&alpha, &again).data, alpha, "it is one that is kept");
    assert_gone("ALPH", &alpha, &longer(&alpha, b"ALPH"), &again);

    let lossless = to(OutputFormat::WebP).with_lossless(true);
    let plain = run(&source, &lossless).data;
    assert_eq!(run(&plain, &lossless).data, plain, "it is one that is kept");
    assert_gone("VP8L", &plain, &longer(&plain, b"VP8L"), &lossless);
}
