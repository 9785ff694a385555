//! AVIF out: of the quality that was asked for, with its transparency, and within its time.
#![cfg(feature = "avif")]

use std::time::{Duration, Instant};

use lablink_storage::{
    ImageFormat, Limits, OptimizeError, OptimizeOptions, OutputFormat, optimize,
};

use super::{noise, paint, png, png_pixels, run};
use crate::common::{patient, ssimulacra2};

fn avif() -> OptimizeOptions {
    patient().with_format(OutputFormat::Avif)
}

/// As PNG, by our own decoder.
fn decoded(file: &[u8]) -> Vec<u8> {
    let whole = patient().with_max_size(1 << 14, 1 << 14);
    let png = run(file, &whole.with_format(OutputFormat::Png));
    png.data.to_vec()
}

#[test]
fn a_quality_means_about_the_same_as_for_jpeg() {
    let photo = std::fs::read("examples/photo.jpg").expect("the example photo");
    let size = |options: OptimizeOptions| options.with_max_size(600, 600);
    let reference = run(&photo, &size(patient()).with_format(OutputFormat::Png));
    for quality in [60, 85] {
        let jpeg = run(&photo, &size(patient()).with_quality(quality));
        let avif = run(&photo, &size(avif()).with_quality(quality));
        assert_eq!((avif.format, avif.width), (ImageFormat::Avif, 600));
        let [of_jpeg, of_avif] =
            [&jpeg.data, &avif.data].map(|file| ssimulacra2(&reference.data, file));
        let share = avif.data.len() as f64 / jpeg.data.len() as f64;
        println!("quality {quality}: {of_jpeg:.1}, {of_avif:.1}, {share:.2} of the bytes");
        // The quantizers are chosen for the mean of many: a photograph may come out better, not much worse.
        let better = of_avif - of_jpeg;
        assert!((-2.0..6.0).contains(&better), "{of_jpeg} {of_avif}");
        assert!(share < 0.85, "{share}");
    }
}

#[test]
fn colours_and_transparency_come_back() {
    let pixels = paint(70, 50, |x, _| match x {
        0..=34 => [200, 40, 60, 255],
        _ => [20, 160, 90, 128],
    });
    let file = run(&png(70, 50, png::ColorType::Rgba, &pixels), &avif());
    let back = decoded(&file.data);
    let mut reader = png::Decoder::new(std::io::Cursor::new(&back[..]));
    reader.set_transformations(png::Transformations::EXPAND);
    let mut reader = reader.read_info().expect("a PNG");
    let mut found = vec![0; reader.output_buffer_size().expect("small")];
    let info = reader.next_frame(&mut found).expect("whole");
    assert_eq!(info.color_type, png::ColorType::Rgba);
    for (x, expected) in [(10, [200, 40, 60, 255]), (60, [20, 160, 90, 128])] {
        let at = (25 * 70 + x) * 4;
        let near = found[at..at + 4].iter().zip(expected);
        assert!(
            near.clone()
                .all(|(found, expected)| found.abs_diff(expected) < 8),
            "{x} {near:?}"
        );
    }
}

/// Every size, odd ones and single pixels.
#[test]
fn small_and_odd_sizes_are_written() {
    for (width, height) in [(1, 1), (3, 2), (17, 9), (1, 70), (65, 33)] {
        let gray = png(width, height, png::ColorType::Rgb, &noise(width, height));
        let file = run(&gray, &avif());
        assert_eq!((file.width, file.height), (width, height));
        let back = decoded(&file.data);
        assert_eq!(png_pixels(&back).len() % (width * height) as usize, 0);
    }
}

/// Beginning is not enough: the encoder cannot be stopped.
#[test]
fn a_picture_that_takes_too_long_is_refused_before_it_has() {
    let large = png(2000, 1500, png::ColorType::Rgb, &noise(2000, 1500));
    let limits = Limits::default().with_max_duration(Duration::from_millis(1500));
    let options = avif().with_max_size(2000, 2000).with_limits(limits);
    let started = Instant::now();
    let error = optimize(&large, &options.with_speed(4)).expect_err("too long");
    assert!(
        matches!(error, OptimizeError::LimitExceeded { what: "milliseconds", value, .. } if value > 1500),
        "{error}"
    );
    println!("refused after {:?}", started.elapsed());
}

#[test]
fn a_speed_is_one_of_ten() {
    let small = png(4, 4, png::ColorType::Rgb, &noise(4, 4));
    for speed in [0, 11] {
        let error = optimize(&small, &avif().with_speed(speed)).expect_err("no speed");
        assert!(matches!(
            error,
            OptimizeError::InvalidOption { name: "speed", .. }
        ));
    }
}
