//! What happened during one operation, noted below object_store and read above it.
//!
//! object_store tells failures apart by status alone and puts the server's words into messages, with
//! whatever secret the server repeats. The HTTP layer writes here what matters of every answer, and
//! the operation that is waiting on the same task reads it.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::{error, fmt};

use super::deadline::Deadline;
use crate::causes;

tokio::task_local! {
    static CALL: Arc<Call>;
}

/// The record of one operation.
#[derive(Debug)]
pub(super) struct Call {
    deadline: Deadline,
    tries: AtomicU32,
    bytes: AtomicU64,
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

/// A failure in words, with what is behind it, as a source for errors: the words alone, because the errors
/// of other crates hold more than may be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    words: String,
    source: Option<Box<Problem>>,
}

impl Problem {
    pub(super) fn new(words: impl Into<String>) -> Self {
        Self {
            words: words.into(),
            source: None,
        }
    }

    /// An error and all that is behind it.
    pub(super) fn of(error: &dyn error::Error) -> Self {
        let chain = causes::chain(error).into_iter().rev();
        let whole = chain.fold(None, |source: Option<Self>, words| {
            Some(Self {
                words,
                source: source.map(Box::new),
            })
        });
        whole.unwrap_or_else(|| Self::new("it failed"))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

impl error::Error for Problem {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        let source = self.source.as_deref()?;
        Some(source)
    }
}

impl Call {
    pub(super) fn new(deadline: Deadline) -> Self {
        Self {
            deadline,
            tries: AtomicU32::new(0),
            bytes: AtomicU64::new(0),
            failure: Mutex::default(),
        }
    }

    /// When the operation has to be over: what retries and waiting have to spend.
    pub(super) fn deadline(&self) -> Deadline {
        self.deadline
    }

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

    pub(super) fn bytes(&self) -> Option<u64> {
        Some(self.bytes.load(Ordering::Relaxed)).filter(|bytes| *bytes > 0)
    }
}
