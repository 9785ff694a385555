//! JPEG files that are odd or damaged, as cameras, webcams and broken disks leave them: what browsers show
//! of them is what comes out. Expected values are Chromium's and Firefox's, which agree with djpeg's.

use lablink_storage::{Error, OptimizeError, OptimizeOptions, OutputFormat, optimize};

use super::{fixture, lossless, refused, run, seen, to};

fn odd(name: &str) -> Vec<u8> {
    fixture(&format!("jpeg_odd/{name}.jpg"))
}

#[track_caller]
fn assert_shows(name: &str, options: &OptimizeOptions, points: &[(usize, usize, [u8; 3])]) -> f64 {
    let image = run(&odd(name), options);
    let seen = seen(&image);
    for &(x, y, [red, green, blue]) in points {
        seen.assert_near(x, y, [red, green, blue, 255], 4);
    }
    image.source.damaged
}

#[test]
fn damage_is_bounded_to_its_restart_interval() {
    let points = [
        (20, 12, [230, 20, 21]),
        (20, 50, [21, 30, 221]),
        (48, 59, [131, 238, 170]),
    ];
    let share = assert_shows("restart_bad_code", &lossless(), &points);
    assert!((share - 1.0 / 96.0).abs() < 1e-9, "{share}");
    // One of sixteen intervals is more than 5 %.
    for name in ["restart_empty", "restart_marker_lost"] {
        let share = assert_shows(name, &lossless().with_max_damage(0.07), &points);
        assert_eq!(share, 1.0 / 16.0, "{name}");
        let error = refused(&odd(name), &lossless());
        assert!(matches!(error, OptimizeError::InvalidImage { .. }));
        assert!(error.to_string().contains("6.2 %"), "{error}");
    }
}

#[test]
fn what_follows_lost_bytes_is_shown_where_it_ends_up() {
    let points = [(20, 12, [230, 20, 21]), (20, 50, [166, 0, 254])];
    assert_shows("bytes_lost", &lossless(), &points);
    let points = [
        (20, 12, [219, 214, 210]),
        (70, 40, [235, 228, 220]),
        (180, 475, [220, 170, 169]),
    ];
    assert_shows("progressive_damaged", &lossless(), &points);
}

#[test]
fn what_lost_most_of_itself_is_refused() {
    for name in [
        "cmyk_half",
        "only_luma_scan",
        "was_panic_idct",
        "was_panic_mcu",
    ] {
        let error = refused(&odd(name), &lossless());
        assert!(error.to_string().contains("truncated"), "{name}: {error}");
    }
    let error = refused(&odd("was_panic_no_data"), &lossless());
    assert!(error.to_string().contains("100.0 %"), "{error}");
}

#[test]
fn inks_are_inverted_with_and_without_a_marker() {
    assert_shows("cmyk_no_adobe", &lossless(), &[(20, 12, [230, 20, 20])]);
    assert_shows("cmyk_transform_1", &lossless(), &[(20, 12, [176, 0, 216])]);
    let points = [(20, 12, [18, 18, 18]), (70, 40, [81, 81, 81])];
    assert_shows("cmyk_stray_bytes", &lossless(), &points);
}

#[test]
fn a_gray_picture_takes_the_profile_of_rgb() {
    assert_shows("gray_prophoto", &lossless(), &[(48, 32, [148; 3])]);
    assert_shows("gray_adobe_rgb", &lossless(), &[(10, 5, [37; 3])]);
}

#[test]
fn oddities_of_real_writers_change_nothing() {
    let points = [
        (20, 12, [226, 23, 17]),
        (20, 50, [14, 34, 219]),
        (48, 59, [128, 239, 170]),
    ];
    for name in [
        "no_huffman_tables",
        "duplicate_ids",
        "samsung_no_end",
        "scan_end_255",
        "segment_length_0",
        "jfif_and_adobe_0",
    ] {
        let share = assert_shows(name, &lossless(), &points);
        assert_eq!(share, 0.0, "{name}");
    }
    assert_shows("scan_twice", &lossless(), &[(32, 86, [20, 31, 221])]);
}

/// Other decoders refuse these, or show something else: they are written anew.
#[test]
fn no_odd_source_is_kept() {
    for name in [
        "unused_symbol_0x20",
        "no_huffman_tables",
        "duplicate_ids",
        "samsung_no_end",
        "scan_end_255",
        "scan_twice",
        "progressive_damaged",
        "restart_bad_code",
    ] {
        let bytes = odd(name);
        let image = run(&bytes, &to(OutputFormat::Jpeg).with_quality(100));
        let scan = |file: &[u8]| {
            let at = file.windows(2).position(|pair| pair == [0xff, 0xda]);
            file[at.expect("a scan") + 10..][..100].to_vec()
        };
        assert!(scan(&bytes) != scan(&image.data), "{name}");
    }
}

#[test]
fn other_codings_are_refused_by_name() {
    for (name, expected) in [
        ("arithmetic", "JPEG with arithmetic coding"),
        ("twelve_bits", "JPEG of 12 bits a sample"),
    ] {
        let error = optimize(&odd(name), &OptimizeOptions::default()).expect_err(name);
        assert!(matches!(error, OptimizeError::UnsupportedFormat { name, .. } if name == expected));
        let hint = Error::from(error).hint().unwrap_or_default();
        assert!(hint.contains("convert"), "{hint}");
    }
}
