//! What is written: the format that was asked for or that fits, and without loss where that was asked for.

use lablink_storage::{ImageFormat, OptimizeOptions, OutputFormat};
use png::{BitDepth, ColorType};

use super::{noise, paint, png, run, seen, to, webp};

#[test]
fn auto_is_jpeg_where_every_pixel_is_opaque_and_webp_otherwise() {
    let opaque = paint(32, 32, |x, y| [x as u8 * 7, y as u8 * 7, 90, 255]);
    let mut dotted = opaque.clone();
    dotted[4 * 500 + 3] = 254;
    let cases = [
        (png(32, 32, ColorType::Rgba, &opaque), ImageFormat::Jpeg),
        (
            png(32, 32, ColorType::Rgb, &noise(32, 32)),
            ImageFormat::Jpeg,
        ),
        (webp(32, 32, true, &opaque, |_| ()), ImageFormat::Jpeg),
        (png(32, 32, ColorType::Rgba, &dotted), ImageFormat::WebP),
        (webp(32, 32, true, &dotted, |_| ()), ImageFormat::WebP),
    ];
    for (index, (bytes, expected)) in cases.iter().enumerate() {
        let image = run(bytes, &to(OutputFormat::Auto));
        assert_eq!(image.format, *expected, "case {index}");
        assert_eq!(image.content_type(), expected.mime_type());
        assert_eq!(ImageFormat::sniff(&image.data), Ok(*expected));
    }
}

/// Colour type, depth and palette entries of a PNG.
fn kind(data: &[u8]) -> (ColorType, BitDepth, usize) {
    let decoder = png::Decoder::new(std::io::Cursor::new(data));
    let reader = decoder.read_info().expect("a valid PNG");
    let info = reader.info();
    let entries = info.palette.as_ref().map_or(0, |palette| palette.len() / 3);
    (info.color_type, info.bit_depth, entries)
}

#[test]
fn png_has_a_palette_where_256_colours_lose_nothing() {
    /// As many colours, every fifth of them with some transparency.
    fn colours(count: u32, x: u32, y: u32) -> [u8; 4] {
        let index = (y * 40 + x) % count;
        let alpha = if index.is_multiple_of(5) { 90 } else { 255 };
        [(index % 16 * 16) as u8, (index / 16 * 14) as u8, 3, alpha]
    }
    let depths = [
        (2, BitDepth::One),
        (4, BitDepth::Two),
        (16, BitDepth::Four),
        (17, BitDepth::Eight),
        (256, BitDepth::Eight),
    ];
    for (count, depth) in depths {
        let pixels = paint(40, 40, |x, y| colours(count, x, y));
        let image = run(&webp(40, 40, true, &pixels, |_| ()), &to(OutputFormat::Png));
        let expected = (ColorType::Indexed, depth, count as usize);
        assert_eq!(kind(&image.data), expected, "{count} colours");
        assert_eq!(
            seen(&image).pixels.as_flattened(),
            pixels,
            "{count} colours"
        );
    }
    let pixels = paint(40, 40, |x, y| colours(257, x, y));
    let image = run(&webp(40, 40, true, &pixels, |_| ()), &to(OutputFormat::Png));
    assert_eq!(kind(&image.data), (ColorType::Rgba, BitDepth::Eight, 0));
    assert_eq!(seen(&image).pixels.as_flattened(), pixels);
}

#[test]
fn png_has_no_channel_that_says_nothing() {
    // Smaller than the input, so that the input is not kept.
    let made = |color: ColorType, pixels: &[u8]| {
        let image = run(
            &png(64, 64, color, pixels),
            &to(OutputFormat::Png).with_max_size(50, 50),
        );
        kind(&image.data).0
    };
    let gray = |x: u32, y: u32| (x * 3 + y) as u8;
    let opaque_gray = paint(64, 64, |x, y| [gray(x, y), gray(x, y), gray(x, y), 255]);
    assert_eq!(made(ColorType::Rgba, &opaque_gray), ColorType::Grayscale);
    let alpha_gray = paint(64, 64, |x, y| {
        [gray(x, y), gray(x, y), gray(x, y), (x + y) as u8]
    });
    assert_eq!(
        made(ColorType::Rgba, &alpha_gray),
        ColorType::GrayscaleAlpha
    );
    let opaque = paint(64, 64, |x, y| [gray(x, y), x as u8, y as u8, 255]);
    assert_eq!(made(ColorType::Rgba, &opaque), ColorType::Rgb);
}

#[test]
fn lossless_webp_loses_nothing() {
    let pixels = paint(50, 37, |x, y| {
        [x as u8 * 5, y as u8 * 6, (x * y) as u8, 100 + x as u8]
    });
    let bytes = png(50, 37, ColorType::Rgba, &pixels);
    let options = to(OutputFormat::WebP).with_lossless(true);
    let image = run(&bytes, &options);
    assert_eq!(&image.data[12..16], b"VP8L");
    assert_eq!(seen(&image).pixels.as_flattened(), pixels);
    let bytes = png(50, 37, ColorType::Rgb, &noise(50, 37));
    let seen = seen(&run(&bytes, &options));
    let opaque = seen.pixels.iter().flat_map(|pixel| &pixel[..3]).copied();
    assert!(opaque.eq(noise(50, 37)));
}

#[test]
fn quality_and_progression_are_as_asked_for() {
    let bytes = png(
        300,
        200,
        ColorType::Rgb,
        &paint(300, 200, |x, y| {
            let wave = |at: u32, length: f64| ((f64::from(at) / length).sin() * 60.0 + 128.0) as u8;
            [wave(x, 9.0), wave(y, 7.0), wave(x + y, 23.0)]
        }),
    );
    let size = |options: &OptimizeOptions| run(&bytes, options).data.len();
    for format in [OutputFormat::Jpeg, OutputFormat::WebP] {
        let sizes = [30, 60, 85, 100].map(|quality| size(&to(format).with_quality(quality)));
        assert!(
            sizes.is_sorted() && sizes[0] * 2 < sizes[3],
            "{format:?}: {sizes:?}"
        );
    }
    let baseline = run(&bytes, &to(OutputFormat::Jpeg));
    let progressive = run(&bytes, &to(OutputFormat::Jpeg).with_progressive(true));
    assert!(progressive.data.len() <= baseline.data.len());
    assert_eq!(seen(&progressive).pixels, seen(&baseline).pixels);
    assert!(!super::contains(&baseline.data, &[0xff, 0xc2]));
    assert!(super::contains(&progressive.data, &[0xff, 0xc2]));
}
