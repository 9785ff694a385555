//! One thing after another, or a few at once, with a result for each in the order in which they were named.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures_util::{StreamExt, future, stream};
use serde_json::{Value, json};

use super::Result;
use super::document::Document;
use super::interrupt::Interrupt;
use super::output::{Failure, Outcome, Output};
use crate::kind::ErrorKind;

/// Work on many things, a few at once.
pub(super) struct Many<'a> {
    pub(super) output: Output,
    /// The words for Ctrl-C.
    pub(super) finishing: &'static str,
    /// The noun for the progress bar.
    pub(super) unit: &'a str,
    /// The list of the document that has the results, and what names a thing in the list of failures.
    pub(super) list: (&'a str, &'a str),
    pub(super) at_once: usize,
}

/// The outcome for one of them.
pub(super) struct Done {
    /// For a person.
    pub(super) line: String,
    /// For the list of the document.
    pub(super) entry: Value,
}

/// The numbers of successes and failures.
#[derive(Debug, Default)]
pub(super) struct Totals {
    pub(super) done: usize,
    pub(super) failed: usize,
    pub(super) not_tried: usize,
}

impl Many<'_> {
    /// Work on image files.
    pub(super) fn images(output: Output, at_once: usize) -> Self {
        Self {
            output,
            finishing: "finishing this image",
            unit: "files",
            list: ("images", "file"),
            at_once,
        }
    }

    /// Runs `one` for each of the names. Ctrl-C, and a failure that all others would meet, keep more from
    /// being begun.
    pub(super) async fn run<F: Future<Output = Result<Done>>>(
        &self,
        names: &[String],
        one: impl Fn(usize) -> F,
    ) -> Result<(Outcome, Totals)> {
        let output = self.output;
        let interrupt = Interrupt::listen(output, self.finishing);
        let progress = output.progress(Some(names.len() as u64), self.unit);
        let (begun, stopped) = (AtomicUsize::new(0), AtomicBool::new(false));
        let (mut totals, mut failures) = (Totals::default(), Vec::new());
        let mut document = Document::new(output);
        document.list(self.list.0)?;
        let mut outcomes = stream::iter(names.iter().enumerate())
            .take_while(|_| future::ready(!interrupt.is_set() && !stopped.load(Ordering::Relaxed)))
            .map(|(index, name)| {
                begun.fetch_add(1, Ordering::Relaxed);
                progress.step(name);
                let outcome = one(index);
                async move { (name, outcome.await) }
            })
            .buffered(self.at_once);
        while let Some((name, outcome)) = outcomes.next().await {
            match outcome {
                Ok(done) => {
                    totals.done += 1;
                    progress.suspend(|| output.line(done.line))?;
                    document.item(&done.entry)?;
                }
                Err(failure) => {
                    totals.failed += 1;
                    progress.suspend(|| output.failure(name, &failure));
                    let mut entry = failure.to_json();
                    entry[self.list.1] = json!(name);
                    failures.push(entry);
                    stopped.fetch_or(failure.everywhere, Ordering::Relaxed);
                }
            }
        }
        drop(outcomes);
        drop(progress);
        let left = &names[begun.load(Ordering::Relaxed)..];
        totals.not_tried = left.len();
        output.not_tried(left);
        document.fields(&json!({"failures": failures, "not_tried": left}))?;
        document.end()?;
        Ok((Outcome::of_many(&failures, left, &interrupt), totals))
    }
}

impl Failure {
    /// A task of the command's own that ended without an answer.
    pub(super) fn of_task(error: &tokio::task::JoinError) -> Self {
        Self::new(ErrorKind::Internal, format!("it did not finish: {error}"))
    }
}
