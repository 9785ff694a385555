//! `regenerate`.

use std::io::{self, IsTerminal};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::inputs::lines_of;
use super::interrupt::Interrupt;
use super::operation_args::Regenerate;
use super::output::{Failure, Outcome, size};
use super::{Context, Result};
use crate::config::{ConfigBuilder, RetryPreset};
use crate::error::Error;
use crate::kind::ErrorKind;
use crate::ops::lines::{Lines, MAX_LINE};
use crate::ops::{self, RegenerateOptions, RegenerateReport, Regenerated};
use crate::store::ImageStore;

pub(super) async fn run(context: &Context, arguments: Regenerate) -> Result<Outcome> {
    let output = context.output;
    context.config()?;
    let config = ConfigBuilder::from_vars(context.vars.iter().cloned())
        .and_then(|builder| builder.with_retry(RetryPreset::Batch).build())
        .map_err(Error::from)?;
    let store = ImageStore::from_config(config)?;
    let stop = Arc::new(AtomicBool::new(false));
    let options = options(&arguments, Arc::clone(&stop))?;
    let total = match io::stderr().is_terminal() && !output.quiet {
        true => Some(ops::count_images(&store, &options).await?),
        false => None,
    };
    let mut interrupt = Interrupt::listen(output, "finishing the images under way");
    let progress = output.progress(total, "images");
    let each = |one: &Regenerated| {
        progress.step(&one.image);
        if let Some(failure) = &one.failure {
            let mut told = Failure::new(failure.kind, failure.message.clone());
            told.hint.clone_from(&failure.hint);
            progress.suspend(|| output.failure(&failure.image, &told));
        }
    };
    let ended = {
        let mut work = std::pin::pin!(ops::regenerate_each(&store, &options, each));
        tokio::select! {
            ended = &mut work => ended,
            () = interrupt.pressed() => {
                stop.store(true, Ordering::Relaxed);
                work.await
            }
        }
    };
    drop(progress);
    let report = ended.map_err(|error| match error {
        Error::InvalidArgument { name: "prune", .. } => {
            Failure::from(error).with_hint("configure the variants, or add --force")
        }
        error => error.into(),
    })?;
    summary(context, &report, arguments.all || arguments.main)?;
    output.document(&report)?;
    Ok(if interrupt.is_set() && report.stopped.is_some() {
        Outcome::Interrupted
    } else {
        Outcome::when(report.is_complete())
    })
}

fn options(arguments: &Regenerate, stop: Arc<AtomicBool>) -> Result<RegenerateOptions> {
    let mut options = RegenerateOptions::default()
        .with_variants(&arguments.variant)
        .with_all(arguments.all)
        .with_main(arguments.main)
        .with_prune(arguments.prune)
        .with_force(arguments.force)
        .with_dry_run(arguments.dry_run)
        .with_stop(stop);
    options.prefix.clone_from(&arguments.prefix);
    options.shard = arguments.shard;
    options.keys = arguments.keys.as_deref().map(keys).transpose()?;
    Ok(options)
}

fn keys(file: &Path) -> Result<Vec<String>> {
    let mut keys = Vec::new();
    for line in Lines(lines_of(file)?) {
        let line = line.map_err(|error| Failure::file(file, &error))?;
        if line.len() > MAX_LINE {
            let text = format!("{}: a line is longer than {MAX_LINE} bytes", file.display());
            return Err(Failure::new(ErrorKind::InvalidArgument, text)
                .with_hint("give one key or URL a line"));
        }
        keys.push(line.trim().to_owned());
    }
    Ok(keys)
}

/// Prints a report in words. With `anew`, what is there was to be made once more.
fn summary(context: &Context, report: &RegenerateReport, anew: bool) -> io::Result<()> {
    let output = context.output;
    let verb = if report.dry_run { "to make" } else { "made" };
    let mut words = format!("{} images: {} variants {verb}", report.images, report.made);
    if report.mains > 0 {
        words.push_str(&format!(", {} main images {verb} anew", report.mains));
    }
    if !report.dry_run {
        words.push_str(&format!(" ({})", size(report.bytes)));
    }
    words.push_str(&format!(", {} images complete", report.complete));
    for (count, what) in [
        (report.present, "variants there already"),
        (report.pruned, "variants removed"),
        (report.without_original, "images without an original"),
        (report.failed, "failed"),
    ] {
        if count > 0 {
            words.push_str(&format!(", {count} {what}"));
        }
    }
    output.line(words)?;
    if let Some(failure) = &report.purge_failure {
        output.failure("not purged from CloudFront", &Failure::of_purge(failure));
    }
    if report.purged {
        let paths = report.invalidate.len();
        output.note(format_args!(
            "CloudFront forgets what was replaced or removed ({paths} paths)"
        ));
    } else if !report.invalidate.is_empty() {
        output.note(
            "these were replaced or removed, and are cached for long; invalidate them in the CDN:",
        );
        for path in &report.invalidate {
            output.note(format_args!("  {path}"));
        }
    }
    if let Some(stopped) = &report.stopped {
        let mut failure = Failure::new(ErrorKind::Internal, stopped.clone());
        failure.hint.clone_from(&report.hint);
        output.failure("stopped early", &failure);
        output.note(if anew {
            "run it again: with --all or --main it starts over, and --shard takes fewer images"
        } else {
            "run it again: it goes on where it stopped"
        });
    }
    Ok(())
}
