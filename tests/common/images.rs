//! Small images made in code.

use jpeg_encoder::{ColorType, Encoder};

/// Pixels with structure in them: two gradients and a checkerboard, `channels` bytes each.
pub fn pixels(width: u16, height: u16, channels: usize) -> Vec<u8> {
    let mut pixels = Vec::with_capacity(usize::from(width) * usize::from(height) * channels);
    for y in 0..u32::from(height) {
        for x in 0..u32::from(width) {
            let across = (x * 255 / u32::from(width)) as u8;
            let down = (y * 255 / u32::from(height)) as u8;
            let square = if (x / 8 + y / 8) % 2 == 0 { 32 } else { 224 };
            pixels.extend_from_slice(&[across, down, square, 255 - across][..channels]);
        }
    }
    pixels
}

/// A baseline JPEG of quality 90.
pub fn jpeg(width: u16, height: u16) -> Vec<u8> {
    jpeg_with_exif(width, height, None)
}

/// A JPEG whose EXIF says in which orientation it is to be shown, and where it was taken.
pub fn jpeg_with_exif(width: u16, height: u16, orientation: Option<u8>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 90);
    if let Some(orientation) = orientation {
        encoder
            .add_app_segment(1, exif(orientation))
            .expect("a short segment");
    }
    encoder
        .encode(&pixels(width, height, 3), width, height, ColorType::Rgb)
        .expect("pixels fit");
    bytes
}

/// Two entries in the first directory (EXIF 2.3, 4.6.2): orientation (0x0112, SHORT), and a camera's name
/// (0x0110, ASCII) that must not survive.
fn exif(orientation: u8) -> Vec<u8> {
    let mut exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x02".to_vec();
    exif.extend_from_slice(b"\x01\x10\0\x02\0\0\0\x08\0\0\0\x26");
    exif.extend_from_slice(&[0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0]);
    exif.extend_from_slice(b"\0\0\0\0SECRETS\0");
    exif
}

/// An RGBA PNG, transparent towards the right.
pub fn png_with_alpha(width: u16, height: u16) -> Vec<u8> {
    png(
        width,
        height,
        png::ColorType::Rgba,
        &pixels(width, height, 4),
    )
}

/// An RGB PNG.
pub fn png_rgb(width: u16, height: u16) -> Vec<u8> {
    png(
        width,
        height,
        png::ColorType::Rgb,
        &pixels(width, height, 3),
    )
}

fn png(width: u16, height: u16, color: png::ColorType, pixels: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width.into(), height.into());
    encoder.set_color(color);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().expect("a valid header");
    writer.write_image_data(pixels).expect("pixels fit");
    writer.finish().expect("the end");
    bytes
}

/// Files that are not images, by their names.
pub fn not_images() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("empty", Vec::new()),
        ("html", b"<!DOCTYPE html><script>alert(1)</script>".to_vec()),
        (
            "svg",
            b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script>1</script></svg>".to_vec(),
        ),
        ("pdf", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n".to_vec()),
        ("zeros", vec![0; 4096]),
        ("text", b"just words".to_vec()),
    ]
}
