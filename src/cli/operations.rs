//! `doctor`, `migrate`, `sweep` and `handle-event`.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use serde_json::json;

use super::args::{Doctor, HandleEvent, Migrate, Sweep};
use super::interrupt::Interrupt;
use super::output::{Failure, INTERRUPTED, Outcome, size};
use super::{Context, Result};
use crate::ops::{
    self, CheckStatus, Diagnosis, DoctorOptions, EventOutcome, MAX_EVENT_BYTES, MigrateOptions,
    Migrated, Place, SweepOptions, UrlMap, UsedUrls,
};
use crate::store::ImageStore;

pub(super) async fn doctor(context: &Context, arguments: Doctor) -> Result<Outcome> {
    let output = context.output;
    let options = arguments
        .origin
        .into_iter()
        .fold(DoctorOptions::default(), DoctorOptions::with_origin);
    let mut interrupt = None;
    let diagnosis = match context.open() {
        Ok(store) => {
            interrupt = Some(Interrupt::listen(output, "finishing, to remove the probes"));
            let _waiting = output.waiting("");
            ops::doctor(&store, &options).await
        }
        Err(error) => Diagnosis::of_error(&error),
    };
    for check in &diagnosis.checks {
        let sign = match check.status {
            CheckStatus::Ok => "ok     ",
            CheckStatus::Warning => "WARNING",
            CheckStatus::Skipped => "skipped",
            _ => "FAILURE",
        };
        output.line(format_args!("{sign} {:<16} {}", check.name, check.message))?;
        if let Some(hint) = &check.hint {
            output.line(format_args!("                         hint: {hint}"))?;
        }
    }
    match diagnosis.first_failure() {
        Some(check) => output.note(format_args!("mend {} first", check.name)),
        None => output.note("healthy"),
    }
    output.document(&diagnosis)?;
    match interrupt {
        Some(interrupt) if interrupt.is_set() => Ok(Outcome::Interrupted),
        _ => Ok(Outcome::when(diagnosis.ok)),
    }
}

pub(super) async fn migrate(context: &Context, arguments: Migrate) -> Result<Outcome> {
    let output = context.output;
    let place = |text: &str| Place::open(text, context.vars.iter().cloned());
    let (source, target) = (place(&arguments.source)?, place(&arguments.target)?);
    if let Some(directory) = source
        .store()
        .config()
        .local()
        .map(|local| local.directory())
        && !directory.is_dir()
    {
        return Err(Failure::new(
            "not_found",
            format!("{}: no such directory", directory.display()),
        ));
    }
    let mut options = MigrateOptions::default()
        .with_optimize(arguments.optimize)
        .with_dry_run(arguments.dry_run)
        .with_quick(arguments.quick)
        .with_concurrency(usize::from(arguments.concurrency));
    options.old_base_url = arguments.old_base_url;
    options.url_map = arguments.url_map.map(|file| {
        if file.extension().is_some_and(|extension| extension == "csv") {
            UrlMap::csv(file)
        } else {
            UrlMap::sql(file, arguments.table, arguments.column)
        }
    });
    let mut interrupt = Interrupt::listen(output, "stopping");
    let progress = output.progress(None, "objects");
    let mut copied = 0;
    let migration = ops::migrate(&source, &target, &options, |migrated| {
        progress.step(migrated.key().as_str());
        copied += u64::from(matches!(migrated, Migrated::Copied { .. }));
        if let Migrated::Failed(failure) = migrated {
            let mut told = Failure::new(failure.kind, failure.message.clone());
            told.hint.clone_from(&failure.hint);
            progress.suspend(|| output.failure(failure.key.as_str(), &told));
        }
    });
    let ended = tokio::select! {
        ended = migration => ended.map_err(Failure::from),
        () = interrupt.pressed() => Err(Failure::new(INTERRUPTED, "interrupted")),
    };
    drop(progress);
    if ended.is_err() && copied > 0 && !arguments.dry_run {
        output.note(format_args!(
            "{copied} objects were copied; run it again to copy what is missing"
        ));
    }
    let report = ended?;
    let verb = if report.dry_run { "to copy" } else { "copied" };
    output.line(format_args!(
        "{} {verb} ({}), {} there already, {} left out, {} failed",
        report.copied,
        size(report.bytes),
        report.present,
        report.left_out,
        report.failed
    ))?;
    for (key, reason) in &report.left_out_keys {
        output.note(format_args!("{key}: left out: {reason}"));
    }
    for name in &report.unnamable {
        output.note(format_args!("{name:?}: its name can be no key: rename it"));
    }
    if report.type_changed > 0 {
        output.note(format_args!(
            "{} objects had another content type at the source than their names say; files cannot keep it",
            report.type_changed
        ));
    }
    if report.failed > 0 {
        output.note("run it again to copy what is missing");
    }
    output.document(&report)?;
    Ok(Outcome::when(report.failed == 0))
}

pub(super) async fn sweep(context: &Context, arguments: Sweep) -> Result<Outcome> {
    let output = context.output;
    let store = context.store()?;
    let mut options = SweepOptions::default()
        .with_older_than(arguments.older_than)
        .with_delete(arguments.delete);
    if arguments.force {
        options = options.with_max_share(1.0);
    }
    if let Some(file) = &arguments.used {
        options = options.with_used(used_urls(&store, file)?);
    }
    let waiting = output.waiting("");
    let swept = ops::sweep(&store, &options).await;
    drop(waiting);
    let swept = swept.map_err(|error| {
        let failure = Failure::from(error);
        match (failure.kind, arguments.used.is_some()) {
            ("invalid_argument", true) => {
                failure.with_hint("look at the list of used URLs; if it is right, add --force")
            }
            _ => failure,
        }
    })?;
    for (what, objects) in [("pending", &swept.pending), ("orphan", &swept.orphans)] {
        for object in objects {
            output.line(format_args!(
                "{what} {} ({})",
                object.key,
                size(object.size)
            ))?;
        }
    }
    for (key, reason) in &swept.failures {
        output.note(format_args!("{key}: {reason}"));
    }
    if swept.foreign_urls > 0 {
        output.note(format_args!(
            "{} lines lead into no store of this configuration",
            swept.foreign_urls
        ));
    }
    let bytes = swept
        .pending
        .iter()
        .chain(&swept.orphans)
        .map(|object| object.size)
        .sum();
    output.note(format_args!(
        "{} pending uploads, {} unfinished files, {} orphans ({}): {}",
        swept.pending.len(),
        swept.staging_files,
        swept.orphans.len(),
        size(bytes),
        if arguments.delete {
            format!("{} objects removed", swept.removed)
        } else {
            "nothing removed (--delete removes them)".to_owned()
        }
    ));
    output.document(&swept)?;
    Ok(Outcome::when(swept.failures.is_empty()))
}

fn used_urls(store: &ImageStore, file: &Path) -> Result<UsedUrls> {
    let reader: Box<dyn BufRead> = if file == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        let opened = File::open(file).map_err(|error| Failure::file(file, &error))?;
        Box::new(BufReader::new(opened))
    };
    UsedUrls::read(store, reader).map_err(|error| Failure::file(file, &error))
}

pub(super) async fn handle_event(context: &Context, arguments: HandleEvent) -> Result<Outcome> {
    let output = context.output;
    let store = context.store()?;
    let file = &arguments.file;
    let failure = |error: &io::Error| Failure::file(file, error);
    let most = MAX_EVENT_BYTES as u64 + 1;
    let mut document = Vec::new();
    if file == Path::new("-") {
        let read = io::stdin().lock().take(most).read_to_end(&mut document);
        read.map_err(|error| failure(&error))?;
    } else {
        let opened = File::open(file).map_err(|error| failure(&error))?;
        let read = opened.take(most).read_to_end(&mut document);
        read.map_err(|error| failure(&error))?;
    }
    // An empty queue prints nothing at all.
    let report = if document.trim_ascii().is_empty() {
        ops::EventReport::default()
    } else {
        let _waiting = output.waiting("");
        ops::handle_event(&store, &document)
            .await
            .map_err(|error| Failure::new("invalid_argument", error.to_string()))?
    };
    for outcome in &report.outcomes {
        match outcome {
            EventOutcome::Promoted { key, image } => {
                output.line(format_args!("{key}: promoted, {}", image.url))?;
            }
            EventOutcome::Skipped { key, reason } => {
                let subject = key.as_deref().unwrap_or("message");
                output.line(format_args!("{subject}: skipped, {reason}"))?;
            }
            EventOutcome::Refused { key, reason, .. } => {
                output.line(format_args!("{key}: refused, {reason}"))?;
            }
            EventOutcome::Failed {
                key, reason, hint, ..
            } => {
                let mut failure = Failure::new("internal", reason.clone());
                failure.hint.clone_from(hint);
                output.failure(key.as_str(), &failure);
            }
        }
    }
    output.document(&json!({"ok": report.is_done(), "outcomes": report.outcomes}))?;
    Ok(Outcome::when(report.is_done()))
}
