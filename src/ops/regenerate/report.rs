//! The outcome of a regeneration.

use serde::Serialize;

use crate::error::Error;
use crate::key::ObjectKey;
use crate::kind::ErrorKind;
use crate::store::PurgeFailure;

/// How many failures, and how many paths to invalidate, are told one by one.
const DETAILS: usize = 1000;

/// The outcome for one image.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Regenerated {
    /// Its key, or the line that named none.
    pub image: String,
    /// Names of the variants that were made, or would be.
    pub made: Vec<String>,
    /// Bytes that were written.
    pub bytes: u64,
    /// Variants that were to be made, and that somebody else had made by then.
    pub present: u64,
    /// True where the main image was made anew, or would be.
    pub main: bool,
    /// True where the main image was to be made anew, and no original was kept.
    pub without_original: bool,
    /// Variants that were removed, or would be.
    pub pruned: Vec<ObjectKey>,
    /// Keys whose object is another one now, or may be after a failure.
    pub replaced: Vec<ObjectKey>,
    /// The failure, where it could not be done.
    pub failure: Option<RegenerateFailure>,
}

impl Regenerated {
    /// Returns whether it lacked nothing, and nothing was done for it.
    pub(super) fn is_complete(&self) -> bool {
        let idle = self.made.is_empty() && self.pruned.is_empty() && self.present == 0;
        idle && !self.main && !self.without_original && self.failure.is_none()
    }

    pub(super) fn failed(image: impl Into<String>, error: &Error) -> Self {
        let image = image.into();
        Self {
            failure: Some(RegenerateFailure {
                image: image.clone(),
                kind: error.kind(),
                message: error.to_string(),
                hint: error.hint(),
            }),
            image,
            ..Self::default()
        }
    }
}

/// An image of which nothing could be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RegenerateFailure {
    /// Its key, or the line that named none.
    pub image: String,
    /// The kind of the failure.
    pub kind: ErrorKind,
    /// The failure, in words.
    pub message: String,
    /// The remedy.
    pub hint: Option<String>,
}

/// The outcome for all images.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RegenerateReport {
    /// True where nothing was written or removed.
    pub dry_run: bool,
    /// Images that were looked at.
    pub images: u64,
    /// Images that lacked nothing.
    pub complete: u64,
    /// Variants that were written, or would be.
    pub made: u64,
    /// Variants that were to be made, and that somebody else had made by then.
    pub present: u64,
    /// Main images that were made anew, or would be.
    pub mains: u64,
    /// Images whose main image was to be made anew, and that have no original.
    pub without_original: u64,
    /// Bytes that were written.
    pub bytes: u64,
    /// Variants that were removed, or would be.
    pub pruned: u64,
    /// Images of which something could not be made.
    pub failed: u64,
    /// The first thousand of them.
    pub failures: Vec<RegenerateFailure>,
    /// Paths in a CDN, as CloudFront takes them, where another image lies now, or none any more. All of the prefix
    /// where they are more than a thousand.
    pub invalidate: Vec<String>,
    /// True where CloudFront was told to forget them; otherwise that is left to do.
    pub purged: bool,
    /// The reason why CloudFront did not take that order.
    pub purge_failure: Option<PurgeFailure>,
    /// The reason why it ended early: run it again, and it makes what is still missing; with
    /// [`all`](super::RegenerateOptions::all) or [`main`](super::RegenerateOptions::main) it starts over.
    pub stopped: Option<String>,
    /// The remedy for that.
    pub hint: Option<String>,
}

impl RegenerateReport {
    /// Returns whether it came to its end and nothing failed.
    pub fn is_complete(&self) -> bool {
        self.failed == 0 && self.stopped.is_none()
    }

    pub(super) fn add(
        &mut self,
        one: &Regenerated,
        path: impl Fn(&ObjectKey) -> String,
        whole: &str,
    ) {
        self.images += 1;
        self.count(one, path, whole);
        self.complete += u64::from(one.is_complete());
        if let Some(failure) = &one.failure {
            self.failed += 1;
            if self.failures.len() < DETAILS {
                self.failures.push(failure.clone());
            }
        }
    }

    /// Adds what was done for an image that the end of the run may have cut off.
    pub(super) fn count(
        &mut self,
        one: &Regenerated,
        path: impl Fn(&ObjectKey) -> String,
        whole: &str,
    ) {
        self.made += one.made.len() as u64;
        self.present += one.present;
        self.mains += u64::from(one.main);
        self.without_original += u64::from(one.without_original);
        self.bytes += one.bytes;
        self.pruned += one.pruned.len() as u64;
        let pruned: &[ObjectKey] = if self.dry_run { &[] } else { &one.pruned };
        for key in one.replaced.iter().chain(pruned) {
            self.invalidate(path(key), whole);
        }
    }

    fn invalidate(&mut self, path: String, whole: &str) {
        if self.invalidate.first().is_some_and(|first| first == whole) {
            return;
        }
        match self.invalidate.len() {
            DETAILS => self.invalidate = vec![whole.to_owned()],
            _ => self.invalidate.push(path),
        }
    }

    pub(super) fn stop(&mut self, reason: String, hint: Option<String>) {
        if self.stopped.is_none() {
            (self.stopped, self.hint) = (Some(reason), hint);
        }
    }
}
