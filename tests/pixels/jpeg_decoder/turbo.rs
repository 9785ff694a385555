//! Odd and damaged files beside libjpeg-turbo's djpeg, where it is installed: the same picture, pixel by
//! pixel. Browsers decode with libjpeg-turbo.

use std::path::Path;
use std::process::Command;

use lablink_storage::optimize::jpeg::{Color, DecodeLimits, Planes, decode};

use super::damage::{Random, mutate_data};
use super::{fixture, fixtures, jpeg_files, name, read};

/// Red, green and blue, or gray, as djpeg has them, chroma not interpolated; `None` where it refuses.
fn djpeg(data: &[u8]) -> Option<(usize, usize, Vec<u8>)> {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), data).expect("a file that can be written");
    let out = Command::new("djpeg")
        .args(["-nosmooth", "-dct", "int", "-pnm"])
        .arg(file.path())
        .output()
        .expect("djpeg");
    // 2 stands for warnings.
    if !matches!(out.status.code(), Some(0 | 2)) || out.stdout.is_empty() {
        return None;
    }
    let mut lines = out.stdout.splitn(4, |&byte| byte == b'\n');
    let kind = lines.next()?.to_vec();
    let size = String::from_utf8(lines.next()?.to_vec()).ok()?;
    let (width, height) = size.split_once(' ')?;
    lines.next()?;
    let samples = lines.next()?;
    let pixels = match &kind[..] {
        b"P5" => samples.iter().flat_map(|&gray| [gray; 3]).collect(),
        _ => samples.to_vec(),
    };
    Some((width.parse().ok()?, height.parse().ok()?, pixels))
}

fn is_installed() -> bool {
    let found = Command::new("djpeg").arg("-version").output().is_ok();
    if !found {
        println!("skipped: there is no djpeg here (package libjpeg-turbo-progs)");
    }
    found
}

/// Red, green and blue of our planes, each sample repeated over the pixels that share it.
fn pixel(planes: &Planes, x: usize, y: usize) -> [f64; 3] {
    let samples: Vec<f64> = planes
        .planes
        .iter()
        .map(|plane| {
            let across = (f64::from(planes.width) / plane.exact_width).round() as usize;
            let down = (f64::from(planes.height) / plane.exact_height).round() as usize;
            f64::from(plane.row(y / down)[x / across])
        })
        .collect();
    let rgb = || {
        let (y, cb, cr) = (samples[0], samples[1] - 128.0, samples[2] - 128.0);
        [
            y + 1.402 * cr,
            y - 0.344_136 * cb - 0.714_136 * cr,
            y + 1.772 * cb,
        ]
        .map(|value| value.clamp(0.0, 255.0))
    };
    match planes.color {
        Color::Gray => [samples[0]; 3],
        Color::YCbCr => rgb(),
        Color::Cmyk => [0, 1, 2].map(|ink| samples[ink] * samples[3] / 255.0),
        Color::Ycck => rgb().map(|ink| (255.0 - ink) * samples[3] / 255.0),
        _ => [samples[0], samples[1], samples[2]],
    }
}

/// The share of pixels that are not those of djpeg.
fn difference(planes: &Planes, (width, height, theirs): &(usize, usize, Vec<u8>)) -> f64 {
    assert_eq!(
        (planes.width as usize, planes.height as usize),
        (*width, *height)
    );
    // An inverse DCT is exact to one; the conversion of chroma makes less than two of it.
    const TOLERANCE: f64 = 4.0;
    let apart = (0..width * height).filter(|&at| {
        let ours = pixel(planes, at % width, at / width);
        let theirs = &theirs[at * 3..at * 3 + 3];
        ours.iter()
            .zip(theirs)
            .any(|(a, &b)| (a - f64::from(b)).abs() > TOLERANCE)
    });
    apart.count() as f64 / (width * height) as f64
}

#[test]
fn every_fixture_is_the_picture_of_libjpeg_turbo() {
    if !is_installed() {
        return;
    }
    let odd = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/jpeg_odd");
    let odd = jpeg_files(&odd);
    let odd = odd.iter().map(|path| (name(path), read(path)));
    let mut compared = 0;
    for (name, data) in fixtures().into_iter().chain(odd) {
        // 3:2 is not a whole number of pixels a sample.
        if name.starts_with("sampling_3x2") {
            continue;
        }
        let Ok(planes) = decode(&data, &DecodeLimits::default(), &|_, _, _| 8) else {
            continue;
        };
        let Some(theirs) = djpeg(&data).filter(|_| planes.damaged < 1.0) else {
            continue;
        };
        let apart = difference(&planes, &theirs);
        assert!(apart < 0.001, "{name}: {apart}");
        compared += 1;
    }
    assert!(compared >= 25, "{compared}");
}

#[test]
fn damaged_data_is_the_picture_of_libjpeg_turbo() {
    if !is_installed() {
        return;
    }
    let full = std::env::var_os("LABLINK_TEST_FULL").is_some_and(|value| value == "1");
    let rounds = if full { 400 } else { 20 };
    let mut limits = DecodeLimits::default();
    limits.max_damage = 1.0;
    let names = [
        "420_restart.jpg",
        "444.jpg",
        "420_progressive.jpg",
        "444_progressive_restart.jpg",
        "gray.jpg",
        "cmyk.jpg",
        "ycck.jpg",
    ];
    let mut random = Random::new();
    let (mut same, mut other) = (0, Vec::new());
    for name in names {
        let data = fixture(name);
        for _ in 0..rounds {
            let damaged = mutate_data(&data, &mut random);
            let Ok(planes) = decode(&damaged, &limits, &|_, _, _| 8) else {
                continue;
            };
            let Some(theirs) = djpeg(&damaged) else {
                continue;
            };
            match difference(&planes, &theirs) {
                apart if apart < 0.02 => same += 1,
                apart => other.push((name, planes.damaged, apart)),
            }
        }
    }
    // Coefficients far out of range overflow in libjpeg-turbo's vector code.
    assert!(same > 50 && other.len() * 40 <= same, "{same}, {other:?}");
}
