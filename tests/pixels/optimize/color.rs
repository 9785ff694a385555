//! Whatever a file says of its colours, the result is sRGB and says nothing.
//!
//! The tables are what littlecms (2.18, through Pillow 13.0.0) makes of the profiles in `tests/fixtures/icc`
//! with the relative colorimetric intent; `make.py` beside them makes the profiles and prints the tables.

use jpeg_encoder::ColorType;
use lablink_storage::OutputFormat;
use png::{BitDepth, Info};

use super::{contains, fixture, jpeg, lossless, paint, png_with, run, seen, to, webp, with_chunk};

type Table<const N: usize> = [([u8; N], [u8; 3])];

fn profile(name: &str) -> Vec<u8> {
    fixture(&format!("icc/{name}.icc"))
}

/// ICC.1:2022, annex B.4: number and count of the part, then the part.
fn icc_segment(number: u8, count: u8, part: &[u8]) -> Vec<u8> {
    [&b"ICC_PROFILE\0"[..], &[number, count], part].concat()
}

/// A row of the table's colours, each 16 pixels wide and high, so that a JPEG is exact in the middle.
fn squares<const N: usize>(table: &Table<N>) -> (u32, u32, Vec<u8>) {
    let (width, height) = (16 * table.len() as u32, 16);
    let data = paint(width, height, |x, _| table[x as usize / 16].0);
    (width, height, data)
}

#[track_caller]
fn assert_colours<const N: usize>(bytes: &[u8], table: &Table<N>, tolerance: u8) {
    let image = run(bytes, &lossless());
    let seen = seen(&image);
    for (index, &(from, [red, green, blue])) in table.iter().enumerate() {
        let found = seen.at(16 * index + 8, 8);
        let expected = [red, green, blue, 255];
        let near = found
            .iter()
            .zip(expected)
            .all(|(a, b)| a.abs_diff(b) <= tolerance);
        assert!(
            near,
            "{from:?} became {found:?}, expected {expected:?} within {tolerance}"
        );
    }
    for format in [OutputFormat::Jpeg, OutputFormat::Png, OutputFormat::WebP] {
        let image = run(bytes, &to(format));
        for mark in [
            &b"ICC_PROFILE"[..],
            b"iCCP",
            b"ICCP",
            b"gAMA",
            b"cHRM",
            b"cICP",
        ] {
            assert!(
                !contains(&image.data, mark),
                "{format:?} still says what it is"
            );
        }
    }
}

fn png_tagged<const N: usize>(table: &Table<N>, set: impl FnOnce(&mut Info<'_>)) -> Vec<u8> {
    let (width, height, data) = squares(table);
    let mut info = Info::with_size(width, height);
    info.bit_depth = BitDepth::Eight;
    info.color_type = match N {
        1 => png::ColorType::Grayscale,
        _ => png::ColorType::Rgb,
    };
    set(&mut info);
    png_with(info, &data)
}

#[test]
fn wide_colours_become_srgb_in_every_format() {
    for (name, table) in [("display-p3", DISPLAY_P3), ("adobe-rgb", ADOBE_RGB)] {
        let (width, height, data) = squares(table);
        let icc = profile(name);
        let png = png_tagged(table, |info| info.icc_profile = Some(icc.clone().into()));
        assert_colours(&png, table, 2);
        let webp = webp(width, height, false, &data, |encoder| {
            encoder.set_icc_profile(icc.clone());
        });
        assert_colours(&webp, table, 2);
        let whole = icc_segment(1, 1, &icc);
        let one = jpeg(width as u16, 16, ColorType::Rgb, &data, &[(2, &whole)]);
        assert_colours(&one, table, 4);
        // In two parts, the second one first.
        let (front, back) = icc.split_at(200);
        let parts = [icc_segment(2, 2, back), icc_segment(1, 2, front)];
        let parts: Vec<(u8, &[u8])> = parts.iter().map(|part| (2, &part[..])).collect();
        let two = jpeg(width as u16, 16, ColorType::Rgb, &data, &parts);
        assert_colours(&two, table, 4);
    }
}

#[test]
fn gray_with_a_profile_becomes_gray_in_srgb() {
    let icc = profile("gray-gamma-1.8");
    let png = png_tagged(GRAY, |info| info.icc_profile = Some(icc.clone().into()));
    assert_colours(&png, GRAY, 1);
    let (width, height, data) = squares(GRAY);
    let segment = icc_segment(1, 1, &icc);
    let jpeg = jpeg(
        width as u16,
        height as u16,
        ColorType::Luma,
        &data,
        &[(2, &segment)],
    );
    assert_colours(&jpeg, GRAY, 2);
}

#[test]
fn inks_become_srgb_by_their_profile() {
    let (width, height, data) = squares(INKS);
    let segment = icc_segment(1, 1, &profile("cmyk"));
    for color in [ColorType::Cmyk, ColorType::CmykAsYcck] {
        let bytes = jpeg(width as u16, height as u16, color, &data, &[(2, &segment)]);
        assert!(contains(&bytes, b"Adobe"));
        assert_colours(&bytes, INKS, 6);
    }
}

/// Pillow 13.0.0 of the fixture's ten squares: `Image.open(name).convert("RGB")`.
#[test]
fn inks_without_a_profile_filter_each_other() {
    let table: &Table<4> = &[
        ([0, 0, 0, 0], [255, 255, 255]),
        ([255, 0, 0, 0], [0, 255, 255]),
        ([0, 255, 0, 0], [255, 0, 255]),
        ([0, 0, 255, 0], [255, 255, 0]),
        ([0, 0, 0, 255], [0, 0, 0]),
        ([100, 50, 25, 0], [155, 205, 230]),
        ([40, 160, 200, 30], [190, 84, 49]),
    ];
    let (width, height, data) = squares(table);
    for color in [ColorType::Cmyk, ColorType::CmykAsYcck] {
        let bytes = jpeg(width as u16, height as u16, color, &data, &[]);
        assert_colours(&bytes, table, 4);
    }
}

/// Adobe's marker with transform 0 and no JFIF: the components are red, green and blue (Adobe technical
/// note 5116, section 18).
#[test]
fn a_jpeg_may_hold_red_green_and_blue() {
    let table: &Table<3> = &[
        ([200, 30, 40], [200, 30, 40]),
        ([20, 180, 60], [20, 180, 60]),
        ([10, 40, 220], [10, 40, 220]),
        ([128, 128, 128], [128, 128, 128]),
    ];
    let (width, height, data) = squares(table);
    // The encoder is told that these are Y'CbCr, and leaves them as they are.
    let plain = jpeg(width as u16, height as u16, ColorType::Ycbcr, &data, &[]);
    let jfif = plain
        .windows(4)
        .position(|window| window == b"JFIF")
        .expect("an APP0 segment");
    let adobe = b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\0";
    let bytes = [&plain[..2], adobe, &plain[jfif + 14..]].concat();
    assert_colours(&bytes, table, 2);
}

fn same<const N: usize>(table: &Table<N>) -> Vec<([u8; N], [u8; 3])> {
    let own = |color: &[u8; N]| [color[0], color[N / 2], color[N - 1]];
    table
        .iter()
        .map(|(color, _)| (*color, own(color)))
        .collect()
}

#[test]
fn what_says_nothing_of_use_is_srgb() {
    let kept = same(DISPLAY_P3);
    assert_colours(&png_tagged(&kept, |_| ()), &kept, 0);
    let srgb = png::SrgbRenderingIntent::Perceptual;
    assert_colours(&png_tagged(&kept, |info| info.srgb = Some(srgb)), &kept, 0);
    // Profiles that are damaged, for another kind of colour, or not all there.
    for useless in [
        b"no profile".to_vec(),
        profile("gray-gamma-1.8"),
        profile("cmyk"),
    ] {
        let bytes = png_tagged(&kept, |info| info.icc_profile = Some(useless.into()));
        assert_colours(&bytes, &kept, 0);
    }
    let (width, height, data) = squares(&kept);
    let half = icc_segment(1, 2, &profile("display-p3")[..300]);
    let bytes = jpeg(
        width as u16,
        height as u16,
        ColorType::Rgb,
        &data,
        &[(2, &half)],
    );
    assert_colours(&bytes, &kept, 2);
}

/// The sRGB coding of linear light (IEC 61966-2-1).
fn srgb(linear: f64) -> u8 {
    let coded = match linear {
        linear if linear <= 0.003_130_8 => 12.92 * linear,
        linear => 1.055 * linear.powf(1.0 / 2.4) - 0.055,
    };
    (coded * 255.0).round() as u8
}

/// PNG third edition, section 11.3.2: gAMA is the exponent from light to sample, cHRM the primaries, and
/// cICP, which comes first, the code points of ITU-T H.273.
#[test]
fn a_png_may_say_its_colours_in_numbers() {
    let table: Vec<([u8; 1], [u8; 3])> = [0u8, 20, 60, 128, 200, 255]
        .map(|gray| ([gray], [srgb(f64::from(gray) / 255.0); 3]))
        .to_vec();
    let linear = png::ScaledFloat::new(1.0);
    let gray = png_tagged(&table, |info| info.source_gamma = Some(linear));
    assert_colours(&gray, &table, 1);
    let table: Vec<([u8; 3], [u8; 3])> = [[0u8, 128, 255], [60, 60, 60], [200, 100, 20]]
        .map(|color| {
            (
                color,
                color.map(|value| srgb((f64::from(value) / 255.0).powf(1.8))),
            )
        })
        .to_vec();
    let gamma = png::ScaledFloat::new(1.0 / 1.8);
    let rgb = png_tagged(&table, |info| info.source_gamma = Some(gamma));
    assert_colours(&rgb, &table, 1);
    // Display P3 (SMPTE EG 432-1 primaries, D65) by its chromaticities, beside which a gamma of 1/2.2 is not
    // sRGB's: as Chromium shows it.
    let pure: [([u8; 3], [u8; 3]); 5] = [
        ([200, 100, 50], [216, 93, 24]),
        ([60, 60, 60], [57, 57, 57]),
        ([0, 128, 255], [0, 131, 255]),
        ([50, 200, 100], [0, 205, 86]),
        ([20, 20, 20], [12, 12, 12]),
    ];
    let by_chromaticities = png_tagged(&pure, |info| {
        let point = |x, y| (png::ScaledFloat::new(x), png::ScaledFloat::new(y));
        info.source_gamma = Some(png::ScaledFloat::new(0.45455));
        info.source_chromaticities = Some(png::SourceChromaticities {
            white: point(0.3127, 0.3290),
            red: point(0.680, 0.320),
            green: point(0.265, 0.690),
            blue: point(0.150, 0.060),
        });
    });
    assert_colours(&by_chromaticities, &pure, 2);
    // By its code points: primaries 12, transfer 13 (that of sRGB), no matrix, full range.
    let by_code_points = with_chunk(&png_tagged(DISPLAY_P3, |_| ()), b"cICP", &[12, 13, 0, 1]);
    assert_colours(&by_code_points, DISPLAY_P3, 2);
}

/// Lossy WebP is Y'CbCr in the limited range of BT.601: black is 16 and white 235.
#[test]
fn lossy_webp_has_its_own_range_both_ways() {
    let table: &Table<3> = &[
        ([0, 0, 0], [0, 0, 0]),
        ([255, 255, 255], [255, 255, 255]),
        ([128, 128, 128], [128, 128, 128]),
        ([200, 30, 40], [200, 30, 40]),
        ([20, 180, 60], [20, 180, 60]),
        ([10, 40, 220], [10, 40, 220]),
    ];
    let (width, height, data) = squares(table);
    let source = super::png(width, height, png::ColorType::Rgb, &data);
    let lossy = run(&source, &to(OutputFormat::WebP).with_quality(100));
    assert_eq!(&lossy.data[12..16], b"VP8 ");
    // Seen by image-webp, and by ourselves on the way back.
    let out = seen(&lossy);
    for (index, &(_, [red, green, blue])) in table.iter().enumerate() {
        out.assert_near(16 * index + 8, 8, [red, green, blue, 255], 5);
    }
    assert_colours(&lossy.data, table, 6);
}

const DISPLAY_P3: &Table<3> = &[
    ([255, 0, 0], [255, 0, 0]),
    ([0, 255, 0], [0, 255, 0]),
    ([0, 0, 255], [0, 0, 255]),
    ([255, 255, 255], [255, 255, 255]),
    ([0, 0, 0], [0, 0, 0]),
    ([128, 128, 128], [128, 128, 128]),
    ([200, 100, 50], [215, 93, 31]),
    ([30, 180, 90], [0, 183, 78]),
    ([90, 60, 220], [95, 58, 229]),
    ([250, 220, 10], [255, 219, 0]),
    ([12, 20, 7], [10, 20, 6]),
    ([230, 120, 180], [247, 112, 183]),
];
const ADOBE_RGB: &Table<3> = &[
    ([255, 0, 0], [255, 0, 0]),
    ([0, 255, 0], [0, 255, 0]),
    ([0, 0, 255], [0, 0, 255]),
    ([255, 255, 255], [255, 255, 255]),
    ([0, 0, 0], [0, 0, 0]),
    ([128, 128, 128], [129, 129, 129]),
    ([200, 100, 50], [227, 100, 42]),
    ([30, 180, 90], [0, 181, 83]),
    ([90, 60, 220], [99, 57, 225]),
    ([250, 220, 10], [255, 221, 0]),
    ([12, 20, 7], [1, 12, 1]),
    ([230, 120, 180], [255, 121, 184]),
];
const GRAY: &Table<1> = &[
    ([0], [0, 0, 0]),
    ([10], [10, 10, 10]),
    ([64], [81, 81, 81]),
    ([128], [146, 146, 146]),
    ([200], [210, 210, 210]),
    ([255], [255, 255, 255]),
];
const INKS: &Table<4> = &[
    ([0, 0, 0, 0], [255, 255, 255]),
    ([255, 0, 0, 0], [0, 151, 218]),
    ([0, 255, 0, 0], [216, 10, 122]),
    ([0, 0, 255, 0], [247, 224, 0]),
    ([255, 255, 0, 0], [40, 50, 127]),
    ([0, 255, 255, 0], [215, 29, 36]),
    ([0, 0, 0, 255], [40, 40, 40]),
    ([255, 255, 255, 0], [55, 55, 55]),
    ([0, 0, 0, 128], [139, 139, 139]),
    ([128, 0, 0, 0], [123, 203, 237]),
    ([64, 0, 0, 0], [193, 229, 246]),
    ([0, 200, 0, 0], [230, 92, 149]),
    ([0, 0, 30, 0], [255, 251, 230]),
    ([0, 0, 0, 220], [65, 65, 65]),
];
