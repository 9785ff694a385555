//! `optimize` whole, and its stages as far as options can single them out, by format and size.
//!
//! `cargo bench --bench optimize`. Every picture is made here, or is `examples/photo.jpg`. A stage is the
//! whole with the others made small: *decode* fits the picture inside 16 pixels (a JPEG is then decoded at
//! an eighth, as far as it goes); *encode* has a picture that fits already, in another format than it is
//! written, and so needs no resizing; *resize* is a PNG of one colour, next to free to decode and encode.
//! Compare ratios within a run: clocks and neighbours drift.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use lablink_storage::{OptimizeOptions, OutputFormat, optimize};

const SIZES: [(u16, u16); 2] = [(1600, 1200), (4000, 3000)];

/// Edges, slopes and noise in about the measure of a photograph.
fn pixels(width: u16, height: u16) -> Vec<u8> {
    let (width, height) = (u32::from(width), u32::from(height));
    let mut state = 1u32;
    let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    places
        .flat_map(|(x, y)| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = (state >> 28) as i32;
            let slope = (x * 120 / width + y * 90 / height) as i32;
            let edge = if (x / 97 + y / 61) % 3 == 0 { 40 } else { 0 };
            let colour = [slope + edge, slope, 160 - slope / 2 + edge];
            colour.map(|value| (value + noise).clamp(0, 255) as u8)
        })
        .collect()
}

fn jpeg(pixels: &[u8], width: u16, height: u16, progressive: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 92);
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    encoder.set_progressive(progressive);
    encoder
        .encode(pixels, width, height, ColorType::Rgb)
        .expect("pixels that fit");
    bytes
}

fn png(pixels: &[u8], width: u16, height: u16) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width.into(), height.into());
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_compression(png::Compression::Fast);
    let mut writer = encoder.write_header().expect("a header");
    writer.write_image_data(pixels).expect("pixels that fit");
    writer.finish().expect("the end");
    bytes
}

/// The picture in another format, at its own size.
fn converted(bytes: &[u8], format: OutputFormat) -> Vec<u8> {
    let options = OptimizeOptions::default()
        .with_format(format)
        .with_max_size(16_384, 16_384);
    optimize(bytes, &options).expect("an image").data.to_vec()
}

/// The picture of one size in every format that is read.
fn inputs(width: u16, height: u16) -> Vec<(&'static str, Vec<u8>)> {
    let pixels = pixels(width, height);
    let jpeg_bytes = jpeg(&pixels, width, height, false);
    let mut inputs = vec![
        ("png", png(&pixels, width, height)),
        ("progressive jpeg", jpeg(&pixels, width, height, true)),
    ];
    if cfg!(feature = "webp") {
        inputs.push(("webp", converted(&jpeg_bytes, OutputFormat::WebP)));
    }
    inputs.push(("jpeg", jpeg_bytes));
    inputs
}

fn measure(
    criterion: &mut Criterion,
    stage: &str,
    name: &str,
    bytes: &[u8],
    options: &OptimizeOptions,
) {
    let mut group = criterion.benchmark_group(stage);
    group
        .throughput(Throughput::Bytes(bytes.len() as u64))
        .sample_size(10);
    group.bench_function(name, |bencher| {
        bencher.iter(|| optimize(black_box(bytes), options).expect("an image"));
    });
    group.finish();
}

fn formats() -> impl Iterator<Item = (&'static str, OutputFormat)> {
    let all = [
        ("jpeg", OutputFormat::Jpeg),
        ("png", OutputFormat::Png),
        ("webp", OutputFormat::WebP),
    ];
    all.into_iter()
        .filter(|(name, _)| cfg!(feature = "webp") || *name != "webp")
}

fn stages(criterion: &mut Criterion) {
    for (width, height) in SIZES {
        let megapixels = f64::from(width) * f64::from(height) / 1e6;
        let inputs = inputs(width, height);
        let tiny = OptimizeOptions::default().with_max_size(16, 16);
        for (format, bytes) in &inputs {
            let name = format!("{format}, {megapixels} MP");
            measure(criterion, "decode", &name, bytes, &tiny);
            measure(
                criterion,
                "whole",
                &name,
                bytes,
                &OptimizeOptions::default(),
            );
        }
        let plain = png(
            &vec![120; 3 * usize::from(width) * usize::from(height)],
            width,
            height,
        );
        let name = format!("{megapixels} MP to 1200 pixels");
        measure(
            criterion,
            "resize",
            &name,
            &plain,
            &OptimizeOptions::default(),
        );
    }
    for (width, height) in [(300, 225), (1200, 900)] {
        let pixels = pixels(width, height);
        for (format, output) in formats() {
            // Not from its own format, where the source might be kept.
            let bytes = match output {
                OutputFormat::Jpeg => png(&pixels, width, height),
                _ => jpeg(&pixels, width, height, false),
            };
            let options = OptimizeOptions::default().with_format(output);
            let name = format!("{format}, {width} x {height}");
            measure(criterion, "encode", &name, &bytes, &options);
        }
    }
    let photo = include_bytes!("../examples/photo.jpg");
    measure(
        criterion,
        "whole",
        "examples/photo.jpg",
        photo,
        &OptimizeOptions::default(),
    );
}

criterion_group!(benches, stages);
criterion_main!(benches);
