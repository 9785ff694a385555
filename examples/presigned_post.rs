//! Prints a command that uploads one file straight to the store, without any credentials.
//!
//! ```text
//! cargo run --example presigned_post -- photo.jpg
//! ```
//!
//! The store is what the environment says. On S3 the printed command works as it is. A local store signs
//! with `LABLINK_STORAGE_SECRET`, and the application has to mount the route that is named.
//! With `--promote KEY` the upload is then looked at and becomes an image of the store.

use std::process::ExitCode;
use std::time::SystemTime;

use lablink_storage::{Error, ImageStore, ObjectKey, PresignPostOptions, PresignedPost};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        ["--promote", key] => promote(key).await,
        [file] if !file.starts_with('-') => sign(file).await,
        _ => {
            eprintln!("usage: presigned_post FILE | presigned_post --promote KEY");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            if let Some(hint) = error.hint() {
                eprintln!("  what to do: {hint}");
            }
            ExitCode::FAILURE
        }
    }
}

async fn sign(file: &str) -> Result<(), Error> {
    let store = ImageStore::from_env()?;
    let options = PresignPostOptions::default();
    print(&store.presigned_post(file, options).await?, file);
    Ok(())
}

async fn promote(key: &str) -> Result<(), Error> {
    let store = ImageStore::from_env()?;
    let image = store.promote(&ObjectKey::parse(key)?).await?;
    println!("{}", image.url);
    println!("{} x {}, {} bytes", image.width, image.height, image.size);
    Ok(())
}

fn print(post: &PresignedPost, file: &str) {
    let on_s3 = post
        .fields
        .iter()
        .any(|(name, _)| name == "x-amz-credential");
    if !on_s3 {
        println!(
            "# This store is not on S3. In the application, mount the route POST {} that hands the",
            post.url
        );
        println!(
            "# form's fields and its file to ImageStore::receive_post; then, with the application's host:"
        );
    }
    let host = if post.url.starts_with('/') {
        "http://localhost:5000"
    } else {
        ""
    };
    println!("curl --fail-with-body \\");
    for (name, value) in &post.fields {
        println!("  --form-string {} \\", quoted(&format!("{name}={value}")));
    }
    let name = file.replace('\\', "\\\\").replace('"', "\\\"");
    println!("  --form {} \\", quoted(&format!("file=@\"{name}\"")));
    println!("  {}", quoted(&format!("{host}{}", post.url)));
    let left = post
        .expires_at
        .duration_since(SystemTime::now())
        .unwrap_or_default();
    println!(
        "# It works for {} minutes. Once it is uploaded:",
        left.as_secs().div_ceil(60)
    );
    println!(
        "#   cargo run --example presigned_post -- --promote {}",
        post.key
    );
    println!("# makes it {}", post.file_url);
}

/// One word for a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}
