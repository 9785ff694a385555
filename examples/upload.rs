//! Optimizes photos and stores them where the environment says; with nothing set, as files under
//! `./uploads`.
//!
//! ```text
//! cargo run --release --example upload -- examples/photo.jpg
//! cargo run --release --example upload -- --delete /uploads/components/….jpg
//! ```

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use lablink_storage::{Error, ImageStore, StoredImage, UploadOptions};

const USAGE: &str = "\
Optimizes photos and stores them where the environment says.

Usage:
  cargo run --release --example upload -- PHOTO…
  cargo run --release --example upload -- --delete URL

With nothing set, images go to ./uploads. AWS_S3_BUCKET and AWS_REGION turn S3 on;
AWS_ENDPOINT_URL_S3 names any S3-compatible server.";

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        ["-h" | "--help"] => {
            println!("{USAGE}");
            Ok(0)
        }
        ["--delete", url] => delete(url).await,
        [] | ["--delete", ..] => {
            return wrong_usage("name at least one photo, or one URL to delete");
        }
        [option, ..] if option.starts_with('-') => {
            return wrong_usage(&format!("unknown option {option}"));
        }
        _ => upload_all(&words).await,
    };
    match outcome {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            let what = match words[0] {
                "--delete" => "delete",
                _ => "upload",
            };
            explain(what, &error);
            ExitCode::FAILURE
        }
    }
}

async fn delete(url: &str) -> Result<usize, Error> {
    ImageStore::from_env()?.delete_url(url).await?;
    println!("deleted {url}");
    Ok(0)
}

/// Uploads one after the other and counts the failures; one file that is refused does not keep the others
/// back.
async fn upload_all(photos: &[&str]) -> Result<usize, Error> {
    let store = ImageStore::from_env()?;
    if let Some(warning) = store.config().warning() {
        eprintln!("note: {warning}");
    }
    let mut failures = 0;
    for (done, photo) in photos.iter().enumerate() {
        show_progress(done, photos.len(), photo);
        let bytes = match std::fs::read(photo) {
            Ok(bytes) => bytes,
            Err(error) => {
                hide_progress(photos.len());
                eprintln!("{photo}: {error}");
                failures += 1;
                continue;
            }
        };
        let before = bytes.len();
        let name = Path::new(photo)
            .file_name()
            .unwrap_or_default()
            .to_string_lossy();
        let options = UploadOptions::default().with_filename(name);
        let outcome = store.upload(bytes, options).await;
        hide_progress(photos.len());
        match outcome {
            Ok(image) => print(photo, &image, before),
            Err(error) => {
                explain(photo, &error);
                failures += 1;
            }
        }
    }
    if photos.len() > 1 {
        eprintln!("{} of {} stored", photos.len() - failures, photos.len());
    }
    Ok(failures)
}

fn print(photo: &str, image: &StoredImage, before: usize) {
    let saved = 100.0 - 100.0 * image.size as f64 / before.max(1) as f64;
    println!("{photo}");
    println!("  key   {}", image.key);
    println!("  url   {}", image.url);
    println!(
        "  size  {} kB -> {} kB, {saved:.0} % saved ({} x {}, {})",
        before.div_ceil(1000),
        image.size.div_ceil(1000),
        image.width,
        image.height,
        image.content_type,
    );
}

/// With several files, one line that is overwritten says how far it is, where a person is looking.
fn show_progress(done: usize, all: usize, photo: &str) {
    let mut stderr = std::io::stderr();
    if all > 1 && stderr.is_terminal() {
        write!(stderr, "\r\x1b[K[{}/{all}] {photo} …", done + 1).ok();
        stderr.flush().ok();
    }
}

fn hide_progress(all: usize) {
    let mut stderr = std::io::stderr();
    if all > 1 && stderr.is_terminal() {
        write!(stderr, "\r\x1b[K").ok();
        stderr.flush().ok();
    }
}

fn explain(what: &str, error: &Error) {
    eprintln!("{what}: {error}");
    if let Some(hint) = error.hint() {
        eprintln!("  what to do: {hint}");
    }
}

fn wrong_usage(message: &str) -> ExitCode {
    eprintln!("{message}\n\n{USAGE}");
    ExitCode::from(2)
}
