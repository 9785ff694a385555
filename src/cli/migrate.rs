//! `migrate`.

use std::path::{Path, PathBuf};

use super::inputs::lines_of;
use super::interrupt::Interrupt;
use super::operation_args::Migrate;
use super::output::{Failure, FailureKind, Outcome, Output, size};
use super::{Context, Result};
use crate::kind::ErrorKind;
use crate::ops::{
    self, MigrateOptions, MigrateReport, Migrated, Place, UrlMap, UrlMigrated, UrlOptions,
};

pub(super) async fn run(context: &Context, arguments: Migrate) -> Result<Outcome> {
    let output = context.output;
    let place = |text: &str| Place::open_loading(text, context.vars.iter().cloned(), context.load);
    let (Some(source), Some(target)) = (&arguments.source, &arguments.target) else {
        return from_urls(context, arguments).await;
    };
    let (source, target) = (place(source)?, place(target)?);
    if let Some(consequence) = target.outside_prefix()
        && !arguments.outside_prefix
    {
        let inside = target.inside_prefix().unwrap_or_default();
        return Err(Failure::usage(consequence)
            .with_hint(format!("migrate to {inside}, or add --outside-prefix")));
    }
    if let Some(directory) = source
        .store()
        .config()
        .local()
        .map(|local| local.directory())
        && !directory.is_dir()
    {
        return Err(Failure::new(
            ErrorKind::NotFound,
            format!("{}: no such directory", directory.display()),
        ));
    }
    let (dry_run, all_files) = (arguments.dry_run, arguments.all_files);
    let mut options = MigrateOptions::default()
        .with_optimize(arguments.optimize)
        .with_dry_run(arguments.dry_run)
        .with_quick(arguments.quick)
        .with_all_files(arguments.all_files)
        .with_outside_prefix(arguments.outside_prefix)
        .with_concurrency(usize::from(arguments.concurrency));
    options.old_base_url = arguments.old_base_url;
    options.url_map = url_map(arguments.url_map, arguments.table, arguments.column);
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
        () = interrupt.pressed() => Err(Failure::new(FailureKind::Interrupted, "interrupted")),
    };
    drop(progress);
    let interrupted = matches!(&ended, Err(failure) if failure.kind == FailureKind::Interrupted);
    if ended.is_err() && (copied > 0 || interrupted) && !dry_run {
        output.note(format_args!(
            "{copied} objects were copied; run it again to copy what is missing"
        ));
    }
    let report = ended?;
    tell(output, &report, all_files)?;
    output.document(&report)?;
    Ok(Outcome::when(report.failed == 0))
}

/// Prints a report in words.
fn tell(output: Output, report: &MigrateReport, all_files: bool) -> Result<()> {
    let verb = if report.dry_run { "to copy" } else { "copied" };
    output.line(format_args!(
        "{} {verb} ({}), {} there already, {} left out, {} failed",
        report.copied,
        size(report.bytes),
        report.present,
        report.left_out,
        report.failed
    ))?;
    if report.originals > 0 {
        output.note(format_args!("{} originals {verb}", report.originals));
    }
    if report.originals_unlisted {
        output.note("the originals may not be listed: any that there are stay where they are");
    }
    for (key, reason) in &report.left_out_keys {
        output.note(format_args!("{key}: left out: {reason}"));
    }
    for name in &report.links {
        output.note(format_args!(
            "{name}: left out: a symbolic link, which is not followed"
        ));
    }
    for name in &report.unnamable {
        output.note(format_args!(
            "{name:?}: its name cannot be a key: rename it"
        ));
    }
    if !report.left_out_keys.is_empty() && !all_files {
        output.note("  hint: --all-files copies files that are not images, too");
    }
    if report.type_changed > 0 {
        output.note(format_args!(
            "{} objects now have the content type of their bytes, which differs from the one they had",
            report.type_changed
        ));
    }
    if report.failed > 0 {
        output.note("run it again to copy what is missing");
    }
    Ok(())
}

fn url_map(file: Option<PathBuf>, table: String, column: String) -> Option<UrlMap> {
    file.map(|file| {
        if file.extension().is_some_and(|extension| extension == "csv") {
            UrlMap::csv(file)
        } else {
            UrlMap::sql(file, table, column)
        }
    })
}

/// `migrate --from-urls`.
async fn from_urls(context: &Context, arguments: Migrate) -> Result<Outcome> {
    let output = context.output;
    let store = context.store()?;
    let list = arguments.from_urls.as_deref().unwrap_or(Path::new("-"));
    let lines = lines_of(list)?;
    let mut options = UrlOptions::default()
        .with_dry_run(arguments.dry_run)
        .with_concurrency(usize::from(arguments.concurrency));
    options.url_map = url_map(arguments.url_map, arguments.table, arguments.column);
    let mut interrupt = Interrupt::listen(output, "stopping");
    let progress = output.progress(None, "URLs");
    let migration = ops::migrate_urls(&store, lines, &options, |migrated| {
        progress.step("");
        if let UrlMigrated::Failed(failure) = migrated {
            let mut told = Failure::new(failure.kind, failure.message.clone());
            told.hint.clone_from(&failure.hint);
            progress.suspend(|| output.failure(&failure.url, &told));
        }
    });
    let ended = tokio::select! {
        ended = migration => ended.map_err(Failure::from),
        () = interrupt.pressed() => Err(Failure::new(FailureKind::Interrupted, "interrupted")),
    };
    drop(progress);
    if ended.is_err() && !arguments.dry_run {
        output.note("run it again to fetch what is missing");
    }
    let report = ended?;
    let verb = if report.dry_run { "to fetch" } else { "stored" };
    output.line(format_args!(
        "{} {verb} ({}), {} there already, {} of this store, {} failed",
        report.stored,
        size(report.bytes),
        report.present,
        report.own,
        report.failed
    ))?;
    output.document(&report)?;
    Ok(Outcome::when(report.failed == 0))
}
