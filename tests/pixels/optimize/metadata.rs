//! What is not the picture is gone, except a copyright that was asked for.

use jpeg_encoder::ColorType;
use lablink_storage::OutputFormat;
use png::text_metadata::{ITXtChunk, TEXtChunk, ZTXtChunk};

use super::{contains, exif, exif_segment, jpeg, noise, png_with, run, to, webp};

const SECRET: &[u8] = b"SECRET";
const SIZES: [u32; 2] = [64, 40];

/// Each format with everything that it can carry beside the picture.
fn inputs() -> [(&'static str, Vec<u8>); 3] {
    let pixels = noise(64, 64);
    let exif_segment = exif_segment(1);
    let iptc = b"Photoshop 3.0\08BIM\x04\x04\0\0\0\0\0\x0bSECRET IPTC\0";
    let xmp = b"http://ns.adobe.com/xap/1.0\0<x:xmpmeta>SECRET XMP</x:xmpmeta>";
    let segments: [(u8, &[u8]); 4] = [
        (1, &exif_segment),
        (1, xmp),
        (13, iptc),
        (11, b"SECRET application"),
    ];
    let mut with_comment = jpeg(64, 64, ColorType::Rgb, &pixels, &segments);
    let comment = b"\xff\xfe\0\x10SECRET comment";
    let thumbnail = b"\xff\xe0\0\x18JFXX\0\x10SECRET THUMBNAIL";
    with_comment.splice(2..2, [&comment[..], thumbnail].concat());
    with_comment.extend_from_slice(b"SECRET behind the end");

    let mut info = png::Info::with_size(64, 64);
    info.color_type = png::ColorType::Rgb;
    info.bit_depth = png::BitDepth::Eight;
    info.exif_metadata = Some(exif(1).into());
    info.uncompressed_latin1_text
        .push(TEXtChunk::new("Comment", "SECRET text"));
    info.compressed_latin1_text
        .push(ZTXtChunk::new("Comment", "SECRET text"));
    info.utf8_text
        .push(ITXtChunk::new("XML:com.adobe.xmp", "SECRET XMP"));
    let mut png = png_with(info, &pixels);
    png.extend_from_slice(b"SECRET behind the end");

    let mut webp = webp(64, 64, false, &pixels, |encoder| {
        encoder.set_exif_metadata(exif(1));
        encoder.set_xmp_metadata(b"SECRET XMP".to_vec());
    });
    webp.extend_from_slice(b"SECRET behind the end");
    [("JPEG", with_comment), ("PNG", png), ("WebP", webp)]
}

const FORMATS: [OutputFormat; 3] = [OutputFormat::Jpeg, OutputFormat::Png, OutputFormat::WebP];

#[test]
fn nothing_but_the_picture_is_left() {
    for (name, bytes) in inputs() {
        assert!(contains(&bytes, SECRET));
        for format in FORMATS {
            for side in SIZES {
                for lossless in [false, true] {
                    let options = to(format).with_lossless(lossless).with_max_size(side, side);
                    let image = run(&bytes, &options);
                    let what = format!("{name} to {format:?}, {side} pixels");
                    assert!(image.source.metadata_stripped, "{what}");
                    for secret in [SECRET, b"Lovelace", b"1843", b"Exif", b"EXIF", b"eXIf"] {
                        assert!(!contains(&image.data, secret), "{what}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_copyright_is_kept_where_that_is_asked_for_and_alone() {
    for (name, bytes) in inputs() {
        for format in FORMATS {
            for side in SIZES {
                let options = to(format).with_keep_copyright(true).with_lossless(true);
                let image = run(&bytes, &options.with_max_size(side, side));
                let what = format!("{name} to {format:?}, {side} pixels");
                assert!(contains(&image.data, b"Ada Lovelace\0"), "{what}");
                assert!(contains(&image.data, b"(c) 1843 A. L.\0"), "{what}");
                assert!(!contains(&image.data, SECRET), "{what}");
                let container: &[u8] = match format {
                    OutputFormat::Jpeg => b"Exif\0\0II*\0",
                    OutputFormat::Png => b"eXIfII*\0",
                    _ => b"EXIF",
                };
                assert!(contains(&image.data, container), "{what}");
                // It is still an image, and upright.
                assert_eq!(super::seen(&image).width, side as usize, "{what}");
                let again = run(&image.data, &options_of(format));
                assert_eq!(again.source.orientation, 1, "{what}");
            }
        }
    }
}

fn options_of(format: OutputFormat) -> lablink_storage::OptimizeOptions {
    to(format).with_lossless(true).with_keep_copyright(true)
}

#[test]
fn a_plain_file_has_nothing_that_was_stripped() {
    let pixels = noise(16, 16);
    let plain = [
        jpeg(16, 16, ColorType::Rgb, &pixels, &[]),
        super::png(16, 16, png::ColorType::Rgb, &pixels),
        webp(16, 16, false, &pixels, |_| ()),
    ];
    for bytes in plain {
        assert!(
            !run(&bytes, &to(OutputFormat::Jpeg))
                .source
                .metadata_stripped
        );
    }
}
