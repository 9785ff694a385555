//! AVIF, BMP, HEIC and TIFF: each of the files of tests/fixtures/formats shows four colours, red and green above
//! blue and white, whatever it is coded like. The files are made by libavif, libheif and Pillow.

use lablink_storage::{ImageFormat, Limits, OptimizeError, OptimizeOptions};

use super::{Seen, files, fixture, lossless, refused, run, seen};

const RED: [u8; 4] = [200, 40, 40, 255];
const GREEN: [u8; 4] = [40, 160, 60, 255];
const BLUE: [u8; 4] = [40, 60, 200, 255];
const WHITE: [u8; 4] = [230, 230, 230, 255];

/// The middle of each quarter. Lossy coding moves a colour a little.
fn assert_quarters(name: &str, seen: &Seen, expected: [[u8; 4]; 4]) {
    let places = [(12, 8), (36, 8), (12, 24), (36, 24)];
    for ((x, y), expected) in places.into_iter().zip(expected) {
        let found = seen.at(x, y);
        let near = found.iter().zip(expected).all(|(a, b)| a.abs_diff(b) <= 6);
        assert!(near, "{name}: {found:?} at {x}, {y}, expected {expected:?}");
    }
}

/// By Pillow's `convert("L")`.
fn gray_of([red, green, blue, alpha]: [u8; 4]) -> [u8; 4] {
    let weighted = u32::from(red) * 299 + u32::from(green) * 587 + u32::from(blue) * 114;
    let gray = (weighted / 1000) as u8;
    [gray, gray, gray, alpha]
}

/// The format of a file of the folder, if this build reads it.
fn readable(name: &str) -> Option<ImageFormat> {
    let (_, extension) = name.rsplit_once('.')?;
    ImageFormat::from_extension(extension).filter(|format| format.is_accepted())
}

fn pictures() -> Vec<(String, Vec<u8>)> {
    let paths = files("tests/fixtures/formats").into_iter();
    let named = paths.map(|path| {
        let name = path
            .file_name()
            .expect("a file")
            .to_string_lossy()
            .into_owned();
        (name, std::fs::read(path).expect("a readable file"))
    });
    named.filter(|(name, _)| readable(name).is_some()).collect()
}

#[test]
fn every_kind_of_file_shows_its_picture_upright() {
    for (name, bytes) in pictures() {
        let image = run(&bytes, &lossless());
        assert_eq!(Some(image.source.format), readable(&name), "{name}");
        if name == "clap_odd.avif" {
            continue;
        }
        assert_eq!((image.width, image.height), (48, 32), "{name}");
        let colors = [RED, GREEN, BLUE, WHITE];
        let expected = if name.starts_with("gray") {
            colors.map(gray_of)
        } else if name.contains("alpha") {
            [[0; 4], GREEN, [0; 4], WHITE]
        } else {
            colors
        };
        let mut picture = seen(&image);
        for pixel in picture.pixels.iter_mut().filter(|pixel| pixel[3] == 0) {
            *pixel = [0; 4];
        }
        assert_quarters(&name, &picture, expected);
    }
}

#[test]
fn how_the_container_turns_a_picture_counts_and_exif_does_not() {
    let turned = [
        ("irot.avif", 8, (32, 48)),
        ("imir.avif", 2, (48, 32)),
        ("444_exif_says_turned.avif", 1, (48, 32)),
        ("444_exif_says_turned.heic", 1, (48, 32)),
        ("turned.tiff", 6, (32, 48)),
    ];
    for (name, orientation, stored) in turned {
        if readable(name).is_none() {
            continue;
        }
        let bytes = fixture(&format!("formats/{name}"));
        let image = run(&bytes, &lossless());
        let source = &image.source;
        assert_eq!(source.orientation, orientation, "{name}");
        assert_eq!((source.width, source.height), stored, "{name}");
        if name.contains("exif") {
            assert!(source.metadata_stripped, "{name}");
            let secret = b"secret place";
            assert!(bytes.windows(secret.len()).any(|part| part == secret));
            assert!(!image.data.windows(secret.len()).any(|part| part == secret));
        }
    }
}

/// 27 x 19 pixels from 21, 13: a window that begins within a sample of chroma.
#[test]
#[cfg(feature = "avif-decode")]
fn a_clean_aperture_crops_to_the_pixel() {
    let image = run(&fixture("formats/clap_odd.avif"), &lossless());
    assert_eq!((image.width, image.height), (27, 19));
    let picture = seen(&image);
    picture.assert_near(0, 0, RED, 24);
    picture.assert_near(20, 0, GREEN, 8);
    picture.assert_near(0, 12, BLUE, 24);
    picture.assert_near(20, 12, WHITE, 8);
    // The quarters meet in the fourth column and row.
    picture.assert_near(5, 0, GREEN, 24);
    picture.assert_near(1, 15, BLUE, 24);
}

#[test]
fn limits_are_checked_before_anything_is_decoded() {
    let limits = [
        Limits::default().with_max_pixels(48 * 32 - 1),
        Limits::default().with_max_side(47),
        Limits::default().with_max_decode_bytes(1000),
        Limits::default().with_max_bytes(100),
    ];
    for (name, bytes) in pictures() {
        if name == "clap_odd.avif" {
            continue;
        }
        for limits in &limits {
            let error = refused(
                &bytes,
                &OptimizeOptions::default().with_limits(limits.clone()),
            );
            let over = matches!(error, OptimizeError::LimitExceeded { .. });
            assert!(over, "{name}: {error}");
        }
    }
}

#[test]
fn a_file_that_ends_early_is_refused_wherever_that_is() {
    for (name, bytes) in pictures() {
        // The pixels of some come first, and what little comes behind may be padding or another page.
        for end in (0..bytes.len() * 3 / 4).step_by(1 + bytes.len() / 97) {
            if name == "two_pages.tiff" && end > bytes.len() / 2 {
                continue;
            }
            let error = refused(&bytes[..end], &OptimizeOptions::default());
            let typed = matches!(
                error,
                OptimizeError::InvalidImage { .. }
                    | OptimizeError::UnsupportedFormat { .. }
                    | OptimizeError::LimitExceeded { .. }
            );
            assert!(typed, "{name} of {end} bytes: {error}");
        }
    }
}

/// A camera's raw file is a TIFF whose first page is a thumbnail.
#[test]
#[cfg(feature = "tiff")]
fn raw_files_of_cameras_are_refused_by_name() {
    let mut raw = fixture("formats/lzw.tiff");
    // DNGVersion in the place of Compression.
    let compression = raw.windows(4).position(|part| part == [3, 1, 3, 0]);
    let at = compression.expect("a tag");
    raw[at..at + 2].copy_from_slice(&50706u16.to_le_bytes());
    let error = refused(&raw, &OptimizeOptions::default());
    assert_eq!(error.to_string(), "unsupported image format: camera raw");
}

#[test]
fn without_its_feature_a_format_is_refused_by_name() {
    for (name, format) in [
        ("420.avif", ImageFormat::Avif),
        ("420.heic", ImageFormat::Heic),
        ("24.bmp", ImageFormat::Bmp),
        ("lzw.tiff", ImageFormat::Tiff),
    ] {
        if format.is_accepted() {
            continue;
        }
        let error = refused(
            &fixture(&format!("formats/{name}")),
            &OptimizeOptions::default(),
        );
        assert_eq!(
            error.to_string(),
            format!("unsupported image format: {format}")
        );
    }
}

/// A TIFF whose strips are JPEGs, each of 96 x 64 pixels in Y'CbCr (TIFF Technical Note 2).
#[cfg(feature = "tiff")]
fn tiff_of_jpegs(strips: &[Vec<u8>]) -> Vec<u8> {
    const ENTRIES: u32 = 10;
    let count = strips.len() as u32;
    let lists = 8 + 2 + 12 * ENTRIES + 4;
    let bits = lists + 8 * count;
    let mut place = bits + 6;
    let mut places = Vec::new();
    for strip in strips {
        places.push(place);
        place += strip.len() as u32;
    }
    // A list of one number is that number.
    let list = |at: u32, first: u32| if count == 1 { first } else { at };
    let entries: [[u32; 4]; ENTRIES as usize] = [
        [256, 4, 1, 96],
        [257, 4, 1, 64 * count],
        [258, 3, 3, bits],
        [259, 3, 1, 7],
        [262, 3, 1, 6],
        [273, 4, count, list(lists, places[0])],
        [277, 3, 1, 3],
        [278, 4, 1, 64],
        [
            279,
            4,
            count,
            list(lists + 4 * count, strips[0].len() as u32),
        ],
        [284, 3, 1, 1],
    ];
    let mut file = [&b"II\x2a\0\x08\0\0\0"[..], &(ENTRIES as u16).to_le_bytes()].concat();
    for [tag, kind, number, value] in entries {
        file.extend((tag as u16).to_le_bytes());
        file.extend((kind as u16).to_le_bytes());
        file.extend(number.to_le_bytes());
        file.extend(value.to_le_bytes());
    }
    file.extend([0; 4]);
    let sizes = strips.iter().map(|strip| strip.len() as u32);
    for number in places.into_iter().chain(sizes) {
        file.extend(number.to_le_bytes());
    }
    file.extend([8, 0, 8, 0, 8, 0]);
    file.extend(strips.concat());
    file
}

/// The files and the shares are those of `odd_jpeg`.
#[test]
#[cfg(feature = "tiff")]
fn damage_in_the_jpegs_of_a_tiff_is_told() {
    let odd = |name: &str| fixture(&format!("jpeg_odd/{name}.jpg"));
    let whole = odd("duplicate_ids");
    for (damaged, share) in [
        ("duplicate_ids", 0.0),
        ("restart_bad_code", 1.0 / 96.0),
        ("restart_empty", 1.0 / 16.0),
    ] {
        let file = tiff_of_jpegs(&[odd(damaged), whole.clone()]);
        let image = run(&file, &lossless());
        let found = image.source.damaged;
        assert!((found - share / 2.0).abs() < 1e-9, "{damaged}: {found}");
        let seen = seen(&image);
        for top in [0, 64] {
            seen.assert_near(20, top + 12, [228, 21, 19, 255], 6);
            seen.assert_near(48, top + 59, [130, 238, 170, 255], 6);
        }
    }
    let error = refused(&tiff_of_jpegs(&[odd("restart_empty")]), &lossless());
    assert!(error.to_string().contains("6.2 %"), "{error}");
    // Cut off at the end, where there is no end marker that could tell.
    let file = tiff_of_jpegs(&[whole.clone(), whole]);
    let cut = &file[..file.len() - 400];
    let error = refused(cut, &lossless());
    assert!(error.to_string().contains("truncated"), "{error}");
    let taken = run(cut, &lossless().with_accept_truncated(true));
    seen(&taken).assert_near(20, 12, [228, 21, 19, 255], 6);
}
