//! Drawings as PNG: a palette where the difference does not show.

use lablink_storage::{Limits, OptimizeOptions, OutputFormat};

use super::{noise, paint, png, run};
use crate::common::{patient, ssimulacra2};

fn to_png(side: u32) -> OptimizeOptions {
    patient()
        .with_format(OutputFormat::Png)
        .with_max_size(side, side)
}

/// Whether a PNG has a palette (its colour type, PNG third edition, section 11.2.1).
fn has_palette(file: &[u8]) -> bool {
    file[25] == 3
}

/// Discs and bars of a few colours, which get many shades along their edges when they are resized.
fn drawing(width: u32, height: u32) -> Vec<u8> {
    const COLORS: [[u8; 3]; 7] = [
        [255, 255, 255],
        [20, 60, 140],
        [220, 40, 50],
        [30, 160, 80],
        [250, 200, 40],
        [120, 60, 160],
        [40, 40, 40],
    ];
    let pixels = paint(width, height, |x, y| {
        let (column, row) = (x / 90, y / 90);
        let (dx, dy) = (i64::from(x % 90) - 45, i64::from(y % 90) - 45);
        let is_disc = dx * dx + dy * dy < 34 * 34;
        COLORS[if is_disc {
            1 + ((column * 5 + row * 3) % 6) as usize
        } else {
            0
        }]
    });
    png(width, height, png::ColorType::Rgb, &pixels)
}

#[test]
fn a_drawing_gets_a_palette_that_does_not_show() {
    let file = drawing(1000, 700);
    let near = run(&file, &to_png(600));
    let exact = run(&file, &to_png(600).with_palette(false));
    assert!(has_palette(&near.data) && !has_palette(&exact.data));
    assert!(
        near.data.len() * 2 < exact.data.len(),
        "{} {}",
        near.data.len(),
        exact.data.len()
    );
    let score = ssimulacra2(&exact.data, &near.data);
    assert!(score > 88.0, "{score}");
    assert_eq!(
        run(&file, &to_png(600)).data,
        near.data,
        "the same on every run"
    );
}

#[test]
fn photographs_have_none() {
    let photo = std::fs::read("examples/photo.jpg").expect("the example photo");
    let large = run(&photo, &to_png(500));
    // As PNG, too, and so small that there are few pixels to have colours.
    for side in [500, 60, 20] {
        let (on, off) = (to_png(side), to_png(side).with_palette(false));
        assert_eq!(
            run(&large.data, &on).data,
            run(&large.data, &off).data,
            "{side}"
        );
    }
    let noise = png(200, 200, png::ColorType::Rgb, &noise(200, 200));
    assert!(!has_palette(&run(&noise, &to_png(150)).data));
}

/// The diagram of a real page, 1300 pixels wide; sharp 0.35.5 makes 60,625 bytes of it with its own palette, at 87.1.
#[test]
fn a_real_diagram_is_as_small_as_others_make_it() {
    let file = include_bytes!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/fixtures/drawing/diagram.png"
    ));
    let near = run(file, &to_png(1200).with_limits(Limits::default()));
    let exact = run(file, &to_png(1200).with_palette(false));
    let score = ssimulacra2(&exact.data, &near.data);
    println!(
        "{} bytes, {} without, {score:.1}",
        near.data.len(),
        exact.data.len()
    );
    assert!(near.data.len() as f64 <= 1.1 * 60_625.0 && score >= 87.1);
}
