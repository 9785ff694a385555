//! `handle-event`.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde_json::json;

use super::operation_args::HandleEvent;
use super::output::{Failure, Outcome};
use super::{Context, Result};
use crate::kind::ErrorKind;
use crate::ops::{self, EventOutcome, MAX_EVENT_BYTES};

pub(super) async fn run(context: &Context, arguments: HandleEvent) -> Result<Outcome> {
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
            .map_err(|error| Failure::new(ErrorKind::InvalidArgument, error.to_string()))?
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
                key,
                kind,
                reason,
                hint,
            } => {
                let mut failure = Failure::new(*kind, reason.clone());
                failure.hint.clone_from(hint);
                output.failure(key.as_str(), &failure);
            }
        }
    }
    output.document(&json!({"ok": report.is_done(), "outcomes": report.outcomes}))?;
    Ok(Outcome::when(report.is_done()))
}
