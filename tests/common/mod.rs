//! What integration tests share. A test file says `mod common;` and uses what it needs.
#![allow(dead_code)] // no test file needs all of it

#[cfg(feature = "s3")]
pub mod faulty;
pub mod hostile;
pub mod images;
pub mod logs;
#[cfg(feature = "s3")]
pub mod s3;

use std::path::PathBuf;
use std::process::Command;

/// The image corpus, or `None` with one line that says so.
pub fn corpus() -> Option<PathBuf> {
    let beside = || {
        PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .map(|dir| dir.join("shared/corpus"))
    };
    let corpus = std::env::var_os("LABLINK_CORPUS")
        .map(PathBuf::from)
        .or_else(beside)?;
    if corpus.join("manifest.csv").is_file() {
        return Some(corpus);
    }
    println!(
        "skipped: no image corpus in {} (LABLINK_CORPUS)",
        corpus.display()
    );
    None
}

/// Options for large images in tests: a debug build under load takes longer than a server should wait.
pub fn patient() -> lablink_storage::OptimizeOptions {
    let limits = lablink_storage::Limits::default();
    lablink_storage::OptimizeOptions::default()
        .with_limits(limits.with_max_duration(std::time::Duration::from_secs(300)))
}

/// One test of this program in a process of its own; `module` is the test's `module_path!()`.
pub fn alone(module: &str, test: &str) -> Command {
    let (_, module) = module.split_once("::").expect("a module of this program");
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", &format!("{module}::{test}"), "--nocapture"]);
    command
}

/// Whether the long form of a test is wanted (`tests/run --full`).
pub fn full() -> bool {
    std::env::var_os("LABLINK_TEST_FULL").is_some_and(|value| value == "1")
}

/// SSIMULACRA2 of an encoded image against a reference of the same size: 100 is the same picture.
pub fn ssimulacra2(reference: &[u8], distorted: &[u8]) -> f64 {
    use fast_ssim2::{PixelDescriptor, PixelSlice, Ssimulacra2Reference};
    let (reference, distorted) = (rgb(reference), rgb(distorted));
    fn slice(picture: &(Vec<u8>, u32, u32)) -> PixelSlice<'_> {
        let (pixels, width, height) = picture;
        let stride = *width as usize * 3;
        let slice = PixelSlice::new(pixels, *width, *height, stride, PixelDescriptor::RGB8_SRGB);
        slice.expect("pixels fit")
    }
    let reference = Ssimulacra2Reference::new(&slice(&reference)).expect("a picture");
    reference
        .compare(&slice(&distorted))
        .expect("of the same size")
}

/// The pixels of an encoded image.
fn rgb(image: &[u8]) -> (Vec<u8>, u32, u32) {
    let whole = patient().with_max_size(1 << 14, 1 << 14);
    let whole = whole
        .with_format(lablink_storage::OutputFormat::Png)
        .with_palette(false);
    let image = lablink_storage::optimize(image, &whole).expect("an image");
    let mut decoder = png::Decoder::new(std::io::Cursor::new(&image.data[..]));
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().expect("a PNG");
    let mut pixels = vec![0; reader.output_buffer_size().expect("it fits")];
    let info = reader.next_frame(&mut pixels).expect("pixels");
    assert_eq!(info.color_type, png::ColorType::Rgb);
    (pixels, info.width, info.height)
}
