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

/// A JPEG whose EXIF says in which orientation it is to be shown, by which camera and where it was taken.
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

/// Latitude and longitude as EXIF has them (Exif 2.32, 4.6.6): degrees, minutes and seconds, each a fraction.
const POSITION: &[u8; 48] = b"\0\0\0\x30\0\0\0\x01\0\0\0\x08\0\0\0\x01\0\0\x05\x9d\0\0\0\x64\
    \0\0\0\x0b\0\0\0\x01\0\0\0\x22\0\0\0\x01\0\0\x0c\x4e\0\0\0\x64";

/// Three entries in the first directory (Exif 2.32, 4.6.2 and 4.6.3): a camera's name (0x0110, ASCII) and a
/// position (0x8825, the offset of its own directory) that must not survive, and orientation (0x0112, SHORT).
fn exif(orientation: u8) -> Vec<u8> {
    let mut exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x03".to_vec();
    exif.extend_from_slice(b"\x01\x10\0\x02\0\0\0\x08\0\0\0\x32");
    exif.extend_from_slice(&[0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0]);
    exif.extend_from_slice(b"\x88\x25\0\x04\0\0\0\x01\0\0\0\x3a");
    // At 0x32.
    exif.extend_from_slice(b"\0\0\0\0SECRETS\0");
    // At 0x3a: the references (ASCII) and the values (three RATIONALs each) of latitude and longitude.
    exif.extend_from_slice(b"\0\x04\0\x01\0\x02\0\0\0\x02N\0\0\0");
    exif.extend_from_slice(b"\0\x02\0\x05\0\0\0\x03\0\0\0\x70");
    exif.extend_from_slice(b"\0\x03\0\x02\0\0\0\x02E\0\0\0");
    exif.extend_from_slice(b"\0\x04\0\x05\0\0\0\x03\0\0\0\x88\0\0\0\0");
    // At 0x70 and 0x88.
    exif.extend_from_slice(POSITION);
    exif
}

/// Whether a file says where [`jpeg_with_exif`] was taken.
pub fn tells_position(bytes: &[u8]) -> bool {
    contains(bytes, POSITION)
}

/// Whether these bytes are somewhere in a file.
pub fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
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
