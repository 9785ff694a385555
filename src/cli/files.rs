//! `put`, `get`, `ls`, `rm`, `url`, `promote` and `status`.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::StreamExt;
use serde_json::{Value, json};

use super::args::{Get, Key, Ls, Put, Rm, Url};
use super::document::Document;
use super::inputs::{Input, expand};
use super::many::{Done, Many};
use super::output::{Failure, FailureKind, Outcome, saved, size};
use super::{Context, Result};
use crate::backend::ObjectInfo;
use crate::error::Error;
use crate::kind::ErrorKind;
use crate::store::{ImageStore, StoredImage, UploadOptions};

pub(super) async fn put(context: &Context, arguments: Put) -> Result<Outcome> {
    let store = context.store()?;
    let output = context.output;
    let inputs = expand(&arguments.files, output)?;
    let names: Vec<String> = inputs.iter().map(Input::name).collect();
    let (before, after) = (&AtomicU64::new(0), &AtomicU64::new(0));
    let many = Many::images(output, arguments.jobs.into());
    let (outcome, totals) = many
        .run(&names, |index| {
            let (store, input) = (&store, &inputs[index]);
            async move {
                let image = put_one(store, input).await?;
                before.fetch_add(image.source.size, Ordering::Relaxed);
                after.fetch_add(image.size, Ordering::Relaxed);
                let mut entry = json!(image);
                entry["file"] = json!(input.name());
                let line = format!("{}: {} ({})", input.name(), image.url, saving(&image));
                let purge = None;
                Ok(Done { line, entry, purge })
            }
        })
        .await?;
    let of = |bytes: &AtomicU64| bytes.load(Ordering::Relaxed);
    output.totals("stored", &totals, of(before), of(after));
    Ok(outcome)
}

async fn put_one(store: &ImageStore, input: &Input) -> Result<StoredImage> {
    let bytes = input.read(store.config().optimize().limits.max_bytes)?;
    let mut options = UploadOptions::default();
    if let Some(name) = input.path().and_then(Path::file_name) {
        options = options.with_filename(name.to_string_lossy());
    }
    Ok(store.upload(bytes, options).await?)
}

fn saving(image: &StoredImage) -> String {
    let source = &image.source;
    format!(
        "{} x {} {}, now {} x {} {}, {}",
        source.width,
        source.height,
        size(source.size),
        image.width,
        image.height,
        size(image.size),
        saved(source.size, image.size)
    )
}

pub(super) async fn get(context: &Context, arguments: Get) -> Result<Outcome> {
    let store = context.store()?;
    let output = context.output;
    let key = store.resolve(&arguments.key)?;
    if arguments.output.is_none() {
        if output.json {
            return Err(
                Failure::usage("with --json the image needs a file").with_hint("add -o FILE")
            );
        }
        if io::stdout().is_terminal() {
            return Err(Failure::new(
                ErrorKind::InvalidArgument,
                "a terminal cannot show an image",
            )
            .with_hint("add -o FILE, or send stdout to a file"));
        }
    }
    let waiting = output.waiting(key.as_str());
    let object = match arguments.original {
        true => store.original(&key).await?,
        false => store.get(&key).await?,
    };
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
    staged(&real, bytes, |unfinished| fs::rename(unfinished, &real))
}

/// The same for a file that is not there; what is there is never touched.
pub(super) fn write_new(file: &Path, bytes: &[u8]) -> Result<()> {
    let there = || {
        let text = format!("{}: is there already", file.display());
        Failure::new(ErrorKind::AlreadyExists, text).with_hint("--overwrite replaces it")
    };
    if fs::symlink_metadata(file).is_ok() {
        return Err(there());
    }
    let placed = staged(file, bytes, |unfinished| {
        match fs::hard_link(unfinished, file) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
            // Not every file system has links; nobody else is expected here.
            Err(_) => fs::rename(unfinished, file),
            Ok(()) => fs::remove_file(unfinished),
        }
    });
    placed.map_err(|failure| match failure.kind {
        FailureKind::Error(ErrorKind::AlreadyExists) => there(),
        _ => failure,
    })
}

/// Writes beside `file`, then lets `place` put it there.
fn staged(file: &Path, bytes: &[u8], place: impl FnOnce(&Path) -> io::Result<()>) -> Result<()> {
    let name = file.file_name().ok_or_else(|| {
        Failure::new(
            ErrorKind::InvalidArgument,
            format!("{}: names no file", file.display()),
        )
    })?;
    let mut unfinished = name.to_owned();
    unfinished.push(format!(".{}.unfinished", std::process::id()));
    let unfinished = file.with_file_name(unfinished);
    let written = fs::File::create(&unfinished)
        .and_then(|mut out| out.write_all(bytes))
        .and_then(|()| place(&unfinished));
    written.map_err(|error| {
        let _ = fs::remove_file(&unfinished);
        Failure::file(file, &error)
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

pub(super) fn entry(store: &ImageStore, info: &ObjectInfo) -> Value {
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
    // All of them are understood before the first one goes.
    let keys = arguments.keys.iter().map(|key| store.resolve(key));
    let keys: Vec<_> = keys.collect::<Result<_, Error>>()?;
    let names: Vec<String> = keys.iter().map(ToString::to_string).collect();
    let many = Many {
        output: context.output,
        finishing: "finishing this removal",
        unit: "objects",
        list: ("removed", "key"),
        at_once: 1,
    };
    let (outcome, _) = many
        .run(&names, |index| {
            let (store, key) = (&store, &keys[index]);
            async move {
                let (purge, line) = if arguments.all_versions {
                    let purge = store.erase_purging(key).await?;
                    (purge, format!("{key}: removed, all versions of it"))
                } else {
                    let purge = store.delete_purging(key).await?;
                    (purge, format!("{key}: removed"))
                };
                let entry = json!(key);
                Ok(Done { line, entry, purge })
            }
        })
        .await?;
    Ok(outcome)
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
    let error = store.check().await.err();
    let status = store.status_after(error.as_ref());
    drop(waiting);
    let place = match (&status.bucket, &status.region) {
        (Some(bucket), Some(region)) => format!(" (bucket {bucket}, region {region})"),
        _ => format!(" ({} store)", status.backend),
    };
    output.line(format_args!("{}{place}", status.message))?;
    if let Some(error) = error {
        output.failure("status", &error.into());
    }
    output.document(&status)?;
    Ok(Outcome::when(status.accessible))
}
