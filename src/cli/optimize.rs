//! `optimize`: images in, smaller images out, no storage.

use std::collections::HashMap;
use std::fs;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;

use super::args::Optimize;
use super::files::{write_new, write_whole};
use super::inputs::{Input, expand};
use super::many::{Done, Many};
use super::output::{Failure, Outcome, size};
use super::{Context, Result};
use crate::error::Error;
use crate::kind::ErrorKind;
use crate::optimize::{OptimizeOptions, OptimizedImage, optimize};

pub(super) async fn run(context: &Context, arguments: Optimize) -> Result<Outcome> {
    let output = context.output;
    let options = arguments
        .options
        .over(context.config()?.optimize().clone())?;
    let inputs = expand(&arguments.files, output)?;
    let Some(directory) = arguments.output else {
        return to_stdout(context, &inputs, &options);
    };
    fs::create_dir_all(&directory).map_err(|error| Failure::file(&directory, &error))?;
    let names: Vec<String> = inputs.iter().map(Input::name).collect();
    let writer = Arc::new(Writer {
        directory,
        overwrite: arguments.overwrite,
        options,
        written: Mutex::default(),
        before: AtomicU64::new(0),
        after: AtomicU64::new(0),
    });
    let many = Many::images(output, arguments.jobs.into());
    let (outcome, totals) = many
        .run(&names, |index| {
            let (writer, input) = (Arc::clone(&writer), inputs[index].clone());
            async move {
                let one = tokio::task::spawn_blocking(move || writer.one(&input));
                one.await.map_err(|error| Failure::of_task(&error))?
            }
        })
        .await?;
    let of = |bytes: &AtomicU64| bytes.load(Ordering::Relaxed);
    output.totals("optimized", &totals, of(&writer.before), of(&writer.after));
    Ok(outcome)
}

fn to_stdout(context: &Context, inputs: &[Input], options: &OptimizeOptions) -> Result<Outcome> {
    let [input] = inputs else {
        return Err(Failure::usage("several images need a directory").with_hint("add -o DIR"));
    };
    if input.path().is_some() {
        return Err(Failure::usage("only what comes from stdin goes to stdout")
            .with_hint("add -o DIR, or name - and send the image to stdin"));
    }
    if context.output.json {
        return Err(
            Failure::usage("with --json the image needs a directory").with_hint("add -o DIR")
        );
    }
    if io::stdout().is_terminal() {
        return Err(Failure::new(
            ErrorKind::InvalidArgument,
            "a terminal cannot show an image",
        )
        .with_hint("add -o DIR, or send stdout to a file"));
    }
    let bytes = input.read(options.limits.max_bytes)?;
    let image = optimize(&bytes, options).map_err(Error::from)?;
    context.output.raw(&image.data)?;
    Ok(Outcome::Done)
}

struct Writer {
    directory: PathBuf,
    overwrite: bool,
    options: OptimizeOptions,
    /// Each file that this run wrote, with its source.
    written: Mutex<HashMap<PathBuf, String>>,
    before: AtomicU64,
    after: AtomicU64,
}

impl Writer {
    fn one(&self, input: &Input) -> Result<Done> {
        let bytes = input.read(self.options.limits.max_bytes)?;
        let image = optimize(&bytes, &self.options).map_err(Error::from)?;
        let target = self.claim(input, &image)?;
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder).map_err(|error| Failure::file(folder, &error))?;
        }
        let write = if self.overwrite {
            write_whole
        } else {
            write_new
        };
        write(&target, &image.data).inspect_err(|_| {
            let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
            written.remove(&target);
        })?;
        let (before, after) = (bytes.len() as u64, image.data.len() as u64);
        self.before.fetch_add(before, Ordering::Relaxed);
        self.after.fetch_add(after, Ordering::Relaxed);
        let shown = target.display().to_string();
        let (width, height) = (image.width, image.height);
        Ok(Done {
            line: format!(
                "{shown}: {width} x {height}, {} before, {} now",
                size(before),
                size(after)
            ),
            entry: json!({
                "file": input.name(),
                "output": shown,
                "content_type": image.content_type(),
                "width": width,
                "height": height,
                "size_before": before,
                "size": after,
                "placeholder": image.placeholder,
            }),
            purge: None,
        })
    }

    /// Chooses the result's file, which is neither its source nor another result of this run.
    fn claim(&self, input: &Input, image: &OptimizedImage) -> Result<PathBuf> {
        let mut name = input.inner.with_extension("").into_os_string();
        name.push(".");
        name.push(image.format.extension());
        let target = self.directory.join(name);
        let real = |path: &Path| path.canonicalize().ok();
        if real(&target).is_some_and(|target| Some(target) == input.path().and_then(real)) {
            let text = format!("{}: would be overwritten by its own result", input.name());
            return Err(Failure::new(ErrorKind::AlreadyExists, text)
                .with_hint("choose another directory with -o"));
        }
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        match written.get(&target) {
            Some(other) => {
                let text = format!("{} is the result of {other} already", target.display());
                Err(Failure::new(ErrorKind::AlreadyExists, text)
                    .with_hint("rename one of the two, or write them to different directories"))
            }
            None => {
                written.insert(target.clone(), input.name());
                Ok(target)
            }
        }
    }
}
