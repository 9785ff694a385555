//! Of a file of several pictures the first is the image, and nothing is left of the others: what cameras
//! with two lenses write (CIPA DC-007, MPO), and phones that add a gain map (Ultra HDR).

use jpeg_encoder::{ColorType, Encoder};
use lablink_storage::OutputFormat;

use super::kept::scan;
use super::{contains, exif_segment, lossless, noise, paint, run, seen, to};

const BLUE: [u8; 3] = [30, 30, 210];

/// Made anew at quality 85 it would be larger, so that a JPEG of it is kept.
fn first(progressive: bool, segments: &[(u8, &[u8])]) -> Vec<u8> {
    encode(96, 64, &noise(96, 64), progressive, segments)
}

fn encode(
    width: u16,
    height: u16,
    pixels: &[u8],
    progressive: bool,
    segments: &[(u8, &[u8])],
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 30);
    encoder.set_progressive(progressive);
    for &(application, body) in segments {
        encoder
            .add_app_segment(application, body.to_vec())
            .expect("a short segment");
    }
    encoder
        .encode(pixels, width, height, ColorType::Rgb)
        .expect("pixels that fit");
    bytes
}

/// The body of the segment that tells of two pictures (CIPA DC-007, 5.2): what the second is, the sizes of
/// both, and how far behind the segment's byte order mark the second begins.
fn index(second_is: u32, sizes: [usize; 2], offset: usize) -> Vec<u8> {
    let mut index = b"MPF\0II*\0\x08\0\0\0\x03\0".to_vec();
    for (tag, kind, count, value) in [
        (0xb000_u16, 7_u16, 4_u32, u32::from_le_bytes(*b"0100")),
        (0xb001, 4, 1, 2),
        (0xb002, 7, 32, 50),
    ] {
        index.extend([tag, kind].map(u16::to_le_bytes).concat());
        index.extend([count, value].map(u32::to_le_bytes).concat());
    }
    index.extend([0; 4]);
    // 0x20030000: the primary picture, and the one to show.
    for (is, size, at) in [(0x2003_0000, sizes[0], 0), (second_is, sizes[1], offset)] {
        index.extend(
            [is, size as u32, at as u32, 0]
                .map(u32::to_le_bytes)
                .concat(),
        );
    }
    index
}

/// The first picture with these segments and an index, and the second behind it.
fn file(second_is: u32, progressive: bool, segments: &[(u8, &[u8])], second: &[u8]) -> Vec<u8> {
    let with = |index: &[u8]| first(progressive, &[segments, &[(2, index)]].concat());
    let draft = with(&index(0, [0; 2], 0));
    let mark = draft.windows(4).position(|window| window == b"MPF\0");
    let offset = draft.len() - (mark.expect("the index") + 4);
    let index = index(second_is, [draft.len(), second.len()], offset);
    [&with(&index), second].concat()
}

/// As a camera with two lenses writes it; the second picture is the larger one, and says it is turned.
fn stereo(progressive: bool) -> Vec<u8> {
    let exif = exif_segment(6);
    let blue = paint(128, 96, |_, _| BLUE);
    let second = encode(128, 96, &blue, progressive, &[(1, &exif)]);
    file(0x0002_0002, progressive, &[(1, &exif_segment(1))], &second)
}

/// As a phone writes it: XMP that names the gain map, ISO 21496-1's version, the index; the map has XMP too.
fn ultra_hdr(progressive: bool) -> Vec<u8> {
    let map_xmp = b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF \
        xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\"><rdf:Description \
        xmlns:hdrgm=\"http://ns.adobe.com/hdr-gain-map/1.0/\" hdrgm:Version=\"1.0\" \
        hdrgm:GainMapMax=\"3.5\" hdrgm:HDRCapacityMax=\"3.5\"/></rdf:RDF></x:xmpmeta>";
    let map = paint(24, 16, |x, y| [(x * 8 + y) as u8; 3]);
    let map = encode(24, 16, &map, false, &[(1, map_xmp)]);
    let xmp = format!(
        "http://ns.adobe.com/xap/1.0/\0<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF \
         xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\"><rdf:Description \
         xmlns:Container=\"http://ns.google.com/photos/1.0/container/\" \
         xmlns:Item=\"http://ns.google.com/photos/1.0/container/item/\" \
         xmlns:hdrgm=\"http://ns.adobe.com/hdr-gain-map/1.0/\" hdrgm:Version=\"1.0\">\
         <Container:Directory><rdf:Seq><rdf:li rdf:parseType=\"Resource\"><Container:Item \
         Item:Semantic=\"Primary\" Item:Mime=\"image/jpeg\"/></rdf:li><rdf:li \
         rdf:parseType=\"Resource\"><Container:Item Item:Semantic=\"GainMap\" \
         Item:Mime=\"image/jpeg\" Item:Length=\"{}\"/></rdf:li></rdf:Seq></Container:Directory>\
         </rdf:Description></rdf:RDF></x:xmpmeta>",
        map.len()
    );
    let version = b"urn:iso:std:iso:ts:21496:-1\0\0\0\0\0";
    let segments = [(1, xmp.as_bytes()), (2, &version[..])];
    file(0, progressive, &segments, &map)
}

#[test]
fn of_several_jpegs_in_a_file_the_first_is_the_image() {
    for progressive in [false, true] {
        let alone = first(progressive, &[]);
        for (name, bytes) in [
            ("MPO", stereo(progressive)),
            ("Ultra HDR", ultra_hdr(progressive)),
        ] {
            let image = run(&bytes, &lossless());
            assert_eq!((image.width, image.height), (96, 64), "{name}");
            assert!(image.source.metadata_stripped, "{name}");
            let shown = seen(&image).pixels;
            assert!(shown == seen(&run(&alone, &lossless())).pixels, "{name}");
        }
    }
}

#[test]
fn nothing_is_left_of_the_others() {
    for progressive in [false, true] {
        let alone = first(progressive, &[]);
        for (name, bytes) in [
            ("MPO", stereo(progressive)),
            ("Ultra HDR", ultra_hdr(progressive)),
        ] {
            assert!(contains(&bytes, b"MPF\0"));
            for format in [OutputFormat::Jpeg, OutputFormat::WebP] {
                let image = run(&bytes, &to(format));
                let without = run(&alone, &to(format));
                assert!(image.data == without.data, "{name} to {format:?}");
                if format == OutputFormat::Jpeg {
                    assert!(scan(&image.data) == scan(&alone), "{name} is kept");
                }
                assert!(!contains(&image.data, b"MPF\0") && !contains(&image.data, b"hdrgm"));
            }
        }
    }
}
