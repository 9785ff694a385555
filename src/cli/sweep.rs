//! `sweep`.

use std::io;
use std::path::Path;

use serde_json::{Value, json};

use super::document::Document;
use super::inputs::lines_of;
use super::operation_args::Sweep as Arguments;
use super::output::{Failure, FailureKind, Outcome, size};
use super::{Context, Result};
use crate::kind::ErrorKind;
use crate::ops::{self, Sweep, SweepOptions, Swept, SweptAs, UsedUrls};
use crate::store::ImageStore;

/// The hint for a doubtful list.
const DOUBT: &str =
    "look at the list of used URLs (one URL or key a line, no header); if it is right, add --force";

pub(super) async fn run(context: &Context, arguments: Arguments) -> Result<Outcome> {
    let output = context.output;
    let store = context.store()?;
    let mut options = SweepOptions::default()
        .with_older_than(arguments.older_than)
        .with_delete(arguments.delete)
        .with_force(arguments.force);
    if let Some(file) = &arguments.used {
        options = options.with_used(used_urls(&store, file)?);
    }
    let waiting = output.waiting("");
    let mut lists = Lists::new(Document::new(output));
    let mut written = Ok(());
    let swept = ops::sweep(&store, &options, |swept| {
        let line = waiting.suspend(|| output.line(line(swept)));
        if written.is_ok() {
            written = line.and_then(|()| lists.add(swept));
        }
        if let Some(error) = &swept.failure {
            waiting.suspend(|| output.note(format_args!("{}: {error}", swept.object.key)));
        }
    })
    .await;
    drop(waiting);
    let sweep = swept.map_err(|error| {
        let failure = Failure::from(error);
        match (failure.kind, arguments.used.is_some()) {
            (FailureKind::Error(ErrorKind::InvalidArgument), true) => failure.with_hint(DOUBT),
            _ => failure,
        }
    })?;
    written?;
    lists.end(&sweep)?;
    summary(context, &sweep, arguments.delete);
    Ok(Outcome::when(sweep.is_complete()))
}

fn line(swept: &Swept) -> String {
    let what = match swept.kind {
        SweptAs::Pending => "pending",
        SweptAs::Marker => "marker",
        SweptAs::Remains => "remains",
        _ => "orphan",
    };
    let removed = if swept.removed { ": removed" } else { "" };
    let object = &swept.object;
    format!("{what} {} ({}){removed}", object.key, size(object.size))
}

fn summary(context: &Context, sweep: &Sweep, delete: bool) {
    let output = context.output;
    for doubt in &sweep.doubts {
        output.note(format_args!("in doubt: {doubt}"));
    }
    if !sweep.doubts.is_empty() && !delete {
        output.note("  hint: with --delete this would remove nothing without --force");
    }
    output.note(format_args!(
        "{} pending uploads, {} unfinished files, {} remains of images, {} orphans ({}): {}",
        sweep.pending,
        sweep.staging_files,
        sweep.remains,
        sweep.orphans,
        size(sweep.bytes),
        if delete {
            format!("{} objects removed", sweep.removed)
        } else {
            "nothing removed (--delete removes them)".to_owned()
        }
    ));
    if let Some(failure) = &sweep.purge_failure {
        output.failure("not purged from CloudFront", &Failure::of_purge(failure));
    }
    if let Some(stopped) = &sweep.stopped {
        let mut failure = Failure::new(ErrorKind::Internal, stopped.clone());
        failure.hint.clone_from(&sweep.hint);
        output.failure("stopped early", &failure);
    }
}

/// The lists of the document. What is found comes in the order of the lists but for remains, which are
/// few and wait.
struct Lists {
    document: Document,
    open: Option<SweptAs>,
    remains: Vec<Value>,
}

impl Lists {
    fn new(document: Document) -> Self {
        Self {
            document,
            open: None,
            remains: Vec::new(),
        }
    }

    fn add(&mut self, swept: &Swept) -> io::Result<()> {
        let object = &swept.object;
        let entry = json!({"key": object.key, "size": object.size, "removed": swept.removed});
        match swept.kind {
            SweptAs::Remains => self.remains.push(entry),
            SweptAs::Marker => {}
            kind => {
                self.advance(kind)?;
                self.document.item(&entry)?;
            }
        }
        Ok(())
    }

    fn advance(&mut self, kind: SweptAs) -> io::Result<()> {
        if self.open.is_none() {
            self.document.list("pending")?;
            self.open = Some(SweptAs::Pending);
        }
        if kind == SweptAs::Orphan && self.open != Some(kind) {
            self.document.list("orphans")?;
            self.open = Some(kind);
        }
        Ok(())
    }

    fn end(mut self, sweep: &Sweep) -> io::Result<()> {
        self.advance(SweptAs::Orphan)?;
        self.document.list("remains")?;
        for entry in &self.remains {
            self.document.item(entry)?;
        }
        let mut fields = json!({
            "markers": sweep.markers,
            "staging_files": sweep.staging_files,
            "looked_at": sweep.looked_at,
            "bytes": sweep.bytes,
            "removed": sweep.removed,
            "failed": sweep.failed,
            "failures": sweep.failures,
            "foreign_urls": sweep.foreign_urls,
            "doubts": sweep.doubts,
            "purge_failure": sweep.purge_failure,
        });
        if let Some(stopped) = &sweep.stopped {
            fields["error"] = json!("stopped");
            fields["message"] = json!(stopped);
            fields["hint"] = json!(sweep.hint);
        }
        self.document.fields(&fields)?;
        self.document.end()
    }
}

fn used_urls(store: &ImageStore, file: &Path) -> Result<UsedUrls> {
    UsedUrls::read(store, lines_of(file)?).map_err(|error| Failure::file(file, &error))
}
