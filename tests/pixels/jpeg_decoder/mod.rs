//! Our JPEG decoder against others, against files that it must not take, and against damage.

mod corpus;
mod damage;
mod reference;
mod refusals;
mod scales;
mod turbo;

use std::path::{Path, PathBuf};

use lablink_storage::optimize::jpeg::{DecodeLimits, Error, Planes, decode};

/// Small files made for this, by libjpeg-turbo: 83 x 61 pixels, their names say what they are.
fn fixtures() -> Vec<(String, Vec<u8>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/jpeg");
    let files: Vec<_> = jpeg_files(&directory)
        .into_iter()
        .map(|path| (name(&path), read(&path)))
        .collect();
    assert!(files.len() >= 14);
    files
}

fn fixture(name: &str) -> Vec<u8> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/jpeg");
    read(&directory.join(name))
}

fn jpeg_files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).expect("a readable directory");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("a readable entry").path())
        .filter(|path| {
            let extension = path.extension().and_then(|extension| extension.to_str());
            matches!(extension, Some("jpg" | "jpeg" | "mpo"))
        })
        .collect();
    files.sort();
    files
}

fn name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).expect("a readable file")
}

fn full_size(data: &[u8]) -> Result<Planes, Error> {
    decode(data, &DecodeLimits::default(), &|_, _, _| 8)
}
