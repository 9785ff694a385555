//! JPEG decoding alone: our decoder to planes at several scales, and zune-jpeg at full size beside it.
//!
//! `cargo bench --bench jpeg_decode` measures an image made here; with `LABLINK_CORPUS` set, also the
//! files of its `bench` directory. Compare ratios within a run: clocks and neighbours drift.

use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use lablink_storage::optimize::jpeg::{DecodeLimits, decode};
use zune_jpeg::{JpegDecoder, zune_core::bytestream::ZCursor};

/// Edges, slopes and noise in about the measure of a photograph, 2000 x 1500 pixels.
fn made(progressive: bool) -> Vec<u8> {
    let (width, height) = (2000u32, 1500u32);
    let mut state = 1u32;
    let pixels: Vec<u8> = (0..width * height)
        .flat_map(|at| {
            let (x, y) = (at % width, at / width);
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = (state >> 28) as i32;
            let slope = (x * 120 / width + y * 90 / height) as i32;
            let edge = if (x / 97 + y / 61) % 3 == 0 { 40 } else { 0 };
            [
                slope + edge + noise,
                slope + noise,
                160 - slope / 2 + edge + noise,
            ]
            .map(|value| value as u8)
        })
        .collect();
    let mut data = Vec::new();
    let mut encoder = Encoder::new(&mut data, 92);
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    encoder.set_progressive(progressive);
    let encoded = encoder.encode(&pixels, width as u16, height as u16, ColorType::Rgb);
    encoded.expect("an image that can be encoded");
    data
}

fn measure(criterion: &mut Criterion, name: &str, data: &[u8]) {
    let mut group = criterion.benchmark_group(name);
    group
        .throughput(Throughput::Bytes(data.len() as u64))
        .sample_size(10);
    for eighths in [8, 4, 2] {
        let limits = DecodeLimits::default();
        group.bench_function(format!("ours at {eighths}/8"), |bencher| {
            bencher.iter(|| decode(black_box(data), &limits, &|_, _, _| eighths));
        });
    }
    group.bench_function("zune-jpeg at 8/8", |bencher| {
        bencher.iter(|| JpegDecoder::new(ZCursor::new(black_box(data))).decode());
    });
    group.finish();
}

fn benches(criterion: &mut Criterion) {
    measure(criterion, "sequential", &made(false));
    measure(criterion, "progressive", &made(true));
    let Some(corpus) = std::env::var_os("LABLINK_CORPUS") else {
        return;
    };
    let Ok(entries) = std::fs::read_dir(Path::new(&corpus).join("bench")) else {
        return;
    };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths
        .iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "jpg"))
    {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        measure(
            criterion,
            &name,
            &std::fs::read(path).expect("a readable file"),
        );
    }
}

criterion_group!(jpeg_decode, benches);
criterion_main!(jpeg_decode);
