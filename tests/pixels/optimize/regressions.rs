//! What fuzzing and testing found, each file as it was found, and what fuzzing begins with: nothing panics, and
//! what comes out goes in again.

use lablink_storage::{Limits, OptimizeOptions, OutputFormat, optimize};

use super::files;

#[test]
fn files_that_fuzzing_found_do_no_harm() {
    let paths = [
        "tests/fixtures/fuzz",
        "tests/fixtures/odd",
        "tests/fixtures/jpeg_odd",
        "fuzz/seeds",
    ]
    .map(files);
    for path in paths.concat() {
        let bytes = std::fs::read(&path).expect("a readable file");
        for format in [OutputFormat::Jpeg, OutputFormat::Png, OutputFormat::WebP] {
            for accept in [false, true] {
                let options = OptimizeOptions::default()
                    .with_format(format)
                    .with_accept_truncated(accept)
                    .with_limits(Limits::default().with_max_pixels(1 << 20));
                if let Ok(image) = optimize(&bytes, &options) {
                    let name = path.display();
                    let again = optimize(&image.data, &options).expect("an image of our own");
                    assert_eq!(
                        (again.width, again.height),
                        (image.width, image.height),
                        "{name}"
                    );
                }
            }
        }
    }
}
