//! What the decoder refuses, what it tolerates, and its limits.

use std::cell::Cell;

use lablink_storage::optimize::jpeg::{Color, DecodeLimits, Error, Process, decode, read_header};

use super::{fixture, full_size};

/// Where the body of the first segment with this marker begins.
fn segment(data: &[u8], marker: u8) -> usize {
    data.windows(2)
        .position(|pair| pair == [0xFF, marker])
        .expect("a segment")
        + 4
}

#[track_caller]
fn assert_unsupported(data: &[u8]) {
    let result = full_size(data);
    assert!(matches!(result, Err(Error::Unsupported(_))), "{result:?}");
}

#[test]
fn other_kinds_of_jpeg_are_refused_by_name() {
    let original = fixture("444.jpg");
    let frame = segment(&original, 0xC0);
    // Lossless, hierarchical and arithmetic frames (T.81, table B.1).
    let kinds = [
        (0xC3, Process::Lossless, "lossless JPEG"),
        (0xC5, Process::Hierarchical, "hierarchical JPEG"),
        (0xC9, Process::Arithmetic, "JPEG with arithmetic coding"),
        (0xCA, Process::Arithmetic, "JPEG with arithmetic coding"),
        (0xCB, Process::Lossless, "lossless JPEG"),
        (0xCD, Process::Hierarchical, "hierarchical JPEG"),
    ];
    for (marker, process, name) in kinds {
        let mut data = original.clone();
        data[frame - 3] = marker;
        assert_eq!(full_size(&data), Err(Error::Unsupported(name)));
        let header = read_header(&data).expect("the header can be read all the same");
        assert_eq!(
            (header.process, header.width, header.height),
            (process, 83, 61)
        );
    }
    let mut twelve_bits = original.clone();
    twelve_bits[frame] = 12;
    assert_unsupported(&twelve_bits);
    let mut no_height = original.clone();
    no_height[frame + 1..frame + 3].fill(0);
    assert_unsupported(&no_height);
}

#[test]
fn a_scan_may_have_its_components_in_another_order() {
    let original = fixture("444.jpg");
    let scan = segment(&original, 0xDA);
    let mut order = original.clone();
    order.swap(scan + 3, scan + 5);
    let (whole, swapped) = (full_size(&original), full_size(&order));
    let (whole, swapped) = (whole.expect("a valid file"), swapped.expect("an odd one"));
    assert!(swapped.spare && !whole.spare);
    // The tables of chroma are the same: what was blue is red.
    assert_eq!(swapped.planes[1], whole.planes[2]);
    assert_eq!(swapped.planes[2], whole.planes[1]);
}

#[test]
fn a_header_tells_what_comes() {
    let header = read_header(&fixture("420_restart.jpg")).expect("a valid file");
    assert_eq!((header.width, header.height, header.precision), (83, 61, 8));
    assert_eq!(
        (header.process, header.color, header.restart_interval),
        (Process::Baseline, Color::YCbCr, 3)
    );
    let sampling: Vec<_> = header
        .components
        .iter()
        .map(|c| (c.horizontal, c.vertical))
        .collect();
    assert_eq!(sampling, [(2, 2), (1, 1), (1, 1)]);
    let process = |name| read_header(&fixture(name)).expect("a valid file").process;
    assert_eq!(process("420_progressive.jpg"), Process::Progressive);
    assert_eq!(process("420_16bit_tables.jpg"), Process::Extended);
    let cmyk = read_header(&fixture("cmyk.jpg")).expect("a valid file");
    assert_eq!(
        (cmyk.color, cmyk.components.len(), cmyk.adobe_transform),
        (Color::Cmyk, 4, Some(0))
    );
}

#[test]
fn colours_are_those_that_libjpeg_would_see() {
    let jfif = fixture("444.jpg");
    let mut plain = jfif.clone();
    plain[segment(&jfif, 0xE0)] = b'X';
    let mut rgb = plain.clone();
    let (frame, scan) = (segment(&plain, 0xC0), segment(&plain, 0xDA));
    for (index, id) in b"RGB".iter().enumerate() {
        rgb[frame + 6 + 3 * index] = *id;
        rgb[scan + 1 + 2 * index] = *id;
    }
    let adobe = |file: &[u8], transform: u8| {
        let segment = [
            &[0xFF, 0xEE, 0, 14][..],
            b"Adobe",
            &[0, 100, 0, 0, 0, 0, transform],
        ]
        .concat();
        [&file[..2], &segment, &file[2..]].concat()
    };
    let cases = [
        (jfif.clone(), Color::YCbCr),
        (plain.clone(), Color::YCbCr),
        (rgb, Color::Rgb),
        (adobe(&plain, 0), Color::Rgb),
        (adobe(&plain, 1), Color::YCbCr),
        (adobe(&jfif, 0), Color::YCbCr),
        (fixture("gray.jpg"), Color::Gray),
        (fixture("cmyk.jpg"), Color::Cmyk),
        (fixture("ycck.jpg"), Color::Ycck),
    ];
    for (index, (data, color)) in cases.iter().enumerate() {
        assert_eq!(
            full_size(data).expect("a valid file").color,
            *color,
            "case {index}"
        );
    }
}

#[test]
fn what_surrounds_the_image_changes_nothing() {
    for name in [
        "420_restart.jpg",
        "420_progressive.jpg",
        "420_two_scans.jpg",
    ] {
        let data = fixture(name);
        let planes = full_size(&data).expect("a valid file");
        // A second image behind the first, as in MPO and Ultra HDR files.
        let behind = [&data[..], &fixture("gray.jpg"), b"and more"].concat();
        assert_eq!(full_size(&behind).as_ref(), Ok(&planes), "{name}");
        // Bytes between two segments, and fill bytes before a marker (T.81, B.1.1.2).
        let at = segment(&data, 0xDA) - 4;
        let between = [
            &data[..at],
            &[0x00, 0x41, 0xFF, 0x00, 0x42, 0xFF, 0xFF],
            &data[at..],
        ]
        .concat();
        assert_eq!(full_size(&between).as_ref(), Ok(&planes), "{name}");
    }
}

#[test]
fn damage_ends_at_the_next_restart_marker() {
    let data = fixture("420_restart.jpg");
    let whole = full_size(&data).expect("a valid file");
    assert_eq!((whole.damaged, whole.spare), (0.0, false));
    let scan = segment(&data, 0xDA);
    let at = scan
        + data[scan..]
            .windows(2)
            .position(|pair| pair == [0xFF, 0xD2])
            .expect("RST2");
    // The marker alone; the marker that is taken for another one; and the data behind it.
    let missing = [&data[..at], &data[at + 2..]].concat();
    let mut other = data.clone();
    other[at + 1] = 0xD6;
    let next = at
        + 2
        + data[at + 2..]
            .windows(2)
            .position(|pair| pair == [0xFF, 0xD3])
            .expect("RST3");
    let empty = [&data[..at + 2], &data[next..]].concat();
    for (what, damaged, lost) in [
        // 6 x 4 MCUs, 3 of them in an interval.
        ("missing", missing, 3.0 / 24.0),
        ("other", other, 0.0),
        ("empty", empty, 3.0 / 24.0),
    ] {
        let planes = full_size(&damaged).expect(what);
        assert_eq!((planes.damaged, planes.spare), (lost, true), "{what}");
        let differing = |from: usize, rows: std::ops::Range<usize>| {
            let (a, b) = (&planes.planes[0], &whole.planes[0]);
            rows.filter(|&y| a.row(y)[from..] != b.row(y)[from..])
                .count()
        };
        // The intervals before it, and those behind it.
        assert_eq!(differing(0, 0..16), 0, "{what}");
        assert_eq!(differing(0, 32..61), 0, "{what}");
        assert_eq!(differing(48, 16..32) > 0, lost > 0.0, "{what}");
    }
}

#[test]
fn limits_are_looked_at_before_memory_is_spent() {
    let over = |data: &[u8], limits: &DecodeLimits<'_>| match decode(data, limits, &|_, _, _| 8) {
        Err(Error::LimitExceeded {
            what, value, limit, ..
        }) => (what, value, limit),
        other => panic!("{other:?}"),
    };
    let mut limits = DecodeLimits::default();
    limits.max_pixels = 83 * 61 - 1;
    assert_eq!(
        over(&fixture("444.jpg"), &limits),
        ("JPEG pixels", 83 * 61, 83 * 61 - 1)
    );
    let mut limits = DecodeLimits::default();
    limits.max_scans = 9;
    assert_eq!(
        over(&fixture("420_progressive.jpg"), &limits),
        ("JPEG scans", 10, 9)
    );
    // 65500 x 65500 pixels in a file of a few kilobytes.
    for name in ["444.jpg", "420_progressive.jpg"] {
        let mut bomb = fixture(name);
        let frame = segment(&bomb, if name == "444.jpg" { 0xC0 } else { 0xC2 });
        bomb[frame + 1..frame + 5].copy_from_slice(&[0xFF, 0xDC, 0xFF, 0xDC]);
        let mut limits = DecodeLimits::default();
        limits.max_pixels = u64::MAX;
        let (what, value, limit) = over(&bomb, &limits);
        assert_eq!((what, limit), ("JPEG decode memory in bytes", 512 << 20));
        assert!(value > 6 << 30, "{value}");
    }
}

#[test]
fn a_decode_cannot_outrun_its_deadline() {
    for name in ["444.jpg", "420_progressive.jpg", "gray_progressive.jpg"] {
        let data = fixture(name);
        for allowed in 0..4 {
            let asked = Cell::new(0);
            let expired = || asked.replace(asked.get() + 1) >= allowed;
            let mut limits = DecodeLimits::default();
            limits.expired = Some(&expired);
            assert_eq!(
                decode(&data, &limits, &|_, _, _| 8),
                Err(Error::Deadline),
                "{name}"
            );
            assert_eq!(asked.get(), allowed + 1, "{name}: it stops when it is told");
        }
    }
}
