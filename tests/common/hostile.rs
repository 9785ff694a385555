//! Files that mean harm, made in code: what must not pass, and what must not pass unchanged.

use lablink_storage::ErrorKind;

use super::images;

/// Active content that must not be in anything that is stored.
pub const CANARY: &[u8] =
    b"CANARY_7d1f<script>alert(document.domain)</script><?php system($_GET[0]);?>";

/// What has to be refused, by name, and the kind of the refusal. The empty file is not among them: a policy
/// refuses it on its way already.
pub fn refused() -> Vec<(&'static str, Vec<u8>, ErrorKind)> {
    use ErrorKind::{InvalidImage, LimitExceeded, UnsupportedFormat};
    let before = |head: &[u8]| [head, CANARY, &images::jpeg(64, 48)].concat();
    let mut truncated = images::jpeg(64, 48);
    truncated.truncate(truncated.len() * 2 / 3);
    let mut truncated_png = images::png_rgb(64, 48);
    truncated_png.truncate(truncated_png.len() / 2);
    let svg = b"<svg xmlns=\"http://www.w3.org/2000/svg\" onload=\"alert(1)\"/>";
    vec![
        (
            "HTML",
            b"<!DOCTYPE html><script>alert(1)</script>".to_vec(),
            UnsupportedFormat,
        ),
        ("SVG", svg.to_vec(), UnsupportedFormat),
        (
            "HTML that a JPEG follows",
            before(b"<html>"),
            UnsupportedFormat,
        ),
        (
            "PDF that a JPEG follows",
            before(b"%PDF-1.7\n"),
            UnsupportedFormat,
        ),
        (
            "ZIP that a JPEG follows",
            before(b"PK\x03\x04"),
            UnsupportedFormat,
        ),
        ("words", b"just words".to_vec(), UnsupportedFormat),
        ("zeros", vec![0; 4096], UnsupportedFormat),
        ("a JPEG that breaks off", truncated, InvalidImage),
        ("a PNG that breaks off", truncated_png, InvalidImage),
        (
            "a JPEG's signature alone",
            b"\xff\xd8\xff\xe0".to_vec(),
            InvalidImage,
        ),
        (
            "a JPEG that claims 65500 x 65500",
            claiming_jpeg(65500, 65500),
            LimitExceeded,
        ),
        (
            "a PNG that claims 60000 x 60000",
            claiming_png(60000, 60000),
            LimitExceeded,
        ),
        (
            "a GIF that claims 65535 x 65535",
            claiming_gif(65535, 65535),
            LimitExceeded,
        ),
        (
            "a progressive JPEG of many scans",
            many_scans(300),
            LimitExceeded,
        ),
    ]
}

/// Valid images with the canary in them: each may be refused, or stored without it.
pub fn polyglots() -> Vec<(&'static str, Vec<u8>)> {
    let jpeg = images::jpeg(64, 48);
    let png = images::png_rgb(64, 48);
    let segment = |marker: u8, body: &[u8]| {
        let length = u16::try_from(body.len() + 2).expect("a short segment");
        let head = [&[0xff, marker][..], &length.to_be_bytes(), body].concat();
        [&jpeg[..2], &head, &jpeg[2..]].concat()
    };
    let xmp = [
        b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>".as_slice(),
        CANARY,
    ]
    .concat();
    let exif = [b"Exif\0\0MM\0\x2a\0\0\0\x08\0\0".as_slice(), CANARY].concat();
    // A first segment of 0x2f2a bytes reads `/*` to who takes the file for a script.
    let mut script = CANARY.to_vec();
    script.resize(0x2f2a - 2, b' ');
    let text = chunk(b"tEXt", &[b"Comment\0".as_slice(), CANARY].concat());
    let private = chunk(b"scRp", CANARY);
    // After the signature and the header chunk.
    let in_png = |chunk: &[u8]| [&png[..33], chunk, &png[33..]].concat();
    vec![
        ("a comment in a JPEG", segment(0xfe, CANARY)),
        ("XMP in a JPEG", segment(0xe1, &xmp)),
        ("EXIF in a JPEG", segment(0xe1, &exif)),
        ("a JPEG that is a script", segment(0xe0, &script)),
        ("HTML after a JPEG", [&jpeg, CANARY].concat()),
        (
            "a ZIP after a JPEG",
            [&jpeg, b"PK\x03\x04".as_slice(), CANARY].concat(),
        ),
        ("text in a PNG", in_png(&text)),
        ("a private chunk in a PNG", in_png(&private)),
        ("PHP after a PNG", [&png, CANARY].concat()),
        ("a comment in a GIF", gif(2, 2, CANARY)),
        ("a GIF that is a script", gif(0x2a2f, 2, CANARY)),
    ]
}

/// A small JPEG whose frame header says that it is large.
fn claiming_jpeg(width: u16, height: u16) -> Vec<u8> {
    let mut jpeg = images::jpeg(16, 16);
    let frame = find(&jpeg, b"\xff\xc0").expect("a baseline frame");
    // Marker, length and precision come before the height (ITU-T T.81, B.2.2).
    jpeg[frame + 5..frame + 7].copy_from_slice(&height.to_be_bytes());
    jpeg[frame + 7..frame + 9].copy_from_slice(&width.to_be_bytes());
    jpeg
}

fn claiming_png(width: u32, height: u32) -> Vec<u8> {
    let png = images::png_rgb(16, 16);
    let mut header = png[16..29].to_vec();
    header[..4].copy_from_slice(&width.to_be_bytes());
    header[4..8].copy_from_slice(&height.to_be_bytes());
    [&png[..8], &chunk(b"IHDR", &header), &png[33..]].concat()
}

fn claiming_gif(width: u16, height: u16) -> Vec<u8> {
    gif(width, height, b"")
}

/// A progressive JPEG whose last scan comes over and over: small to send, long to decode.
fn many_scans(scans: usize) -> Vec<u8> {
    let mut jpeg = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut jpeg, 90);
    encoder.set_progressive(true);
    encoder
        .encode(
            &images::pixels(64, 48, 3),
            64,
            48,
            jpeg_encoder::ColorType::Rgb,
        )
        .expect("pixels fit");
    let last = jpeg.windows(2).rposition(|pair| pair == b"\xff\xda");
    let last = last.expect("a scan");
    let end = jpeg.len() - 2;
    let scan = jpeg[last..end].to_vec();
    jpeg.truncate(end);
    for _ in 0..scans {
        jpeg.extend_from_slice(&scan);
    }
    jpeg.extend_from_slice(b"\xff\xd9");
    jpeg
}

/// A GIF whose one frame is 2 x 2 pixels, on a screen of this size, with a comment.
fn gif(width: u16, height: u16, comment: &[u8]) -> Vec<u8> {
    let mut gif = b"GIF89a".to_vec();
    gif.extend_from_slice(&width.to_le_bytes());
    gif.extend_from_slice(&height.to_le_bytes());
    // A palette of two colours, black and white.
    gif.extend_from_slice(b"\x80\0\0\0\0\0\xff\xff\xff");
    if !comment.is_empty() {
        gif.extend_from_slice(b"\x21\xfe");
        for part in comment.chunks(255) {
            gif.push(part.len() as u8);
            gif.extend_from_slice(part);
        }
        gif.push(0);
    }
    gif.extend_from_slice(b"\x2c\0\0\0\0\x02\0\x02\0\0");
    // LZW (GIF89a specification, appendix F): clear, 0, 1, 1 in three bits, 0 and the end in four.
    gif.extend_from_slice(b"\x02\x03\x44\x02\x05\0\x3b");
    gif
}

fn chunk(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("a short chunk");
    let named = [kind.as_slice(), body].concat();
    [
        &length.to_be_bytes()[..],
        &named,
        &crc(&named).to_be_bytes(),
    ]
    .concat()
}

/// The CRC of PNG chunks (ISO 15948, annex D), a bit at a time.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & 0_u32.wrapping_sub(crc & 1))
        })
    })
}

pub fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|part| part == wanted)
}
