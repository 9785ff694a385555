//! Notes of one operation, written below object_store and read above it.
//!
//! object_store tells failures apart by status alone and puts the server's words into messages, with
//! whatever secret the server repeats. The HTTP layer writes here what matters of every answer, and
//! the operation that is waiting on the same task reads it.

use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
    /// Largest body that is wanted; 0 where none is.
    most: AtomicU64,
    /// True if the bytes are compared with something better than their entity tag.
    any_e_tag: AtomicBool,
    /// Number of times that bytes did not match their entity tag.
    damaged: AtomicU32,
    /// Status of the last success.
    status: AtomicU16,
    /// Failures of the last request and of the one before it.
    failures: Mutex<(Option<CallFailure>, Option<CallFailure>)>,
}

/// The failure of a request.
#[derive(Debug, Clone)]
pub(super) enum CallFailure {
    /// The server answered, with an error.
    Answer(Answer),
    /// No whole answer came.
    Transport { how: Broken, problem: Problem },
    /// The answer does not come from an S3 server.
    Foreign,
    /// The bytes that came are not those of their entity tag.
    Damaged,
}

/// The way in which a connection failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Broken {
    /// It was never made.
    Unreachable,
    /// The server answered, and not in TLS, or with a certificate that is not trusted.
    NoTls,
    /// It ended too early.
    Off,
    /// It stayed silent.
    Silent,
}

/// An error that a server answered with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// True if the answer comes from an S3 server, as far as it shows, and not from a proxy.
    pub(super) of_s3: bool,
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
            most: AtomicU64::new(0),
            any_e_tag: AtomicBool::new(false),
            damaged: AtomicU32::new(0),
            status: AtomicU16::new(0),
            failures: Mutex::default(),
        }
    }

    /// Returns the end of the operation, which bounds retries and waiting.
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

    /// Wants a body of at most `most` bytes.
    pub(super) fn reading(self: Arc<Self>, most: u64) -> Arc<Self> {
        self.most.store(most, Ordering::Relaxed);
        self
    }

    /// Takes whatever entity tag the bytes come with.
    pub(super) fn with_any_e_tag(self: Arc<Self>) -> Arc<Self> {
        self.any_e_tag.store(true, Ordering::Relaxed);
        self
    }

    /// The record within reach, if there is one.
    pub(super) fn current() -> Option<Arc<Self>> {
        CALL.try_with(Arc::clone).ok()
    }

    pub(super) fn most(&self) -> u64 {
        self.most.load(Ordering::Relaxed)
    }

    pub(super) fn takes_any_e_tag(&self) -> bool {
        self.any_e_tag.load(Ordering::Relaxed)
    }

    /// Notes damaged bytes, and tells how often there were some.
    pub(super) fn damaged(&self) -> u32 {
        self.failed(CallFailure::Damaged);
        self.damaged.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(super) fn succeeded(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
    }

    pub(super) fn status(&self) -> u16 {
        self.status.load(Ordering::Relaxed)
    }

    pub(super) fn sent(&self) {
        self.tries.fetch_add(1, Ordering::Relaxed);
        let mut failures = self.failures();
        if let Some(failure) = failures.0.take() {
            failures.1 = Some(failure);
        }
    }

    pub(super) fn failed(&self, failure: CallFailure) {
        self.failures().0 = Some(failure);
    }

    fn failures(&self) -> MutexGuard<'_, (Option<CallFailure>, Option<CallFailure>)> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn failure(&self) -> Option<CallFailure> {
        self.failures().0.clone()
    }

    /// The failure of the request that is under way, or else of the one before it.
    pub(super) fn last_failure(&self) -> Option<CallFailure> {
        let failures = self.failures();
        failures.0.clone().or_else(|| failures.1.clone())
    }

    /// Returns whether S3 found another write of the same key in flight, and wants this one repeated.
    pub(super) fn is_write_conflict(&self) -> bool {
        let conflict = Some("ConditionalRequestConflict");
        matches!(self.failure(), Some(CallFailure::Answer(answer)) if answer.code.as_deref() == conflict)
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
