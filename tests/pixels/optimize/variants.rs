//! Named sizes from one decode, and how each is fitted.

use lablink_storage::{
    Fit, Gravity, OptimizeError, OptimizeOptions, OutputFormat, optimize, optimize_with_variants,
};

use super::{fixture, lossless, paint, png, refused, run, seen};

#[test]
fn a_variant_is_what_it_would_be_alone() {
    let picture = paint(240, 160, |x, y| [x as u8, y as u8, (x + y) as u8]);
    let inputs = [
        png(240, 160, png::ColorType::Rgb, &picture),
        fixture("jpeg/420_progressive.jpg"),
    ];
    let versions = [
        OptimizeOptions::default()
            .with_max_size(40, 40)
            .with_format(OutputFormat::Png),
        OptimizeOptions::default()
            .with_max_size(60, 20)
            .with_fit(Fit::Cover),
        OptimizeOptions::default()
            .with_max_size(30, 30)
            .with_fit(Fit::Contain),
    ];
    for bytes in &inputs {
        let main = OptimizeOptions::default();
        let (image, variants) = optimize_with_variants(bytes, &main, &versions).expect("images");
        assert_eq!(image, optimize(bytes, &main).expect("an image"));
        assert_eq!(variants.len(), 3);
        for (variant, options) in variants.iter().zip(&versions) {
            assert!(variant.width <= options.max_width && variant.height <= options.max_height);
            let exact = options.fit != Fit::Inside;
            assert!(
                !exact
                    || (variant.width, variant.height) == (options.max_width, options.max_height)
            );
            // A JPEG alone is decoded at less than its size: the same picture, not the same bytes.
            let (with, alone) = (seen(variant), seen(&run(bytes, options)));
            assert_eq!((with.width, with.height), (alone.width, alone.height));
            let pairs = with.pixels.iter().zip(&alone.pixels);
            let sum: u64 = pairs
                .flat_map(|(a, b)| a.iter().zip(b))
                .map(|(a, b)| u64::from(a.abs_diff(*b)))
                .sum();
            assert!(sum / (with.pixels.len() as u64) <= 8, "{sum}");
        }
    }
}

#[test]
fn either_every_version_is_made_or_none() {
    let bytes = png(
        20,
        20,
        png::ColorType::Rgb,
        &paint(20, 20, |x, y| [x as u8, y as u8, 0]),
    );
    let wrong = OptimizeOptions::default().with_max_size(0, 10);
    let main = OptimizeOptions::default();
    assert!(optimize_with_variants(&bytes, &main, &[main.clone(), wrong]).is_err());
}

#[test]
fn nothing_is_enlarged_and_the_shorter_side_is_rounded() {
    let size = |width, height, options: OptimizeOptions| {
        let bytes = png(
            width,
            height,
            png::ColorType::Rgb,
            &paint(width, height, |_, _| [90; 3]),
        );
        let image = run(&bytes, &options);
        (image.width, image.height)
    };
    let inside = |side| lossless().with_max_size(side, side);
    assert_eq!(size(40, 30, inside(100)), (40, 30));
    assert_eq!(size(300, 200, inside(100)), (100, 67));
    assert_eq!(size(200, 300, inside(100)), (67, 100));
    assert_eq!(size(600, 1, inside(100)), (100, 1));
    let fit = |fit, width, height| lossless().with_max_size(width, height).with_fit(fit);
    assert_eq!(size(40, 30, fit(Fit::Contain, 100, 50)), (100, 50));
    assert_eq!(size(300, 200, fit(Fit::Contain, 100, 100)), (100, 100));
    assert_eq!(size(300, 200, fit(Fit::Cover, 100, 100)), (100, 100));
    // Too small for the box: cropped to its shape only.
    assert_eq!(size(40, 30, fit(Fit::Cover, 100, 100)), (30, 30));
}

/// A 3 x 3 board of 30-pixel squares, each of its own gray; every gravity keeps its own row or column.
#[test]
fn gravity_says_what_a_crop_keeps() {
    let square = |x: u32, y: u32| (y / 30 * 3 + x / 30) as u8 * 25 + 20;
    let bytes = png(
        90,
        90,
        png::ColorType::Rgb,
        &paint(90, 90, |x, y| [square(x, y); 3]),
    );
    let of = |gravity, width, height| {
        let options = lossless().with_fit(Fit::Cover).with_gravity(gravity);
        let seen = seen(&run(&bytes, &options.with_max_size(width, height)));
        let shades = [(15, 15), (seen.width - 15, seen.height - 15)];
        shades.map(|(x, y)| (seen.at(x, y)[0] - 20) / 25)
    };
    use Gravity::{
        Center, East, North, NorthEast, NorthWest, Point, South, SouthEast, SouthWest, West,
    };
    for (gravity, wide, tall) in [
        (Center, [3, 5], [1, 7]),
        (North, [0, 2], [1, 7]),
        (South, [6, 8], [1, 7]),
        (West, [3, 5], [0, 6]),
        (East, [3, 5], [2, 8]),
        (NorthWest, [0, 2], [0, 6]),
        (NorthEast, [0, 2], [2, 8]),
        (SouthWest, [6, 8], [0, 6]),
        (SouthEast, [6, 8], [2, 8]),
        // A point is in the middle of the crop, or as near as the edges allow.
        (Point(0.9, 0.5), [3, 5], [2, 8]),
        (Point(0.5, 0.05), [0, 2], [1, 7]),
        (Point(0.0, 1.0), [6, 8], [0, 6]),
    ] {
        assert_eq!(of(gravity, 90, 30), wide, "{gravity:?}, a row");
        assert_eq!(of(gravity, 30, 90), tall, "{gravity:?}, a column");
    }
}

/// A gray room with one coloured, checked thing in it.
#[test]
fn attention_keeps_the_subject() {
    for (left, top) in [(8, 60), (150, 60), (262, 60), (150, 4), (30, 110)] {
        let inside = |x: u32, y: u32| x.wrapping_sub(left) < 40 && y.wrapping_sub(top) < 40;
        let bytes = png(
            310,
            160,
            png::ColorType::Rgb,
            &paint(310, 160, |x, y| match inside(x, y) {
                true if (x / 4 + y / 4) % 2 == 0 => [220, 120, 90],
                true => [60, 30, 20],
                false => [(x / 8 + y / 8) as u8 + 100; 3],
            }),
        );
        let options = lossless()
            .with_fit(Fit::Cover)
            .with_gravity(Gravity::Attention);
        for (width, height) in [(70, 160), (310, 60)] {
            let image = run(&bytes, &options.clone().with_max_size(width, height));
            let seen = seen(&image);
            let coloured = (0..seen.height)
                .flat_map(|y| (0..seen.width).map(move |x| (x, y)))
                .filter(|&(x, y)| seen.at(x, y)[0] > seen.at(x, y)[2] + 25)
                .count();
            // Within a pixel at its edges, where the crop is not on a whole one.
            assert!(
                (1500..=1700).contains(&coloured),
                "{coloured} of {left}, {top}"
            );
            let again = run(&bytes, &options.clone().with_max_size(width, height));
            assert_eq!(again.data, image.data);
        }
    }
}

/// Where nothing draws the eye the middle stays.
#[test]
fn attention_to_nothing_is_the_middle() {
    let bytes = png(90, 30, png::ColorType::Rgb, &[77; 90 * 30 * 3]);
    let options = lossless().with_fit(Fit::Cover).with_max_size(30, 30);
    let of = |gravity| run(&bytes, &options.clone().with_gravity(gravity)).data;
    assert_eq!(of(Gravity::Attention), of(Gravity::Center));
}

#[test]
fn a_point_outside_the_picture_is_no_option() {
    let bytes = png(4, 4, png::ColorType::Rgb, &[77; 48]);
    for (x, y) in [(-0.1, 0.5), (0.5, 1.1), (f64::NAN, 0.5)] {
        let options = lossless().with_gravity(Gravity::Point(x, y));
        assert!(matches!(
            refused(&bytes, &options),
            OptimizeError::InvalidOption {
                name: "gravity",
                ..
            }
        ));
    }
}
