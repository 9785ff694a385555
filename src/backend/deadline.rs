//! The deadline of an operation, made where it begins and handed down to every step of it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use object_store::Error;

use super::Backend;
use super::call::Call;
use super::classify::Context;
use super::error::{Operation, StorageError};
use crate::key::ObjectKey;

pub(super) type StorageResult<T> = Result<T, StorageError>;

/// The end of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Deadline {
    end: Instant,
    /// Time that the whole operation may take, for messages.
    allowed: Duration,
}

impl Deadline {
    /// Ends `allowed` from now.
    pub(crate) fn after(allowed: Duration) -> Self {
        Self {
            end: Instant::now() + allowed,
            allowed,
        }
    }

    /// Returns the time that the operation may take from beginning to end.
    pub(crate) fn allowed(self) -> Duration {
        self.allowed
    }

    /// Returns the time that is left; zero once it has passed.
    pub(crate) fn remaining(self) -> Duration {
        self.end.saturating_duration_since(Instant::now())
    }

    /// The earlier of this one and `longest` from now.
    pub(crate) fn at_most(self, longest: Duration) -> Self {
        let own = Self::after(longest);
        if own.end < self.end { own } else { self }
    }

    /// Ends earlier, keeping a sixth of the whole for what has to follow: taking back what a failed write
    /// left.
    pub(crate) fn reserve(self) -> Self {
        let end = self.end.checked_sub(self.allowed / 6).unwrap_or(self.end);
        Self { end, ..self }
    }

    /// Starts anew after `waited`, which is not to count: waiting for a turn, and decoding.
    pub(crate) fn extended(self, waited: Duration) -> Self {
        Self {
            end: self.end + waited,
            ..self
        }
    }
}

impl Backend {
    /// The same backend, whose operations share one deadline: each has what those before it left.
    pub(crate) fn until(&self, deadline: Deadline) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            deadline: Some(deadline),
        }
    }

    /// The deadline of an operation that begins now.
    pub(crate) fn deadline(&self) -> Deadline {
        let own = || Deadline::after(self.inner.deadline);
        self.deadline.unwrap_or_else(own)
    }

    /// The record of an operation that begins now, with its deadline.
    pub(super) fn call(&self) -> Arc<Call> {
        Arc::new(Call::new(self.deadline()))
    }

    pub(super) fn context<'a>(
        &'a self,
        operation: Operation,
        key: Option<&'a ObjectKey>,
    ) -> Context<'a> {
        Context {
            operation,
            key,
            backend: self,
        }
    }

    /// Runs one operation within its deadline, and puts what went wrong into words.
    pub(super) async fn bounded<T>(
        &self,
        call: &Arc<Call>,
        context: Context<'_>,
        operation: impl Future<Output = Result<T, Error>>,
    ) -> StorageResult<T> {
        let started = Instant::now();
        let outcome =
            tokio::time::timeout(call.deadline().remaining(), call.scope(operation)).await;
        let outcome = outcome.map_or_else(
            |_| Err(context.timed_out(call)),
            |outcome| outcome.map_err(|error| context.failed(call, error)),
        );
        let code = outcome.as_ref().err().map(StorageError::code);
        if matches!(code, None | Some(Some("NoSuchKey"))) {
            self.inner.answered.store(true, Ordering::Relaxed);
        }
        // The items of a listing between its pages are objects.
        if context.operation != Operation::List || call.tries() > 0 || outcome.is_err() {
            tracing::debug!(
                operation = context.operation.as_str(),
                key = context.key.map(ObjectKey::as_str),
                bytes = call.bytes(),
                tries = call.tries(),
                elapsed = ?started.elapsed(),
                error = outcome.as_ref().err().map(tracing::field::display),
            );
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_reserved_is_left_when_the_rest_is_spent() {
        let whole = Deadline::after(Duration::from_secs(60));
        let kept = whole.remaining() - whole.reserve().remaining();
        assert!(kept >= Duration::from_secs(10) && kept < Duration::from_secs(11));
        assert_eq!(whole.reserve().allowed(), Duration::from_secs(60));
        let short = whole.at_most(Duration::from_secs(5));
        assert!(short.remaining() <= Duration::from_secs(5));
        assert_eq!(whole.at_most(Duration::from_secs(600)), whole);
        assert_eq!(Deadline::after(Duration::ZERO).remaining(), Duration::ZERO);
    }
}
