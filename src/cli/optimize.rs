//! `optimize`: images in, smaller images out, no storage.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::args::{Format, Optimize};
use super::files::{read_bounded, write_whole};
use super::interrupt::Interrupt;
use super::output::{Failure, Outcome, size};
use super::{Context, Result};
use crate::error::Error;
use crate::optimize::{OptimizeOptions, OptimizedImage, OutputFormat, optimize};

pub(super) fn run(context: &Context, arguments: &Optimize) -> Result<Outcome> {
    let output = context.output;
    let format = match arguments.format {
        Format::Jpeg => OutputFormat::Jpeg,
        Format::Webp => OutputFormat::WebP,
        Format::Png => OutputFormat::Png,
        Format::Auto => OutputFormat::Auto,
    };
    let options = OptimizeOptions::default()
        .with_max_size(arguments.max_width, arguments.max_height)
        .with_quality(arguments.quality)
        .with_format(format);
    fs::create_dir_all(&arguments.output)
        .map_err(|error| Failure::file(&arguments.output, &error))?;
    let (mut images, mut failures) = (Vec::new(), Vec::new());
    let interrupt = Interrupt::listen(output, "finishing this image");
    let progress = output.progress(Some(arguments.files.len() as u64), "files");
    let mut files = arguments.files.iter();
    while !interrupt.is_set()
        && let Some(file) = files.next()
    {
        let name = file.display().to_string();
        progress.step(&name);
        match optimize_one(file, &arguments.output, &options) {
            Ok((written, before, image)) => {
                let after = image.data.len() as u64;
                let line = format!(
                    "{}: {} x {}, {} before, {} now",
                    written.display(),
                    image.width,
                    image.height,
                    size(before),
                    size(after)
                );
                progress.suspend(|| output.line(line))?;
                images.push(json!({
                    "file": name,
                    "output": written.display().to_string(),
                    "content_type": image.content_type(),
                    "width": image.width,
                    "height": image.height,
                    "size_before": before,
                    "size": after,
                    "placeholder": image.placeholder,
                }));
            }
            Err(failure) => {
                progress.suspend(|| output.failure(&name, &failure));
                let mut entry = failure.to_json();
                entry["file"] = json!(name);
                failures.push(entry);
            }
        }
    }
    drop(progress);
    let left: Vec<_> = files.map(|file| file.display().to_string()).collect();
    output.not_tried(&left);
    output.document(&json!({"images": images, "failures": failures, "not_tried": left}))?;
    Ok(Outcome::of_many(&failures, &left, &interrupt))
}

fn optimize_one(
    file: &Path,
    directory: &Path,
    options: &OptimizeOptions,
) -> Result<(PathBuf, u64, OptimizedImage)> {
    let bytes = read_bounded(file, options.limits.max_bytes)?;
    let image = optimize(&bytes, options).map_err(Error::from)?;
    let stem = file.file_stem().ok_or_else(|| {
        Failure::new(
            "invalid_argument",
            format!("{}: names no file", file.display()),
        )
    })?;
    let mut name = stem.to_owned();
    name.push(".");
    name.push(image.format.extension());
    let target = directory.join(name);
    let same = |path: &Path| path.canonicalize().ok();
    if same(&target).is_some_and(|target| Some(target) == same(file)) {
        return Err(Failure::new(
            "already_exists",
            format!("{}: would be overwritten by its own result", file.display()),
        )
        .with_hint("choose another directory with -o"));
    }
    write_whole(&target, &image.data)?;
    Ok((target, bytes.len() as u64, image))
}
