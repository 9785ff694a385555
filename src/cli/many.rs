//! One thing after another, or a few at once, with a result for each in the order in which they were named.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures_util::{StreamExt, future, stream};
use serde_json::{Value, json};

use super::Result;
use super::document::Document;
use super::interrupt::Interrupt;
use super::output::{Failure, Outcome, Output};
use crate::kind::ErrorKind;
use crate::store::PurgeFailure;

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
    /// What the CDN still has of it.
    pub(super) purge: Option<PurgeFailure>,
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
        let mut not_purged = Vec::new();
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
                    if let Some(failure) = &done.purge {
                        let failure = Failure::of_purge(failure);
                        let subject = format!("{name}: not purged from CloudFront");
                        progress.suspend(|| output.failure(&subject, &failure));
                        not_purged.push(self.named(&failure, name));
                    }
                }
                Err(failure) => {
                    totals.failed += 1;
                    progress.suspend(|| output.failure(name, &failure));
                    failures.push(self.named(&failure, name));
                    stopped.fetch_or(failure.everywhere, Ordering::Relaxed);
                }
            }
        }
        drop(outcomes);
        drop(progress);
        let left = &names[begun.load(Ordering::Relaxed)..];
        totals.not_tried = left.len();
        output.not_tried(left);
        let mut fields = json!({"failures": failures, "not_tried": left});
        if !not_purged.is_empty() {
            fields["not_purged"] = not_purged.into();
        }
        document.fields(&fields)?;
        document.end()?;
        Ok((Outcome::of_many(&failures, left, &interrupt), totals))
    }

    /// A failure with the name of the thing that it is about.
    fn named(&self, failure: &Failure, name: &str) -> Value {
        let mut entry = failure.to_json();
        entry[self.list.1] = json!(name);
        entry
    }
}

impl Failure {
    /// The CDN that still has what is gone, or another one now.
    pub(super) fn of_purge(failure: &PurgeFailure) -> Self {
        let mut told = Self::new(failure.kind, failure.message.clone());
        told.hint.clone_from(&failure.hint);
        told
    }

    /// A task of the command's own that ended without an answer.
    pub(super) fn of_task(error: &tokio::task::JoinError) -> Self {
        Self::new(ErrorKind::Internal, format!("it did not finish: {error}"))
    }
}
