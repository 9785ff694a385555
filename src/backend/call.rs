//! What happened during one operation, noted below object_store and read above it.
//!
//! object_store tells failures apart by status alone and puts the server's words into messages, with
//! whatever secret the server repeats. The HTTP layer writes here what matters of every answer, and
//! the operation that is waiting on the same task reads it.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::{error, fmt};

tokio::task_local! {
    static CALL: Arc<Call>;
}

/// The record of one operation.
#[derive(Debug, Default)]
pub(super) struct Call {
    tries: AtomicU32,
    bytes: AtomicU64,
    opaque_e_tag: AtomicBool,
    failure: Mutex<Option<Failure>>,
}

/// What the last request failed with.
#[derive(Debug, Clone)]
pub(super) enum Failure {
    /// The server answered, with an error.
    Answer(Answer),
    /// No answer came.
    Transport { timed_out: bool, problem: Problem },
}

/// An error that a server answered with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) code: Option<String>,
    pub(super) message: Option<String>,
    pub(super) request_id: Option<String>,
    /// The bucket's region, where it is another one.
    pub(super) region: Option<String>,
    /// The host that a redirect points to.
    pub(super) redirect_host: Option<String>,
    /// Seconds that this machine's clock is ahead of the server's; negative when it is behind.
    pub(super) clock_ahead: Option<i64>,
}

/// A failure in words, outermost first, as a source for errors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem(pub(super) String);

impl Problem {
    /// The words of an error and of all that are behind it, each once.
    pub(super) fn of(error: &dyn error::Error) -> Self {
        let mut words = error.to_string();
        let mut source = error.source();
        while let Some(inner) = source {
            let more = inner.to_string();
            if !words.contains(&more) {
                words.push_str(": ");
                words.push_str(&more);
            }
            source = inner.source();
        }
        Self(words)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl error::Error for Problem {}

impl Call {
    /// Runs `operation` with this record within reach of the HTTP layer.
    pub(super) async fn scope<F: Future>(self: &Arc<Self>, operation: F) -> F::Output {
        CALL.scope(Arc::clone(self), operation).await
    }

    /// Notes on the current operation's record; does nothing outside of one.
    pub(super) fn note(note: impl FnOnce(&Call)) {
        let _ = CALL.try_with(|call| note(call));
    }

    pub(super) fn sent(&self) {
        self.tries.fetch_add(1, Ordering::Relaxed);
        self.set(None);
    }

    pub(super) fn failed(&self, failure: Failure) {
        self.set(Some(failure));
    }

    fn set(&self, failure: Option<Failure>) {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = failure;
    }

    pub(super) fn failure(&self) -> Option<Failure> {
        let failure = self.failure.lock();
        failure.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether S3 found another write of the same key in flight, and wants this one repeated.
    pub(super) fn is_write_conflict(&self) -> bool {
        let conflict = Some("ConditionalRequestConflict");
        matches!(self.failure(), Some(Failure::Answer(answer)) if answer.code.as_deref() == conflict)
    }

    pub(super) fn tries(&self) -> u32 {
        self.tries.load(Ordering::Relaxed)
    }

    /// Notes how many bytes of an object go there or come from there.
    pub(super) fn moves(&self, bytes: usize) {
        self.bytes.store(bytes as u64, Ordering::Relaxed);
    }

    /// Notes that the object's entity tag is no digest of its bytes: it is encrypted with a key of its own.
    pub(super) fn found_opaque_e_tag(&self) {
        self.opaque_e_tag.store(true, Ordering::Relaxed);
    }

    pub(super) fn has_opaque_e_tag(&self) -> bool {
        self.opaque_e_tag.load(Ordering::Relaxed)
    }

    pub(super) fn bytes(&self) -> Option<u64> {
        Some(self.bytes.load(Ordering::Relaxed)).filter(|bytes| *bytes > 0)
    }
}
