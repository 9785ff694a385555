//! Transparent pixels have no colour: none that bleeds over an edge, none on the matte.

use lablink_storage::{Fit, OutputFormat};

use super::{lossless, paint, png, run, seen, to, webp};

/// Opaque red left of `x` = 33, and right of it nothing, kept as bright green.
fn half_green(x: u32, _y: u32) -> [u8; 4] {
    if x < 33 {
        [200, 0, 0, 255]
    } else {
        [0, 255, 0, 0]
    }
}

#[test]
fn hidden_colours_do_not_bleed_when_an_image_is_made_smaller() {
    let pixels = paint(64, 64, half_green);
    let gray: Vec<u8> = paint(64, 64, |x, y| [half_green(x, y)[1], half_green(x, y)[3]]);
    let inputs = [
        png(64, 64, png::ColorType::Rgba, &pixels),
        webp(64, 64, true, &pixels, |_| ()),
        png(64, 64, png::ColorType::GrayscaleAlpha, &gray),
    ];
    for bytes in &inputs {
        for format in [OutputFormat::Png, OutputFormat::WebP] {
            let options = to(format).with_lossless(true).with_max_size(24, 24);
            let seen = seen(&run(bytes, &options));
            assert!(
                seen.pixels.iter().any(|pixel| (1..255).contains(&pixel[3])),
                "an edge"
            );
            for pixel in seen.pixels.iter().filter(|pixel| pixel[3] > 0) {
                // Alpha of one has one step of colour.
                let tolerance = 255 / pixel[3];
                assert!(pixel[1] <= tolerance, "green in {pixel:?}");
            }
        }
        // Onto the matte, blue here: what is between red and blue, and no green.
        let options = to(OutputFormat::Jpeg)
            .with_max_size(24, 24)
            .with_quality(100);
        let seen = seen(&run(bytes, &options.with_background([0, 0, 200])));
        for pixel in &seen.pixels {
            assert!(pixel[1] <= 12, "green in {pixel:?}");
        }
        seen.assert_near(23, 12, [0, 0, 200, 255], 4);
    }
}

#[test]
fn the_matte_is_white_unless_asked_otherwise() {
    let bytes = png(
        16,
        16,
        png::ColorType::Rgba,
        &paint(16, 16, |_, _| [10, 20, 30, 0]),
    );
    seen(&run(&bytes, &to(OutputFormat::Jpeg))).assert_near(8, 8, [255; 4], 1);
    let options = to(OutputFormat::Jpeg).with_background([200, 100, 50]);
    seen(&run(&bytes, &options)).assert_near(8, 8, [200, 100, 50, 255], 2);
    // Half of 10, 20, 30 and half of white.
    let bytes = png(
        16,
        16,
        png::ColorType::Rgba,
        &paint(16, 16, |_, _| [10, 20, 30, 128]),
    );
    let half = |value: f64| (value * 128.0 / 255.0 + 127.0).round() as u8;
    let expected = [half(10.0), half(20.0), half(30.0), 255];
    seen(&run(&bytes, &to(OutputFormat::Jpeg))).assert_near(8, 8, expected, 2);
}

#[test]
fn a_canvas_is_filled_and_the_image_on_it_keeps_its_alpha() {
    let bytes = png(
        20,
        10,
        png::ColorType::Rgba,
        &paint(20, 10, |_, _| [9, 8, 7, 60]),
    );
    let options = lossless().with_max_size(20, 20).with_fit(Fit::Contain);
    let image = run(&bytes, &options.with_background([1, 2, 3]));
    assert_eq!((image.width, image.height), (20, 20));
    let seen = seen(&image);
    assert_eq!(seen.at(10, 0), [1, 2, 3, 255]);
    assert_eq!(seen.at(10, 10), [9, 8, 7, 60]);
    assert_eq!(seen.at(10, 19), [1, 2, 3, 255]);
}
