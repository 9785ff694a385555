//! `put`, `get`, `ls`, `rm`, `url`, `promote` and `status`.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

use futures_util::StreamExt;
use serde_json::{Value, json};

use super::args::{Get, Key, Ls, Put, Rm, Url};
use super::document::Document;
use super::interrupt::Interrupt;
use super::output::{Failure, Outcome, size};
use super::{Context, Result};
use crate::backend::ObjectInfo;
use crate::error::Error;
use crate::store::{ImageStore, StoredImage, UploadOptions};

pub(super) async fn put(context: &Context, arguments: Put) -> Result<Outcome> {
    let store = context.store()?;
    let output = context.output;
    let (mut images, mut failures) = (Vec::new(), Vec::new());
    let interrupt = Interrupt::listen(output, "finishing this image");
    let progress = output.progress(Some(arguments.files.len() as u64), "files");
    let mut files = arguments.files.iter();
    while !interrupt.is_set()
        && let Some(file) = files.next()
    {
        let name = file.display().to_string();
        progress.step(&name);
        match put_one(&store, file).await {
            Ok(image) => {
                let line = format!("{name}: {} ({})", image.url, saving(&image));
                progress.suspend(|| output.line(line))?;
                let mut entry = json!(image);
                entry["file"] = json!(name);
                images.push(entry);
            }
            Err(failure) => {
                progress.suspend(|| output.failure(&name, &failure));
                let mut entry = failure.to_json();
                entry["file"] = json!(name);
                failures.push(entry);
                if failure.everywhere {
                    break;
                }
            }
        }
    }
    drop(progress);
    let left: Vec<_> = files.map(|file| file.display().to_string()).collect();
    output.not_tried(&left);
    output.document(&json!({"images": images, "failures": failures, "not_tried": left}))?;
    Ok(Outcome::of_many(&failures, &left, &interrupt))
}

async fn put_one(store: &ImageStore, file: &Path) -> Result<StoredImage> {
    let bytes = read_bounded(file, store.config().optimize().limits.max_bytes)?;
    let mut options = UploadOptions::default();
    if let Some(name) = file.file_name() {
        options = options.with_filename(name.to_string_lossy());
    }
    Ok(store.upload(bytes, options).await?)
}

/// Reads a file unless it is larger than anything that would be taken. The caller names it.
pub(super) fn read_bounded(file: &Path, most: u64) -> Result<Vec<u8>> {
    let failure = |error: &io::Error| Failure::io(error, error.to_string());
    let opened = fs::File::open(file).map_err(|error| failure(&error))?;
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut io::Read::take(opened, most + 1), &mut bytes)
        .map_err(|error| failure(&error))?;
    if bytes.len() as u64 > most {
        return Err(Failure::new(
            "limit_exceeded",
            format!("larger than {}", size(most)),
        ));
    }
    Ok(bytes)
}

fn saving(image: &StoredImage) -> String {
    let source = &image.source;
    let (before, after) = (source.size as f64, image.size as f64);
    format!(
        "{} x {} {}, now {} x {} {}, {:.0} % saved",
        source.width,
        source.height,
        size(source.size),
        image.width,
        image.height,
        size(image.size),
        (1.0 - after / before.max(1.0)) * 100.0
    )
}

pub(super) async fn get(context: &Context, arguments: Get) -> Result<Outcome> {
    let store = context.store()?;
    let output = context.output;
    let key = store.resolve(&arguments.key)?;
    if arguments.output.is_none() {
        if output.json {
            return Err(
                Failure::new("invalid_argument", "with --json the image needs a file")
                    .with_hint("add -o FILE"),
            );
        }
        if io::stdout().is_terminal() {
            return Err(
                Failure::new("invalid_argument", "a terminal cannot show an image")
                    .with_hint("add -o FILE, or send stdout to a file"),
            );
        }
    }
    let waiting = output.waiting(key.as_str());
    let object = store.get(&key).await?;
    drop(waiting);
    match &arguments.output {
        None => output.raw(&object.bytes)?,
        Some(file) => {
            write_whole(file, &object.bytes)?;
            output.note(format_args!(
                "{}: {}",
                file.display(),
                size(object.info.size)
            ));
            let mut entry = entry(&store, &object.info);
            entry["file"] = json!(file.display().to_string());
            output.document(&entry)?;
        }
    }
    Ok(Outcome::Done)
}

/// Writes beside the file and moves it into place: what was there stays until the new one is whole. What is
/// no regular file, such as a pipe or a device, is written to and stays what it is.
pub(super) fn write_whole(file: &Path, bytes: &[u8]) -> Result<()> {
    let failure = |error: &io::Error| Failure::file(file, error);
    if fs::metadata(file).is_ok_and(|there| !there.is_file()) {
        return fs::write(file, bytes).map_err(|error| failure(&error));
    }
    let real = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let file = real.as_path();
    let name = file.file_name().ok_or_else(|| {
        Failure::new(
            "invalid_argument",
            format!("{}: names no file", file.display()),
        )
    })?;
    let mut unfinished = name.to_owned();
    unfinished.push(format!(".{}.unfinished", std::process::id()));
    let unfinished = file.with_file_name(unfinished);
    let written = fs::File::create(&unfinished)
        .and_then(|mut out| out.write_all(bytes))
        .and_then(|()| fs::rename(&unfinished, file));
    written.map_err(|error| {
        let _ = fs::remove_file(&unfinished);
        failure(&error)
    })
}

pub(super) async fn ls(context: &Context, arguments: Ls) -> Result<Outcome> {
    let store = context.store()?;
    let output = context.output;
    let progress = output.progress(None, "objects");
    let mut document = Document::new(output);
    let mut listed = store.list(arguments.prefix.as_deref());
    while let Some(info) = listed.next().await {
        progress.step("");
        match info {
            Ok(info) if output.json => {
                if !document.is_begun() {
                    document.list("objects")?;
                }
                document.item(&entry(&store, &info))?;
            }
            Ok(info) => {
                let time = time(info.last_modified);
                let line = format!("{time} {:>10} {}", info.size, info.key);
                progress.suspend(|| output.line(line))?;
            }
            Err(error) => {
                let failure = Failure::from(error);
                if !document.is_begun() {
                    return Err(failure);
                }
                progress.suspend(|| output.failure("stopped early", &failure));
                document.fields(&failure.to_json())?;
                document.end()?;
                return Ok(Outcome::Failed);
            }
        }
    }
    drop(progress);
    if !document.is_begun() {
        document.list("objects")?;
    }
    document.end()?;
    Ok(Outcome::Done)
}

fn entry(store: &ImageStore, info: &ObjectInfo) -> Value {
    json!({
        "key": info.key.as_str(),
        "url": store.public_url(&info.key),
        "size": info.size,
        "content_type": info.content_type,
        "cache_control": info.cache_control,
        "e_tag": info.e_tag,
        "last_modified": time(info.last_modified),
        "variant": info.variant,
    })
}

pub(super) fn time(time: std::time::SystemTime) -> String {
    chrono::DateTime::<chrono::Utc>::from(time)
        .format("%Y-%m-%dT%H:%M:%SZ")
        .to_string()
}

pub(super) async fn rm(context: &Context, arguments: Rm) -> Result<Outcome> {
    let store = context.store()?;
    let output = context.output;
    // All of them are understood before the first one goes.
    let keys = arguments.keys.iter().map(|key| store.resolve(key));
    let keys: Vec<_> = keys.collect::<Result<_, Error>>()?;
    let (mut removed, mut failures) = (Vec::new(), Vec::new());
    let interrupt = Interrupt::listen(output, "finishing this removal");
    let progress = output.progress(Some(keys.len() as u64), "objects");
    let mut keys = keys.into_iter();
    while !interrupt.is_set()
        && let Some(key) = keys.next()
    {
        progress.step(key.as_str());
        match store.delete(&key).await {
            Ok(()) => {
                progress.suspend(|| output.line(format_args!("{key}: removed")))?;
                removed.push(key.to_string());
            }
            Err(error) => {
                let failure = Failure::from(error);
                progress.suspend(|| output.failure(key.as_str(), &failure));
                let mut entry = failure.to_json();
                entry["key"] = json!(key.as_str());
                failures.push(entry);
                if failure.everywhere {
                    break;
                }
            }
        }
    }
    drop(progress);
    let left: Vec<_> = keys.map(|key| key.to_string()).collect();
    output.not_tried(&left);
    output.document(&json!({"removed": removed, "failures": failures, "not_tried": left}))?;
    Ok(Outcome::of_many(&failures, &left, &interrupt))
}

pub(super) fn url(context: &Context, arguments: &Url) -> Result<Outcome> {
    let store = context.store()?;
    let key = store.resolve(&arguments.key)?;
    let url = store.public_url(&key);
    context.output.line(&url)?;
    context
        .output
        .document(&json!({"key": key.as_str(), "url": url}))?;
    Ok(Outcome::Done)
}

pub(super) async fn promote(context: &Context, arguments: Key) -> Result<Outcome> {
    let store = context.store()?;
    let key = store.resolve(&arguments.key)?;
    let output = context.output;
    let waiting = output.waiting(key.as_str());
    let image = store.promote(&key).await?;
    drop(waiting);
    output.line(format_args!("{} ({})", image.url, saving(&image)))?;
    output.document(&image)?;
    Ok(Outcome::Done)
}

pub(super) async fn status(context: &Context) -> Result<Outcome> {
    let output = context.output;
    let store = context.store()?;
    let waiting = output.waiting("");
    let status = store.status().await;
    drop(waiting);
    let place = match (&status.bucket, &status.region) {
        (Some(bucket), Some(region)) => format!(" (bucket {bucket}, region {region})"),
        _ => format!(" ({} store)", status.backend),
    };
    output.line(format_args!("{}{place}", status.message))?;
    if let Some(error) = &status.error {
        let mut failure = Failure::new("unavailable", error.clone());
        failure.hint.clone_from(&status.hint);
        output.failure("status", &failure);
    }
    output.document(&status)?;
    Ok(Outcome::when(status.accessible))
}
