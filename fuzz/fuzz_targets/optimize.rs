//! Whatever the bytes, `optimize` gives an image that fits, or an error; and it is an image: what comes
//! out goes in again.

#![no_main]

use std::time::Duration;

use lablink_storage::{Limits, OptimizeOptions, OutputFormat, optimize};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let choice = data.last().copied().unwrap_or_default();
    let format = match choice % 4 {
        0 => OutputFormat::Jpeg,
        1 => OutputFormat::WebP,
        2 => OutputFormat::Png,
        _ => OutputFormat::Auto,
    };
    let limits = Limits::default()
        .with_max_pixels(1 << 18)
        .with_max_decode_bytes(64 << 20)
        .with_max_scans(20)
        .with_max_duration(Duration::from_secs(10));
    let options = OptimizeOptions::default()
        .with_max_size(64, 48)
        .with_format(format)
        .with_accept_truncated(choice & 4 != 0)
        .with_limits(limits);
    let Ok(image) = optimize(data, &options) else {
        return;
    };
    assert!((1..=64).contains(&image.width) && (1..=48).contains(&image.height));
    let again = optimize(&image.data, &options).expect("an image of our own");
    assert_eq!((again.width, again.height), (image.width, image.height));
});
